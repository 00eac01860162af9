"""Which video of a human shows what which episode of a robot does: a CSV file, or folders by their names."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from daml.folders import visible
from demos.errors import DemoError

COLUMNS = ("set", "task", "episode", "video")
SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi")
"""Of the files in folders that count as videos."""


class Pair(NamedTuple):
    """A task of a set: its video of a human, and the name of its episode by the robot."""

    set: str
    task: str
    episode: str
    video: Path


def read_pairs(path: Path) -> dict[str, list[Pair]]:
    """The tasks of every set, in the order in which they are given; in folders, by name.

    Args:
        path: a CSV file with the columns `COLUMNS`, videos relative to its folder; or a folder of
            SET/TASK/EPISODE.mp4.

    Raises:
        DemoError: something else, a row or a folder that is not whole, a task, an episode or a video that is there
            twice, a set of fewer than two tasks, or fewer than two sets.
    """
    if not path.exists():
        raise DemoError(f"pairs {path}: got nothing, allowed a CSV file or a folder of SET/TASK/EPISODE.mp4")
    pairs = list(_in_folders(path) if path.is_dir() else _in_table(path))
    sets: dict[str, list[Pair]] = {}
    for pair in pairs:
        sets.setdefault(pair.set, []).append(pair)
    _once(path, "task", [f"{pair.set}/{pair.task}" for pair in pairs])
    _once(path, "episode", [pair.episode for pair in pairs])
    _once(path, "video", [str(pair.video) for pair in pairs])
    for name, tasks in sets.items():
        if len(tasks) < 2:
            raise DemoError(
                f"set {name} in {path}: got 1 task, allowed 2 or more: nothing but the video tells them apart"
            )
    if len(sets) < 2:
        raise DemoError(f"sets in {path}: got {len(sets)}, allowed 2 or more, of which the last is held out")
    for pair in pairs:
        if not pair.video.is_file():
            raise DemoError(
                f"video of {pair.set}/{pair.task} in {path}: got {pair.video}, allowed a file that is there"
            )
    return sets


def _in_table(path: Path) -> Iterator[Pair]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            given, rows = reader.fieldnames or [], list(reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DemoError(
            f"pairs {path}: got no table ({error}), allowed CSV with the columns {list(COLUMNS)}"
        ) from error
    if missing := [name for name in COLUMNS if name not in given]:
        raise DemoError(f"pairs {path}: got the columns {list(given)}, allowed those with {missing}, too")
    for number, row in enumerate(rows, 2):
        cells = [(row[name] or "").strip() for name in COLUMNS]
        if empty := [name for name, cell in zip(COLUMNS, cells, strict=True) if not cell]:
            raise DemoError(f"pairs {path}: got line {number} without {empty[0]}, allowed all of {list(COLUMNS)}")
        one, task, episode, video = cells
        yield Pair(one, task, episode, path.parent / video)


def _in_folders(path: Path) -> Iterator[Pair]:
    for folder in filter(Path.is_dir, visible(path)):
        tasks = [task for task in visible(folder) if task.is_dir()]
        if not tasks:
            raise DemoError(f"set {folder.name} in {path}: got no tasks, allowed 2 or more folders of one video each")
        for task in tasks:
            videos = [file for file in visible(task) if file.suffix.lower() in SUFFIXES]
            if len(videos) != 1:
                raise DemoError(f"task {task}: got {len(videos)} videos, allowed one, called as its episode")
            yield Pair(folder.name, task.name, videos[0].stem, videos[0])


def _once(path: Path, what: str, names: list[str]) -> None:
    """Refuses what is there more than once."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DemoError(f"{what} {twice[0]} in {path}: got it {Counter(names)[twice[0]]} times, allowed once")
