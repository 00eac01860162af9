"""`daml/Push-v0`: push one of several objects over a line on the table, to the robot's left, and leave the others.

The observation does not say which object is the goal: that is what the human's video is for.
"""

from typing import Any

import mujoco
import numpy as np

from envs.objects import Family
from envs.robot import GRIPPING, gripper
from envs.scene import Layout, Positions, Scene, staggered
from envs.tabletop import GripperEnv, held

LINE = 0.17
"""The line lies along x at this y [m]; success needs the goal object's centre beyond it, and no other's..."""
HOLD_TIME = 0.5
"""...for this long without a break [s]."""
TIME_LIMIT = 4.0
"""Time of one episode [s]."""

AREA = ((0.37, 0.65), (-0.18, 0.02))
"""Where objects stand: x range, y range [m]."""
LANE = 0.115
"""Least distance in x between two objects [m]: the hand and the object it pushes along y pass all the others."""


def lanes(rng: np.random.Generator, n: int) -> Positions:
    """Each object in a lane of its own, in random order: x at least `LANE` apart, y anywhere."""
    along_x, (y0, y1) = AREA
    x = staggered(rng, n, *along_x, LANE)
    return tuple((float(a), float(b)) for a, b in zip(rng.permutation(x), rng.uniform(y0, y1, n), strict=True))


def _paint_line(spec: mujoco.MjSpec) -> None:
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[0.22, 0.005, 0.0005],
        pos=[0.51, LINE, 0.0],
        rgba=[0.95, 0.95, 0.95, 1],
        contype=0,
        conaffinity=0,
    )


PUSHING = Layout(
    # What rolls would not stop behind the line, and fingers slide over what is flat.
    family=Family(("cube", "brick", "can", "bottle", "cross", "tower", "mug"), radius=(0.031, 0.036)),
    most=3,
    arrange=lanes,
    movable=True,
    fingers=gripper,
    opening=(0.02, 0.06),
    # Both fingers push side by side, and what is pushed does not swerve.
    hand_yaw=np.pi / 2,
    marks=_paint_line,
    timestep=GRIPPING,
)


def is_success(y: np.ndarray, goal: int) -> bool:
    """Whether the goal object is, now, over the line, alone, and has been for `HOLD_TIME`.

    Args:
        y: [t, n] of the objects' centres after each step so far [m], one every `CONTROL_PERIOD`.
        goal: index of the goal object.
    """
    over = np.asarray(y) > LINE
    return held(over[:, goal] & (over.sum(1) == 1), HOLD_TIME)


def goal_points(scene: Scene) -> np.ndarray:
    """[1, 3] the top centre of the goal object, before it is pushed [m]."""
    return scene.tops[[scene.goal]]


class PushEnv(GripperEnv):
    """Pushing with the fingertips of a gripper among several objects.

    info: "objects" [n, 3]: present positions [m]; "item" [3]: the goal object's; "distance": from its centre to the
    line in y, 0 beyond it [m]; "nearest": the object that was pushed furthest; "goal_points" [1, 3]: as `goal_points`;
    "places" [1, 3]: the same since a nudge.
    """

    layout = PUSHING
    time_limit = TIME_LIMIT

    def _measure(self, info: dict[str, Any]) -> np.ndarray:
        return info["objects"][:, 1]

    def _is_success(self, progress: np.ndarray) -> bool:
        return is_success(progress, self.scene.goal)

    def _info(self) -> dict[str, Any]:
        objects, goal = self._centres(), self.scene.goal
        moved = np.linalg.norm(objects[:, :2] - np.array(self.standing.positions), axis=1)
        return {
            "goal_points": goal_points(self.scene),
            "places": goal_points(self.standing),
            "objects": objects,
            "item": objects[goal].copy(),
            "fingertip": self._fingertip(),
            "opening": self._opening(),
            "distance": float(max(0.0, LINE - objects[goal, 1])),
            "nearest": int(np.argmax(moved)),
        }
