"""Demonstrations as others have them: a robot in LeRobot's or robomimic's layout, videos of people, a table of pairs.

The sets have three, four, five and three tasks; episodes have different lengths, videos and cameras two sizes. Nothing
here is written by what writes such files for the project.
"""

import csv
import json
from itertools import accumulate
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from demos.video import write_video

GOALS = (3, 4, 5, 3)
"""Tasks of each set."""
STATE, ACTION, FPS = 7, 5, 10.0
CAMERA = "observation.images.side"
TASKS = [(index, goal) for index, goals in enumerate(GOALS) for goal in range(goals)]
"""The task of each episode."""
FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"


def length(number: int) -> int:
    """Steps of an episode."""
    return 6 + number % 4


def side(number: int) -> tuple[int, int]:
    """Height and width of its images: two cameras."""
    return (32, 48) if number % 2 else (40, 40)


def episode(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Its images, states and actions."""
    rng, steps = np.random.default_rng(number), length(number)
    return (
        rng.integers(0, 256, (steps, *side(number), 3), dtype=np.uint8),
        rng.normal(10, 4, (steps, STATE)).astype(np.float32),
        rng.uniform(-3, 5, (steps, ACTION)).astype(np.float32),
    )


def write_pairs(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("set", "task", "episode", "video"), *rows])


def rows_of(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


def write_videos(folder: Path, name: str) -> Path:
    """Videos of people and a table of pairs, whose episodes have a name with their number in it; returns the table."""
    rows = []
    for number, (index, goal) in enumerate(TASKS):
        frames = np.random.default_rng([number, 1]).integers(0, 256, (12, *side(number), 3), dtype=np.uint8)
        write_video(folder / f"{number}.mp4", frames, 8.0)
        rows.append((f"set{index}", f"task{goal}", name.format(number), f"{number}.mp4"))
    write_pairs(folder / "pairs.csv", rows)
    return folder / "pairs.csv"


def write_robomimic(folder: Path) -> tuple[Path, Path]:
    """A file of robot demonstrations and a table of pairs."""
    with h5py.File(folder / "robot.hdf5", "w") as file:
        for number in range(len(TASKS)):
            demo = file.create_group(f"data/demo_{number}")
            demo["obs/front"], demo["obs/state"], demo["actions"] = episode(number)
    return folder / "robot.hdf5", write_videos(folder, "demo_{}")


def write_lerobot(folder: Path) -> tuple[Path, Path]:
    """A folder of robot demonstrations, one episode a file, and a table of pairs."""
    robot, begins = folder / "robot", [0, *accumulate(map(length, range(len(TASKS))))]
    rows = []
    for number, (index, goal) in enumerate(TASKS):
        place = {"chunk_index": 0, "file_index": number}
        frames, states, actions = episode(number)
        steps = np.arange(length(number))
        columns = {
            "observation.state": states.tolist(),
            "action": actions.tolist(),
            "timestamp": (steps / FPS).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full(len(steps), number),
            "index": begins[number] + steps,
            "task_index": np.zeros(len(steps), int),
        }
        write_table(robot / f"data/{FILE.format(**place)}.parquet", pa.table(columns))
        write_video(robot / f"videos/{CAMERA}/{FILE.format(**place)}.mp4", frames, FPS)
        row = {"episode_index": number, "tasks": [f"task {goal} of scene {index}"], "length": len(steps)}
        row |= {f"data/{name}": value for name, value in place.items()}
        row |= {f"videos/{CAMERA}/{name}": value for name, value in place.items()}
        rows.append(row | {f"videos/{CAMERA}/from_timestamp": 0.0, f"videos/{CAMERA}/to_timestamp": len(steps) / FPS})
    write_table(robot / "meta/episodes/chunk-000/file-000.parquet", pa.Table.from_pylist(rows))
    vectors = {"observation.state": STATE, "action": ACTION}
    features = {name: {"dtype": "float32", "shape": [size], "names": None} for name, size in vectors.items()}
    features[CAMERA] = {"dtype": "video", "shape": [40, 40, 3], "names": ["height", "width", "channels"]}
    said = {
        "codebase_version": "v3.0",
        "fps": int(FPS),
        "data_path": f"data/{FILE}.parquet",
        "video_path": f"videos/{{video_key}}/{FILE}.mp4",
        "features": features,
    }
    (robot / "meta/info.json").write_text(json.dumps(said))
    return robot, write_videos(folder, "{}")


def write_table(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def change_info(robot: Path, **entries: object) -> None:
    """Other entries in meta/info.json."""
    path = robot / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
