"""One row for each environment: who demonstrates its task, how, and for how long.

All that works for any environment (collection, recording, evaluation) looks here and nowhere else. A task of somebody's
own comes in by `register_task`, and is called "module:id", as `gymnasium.make` takes it: whoever has that name, such as
another process or a dataset, imports the module and so finds the task.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np

from daml.modules import import_named, split_name
from demos.errors import DemoError
from demos.expert import act_expert, pick_place_expert, place_expert, push_expert, reach_expert
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
from envs.tabletop import TabletopEnv

N_OBJECTS = 3
"""Objects in a set of tasks: each is the goal of as many."""

Mirror = Literal["shown", "each", "both", "nothing"]
"""What stays a demonstration of the task in the mirror, left and right exchanged: what is shown alone; what is shown
and what is done, each by itself; the two only together, where the video tells a side; or nothing of them."""


@dataclass(frozen=True)
class Skill:
    """A task and its demonstrators.

    layout: what is on the table.  expert: info -> the robot's action.  motion: how a human does it.
    goal_points: scene -> [k, 3] what a policy should know of it [m]: first the places that the video tells.  n_points:
    k.
    video_time: length of a human's video [s].  steps: length of a robot's demonstration [control periods]: all of the
    task, and a little of its end.  disturbance: standard deviation of what is added to the expert's velocity while it
    demonstrates, in units of the action.  mirror: what may be mirrored.  stages: of the task in their order, by their
    names in info.  held_out: (shape, aim) -> whether that pair is held out of a meta-training on seen pairs: of each
    shape of the layout some aims, not all, and what may be mirrored as its mirror image is; None where there are none.
    """

    layout: Layout
    expert: Callable[[dict[str, Any]], np.ndarray]
    motion: Callable[[Scene, np.random.Generator], Motion]
    goal_points: Callable[[Scene], np.ndarray]
    n_points: int
    video_time: float
    steps: int
    disturbance: float
    mirror: Mirror
    stages: tuple[str, ...] = ()
    held_out: Callable[[str, int], bool] | None = None

    @property
    def n_told(self) -> int:
        """How many of the goal points the video tells: where the object is, and the container, if there are several."""
        return 2 if self.layout.containers else 1


SKILLS = {
    "daml/Reach-v0": Skill(
        reaching.REACHING, reach_expert, reach_motion, reaching.goal_points, 1, 2.5, 24, 0.35, "each"
    ),
    "daml/Push-v0": Skill(pushing.PUSHING, push_expert, push_motion, pushing.goal_points, 1, 3.0, 36, 0.35, "shown"),
    "daml/Place-v0": Skill(placing.PLACING, place_expert, place_motion, placing.goal_points, 1, 3.0, 32, 0.35, "each"),
    "daml/PickPlace-v0": Skill(
        pick_place.PICKING,
        pick_place_expert,
        pick_place_motion,
        pick_place.goal_points,
        2,
        4.0,
        52,
        0.15,
        "shown",
        pick_place.STAGES,
    ),
    "daml/Act-v0": Skill(
        acting.ACTING,
        act_expert,
        act_motion,
        acting.goal_points,
        1,
        3.25,
        32,
        0.15,
        "both",
        acting.STAGES,
        acting.is_held_out,
    ),
    "daml/Sort-v0": Skill(
        sorting.SORTING,
        pick_place_expert,
        sort_motion,
        sorting.goal_points,
        2,
        SORT_TIME,
        52,
        0.15,
        "each",
        sorting.STAGES,
    ),
}
"""Registered id, without a module -> skill."""


def register_task(env_id: str, environment: type[TabletopEnv], skill: Skill) -> None:
    """Makes a task of one's own known to Gymnasium and to all that works for any environment.

    Args:
        env_id: its id, NAME-vNUMBER; before it may come a namespace and a slash.
        environment: its class.
        skill: who demonstrates it, and how.

    Raises:
        DemoError: the id is no such id or another task's, environment and skill have not one layout, or it has no room
            for the objects of a set.
    """
    entry = f"{environment.__module__}:{environment.__qualname__}"
    if not re.fullmatch(r"([\w-]+/)?[\w.-]+-v\d+", env_id):
        raise DemoError(f"id of {entry}: got {env_id!r}, allowed NAME-vNUMBER, or NAMESPACE/NAME-vNUMBER")
    if environment.layout != skill.layout:
        raise DemoError(f"layout of the skill of {env_id}: got another one, allowed {environment.__name__}.layout")
    if skill.layout.most < N_OBJECTS:
        raise DemoError(
            f"objects of {env_id}: got {skill.layout.most} at most, allowed {N_OBJECTS} or more, as in a set"
        )
    there = gymnasium.registry.get(env_id)
    if there is not None:
        if (there.entry_point, SKILLS.get(env_id)) != (entry, skill):
            raise DemoError(f"id of {entry}: got {env_id!r}, which is that of {there.entry_point}, allowed another one")
        return
    gymnasium.register(id=env_id, entry_point=entry)
    SKILLS[env_id] = skill


def find_skill(env_id: str, named_in: Path | None = None) -> Skill:
    """The skill of an environment.

    Args:
        env_id: registered id, or "module:id", whose module registers it.
        named_in: the folder of the file that names it; None when no file does.

    Raises:
        DemoError: there is none.
        ModuleError: as `daml.modules.import_named`.
    """
    module, name = split_name(env_id)
    if module:
        import_named(module, named_in)
    if name not in SKILLS:
        raise DemoError(f"environment: got {env_id!r}, allowed {list(SKILLS)}, or MODULE:ID of a task of your own")
    return SKILLS[name]


def id_of(env: gymnasium.Env) -> str:
    """The registered id, without a module, of an environment that `gymnasium.make` has made.

    Raises:
        DemoError: it was made otherwise.
    """
    spec = env.unwrapped.spec
    if spec is None:
        raise DemoError(f"environment: got a {type(env.unwrapped).__name__} of its own, allowed one of gymnasium.make")
    return spec.id


def short_name(env_id: str) -> str:
    """An id without module, namespace and version: "Reach"."""
    return split_name(env_id)[1].rpartition("/")[2].rpartition("-v")[0]
