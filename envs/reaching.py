"""`daml/Reach-v0`: bring the fingertips to one of several objects on a table and hold them there.

The observation does not say which object is the goal: that is what the human's video is for.
"""

from typing import Any

import numpy as np

from envs.scene import REACHING, Scene
from envs.tabletop import CONTROL_PERIOD, MAX_SPEED, WORKSPACE, TabletopEnv, held

__all__ = ["CONTROL_PERIOD", "MAX_SPEED", "WORKSPACE", "ReachEnv", "is_success", "nearest_object"]

SUCCESS_DISTANCE = 0.05
"""Success needs the fingertip this near to the top centre of the goal object [m]..."""
HOLD_TIME = 0.5
"""...for this long without a break [s]."""
TIME_LIMIT = 3.0
"""Time of one episode [s]."""


def is_success(distances: np.ndarray) -> bool:
    """Whether the fingertip is, now, at the goal and has been for `HOLD_TIME`.

    Args:
        distances: [t] fingertip to goal after each step so far [m], one every `CONTROL_PERIOD`.
    """
    return held(np.asarray(distances) <= SUCCESS_DISTANCE, HOLD_TIME)


def nearest_object(fingertip: np.ndarray, tops: np.ndarray) -> int:
    """Index of the object whose top is nearest to the fingertip: `fingertip` [3], `tops` [n, 3] [m]."""
    return int(np.argmin(np.linalg.norm(tops - fingertip, axis=-1)))


def goal_points(scene: Scene) -> np.ndarray:
    """[1, 3] the top centre of the goal object [m]."""
    return scene.tops[[scene.goal]]


class ReachEnv(TabletopEnv):
    """Reaching with a 7-joint arm among several objects, which stand still unless they are nudged.

    info: "goal" [3] and "objects" [n, 3] (tops) [m]; "distance": fingertip to goal; "nearest": the object nearest to
    the fingertip; "goal_points", "places" [1, 3]: the goal, at first and now.
    """

    layout = REACHING
    time_limit = TIME_LIMIT

    def _measure(self, info: dict[str, Any]) -> float:
        return info["distance"]

    def _is_success(self, progress: np.ndarray) -> bool:
        return is_success(progress)

    def _info(self) -> dict[str, Any]:
        fingertip, tops = self._fingertip(), self.standing.tops
        goal = tops[self.scene.goal]
        return {
            "goal": goal.copy(),
            "goal_points": goal_points(self.scene),
            "places": goal_points(self.standing),
            "objects": tops,
            "fingertip": fingertip,
            "distance": float(np.linalg.norm(fingertip - goal)),
            "nearest": nearest_object(fingertip, tops),
        }
