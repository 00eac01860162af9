"""`daml record`, `replay`, `dataset` and `adapt` as a user runs them."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from agents.policies import bundled, load_policy
from demos.episodes import find_recordings, write_recording
from demos.errors import DemoError
from demos.recipe import Recipe
from demos.recorder import record_robot
from demos.verify import verify
from demos.video import read_video, write_video
from scripts.adapt import Adapt
from scripts.dataset import Export, List, Rename, Show, Verify
from scripts.record import Record
from scripts.replay import Replay

ROOT = Path(__file__).parents[2]
DAML = [sys.executable, "-m", "scripts"]
needs_policy = pytest.mark.skipif("reach" not in bundled(), reason="there is no policy in the box")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two episodes of the expert and two of the human."""
    out = tmp_path_factory.mktemp("recordings")
    for by in ("expert", "human"):
        Record(by=by, episodes=2, size=64, out=out).run()
    return out


def output(command, capsys) -> str:
    capsys.readouterr()
    command.run()
    return " ".join(capsys.readouterr().out.split())


def test_a_relative_folder_inside_another_is_as_good_as_any(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Record(episodes=1, size=64, out=Path("a/b")).run()
    assert "1 of 1 exact" in output(Replay(Path("a/b"), size=64), capsys)
    assert "1 episodes are whole" in output(Verify(Path("a/b")), capsys)
    assert not list(tmp_path.glob("a/b/.*"))


def test_a_renamed_folder_is_not_whole_until_its_ids_follow(tmp_path, capsys):
    Record(episodes=2, size=64, out=tmp_path / "before").run()
    after = (tmp_path / "before").rename(tmp_path / "after")
    with pytest.raises(DemoError, match="got 2 of 2 episodes that do not hold"):
        Verify(after).run()
    assert "`daml dataset rename` gives it that one" in " ".join(capsys.readouterr().out.split())
    assert "2 of 2 episodes got another Minari id" in output(Rename(after), capsys)
    assert "0 of 2 episodes got another Minari id" in output(Rename(after), capsys)
    assert "2 episodes are whole" in output(Verify(after), capsys)


def test_record_then_replay_is_exact(recordings, capsys):
    said = output(Replay(recordings, size=64), capsys)
    assert "4 of 4 exact; largest deviation of the state 0 m, 0 rad" in said
    for folder in find_recordings(recordings):
        assert (folder / "replay.mp4").stat().st_size > 1000
        assert json.loads((folder / "replay.json").read_text())["pixels"] == 0
        verify(folder)


def test_recording_again_does_nothing_twice(recordings, capsys):
    before = {path: path.stat().st_mtime_ns for path in recordings.rglob("episode.mp4")}
    said = output(Record(episodes=2, size=64, out=recordings), capsys)
    assert "recorded 0 episodes" in said
    assert "2 were there already" in said
    assert {path: path.stat().st_mtime_ns for path in recordings.rglob("episode.mp4")} == before


def test_what_was_recorded_through_other_cameras_is_not_taken_for_the_same(recordings):
    with pytest.raises(DemoError, match=r"recording .*expert.*: got one through the cameras \('table',\), allowed"):
        Record(episodes=2, size=64, out=recordings, cameras=("table", "hand")).run()


def test_dataset_lists_shows_and_verifies(recordings, capsys, tmp_path):
    assert "4 episodes" in output(List(recordings), capsys)
    folder = next(path for path in find_recordings(recordings) if "expert" in path.name)
    said = output(Show(folder, sheet=tmp_path / "sheet.png"), capsys)
    assert "env_id daml/Reach-v0" in said
    assert "actions float32 [30, 3]" in said
    assert (tmp_path / "sheet.png").exists()
    assert "4 episodes are whole" in output(Verify(recordings), capsys)


@pytest.mark.parametrize("layout", ["lerobot", "robomimic"])
def test_dataset_exports_what_has_actions(recordings, tmp_path, capsys, layout):
    said = output(Export(recordings, format=layout, out=tmp_path / "out"), capsys)
    assert "exported 2 episodes, 60 steps" in said
    assert "2 of a human were left out" in said


def test_a_damaged_episode_is_told_from_the_others(tmp_path, capsys):
    Record(episodes=2, size=64, out=tmp_path).run()
    data = find_recordings(tmp_path)[1] / "data" / "main_data.hdf5"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(DemoError, match="got 1 of 2 episodes that do not hold"):
        Verify(tmp_path).run()
    assert "main_data.hdf5: got a wrong checksum" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (Record(seed=-1), "seed: got -1"),
        (Record(cameras=("hand",)), r"cameras: got \('hand',\), allowed \('table',\) or"),
        (Record(by="human", cameras=("table", "hand")), "cameras: got .* for a recording by human"),
        (Replay(Path("nowhere")), "got none in nowhere"),
        (List(Path("nowhere")), "got none in nowhere"),
        (Show(Path("nowhere")), "recording.json: got no description"),
        (Export(Path("nowhere")), "got none in nowhere"),
    ],
)
def test_bad_input_is_refused(command, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DemoError, match=what):
        command.run()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_killed_recording_loses_nothing_and_goes_on(tmp_path):
    words = [*DAML, "record", "--episodes", "12", "--size", "64", "--out", str(tmp_path)]
    running = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list(tmp_path.glob("reach-*"))) < 2:
        time.sleep(0.02)
        assert running.poll() is None
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = find_recordings(tmp_path)
    assert 2 <= len(kept) < 12
    for folder in kept:
        verify(folder)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"{len(kept)} were there already" in " ".join(done.stdout.split())
    assert len([verify(folder) for folder in find_recordings(tmp_path)]) == 12
    assert not list(tmp_path.glob(".*"))


@needs_policy
@pytest.mark.slow
def test_a_policys_episode_is_replayed_exactly(tmp_path, capsys):
    Record(by="policy", episodes=3, size=64, out=tmp_path).run()
    assert "3 of 3 exact" in output(Replay(tmp_path, size=64), capsys)


@needs_policy
def test_the_one_shot_moment_takes_six_lines(recordings, tmp_path):
    clip = next(path for path in find_recordings(recordings) if "human" in path.name) / "episode.mp4"
    stored = load_policy("reach")
    policy = stored.adapt(read_video(clip, size=stored.imitator().size))
    recipe = Recipe("daml/Reach-v0", seed=0, split="test", index=0, goal=0)
    recording, film = record_robot(recipe, policy.actor(), size=stored.imitator().size, film_size=64)
    folder = write_recording(tmp_path, recording, film)
    assert verify(folder).by == "policy"
    assert recording.info.success


@needs_policy
def test_adapting_to_a_recorded_human_writes_first_what_the_policy_sees(recordings, tmp_path, capsys):
    folder = next(path for path in find_recordings(recordings) if "human" in path.name)
    said = output(Adapt(folder / "episode.mp4", size=64, out=tmp_path / "out"), capsys)
    assert "warning" not in said
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["right_object"]
    assert result["distance_from_training"] < 2
    written = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert sorted(written, key=written.get) == ["seen.png", "rollout.mp4", "result.json"]


@needs_policy
def test_a_foreign_and_long_video_is_warned_of(tmp_path, capsys):
    frames = np.random.default_rng(0).integers(0, 256, (24, 48, 96, 3), np.uint8)
    write_video(tmp_path / "noise.mp4", frames, 2)
    said = output(Adapt(tmp_path / "noise.mp4", fit="letterbox", size=64, out=tmp_path / "out"), capsys)
    assert "never seen anything like this" in said
    assert "give --start and --end" in said
