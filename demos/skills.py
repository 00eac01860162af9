"""One row for each environment: who demonstrates its task, how, and for how long.

All that works for any environment (collection, recording, evaluation) looks here and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from demos.errors import DemoError
from demos.expert import act_expert, pick_place_expert, place_expert, push_expert, reach_expert, sort_expert
from demos.motions import (
    SORT_TIME,
    Motion,
    act_motion,
    pick_place_motion,
    place_motion,
    push_motion,
    reach_motion,
    sort_motion,
)
from envs import acting, pick_place, placing, pushing, reaching, sorting
from envs.scene import Layout, Scene


@dataclass(frozen=True)
class Skill:
    """A task and its demonstrators.

    layout: what is on the table.  expert: info -> the robot's action.  motion: how a human does it.
    goal_points: scene -> [k, 3] what a policy should know of it [m]: first the places that the video tells.  n_points:
    k.
    video_time: length of a human's video [s].  steps: length of a robot's demonstration [control periods]: all of the
    task, and a little of its end.  disturbance: standard deviation of what is added to the expert's velocity while it
    demonstrates, in units of the action.  stages: of the task in their order, by their names in info.
    """

    layout: Layout
    expert: Callable[[dict[str, Any]], np.ndarray]
    motion: Callable[[Scene, np.random.Generator], Motion]
    goal_points: Callable[[Scene], np.ndarray]
    n_points: int
    video_time: float
    steps: int
    disturbance: float
    stages: tuple[str, ...] = ()

    @property
    def n_told(self) -> int:
        """How many of the goal points the video tells: where the object is, and the container, if there are several."""
        return 2 if self.layout.containers else 1


SKILLS = {
    "daml/Reach-v0": Skill(reaching.REACHING, reach_expert, reach_motion, reaching.goal_points, 1, 2.5, 24, 0.35),
    "daml/Push-v0": Skill(pushing.PUSHING, push_expert, push_motion, pushing.goal_points, 1, 3.0, 36, 0.35),
    "daml/Place-v0": Skill(placing.PLACING, place_expert, place_motion, placing.goal_points, 1, 3.0, 32, 0.35),
    "daml/PickPlace-v0": Skill(
        pick_place.PICKING,
        pick_place_expert,
        pick_place_motion,
        pick_place.goal_points,
        2,
        4.0,
        52,
        0.15,
        pick_place.STAGES,
    ),
    "daml/Act-v0": Skill(acting.ACTING, act_expert, act_motion, acting.goal_points, 1, 3.25, 32, 0.15, acting.STAGES),
    "daml/Sort-v0": Skill(
        sorting.SORTING,
        sort_expert,
        sort_motion,
        sorting.goal_points,
        2,
        SORT_TIME,
        52,
        0.15,
        sorting.STAGES,
    ),
}


def find_skill(env_id: str) -> Skill:
    """The skill of a registered environment.

    Raises:
        DemoError: there is none.
    """
    if env_id not in SKILLS:
        raise DemoError(f"environment: got {env_id!r}, allowed {list(SKILLS)}")
    return SKILLS[env_id]


def skill_of(scene: Scene) -> Skill:
    """The skill of a scene's task."""
    return next(skill for skill in SKILLS.values() if skill.layout == scene.layout)
