"""Reads the robomimic layout, which `demos.robomimic` describes: one HDF5 file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demos.errors import DemoError
from demos.libraries import library
from demos.manifest import line
from demos.robots import Chosen, RobotEpisode, find_camera, find_state, table
from demos.video import resize

STATE = "state"


@dataclass(frozen=True)
class Robomimic:
    """Episodes in a file. lengths: name of each, such as demo_0, -> its steps.  camera, state: arrays under obs."""

    path: Path
    lengths: dict[str, int]
    camera: str
    state: tuple[str, ...]
    chosen: Chosen

    def read(self, name: str) -> RobotEpisode:
        steps, where = self.lengths[name], f"{name} of {self.path}"
        with opened(self.path) as file:
            demo = file["data"][name]
            arrays = {each: demo["obs"][each][()] for each in (*self.state, self.camera)}
            actions = table(where, "actions", demo["actions"][()], steps)
        frames = arrays[self.camera]
        if not is_images(frames) or len(frames) != steps:
            raise DemoError(
                f"{where}: got {self.camera} {frames.dtype} {frames.shape}, allowed uint8 ({steps}, H, W, 3)"
            )
        states = [table(where, each, arrays[each], steps) for each in self.state]
        return RobotEpisode(resize(frames, self.chosen.size, self.chosen.fit), np.concatenate(states, 1), actions)


def open_file(path: Path, chosen: Chosen) -> Robomimic:
    """A robomimic file, without its episodes.

    Raises:
        DemoError: damaged, without episodes, or the first of them has no such camera or state; or a library is not
            installed.
    """
    with opened(path) as file:
        demos = file["data"]
        lengths = {name: len(demos[name]["actions"]) for name in demos}
        if not lengths:
            raise DemoError(f"{path}: got no demonstrations, allowed one or more")
        first = demos[next(iter(lengths))]["obs"]
        images = [name for name in first if is_images(first[name])]
        numbers = [name for name in first if name not in images]
    state = find_state(path, chosen.state, STATE, numbers)
    return Robomimic(path, lengths, find_camera(path, chosen.camera, images), state, chosen)


def is_images(array: Any) -> bool:
    """Whether an array is uint8 [T, H, W, 3]."""
    shape = getattr(array, "shape", ())
    return len(shape) == 4 and tuple(shape)[-1:] == (3,) and array.dtype == np.uint8


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An HDF5 file; whatever is raised on a damaged one becomes one DemoError."""
    h5py = library("h5py")
    try:
        with h5py.File(path) as file:
            yield file
    except DemoError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise DemoError(f"{path}: got no readable robomimic file ({line(error)}), allowed data/DEMO/obs/...") from error
