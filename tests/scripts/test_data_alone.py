"""Demonstrations of another robot become an evaluated policy, and nothing of that needs a simulator."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import ends, refused

from agents.policies import load_policy
from daml import read_log

pytest.importorskip("h5py")
pytest.importorskip("pyarrow")
from their_files import ACTION, GOALS, STATE, write_lerobot

from demos.importing import Import, import_dataset
from demos.robots import Chosen
from demos.video import read_video

FINGERTIP = (4, 0, 2)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory) -> Path:
    """Demonstrations and videos of three, four and five goals a set, two sizes, and unequal lengths."""
    folder = tmp_path_factory.mktemp("theirs")
    write_lerobot(folder)
    return folder


@pytest.fixture(scope="module")
def data(theirs, tmp_path_factory) -> dict[tuple[int, ...], Path]:
    """Imported, with and without a fingertip."""
    folders = {tip: tmp_path_factory.mktemp("data") / f"mine{len(tip)}" for tip in (FINGERTIP, ())}
    for fingertip, folder in folders.items():
        what = Import(theirs / "robot", theirs / "pairs.csv", Chosen(None, (), 64, "crop"), 20, fingertip, held_out=2)
        list(import_dataset(what, folder, workers=1))
    return folders


def run_and_read(words, monkeypatch, capsys) -> str:
    status, out, err = ends(words, monkeypatch, capsys)
    assert (status, err) == (0, "")
    return out


@pytest.mark.slow
def test_from_a_folder_of_theirs_to_an_evaluated_policy(theirs, tmp_path, monkeypatch, capsys):
    mine, run = tmp_path / "mine", tmp_path / "run"
    words = ["import", "--robot", theirs / "robot", "--pairs", theirs / "pairs.csv", "--out", mine, "--held-out", 2]
    assert "4 sets of 3 to 5 tasks, 15 tasks" in run_and_read(words, monkeypatch, capsys)
    words = ["train", "--env", "none", "--data", mine, "--out", run, "--device", "cpu"]
    said = run_and_read([*words, "--steps", 2], monkeypatch, capsys)
    assert "action error on 2 held-out sets (8 tasks)" in said
    stored = load_policy(run)
    assert (stored.config.env, stored.config.sizes.state, stored.config.sizes.action) == ("none", STATE, ACTION)
    assert stored.config.sets == len(GOALS) - 2
    assert "held-out demonstrations" in (run / "policy" / "README.md").read_text()
    words = ["evaluate", "--data", mine, "--policy", run, "--seed", 1, "--json", tmp_path / "errors.json"]
    table = run_and_read(words, monkeypatch, capsys).splitlines()
    assert table[-5:] == [line for line in said.splitlines() if line in table][-5:], "the same as after training"
    shown = json.loads((tmp_path / "errors.json").read_text())["shown"]
    assert list(shown) == ["human", "none", "shuffled", "wrong"]
    for name, row in shown.items():
        assert row["error"] == pytest.approx(stored.config.results[name]["error"], rel=1e-4)
    act = stored.adapt(read_video(theirs / "0.mp4")).actor()
    action = act({"image": np.zeros((64, 64, 3), np.uint8), "state": np.zeros(STATE, np.float32)}, {})
    assert action.shape == (ACTION,)
    run_and_read(["train", "--resume", "--out", run, "--steps", 3], monkeypatch, capsys)
    assert [record["step"] for record in read_log(run / "log.jsonl")] == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("fingertip", [FINGERTIP, ()], ids=["fingertip", "actions alone"])
@pytest.mark.parametrize("preset", ["temporal", "fast", "contextual", "paper-small"])
def test_presets_train_on_what_there_is(preset, fingertip, data, tmp_path, monkeypatch, capsys):
    words = ["train", "--env", "none", "--data", data[fingertip], "--out", tmp_path / "run", "--preset", preset]
    run_and_read([*words, "--steps", 2, "--device", "cpu"], monkeypatch, capsys)
    for record in read_log(tmp_path / "run" / "log.jsonl"):
        assert all(value is not None and np.isfinite(value) for value in record.values())
        assert (record["pose"] != 0) == bool(fingertip)
        assert record["cloning"] != 0


NOT_ALONE = {
    "both": "glances of a task: got 2, allowed 0 to 0 ",
    "precise": "glances of a task: got 2, allowed 0 to 0 ",
    "precise-temporal": "glances of a task: got 2, allowed 0 to 0 ",
    "mil": "preset without a simulator: got one that is shown 'robot', allowed one that watches a human",
    "oracle": "preset without a simulator: got one that is shown 'told', allowed one that watches a human",
    "paper": "got images of 64 px, allowed 100 px",
}


@pytest.mark.slow
@pytest.mark.parametrize("preset", NOT_ALONE)
def test_a_preset_that_cannot_do_without_says_so_before_work(preset, data, tmp_path, monkeypatch, capsys):
    words = ["train", "--env", "none", "--data", data[()], "--preset", preset, "--out", tmp_path / "run"]
    assert NOT_ALONE[preset] in refused(words, tmp_path, monkeypatch, capsys)


REFUSED = {
    "no data": (("train", "--env", "none"), "data: got none, allowed a dataset of `daml import`, with --env none"),
    "no environment": (
        ("train", "--data", "{data}"),
        "got one of no environment, allowed daml/Reach-v0; or --env none",
    ),
    "no policy": (("evaluate", "--data", "{data}"), "policy: got none, allowed the folder of a policy, with --data"),
    "rollouts": (
        ("evaluate", "--data", "{data}", "--tasks", "5"),
        "tasks: got it with --data, allowed --policy, --seed",
    ),
    "another robot": (
        ("evaluate", "--data", "{data}", "--policy", "reach"),
        f"got {STATE} numbers in a state and {ACTION} in an action, allowed 10 and 3",
    ),
    "a simulator of none": (("evaluate", "--env", "none"), "env: got 'none', allowed"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_fit_is_one_line(kind, data, tmp_path, monkeypatch, capsys):
    words, said = REFUSED[kind]
    given = [word.format(data=data[()]) for word in words]
    assert said in refused(given, tmp_path, monkeypatch, capsys)


@pytest.mark.slow
def test_what_is_exported_trains_with_the_same_command_when_it_is_imported_again(tmp_path, monkeypatch, capsys):
    ours, exported, again = (tmp_path / name for name in ("ours", "exported", "again"))
    run_and_read(["collect", "--env", "reach", "--sets", 9, "--clips", 1, "--out", ours], monkeypatch, capsys)
    run_and_read(["dataset", "export", ours, "--out", exported], monkeypatch, capsys)
    words = ["import", "--robot", exported / "robot", "--pairs", exported / "pairs.csv", "--env", "reach"]
    run_and_read([*words, "--out", again], monkeypatch, capsys)
    successes = []
    for data in (ours, again):
        words = [
            "train",
            "--env",
            "reach",
            "--data",
            data,
            "--preset",
            "no-hint",
            "--out",
            tmp_path / f"run-{data.name}",
        ]
        how = ["--steps", 2, "--eval-tasks", 3, "--eval-trials", 1, "--device", "cpu"]
        assert "reach: success on meta-test objects" in run_and_read([*words, *how], monkeypatch, capsys)
        config = load_policy(tmp_path / f"run-{data.name}").config
        successes.append((config.sizes, set(config.results)))
        assert config.sets == (9 if data == ours else 8), "of the imported one a set is held out"
    assert successes[0] == successes[1]
    said = run_and_read(["evaluate", "--data", again, "--policy", tmp_path / "run-ours"], monkeypatch, capsys)
    assert "action error on 1 held-out sets (3 tasks)" in said
