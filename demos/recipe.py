"""Recipes: a scene written down as a few numbers, from which it is drawn again exactly."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from daml.modules import split_name
from demos import seeds
from demos.errors import DemoError
from demos.skills import SKILLS, find_skill
from demos.tasks import TaskSet, n_goals, sample_task_set
from envs.nudge import FARTHEST
from envs.objects import ALL_SPLITS
from envs.scene import Scene

MOST = {"seed": seeds.LARGEST, "index": 2**31 - 1, "trial": 999, "nudge": len(FARTHEST) - 1}
"""Highest value of each number of a recipe besides the goal; trials are drawn one after the other."""


@dataclass(frozen=True)
class Recipe:
    """Which scene an episode started in.

    env_id: registered id of the environment, version included.  seed, split, index: of the task set, as
    `sample_task_set` takes them.  goal: its number in the set.  trial: index of the robot's scene.  nudge: how far
    objects are moved in it, as there.
    """

    env_id: str
    seed: int
    split: str
    index: int
    goal: int
    trial: int = 0
    nudge: int = 0

    def __post_init__(self) -> None:
        check_environment(self.env_id)
        for name, most in (MOST | {"goal": n_goals(self.env_id) - 1}).items():
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= most:
                raise DemoError(f"{name}: got {value!r}, allowed 0 to {most}")
        if not isinstance(self.split, str) or self.split not in ALL_SPLITS:
            raise DemoError(f"split: got {self.split!r}, allowed {list(ALL_SPLITS)}")

    def tasks(self) -> TaskSet:
        """The task set: the human's scene, and the robot's scenes up to the trial."""
        return sample_task_set(
            self.seed, self.split, self.index, env_id=self.env_id, n_trials=self.trial + 1, nudge=self.nudge
        )

    def said(self) -> dict[str, Any]:
        """As JSON holds it. A recipe without a nudge is as it was before there were any."""
        return {name: value for name, value in asdict(self).items() if name != "nudge" or value}

    def robot_scene(self) -> Scene:
        """Where the robot acts."""
        return self.tasks().robot_scenes[self.trial].with_goal(self.goal)

    def human_scene(self) -> Scene:
        """Where the human demonstrates: the same one, whatever the trial."""
        return self._shown().human_scene.with_goal(self.goal)

    def motion(self) -> np.random.Generator:
        """A fresh generator of the human's motion."""
        return self._shown().motion(self.goal)

    def _shown(self) -> TaskSet:
        # The seeds of the motions are drawn after the robot's scenes, so that their number matters.
        return sample_task_set(self.seed, self.split, self.index, env_id=self.env_id)


def check_environment(env_id: str, named_in: Path | None = None) -> None:
    """Refuses an environment that nobody demonstrates in, or only in another version. Arguments as in `find_skill`.

    Raises:
        DemoError: says which version there is.
        ModuleError: as `find_skill`.
    """
    if not isinstance(env_id, str):
        raise DemoError(f"environment: got {env_id!r}, allowed {list(SKILLS)}")
    try:
        find_skill(env_id, named_in)
    except DemoError:
        name = split_name(env_id)[1].rpartition("-v")[0]
        if others := [other for other in SKILLS if name and other.rpartition("-v")[0] == name]:
            raise DemoError(
                f"environment version: got {env_id!r}, allowed {' or '.join(others)}; record it again"
            ) from None
        raise


def digest(scene: Scene) -> str:
    """A checksum of all that a scene says, to six digits: a recipe drawn by other code gives another one.

    What is as the scene's classes have it by default is left out, so that what they learn to say later changes nothing.
    """
    return hashlib.sha256(json.dumps(_plain(scene), sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Dataclasses, sequences and numbers as JSON; whatever else it is, it is no part of the scene's numbers."""
    if is_dataclass(value):
        said = {field.name: (getattr(value, field.name), field.default) for field in fields(value)}
        return {name: _plain(now) for name, (now, default) in said.items() if default is MISSING or now != default}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str | int | None) else None
