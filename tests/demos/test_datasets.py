"""Datasets: the same whoever collects them and however often they are stopped, and refused when they are not whole."""

import hashlib
import json
import shutil
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

from daml.meta_step import task_at
from demos.augment import augment
from demos.collect import collect, demonstrate_set, describe
from demos.distribution import MixedTasks, SetTasks, Wanted, goals_a_set, goals_of_ragged
from demos.errors import DemoError
from demos.rows import fits
from demos.skills import SKILLS
from demos.storage import Dataset, DatasetInfo, create, open_dataset
from demos.tasks import N_OBJECTS, sample_task_set

ENV, N_SETS, SEED, SIZE, FRAMES = "daml/Reach-v0", 4, 5, 16, 8
GLANCES = 3
INFO = describe(ENV, "train", SEED, N_SETS, SIZE, GLANCES, 1)
STEPS, DISTURBANCE = SKILLS[ENV].steps, SKILLS[ENV].disturbance
COLLECT = {
    "env_id": ENV,
    "split": "train",
    "n_sets": N_SETS,
    "seed": SEED,
    "size": SIZE,
    "n_glances": GLANCES,
    "n_lessons": 1,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A complete dataset, collected in this process."""
    folder = tmp_path_factory.mktemp("data") / "whole"
    data = create(folder, INFO)
    for index in range(N_SETS):
        data.write_set(index, demonstrate_set(INFO, index))
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.fixture(scope="module")
def data(whole):
    return open_dataset(whole)


def content(folder):
    """Checksum of every file but the bookkeeping."""
    files = sorted(folder.glob("*.npy"))
    assert {path.stem for path in files} == set(INFO.arrays())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_dataset_holds_what_it_says(data):
    assert data.info == INFO
    for name, (dtype, shape) in INFO.arrays().items():
        assert data[name].shape == shape
        assert data[name].dtype == dtype
        assert np.isfinite(data[name]).all()
        assert data[name].any(), f"{name} is empty"


def test_every_set_and_goal_is_its_own(data):
    for name in ("human_frames", "goal_pixels", "robot_frames", "robot_actions", "goal_points"):
        rows = data[name].reshape(N_SETS * N_OBJECTS, -1)
        assert len(np.unique(rows, axis=0)) == len(rows), name


def test_a_set_is_the_task_set_of_its_index(data):
    for index in range(N_SETS):
        robot = sample_task_set(SEED, "train", index).robot_scenes[0]
        points = data["goal_points"][index][:, 0]
        assert points[:, :2] == pytest.approx(robot.tops[:, :2], abs=1e-6)
        above = points[:, 2] - robot.tops[:, 2]
        assert ((above > -1e-6) & (above <= 1e-6)).all()


def test_goals_of_a_set_share_their_first_frames(data):
    for name in ("robot_frames", "robot_states", "human_frames"):
        first = data[name][:, :, 0]
        assert np.array_equal(first, np.broadcast_to(first[:, :1], first.shape)), name
        assert not np.array_equal(data[name][:, 0, -1], data[name][:, 1, -1]), name
    assert not np.array_equal(data["robot_actions"][:, 0, 0], data["robot_actions"][:, 1, 0])


def test_demonstrations_end_at_the_goal_in_spite_of_their_disturbance(data):
    tips = data["robot_states"][..., -1, :3]
    assert np.linalg.norm(tips - data["goal_points"][:, :, 0], axis=-1).max() < 0.05 + 0.4 * 0.1 * DISTURBANCE
    assert np.abs(data["robot_actions"]).max() <= 1


def test_with_nudges_the_robot_goes_where_the_goal_was_moved_to(data):
    """The first images, the videos and what a policy should know of the scene stay as they are."""
    rows = demonstrate_set(replace(INFO, nudge=2), 0)
    same = ("human_frames", "goal_pixels", "goal_points", "lesson_actions", "glance_frames")
    assert all(np.array_equal(rows[name].astype(data[name].dtype), data[name][0]) for name in same)
    assert np.array_equal(rows["robot_frames"][:, 0], data["robot_frames"][0, :, 0])
    scene = sample_task_set(SEED, "train", 0, nudge=2).robot_scenes[0]
    ends = rows["robot_states"][:, -1, :3]
    far, near = (np.linalg.norm(ends - place.tops, axis=1).max() for place in (scene, scene.nudged))
    assert near < 0.05 + 0.4 * 0.1 * DISTURBANCE
    assert near < far


def test_goal_pixels_are_inside_the_picture(data):
    assert ((data["goal_pixels"] > 0) & (data["goal_pixels"] < 1)).all()


def test_an_open_dataset_can_be_read_only_as_a_whole(copy):
    (copy / "done" / "2").unlink()
    with pytest.raises(DemoError, match=r"got 1 of 4 sets unfinished, allowed a complete one.*daml collect"):
        open_dataset(copy)


def test_the_room_of_a_dataset_is_taken_at_once_or_there_is_none(tmp_path, monkeypatch):
    """Who writes through memory to a full disk is killed without a word."""
    create(tmp_path / "data", INFO)
    for path in (tmp_path / "data").glob("*.npy"):
        assert path.stat().st_blocks * 512 >= path.stat().st_size

    def full(*of):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        create(tmp_path / "more", INFO)
    assert not (tmp_path / "more" / "dataset.json").exists()


def test_a_collection_is_not_gone_on_with_in_other_scenes(copy):
    """As other code draws them."""
    info = json.loads((copy / "dataset.json").read_text())
    write = (copy / "dataset.json").write_text
    write(json.dumps(info | {"scenes": "0" * 64}))
    with pytest.raises(DemoError, match="choose another folder"):
        list(collect(copy, **COLLECT))
    write(json.dumps({name: value for name, value in info.items() if name != "scenes"}))
    list(collect(copy, **COLLECT))  # of an earlier version, which says nothing of them


def test_there_are_no_more_processes_than_cores_that_this_process_may_use(tmp_path, monkeypatch):
    """Under SLURM or taskset the machine has more."""
    asked = []
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3, 5, 8}, raising=False)
    monkeypatch.setattr("demos.collect.executor", lambda on, number: asked.append(number) or nullcontext())
    next(collect(tmp_path / "data", **COLLECT))
    assert asked == [3]


@pytest.mark.slow
def test_any_number_of_workers_collects_the_same(whole, tmp_path):
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        assert list(collect(folder, **COLLECT, workers=workers)) == list(range(N_SETS + 1))
        assert content(folder) == content(whole)
        assert open_dataset(folder).info == INFO


@pytest.mark.slow
def test_a_stopped_collection_goes_on_to_the_same_dataset(whole, copy):
    """Two sets are lost: one never begun, one half written."""
    for index in (1, 3):
        (copy / "done" / str(index)).unlink()
    damaged = Dataset(copy, INFO, "r+")
    for name in INFO.arrays():
        damaged[name][1] = 0
    damaged["robot_frames"][3, 1:] = 7
    del damaged
    assert content(copy) != content(whole)
    untouched = (copy / "done" / "0").stat().st_mtime_ns
    assert list(collect(copy, **COLLECT, workers=1)) == [2, 3, 4]
    assert content(copy) == content(whole)
    assert (copy / "done" / "0").stat().st_mtime_ns == untouched, "what was complete is not done again"


def test_a_complete_dataset_is_not_collected_again(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    assert list(collect(copy, **COLLECT)) == [N_SETS]
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_a_creation_that_was_stopped_is_begun_again(tmp_path):
    folder = tmp_path / "data"
    create(folder, INFO)
    (folder / "dataset.json").rename(folder / ".dataset.json.part")
    (folder / "goal_points.npy").write_bytes(b"\x93NUM")
    assert create(folder, INFO).missing() == list(range(N_SETS))
    assert json.loads((folder / "dataset.json").read_text())["seed"] == SEED


@pytest.mark.parametrize(
    ("name", "value"), [("seed", 6), ("split", "val"), ("size", 24), ("n_sets", 5), ("n_glances", 0), ("nudge", 1)]
)
def test_a_dataset_of_other_content_is_not_continued(copy, name, value):
    before, what = content(copy), name.removeprefix("n_")
    with pytest.raises(DemoError, match=rf"got .*{what}=.* allowed .*{what}={value!r}.* choose another folder"):
        list(collect(copy, **(COLLECT | {name: value}), workers=1))
    assert content(copy) == before


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DemoError, match="got a folder with other files, allowed a new or empty one"):
        next(collect(tmp_path, **COLLECT))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_with_nothing_but_hidden_files_is_empty(tmp_path):
    (tmp_path / ".DS_Store").touch()
    assert create(tmp_path, INFO).missing() == list(range(N_SETS))


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DemoError, match="allowed a new or empty one"):
        next(collect(tmp_path / "data", **COLLECT))


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("n_sets", 0, "1 or more"),
        ("workers", 0, "1 or more"),
        ("env_id", "daml/Juggle-v0", "daml/Reach-v0"),
        ("split", "holdout", "train"),
        ("seed", -1, "0 or more"),
        ("size", 4, "8 to"),
        ("size", 10**6, "8 to"),
        ("n_glances", -1, "0 or more"),
        ("n_lessons", 2, "0 or 1"),
        ("nudge", 3, "0 to 2"),
    ],
)
def test_a_bad_argument_is_refused_before_anything_is_written(tmp_path, name, value, allowed):
    with pytest.raises(DemoError, match=rf"got '?{value}'?, allowed .*{allowed}"):
        next(collect(tmp_path / "data", **(COLLECT | {name: value})))
    assert not (tmp_path / "data").exists()


def test_no_dataset_is_an_error(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(DemoError, match=r"got no readable dataset\.json .* allowed a `daml collect` folder"):
            open_dataset(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", "{}", '{"seed": 1}', json.dumps(INFO.__dict__ | {"extra": 1}), "\x00\xff"]
)
def test_an_unreadable_description_is_an_error(copy, text):
    (copy / "dataset.json").write_text(text)
    with pytest.raises(DemoError, match=r"got no readable dataset\.json"):
        open_dataset(copy)


@pytest.mark.parametrize(("name", "value"), [("n_sets", "4"), ("size", 16.0), ("env_id", 3), ("seed", None)])
def test_a_description_of_the_wrong_type_is_an_error(copy, name, value):
    (copy / "dataset.json").write_text(json.dumps(INFO.__dict__ | {name: value}))
    with pytest.raises(DemoError, match=rf"got {name} .* in dataset\.json, allowed"):
        open_dataset(copy)


def test_another_format_is_an_error(copy):
    (copy / "dataset.json").write_text(json.dumps(INFO.__dict__ | {"format": 99}))
    with pytest.raises(DemoError, match=f"got format 99, allowed {INFO.format}; collect it again"):
        open_dataset(copy)


@pytest.mark.parametrize("name", INFO.arrays())
def test_a_missing_array_is_an_error(copy, name):
    (copy / f"{name}.npy").unlink()
    with pytest.raises(DemoError, match=rf"{name}\.npy: got no readable array"):
        open_dataset(copy)


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_array_is_an_error(copy, keep):
    path = copy / "robot_frames.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DemoError, match=r"robot_frames\.npy: got no readable array"):
        open_dataset(copy)
    with pytest.raises(DemoError, match=r"robot_frames\.npy: got no readable array"):
        list(collect(copy, **COLLECT, workers=1))


@pytest.mark.parametrize("change", [lambda a: a.astype(np.float64), lambda a: a[:2], lambda a: a[..., None]])
def test_an_array_of_another_shape_or_type_is_an_error(copy, change):
    path = copy / "goal_points.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(DemoError, match=r"goal_points\.npy: got .* allowed float32 \(4, 3, 1, 3\)"):
        open_dataset(copy)


def test_a_pickle_is_never_loaded(copy):
    np.save(copy / "goal_points.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DemoError, match=r"goal_points\.npy: got no readable array"):
        open_dataset(copy)


def test_foreign_files_among_the_marks_do_no_harm(copy):
    (copy / "done" / ".DS_Store").touch()
    assert open_dataset(copy).missing() == []


QUERY_STEPS = 8


def batch(data, seed, n_tasks=6, **wanted):
    tasks = SetTasks(data, Wanted(FRAMES, **({"states": QUERY_STEPS} | wanted)), augmented=False)
    return tasks.sample(n_tasks, np.random.default_rng(seed))


def test_a_batch_has_its_shapes(data):
    task = batch(data, 0)
    assert task.support.shape == (6, FRAMES, SIZE, SIZE, 3)
    assert task.support.dtype == task.query.inputs["image"].dtype == torch.uint8
    assert task.query.inputs["image"].shape == (6, QUERY_STEPS, SIZE, SIZE, 3)
    assert task.query.inputs["state"].shape == (6, QUERY_STEPS, 10)
    assert task.query.targets["action"].shape == (6, QUERY_STEPS, 3)
    assert task.query.targets["pose"].shape == (6, 1, 1, 3)
    assert task.query.targets["shown_at"].shape == (6, 1, 2)


def test_a_policy_that_acts_on_the_first_image_gets_only_that(data):
    every, first = batch(data, 0), batch(data, 0, images="first")
    assert torch.equal(first.query.inputs["image"], every.query.inputs["image"][:, :1])
    assert torch.equal(first.query.inputs["state"], every.query.inputs["state"])


def test_the_final_pose_is_where_the_demonstration_ends(data):
    told, seen = batch(data, 0), batch(data, 0, pose="end")
    assert torch.equal(seen.query.inputs["image"], told.query.inputs["image"])
    ends = torch.from_numpy(np.stack([data["robot_states"][..., -1, :3]])).flatten(0, -2)
    for pose in seen.query.targets["pose"][:, 0, 0]:
        assert (ends == pose).all(-1).any()
    assert not torch.equal(seen.query.targets["pose"], told.query.targets["pose"])


def test_later_states_are_those_of_the_beginning_that_is_asked_for(data):
    states = batch(data, 0, states=40, until=0.3).query.inputs["state"]
    early = torch.from_numpy(np.array(data["robot_states"][:, :, : int(0.3 * data.info.steps)])).flatten(0, 2)
    assert all((early == state).all(-1).any() for state in states.flatten(0, 1))


def test_looks_come_after_the_first_image_with_where_the_places_are_then(data):
    plain, some = (batch(data, 0, images="first", states=4, looks=n).query for n in (0, 2))
    assert some.inputs["image"].shape == (6, 3, SIZE, SIZE, 3)
    assert torch.equal(some.inputs["image"][:, :1], plain.inputs["image"])
    assert torch.equal(some.inputs["state"], plain.inputs["state"])
    assert torch.equal(some.targets["pose"][:, :1], plain.targets["pose"])
    images, places = some.inputs["image"][:, 1:].flatten(0, 1), some.targets["pose"][:, 1:].flatten(0, 1)
    for image, place in zip(images, places, strict=True):
        at = (np.asarray(data["robot_frames"]) == image.numpy()).all((-1, -2, -3))
        assert any(np.array_equal(each, place.numpy()) for each in data["robot_places"][at])


def test_of_a_dataset_that_says_nothing_of_later_places_nobody_knows_them_and_nothing_was_moved(copy):
    said = json.loads((copy / "dataset.json").read_text())
    del said["tracked"]
    (copy / "dataset.json").write_text(json.dumps(said))
    some = batch(open_dataset(copy), 0, images="first", states=4, looks=2).query
    first = (some.inputs["image"][:, 1:] == some.inputs["image"][:, :1]).flatten(2).all(-1)
    assert torch.equal(some.targets["pose"][:, 1:].isnan().flatten(2).all(-1), ~first)
    assert some.inputs["moved"].shape == (6, 4, 1, 3)
    assert not some.inputs["moved"].any()


def test_looks_and_glances_belong_to_policies_of_the_first_image(data):
    for name in ("looks", "glances"):
        with pytest.raises(DemoError, match=f"{name} of a task: got 1 with images 'every', allowed 'first'"):
            batch(data, 0, **{name: 1})


@pytest.fixture(scope="module")
def nudged(tmp_path_factory):
    """A set of Push, whose objects are nudged and then pushed away."""
    folder = tmp_path_factory.mktemp("nudged") / "data"
    list(collect(folder, env_id="daml/Push-v0", split="train", n_sets=1, seed=SEED, size=SIZE, nudge=2, workers=1))
    return open_dataset(folder)


def test_with_looks_comes_how_far_its_places_have_been_moved_by_each_state(nudged):
    some = batch(nudged, 0, n_tasks=3, images="first", states=30, looks=1).query
    places, states = (nudged[name].reshape(-1, *nudged[name].shape[2:]) for name in ("robot_places", "robot_states"))
    for moved, asked in zip(some.inputs["moved"].numpy(), some.inputs["state"].numpy(), strict=True):
        found = (asked[:, None, None] == states).all(-1)  # [asked, goals, steps]
        (goal,) = np.flatnonzero(found.any(-1).all(0))
        stood = places[goal]
        shift = stood[~np.isnan(stood[:, 0, 0])][-1] - stood[0]
        assert 0.02 <= np.linalg.norm(shift) <= 0.04
        nudge = np.flatnonzero((stood != stood[0]).any((1, 2)))[0]
        steps = found[:, goal].argmax(-1)
        assert steps.min() < nudge < steps.max()
        np.testing.assert_allclose(moved, shift * (steps >= nudge)[:, None, None], atol=1e-6)


def test_looks_are_drawn_of_the_steps_at_which_somebody_knows_the_place(nudged):
    pose = batch(nudged, 0, n_tasks=3, images="first", states=4, looks=40).query.targets["pose"]
    assert np.isnan(nudged["robot_places"]).any()
    assert not pose.isnan().any()
    assert len(pose[0, :, 0].unique(dim=0)) == 2  # before the nudge and after it


def test_places_are_those_of_the_goal_until_it_is_nudged_and_until_it_is_moved():
    info = describe("daml/Push-v0", "train", SEED, 1, SIZE, nudge=2)
    made = demonstrate_set(info, 0)
    for places, first in zip(made["robot_places"], made["goal_points"], strict=True):
        moved = np.isnan(places[:, 0, 0])
        then = moved.argmax()
        assert moved[then:].all()  # it is pushed away
        assert np.array_equal(places[0], first)
        stands = np.unique(places[:then], axis=0)
        assert len(stands) == 2  # before the nudge and after it
        assert 0.02 <= np.linalg.norm(np.diff(stands[:, 0], axis=0)) <= 0.04


@pytest.mark.parametrize("wanted", [{}, {"images": "first", "glances": 2, "looks": 2}, {"pose": "end"}])
def test_a_dataset_that_is_kept_on_the_device_gives_the_same_tasks_and_stays_as_it_is(data, monkeypatch, wanted):
    def tasks():
        drawn = SetTasks(data, Wanted(FRAMES, **wanted))
        return [torch.utils._pytree.tree_leaves(drawn.sample(6, np.random.default_rng(seed))) for seed in (0, 1, 0)]

    from_disk = tasks()
    monkeypatch.setattr("demos.rows.fits", lambda dataset, device: True)
    kept = tasks()
    for one, other in zip(from_disk, kept, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(kept[0], kept[2], strict=True)), "augmentation changes no row of it"


def test_the_memory_of_the_cpu_keeps_no_dataset(data):
    assert not fits(data, torch.device("cpu"))


@pytest.mark.parametrize(("free", "kept"), [(1, False), (10**12, True)])
def test_a_gpu_keeps_what_it_has_room_for(data, monkeypatch, free, kept):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**12))
    assert fits(data, torch.device("cuda")) is kept


def test_glances_are_the_same_objects_elsewhere_and_change_nothing_else(data):
    plain, some = (batch(data, 0, images="first", glances=n) for n in (0, 2))
    frames, points = some.query.inputs["image"], some.query.targets["glance_points"]
    assert frames.shape == (6, 1 + 2, SIZE, SIZE, 3)
    assert points.shape == (6, 2, N_OBJECTS, 1, 3)
    assert torch.equal(some.support, plain.support)
    assert torch.equal(some.query.targets["action"], plain.query.targets["action"])
    assert torch.equal(frames[:, :1], plain.query.inputs["image"])
    assert torch.equal(some.query.targets["pose"][:, :1], plain.query.targets["pose"])
    for i in range(6):
        at, goal = which(data, some, i)
        (first,), (second,) = (rows(data["glance_frames"], frame.numpy()) for frame in frames[i, 1:])
        assert first != second
        for glance, (index, number) in enumerate((first, second)):
            assert index == at
            for name in ("points", "pixels", "table"):
                got = some.query.targets[f"glance_{name}"][i, glance].numpy()
                assert np.array_equal(got, data[f"glance_{name}"][index, number])
            own = data["glance_points"][index, number, goal]
            assert np.array_equal(some.query.targets["pose"][i, 1 + glance].numpy(), own), "it is asked for its goal"


def test_glances_out_of_range_are_an_error(data):
    with pytest.raises(DemoError, match=r"got 4, allowed 0 to 3 in .*; collect one with --glances"):
        SetTasks(data, Wanted(FRAMES, "first", glances=4))
    with pytest.raises(DemoError, match="got 2 with images 'every', allowed 'first'"):
        SetTasks(data, Wanted(FRAMES, "every", glances=2))


def test_without_glances_and_lessons_the_rest_is_the_same():
    without = demonstrate_set(describe(ENV, "train", SEED, N_SETS, SIZE), 0)
    both = demonstrate_set(INFO, 0)
    assert set(both) - set(without) == {name for name in both if name.startswith(("glance_", "lesson_"))}
    assert all(np.array_equal(both[name], without[name]) for name in without)


def test_a_lesson_is_the_robots_demonstration_where_the_humans_is(data):
    plain, taught = (
        batch(data, 0),
        batch(data, 0, lessons=True),
    )
    assert torch.equal(taught.query.inputs["image"][:, 0], plain.query.inputs["image"][:, 0])
    for i in range(6):
        at, goal = which(data, taught, i)
        shown, done = pytree.tree_map(lambda leaf: leaf.numpy(), task_at(taught.support, i))
        assert np.array_equal(shown["image"][0], data["lesson_frames"][at, goal])
        assert np.array_equal(done["action"], data["lesson_actions"][at, goal])
        where = sample_task_set(SEED, "train", at).human_scene.tops[goal]
        assert done["pose"][0, 0, :2] == pytest.approx(where[:2], abs=1e-6)
        assert np.linalg.norm(shown["state"][-1, :3] - done["pose"][0, 0]) < 0.03, "it ends at the goal"


def test_lessons_that_were_not_collected_are_an_error(placing):
    with pytest.raises(DemoError, match=r"lessons: got none in .*, allowed a dataset collected with --lessons 1"):
        SetTasks(placing, Wanted(FRAMES, lessons=True))


def test_augmentation_changes_a_batch_and_leaves_the_data_alone(data):
    before = {name: np.array(data[name]) for name in INFO.arrays()}
    plain, augmented = batch(data, 0), SetTasks(data, Wanted(FRAMES)).sample(6, np.random.default_rng(0))
    assert not torch.equal(plain.support, augmented.support)
    assert all(np.array_equal(data[name], before[name]) for name in before)


@pytest.fixture(scope="module")
def placing(tmp_path_factory):
    """A dataset of another environment, whose robot has a gripper."""
    folder = tmp_path_factory.mktemp("data") / "place"
    info = describe("daml/PickPlace-v0", "train", SEED, 1, SIZE)
    data = create(folder, info)
    data.write_set(0, demonstrate_set(info, 0))
    return open_dataset(folder)


def test_a_mixed_batch_has_as_many_tasks_of_each_environment_and_nan_for_what_one_has_not(data, placing):
    parts = [SetTasks(dataset, Wanted(FRAMES), augmented=False) for dataset in (data, placing)]
    mixed = MixedTasks(parts).sample(6, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    reach, place = (part.sample(3, rng) for part in parts)
    assert torch.equal(mixed.support, torch.cat([reach.support, place.support]))
    for values, short, long in (
        (mixed.query.inputs["state"], reach.query.inputs["state"], place.query.inputs["state"]),
        (mixed.query.targets["action"], reach.query.targets["action"], place.query.targets["action"]),
        (mixed.query.targets["pose"].mT, reach.query.targets["pose"].mT, place.query.targets["pose"].mT),
    ):
        assert torch.equal(values[3:], long)
        assert torch.equal(values[:3, ..., : short.shape[-1]], short)
        assert values[:3, ..., short.shape[-1] :].isnan().all()
    with pytest.raises(DemoError, match="got 3, allowed a multiple of 2"):
        MixedTasks(parts).sample(3, rng)


def leaves(task):
    return [task.support, *task.query.inputs.values(), *task.query.targets.values()]


def test_a_batch_is_decided_by_its_generator(data):
    for one, same in zip(leaves(batch(data, 1)), leaves(batch(data, 1)), strict=True):
        assert torch.equal(one, same)
    assert not torch.equal(batch(data, 1).support, batch(data, 2).support)


def rows(array, value):
    """Where the leading axes of `array` hold exactly `value`: a list of index tuples."""
    axes = tuple(range(array.ndim - value.ndim, array.ndim))
    return list(zip(*np.nonzero((array == value).all(axes)), strict=True))


def which(data, task, i):
    """The (set, goal) of task `i` of a batch, found by its goal point."""
    ((at, goal),) = rows(data["goal_points"], task.query.targets["pose"][i, 0].numpy())
    return int(at), int(goal)


def test_a_batch_is_made_of_whole_sets(data):
    for seed in range(5):
        found = [which(data, batch(data, seed), i) for i in range(6)]
        assert [goal for _, goal in found] == [0, 1, 2, 0, 1, 2]
        sets = [at for at, _ in found]
        assert sets == [sets[0]] * 3 + [sets[3]] * 3
        assert sets[0] != sets[3]


def test_all_sets_are_drawn(data):
    drawn = {which(data, batch(data, seed, 3), 0)[0] for seed in range(30)}
    assert drawn == set(range(N_SETS))


def test_the_support_is_the_humans_video_in_order_and_nothing_else(data):
    """Every support frame is a frame of the human's video of the same task, in order of time."""
    for seed in range(3):
        task = batch(data, seed)
        for i in range(6):
            at, goal = which(data, task, i)
            film = data["human_frames"][at, goal]
            earliest = 0
            for frame in task.support[i].numpy():
                times = [int(t) for (t,) in rows(film, frame)]
                assert times, "a frame that is not in the video"
                assert max(times) >= earliest, "out of order"
                earliest = min(t for t in times if t >= earliest)
            assert not rows(data["robot_frames"], task.support[i, 0].numpy())


def test_the_support_covers_the_video(data):
    """The first frame is from its beginning and the last from its end."""
    for seed in range(5):
        task = batch(data, seed)
        for i in range(6):
            film = data["human_frames"][which(data, task, i)]
            share = INFO.video_frames / FRAMES
            assert min(t for (t,) in rows(film, task.support[i, 0].numpy())) <= share
            assert max(t for (t,) in rows(film, task.support[i, -1].numpy())) >= INFO.video_frames - share - 1


def test_a_query_is_one_demonstration_of_the_same_task_from_its_first_step_on(data):
    steps = []
    for seed in range(10):
        task = batch(data, seed)
        inputs, targets = task.query
        for i in range(6):
            at, goal = which(data, task, i)
            assert torch.equal(inputs["image"][i, 0], torch.from_numpy(data["robot_frames"][at, goal, 0]))
            assert np.array_equal(targets["shown_at"][i, 0], data["goal_pixels"][at, goal])
            for k in range(QUERY_STEPS):
                ((step,),) = rows(data["robot_states"][at, goal], inputs["state"][i, k].numpy())
                assert np.array_equal(inputs["image"][i, k], data["robot_frames"][at, goal, step])
                assert np.array_equal(targets["action"][i, k], data["robot_actions"][at, goal, step])
                assert (step == 0) == (k == 0)
                steps.append(int(step))
    assert max(steps) >= STEPS - 2, "late steps are drawn, too"


def test_nothing_in_the_query_tells_the_goal_at_the_first_step(data):
    task = batch(data, 0)
    for start in (0, 3):
        for name in ("image", "state"):
            first = task.query.inputs[name][start : start + 3, 0]
            assert torch.equal(first, first[:1].expand_as(first)), name
        actions = task.query.targets["action"][start : start + 3, 0]
        assert not torch.equal(actions[0], actions[1])


@pytest.fixture(scope="module")
def acting(tmp_path_factory):
    """A dataset whose sets have more goals than objects."""
    folder = tmp_path_factory.mktemp("data") / "act"
    info = describe("daml/Act-v0", "train", SEED, 2, 8)
    data = create(folder, info)
    for index in range(2):
        data.write_set(index, demonstrate_set(info, index))
    return open_dataset(folder)


def test_where_there_are_verbs_a_batch_has_some_goals_of_each_set(acting):
    tasks = SetTasks(acting, Wanted(FRAMES, states=2), augmented=False)
    seen = set()
    for seed in range(12):
        task = tasks.sample(12, np.random.default_rng(seed))
        for start in (0, 6):
            found = []
            for i in range(start, start + 6):
                same = (acting["robot_actions"][:, :, 0] == task.query.targets["action"][i, 0].numpy()).all(-1)
                same &= (acting["goal_points"] == task.query.targets["pose"][i].numpy()).all((-1, -2))
                found.append(np.argwhere(same)[0])
            assert len({index for index, _ in found}) == 1, "one set"
            goals = [int(goal) for _, goal in found]
            assert len({goal // 5 for goal in goals}) < 6 > len({goal % 5 for goal in goals})
            seen |= set(goals)
    assert len(seen) > 10, "all goals are drawn, though here not all are told apart by their first action"


@pytest.mark.parametrize(("env_id", "n", "each"), [(ENV, 24, 3), ("daml/Act-v0", 24, 6), ("daml/Act-v0", 15, 15)])
def test_a_batch_has_as_many_sets_as_can_be(env_id, n, each):
    assert goals_a_set(env_id, n) == each


def test_a_number_of_tasks_that_goals_do_not_divide_is_an_error():
    with pytest.raises(DemoError, match="got 17, allowed a multiple of one of the numbers 6 to 15 in daml/Act-v0"):
        goals_a_set("daml/Act-v0", 17)


@pytest.mark.parametrize("n_tasks", [0, -3, 1, 4])
def test_a_wrong_number_of_tasks_is_an_error(data, n_tasks):
    with pytest.raises(DemoError, match=f"tasks in a meta-batch: got {n_tasks}, allowed a multiple of 3 in"):
        batch(data, 0, n_tasks)


def test_sets_are_drawn_twice_where_there_are_too_few_and_only_there(data):
    enough, more = batch(data, 0, 3 * N_SETS), batch(data, 0, 6 * N_SETS)
    assert {which(data, enough, 3 * i)[0] for i in range(N_SETS)} == set(range(N_SETS))
    assert len({which(data, more, 3 * i)[0] for i in range(2 * N_SETS)}) <= N_SETS


def old_format(folder):
    """Makes a dataset one of format 4: no entry for what came later, and one array more."""
    said = json.loads((folder / "dataset.json").read_text()) | {"format": 4}
    kept = {name: value for name, value in said.items() if name not in ("ragged", "held_out", "fingertip")}
    (folder / "dataset.json").write_text(json.dumps(kept))
    np.save(folder / "goal_frames.npy", np.zeros((N_SETS, N_OBJECTS), np.int64))


def test_a_dataset_of_the_format_before_is_read_and_gone_on_with(copy, data):
    old_format(copy)
    opened = open_dataset(copy)
    assert replace(opened.info, format=INFO.format) == INFO
    for one, same in zip(leaves(batch(opened, 0)), leaves(batch(data, 0)), strict=True):
        assert torch.equal(one, same)
    assert list(collect(copy, **COLLECT)) == [N_SETS]
    (copy / "done" / "2").unlink()
    assert create(copy, INFO).missing() == [2]
    assert json.loads((copy / "dataset.json").read_text())["format"] == 4


# --- sets of different numbers of goals, demonstrations of different lengths ----------------------------------------

GOALS, LONGEST = (3, 5, 4, 4), 9


@pytest.fixture(scope="module")
def ragged(tmp_path_factory):
    """Of no environment; every number says where it is from, and what is not there is NaN."""
    folder = tmp_path_factory.mktemp("data") / "ragged"
    info = DatasetInfo(
        None, "imported", 0, len(GOALS), max(GOALS), 10, LONGEST, 8, 7, 5, 1, 0, 0,
        ragged=1, held_out=1, fingertip=(4, 2, 6),
    )  # fmt: skip
    data, rng = create(folder, info), np.random.default_rng(0)
    for index, goals in enumerate(GOALS):
        rows = {name: np.full(shape[1:], np.nan if dtype is np.float32 else 0, dtype)
                for name, (dtype, shape) in info.arrays().items()}  # fmt: skip
        for goal in range(goals):
            length = rows["lengths"][goal] = rng.integers(3, LONGEST + 1)
            rows["robot_states"][goal, :length] = 100 * index + 10 * goal + np.arange(length)[:, None] / 10
            rows["robot_states"][goal, :length] += np.arange(7) / 1000
            rows["robot_actions"][goal, :length] = 100 * index + 10 * goal
            rows["robot_frames"][goal, :length] = 1 + goal
            rows["human_frames"][goal] = 1 + goal
        data.write_set(index, rows)
    return open_dataset(folder)


def test_a_ragged_batch_has_as_many_goals_of_each_set_and_only_steps_that_there_are(ragged):
    tasks, seen = SetTasks(ragged, Wanted(FRAMES, states=6)), set()
    for seed in range(40):
        task = tasks.sample(6, np.random.default_rng(seed))
        action, state = task.query.targets["action"].numpy(), task.query.inputs["state"].numpy()
        found = [divmod(round(float(value)) // 10, 10) for value in action[:, 0, 0]]
        for start in (0, 3):
            sets, goals = zip(*found[start : start + 3], strict=True)
            assert len(set(sets)) == 1
            assert len(set(goals)) == 3
        assert np.isfinite(action).all()
        assert np.isfinite(state).all()
        for i, (index, goal) in enumerate(found):
            last = ragged["robot_states"][index, goal, ragged.lengths[index, goal] - 1]
            assert np.array_equal(task.query.targets["end"][i], last)
            assert np.array_equal(task.query.targets["pose"][i, 0, 0], last[[4, 2, 6]]), "the fingertip's end"
            steps = np.round(10 * (state[i, :, 0] - 100 * index - 10 * goal)).astype(int)
            seen |= {(index, goal, step) for step in steps}
        assert task.query.targets["shown_at"].isnan().all()
    there = {(s, g, t) for s, n in enumerate(GOALS[:-1]) for g in range(n) for t in range(ragged.lengths[s, g])}
    assert seen == there, "all of the training sets and nothing else; the last set is held out"


@pytest.mark.parametrize(("least", "n_tasks", "each"), [(3, 24, 3), (5, 24, 4), (4, 15, 3), (2, 24, 2), (5, 15, 5)])
def test_a_ragged_batch_has_many_goals_of_a_set(least, n_tasks, each):
    assert goals_of_ragged(least, n_tasks) == each


def test_a_ragged_batch_that_cannot_be_is_an_error(ragged):
    with pytest.raises(
        DemoError, match="got 7, allowed a multiple of one of the numbers 2 to 3, the goals of the smallest"
    ):
        SetTasks(ragged, Wanted(FRAMES)).sample(7, np.random.default_rng(0))


def test_who_cannot_do_without_goal_points_says_so(ragged, data):
    SetTasks(data, Wanted(FRAMES, placed=True))
    with pytest.raises(DemoError, match=r"goal points: got none in .*, allowed a dataset of `daml collect`"):
        SetTasks(ragged, Wanted(FRAMES, placed=True))


def test_what_nobody_knows_of_a_task_is_not_mirrored(ragged, monkeypatch):
    asked = set()
    monkeypatch.setattr("demos.distribution.augment", lambda rows, rng, mirror: asked.add(mirror))
    SetTasks(ragged, Wanted(FRAMES)).sample(6, np.random.default_rng(0))
    assert asked == {"nothing"}


def test_what_is_not_mirrored_stays_on_its_side():
    for seed in range(10):
        video = torch.arange(24, dtype=torch.uint8).reshape(1, 1, 2, 4, 3)
        frames = {"video": video, "image": torch.zeros_like(video)}
        order = video.float().mean(-1).flatten().argsort()
        augment(frames, np.random.default_rng(seed), "nothing")
        assert torch.equal(frames["video"].float().mean(-1).flatten().argsort(), order)


@pytest.mark.parametrize("frames", [0, 1, 21])
def test_a_wrong_number_of_frames_is_an_error(data, frames):
    with pytest.raises(DemoError, match=f"video frames: got {frames}, allowed 2 to 20"):
        SetTasks(data, Wanted(frames))


WHOLE = Wanted(FRAMES, whole=STEPS + 3)


def test_whole_demonstrations_are_as_they_were_collected_and_stay_as_they_end(data):
    drawn = SetTasks(data, WHOLE).demonstrations(5, np.random.default_rng(0))
    flat = {name: data[name].reshape(-1, *data[name].shape[2:]) for name in data.info.arrays() if "robot" in name}
    found = []
    for state, action in zip(drawn.query.inputs["state"].numpy(), drawn.query.targets["action"].numpy(), strict=True):
        assert state.shape[0] == STEPS + 3
        (number,) = np.flatnonzero((flat["robot_states"] == state[:STEPS]).all((1, 2)))
        np.testing.assert_array_equal(action[:STEPS], flat["robot_actions"][number])
        np.testing.assert_array_equal(state[STEPS:], state[STEPS - 1 : STEPS].repeat(3, 0))
        found.append(number)
    assert len(set(found)) == 5, "none twice, where there are as many"
    goals = data["goal_points"].reshape(-1, 1, 3)[found]
    np.testing.assert_array_equal(drawn.query.targets["pose"].numpy(), goals)
    videos = data["human_frames"].reshape(-1, *data["human_frames"].shape[2:])[found]
    np.testing.assert_array_equal(drawn.support[:, [0, -1]].numpy(), videos[:, [0, -1]])


def test_of_few_demonstrations_some_are_drawn_twice_and_of_several_datasets_as_many(data):
    n = 2 * N_SETS * N_OBJECTS + 1
    drawn = MixedTasks([SetTasks(data, WHOLE)] * 2).demonstrations(n, np.random.default_rng(0))
    assert len(drawn.support) == len(drawn.query.inputs["state"]) == n


def test_demonstrations_that_cannot_be_done_again_are_refused(data):
    with pytest.raises(DemoError, match=f"demonstrations to do again: got {STEPS} steps in .*, allowed up to 5"):
        SetTasks(data, Wanted(FRAMES, whole=5))
    other = replace(data.info, env_id=None)
    foreign = Dataset.__new__(Dataset)
    foreign.folder, foreign.info, foreign._arrays = data.folder, other, data._arrays
    with pytest.raises(DemoError, match="demonstrations to do again: got those of another robot"):
        SetTasks(foreign, WHOLE)
