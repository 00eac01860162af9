"""How a human does each task: the motion of the hand, and of what it pushes or holds.

What is in the hand goes where the hand goes; there is no physics: these motions are there to be filmed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from envs.acting import DIRECTIONS, VERBS
from envs.appearance import spread_out
from envs.objects import ObjectSpec
from envs.pushing import LINE
from envs.scene import Scene

Path = Callable[[float], np.ndarray]
"""Time [s] -> position [3] [m]."""


class Moment(NamedTuple):
    """One moment of a motion.

    hand: [3] the index fingertip, or the middle of a grasping hand [m].  opening: of a grasping hand [m].
    things: body -> [3] where what is moved stands [m].
    """

    hand: np.ndarray
    opening: float | None = None
    things: dict[str, np.ndarray] = {}  # noqa: RUF012  (never written to)


Motion = Callable[[float], Moment]
"""Time [s] -> moment."""

SORT_TIME = 4.25
"""Length of a video of sorting [s]: its first half tells the item, its second half the container."""
FINGER_RADIUS = 0.01
"""Of a finger [m]."""
PINCHED = 0.02
"""Between thumb and fingers of a hand that is closed on nothing [m]."""
ON_TOP = np.array([0.018, 0.0, 0.012])
"""From the middle of an object's top to the hand that touches it: on the person's side, or it would hide it [m]."""
IN_FRONT = ON_TOP * [1, 0, 0]
"""That a hand that takes an object stays on the person's side [m]."""
OPEN_TIME = 0.3
"""In which a hand opens or closes [s]."""


@dataclass(frozen=True)
class Leg:
    """A part of a path: from where the one before ended to `end` [3] [m], in `duration` [s].

    bulge: [3] how far it curves off the straight line in its middle [m].
    """

    end: np.ndarray
    duration: float
    bulge: np.ndarray = field(default_factory=lambda: np.zeros(3))


def lasting(scene: Scene, usual: float) -> float:
    """How long a whole motion lasts that takes a `usual` time [s], by a person of the scene's style."""
    return usual * (1 + _SLOWER * max(0.0, scene.human.style - 1))


def minimum_jerk(share: float) -> float:
    """Share of the way after a share of the time, both in [0, 1].

    Source: Flash and Hogan 1985, "The coordination of arm movements", equation for point-to-point reaching.
    """
    s = min(max(share, 0.0), 1.0)
    return s**3 * (10 - 15 * s + 6 * s**2)


def along(start: np.ndarray, wait: float, legs: list[Leg]) -> Path:
    """A path that waits at `start` [3] [m] for `wait` [s] and then does one leg after the other."""

    def position(time: float) -> np.ndarray:
        at, begin = start, wait
        for leg in legs:
            share = minimum_jerk((time - begin) / leg.duration)
            at = at + share * (leg.end - at) + 4 * share * (1 - share) * leg.bulge
            begin += leg.duration
            if time < begin:
                break
        return at

    return position


def reach_path(scene: Scene, rng: np.random.Generator) -> Path:
    """How a person reaches for the goal of a scene: waits, moves in an arc with minimum jerk, and stays.

    Args:
        scene: with the person, the objects and the goal.
        rng: decides when they start, how fast they are and how they curve.

    Returns:
        Time [s] -> index fingertip position [3] [m].
    """
    end = scene.tops[scene.goal] + rng.normal(0, 0.004, 3) + [0, 0, 0.006]
    wait, duration = time_taken(scene, rng, 0.0, 0.35), time_taken(scene, rng, 0.9, 1.5)
    return along(np.array(scene.human.rest), wait, [Leg(end, duration, arc(scene, rng))])


def reach_motion(scene: Scene, rng: np.random.Generator) -> Motion:
    """`reach_path`, as a motion."""
    path = reach_path(scene, rng)
    return lambda time: Moment(path(time))


def push_motion(scene: Scene, rng: np.random.Generator) -> Motion:
    """Puts a fingertip beside the goal object and pushes the object along y over the line."""
    x, y = scene.positions[scene.goal]
    thing = scene.objects[scene.goal]
    touch = thing.radius + FINGER_RADIUS  # [m] from the object's middle to the fingertip
    height = shove_height(thing)
    beside = np.array([x + rng.normal(0, 0.004), y - touch - rng.uniform(0.02, 0.05), height])
    end = np.array([x + rng.normal(0, 0.004), LINE + rng.uniform(0.02, 0.05) - touch, height])
    legs = [Leg(beside, time_taken(scene, rng, 0.8, 1.2), arc(scene, rng)), Leg(end, time_taken(scene, rng, 0.8, 1.2))]
    path = along(np.array(scene.human.rest), time_taken(scene, rng, 0.0, 0.3), legs)
    arrived = np.array([x, y, 0.0])

    def motion(time: float) -> Moment:
        hand = path(time)
        pushed = np.hypot(*(hand - beside)[[0, 2]]) < 0.03
        ahead = hand[1] + touch if pushed else y
        return Moment(hand, None, {f"object{scene.goal}": np.maximum(arrived, [x, ahead, 0.0])})

    return motion


def place_motion(scene: Scene, rng: np.random.Generator) -> Motion:
    """Carries the held item over the goal container, opens the hand and draws it back."""
    item = scene.extra
    assert item is not None
    rest = np.array(scene.human.rest) + up(item.height)
    wait, carry = time_taken(scene, rng, 0.0, 0.3), time_taken(scene, rng, 1.0, 1.4)
    over = _over(scene.tops[scene.goal], item.height, rng)
    path = along(rest, wait, [Leg(over, carry, arc(scene, rng)), Leg(over, OPEN_TIME), _back(scene, rng, over)])
    release = wait + carry
    fall = _fall(over - up(grip(item.height)), release + OPEN_TIME / 2, _FLOOR)

    def motion(time: float) -> Moment:
        hand, opening = path(time), item.width + _SPREAD * minimum_jerk((time - release) / OPEN_TIME)
        return Moment(hand, opening, {"extra": hand - up(grip(item.height)) if time < release else fall(time)})

    return motion


def pick_place_motion(scene: Scene, rng: np.random.Generator) -> Motion:
    """Closes the hand on the goal item, carries it over the container, opens the hand and draws it back."""
    assert scene.extra is not None
    rim = np.array([*scene.extra_position, scene.extra.height])
    wait, reach, carry = (time_taken(scene, rng, *times) for times in ((0.0, 0.25), (0.8, 1.1), (1.0, 1.3)))
    return _put(scene, rng, rim, wait, reach, carry)


def sort_motion(scene: Scene, rng: np.random.Generator) -> Motion:
    """Takes the goal item and holds it up in the first half of the time, and puts it into its container in the second.

    Up to there nothing tells which container that is.
    """
    wait, reach, raise_, carry = (
        time_taken(scene, rng, *times) for times in ((0.0, 0.25), (0.8, 1.1), (0.3, 0.4), (0.8, 1.0))
    )
    up, hold = rng.uniform(*_HELD_UP), lasting(scene, SORT_TIME) / 2 - wait - reach - OPEN_TIME - raise_
    return _put(scene, rng, scene.rims[scene.aim], wait, reach, carry, (up, raise_), (up, max(0.0, hold)))


def _put(
    scene: Scene,
    rng: np.random.Generator,
    rim: np.ndarray,
    wait: float,
    reach: float,
    carry: float,
    *raised: tuple[float, float],
) -> Motion:
    """How the goal item gets into a container, `rim` [3] [m], in times [s].

    raised: how high above where it is taken the item is, and in what time it gets there, before it is carried.
    """
    item, name = scene.objects[scene.goal], f"object{scene.goal}"
    stands = np.array([*scene.positions[scene.goal], 0.0])
    around = stands + up(grip(item.height))
    over = _over(rim, item.height, rng)
    legs = [
        Leg(around, reach, arc(scene, rng)),
        Leg(around, OPEN_TIME),
        *(Leg(around + up(height), duration) for height, duration in raised),
        Leg(over, carry, np.array([0, 0, rng.uniform(0.06, 0.1)])),
        Leg(over, OPEN_TIME),
        _back(scene, rng, over),
    ]
    path = along(np.array(scene.human.rest), wait, legs)
    close, lift = wait + reach, wait + reach + OPEN_TIME
    release = lift + sum(duration for _, duration in raised) + carry
    fall = _fall(over - up(grip(item.height)), release + OPEN_TIME / 2, _FLOOR)

    def motion(time: float) -> Moment:
        hand = path(time)
        closed = minimum_jerk((time - close) / OPEN_TIME) - minimum_jerk((time - release) / OPEN_TIME)
        carried = hand - up(grip(item.height))
        at = stands if time < lift else carried if time < release else fall(time)
        # As wide at first for every item: the hand must not tell the goal before it moves.
        return Moment(hand, _WIDE + (item.width - _WIDE) * closed, {name: at})

    return motion


def act_motion(scene: Scene, rng: np.random.Generator) -> Motion:
    """Touches, pushes or lifts the goal object, whichever the scene's aim is."""
    verb = VERBS[scene.aim]
    if verb == "touch":
        return _touch(scene, rng)
    return _lift(scene, rng) if verb == "lift" else _shove(scene, rng, np.array([*DIRECTIONS[verb], 0.0]))


def _touch(scene: Scene, rng: np.random.Generator) -> Motion:
    """Puts closed fingertips onto the goal object, and stays."""
    end = scene.tops[scene.goal] + rng.normal(0, 0.004, 3) + ON_TOP
    wait, reach = _reach_times(scene, rng)
    path = along(np.array(scene.human.rest), wait, [Leg(end, reach, arc(scene, rng))])
    return lambda time: Moment(path(time), closing(time, wait, reach, PINCHED))


def _shove(scene: Scene, rng: np.random.Generator, direction: np.ndarray) -> Motion:
    """Puts closed fingers beside the goal object and pushes it in a direction [3]."""
    stands = np.array([*scene.positions[scene.goal], 0.0])
    thing = scene.objects[scene.goal]
    touch, height = contact(thing), up(shove_height(thing))
    wait, reach = _reach_times(scene, rng)
    beside = stands + height - (touch + rng.uniform(0.02, 0.04)) * direction + rng.normal(0, 0.003, 3) * [1, 1, 0]
    far = rng.uniform(*_PUSHED)
    end = stands + height + (far - touch) * direction
    legs = [Leg(beside, reach, arc(scene, rng)), Leg(end, time_taken(scene, rng, 0.8, 1.1))]
    path = along(np.array(scene.human.rest), wait, legs)

    def motion(time: float) -> Moment:
        hand = path(time)
        ahead = (hand - stands) @ direction + touch if time > wait + reach else 0.0
        pushed = stands + max(0.0, ahead) * direction
        return Moment(hand, closing(time, wait, reach, PINCHED), {f"object{scene.goal}": pushed})

    return motion


def _lift(scene: Scene, rng: np.random.Generator) -> Motion:
    """Closes the hand on the goal object, lifts it and holds it up."""
    stands, thing = np.array([*scene.positions[scene.goal], 0.0]), scene.objects[scene.goal]
    around = stands + IN_FRONT + up(grip(thing.height))
    wait, reach = _reach_times(scene, rng)
    raised = around + up(rng.uniform(*_RAISED)) + rng.normal(0, 0.004, 3) * [1, 1, 0]
    legs = [
        Leg(around, reach, arc(scene, rng)),
        Leg(around, OPEN_TIME),
        Leg(raised, time_taken(scene, rng, 0.7, 1.0)),
    ]
    path = along(np.array(scene.human.rest), wait, legs)
    grasped = wait + reach

    def motion(time: float) -> Moment:
        hand = path(time)
        carried = hand - around if time > grasped + OPEN_TIME else np.zeros(3)
        opening = closing(time, grasped, OPEN_TIME, thing.width)
        return Moment(hand, opening, {f"object{scene.goal}": stands + carried})

    return motion


def _reach_times(scene: Scene, rng: np.random.Generator) -> tuple[float, float]:
    """How long a person waits, and how long a reach takes [s]."""
    return time_taken(scene, rng, 0.0, 0.25), time_taken(scene, rng, 0.8, 1.1)


def closing(time: float, begin: float, duration: float, opening: float) -> float:
    """How far a hand is open that closes from `_WIDE` to `opening` [m]; it begins alike whatever comes then."""
    return _WIDE + (opening - _WIDE) * minimum_jerk((time - begin) / duration)


_SLOWER = 0.25  # share of the time that the slowest person takes longer, for each 1 on the dial of style
_PUSHED = (0.10, 0.13)  # [m] that a person pushes an object
_RAISED = (0.13, 0.17)  # [m] that a person lifts an object
_HELD_UP = (0.07, 0.10)  # [m] that a person lifts an item before it is sorted
_SHORTEST = 0.3  # [s] of a part of a motion
_LOWEST_ARC = 0.03  # [m] in which nothing is touched on the way
_WIDE = 0.085  # [m] between thumb and fingers of an open hand
_SPREAD = 0.025  # [m] that an open hand is wider than what it holds
_FLOOR = 0.008  # [m] the floor of a container, above the table
_GRAVITY = 9.81  # [m/s^2]


def up(height: float) -> np.ndarray:
    """[3] so far up [m]."""
    return np.array([0.0, 0.0, height])


def contact(thing: ObjectSpec) -> float:
    """From an object's middle to that of the closed hand that pushes it [m]."""
    return thing.radius + PINCHED / 2 + FINGER_RADIUS


def shove_height(thing: ObjectSpec) -> float:
    """How high above the table a hand pushes an object [m]."""
    return min(0.6 * thing.height, 0.035)


def grip(height: float) -> float:
    """How far above its underside an item of a height [m] is held: near its top, where the camera sees the rest."""
    return 0.75 * height


def _over(rim: np.ndarray, height: float, rng: np.random.Generator) -> np.ndarray:
    """Where the hand opens: the item's underside a little above the middle of a container, `rim` [3] [m]."""
    return rim + rng.normal(0, 0.004, 3) + up(0.02 + grip(height))


def time_taken(scene: Scene, rng: np.random.Generator, low: float, high: float) -> float:
    """How long a part of a motion takes [s], in this person's style; what takes time at all takes `_SHORTEST`."""
    return max(spread_out(rng, low, high, scene.human.style), _SHORTEST if low else 0.0)


def arc(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """How a reach curves [3] [m]: up, and to either side."""
    style = scene.human.style
    sideways, up = spread_out(rng, -0.05, 0.05, style), spread_out(rng, 0.06, 0.13, style)
    return np.array([0.0, sideways, max(up, _LOWEST_ARC)])


def _back(scene: Scene, rng: np.random.Generator, over: np.ndarray) -> Leg:
    """Up and towards the person, out of the picture's way."""
    away = np.array([rng.uniform(0.13, 0.18), 0.0, rng.uniform(0.04, 0.08)])
    return Leg(over + away, time_taken(scene, rng, 0.4, 0.6))


def _fall(start: np.ndarray, begin: float, floor: float) -> Path:
    """A free fall from `start` [3] [m] at time `begin` [s] down to `floor` [m]."""

    def position(time: float) -> np.ndarray:
        drop = _GRAVITY / 2 * max(0.0, time - begin) ** 2
        return np.array([*start[:2], max(floor, start[2] - drop)])

    return position
