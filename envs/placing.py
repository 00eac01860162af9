"""`daml/Place-v0`: put the item in the gripper into one of several containers.

The observation does not say which container is the goal: that is what the human's video is for.
"""

from typing import Any

import mujoco
import numpy as np

from envs.human import grasping_hand
from envs.objects import ITEMS, OPEN_CONTAINERS
from envs.robot import FINGERTIP, GRIPPING, N_JOINTS, gripper
from envs.scene import Layout, Positions, Scene, spread
from envs.tabletop import GripperEnv, held

SUCCESS_DISTANCE = 0.05
"""Success needs the item this near to the middle of the goal container, horizontally [m], out of the hand..."""
HOLD_TIME = 0.5
"""...for this long without a break [s]: whatever is not held up has come to rest by then."""
TIME_LIMIT = 4.0
"""Time of one episode [s]."""

AREA = ((0.42, 0.62), (-0.22, 0.22))
"""Where containers stand: x range, y range [m]."""
SPACING = 0.16
"""Least distance between the middles of two containers [m]."""

_SETTLE_TIME = 0.3  # [s], in which the fingers take hold of the item before an episode starts


def apart(rng: np.random.Generator, n: int) -> Positions:
    """Containers anywhere in `AREA`, `SPACING` apart."""
    return spread(rng, n, AREA, SPACING)


PLACING = Layout(
    family=OPEN_CONTAINERS,
    most=3,
    arrange=apart,
    fingers=gripper,
    human_hand=grasping_hand,
    extra=ITEMS,
    timestep=GRIPPING,
)


def grip_height(height: float) -> float:
    """How far above its underside an item of a height is held by the fingertips [m].

    As low as the table allows, unless the item would then touch the palm.
    """
    return max(0.010, height - 0.044)


def offsets(item: np.ndarray, containers: np.ndarray) -> np.ndarray:
    """[n] horizontal distance from an item [3] to each container [n, 3] [m]."""
    return np.linalg.norm(containers[:, :2] - item[:2], axis=1)


def is_placed(distance: float, fingers: int) -> bool:
    """Whether an item is in a container at this horizontal distance [m] and this many fingers touch it: none may."""
    return distance <= SUCCESS_DISTANCE and fingers == 0


def is_success(placed: np.ndarray) -> bool:
    """Whether the item is placed, now, and has been for `HOLD_TIME`: `placed` bool [t], after each step so far."""
    return held(np.asarray(placed), HOLD_TIME)


def goal_points(scene: Scene) -> np.ndarray:
    """[1, 3] the middle of the goal container at the height of its rim [m]."""
    return scene.tops[[scene.goal]]


class PlaceEnv(GripperEnv):
    """Placing an item that the gripper holds at the start into one of several containers, which stand still unless
    they are nudged.

    info: "objects" [n, 3]: middles of the containers at the height of their rims; "item" [3]: the item's middle [m];
    "width", "height": the item's [m]; "fingers": how many touch it; "distance": horizontally, from the item to the goal
    container [m]; "nearest": the container nearest to the item; "goal_points", "places" [1, 3]: the goal container, at
    first and now.
    """

    layout = PLACING
    time_limit = TIME_LIMIT

    def _begin(self) -> None:
        super()._begin()
        item = self.scene.extra
        assert item is not None
        self._item = self._model.body("extra").id
        # The hand points down not quite exactly: the item is turned with it, or the fingers would squeeze it out.
        tip = self._data.site(FINGERTIP)
        upright = tip.xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
        pose = self._data.joint(self._model.body("extra").jntadr[0]).qpos
        pose[:3] = tip.xpos - upright @ [0, 0, grip_height(item.height)]
        mujoco.mju_mat2Quat(pose[3:], upright.ravel())
        # Not touching yet: a contact that begins at rest is a gentle one.
        self._data.qpos[self._fingers] = item.width / 2 + 0.001
        self._data.ctrl[N_JOINTS:] = 0.0
        self._simulate(_SETTLE_TIME)

    def _measure(self, info: dict[str, Any]) -> bool:
        return is_placed(info["distance"], info["fingers"])

    def _is_success(self, progress: np.ndarray) -> bool:
        return is_success(progress)

    def _info(self) -> dict[str, Any]:
        thing, containers = self.scene.extra, self.standing.tops
        assert thing is not None
        item = self._data.body("extra").xpos + self._data.body("extra").xmat[[2, 5, 8]] * thing.height / 2
        distances = offsets(item, containers)
        return {
            "goal_points": goal_points(self.scene),
            "places": goal_points(self.standing),
            "objects": containers,
            "item": item,
            "width": thing.width,
            "height": thing.height,
            "fingertip": self._fingertip(),
            "opening": self._opening(),
            "fingers": self._touching(self._item),
            "distance": float(distances[self.scene.goal]),
            "nearest": int(np.argmin(distances)),
        }
