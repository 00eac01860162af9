"""What policies are meta-trained on: datasets with all that they look at, and the tasks that are drawn from them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from agents.errors import AgentError
from agents.imitation import Imitator
from agents.presets import Preset
from agents.view import OURS, Scale, Sizes, Units
from demos.collect import collect, describe
from demos.combinations import Pairs, check_pairs
from demos.distribution import MixedTasks, SetTasks, goals_a_set
from demos.executors import On
from demos.storage import Dataset, DatasetInfo, open_dataset
from envs.tabletop import CAMERAS

SPLIT = "train"
"""Of the objects that are collected."""
GLANCES = 30
"""Collected of each set, for a policy that looks at them (`demos.glances`)."""
NUDGE = 2
"""Level of `envs.nudge.FARTHEST` in the demonstrations for policies that look again."""
STILL = 1e-6
"""Standard deviation below which a number counts as one that never changes."""


def check_batch(preset: Preset, env_ids: Sequence[str], pairs: Pairs = "all") -> None:
    """Checks that a preset's meta-batches, of the pairs, can be drawn from these environments together.

    Raises:
        AgentError: there are not as many tasks of each environment.
        DemoError: there cannot be so many tasks of an environment, or it holds no pairs out.
    """
    each, rest = divmod(preset.tasks, len(env_ids))
    if rest:
        raise AgentError(
            f"preset for {', '.join(env_ids)}: got {preset.tasks} tasks in a meta-batch, allowed a multiple of "
            f"{len(env_ids)}"
        )
    for env_id in env_ids:
        check_pairs(pairs, env_id, SPLIT)
        goals_a_set(env_id, each, pairs)


def common_size(imitators: Sequence[Imitator]) -> int:
    """Side of the images that all imitators look at [px].

    Raises:
        AgentError: they look at different ones.
    """
    sizes = sorted({imitator.size for imitator in imitators})
    if len(sizes) != 1:
        raise AgentError(f"presets on one dataset: got images of {sizes} px, allowed one size for all of them")
    return sizes[0]


def collect_for(
    imitators: Sequence[Imitator],
    folder: Path,
    *,
    env_id: str,
    n_sets: int,
    seed: int,
    workers: int | None = None,
    on: On = "processes",
) -> Iterator[int]:
    """`demos.collect.collect` of the sets that are missing, with all that the imitators want. Arguments as there.

    Objects are nudged where all of them look again: a policy of one look cannot know where what was moved has gone.

    Yields:
        The number of complete sets.

    Raises:
        AgentError: the imitators cannot share a dataset.
        DemoError: the folder holds something else, or a process died.
    """
    return collect(
        folder,
        env_id=env_id,
        split=SPLIT,
        n_sets=n_sets,
        seed=seed,
        size=common_size(imitators),
        n_glances=GLANCES if any(imitator.wanted.glances for imitator in imitators) else 0,
        n_lessons=int(any(imitator.wanted.lessons for imitator in imitators)),
        nudge=NUDGE if all(imitator.wanted.looks for imitator in imitators) else 0,
        cameras=CAMERAS[any(imitator.wanted.hand for imitator in imitators)],
        workers=workers,
        on=on,
    )


def open_datasets(folders: Mapping[str, Path]) -> list[Dataset]:
    """The complete datasets of environments. folders: by registered id.

    Raises:
        AgentError: one is of another environment.
        DemoError: one is not there, or not complete.
    """
    datasets = {env_id: open_dataset(folder) for env_id, folder in folders.items()}
    for env_id, dataset in datasets.items():
        if dataset.info.env_id != env_id:
            alone = "" if dataset.info.env_id else "; or --env none"
            raise AgentError(
                f"data {dataset.folder}: got {dataset.info.env_id or 'one of no environment'}, allowed {env_id}{alone}"
            )
    return list(datasets.values())


def sizes_in(*env_ids: str) -> Sizes:
    """Sizes of environments: those of datasets of them, were there any."""
    return _largest([describe(env_id, "train", 0, 1, 64) for env_id in env_ids], OURS)


def common_sizes(datasets: Sequence[Dataset]) -> Sizes:
    """Sizes that the states, actions and points of all datasets fit into, and their robot's units."""
    return _largest([dataset.info for dataset in datasets], units_of(datasets[0]))


def _largest(infos: Sequence[DatasetInfo], units: Units) -> Sizes:
    """Sizes that all that is said of datasets fits into."""
    state, action, points, told = (
        max(getattr(info, name) for info in infos) for name in ("state", "action", "points", "told")
    )
    return Sizes(state, action, points, told, units)


def units_of(dataset: Dataset) -> Units:
    """Of a dataset's robot: known of the one here; of another, mean and standard deviation in the sets to train on, and
    bounds that are those of its actions there."""
    info = dataset.info
    if info.env_id is not None:
        return OURS
    lengths = dataset.lengths[: info.n_sets - info.held_out]
    there = np.arange(info.steps) < lengths[..., None]  # [sets, goals, steps]
    states, actions = (dataset[name][: len(lengths)][there] for name in ("robot_states", "robot_actions"))
    state = _spread(states)
    point = [tuple(each[i] for i in info.fingertip) for each in state]
    low, high = (tuple(map(float, bound)) for bound in (actions.min(0), actions.max(0)))
    return Units(state, _spread(actions), Scale(*point) if info.fingertip else OURS.point, low, high)


def _spread(rows: np.ndarray) -> Scale:
    """Mean and standard deviation of the numbers in rows [n, k]; 1 for what never changes."""
    deviation = rows.std(0, dtype=np.float64)
    deviation[deviation < STILL] = 1.0
    return Scale(tuple(rows.mean(0, dtype=np.float64).tolist()), tuple(deviation.tolist()))


def task_distribution(
    preset: Preset, sizes: Sizes, datasets: Sequence[Dataset], device: str, pairs: Pairs = "all"
) -> MixedTasks:
    """What a preset is meta-trained on: tasks of all datasets, of the pairs, with all that its imitator looks at.

    Raises:
        AgentError: the images of a dataset are of another size than the policy's, which acts on those of its own.
        DemoError: a dataset does not have all of that, or not so many goals a set that a meta-batch is whole sets;
            or as `demos.combinations.goals_in`.
    """
    imitator = preset.imitator(preset.inner_steps, sizes)
    for dataset in datasets:
        if dataset.info.size != imitator.size:
            raise AgentError(
                f"data {dataset.folder}: got images of {dataset.info.size} px, allowed {imitator.size} px, which the "
                "preset looks at"
            )
    parts = [SetTasks(dataset, imitator.wanted, pairs=pairs, device=device) for dataset in datasets]
    for part in parts:
        part.goals_a_set(preset.tasks // len(parts))
    return MixedTasks(parts)
