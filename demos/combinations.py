"""Held-out combinations: a meta-training sees every shape and every verb, but not all pairs of them.

On tasks of the others one sees whether a policy puts together what a video shows and how. Which ones they are,
`Skill.held_out` says.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from demos.errors import DemoError
from demos.skills import find_skill
from demos.storage import Dataset
from demos.tasks import N_OBJECTS, n_goals, sample_task_set, task_of
from envs.objects import ALL_SPLITS, ObjectSpec

Pairs = Literal["all", "seen", "held-out"]
"""Of objects' shapes and aims: all, those that a meta-training may see, or the others."""

KNOWN_SHAPES = tuple(split for split in ALL_SPLITS if split != "test-shapes")
"""Splits of objects whose shapes are those of meta-training."""


def check_pairs(pairs: Pairs, env_id: str | None, split: str) -> None:
    """Refuses pairs that are not told apart.

    Args:
        pairs: asked for.
        env_id: registered id; None for data of no environment.
        split: of the objects.

    Raises:
        DemoError: nothing is held out in that environment, or the shapes of that split are not those of meta-training.
    """
    if pairs == "all":
        return
    if env_id is None or find_skill(env_id).held_out is None:
        where = env_id or "data of no environment"
        raise DemoError(f"pairs: got {pairs!r}, allowed 'all' in {where}, where none are held out")
    if split not in KNOWN_SHAPES:
        raise DemoError(f"pairs: got {pairs!r} of {split} objects, allowed 'all', or objects of {list(KNOWN_SHAPES)}")


def is_of(pairs: Pairs, env_id: str, shape: str, aim: int) -> bool:
    """Whether a goal, an object of a shape and an aim, is of the pairs, which `check_pairs` allows."""
    held_out = find_skill(env_id).held_out
    return pairs == "all" or held_out is None or held_out(shape, aim) == (pairs == "held-out")


def fewest_goals(env_id: str, pairs: Pairs) -> int:
    """Goals of the pairs in the set that has fewest: of the shape that is in fewest of them, only.

    Raises:
        DemoError: nobody demonstrates in that environment.
    """
    layout = find_skill(env_id).layout
    aims = range(layout.n_aims)
    return N_OBJECTS * min(sum(is_of(pairs, env_id, shape, aim) for aim in aims) for shape in layout.family.shapes)


def goals_of(env_id: str, pairs: Pairs, objects: Sequence[ObjectSpec]) -> list[int]:
    """Numbers of goals of a set that are of the pairs, in the order of `task_of`.

    As many of each object, as there are of the one that has fewest: what ignores the video still goes to the right
    object in exactly one of `N_OBJECTS` cases.

    Args:
        env_id: registered id.
        pairs: of the goals.
        objects: of the set.
    """
    layout, turns = find_skill(env_id).layout, [task_of(env_id, number)[1] for number in range(n_goals(env_id))]
    each: list[list[int]] = [[] for _ in range(N_OBJECTS)]
    for goal in turns:
        thing, aim = layout.goal_parts(goal)
        if is_of(pairs, env_id, objects[thing].shape, aim):
            each[thing].append(goal)
    return [goal for turn in zip(*each, strict=False) for goal in turn]


def goals_in(dataset: Dataset, pairs: Pairs) -> np.ndarray:
    """Whether each goal of a dataset is of the pairs: bool [sets, goals].

    The objects are drawn again by the seed of the dataset, and must stand where it says.

    Raises:
        DemoError: as `check_pairs`, or other code drew the scenes of the dataset.
    """
    info, found = dataset.info, np.ones((dataset.info.n_sets, dataset.info.n_goals), bool)
    check_pairs(pairs, info.env_id, info.split)
    if pairs == "all" or info.env_id is None:
        return found
    skill = find_skill(info.env_id)
    for index in range(info.n_sets):
        tasks = sample_task_set(info.seed, info.split, index, env_id=info.env_id, nudge=info.nudge)
        scenes = [tasks.robot_scenes[0].with_goal(goal) for goal in range(info.n_goals)]
        points = np.stack([skill.goal_points(scene) for scene in scenes])
        if not np.allclose(points, dataset["goal_points"][index], atol=1e-4):
            raise DemoError(
                f"pairs: got {pairs!r} with set {index} of {dataset.folder} as other code drew it, allowed 'all'; or "
                "collect it again"
            )
        found[index] = [is_of(pairs, info.env_id, scene.objects[scene.goal].shape, scene.aim) for scene in scenes]
    return found
