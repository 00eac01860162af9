"""Robot demonstrations and videos that others recorded become a dataset, or one line says why not."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from demos.collect import demonstrate_set, describe
from demos.distribution import SetTasks, Wanted
from demos.errors import DemoError
from demos.export import export_dataset
from demos.importing import Import, import_dataset
from demos.robots import Chosen
from demos.storage import Dataset, create, open_dataset
from demos.video import write_video

h5py = pytest.importorskip("h5py")
pytest.importorskip("pyarrow")

GOALS = (3, 4, 5, 3)
"""Tasks of each set."""
STATE, ACTION, SIZE, SMALL = 7, 5, 24, 16
CHOSEN = Chosen(None, (), SIZE, "crop")
ENV = "daml/Reach-v0"


def length(task: int) -> int:
    """Steps of an episode."""
    return 6 + task % 4


def side(task: int) -> tuple[int, int]:
    """Height and width of its images: two cameras."""
    return (32, 48) if task % 2 else (40, 40)


@pytest.fixture(scope="module")
def robomimic(tmp_path_factory) -> tuple[Path, Path]:
    """A file of robot demonstrations and a table of pairs, of another robot."""
    folder, rng = tmp_path_factory.mktemp("theirs"), np.random.default_rng(0)
    rows = []
    with h5py.File(folder / "robot.hdf5", "w") as file:
        for number, (index, goal) in enumerate((s, g) for s, n in enumerate(GOALS) for g in range(n)):
            demo, steps = file.create_group(f"data/demo_{number}"), length(number)
            demo["actions"] = rng.uniform(-3, 5, (steps, ACTION)).astype(np.float32)
            demo["obs/state"] = rng.normal(10, 4, (steps, STATE)).astype(np.float32)
            demo["obs/front"] = rng.integers(0, 256, (steps, *side(number), 3), dtype=np.uint8)
            write_video(folder / f"{number}.mp4", rng.integers(0, 256, (12, *side(number), 3), dtype=np.uint8), 8.0)
            rows.append((f"set{index}", f"task{goal}", f"demo_{number}", f"{number}.mp4"))
    write_pairs(folder / "pairs.csv", rows)
    return folder / "robot.hdf5", folder / "pairs.csv"


def write_pairs(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("set", "task", "episode", "video"), *rows])


def rows_of(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


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


@pytest.mark.slow
def test_folders_say_the_same_as_a_table(robomimic, tmp_path):
    robot, pairs = robomimic
    for index, task, episode, video in rows_of(pairs):
        place = tmp_path / "videos" / index / task / f"{episode}.mp4"
        place.parent.mkdir(parents=True)
        shutil.copy(pairs.parent / video, place)
    table, folders = (
        imported(Import(robot, where, CHOSEN, frames=8), tmp_path / name)
        for name, where in (("a", pairs), ("b", tmp_path / "videos"))
    )
    for name in ("human_frames", "robot_states"):
        np.testing.assert_array_equal(table[name][:], folders[name][:])


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
    write_pairs(theirs / "bad.csv", change(rows_of(pairs)))
    what = Import(robot, theirs / "bad.csv", CHOSEN)._replace(**other)
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
