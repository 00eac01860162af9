"""Import: a dataset to meta-train on, out of robot demonstrations that others recorded and videos of people."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from demos.collect import describe
from demos.errors import DemoError
from demos.executors import executor
from demos.folders import new_folder
from demos.pairs import Pair, read_pairs
from demos.robots import SHORTEST, Chosen, Robot, RobotEpisode, open_robot
from demos.storage import Dataset, DatasetInfo, create
from demos.video import read_times, read_video

HELD_OUT = 10
"""One in so many sets is held out when nothing else is asked for, and at least one."""
LARGEST_ACTION, LARGEST_STATE = 1.001, 10.0
"""Of an environment here: actions are in [-1, 1], up to rounding, and states in metres and radians."""
SPLIT = "imported"
"""What is said of the objects."""


class Import(NamedTuple):
    """What becomes a dataset.

    robot: a LeRobot folder or a robomimic file.  pairs: as `read_pairs` takes them.  chosen: what is read of the
    robot's episodes, and the images' size, which is that of the videos', too.  frames: of each video that are kept,
    evenly spaced.  fingertip: which three numbers of the state are its x, y and z [m]; or none.  env_id: registered id
    of the environment whose robot and tasks these are; None for others.  held_out: so many sets, the last ones; one in
    `HELD_OUT` when None.
    """

    robot: Path
    pairs: Path
    chosen: Chosen
    frames: int = 20
    fingertip: tuple[int, ...] = ()
    env_id: str | None = None
    held_out: int | None = None


def import_dataset(what: Import, out: Path, *, workers: int) -> Iterator[tuple[int, int]]:
    """Writes a dataset beside its place, and renames it when it is whole.

    Args:
        what: is imported.
        out: new folder.
        workers: processes.

    Yields:
        The number of sets done and of all, at the start and after each set; then `out` is there.

    Raises:
        DemoError: something does not fit, cannot be read, or is at `out` already; nothing is left of the dataset then.
    """
    with new_folder(out) as part:
        robot = open_robot(what.robot, what.chosen)
        sets = list(read_pairs(what.pairs).values())
        info = _describe(what, robot, sets)
        for pair in (pair for pairs in sets for pair in pairs):
            read_times(pair.video)  # a broken one is found now, and not after an hour
        create(part, info)
        yield 0, len(sets)
        with executor("processes", min(workers, len(sets))) as each:
            imported = each(partial(_import_one, part, info, robot, what), enumerate(sets))
            for done, _ in enumerate(imported, 1):
                yield done, len(sets)


def left_out(what: Import) -> int:
    """How many of the robot's episodes have no video, as no pair names them.

    Raises:
        DemoError: as `open_robot` and `read_pairs`.
    """
    named = {pair.episode for pairs in read_pairs(what.pairs).values() for pair in pairs}
    return len(open_robot(what.robot, what.chosen).lengths.keys() - named)


def _describe(what: Import, robot: Robot, sets: list[list[Pair]]) -> DatasetInfo:
    """What the dataset will hold; the first episode says how many numbers a state and an action have.

    Raises:
        DemoError: an episode is not there or too short, no set is left to train on or to be held out, or the numbers
            are not those of the environment.
    """
    held_out = max(1, len(sets) // HELD_OUT) if what.held_out is None else what.held_out
    if not 1 <= held_out < len(sets):
        raise DemoError(f"held-out sets: got {held_out}, allowed 1 to {len(sets) - 1} of {len(sets)}")
    lengths = robot.lengths
    for pair in (pair for pairs in sets for pair in pairs):
        if pair.episode not in lengths:
            raise DemoError(
                f"episode of {pair.set}/{pair.task} in {what.pairs}: got {pair.episode!r}, allowed one of the "
                f"{len(lengths)} in {what.robot}, such as {next(iter(lengths))!r}"
            )
        if lengths[pair.episode] < SHORTEST:
            raise DemoError(
                f"episode {pair.episode} of {what.robot}: got {lengths[pair.episode]} steps, allowed {SHORTEST} or more"
            )
    first = robot.read(sets[0][0].episode)
    state, action = first.states.shape[1], first.actions.shape[1]
    for number in what.fingertip:
        if not 0 <= number < state:
            raise DemoError(f"fingertip: got {number}, allowed 0 to {state - 1}, the numbers of the state")
    fingertip, points, told = what.fingertip, 1, 1
    if what.env_id is not None:
        theirs = describe(what.env_id, "train", 0, 1, what.chosen.size)
        if (state, action) != (theirs.state, theirs.action):
            raise DemoError(
                f"robot {what.robot}: got {state} numbers in a state and {action} in an action, allowed {theirs.state} "
                f"and {theirs.action}, those of {what.env_id}"
            )
        fingertip, points, told = theirs.fingertip, theirs.points, theirs.told
    return DatasetInfo(
        what.env_id,
        SPLIT,
        seed=0,
        n_sets=len(sets),
        n_goals=max(map(len, sets)),
        video_frames=what.frames,
        steps=max(lengths[pair.episode] for pairs in sets for pair in pairs),
        size=what.chosen.size,
        state=state,
        action=action,
        points=points,
        told=told,
        glances=0,
        lessons=0,
        ragged=1,
        held_out=held_out,
        fingertip=fingertip,
    )


def _import_one(folder: Path, info: DatasetInfo, robot: Robot, what: Import, numbered: tuple[int, list[Pair]]) -> None:
    """Writes a set, whose number comes before its pairs."""
    index, pairs = numbered
    arrays: dict[str, np.ndarray] = {
        name: np.full(shape[1:], np.nan if np.issubdtype(kind, np.floating) else 0, kind)
        for name, (kind, shape) in info.arrays().items()
    }
    for goal, pair in enumerate(pairs):
        episode = robot.read(pair.episode)
        for name, rows, size in (("state", episode.states, info.state), ("action", episode.actions, info.action)):
            if rows.shape[1] != size:
                raise DemoError(
                    f"episode {pair.episode} of {what.robot}: got {rows.shape[1]} numbers in its {name}, allowed "
                    f"{size}, as in the first one"
                )
        if info.env_id is not None:
            _check_units(f"episode {pair.episode} of {what.robot}", episode)
        video = read_video(pair.video, n_frames=info.video_frames, size=info.size, fit=what.chosen.fit)
        steps = len(episode.states)
        arrays["lengths"][goal] = steps
        arrays["human_frames"][goal] = video.frames
        arrays["robot_frames"][goal, :steps] = episode.frames
        arrays["robot_states"][goal, :steps] = episode.states
        arrays["robot_actions"][goal, :steps] = episode.actions
    Dataset(folder, info, "r+").write_set(index, arrays)


def _check_units(where: str, episode: RobotEpisode) -> None:
    """Refuses numbers that are too large for the units of the environments here, as millimetres or degrees are."""
    for name, rows, most, units in (
        ("action", episode.actions, LARGEST_ACTION, "-1 to 1, as the environment takes them"),
        ("state", episode.states, LARGEST_STATE, "metres and radians"),
    ):
        if (largest := float(np.abs(rows).max())) > most:
            raise DemoError(f"{where}: got {largest:.4g} in its {name}, allowed {units}")
