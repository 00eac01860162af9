"""Tasks: what to do to which object, shown by a human in one scene and done by the robot in another.

Object *sets* make the video necessary: every object of a set is the goal of one task, or of one for each aim, and the
tasks of a set share the human's scene and the robot's scene, so nothing but the human's motion tells them apart.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daml.errors import ModuleError
from daml.files import write_json
from demos.errors import DemoError
from demos.skills import N_OBJECTS as N_OBJECTS
from demos.skills import find_skill
from envs.appearance import Dials
from envs.objects import ALL_SPLITS
from envs.scene import Scene, sample_scene


def n_goals(env_id: str) -> int:
    """Tasks of a set: each of its objects is a goal, once for each aim where there are several.

    Raises:
        DemoError: nobody demonstrates in that environment.
    """
    return N_OBJECTS * find_skill(env_id).layout.n_aims


def task_of(env_id: str, number: int) -> tuple[int, int]:
    """(index of the set, number of the goal) of a task, counted set by set.

    In a set its objects take turns, each with another aim: any few tasks are of all objects and of several aims.
    """
    layout = find_skill(env_id).layout
    index, turn = divmod(number, n_goals(env_id))
    block, thing = divmod(turn, N_OBJECTS)
    return index, layout.goal_number(thing, (thing + block) % layout.n_aims)


@dataclass(frozen=True)
class TaskSet:
    """The tasks over one set of objects: task g is "do this to object g", or, where there are aims, a goal of two
    parts, in the order of `Layout.goal_parts`.

    human_scene: where the human demonstrates.  robot_scenes: where the robot then acts, one for each trial.
    motion_seeds: one for each goal, of the human's motion.
    """

    human_scene: Scene
    robot_scenes: tuple[Scene, ...]
    motion_seeds: tuple[int, ...]

    def motion(self, goal: int) -> np.random.Generator:
        """A fresh generator for the human's motion towards `goal`."""
        return np.random.default_rng(self.motion_seeds[goal])


def sample_task_set(
    seed: int,
    split: str,
    index: int,
    *,
    env_id: str = "daml/Reach-v0",
    n_trials: int = 1,
    dials: Dials | None = None,
    distractors: int = 0,
    nudge: int = 0,
) -> TaskSet:
    """Task set number `index` of a split under a seed: the same on every machine and in every order.

    Args:
        seed: root of all randomness.
        split: which objects.
        index: of the set.
        env_id: registered environment: what is done.
        n_trials: robot scenes.
        dials: how far the look may vary.
        distractors: objects besides the `N_OBJECTS`, which are the goal of no task.
        nudge: level of `envs.nudge.FARTHEST`: how far objects are moved while the robot is on its way.

    Raises:
        DemoError: nobody demonstrates in that environment.
    """
    layout = find_skill(env_id).layout
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(ALL_SPLITS.index(split), index)))
    human = sample_scene(rng, split, layout=layout, n_objects=N_OBJECTS + distractors, dials=dials)
    robot = tuple(
        sample_scene(rng, split, layout=layout, like=human, dials=dials, nudge=nudge) for _ in range(n_trials)
    )
    seeds = rng.integers(2**31, size=n_goals(env_id))
    return TaskSet(human, robot, tuple(int(s) for s in seeds))


def write_clip_tasks(clip: Path, *, env_id: str, seed: int, split: str, index: int, goal: int) -> None:
    """Writes beside a video of a human which task it shows, so that a robot can be put among the same objects."""
    said = {"env": env_id, "seed": seed, "split": split, "set": index, "goal": goal}
    write_json(clip.with_suffix(".json"), said, indent=None)


def read_clip_tasks(clip: Path) -> tuple[TaskSet, int] | None:
    """The task set and the goal of a video of `write_clip_tasks`; None when nothing is beside it.

    Raises:
        DemoError: what is beside it says something else.
        ModuleError: as `find_skill`.
    """
    beside = clip.with_suffix(".json")
    if not beside.exists():
        return None
    try:
        said = json.loads(beside.read_text())
        env_id, split = str(said["env"]), str(said["split"])
        seed, index, goal = int(said["seed"]), int(said["set"]), int(said["goal"])
        find_skill(env_id, named_in=clip.parent)
        if split in ALL_SPLITS and 0 <= goal < n_goals(env_id) and index >= 0 and seed >= 0:
            return sample_task_set(seed, split, index, env_id=env_id), goal
    except ModuleError:
        raise
    except (ValueError, KeyError, TypeError):
        pass
    raise DemoError(f"{beside}: got no description of a clip, allowed what `daml collect` writes, or no such file")
