"""Robot demonstrations and videos that others recorded become a dataset, or one line says why not."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from demos.collect import demonstrate_set, describe
from demos.distribution import SetTasks, Wanted
from demos.errors import DemoError
from demos.export import export_dataset
from demos.importing import Import, import_dataset, left_out
from demos.robots import Chosen
from demos.storage import Dataset, create, open_dataset

h5py = pytest.importorskip("h5py")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
from their_files import (  # noqa: E402
    ACTION,
    CAMERA,
    GOALS,
    STATE,
    change_info,
    episode,
    length,
    rows_of,
    write_lerobot,
    write_pairs,
    write_robomimic,
    write_table,
    write_videos,
)

SIZE, SMALL = 24, 16
CHOSEN = Chosen(None, (), SIZE, "crop")
ENV = "daml/Reach-v0"


@pytest.fixture(scope="module")
def robomimic(tmp_path_factory) -> tuple[Path, Path]:
    """A file of robot demonstrations and a table of pairs, of another robot."""
    return write_robomimic(tmp_path_factory.mktemp("robomimic"))


@pytest.fixture(scope="module")
def lerobot(tmp_path_factory) -> tuple[Path, Path]:
    """The same demonstrations in a LeRobot folder."""
    return write_lerobot(tmp_path_factory.mktemp("lerobot"))


def imported(what: Import, out: Path) -> Dataset:
    list(import_dataset(what, out, workers=1))
    return open_dataset(out)


def test_sets_of_any_number_of_goals_and_episodes_of_any_length_and_robot(robomimic, tmp_path):
    data = imported(Import(*robomimic, CHOSEN, frames=10, fingertip=(4, 0, 2)), tmp_path / "out")
    info = data.info
    assert (info.n_sets, info.n_goals, info.state, info.action, info.held_out) == (4, 5, STATE, ACTION, 1)
    assert info.env_id is None
    assert [int((row > 0).sum()) for row in data.lengths] == list(GOALS)
    with h5py.File(robomimic[0]) as file:
        number = 0
        for index, n in enumerate(GOALS):
            for goal in range(n):
                demo, steps = file[f"data/demo_{number}"], length(number)
                assert data.lengths[index, goal] == steps
                np.testing.assert_array_equal(data["robot_states"][index, goal, :steps], demo["obs/state"][:])
                np.testing.assert_array_equal(data["robot_actions"][index, goal, :steps], demo["actions"][:])
                number += 1
    tasks = SetTasks(data, Wanted(8, images="first", states=4)).sample(6, np.random.default_rng(0))
    assert tasks.support.shape == (6, 8, SIZE, SIZE, 3)
    assert tasks.query.targets["action"].shape == (6, 4, ACTION)
    assert tasks.query.targets["action"].isfinite().all()
    assert tasks.query.targets["shown_at"].isnan().all(), "nobody knows where the goal is"


@pytest.mark.slow
def test_both_layouts_say_the_same(robomimic, lerobot, tmp_path):
    one, other = (
        imported(Import(*theirs, CHOSEN, frames=8, held_out=2), tmp_path / name)
        for name, theirs in {"a": robomimic, "b": lerobot}.items()
    )
    assert one.info == other.info
    assert one.info.held_out == 2
    for name in ("lengths", "robot_states", "robot_actions", "human_frames"):
        np.testing.assert_array_equal(one[name][:], other[name][:])
    assert np.abs(one["robot_frames"][:].astype(int) - other["robot_frames"][:]).mean() < 30, "noise, as a film"


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["lerobot", "robomimic"])
def test_what_is_exported_is_imported_again(layout, tmp_path):
    info = describe(ENV, "train", 3, 2, SMALL)
    ours = create(tmp_path / "ours", info)
    for index in range(2):
        ours.write_set(index, demonstrate_set(info, index))
    export_dataset(tmp_path / "ours", tmp_path / "theirs", layout)
    robot = tmp_path / "theirs" / "robot"
    robot = robot if layout == "lerobot" else robot / "demos.hdf5"
    what = Import(robot, tmp_path / "theirs" / "pairs.csv", Chosen(None, (), SMALL, "crop"), info.video_frames, (), ENV)
    again = imported(what, tmp_path / "again")
    for name in ("robot_states", "robot_actions"):
        np.testing.assert_allclose(again[name][:], ours[name][:], atol=1e-6)
    for name in ("robot_frames", "human_frames"):
        off = np.abs(again[name][:].astype(int) - ours[name][:].astype(int))
        assert off.mean() < 8, f"{name}: a film is compressed, and shows the same"
    assert np.isnan(again["goal_points"][:]).all()
    with pytest.raises(DemoError, match="got one that was imported, allowed one of `daml collect`"):
        export_dataset(tmp_path / "again", tmp_path / "once more", layout)


@pytest.mark.slow
def test_folders_say_the_same_as_a_table(robomimic, tmp_path):
    robot, pairs = robomimic
    for index, task, name, video in rows_of(pairs):
        place = tmp_path / "videos" / index / task / f"{name}.mp4"
        place.parent.mkdir(parents=True)
        shutil.copy(pairs.parent / video, place)
    table, folders = (
        imported(Import(robot, where, CHOSEN, frames=8), tmp_path / name)
        for name, where in (("a", pairs), ("b", tmp_path / "videos"))
    )
    for name in ("human_frames", "robot_states"):
        np.testing.assert_array_equal(table[name][:], folders[name][:])


def test_episodes_without_a_video_are_counted(robomimic, tmp_path):
    robot, pairs = robomimic
    assert left_out(Import(robot, pairs, CHOSEN)) == 0
    shutil.copytree(pairs.parent, tmp_path / "theirs")
    write_pairs(tmp_path / "theirs" / "few.csv", rows_of(pairs)[: sum(GOALS[:2])])
    assert left_out(Import(robot, tmp_path / "theirs" / "few.csv", CHOSEN)) == sum(GOALS[2:])


def changed(row: int, column: int, value: str):
    """A table with another cell."""

    def change(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        cells = list(rows[row])
        cells[column] = value
        return [*rows[:row], tuple(cells), *rows[row + 1 :]]

    return change


BAD = {
    "an episode that is not there": (changed(1, 2, "demo_99"), {}, "episode of set0/task1 .* got 'demo_99', allowed"),
    "a video that is not there": (changed(1, 3, "none.mp4"), {}, "video of set0/task1 .*none.mp4, allowed a file"),
    "a broken video": (changed(1, 3, "broken.mp4"), {}, "broken.mp4: got a damaged file or no video"),
    "a task twice": (changed(1, 1, "task0"), {}, "task .*set0/task0"),
    "an episode twice": (changed(1, 2, "demo_0"), {}, "episode .*demo_0"),
    "an empty cell": (changed(1, 2, ""), {}, "line 3 without episode"),
    "a set of one goal": (lambda rows: rows[2:], {}, "set0 .*got 1 task, allowed 2 or more"),
    "a single set": (lambda rows: rows[:3], {}, "sets .*got 1, allowed 2 or more"),
    "nothing": (lambda rows: [], {}, "got .*allowed 2 or more"),
    "another column": (
        None,
        {},
        r"got the columns .*'demo'.*, allowed those with \['episode'\]",
    ),
    "an empty video": (changed(1, 3, "empty.mp4"), {}, "empty.mp4: got .*allowed"),
    "half a video": (changed(1, 3, "half.mp4"), {}, "half.mp4: got"),
    "a video twice": (changed(1, 3, "0.mp4"), {}, "video .*0.mp4 in .*: got it 2 times"),
    "a task without a video": (changed(1, 3, ""), {}, "line 3 without video"),
    "no set to train on": (list, {"held_out": 4}, "held-out sets: got 4, allowed 1 to 3 of 4"),
    "no such camera": (list, {"chosen": CHOSEN._replace(camera="side")}, "camera .* got 'side', allowed one of"),
    "no such state": (list, {"chosen": CHOSEN._replace(state=("tool",))}, "state .* got 'tool', allowed some of"),
    "a fingertip beyond the state": (list, {"fingertip": (0, 1, 7)}, "fingertip: got 7, allowed 0 to 6"),
    "another robot than the environment's": (list, {"env_id": ENV}, "got 7 numbers .* allowed 10 and 3"),
    "no robot": (list, {"robot": Path("nowhere")}, "robot nowhere: got nothing, allowed a LeRobot v3 folder"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_does_not_fit_is_one_line_and_nothing_is_left(kind, robomimic, tmp_path):
    robot, pairs = robomimic
    change, other, said = BAD[kind]
    theirs = tmp_path / "theirs"
    shutil.copytree(pairs.parent, theirs)
    (theirs / "broken.mp4").write_bytes(b"not a video")
    (theirs / "empty.mp4").touch()
    shutil.copy(theirs / "1.mp4", theirs / "half.mp4")
    cut(theirs / "half.mp4", 0.5)
    write_pairs(theirs / "bad.csv", change(rows_of(pairs)) if change else [])
    if change is None:
        (theirs / "bad.csv").write_text("set,task,demo,video\nset0,task0,0,0.mp4\n")
    what = Import(robot, theirs / "bad.csv", CHOSEN)._replace(**other)
    with pytest.raises(DemoError, match=said) as refusal:
        list(import_dataset(what, tmp_path / "out", workers=1))
    assert "\n" not in str(refusal.value)
    assert {path.name for path in tmp_path.iterdir()} == {"theirs"}


def columns(robot: Path, number: int, **changed: list) -> None:
    """Other columns in the table of an episode; None takes one away."""
    path = robot / f"data/chunk-000/file-{number:03d}.parquet"
    there = pq.read_table(path).to_pydict() | changed
    write_table(path, pa.table({name: rows for name, rows in there.items() if rows is not None}))


def film(robot: Path, number: int) -> Path:
    return robot / f"videos/{CAMERA}/chunk-000/file-{number:03d}.mp4"


def cut(path: Path, share: float) -> None:
    """Leaves the first part of a file."""
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


BAD_FOLDERS = {
    "no LeRobot folder": (lambda robot: (robot / "meta/info.json").unlink(), "a folder without meta/info.json, allow"),
    "another version": (lambda robot: change_info(robot, codebase_version="v2.1"), "got version v2.1, allowed v3.0"),
    "no version": (lambda robot: (robot / "meta/info.json").write_text("{}"), "info.json: got no readable part .*code"),
    "no JSON": (lambda robot: (robot / "meta/info.json").write_text("v3.0"), "info.json: got no readable part"),
    "no frames a second": (lambda robot: change_info(robot, fps="fast"), "info.json: got no readable part"),
    "no table of episodes": (lambda robot: shutil.rmtree(robot / "meta/episodes"), "got no episodes in meta/episodes"),
    "a damaged table of episodes": (
        lambda robot: cut(robot / "meta/episodes/chunk-000/file-000.parquet", 0.5),
        "file-000.parquet: got no readable part of a LeRobot dataset",
    ),
    "no table of steps": (
        lambda robot: (robot / "data/chunk-000/file-003.parquet").unlink(),
        "data/chunk-000/file-003.parquet: got no readable part",
    ),
    "a damaged table of steps": (
        lambda robot: cut(robot / "data/chunk-000/file-003.parquet", 0.5),
        "data/chunk-000/file-003.parquet: got no readable part",
    ),
    "a table without a column": (lambda robot: columns(robot, 3, timestamp=None), "file-003.parquet: got no readable"),
    "fewer rows than steps": (
        lambda robot: columns(robot, 3, episode_index=[3] * (length(3) - 1) + [99]),
        f"episode 3 of .*: got {length(3) - 1} rows in .*, allowed {length(3)}",
    ),
    "another state": (
        lambda robot: columns(robot, 3, **{"observation.state": [[0.0] * (STATE + 2)] * length(3)}),
        f"episode 3 of .*: got {STATE + 2} numbers in its state, allowed {STATE}",
    ),
    "states of different sizes": (
        lambda robot: columns(robot, 3, action=[[0.0] * (1 + step % 2) for step in range(length(3))]),
        "episode 3 of .*: got action of different sizes",
    ),
    "a number that is none": (
        lambda robot: columns(robot, 3, action=[[float("nan")] * ACTION] * length(3)),
        "episode 3 of .*: got action that are no numbers",
    ),
    "a clock in milliseconds": (
        lambda robot: columns(robot, 3, timestamp=[100.0 * step for step in range(length(3))]),
        "file-003.mp4: got no image within .* s of a step, allowed one each 0.10 s",
    ),
    "no place of the tables": (lambda robot: change_info(robot, data_path=None), "info.json: got no readable part"),
    "a place of something else": (
        lambda robot: change_info(robot, video_path="{x}"),
        "info.json: got no readable part",
    ),
    "no film": (lambda robot: film(robot, 3).unlink(), "file-003.mp4: got"),
    "an empty film": (lambda robot: film(robot, 3).write_bytes(b""), "file-003.mp4: got"),
    "half a film": (lambda robot: cut(film(robot, 3), 0.5), "file-003.mp4: got"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BAD_FOLDERS)
def test_a_folder_that_is_not_whole_is_one_line_and_nothing_is_left(kind, lerobot, tmp_path):
    damage, said = BAD_FOLDERS[kind]
    shutil.copytree(lerobot[0].parent, tmp_path / "theirs")
    damage(tmp_path / "theirs" / "robot")
    what = Import(tmp_path / "theirs" / "robot", tmp_path / "theirs" / "pairs.csv", CHOSEN)
    with pytest.raises(DemoError, match=said) as refusal:
        list(import_dataset(what, tmp_path / "out", workers=1))
    assert "\n" not in str(refusal.value)
    assert {path.name for path in tmp_path.iterdir()} == {"theirs"}


def test_what_is_there_is_left_alone(robomimic, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DemoError, match="there already"):
        list(import_dataset(Import(*robomimic, CHOSEN), tmp_path / "out", workers=1))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_file_and_actions_of_another_size_are_refused(robomimic, tmp_path):
    robot, pairs = robomimic
    damaged = tmp_path / "damaged.hdf5"
    damaged.write_bytes(robot.read_bytes()[:2000])
    with pytest.raises(DemoError, match="no readable robomimic file"):
        list(import_dataset(Import(damaged, pairs, CHOSEN), tmp_path / "out", workers=1))
    other = shutil.copy(robot, tmp_path / "other.hdf5")
    with h5py.File(other, "a") as file:
        del file["data/demo_2/actions"]
        file["data/demo_2/actions"] = np.zeros((length(2), ACTION + 1), np.float32)
    with pytest.raises(DemoError, match=f"got .*{ACTION + 1}.* allowed .*{ACTION}"):
        list(import_dataset(Import(other, pairs, CHOSEN), tmp_path / "out", workers=1))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("array", "factor", "said"),
    [
        ("actions", 100, "got 100 in its action, allowed -1 to 1"),
        ("obs/state", 1000, "got 500 in its state, allowed metres and radians"),
    ],
)
def test_other_units_than_the_environments_are_refused(array, factor, said, tmp_path):
    with h5py.File(tmp_path / "robot.hdf5", "w") as file:
        for number in range(sum(GOALS)):
            demo = file.create_group(f"data/demo_{number}")
            demo["obs/front"], _, _ = episode(number)
            demo["obs/state"] = np.full((length(number), 10), 0.5, np.float32)
            demo["actions"] = np.ones((length(number), 3), np.float32)
        file[f"data/demo_3/{array}"][:] *= factor
    pairs = write_videos(tmp_path, "demo_{}")
    with pytest.raises(DemoError, match=f"episode demo_3 of .*robot.hdf5: {said}"):
        list(import_dataset(Import(tmp_path / "robot.hdf5", pairs, CHOSEN, env_id=ENV), tmp_path / "out", workers=1))
    assert not (tmp_path / "out").exists()
