"""`daml/PickPlace-v0`: take one of several items and put it into the container.

The observation does not say which item is the goal: that is what the human's video is for.
"""

from typing import Any

import numpy as np

from envs.human import grasping_hand
from envs.objects import ITEMS, OPEN_CONTAINERS
from envs.placing import is_placed, is_success
from envs.robot import GRIPPING, gripper
from envs.scene import Layout, Positions, Scene, spread
from envs.tabletop import GripperEnv

REACH_DISTANCE = 0.04
"""An item is reached when the fingertips are this near to its middle [m]."""
LIFT_HEIGHT = 0.03
"""An item is lifted when its underside is this far above the table [m]."""
STAGES = ("reached", "grasped", "lifted", "placed")
"""Of the task, in their order, as in info."""
TIME_LIMIT = 6.0
"""Time of one episode [s]."""

AREA = ((0.40, 0.62), (-0.23, 0.04))
"""Where items stand: x range, y range [m]."""
SPACING = 0.12
"""Least distance between the middles of two items [m]: the open fingers fit between any two."""
CONTAINER_AREA = ((0.44, 0.58), (0.17, 0.23))
"""Where the container stands, to the robot's left: x range, y range [m]."""
START_AREA = ((0.30, 0.36), (-0.18, 0.02), (0.20, 0.30))
"""Where the fingertips start: x, y, z range [m]; never over the container."""


def apart(rng: np.random.Generator, n: int) -> Positions:
    """Items anywhere in `AREA`, `SPACING` apart."""
    return spread(rng, n, AREA, SPACING)


PICKING = Layout(
    family=ITEMS,
    most=3,
    arrange=apart,
    turn=0.25,  # the hand does not turn: items stand nearly square to it
    movable=True,
    start_area=START_AREA,
    fingers=gripper,
    opening=(0.06, 0.08),
    human_hand=grasping_hand,
    extra=OPEN_CONTAINERS,
    extra_area=CONTAINER_AREA,
    timestep=GRIPPING,
)


def is_reached(fingertip: np.ndarray, item: np.ndarray) -> bool:
    """Whether the fingertips [3] are at an item's middle [3] [m]."""
    return bool(np.linalg.norm(fingertip - item) <= REACH_DISTANCE)


def is_grasped(fingers: int) -> bool:
    """Whether an item that so many fingers touch is between them."""
    return fingers == 2


def is_lifted(underside: float, fingers: int) -> bool:
    """Whether an item is in the gripper and its underside is above the table [m]."""
    return is_grasped(fingers) and underside >= LIFT_HEIGHT


def goal_points(scene: Scene) -> np.ndarray:
    """[2, 3] the top centre of the goal item at first, and the middle of the container at the height of its rim [m]."""
    assert scene.extra is not None
    return np.stack([scene.tops[scene.goal], (*scene.extra_position, scene.extra.height)])


class PickPlaceEnv(GripperEnv):
    """Grasping one of several items and putting it into the container, which stands still.

    info: "objects" [n, 3]: middles of the items [m]; "item" [3]: of the goal item; "width", "height": its own [m];
    "fingers": how many touch it; "reached", "grasped", "lifted", "placed": the stages, as they are now; "distance":
    horizontally, from the goal item to the container [m]; "nearest": the item that the robot moved furthest;
    "goal_points" [2, 3]: top centre of the goal item and middle of the container at the height of its rim, at first;
    "places" [2, 3]: the same since a nudge.
    """

    layout = PICKING
    time_limit = TIME_LIMIT

    def _measure(self, info: dict[str, Any]) -> bool:
        return info["placed"]

    def _is_success(self, progress: np.ndarray) -> bool:
        return is_success(progress)

    def _info(self) -> dict[str, Any]:
        scene, points = self.standing, goal_points(self.scene)
        feet = self._centres()
        up = self._data.xmat[self._bodies][:, [2, 5, 8]]
        items = feet + up * np.array([[thing.height / 2] for thing in scene.objects])
        moved = np.linalg.norm(feet[:, :2] - np.array(scene.positions), axis=1)
        goal = scene.objects[scene.goal]
        item, fingertip = items[scene.goal], self._fingertip()
        fingers = self._touching(self._bodies[scene.goal])
        distance = float(np.linalg.norm(item[:2] - points[1, :2]))
        return {
            "goal_points": points,
            "places": goal_points(scene),
            "objects": items,
            "item": item.copy(),
            "width": goal.width,
            "height": goal.height,
            "fingertip": fingertip,
            "opening": self._opening(),
            "fingers": fingers,
            "reached": is_reached(fingertip, item),
            "grasped": is_grasped(fingers),
            "lifted": is_lifted(float(feet[scene.goal, 2]), fingers),
            "placed": is_placed(distance, fingers),
            "distance": distance,
            "nearest": int(np.argmax(moved)),
        }
