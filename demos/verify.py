"""Verification: everything about a recording that can be checked."""

import warnings
from pathlib import Path

import numpy as np

from demos.episodes import read_recording, spaces_of
from demos.errors import DemoError
from demos.manifest import ALLOWED, MAX_BYTES, check_sum, line, read_manifest
from demos.naming import check_id
from demos.recording import Recording, RecordingInfo, check_scene
from envs.errors import EnvError


def verify(folder: Path) -> RecordingInfo:
    """Looks at everything: checksums, numbers, the scene, and whether Minari finds it and reads the same.

    Raises:
        DemoError: says what is wrong.
    """
    info, sums = read_manifest(folder)
    for name in MAX_BYTES:
        check_sum(folder, name, sums)
    recording = read_recording(folder)
    check_scene(info)
    try:
        observation_space, action_space, _ = spaces_of(recording)
    except EnvError as error:
        raise DemoError(f"{folder}: {error}") from error
    rows = ({name: rows[i] for name, rows in recording.observations.items()} for i in range(info.steps + 1))
    if not all(observation_space.contains(row) for row in rows):
        raise DemoError(f"{folder}: got observations outside of {observation_space}, allowed only such")
    if not all(action_space.contains(action) for action in recording.actions):
        raise DemoError(f"{folder}: got actions outside of {action_space}, allowed only such")
    _check_minari(folder, recording)
    return info


def _check_minari(folder: Path, recording: Recording) -> None:
    """Refuses a recording that Minari reads as something else."""
    from minari import MinariDataset

    with warnings.catch_warnings(action="ignore"):
        try:
            dataset = MinariDataset(folder / "data")
            episode = next(iter(dataset.iterate_episodes()))
        except Exception as error:  # whatever its readers raise
            raise DemoError(f"{folder}: got data that Minari cannot read ({line(error)}), allowed {ALLOWED}") from error
    same = np.array_equal(episode.actions, recording.actions) and all(
        np.array_equal(episode.observations[name], array) for name, array in recording.observations.items()
    )
    if not same:
        raise DemoError(f"{folder}: got other data from Minari than were recorded, allowed the same")
    check_id(folder, dataset.id)
