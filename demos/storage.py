"""A dataset of demonstrations on disk: memory-mapped arrays, written set by set, safe against being stopped.

dataset.json        what it is: environment, split, seed, sizes, format version
lengths.npy         int64   [sets, goals]     steps of each demonstration, 0 where a set has no such goal; if "ragged"
human_frames.npy    uint8   [sets, goals, video frames, size, size, 3]
goal_pixels.npy     float32 [sets, goals, 2 * told]  where the places that the human's video tells are in it, (x, y) in
                                                     [0, 1], the goal object's first
robot_frames.npy    uint8   [sets, goals, steps, size, size, 3]
hand_frames.npy     uint8   [sets, goals, steps, size, size, 3]  what the camera in the hand sees; if "hand"
robot_states.npy    float32 [sets, goals, steps, state]  as the environment observes them
robot_actions.npy   float32 [sets, goals, steps, action]
robot_places.npy    float32 [sets, goals, steps, points, 3]  where the goal points are at each step [m]: the first one
                                                             NaN once its object is moved by the robot; if "tracked"
goal_points.npy     float32 [sets, goals, points, 3]  what a policy should know of the robot's scene [m]
lesson_frames.npy   uint8   [sets, goals, size, size, 3]  the robot demonstrates in the human's scene: first image...
lesson_states.npy   float32 [sets, goals, steps, state]  ...states...
lesson_actions.npy  float32 [sets, goals, steps, action]  ...actions...
lesson_points.npy   float32 [sets, goals, points, 3]  ...and what a policy should know of that scene [m]
glance_frames.npy   uint8   [sets, glances, size, size, 3]  the same objects in other scenes, through other cameras...
glance_points.npy   float32 [sets, glances, goals, points, 3]  ...what a policy should know of them [m]...
glance_pixels.npy   float32 [sets, glances, goals, points, 2]  ...where that is in the image, (x, y) in [0, 1]...
glance_table.npy    float32 [sets, glances, 4, 2]  ...and how far four points of the table are from where the
                                                       usual camera sees them
done/               an empty file for each set that is complete

Numbers that nobody knows are NaN, as are those behind the end of a demonstration that is shorter than others.
"""

import json
import math
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np

from daml.files import write_json
from daml.folders import visible
from demos.errors import DemoError
from demos.glances import TABLE_POINTS
from demos.skills import find_skill
from envs.tabletop import CAMERAS

FORMAT = 5
"""Version of the layout above."""
READ = (4, FORMAT)
"""Versions that are read: 4 had an array more, that nothing asked for."""


@dataclass(frozen=True)
class DatasetInfo:
    """What a dataset holds.

    env_id: registered id; None for a robot and tasks of which there is no environment here.  split: of the objects.
    seed: of everything.  n_sets, n_goals, video_frames, steps: counts, where sets differ the largest.  size: side of
    the frames [px].  state, action: numbers in each.  points: goal points of a task.  told: so many of them the
     video tells, the first ones.  glances: single images of a set
    in further scenes, see `demos.glances`.  lessons: demonstrations by the robot in the human's scene, of each task: 0
    or 1.  ragged: 1 where sets have different numbers of goals, or demonstrations of steps, or may have.  held_out: so
    many sets, the last ones, are for evaluation alone.  fingertip: which numbers of the state are its x, y and z [m];
    none where nobody knows.  nudge: level of `envs.nudge.FARTHEST` in the robot's demonstrations.  tracked: 1 where it
    is known of every step of them where the goal points are.  hand: 1 where they are also seen through the camera in
    the hand.  scenes: `demos.recipe.digest` of the robot's first: other code may draw others; "" where nobody says.
    """

    env_id: str | None
    split: str
    seed: int
    n_sets: int
    n_goals: int
    video_frames: int
    steps: int
    size: int
    state: int
    action: int
    points: int
    glances: int
    lessons: int
    format: int = FORMAT
    told: int = 1
    ragged: int = 0
    held_out: int = 0
    fingertip: tuple[int, ...] = (0, 1, 2)
    nudge: int = 0
    tracked: int = 0
    hand: int = 0
    scenes: str = ""

    @property
    def cameras(self) -> tuple[str, ...]:
        """That demonstrations are seen through."""
        return CAMERAS[self.hand]

    def arrays(self) -> dict[str, tuple[type, tuple[int, ...]]]:
        """Name -> (dtype, shape) of every array."""
        lead, image = (self.n_sets, self.n_goals), (self.size, self.size, 3)
        arrays: dict[str, tuple[type, tuple[int, ...]]] = {
            "human_frames": (np.uint8, (*lead, self.video_frames, *image)),
            "goal_pixels": (np.float32, (*lead, 2 * self.told)),
            "robot_frames": (np.uint8, (*lead, self.steps, *image)),
            "robot_states": (np.float32, (*lead, self.steps, self.state)),
            "robot_actions": (np.float32, (*lead, self.steps, self.action)),
            "goal_points": (np.float32, (*lead, self.points, 3)),
        }
        if self.tracked:
            arrays["robot_places"] = (np.float32, (*lead, self.steps, self.points, 3))
        if self.hand:
            arrays["hand_frames"] = arrays["robot_frames"]
        if self.ragged:
            arrays["lengths"] = (np.int64, lead)
        if self.lessons:
            arrays |= {
                "lesson_frames": (np.uint8, (*lead, *image)),
                "lesson_states": (np.float32, (*lead, self.steps, self.state)),
                "lesson_actions": (np.float32, (*lead, self.steps, self.action)),
                "lesson_points": (np.float32, (*lead, self.points, 3)),
            }
        if self.glances:
            lead = (self.n_sets, self.glances)
            arrays |= {
                "glance_frames": (np.uint8, (*lead, *image)),
                "glance_points": (np.float32, (*lead, self.n_goals, self.points, 3)),
                "glance_pixels": (np.float32, (*lead, self.n_goals, self.points, 2)),
                "glance_table": (np.float32, (*lead, len(TABLE_POINTS), 2)),
            }
        return arrays


class Dataset:
    """An open dataset: `info`, and each array as an attribute-like item (`dataset["robot_frames"]`)."""

    def __init__(self, folder: Path, info: DatasetInfo, mode: Literal["r", "r+"] | None) -> None:
        self.folder, self.info = folder, info
        self._arrays = {name: _load(_array(folder, name), mode, *what) for name, what in info.arrays().items()}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each demonstration, int [sets, goals]; 0 where a set has no such goal."""
        info = self.info
        return self["lengths"] if info.ragged else np.full((info.n_sets, info.n_goals), info.steps)

    def missing(self) -> list[int]:
        """Indices of the sets that are not complete yet."""
        done = {path.name for path in (self.folder / "done").glob("*")}
        return [i for i in range(self.info.n_sets) if str(i) not in done]

    def write_set(self, index: int, arrays: dict[str, np.ndarray]) -> None:
        """Writes one set and then, once it is on disk, marks it complete."""
        for name, values in arrays.items():
            target = self._arrays[name]
            target[index] = values
            if isinstance(target, np.memmap):
                target.flush()
        (self.folder / "done" / str(index)).touch()


def create(folder: Path, info: DatasetInfo) -> Dataset:
    """Makes an empty dataset, or opens the unfinished one of the same content that is there.

    Raises:
        DemoError: the folder holds something else.
    """
    if (folder / "dataset.json").exists():
        found = read_info(folder)
        if found != replace(info, format=found.format, scenes=found.scenes and info.scenes):
            raise DemoError(f"dataset {folder}: got {found}, allowed {info}; choose another folder or delete it")
        return Dataset(folder, found, "r+")
    if folder.exists() and not (folder.is_dir() and {path.name for path in visible(folder)} <= _names(info)):
        raise DemoError(f"dataset folder {folder}: got a folder with other files, allowed a new or empty one")
    (folder / "done").mkdir(parents=True, exist_ok=True)
    for name, (dtype, shape) in info.arrays().items():
        np.lib.format.open_memmap(_array(folder, name), mode="w+", dtype=dtype, shape=shape)
        _reserve(_array(folder, name))
    # Written last: a folder with a dataset.json has all its arrays.
    write_json(folder / "dataset.json", asdict(info))
    return Dataset(folder, info, "r+")


IN_MEMORY_BYTES = 6 * 2**30
"""Datasets up to this size are read into memory: random access to a file is slower than a meta-step."""


def open_dataset(folder: Path) -> Dataset:
    """Opens a complete dataset for reading, in memory when it is small enough.

    Raises:
        DemoError: none there, of another format, or unfinished.
    """
    info = read_info(folder)
    size = sum(np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in info.arrays().values())
    dataset = Dataset(folder, info, None if size <= IN_MEMORY_BYTES else "r")
    if missing := dataset.missing():
        raise DemoError(
            f"dataset {folder}: got {len(missing)} of {dataset.info.n_sets} sets unfinished, allowed a complete one; "
            "run the same `daml collect` again to finish it"
        )
    return dataset


def _reserve(path: Path) -> None:
    """Takes the room of a file on the disk now: a process that writes through memory to a full disk is killed.

    Raises:
        OSError: there is not enough.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _array(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def _names(info: DatasetInfo) -> set[str]:
    """What is in a folder whose creation was stopped before its dataset.json."""
    return {"done", *(f"{name}.npy" for name in info.arrays())}


def _load(path: Path, mode: Literal["r", "r+"] | None, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r" if mode else None)
        if mode == "r+":  # only now: it would silently lengthen a file that was cut short
            array = np.load(path, mmap_mode=mode)
    except (OSError, ValueError, EOFError) as error:
        raise DemoError(f"{path}: got no readable array ({error}), allowed {shape}; collect it again") from error
    if array.dtype != dtype or array.shape != shape:
        raise DemoError(f"{path}: got {array.dtype} {array.shape}, allowed {np.dtype(dtype)} {shape}; collect it again")
    return array


def read_info(folder: Path) -> DatasetInfo:
    """What a dataset holds, complete or not.

    Raises:
        DemoError: none there, or of another format.
    """
    path = folder / "dataset.json"
    try:
        said = json.loads(path.read_text())
        info = DatasetInfo(**said | {"fingertip": tuple(said.get("fingertip", DatasetInfo.fingertip))})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DemoError(
            f"dataset {folder}: got no readable dataset.json ({error}), allowed a `daml collect` folder"
        ) from error
    for field in fields(info):
        value = getattr(info, field.name)
        if type(value) not in _kinds(field.type):
            raise DemoError(f"dataset {folder}: got {field.name} {value!r} in dataset.json, allowed {field.type}")
    if info.format not in READ:
        raise DemoError(f"dataset {folder}: got format {info.format}, allowed {FORMAT}; collect it again")
    if info.env_id is not None:
        find_skill(info.env_id, named_in=folder)
    return info


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The types of what an annotated field holds."""
    if get_origin(hint) is tuple:
        return (tuple,)
    return get_args(hint) or (hint,)
