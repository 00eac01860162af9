"""Demonstrations of MIL's reaching: one of every task in every condition, collected once, a file for some sets.

Frames are the middle of the camera's image, where arm and boxes are, at `MOMENTS` of the trial; the first one is taken
before anything has moved and is what a policy sees of a scene.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from daml.files import beside
from demos.errors import DemoError
from demos.executors import executor
from demos.mil_expert import expert
from envs.mil_reach import HEIGHT, STEPS, WIDTH, MilReach, pixels
from envs.mil_scenes import N_BOXES, Scenes

SIDE = 48
"""Of a frame [px]: 0.49 m at the boxes' height."""
MOMENTS = np.linspace(0, STEPS - 1, 8).round().astype(int)
"""Steps of which frames are kept."""
PART = 25
"""Sets in a file."""
DISTURBANCE = {"train": 0.05, "test": 0.0}
"""Standard deviation of what is added to the expert's torques, by split. What is kept is the expert's own answer to
where that led (DART: Laskey et al. 2017, arXiv 1703.09327)."""

Act = Callable[[np.ndarray], np.ndarray]
"""Observation -> torques [2]."""


class Demos(NamedTuple):
    """Of every set, condition and goal, in this order.

    frames: uint8 [..., len(MOMENTS), SIDE, SIDE, 3].  states: float32 [..., STEPS, 10], as observed.  torques: float32
    [..., STEPS, 2].
    """

    frames: np.ndarray
    states: np.ndarray
    torques: np.ndarray


def trial(arm: MilReach, act: Act) -> tuple[np.ndarray, np.ndarray]:
    """One trial without images: observations [STEPS, 10], each before its action, and torques [STEPS, 2]."""
    observation, states, torques = arm.reset(), [], []
    for _ in range(STEPS):
        states.append(observation)
        torques.append(act(observation))
        observation = arm.step(torques[-1])
    return np.stack(states), np.stack(torques)


def middle(image: np.ndarray) -> np.ndarray:
    """The middle of an image of the camera: uint8 [HEIGHT, WIDTH, 3] -> [SIDE, SIDE, 3]."""
    top, left = (HEIGHT - SIDE) // 2, (WIDTH - SIDE) // 2
    return image[top : top + SIDE, left : left + SIDE]


def in_frame(places: np.ndarray) -> np.ndarray:
    """Where places [..., 3] [m] are in a frame: (x, y) in [0, 1], [..., 2]."""
    return (pixels(places) - (np.array([WIDTH, HEIGHT]) - SIDE) / 2) / SIDE


def collect(folder: Path, scenes: Scenes, split: str, workers: int) -> Iterator[int]:
    """Collects what is missing; run again after a stop, it goes on.

    Yields:
        The number of files that are there, at the start and after each new one.

    Raises:
        DemoError: as `demos.executors.executor`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {path: part for path, part in _parts(folder, scenes, split) if not path.exists()}
    done = n_parts(scenes) - len(paths)
    yield done
    if not paths:
        return
    with executor("processes", min(workers, len(paths))) as each:
        for _ in each(partial(_collect, split), paths.items()):
            done += 1
            yield done


def n_parts(scenes: Scenes) -> int:
    """Files of a split."""
    return -(-len(scenes.places) // PART)


def read_demos(folder: Path, scenes: Scenes, split: str) -> Demos:
    """All demonstrations of a split, in memory.

    Raises:
        DemoError: a file is missing or is not what was written.
    """
    lead = (*scenes.places.shape[:2], N_BOXES)
    demos = Demos(
        np.empty((*lead, len(MOMENTS), SIDE, SIDE, 3), np.uint8),
        np.empty((*lead, STEPS, 10), np.float32),
        np.empty((*lead, STEPS, 2), np.float32),
    )
    for number, (path, _) in enumerate(_parts(folder, scenes, split)):
        try:
            with np.load(path) as file:
                for name, array in demos._asdict().items():
                    array[PART * number : PART * (number + 1)] = file[name]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DemoError(f"demonstrations {path}: got {error}, allowed what was collected; delete it") from error
    return demos


def _parts(folder: Path, scenes: Scenes, split: str) -> Iterator[tuple[Path, Scenes]]:
    """Every file's path, with a digest of its scenes in it, and its scenes."""
    for start in range(0, len(scenes.places), PART):
        part = Scenes(scenes.model, scenes.places[start : start + PART], scenes.colours[start : start + PART])
        content = part.model.encode() + part.places.tobytes() + part.colours.tobytes()
        yield folder / f"{split}-{start:03d}-{hashlib.sha256(content).hexdigest()[:8]}.npz", part


def _collect(split: str, part: tuple[Path, Scenes]) -> None:
    """Demonstrates every task of some sets and writes the file."""
    path, scenes = part
    arm, rng = MilReach(scenes), np.random.default_rng(list(path.name.encode()))
    every = []
    for number, condition in np.ndindex(scenes.places.shape[:2]):
        arm.put(number, condition)
        for goal in scenes.places[number, condition]:
            every.append(_demonstrate(arm, goal, DISTURBANCE[split], rng))
    arm.close()
    lead = (*scenes.places.shape[:2], N_BOXES)
    arrays = {
        name: np.stack(values).reshape(*lead, *values[0].shape)
        for name, values in zip(Demos._fields, zip(*every, strict=True), strict=True)
    }
    with beside(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _demonstrate(arm: MilReach, goal: np.ndarray, disturbance: float, rng: np.random.Generator) -> Demos:
    """One demonstration in the scene that the arm is in."""
    observation, frames, states, torques = arm.reset(), [], [], []
    for step in range(STEPS):
        if step in MOMENTS:
            frames.append(middle(arm.image()))
        states.append(observation)
        torques.append(expert(observation, goal))
        observation = arm.step(torques[-1] + rng.normal(0, disturbance, 2))
    return Demos(np.stack(frames), np.stack(states).astype(np.float32), np.stack(torques).astype(np.float32))
