"""The robomimic layout: one HDF5 file of demonstrations.

data/                attrs: total (steps), env_args (JSON: name, type and arguments of the environment)
data/demo_0/         attrs: num_samples, task
    actions [T, m]   rewards [T]   dones [T]   states [T, n]: what the robot observes of itself
    obs/image [T, H, W, 3]   obs/state [T, n]   next_obs/...: the same, one step later
    obs/image_hand [T, H, W, 3], with a camera in the hand
mask/train, mask/valid   names of demonstrations: every tenth validates, of fewer the last one, a single one trains

env_args names the environment as "envs:ID": Gymnasium imports `envs`, which registers it, and nobody else has to. An
entry point among Gymnasium's plugins would need an installed package, and would import it with every
`import gymnasium`. The environment's arguments are those of the last demonstration.

Source: robomimic.github.io, "Dataset Structure" (its environments of type 2 are Gym's).
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from demos.recording import Recording, env_arguments

GYM_TYPE = 2
"""robomimic's number for a Gym environment."""
MODULE = "envs"
"""What registers the environments when it is imported; a task of somebody's own has its own module in its name."""
FILE = "demos.hdf5"


def write(folder: Path, recordings: Iterable[Recording]) -> int:
    """Writes recordings of one environment into `folder`; returns the steps written."""
    import h5py

    names, total = [], 0
    with h5py.File(folder / FILE, "w") as file:
        data = file.create_group("data")
        for number, recording in enumerate(recordings):
            names.append(f"demo_{number}")
            _write_demo(data.create_group(names[-1]), recording)
            total += recording.info.steps
            arguments = {"env_name": with_module(recording.info.recipe.env_id), "type": GYM_TYPE}
            data.attrs["env_args"] = json.dumps(arguments | {"env_kwargs": env_arguments(recording.info)})
        data.attrs["total"] = total
        held_out = set(names[9::10] or names[1:][-1:])
        for mask, kept in (("train", [n for n in names if n not in held_out]), ("valid", sorted(held_out))):
            file.create_dataset(f"mask/{mask}", data=np.array(kept, "S"))
    return total


def with_module(env_id: str) -> str:
    """An id with the module that registers it."""
    return env_id if ":" in env_id else f"{MODULE}:{env_id}"


def _write_demo(demo: Any, recording: Recording) -> None:
    demo.attrs["num_samples"] = recording.info.steps
    demo.attrs["task"] = recording.info.task
    demo["actions"] = recording.actions
    demo["rewards"] = recording.rewards
    demo["dones"] = (recording.terminations | recording.truncations).astype(np.int64)
    demo["states"] = recording.observations["state"][:-1]
    for name, rows in recording.observations.items():
        demo[f"obs/{name}"] = rows[:-1]
        demo[f"next_obs/{name}"] = rows[1:]
