"""The commands as a user runs them, only shorter."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import ends

from agents.policies import bundled
from daml import read_log
from scripts.common import TOGETHER

DAML = [sys.executable, "-m", "scripts"]
ROOT = Path(__file__).parent.parent.parent
needs_policy = pytest.mark.skipif("reach" not in bundled(), reason="there is no policy in the box")


def daml(*words: object) -> subprocess.CompletedProcess:
    return subprocess.run([*DAML, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def short_run(out: Path, *words: object) -> list[str]:
    """A training run of seconds, with checkpoints on the way."""
    sizes = ("--sets", 8, "--steps", 56, "--eval-tasks", 3, "--eval-trials", 1)
    return [*DAML, *map(str, ("train", "--env", "reach", "--out", out, *sizes, *words))]


def metrics(out: Path) -> list[dict]:
    return [
        {name: value for name, value in record.items() if name != "seconds"} for record in read_log(out / "log.jsonl")
    ]


def test_help_comes_without_heavy_imports() -> None:
    code = "import sys, scripts.cli; assert not {'torch', 'mujoco'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("evaluate", "--env", "fly"), "env: got 'fly'"),
        (("evaluate", "--video", "mirror"), "video: got 'mirror'"),
        (("evaluate", "--policy", "nowhere"), "policy: got nowhere"),
        (("evaluate", "--preset", "precise"), "preset: got 'precise' for a policy of 'temporal'"),
        (("evaluate", "--preset", "best"), "preset: got 'best'"),
        (("evaluate", "--policy", "daml_command:main", "--preset", "looking"), "preset: got 'looking', allowed none"),
        (("train", "--preset", "slow", "--out", "{out}"), "preset: got 'slow'"),
        (("collect", "--sets", "0", "--out", "{out}"), "sets: got 0, allowed 1 or more"),
        (("train", "--device", "tpu", "--out", "{out}"), "invalid choice 'tpu' for argument '--device'"),
        (("train", "--data", "nowhere", "--out", "{out}"), "dataset nowhere: got no readable dataset.json"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(tmp_path: Path, words: tuple[str, ...], what: str) -> None:
    done = daml(*(word.format(out=tmp_path / "out") for word in words))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert what in done.stderr
    assert not (tmp_path / "out").exists()


@needs_policy
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["missing", "text", "empty", "truncated", "one frame"])
def test_a_bad_video_is_one_line_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    import numpy as np

    from demos.video import write_video

    clip = tmp_path / "clip.mp4"
    frames = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    if kind == "text":
        clip.write_text("a shopping list\n")
    elif kind == "empty":
        clip.touch()
    elif kind == "truncated":
        write_video(clip, frames, 10)
        clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    elif kind == "one frame":
        write_video(clip, frames[:1], 10)
    done = daml("adapt", "--video", clip, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@needs_policy
@pytest.mark.slow
def test_collect_then_adapt_to_a_clip_at_another_size_and_frame_rate(tmp_path: Path) -> None:
    sizes = ("--sets", 1, "--clips", 2, "--clip-size", 200, "--clip-fps", 13)
    assert daml("collect", "--split", "test", "--seed", 7, "--out", tmp_path / "data", *sizes).returncode == 0
    clip = tmp_path / "data" / "clips" / "set0-goal1.mp4"
    done = daml("adapt", "--video", clip, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"seen.png", "rollout.mp4", "result.json"}
    assert json.loads((tmp_path / "out" / "result.json").read_text())["right_object"]


@needs_policy
@pytest.mark.slow
def test_evaluate_writes_the_agreed_keys(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    assert daml("evaluate", "--env", "reach", "--tasks", 3, "--trials", 2, "--seed", 4, "--json", path).returncode == 0
    keys = {"success", "ci_low", "ci_high", "nearest", "chance", "tasks", "trials", "seed", "policy", "seconds"}
    assert keys <= set(json.loads(path.read_text()))


@needs_policy
@pytest.mark.slow
def test_a_result_is_printed_before_it_is_written(tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def fail(path: Path, value: object) -> None:
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr("scripts.evaluate.write_json", fail)
    words = ["evaluate", "--tasks", "1", "--trials", "1", "--workers", "1", "--json", str(tmp_path / "f.json")]
    status, out, err = ends(words, monkeypatch, capsys)
    assert status == 2
    assert "success 1.000" in out or "success 0.000" in out
    assert (
        err
        == f"daml: error: {tmp_path / 'f.json'}: got 'No space left on device', allowed what can be read and written\n"
    )


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_like_one_that_is_not(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(short_run(whole), cwd=ROOT, check=True, capture_output=True)
    running = subprocess.Popen(short_run(broken), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(metrics(broken)) < 51:  # one more than its checkpoint has
        time.sleep(0.05)
        assert running.poll() is None
    running.send_signal(signal.SIGKILL)
    running.wait()
    other = subprocess.run(short_run(broken, "--resume", "--seed", 1), cwd=ROOT, capture_output=True, text=True)
    assert other.returncode == 2
    assert "got {'seed': '1'}, allowed {'seed': '0'}, as it began" in other.stderr
    subprocess.run([*DAML, "train", "--resume", "--out", str(broken)], cwd=ROOT, check=True, capture_output=True)
    assert metrics(whole) == metrics(broken)
    policies = [(out / "policy" / "model.safetensors").read_bytes() for out in (whole, broken)]
    assert policies[0] == policies[1]
    said = json.loads((broken / "policy" / "config.json").read_text())["command"]
    given = "--env reach --preset temporal --seed 0 --sets 8 --steps 56 --learning-rate 0.002"
    assert said == f"daml train {given} --pairs all --eval-tasks 3 --eval-trials 1"
    assert daml("evaluate", "--policy", broken, "--tasks", 1, "--trials", 1, "--workers", 1).returncode == 0


@pytest.mark.slow
def test_one_policy_for_all_environments_trains_and_acts_in_each(tmp_path: Path) -> None:
    sizes = ("--sets", 2, "--steps", 1, "--eval-tasks", 1, "--eval-trials", 1)
    done = daml("train", "--env", "all", *sizes, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run" / "policy" / "config.json").read_text())["results"]
    assert {f"{env}: human" for env in TOGETHER} <= set(results)
    acted = daml("evaluate", "--policy", tmp_path / "run" / "policy", "--env", "push", "--tasks", 1, "--trials", 1)
    assert acted.returncode == 0, acted.stderr
    refused = daml("train", "--env", "all", "--preset", "paper", *sizes, "--out", tmp_path / "paper")
    assert refused.returncode == 2
    assert "got 15 tasks in a meta-batch, allowed a multiple of 4" in " ".join(refused.stderr.split())
    assert not (tmp_path / "paper").exists()


@pytest.mark.slow
def test_the_paper_preset_trains(tmp_path: Path) -> None:
    done = daml("train", "--preset", "paper", "--quick", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "policy" / "model.safetensors").exists()
    again = daml("train", "--preset", "paper", "--quick", "--out", tmp_path / "run")
    assert again.returncode == 2
    assert "--resume" in again.stderr
