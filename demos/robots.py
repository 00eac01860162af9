"""Robot demonstrations that others recorded, whatever the layout of their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from demos.errors import DemoError
from demos.video.frames import Fit

SHORTEST = 2
"""Steps that an episode has at least."""


class Chosen(NamedTuple):
    """What is read of each episode.

    camera: whose images; the only one when None.  state: names of the arrays that are the robot's state, one after the
    other; the usual one when there is none.  size: side of the images [px].  fit: how they become square.
    """

    camera: str | None
    state: tuple[str, ...]
    size: int
    fit: Fit


@dataclass(frozen=True)
class RobotEpisode:
    """What a robot saw and did.

    frames: uint8 [T, size, size, 3].  states: float32 [T, n].  actions: float32 [T, m].
    """

    frames: np.ndarray
    states: np.ndarray
    actions: np.ndarray


class Robot(Protocol):
    """Episodes of one robot in a file or a folder; it can be sent to other processes."""

    @property
    def lengths(self) -> dict[str, int]:
        """Name of each episode -> its steps."""

    def read(self, name: str) -> RobotEpisode:
        """An episode.

        Raises:
            DemoError: it cannot be read, or is not what it says.
        """


def open_robot(path: Path, chosen: Chosen) -> Robot:
    """The episodes in a LeRobot folder or a robomimic file.

    Raises:
        DemoError: it is neither, is damaged, has no such camera or state, or the library that reads it is not
            installed.
    """
    from demos import lerobot_reader, robomimic_reader

    if (path / "meta/info.json").is_file():
        return lerobot_reader.open_folder(path, chosen)
    if path.is_file():
        return robomimic_reader.open_file(path, chosen)
    got = "a folder without meta/info.json" if path.is_dir() else "nothing"
    raise DemoError(f"robot {path}: got {got}, allowed a LeRobot v3 folder or a robomimic HDF5 file")


def find_camera(where: Path, camera: str | None, there: Sequence[str]) -> str:
    """The camera of a name, or the only one.

    Raises:
        DemoError: there is none of that name, or not just one.
    """
    if camera is None and len(there) == 1:
        return there[0]
    if camera is None or camera not in there:
        got = f"{len(there)} and no choice" if camera is None else repr(camera)
        raise DemoError(f"camera in {where}: got {got}, allowed one of {sorted(there)}, with --camera")
    return camera


def find_state(where: Path, state: tuple[str, ...], usual: str, there: Sequence[str]) -> tuple[str, ...]:
    """The names of the arrays that are the state.

    Raises:
        DemoError: there is none of such a name.
    """
    state = state or (usual,)
    for name in state:
        if name not in there:
            raise DemoError(f"state in {where}: got {name!r}, allowed some of {sorted(there)}, with --state")
    return state


def table(where: str, what: str, rows: object, steps: int) -> np.ndarray:
    """Numbers of an episode, float32 [steps, n].

    Raises:
        DemoError: they are something else, of another length, or not finite.
    """
    try:
        array = np.asarray(rows, np.float32)
    except (ValueError, TypeError) as error:
        raise DemoError(
            f"{where}: got {what} of different sizes or no numbers, allowed as many in each step"
        ) from error
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) != steps or not array.shape[1]:
        raise DemoError(f"{where}: got {what} of shape {array.shape}, allowed ({steps}, n)")
    if not np.isfinite(array).all():
        raise DemoError(f"{where}: got {what} that are no numbers, allowed finite ones")
    return array
