"""Exports hold the same numbers, in the layout that LeRobot v3.0 and robomimic read."""

import json
import subprocess
import sys
from pathlib import Path

import av
import gymnasium
import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from av.video.reformatter import Colorspace

from demos import lerobot, robomimic
from demos.episodes import read_recording, write_recording
from demos.errors import DemoError
from demos.export import export
from demos.recipe import Recipe
from demos.recorder import record_human
from demos.recording import Recording, RecordingInfo
from demos.skills import SKILLS
from demos.video import read_video

LENGTHS = (5, 3, 4)
FPS = 10.0
ROOT = Path(__file__).parents[2]


def recording(number: int, steps: int, *, size: int = 16, state: int = 11, action: int = 4) -> Recording:
    """Of no environment that there is yet: other sizes of state and action."""
    rng = np.random.default_rng(number)
    recipe = Recipe("daml/Reach-v0", 0, "train", *divmod(number, 3))
    task = f"Reach: the {('red', 'blue')[number % 2]} cube"
    info = RecordingInfo(recipe, "expert", None, task, "0" * 64, steps, FPS, (size, size), True, 0.01, "4.0.0")
    return Recording(
        info,
        {
            "image": rng.integers(0, 256, (steps + 1, size, size, 3), np.uint8),
            "state": rng.normal(size=(steps + 1, state)).astype(np.float32),
        },
        rng.uniform(-1, 1, (steps, action)).astype(np.float32),
        rng.normal(size=steps),
        np.zeros(steps, bool),
        np.arange(steps) == steps - 1,
    )


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Recordings of different lengths; their environment is not asked, since it has other sizes."""
    monkeypatch.setattr("demos.episodes.spaces_of", lambda r: _spaces(r))
    made = [recording(number, steps) for number, steps in enumerate(LENGTHS)]
    return [write_recording(tmp_path / "in", one, one.images.repeat(2, 1).repeat(2, 2)) for one in made]


def _spaces(one):
    from gymnasium.spaces import Box, Dict

    image, state = one.observations["image"], one.observations["state"]
    observed = Dict({"image": Box(0, 255, image.shape[1:], np.uint8), "state": Box(-9, 9, state.shape[1:])})
    return observed, Box(-1, 1, one.actions.shape[1:]), None


@pytest.fixture
def exported(folders, tmp_path):
    assert export(folders, tmp_path / "out", "lerobot") == sum(LENGTHS)
    return tmp_path / "out"


# --- LeRobot ---------------------------------------------------------------------------------------------------------


def test_the_files_of_a_lerobot_dataset_are_where_its_reader_looks(exported):
    files = {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()}
    assert files == {
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "data/chunk-000/file-000.parquet",
        "videos/observation.images.front/chunk-000/file-000.mp4",
    }
    info = json.loads((exported / "meta/info.json").read_text())
    place = {"chunk_index": 0, "file_index": 0}
    assert (exported / info["data_path"].format(**place)).exists()
    assert (exported / info["video_path"].format(video_key="observation.images.front", **place)).exists()


def test_info_describes_every_column(exported):
    info = json.loads((exported / "meta/info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert info["fps"] == 10
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"]) == (3, 12, 2)
    assert info["splits"] == {"train": "0:3"}
    table = pq.read_table(exported / "data/chunk-000/file-000.parquet")
    videos = {name for name, feature in info["features"].items() if feature["dtype"] == "video"}
    assert set(table.column_names) == info["features"].keys() - videos
    for name in table.column_names:
        feature, kind = info["features"][name], table.schema.field(name).type
        if feature["shape"] == [1]:
            assert str(kind) == {"float32": "float", "int64": "int64", "bool": "bool"}[feature["dtype"]], name
        else:
            assert (str(kind.value_type), kind.list_size) == ("float", feature["shape"][0]), name
    # What its reader adds to every dataset by itself.
    assert {"timestamp", "frame_index", "episode_index", "index", "task_index"} <= info["features"].keys()


def test_the_rows_are_the_steps_in_order(exported, folders):
    rows = pq.read_table(exported / "data/chunk-000/file-000.parquet").to_pydict()
    assert rows["index"] == list(range(12))
    assert rows["episode_index"] == [0] * 5 + [1] * 3 + [2] * 4
    assert rows["frame_index"] == [*range(5), *range(3), *range(4)]
    assert rows["task_index"] == [0] * 5 + [1] * 3 + [0] * 4
    assert np.allclose(rows["timestamp"], np.array(rows["frame_index"]) / FPS)
    recordings = [read_recording(folder) for folder in folders]
    assert np.array_equal(rows["action"], np.concatenate([r.actions for r in recordings]))
    states = [r.observations["state"][:-1] for r in recordings]
    assert np.array_equal(np.array(rows["observation.state"], np.float32), np.concatenate(states))
    assert rows["next.done"] == [False] * 4 + [True] + [False] * 2 + [True] + [False] * 3 + [True]


def test_episodes_say_where_they_are(exported, folders):
    rows = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    video = read_video(exported / "videos/observation.images.front/chunk-000/file-000.mp4")
    assert video.n_frames == 12
    begin = 0
    for number, (row, folder) in enumerate(zip(rows, folders, strict=True)):
        one = read_recording(folder)
        assert row["episode_index"] == number
        assert row["length"] == LENGTHS[number]
        assert (row["dataset_from_index"], row["dataset_to_index"]) == (begin, begin + LENGTHS[number])
        assert row["tasks"] == [one.info.task]
        times = [row[f"videos/observation.images.front/{name}_timestamp"] for name in ("from", "to")]
        first, last = (round(time * FPS) for time in times)
        assert np.abs(video.frames[first:last].astype(int) - one.images[:-1]).max() <= 1
        assert np.allclose(row["stats/action/mean"], one.actions.mean(0), atol=1e-6)
        begin += LENGTHS[number]


def test_statistics_are_those_of_all_steps(exported, folders):
    stats = json.loads((exported / "meta/stats.json").read_text())
    recordings = [read_recording(folder) for folder in folders]
    actions = np.concatenate([r.actions for r in recordings]).astype(float)
    for name, value in (
        ("min", actions.min(0)),
        ("max", actions.max(0)),
        ("mean", actions.mean(0)),
        ("std", actions.std(0)),
    ):
        assert np.allclose(stats["action"][name], value), name
    pixels = np.concatenate([r.images[:-1] for r in recordings]) / 255
    image = stats["observation.images.front"]
    assert np.allclose(np.ravel(image["mean"]), pixels.mean((0, 1, 2)))
    assert np.allclose(np.ravel(image["std"]), pixels.std((0, 1, 2)))
    assert np.shape(image["mean"]) == (3, 1, 1)
    assert stats["action"]["count"] == [12]


QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


def quantile(numbers, share):
    """The least of the numbers that at least this share of them does not exceed, [k]."""
    return np.sort(numbers, 0)[max(0, int(np.ceil(share * len(numbers))) - 1)]


def test_quantiles_are_those_of_all_steps_and_of_each_episode(exported, folders):
    stats = json.loads((exported / "meta/stats.json").read_text())
    rows = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    recordings = [read_recording(folder) for folder in folders]
    camera = "observation.images.front"
    for name, share in QUANTILES.items():
        actions, pixels = [r.actions for r in recordings], [r.images[:-1].reshape(-1, 3) / 255 for r in recordings]
        assert np.allclose(stats["action"][name], quantile(np.concatenate(actions), share)), name
        assert np.allclose(np.ravel(stats[camera][name]), quantile(np.concatenate(pixels), share)), name
        for row, action, pixel in zip(rows, actions, pixels, strict=True):
            assert np.allclose(row[f"stats/action/{name}"], quantile(action, share)), name
            assert np.allclose(np.ravel(row[f"stats/{camera}/{name}"]), quantile(pixel, share)), name


def test_every_feature_has_all_statistics_in_the_shapes_that_are_merged_with_a_new_episodes(exported):
    """What an appended episode of LeRobot 0.6.1 brings: scalars as [1], vectors as [n], images as [3, 1, 1]."""
    features = json.loads((exported / "meta/info.json").read_text())["features"]
    whole = json.loads((exported / "meta/stats.json").read_text())
    (first, *_) = pq.read_table(exported / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    names = {"min", "max", "mean", "std", *QUANTILES}
    assert whole.keys() == features.keys()
    for feature, said in features.items():
        shape = (3, 1, 1) if said["dtype"] == "video" else tuple(said["shape"])
        assert whole[feature].keys() == {*names, "count"}
        assert {key.rpartition("/")[2] for key in first if key.startswith(f"stats/{feature}/")} == {*names, "count"}
        for name in names:
            assert np.shape(whole[feature][name]) == np.shape(first[f"stats/{feature}/{name}"]) == shape, (
                feature,
                name,
            )
        assert np.shape(whole[feature]["count"]) == np.shape(first[f"stats/{feature}/count"]) == (1,)


def test_a_reader_that_takes_every_video_for_bt601_is_at_most_1_off(exported, folders):
    """As LeRobot's pyav backend does: the file's own colour tags are not asked."""
    with av.open(str(exported / "videos/observation.images.front/chunk-000/file-000.mp4")) as file:
        assert file.streams.video[0].codec_context.colorspace == Colorspace.ITU601
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
    images = np.concatenate([read_recording(folder).images[:-1] for folder in folders])
    assert np.abs(frames.astype(int) - images).max() <= 1


def test_numbers_of_state_and_action_have_names(exported):
    features = json.loads((exported / "meta/info.json").read_text())["features"]
    state = ["fingertip_x", "fingertip_y", "fingertip_z", *(f"joint{i}" for i in range(1, 8)), "finger_opening"]
    assert features["observation.state"]["names"] == state
    velocity = [f"fingertip_velocity_{axis}" for axis in "xyz"]
    assert features["action"]["names"] == [*velocity, "finger_opening_wanted"]


@pytest.mark.parametrize("env_id", sorted(SKILLS))
def test_the_names_are_those_of_the_environment(env_id):
    env = gymnasium.make(env_id, disable_env_checker=True).unwrapped
    for names, feature in ((env.state_names, "observation.state"), (env.action_names, "action")):
        assert lerobot.NAMES[feature][: len(names)] == names


def test_tasks_have_the_words_as_the_index_that_pandas_reads(exported):
    table = pq.read_table(exported / "meta/tasks.parquet")
    assert dict(zip(table["task"].to_pylist(), table["task_index"].to_pylist(), strict=True)) == {
        "Reach: the red cube": 0,
        "Reach: the blue cube": 1,
    }
    assert json.loads(table.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_many_episodes_go_into_several_files(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(lerobot, "FILE_EPISODES", 2)
    export(folders, tmp_path / "out", "lerobot")
    rows = pq.read_table(tmp_path / "out/meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [row["data/file_index"] for row in rows] == [0, 0, 1]
    second = pq.read_table(tmp_path / "out/data/chunk-000/file-001.parquet")
    assert second["index"].to_pylist() == [8, 9, 10, 11]
    key = "videos/observation.images.front"
    assert rows[2][f"{key}/from_timestamp"] == 0
    assert read_video(tmp_path / f"out/{key}/chunk-000/file-001.mp4").n_frames == 4


# --- robomimic -------------------------------------------------------------------------------------------------------


def test_a_robomimic_file_holds_every_demonstration(folders, tmp_path):
    assert export(folders, tmp_path / "out", "robomimic") == sum(LENGTHS)
    with h5py.File(tmp_path / "out/demos.hdf5") as file:
        data = file["data"]
        assert data.attrs["total"] == 12
        arguments = json.loads(data.attrs["env_args"])
        assert (arguments["env_name"], arguments["type"]) == ("envs:daml/Reach-v0", 2)
        assert arguments["env_kwargs"]["image_size"] == [16, 16]
        assert arguments["env_kwargs"]["split"] == "train"
        for number, folder in enumerate(folders):
            one, demo = read_recording(folder), data[f"demo_{number}"]
            assert demo.attrs["num_samples"] == len(demo["actions"]) == LENGTHS[number]
            assert np.array_equal(demo["actions"], one.actions)
            assert np.array_equal(demo["obs/image"], one.images[:-1])
            assert np.array_equal(demo["next_obs/image"], one.images[1:])
            assert np.array_equal(demo["obs/state"][1:], demo["next_obs/state"][:-1])
            assert demo["dones"][:].tolist() == [0] * (LENGTHS[number] - 1) + [1]
            assert {len(demo[name]) for name in ("rewards", "dones", "states")} == {LENGTHS[number]}
        assert masks(file) == (["demo_0", "demo_1"], ["demo_2"])


def masks(file):
    """Names that train, names that validate."""
    return tuple(file[f"mask/{name}"][:].astype(str).tolist() for name in ("train", "valid"))


@pytest.mark.parametrize("number", [1, 2, 3, 9, 10, 11, 20, 25])
def test_every_demonstration_trains_or_validates_and_of_two_or_more_one_validates(tmp_path, number):
    assert robomimic.write(tmp_path, (recording(i, 2, size=8) for i in range(number))) == 2 * number
    with h5py.File(tmp_path / "demos.hdf5") as file:
        train, valid = masks(file)
    assert sorted([*train, *valid]) == sorted(f"demo_{i}" for i in range(number))
    assert len(valid) == {1: 0, 2: 1, 3: 1, 9: 1, 10: 1, 11: 1, 20: 2, 25: 2}[number]


PROGRAM = """
import json, sys, gymnasium, h5py
with h5py.File(sys.argv[1]) as file:
    said = json.loads(file["data"].attrs["env_args"])
assert "envs" not in sys.modules
env = gymnasium.make(said["env_name"], **said["env_kwargs"])
print(env.unwrapped.spec.id, env.reset(seed=0)[0]["image"].shape, env.unwrapped._split)
"""


def test_robomimics_environment_can_be_made_where_nobody_imported_ours(folders, tmp_path):
    export(folders, tmp_path / "out", "robomimic")
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / "out/demos.hdf5")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "daml/Reach-v0 (16, 16, 3) train\n", done.stderr


# --- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["lerobot", "robomimic"])
def test_nothing_is_left_of_an_export_that_is_refused(folders, tmp_path, layout):
    other = recording(7, 4, size=24)
    folders.append(write_recording(tmp_path / "in", other, other.images))
    with pytest.raises(DemoError, match=r"got .*24.* allowed .*16"):
        export(folders, tmp_path / "new" / "out", layout)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_there_is_left_alone(folders, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DemoError, match="there already"):
        export(folders, tmp_path / "out", "lerobot")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_human_and_an_unknown_format_are_refused(folders, tmp_path, monkeypatch):
    with pytest.raises(DemoError, match="format: got 'csv', allowed"):
        export(folders, tmp_path / "out", "csv")
    monkeypatch.undo()
    one, film = record_human(Recipe("daml/Reach-v0", 0, "train", 0, 0), size=16, fps=8.0, film_size=16)
    human = write_recording(tmp_path / "human", one, film)
    with pytest.raises(DemoError, match="no actions"):
        export([human], tmp_path / "out", "robomimic")
