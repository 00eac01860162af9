"""Export: recordings and datasets in the layout of another project, written beside their place and renamed."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from demos.episodes import read_recording
from demos.errors import DemoError
from demos.folders import new_folder
from demos.human import VIDEO_FPS
from demos.libraries import library
from demos.pairs import COLUMNS
from demos.recipe import Recipe
from demos.recording import Recording, RecordingInfo
from demos.storage import Dataset, open_dataset
from demos.video import write_video
from envs.objects import ALL_SPLITS
from envs.tabletop import CONTROL_PERIOD, IN_HAND

LIBRARIES = {"lerobot": "pyarrow", "robomimic": "h5py"}
"""Name of a layout -> the library that writes it."""
ROBOT, PAIRS, VIDEOS = "robot", "pairs.csv", "videos"
"""What is in the folder of an exported dataset; the robomimic file is in the first."""

Write = Callable[[Path, Iterable[Recording]], int]
"""(new folder, recordings) -> steps written."""


def writer(layout: str) -> Write:
    """What writes a layout.

    Raises:
        DemoError: there is no such layout, or its library is not installed.
    """
    if layout not in LIBRARIES:
        raise DemoError(f"format: got {layout!r}, allowed {list(LIBRARIES)}")
    library(LIBRARIES[layout])
    from demos import lerobot, robomimic

    return lerobot.write if layout == "lerobot" else robomimic.write


def export(folders: Sequence[Path], out: Path, layout: str) -> int:
    """Writes recordings as one dataset.

    Args:
        folders: of recordings of a robot, all of one environment, with images of one size of the same cameras.
        out: new folder.
        layout: key of `LIBRARIES`.

    Returns:
        Steps written.

    Raises:
        DemoError: recordings that do not fit together, a human among them, or something at `out` already; or the
            library that writes it is not installed.
    """
    write = writer(layout)
    if not folders:
        raise DemoError("recordings: got none, allowed one or more")
    with new_folder(out) as part:
        return write(part, _alike(folders))


def export_dataset(folder: Path, out: Path, layout: str, sets: int | None = None) -> tuple[int, int]:
    """Writes a dataset of `daml collect` as others have theirs: the robot's demonstrations in the layout of another
    project, the human's videos as mp4 files, and a table that says which belong together.

    Args:
        folder: of the dataset.
        out: new folder, with `ROBOT`, `VIDEOS` and `PAIRS` in it.
        layout: key of `LIBRARIES`.
        sets: the first so many; all when None.

    Returns:
        Sets and steps written.

    Raises:
        DemoError: no complete dataset of an environment, or as in `export`.
    """
    write, dataset = writer(layout), open_dataset(folder)
    if dataset.info.env_id is None or dataset.info.split not in ALL_SPLITS:
        raise DemoError(f"dataset {folder}: got one that was imported, allowed one of `daml collect`")
    n_sets = min(sets or dataset.info.n_sets, dataset.info.n_sets)
    tasks = [(index, goal) for index in range(n_sets) for goal in range(int((dataset.lengths[index] > 0).sum()))]
    with new_folder(out) as part:
        (part / ROBOT).mkdir()
        steps = write(part / ROBOT, (_demonstration(dataset, *task) for task in tasks))
        with (part / PAIRS).open("w", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(COLUMNS)
            for number, (index, goal) in enumerate(tasks):
                video = f"{VIDEOS}/set{index}/goal{goal}.mp4"
                write_video(part / video, dataset["human_frames"][index, goal], VIDEO_FPS)
                episode = number if layout == "lerobot" else f"demo_{number}"
                table.writerow([f"set{index}", f"goal{goal}", episode, video])
    return n_sets, steps


def _demonstration(dataset: Dataset, index: int, goal: int) -> Recording:
    """The robot's demonstration of a task as a recording; what was seen after its last action is not kept in a dataset,
    nor written by the layouts, and stands for the last observation."""
    info, steps = dataset.info, int(dataset.lengths[index, goal])
    assert info.env_id is not None
    recipe = Recipe(info.env_id, info.seed, info.split, index, goal, nudge=info.nudge)
    names = {"image": "robot_frames", "state": "robot_states"} | ({IN_HAND: "hand_frames"} if info.hand else {})
    seen = {name: dataset[array][index, goal, :steps] for name, array in names.items()}
    return Recording(
        RecordingInfo(
            recipe=recipe,
            by="expert",
            policy=None,
            task=f"set {index}, goal {goal}",
            scene="",
            steps=steps,
            fps=1 / CONTROL_PERIOD,
            size=(info.size, info.size),
            success=None,
            distance=None,
            mujoco="",
            cameras=info.cameras,
        ),
        {name: np.concatenate([rows, rows[-1:]]) for name, rows in seen.items()},
        dataset["robot_actions"][index, goal, :steps],
        np.zeros(steps),
        np.zeros(steps, bool),
        np.arange(steps) == steps - 1,
    )


def _alike(folders: Sequence[Path]) -> Iterator[Recording]:
    """Recordings, one after the other; refuses one that does not fit the first."""
    first = None
    for folder in folders:
        recording = read_recording(folder)
        if recording.info.by == "human":
            raise DemoError(f"{folder}: got a human's recording, which has no actions, allowed a robot's")
        info = recording.info
        kind = info.recipe.env_id, info.size, info.cameras, info.fps, recording.actions.shape[1:]
        first = first or kind
        if kind != first:
            raise DemoError(f"{folder}: got {kind}, allowed {first} as in the others; export them one by one")
        yield recording
