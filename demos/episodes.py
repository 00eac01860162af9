"""Recordings on disk: one folder each, a dataset of one episode to Minari, whole or not there at all.

data/main_data.hdf5   the episode, as Minari 0.5 stores it, images as raw pixels
data/metadata.json    Minari's description of it
episode.mp4           the same to look at
recording.json        `RecordingInfo`, and checksums of all four
"""

import json
import os
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from daml.folders import visible
from demos.errors import DemoError
from demos.manifest import ALLOWED, DATA, FILM, INFO, check_sum, checksums, line, read_manifest, write_info
from demos.naming import minari_id
from demos.recording import Recording, RecordingInfo, env_arguments
from demos.skills import id_of
from demos.video import write_video

MAX_MEMORY = 2**30
"""Most memory that the arrays of one recording take [B]."""


def write_recording(root: Path, recording: Recording, film: np.ndarray) -> Path:
    """Writes a recording beside its place and renames it.

    Args:
        root: its folder will be in here.
        recording: what to write.
        film: uint8 [T, H, W, 3], to look at.

    Returns:
        The recording's folder.

    Raises:
        DemoError: there is one of that name.
    """
    folder = root / recording.info.name
    if folder.exists():
        raise DemoError(f"recording {folder}: got one that is there already, allowed a new one; choose another folder")
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob(f".{folder.name}.*.part"):  # of a process that was killed
        shutil.rmtree(left)
    part = root / f".{folder.name}.{os.getpid()}.part"
    try:
        (part / "data").mkdir(parents=True)
        _write_minari((part / "data").resolve(), recording, minari_id(folder))
        write_video(part / FILM, film, recording.info.fps)
        write_info(part, recording.info, checksums(part))
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _write_minari(folder: Path, recording: Recording, dataset_id: str) -> None:
    """Writes the episode as a Minari dataset."""
    import minari
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    info = recording.info
    observation_space, action_space, spec = spaces_of(recording)
    storage = MinariStorage.new(folder, observation_space, action_space, spec, "hdf5", jpeg_encoding=False)
    buffer = EpisodeBuffer(
        id=0,
        seed=info.recipe.seed,
        observations=recording.observations,
        actions=recording.actions,
        rewards=recording.rewards,
        terminations=recording.terminations,
        truncations=recording.truncations,
    )
    storage.update_episodes([buffer])
    storage.update_metadata(
        {
            "dataset_id": dataset_id,
            "minari_version": minari.__version__,
            "algorithm_name": info.by,
            "description": f"{info.task}. Scene: {json.dumps(info.recipe.said())}",
            "requirements": [f"mujoco=={info.mujoco}"],
        }
    )


def spaces_of(recording: Recording) -> tuple[spaces.Space, spaces.Space, Any]:
    """Observation space, action space and environment of a recording; a human acts in no environment."""
    info = recording.info
    if info.by == "human":
        image = spaces.Box(0, 255, (*info.size, 3), np.uint8)
        time = spaces.Box(0, np.inf, (1,), np.float32)
        return spaces.Dict({"image": image, "time": time}), spaces.Box(-1, 1, (0,), np.float32), None
    arguments = env_arguments(info)
    env = gymnasium.make(info.recipe.env_id, disable_env_checker=True, **arguments)
    spec = deepcopy(gymnasium.spec(id_of(env)))
    spec.kwargs = arguments
    observed, acted = env.observation_space, env.action_space
    env.close()
    return observed, acted, spec


def find_recordings(root: Path) -> list[Path]:
    """The folders of recordings in a folder, sorted; itself when it is one. Links are not followed.

    Raises:
        DemoError: there are none.
    """
    if (root / INFO).is_file():
        return [root]
    found = [path for path in visible(root) if not path.is_symlink() and (path / INFO).is_file()]
    if not found:
        raise DemoError(f"recordings: got none in {root}, allowed {ALLOWED}, or a folder of such")
    return found


def read_recording(folder: Path) -> Recording:
    """A recording.

    Raises:
        DemoError: as `read_manifest`, or its data are damaged.
    """
    info, sums = read_manifest(folder)
    check_sum(folder, DATA, sums)
    return _read_arrays(folder / DATA, info)


def _read_arrays(path: Path, info: RecordingInfo) -> Recording:
    """The arrays of a recording; their sizes are looked at before anything is read."""
    import h5py

    other = "time" if info.by == "human" else "state"
    observed = (*info.images, other)
    names = [f"observations/{name}" for name in observed]
    names += ["actions", "rewards", "terminations", "truncations"]
    try:
        with h5py.File(path, "r") as file:
            found = {name: _dataset(file, f"episode_0/{name}") for name in names}
            total = sum(array.size * array.dtype.itemsize for array in found.values())
            if total > MAX_MEMORY:
                raise DemoError(f"{path}: got {total / 2**30:.1f} GiB, allowed {MAX_MEMORY / 2**30:.0f} GiB")
            arrays = {name: array[()] for name, array in found.items()}
    except DemoError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, MemoryError, OverflowError) as error:
        raise DemoError(f"{path}: got no readable episode ({line(error)}), allowed {ALLOWED}") from error
    observations = {name: arrays.pop(f"observations/{name}") for name in observed}
    return Recording(info=info, observations=observations, **arrays)


def _dataset(file: Any, name: str) -> Any:
    """A dataset of an HDF5 file that lies in the file itself, in full: links and outside storage reach elsewhere."""
    import h5py

    group = file
    *above, last = name.split("/")
    for part in [*above, last]:
        if not isinstance(group, h5py.Group) or not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise DemoError(f"{file.filename}: got no {name}, allowed {ALLOWED}")
        group = group[part]
    if not isinstance(group, h5py.Dataset) or group.external or group.is_virtual or group.dtype.kind not in "fub":
        raise DemoError(f"{file.filename}: got a strange {name}, allowed plain numbers")
    return group
