"""`daml/Act-v0`: do one of several things to one of several objects, and leave the others where they are.

The observation says neither what is to be done nor to which object: that is what the human's video is for. Left, right
and away are as the human and the camera see it: they look along -x, so that right is +y.
"""

from typing import Any

import numpy as np

from envs.human import grasping_hand
from envs.objects import ITEMS
from envs.robot import GRIPPING, gripper
from envs.scene import Aims, Layout, Positions, Scene, staggered
from envs.tabletop import GripperEnv, held

DIRECTIONS: dict[str, tuple[float, float]] = {
    "push-left": (0.0, -1.0),
    "push-right": (0.0, 1.0),
    "push-away": (-1.0, 0.0),
}
"""Pushes -> which way the object goes, along x and y."""
VERBS = ("touch", *DIRECTIONS, "lift")
"""What can be done to an object."""
NOTHING = -1
"""In the place of a verb or of a goal's number, where none was done."""
HELD_OUT: dict[str, tuple[str, ...]] = {
    "cube": ("push-left", "push-right"),
    "brick": ("push-away",),
    "can": ("lift",),
    "mug": ("touch",),
}
"""Shape -> verbs that a meta-training on seen pairs never sees with it.

Augmentation makes no pair of another: left and right, which are each other in the mirror, go together, and a pair says
nothing of colours."""

STILL_DISTANCE = 0.02
"""An object has not been moved when it is less than this far from where it stood [m]."""
TOUCH_DISTANCE = 0.04
"""An object is touched when it has not been moved and the fingertips are this near to the middle of its top [m]."""
TOUCH_DEPTH = 0.01
"""Fingertips that touch an object are no deeper below its top than this [m]: around it they are about to grasp it."""
PUSH_DISTANCE = 0.07
"""An object is pushed when it stands on the table this far in one of the `DIRECTIONS` [m]."""
PUSH_SLOPE = 0.5
"""An object that is pushed stands no further to the side than this times as far."""
LIFT_HEIGHT = 0.05
"""An object is lifted when both fingers touch it and it is this far above where it stood [m]."""
HOLD_TIME = 0.5
"""Success needs all that for this long without a break [s]."""
STAGES = ("reached", "done")
"""Of the task, in their order, as in info."""
REACH_DISTANCE = 0.10
"""An object is reached when the fingertips are this near to its middle [m]."""
TIME_LIMIT = 4.0
"""Time of one episode [s]."""

AREA = ((0.39, 0.65), (-0.16, 0.16))
"""Where objects stand: x range, y range [m]."""
LANES = (0.115, 0.10)
"""Least distances between two objects along x and along y [m]: each can be pushed either way past all the others."""
START_AREA = ((0.30, 0.36), (-0.10, 0.10), (0.20, 0.30))
"""Where the fingertips start: x, y, z range [m]."""


def apart(rng: np.random.Generator, n: int) -> Positions:
    """Each object in a row and in a column of its own: `LANES` apart along both axes."""
    x, y = (rng.permutation(staggered(rng, n, *ends, gap)) for ends, gap in zip(AREA, LANES, strict=True))
    return tuple((float(a), float(b)) for a, b in zip(x, y, strict=True))


ACTING = Layout(
    family=ITEMS,
    most=3,
    arrange=apart,
    turn=0.25,  # the hand does not turn: objects stand nearly square to it
    movable=True,
    start_area=START_AREA,
    fingers=gripper,
    opening=(0.0, 0.02),
    human_hand=grasping_hand,
    timestep=GRIPPING,
    aims=Aims("verb", VERBS),
)


def is_held_out(shape: str, verb: int) -> bool:
    """Whether a pair of a shape, of `HELD_OUT`, and a verb, an index of `VERBS`, is held out."""
    return VERBS[verb] in HELD_OUT[shape]


def verb_done(moved: np.ndarray, tip: np.ndarray, fingers: int) -> int:
    """What was done to an object: index of `VERBS`, or `NOTHING`.

    Args:
        moved: [3] how far it is from where it stood [m].
        tip: [3] the fingertips, from the middle of its top [m].
        fingers: how many touch it.
    """
    if np.linalg.norm(moved) < STILL_DISTANCE:
        touched = np.linalg.norm(tip) <= TOUCH_DISTANCE and tip[2] >= -TOUCH_DEPTH
        return VERBS.index("touch") if touched else NOTHING
    if fingers == 2 and moved[2] >= LIFT_HEIGHT:
        return VERBS.index("lift")
    for name, direction in DIRECTIONS.items():
        along, across = moved[:2] @ direction, abs(moved[0] * direction[1] - moved[1] * direction[0])
        if abs(moved[2]) < STILL_DISTANCE and along >= PUSH_DISTANCE and across <= PUSH_SLOPE * along:
            return VERBS.index(name)
    return NOTHING


def is_reached(from_top: np.ndarray, from_underside: np.ndarray) -> bool:
    """Whether the fingertips are at an object's middle: [3] from that of its top and from that of its underside [m]."""
    return bool(np.linalg.norm(from_top + from_underside) / 2 <= REACH_DISTANCE)


def acted_upon(moved: np.ndarray, tips: np.ndarray) -> int:
    """Index of the object that was moved furthest, or, when all stand where they were, of the nearest one.

    Args:
        moved: [n, 3] how far objects are from where they stood [m].
        tips: [n, 3] the fingertips, from the middles of their tops [m].
    """
    far = np.linalg.norm(moved, axis=1)
    return int(np.argmax(far) if far.max() >= STILL_DISTANCE else np.argmin(np.linalg.norm(tips, axis=1)))


def alone(moved: np.ndarray, thing: int) -> bool:
    """Whether all objects but one are where they stood: `moved` [n, 3] [m], index of the one."""
    return bool((np.delete(np.linalg.norm(moved, axis=1), thing) < STILL_DISTANCE).all())


def left_to_do(moved: np.ndarray, tip: np.ndarray, verb: int) -> float:
    """How far an object, or the fingertips for a touch, is from where the verb wants it [m]: see `verb_done`."""
    name = VERBS[verb]
    if name == "touch":
        return float(np.linalg.norm(tip))
    if name == "lift":
        return max(0.0, LIFT_HEIGHT - float(moved[2]))
    return max(0.0, PUSH_DISTANCE - float(moved[:2] @ DIRECTIONS[name]))


def is_success(done: np.ndarray, goal: int) -> bool:
    """Whether a goal is done, now, and has been for `HOLD_TIME`.

    Args:
        done: int [t], number of the goal that was done after each step so far, or `NOTHING`.
        goal: the number that was to be done.
    """
    return held(np.asarray(done) == goal, HOLD_TIME)


def goal_points(scene: Scene) -> np.ndarray:
    """[1, 3] the top centre of the goal object, at first [m]."""
    return scene.tops[[scene.goal]]


class ActEnv(GripperEnv):
    """Touching, pushing or lifting one of several objects with a gripper.

    Objects have moved by how far they are from where they stood at first, or, once they were nudged, from there.

    info: "goal_points" [1, 3]: as `goal_points`; "places" [1, 3]: the same since a nudge; "asked": index of the verb
    that is to be done; "objects" [n, 3]: the middles of their undersides [m]; "item" [3]: the goal object's;
    "fingers": how many touch that; "distance": what is left to do [m].  What was done, as it is now: "nearest": the
    object that was acted upon; "verb": what was done to it, or `NOTHING`; "goal_done": the number of the goal that
    was done, the other objects left alone, or `NOTHING`; "reached", "done": the stages.
    """

    layout = ACTING
    time_limit = TIME_LIMIT

    def _measure(self, info: dict[str, Any]) -> int:
        return info["goal_done"]

    def _is_success(self, progress: np.ndarray) -> bool:
        return is_success(progress, self._asked())

    def _asked(self) -> int:
        """The number of the goal."""
        return self.layout.goal_number(self.scene.goal, self.scene.aim)

    def _info(self) -> dict[str, Any]:
        feet, fingertip, scene = self._centres(), self._fingertip(), self.scene
        moved = feet - self.standing.feet
        tips = fingertip - self._tops(feet)
        thing = acted_upon(moved, tips)
        verb = verb_done(moved[thing], tips[thing], self._touching(self._bodies[thing]))
        goal_done = self.layout.goal_number(thing, verb) if verb != NOTHING and alone(moved, thing) else NOTHING
        goal, item = scene.goal, feet[scene.goal]
        return {
            "goal_points": goal_points(scene),
            "places": goal_points(self.standing),
            "asked": scene.aim,
            "objects": feet,
            "item": item.copy(),
            "fingertip": fingertip,
            "opening": self._opening(),
            "fingers": self._touching(self._bodies[goal]),
            "nearest": thing,
            "verb": verb,
            "goal_done": goal_done,
            "reached": is_reached(tips[goal], fingertip - item),
            "done": goal_done == self._asked(),
            "distance": left_to_do(moved[goal], tips[goal], scene.aim),
        }

    def _tops(self, feet: np.ndarray) -> np.ndarray:
        """[n, 3] the middles of the objects' tops, wherever they are, from those of their undersides [m]."""
        up = self._data.xmat[self._bodies][:, [2, 5, 8]]
        return feet + up * np.array([[thing.height] for thing in self.scene.objects])
