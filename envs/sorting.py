"""`daml/Sort-v0`: take one of several items and put it into one of several containers.

The observation says neither which item nor which container: that is what the human's video is for. Its first half tells
the item, which is taken; its second half tells the container, over which the hand opens.
"""

from typing import Any

import numpy as np

from envs.acting import NOTHING, acted_upon, alone, is_success
from envs.human import grasping_hand
from envs.objects import ITEMS, OPEN_CONTAINERS
from envs.pick_place import STAGES as STAGES
from envs.pick_place import is_grasped, is_lifted, is_reached
from envs.placing import is_placed, offsets
from envs.robot import GRIPPING, gripper
from envs.scene import Aims, Layout, Positions, Scene, spread
from envs.tabletop import GripperEnv

TIME_LIMIT = 6.0
"""Time of one episode [s]."""

ITEM_AREA = ((0.61, 0.67), (-0.21, 0.21))
"""Where items stand, on the human's side: x range, y range [m]."""
ITEM_SPACING = 0.12
"""Least distance between the middles of two items [m]: the open fingers fit between any two."""
CONTAINER_AREA = ((0.43, 0.48), (-0.22, 0.22))
"""Where containers stand, on the robot's side: x range, y range [m]."""
CONTAINER_SPACING = 0.16
"""Least distance between the middles of two containers [m]."""
START_AREA = ((0.30, 0.36), (-0.18, 0.18), (0.20, 0.30))
"""Where the fingertips start: x, y, z range [m]."""


def items_apart(rng: np.random.Generator, n: int) -> Positions:
    """Items anywhere in `ITEM_AREA`, `ITEM_SPACING` apart."""
    return spread(rng, n, ITEM_AREA, ITEM_SPACING)


def containers_apart(rng: np.random.Generator, n: int) -> Positions:
    """Containers anywhere in `CONTAINER_AREA`, `CONTAINER_SPACING` apart: none has a place of its own."""
    return spread(rng, n, CONTAINER_AREA, CONTAINER_SPACING)


SORTING = Layout(
    family=ITEMS,
    most=3,
    arrange=items_apart,
    turn=0.25,  # the hand does not turn: items stand nearly square to it
    movable=True,
    start_area=START_AREA,
    fingers=gripper,
    opening=(0.0, 0.02),
    human_hand=grasping_hand,
    containers=OPEN_CONTAINERS,
    arrange_containers=containers_apart,
    timestep=GRIPPING,
    aims=Aims("container", ("first", "second", "third")),
)


def container_of(item: np.ndarray, containers: np.ndarray, fingers: int) -> int:
    """Which container an item is in: an index, or `NOTHING`.

    Args:
        item: [3] its middle [m].
        containers: [n, 3] theirs [m].
        fingers: how many touch it.
    """
    distances = offsets(item, containers)
    nearest = int(np.argmin(distances))
    return nearest if is_placed(float(distances[nearest]), fingers) else NOTHING


def goal_points(scene: Scene) -> np.ndarray:
    """[2, 3] the top centre of the goal item at first, and the middle of its container at the height of the rim [m]."""
    return np.stack([scene.tops[scene.goal], scene.rims[scene.aim]])


class SortEnv(GripperEnv):
    """Grasping one of several items and putting it into one of several containers, which stand still.

    Items have moved by how far they are from where they stood at first, or, once they were nudged, from there.

    info: "goal_points" [2, 3]: as `goal_points`; "places" [2, 3]: the same since a nudge; "asked": index of the
    container that the item belongs in; "objects" [n, 3]: middles of the items; "containers" [3, 3]: those of the
    containers at the height of their rims; "item" [3]: of the goal item [m]; "width", "height": its own [m];
    "fingers": how many touch it; "distance": horizontally, from it to its container [m]; "reached", "grasped",
    "lifted", "placed": the stages, as they are now.  What was done, as it is now: "nearest": the item that was acted
    upon; "container": index of the one that this item is in, or `NOTHING`; "goal_done": the number of the goal that
    was done, the other items left alone, or `NOTHING`.
    """

    layout = SORTING
    time_limit = TIME_LIMIT

    def _measure(self, info: dict[str, Any]) -> int:
        return info["goal_done"]

    def _is_success(self, progress: np.ndarray) -> bool:
        return is_success(progress, self.layout.goal_number(self.scene.goal, self.scene.aim))

    def _info(self) -> dict[str, Any]:
        scene, feet, fingertip, containers = self.scene, self._centres(), self._fingertip(), self.scene.rims
        half = self._data.xmat[self._bodies][:, [2, 5, 8]] * [[thing.height / 2] for thing in scene.objects]
        items, moved = feet + half, feet - self.standing.feet
        thing = acted_upon(moved, fingertip - items - half)
        container = container_of(items[thing], containers, self._touching(self._bodies[thing]))
        done = container != NOTHING and alone(moved, thing)
        goal, item, fingers = scene.goal, items[scene.goal], self._touching(self._bodies[scene.goal])
        distance = float(offsets(item, containers)[scene.aim])
        return {
            "goal_points": goal_points(scene),
            "places": goal_points(self.standing),
            "asked": scene.aim,
            "objects": items,
            "containers": containers,
            "item": item.copy(),
            "width": scene.objects[goal].width,
            "height": scene.objects[goal].height,
            "fingertip": fingertip,
            "opening": self._opening(),
            "fingers": fingers,
            "reached": is_reached(fingertip, item),
            "grasped": is_grasped(fingers),
            "lifted": is_lifted(float(feet[goal, 2]), fingers),
            "placed": is_placed(distance, fingers),
            "distance": distance,
            "nearest": thing,
            "container": container,
            "goal_done": self.layout.goal_number(thing, container) if done else NOTHING,
        }
