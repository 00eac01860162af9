"""What a dragged hand does to objects in `daml/Act-v0`: it stays on one, goes on through it, or takes it up.

On its way the hand is in the air, over what stands there. The last object that it comes to is the one that it means:
if it stays on that, it touches it; if it goes on, the object goes with it, as the drawn human pushes; if it closes
there, it lifts it. Nothing is decided but by where the hand is: the object moves under the mouse.
"""

from dataclasses import dataclass

import numpy as np

from agents.drag import WAIT, Drag, DraggedHand, Shown, inside_area, travelled
from agents.verdict import called, in_words
from demos.motions import (
    IN_FRONT,
    ON_TOP,
    OPEN_TIME,
    PINCHED,
    Moment,
    Motion,
    Path,
    closing,
    contact,
    grip,
    minimum_jerk,
    shove_height,
    up,
)
from envs.acting import (
    DIRECTIONS,
    LIFT_HEIGHT,
    NOTHING,
    PUSH_DISTANCE,
    PUSH_SLOPE,
    VERBS,
    acted_upon,
    verb_done,
)
from envs.scene import Scene

REACH, SHOVE, RAISE = 0.95, 0.95, 0.85
"""How long each part of a motion takes [s]: in the middle of what people in videos take."""
ARC = 0.09
"""How high the hand rises on its way [m]: a mouse does not tell."""
LEVEL = 0.05
"""Height of the plane over the table that the mouse points at [m]: about that of the objects' tops."""
MARGIN = 0.01
"""A hand is on an object up to so far beside it [m]."""
OFF_MIDDLE = 0.02
"""Fingertips come down no further from the middle of an object's top than this [m]."""
STILL_ON = 0.6
"""Share of half an object's width up to which a hand that has passed its middle stays on it; from there it pushes."""
RUN_UP = 0.03
"""How far from where it meets an object a hand begins to push [m]."""
HIGHEST = 0.25
"""How high an object can be lifted [m]."""
_STEP = 0.002  # [m] along a path, in which nothing is passed over


@dataclass(frozen=True)
class Work:
    """What a drag does to an object.

    thing: its index.  path: [N, 2] of the hand [m].  begin: index where the work begins; up to there it reaches.
    direction: [2] in which the hand goes through it.  share: 0 on the object, 1 behind it, where all of the way counts.
    height: how high it is lifted [m]; None when it is not held.
    """

    thing: int
    path: np.ndarray
    begin: int
    direction: np.ndarray
    share: float = 0.0
    height: float | None = None


class WorkingHand(DraggedHand):
    """A hand that touches, pushes and lifts."""

    hint = (
        "**Drag the white arrows**, and the hand goes along. Stop **on** an object: touch. Go on **through** it: push."
        " On it, hold **Shift** and move up: lift."
    )

    def follow(self, drag: Drag, eye: np.ndarray, direction: np.ndarray, grasping: bool) -> Drag:
        held = drag.holding[-1]
        if held or (grasping and under(self.scene, drag.points[-1]) is not None):
            return drag.then(above(drag.points[-1], eye, direction), True)
        point = eye + (LEVEL - eye[2]) / direction[2] * direction if direction[2] < 0 else eye
        return drag.then(point, False) if inside_area(point) else drag

    def shown(self, drag: Drag) -> Shown:
        return shown(self.scene, drag, self.length)


def under(scene: Scene, point: np.ndarray) -> int | None:
    """Index of the object that a hand at a point [2 or 3] [m] is on; None for none."""
    on = np.flatnonzero(_on(scene, point[None]))
    return int(on[0]) if len(on) else None


def above(spot: np.ndarray, eye: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The point straight above or below a spot [3] [m] that somebody at `eye` [3] points at along `direction` [3]."""
    towards = (eye - spot) * [1, 1, 0]
    far = (spot - eye) @ towards / (direction @ towards)
    return np.array([*spot[:2], eye[2] + far * direction[2]])


def work(scene: Scene, drag: Drag) -> Work | None:
    """What a drag does, and to which object; None when it does nothing."""
    free = drag.holding.index(True) if True in drag.holding else len(drag.points)
    path = _dense(drag.points[:free, :2])
    on = _on(scene, path)  # [N, n]
    entries = np.argwhere(on[1:] & ~on[:-1])
    if not len(entries):
        return None
    entry, thing = (int(index) for index in entries[-1])
    middle, size = scene.feet[thing, :2], scene.objects[thing].radius
    offset = middle - path[entry]
    direction = np.sign(offset) * (np.abs(offset) == np.abs(offset).max())
    if free < len(drag.points):
        height = float(np.clip(drag.points[-1, 2] - LEVEL, 0, HIGHEST))
        return Work(thing, np.concatenate([path, [middle + IN_FRONT[:2]]]), len(path), direction, height=height)
    along = (path - middle) @ direction
    beside = float(np.abs((path[-1] - middle) @ direction[::-1]))
    if not on[-1, thing] and (along[-1] < 0 or beside > max(size + MARGIN, PUSH_SLOPE * along[-1])):
        return None
    share = float(np.clip((along[-1] / size - STILL_ON) / (1 - STILL_ON), 0, 1))
    begin = _straight_from(along, entry, contact(scene.objects[thing]) + RUN_UP)
    return Work(thing, path, begin if share else len(path) - 1, direction, share)


def shown(scene: Scene, drag: Drag, length: float) -> Shown:
    """What a drag shows, as a motion of the human's that comes to its end in `length` [s]."""
    done = work(scene, drag)
    motion = _motion(scene, done) if done else _in_the_air(scene, _dense(drag.points[:, :2]))
    goal, said = judged(scene, done, motion(length))
    return Shown(motion, length, goal, said)


def judged(scene: Scene, done: Work | None, moment: Moment) -> tuple[int | None, str]:
    """The number of the goal that is done in a moment, by the measure of the environment, or None; and in words."""
    if done is None:
        return None, "nothing yet"
    feet = np.array([moment.things.get(f"object{i}", foot) for i, foot in enumerate(scene.feet)])
    moved, tips = feet - scene.feet, moment.hand - (scene.tops + feet - scene.feet)
    thing = acted_upon(moved, tips)
    verb = verb_done(moved[thing], tips[thing], 0 if done.height is None else 2)
    far = 100 * float(np.linalg.norm(moved[thing]))
    if verb != NOTHING:
        by = f", by {far:.0f} cm" if VERBS[verb] != "touch" else ""
        return scene.layout.goal_number(thing, verb), in_words(scene.objects[thing], verb) + by
    thing_is = called(scene.objects[thing])
    if done.height is not None:
        return None, f"lift {thing_is} by {far:.0f} cm, of {100 * LIFT_HEIGHT:.0f} that count"
    if tuple(done.direction) not in DIRECTIONS.values():
        return None, f"push {thing_is} towards you; the robot knows left, right and away"
    return None, f"push {thing_is} by {far:.0f} cm, of {100 * PUSH_DISTANCE:.0f} that count"


def _motion(scene: Scene, done: Work) -> Motion:
    """The motion of a piece of work."""
    if done.height is not None:
        return _lift(scene, done, done.height)
    return _shove(scene, done) if done.share else _touch(scene, done)


def _in_the_air(scene: Scene, path: np.ndarray) -> Motion:
    """Goes along a path [N, 2] and does nothing."""
    reach = _reach(scene, path, LEVEL)
    return lambda time: Moment(reach(time), closing(time, WAIT, REACH, PINCHED))


def _touch(scene: Scene, done: Work) -> Motion:
    """Puts closed fingertips onto the object, and stays."""
    top = scene.tops[done.thing]
    off = done.path[-1] - top[:2]
    end = top[:2] + ON_TOP[:2] + off * min(1.0, OFF_MIDDLE / max(float(np.linalg.norm(off)), OFF_MIDDLE / 2))
    reach = _reach(scene, np.concatenate([done.path, [end]]), top[2] + ON_TOP[2])
    return lambda time: Moment(reach(time), closing(time, WAIT, REACH, PINCHED))


def _shove(scene: Scene, done: Work) -> Motion:
    """Puts closed fingers beside the object and pushes it."""
    foot, thing = scene.feet[done.thing], scene.objects[done.thing]
    height = done.share * shove_height(thing) + (1 - done.share) * (thing.height + ON_TOP[2])
    reach = _reach(scene, done.path[: done.begin + 1], height)
    way = np.array([*done.direction, 0.0])

    def motion(time: float) -> Moment:
        share = minimum_jerk((time - WAIT - REACH) / SHOVE)
        hand = np.array([*travelled(done.path[done.begin :], share), height]) if share else reach(time)
        ahead = (hand - foot) @ way + contact(thing) if share else 0.0
        pushed = foot + done.share * max(0.0, ahead) * way
        return Moment(hand, closing(time, WAIT, REACH, PINCHED), {f"object{done.thing}": pushed})

    return motion


def _lift(scene: Scene, done: Work, height: float) -> Motion:
    """Closes the hand on the object, lifts it and holds it up."""
    foot, thing = scene.feet[done.thing], scene.objects[done.thing]
    reach, grasped = _reach(scene, done.path, grip(thing.height)), WAIT + REACH

    def motion(time: float) -> Moment:
        raised = up(height * minimum_jerk((time - grasped - OPEN_TIME) / RAISE))
        opening = closing(time, grasped, OPEN_TIME, thing.width)
        return Moment(reach(time) + raised, opening, {f"object{done.thing}": foot + raised})

    return motion


def _reach(scene: Scene, path: np.ndarray, height: float) -> Path:
    """Waits, and goes along a path [N, 2] in an arc, to a height over the table [m]."""
    low = scene.human.rest[2]

    def hand(time: float) -> np.ndarray:
        share = minimum_jerk((time - WAIT) / REACH)
        raised = low + share * (height - low) + 4 * share * (1 - share) * ARC
        return np.array([*travelled(path, share), raised])

    return hand


def _straight_from(along: np.ndarray, entry: int, far: float) -> int:
    """Where the straight way begins that leads to index `entry`: no further off than `far`.

    along: [N] how far a hand is in the direction of the push, from the object's middle [m].
    """
    begin = entry
    while begin and along[begin] > -far and along[begin - 1] < along[begin]:
        begin -= 1
    return begin


def _on(scene: Scene, path: np.ndarray) -> np.ndarray:
    """Which objects a hand along a path [N, 2 or 3] is on: bool [N, n]."""
    reach = np.array([thing.radius + MARGIN for thing in scene.objects])
    off = np.abs(path[:, None, :2] - scene.feet[None, :, :2])
    return (off <= reach[:, None]).all(-1)


def _dense(path: np.ndarray) -> np.ndarray:
    """The same path [T, 2] in steps of `_STEP` or less: [N, 2], N from 2."""
    length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    return travelled(path, np.linspace(0, 1, int(length / _STEP) + 2))
