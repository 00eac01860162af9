"""The LeRobot v3.0 layout: many episodes a file, tables as parquet, images as video.

meta/info.json                                sizes, paths, features
meta/stats.json                               feature -> min, max, mean, std, count and quantiles
meta/tasks.parquet                            task in words -> task_index
meta/episodes/chunk-000/file-000.parquet      where each episode is, and its own statistics
data/chunk-000/file-000.parquet               a row for each step
videos/observation.images.front/chunk-000/file-000.mp4    and, with a camera in the hand, observation.images.hand

A step is what was seen before an action, and the action: the observation after the last one is left out. Positions are
in metres, angles in radians, actions in [-1, 1].

Source: the LeRobotDataset v3.0 documentation, and the paths and defaults of its reader.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from daml.files import write_json
from demos.recording import Recording
from demos.tally import Tally, merged, tally_images, tally_rows
from demos.video import write_video_601
from envs.tabletop import IN_HAND, GripperEnv

VERSION = "v3.0"
FILE_EPISODES = 100
"""Episodes in one data file and one video file."""
CHUNK_FILES = 1000
"""Files in one folder."""
CAMERAS = {"image": "observation.images.front", IN_HAND: "observation.images.hand"}
"""Image in an observation -> its feature."""
PLACE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
NAMES = {"observation.state": GripperEnv.state_names, "action": GripperEnv.action_names}
"""Vector -> what its numbers are; an arm without a gripper has the first ones of them."""
COUNTERS = ("frame_index", "episode_index", "index", "task_index")

Columns = dict[str, np.ndarray]
"""Feature -> one row for each step."""


def write(folder: Path, recordings: Iterable[Recording]) -> int:
    """Writes recordings of one environment into `folder`; returns the steps written."""
    tasks: dict[str, int] = {}
    episodes: list[dict[str, Any]] = []
    tallies: list[dict[str, Tally]] = []
    total = 0
    last = None
    for number, group in enumerate(_batched(recordings, FILE_EPISODES)):
        place = {"chunk_index": number // CHUNK_FILES, "file_index": number % CHUNK_FILES}
        tables, frames = [], 0
        for last in group:
            task_index = tasks.setdefault(last.info.task, len(tasks))
            columns = _columns(last, len(episodes), task_index, total)
            tables.append(_table(columns))
            tallies.append(_tallies(last, columns))
            row = _episode(last, len(episodes), total, frames / last.info.fps, place)
            episodes.append(row | _statistics(tallies[-1]))
            total, frames = total + last.info.steps, frames + last.info.steps
        _write_table(folder / f"data/{PLACE.format(**place)}.parquet", pa.concat_tables(tables))
        for name in group[0].info.images:
            images = np.concatenate([recording.observations[name][:-1] for recording in group])
            # Its reader takes every video for BT.601, whatever the file says.
            write_video_601(folder / f"videos/{CAMERAS[name]}/{PLACE.format(**place)}.mp4", images, group[0].info.fps)
    assert last is not None
    _write_table(folder / f"meta/episodes/{PLACE.format(chunk_index=0, file_index=0)}.parquet", _rows(episodes))
    _write_table(folder / "meta/tasks.parquet", _tasks(tasks))
    write_json(folder / "meta/info.json", _info(last, len(episodes), total, len(tasks)), indent=4)
    whole = {name: merged([tally[name] for tally in tallies]) for name in sorted(tallies[0])}
    write_json(folder / "meta/stats.json", {name: tally.statistics() for name, tally in whole.items()}, indent=4)
    return total


def _batched(recordings: Iterable[Recording], size: int) -> Iterator[list[Recording]]:
    iterator = iter(recordings)
    while group := list(islice(iterator, size)):
        yield group


# --- steps -----------------------------------------------------------------------------------------------------------


def _columns(recording: Recording, episode: int, task: int, first: int) -> Columns:
    """The table of an episode; `first` is the number of its first step in the whole dataset."""
    steps = recording.info.steps
    number = np.arange(steps)
    return {
        "observation.state": recording.observations["state"][:-1],
        "action": recording.actions,
        "next.reward": recording.rewards.astype(np.float32),
        "next.done": recording.terminations | recording.truncations,
        "timestamp": (number / recording.info.fps).astype(np.float32),
        "frame_index": number,
        "episode_index": np.full(steps, episode),
        "index": first + number,
        "task_index": np.full(steps, task),
    }


def _table(columns: Columns) -> pa.Table:
    """Vectors become lists of fixed length, as its reader's `Sequence` features are."""
    return pa.table({name: _array(rows) for name, rows in columns.items()})


def _array(rows: np.ndarray) -> pa.Array:
    if rows.ndim == 1:
        return pa.array(rows)
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


# --- descriptions ----------------------------------------------------------------------------------------------------


def _info(recording: Recording, episodes: int, steps: int, tasks: int) -> dict[str, Any]:
    """meta/info.json."""
    info = recording.info
    height, width = info.size
    fps = int(info.fps)
    vectors = {"observation.state": recording.observations["state"], "action": recording.actions}
    features: dict[str, Any] = {
        name: {"dtype": "float32", "shape": [rows.shape[1]], "names": list(NAMES[name][: rows.shape[1]])}
        for name, rows in vectors.items()
    }
    film = {
        "dtype": "video",
        "shape": [height, width, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": height,
            "video.width": width,
            "video.channels": 3,
            "video.codec": "h264",
            "video.fps": fps,
            "video.is_depth_map": False,
            "has_audio": False,
        },
    }
    features |= {CAMERAS[name]: film for name in info.images}
    features["next.reward"] = {"dtype": "float32", "shape": [1], "names": None}
    features["next.done"] = {"dtype": "bool", "shape": [1], "names": None}
    features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
    features |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in COUNTERS}
    return {
        "codebase_version": VERSION,
        "robot_type": info.recipe.env_id,
        "total_episodes": episodes,
        "total_frames": steps,
        "total_tasks": tasks,
        "chunks_size": CHUNK_FILES,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": f"0:{episodes}"},
        "data_path": f"data/{PLACE}.parquet",
        "video_path": f"videos/{{video_key}}/{PLACE}.mp4",
        "features": features,
    }


def _episode(recording: Recording, number: int, first: int, begin: float, place: dict[str, int]) -> dict[str, Any]:
    """A row of meta/episodes but for the statistics; `begin` is the time of its first frame in the video file [s]."""
    steps = recording.info.steps
    row: dict[str, Any] = {"episode_index": number, "tasks": [recording.info.task], "length": steps}
    row |= {f"data/{name}": value for name, value in place.items()}
    row |= {"dataset_from_index": first, "dataset_to_index": first + steps}
    times = {"from_timestamp": begin, "to_timestamp": begin + steps / recording.info.fps}
    for image in recording.info.images:
        row |= {f"videos/{CAMERAS[image]}/{name}": value for name, value in (place | times).items()}
    return row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}


def _tallies(recording: Recording, columns: Columns) -> dict[str, Tally]:
    """Feature -> its numbers in an episode."""
    found = {name: tally_rows(rows) for name, rows in columns.items()}
    return found | {CAMERAS[name]: tally_images(recording.observations[name][:-1]) for name in recording.info.images}


def _statistics(tallies: dict[str, Tally]) -> dict[str, Any]:
    """The statistics of an episode, for its row of meta/episodes."""
    found = {name: tally.statistics() for name, tally in tallies.items()}
    return {f"stats/{name}/{key}": value for name, of in found.items() for key, value in of.items()}


def _tasks(tasks: dict[str, int]) -> pa.Table:
    """meta/tasks.parquet: for pandas, whose reader takes the task in words as the index."""
    table = pa.table({"task_index": pa.array(tasks.values(), pa.int64()), "task": pa.array(tasks, pa.string())})
    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": stored, "metadata": None}
        for name, (kind, stored) in kinds.items()
    ]
    told = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(told)})


# --- files -----------------------------------------------------------------------------------------------------------


def _rows(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows)


def _write_table(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
