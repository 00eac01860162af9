"""The camera in the hand in datasets, recordings and exports: there when it is asked for, and else nothing changes."""

import csv
import json
from dataclasses import replace

import gymnasium
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from demos.collect import collect, demonstrate_set, describe
from demos.distribution import SetTasks, Wanted
from demos.episodes import read_recording, write_recording
from demos.errors import DemoError
from demos.export import PAIRS, export, export_dataset
from demos.manifest import INFO, checksum_of
from demos.recipe import Recipe
from demos.record import expert
from demos.recorder import record_robot
from demos.recording import RecordingInfo
from demos.replay import replay
from demos.storage import create, open_dataset, read_info
from demos.tasks import sample_task_set
from demos.verify import verify
from demos.video import read_video
from envs.errors import EnvError
from envs.tabletop import IN_HAND

ENV, SIZE, BOTH, FRAMES = "daml/Reach-v0", 16, ("table", "hand"), 8
RECIPE = Recipe(ENV, seed=3, split="test", index=2, goal=1)
DATASET = describe(ENV, "train", 5, 2, SIZE, cameras=BOTH)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A complete dataset."""
    data = create(tmp_path_factory.mktemp("data") / "whole", DATASET)
    for index in range(DATASET.n_sets):
        data.write_set(index, demonstrate_set(DATASET, index))
    return data.folder


@pytest.fixture(scope="module")
def recorded():
    """A recording, and its film."""
    return record_robot(RECIPE, expert(ENV), by="expert", size=32, film_size=48, cameras=BOTH)


@pytest.fixture
def stored(recorded, tmp_path):
    return write_recording(tmp_path / "recordings", *recorded)


# --- datasets --------------------------------------------------------------------------------------------------------


def test_a_dataset_has_what_the_hand_sees_at_every_step_and_all_else_as_without(folder):
    data = open_dataset(folder)
    assert data["hand_frames"].shape == data["robot_frames"].shape
    usual = demonstrate_set(describe(ENV, "train", 5, 2, SIZE), 0)
    assert usual.keys() == DATASET.arrays().keys() - {"hand_frames"}
    for name, rows in usual.items():
        assert np.array_equal(data[name][0], rows.astype(data[name].dtype)), name
    env = gymnasium.make(ENV, image_size=SIZE, cameras=BOTH, disable_env_checker=True)
    for goal in range(3):
        scene = sample_task_set(5, "train", 0, env_id=ENV).robot_scenes[0].with_goal(goal)
        observation, _ = env.reset(options={"scene": scene})
        assert np.array_equal(data["hand_frames"][0, goal, 0], observation[IN_HAND])
    env.close()


def test_a_dataset_from_before_there_was_a_hand_is_opened_and_has_none(tmp_path):
    info = describe(ENV, "train", 5, 1, SIZE)
    data = create(tmp_path / "old", info)
    data.write_set(0, demonstrate_set(info, 0))
    said = json.loads((data.folder / "dataset.json").read_text())
    assert said.pop("hand") == 0
    (data.folder / "dataset.json").write_text(json.dumps(said))
    assert read_info(data.folder) == info
    with pytest.raises(DemoError, match=r"images of the hand: got none in .*old, allowed .* --cameras table hand"):
        SetTasks(open_dataset(data.folder), Wanted(FRAMES, images="first", hand=2))


def test_unknown_cameras_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(EnvError, match=r"cameras: got \('hand',\), allowed"):
        next(collect(tmp_path / "new", env_id=ENV, split="train", n_sets=1, seed=0, cameras=("hand",)))
    assert not (tmp_path / "new").exists()


def test_a_task_has_what_the_hand_sees_at_the_last_states_and_nothing_else_changes(folder):
    data = open_dataset(folder)

    def batch(augmented=False, **wanted):
        tasks = SetTasks(data, Wanted(FRAMES, images="first", states=4, **wanted), augmented=augmented)
        return tasks.sample(6, np.random.default_rng(0)).query.inputs

    for augmented in (False, True):
        plain, seen = batch(augmented), batch(augmented, hand=2)
        assert seen.keys() - plain.keys() == {"hand"}
        assert all(torch.equal(plain[name], seen[name]) for name in plain)
        assert seen["hand"].shape == (6, 2, SIZE, SIZE, 3)
    seen = batch(hand=2)
    states = torch.from_numpy(np.array(data["robot_states"])).flatten(0, 2)
    for images, state in zip(seen["hand"].flatten(0, 1), seen["state"][:, -2:].flatten(0, 1), strict=True):
        (at,) = (states == state).all(-1).nonzero().flatten().tolist()
        assert np.array_equal(data["hand_frames"].reshape(-1, SIZE, SIZE, 3)[at], images)


# --- recordings ------------------------------------------------------------------------------------------------------


def test_a_recording_is_read_verified_and_done_again_with_both_images(stored, recorded):
    recording, film = recorded
    again = read_recording(stored)
    assert again.info == recording.info
    assert again.info.cameras == BOTH
    assert np.array_equal(again.observations[IN_HAND], recording.observations[IN_HAND])
    assert film.shape[1:] == (48, 2 * 48, 3)
    verify(stored)
    assert replay(again, 48)[0].exact


def test_a_replay_sees_when_the_hand_sees_something_else(recorded):
    recording = recorded[0]
    other = recording.observations[IN_HAND].copy()
    other[3, 5, 5, 0] ^= 64
    deviation, _ = replay(replace(recording, observations=recording.observations | {IN_HAND: other}), 16)
    assert deviation.pixels == 64
    assert deviation.metres == 0


def test_without_the_hand_a_recording_says_what_it_always_said(tmp_path):
    recording, film = record_robot(RECIPE, expert(ENV), by="expert", size=16, film_size=16)
    assert "cameras" not in json.loads((write_recording(tmp_path, recording, film) / INFO).read_text())


@pytest.mark.parametrize("cameras", [["hand"], "table", 3, [["table"]]])
def test_cameras_that_there_are_not_are_refused(stored, cameras):
    said = json.loads((stored / INFO).read_text()) | {"cameras": cameras}
    said.pop("checksum")
    (stored / INFO).write_text(json.dumps(said | {"checksum": checksum_of(said)}))
    with pytest.raises(DemoError, match="cameras: got"):
        read_recording(stored)


def test_a_human_has_no_camera_in_the_hand():
    with pytest.raises(DemoError, match=r"cameras: got \('table', 'hand'\), allowed \('table',\) for .* by human"):
        RecordingInfo(RECIPE, "human", None, "", "", 3, 10.0, (16, 16), None, None, "", cameras=BOTH)


# --- exports ---------------------------------------------------------------------------------------------------------


def test_lerobot_has_it_as_a_second_video(stored, recorded, tmp_path):
    recording = recorded[0]
    export([stored], tmp_path / "out", "lerobot")
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    names = [name for name, feature in info["features"].items() if feature["dtype"] == "video"]
    assert names == ["observation.images.front", "observation.images.hand"]
    for name, image in zip(names, ("image", IN_HAND), strict=True):
        place = {"video_key": name, "chunk_index": 0, "file_index": 0}
        frames = read_video(tmp_path / "out" / info["video_path"].format(**place)).frames
        assert np.abs(frames.astype(int) - recording.observations[image][:-1]).max() <= 1
    (row,) = pq.read_table(tmp_path / "out/meta/episodes/chunk-000/file-000.parquet").to_pylist()
    for what in ("chunk_index", "file_index", "from_timestamp", "to_timestamp"):
        assert row[f"videos/{names[1]}/{what}"] == row[f"videos/{names[0]}/{what}"]
    assert json.loads((tmp_path / "out/meta/stats.json").read_text()).keys() == info["features"].keys()


def test_robomimic_has_it_beside_the_other_image(stored, recorded, tmp_path):
    images = recorded[0].observations[IN_HAND]
    export([stored], tmp_path / "out", "robomimic")
    with h5py.File(tmp_path / "out/demos.hdf5") as file:
        assert np.array_equal(file["data/demo_0/obs/image_hand"], images[:-1])
        assert np.array_equal(file["data/demo_0/next_obs/image_hand"], images[1:])
        made = json.loads(file["data"].attrs["env_args"])
    env = gymnasium.make(made["env_name"], disable_env_checker=True, **made["env_kwargs"])
    assert IN_HAND in env.observation_space.spaces
    env.close()


def test_recordings_through_other_cameras_do_not_go_into_one_export(stored, tmp_path):
    other = write_recording(tmp_path / "usual", *record_robot(RECIPE, expert(ENV), by="expert", size=32, film_size=16))
    with pytest.raises(DemoError, match=r"got .*\('table',\).*, allowed .*\('table', 'hand'\)"):
        export([stored, other], tmp_path / "out", "robomimic")


@pytest.mark.parametrize("layout", ["lerobot", "robomimic"])
def test_a_dataset_is_exported_with_it(folder, tmp_path, layout):
    n_sets, steps = export_dataset(folder, tmp_path / "out", layout, sets=1)
    assert (n_sets, steps) == (1, 3 * DATASET.steps)
    with (tmp_path / "out" / PAIRS).open() as file:
        assert len(list(csv.DictReader(file))) == 3
    frames = open_dataset(folder)["hand_frames"][0]
    if layout == "robomimic":
        with h5py.File(tmp_path / "out/robot/demos.hdf5") as file:
            assert np.array_equal(file["data/demo_2/obs/image_hand"], frames[2])
    else:
        film = read_video(tmp_path / "out/robot/videos/observation.images.hand/chunk-000/file-000.mp4").frames
        assert np.abs(film.astype(int) - frames.reshape(film.shape)).max() <= 1
