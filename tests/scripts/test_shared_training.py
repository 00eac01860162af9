"""The commands that meta-train, under torchrun: the same numbers as alone, and one of everything that is written."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from command_line import DAML, ROOT, TORCHRUN, started

from agents.precision import is_fast
from daml import read_log

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
pytestmark = pytest.mark.slow


def daml(start: tuple[str, ...], *words: object) -> subprocess.CompletedProcess:
    command = [*start, *map(str, words)]
    env = os.environ | ONE_THREAD
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)


def losses(folder: Path) -> list[float]:
    return [record["loss"] for record in read_log(folder / "log.jsonl")]


@pytest.mark.parametrize(
    "words",
    [
        ("sinusoid", "--method", "daml", "--steps", 20, "--test-tasks", 10, "--no-compile"),
        ("fewshot", "--steps", 5, "--episodes", 10, "--filters", 8, "--no-compile"),
        ("train", "--sets", 8, "--steps", 20, "--eval-tasks", 3, "--eval-trials", 1),
    ],
    ids=lambda words: words[0],
)
def test_two_processes_train_as_one(tmp_path: Path, words: tuple[object, ...]) -> None:
    alone, shared = (
        daml(DAML, *words, "--out", tmp_path / "alone"),
        daml(TORCHRUN, *words, "--out", tmp_path / "shared"),
    )
    assert (alone.returncode, shared.returncode) == (0, 0), alone.stderr + shared.stderr
    # Where convolutions are computed in bfloat16, shares of a meta-batch round as that does.
    exact = 1e-3 if words[0] == "train" and is_fast(torch.device("cpu")) else 1e-4
    assert losses(tmp_path / "shared") == pytest.approx(losses(tmp_path / "alone"), rel=exact)
    names = [{path.name for path in (tmp_path / run).iterdir()} for run in ("alone", "shared")]
    assert names[0] == names[1]
    assert len(results(shared.stdout)) == len(results(alone.stdout)), shared.stdout


def results(said: str) -> list[str]:
    """The lines of a command that do not tell its progress, of which there are more the longer it takes."""
    return [line for line in said.splitlines() if not re.match(r"[^:]+: \d+ of \d+ ", line)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("fewshot", "--method", "finetune", "--steps", 1, "--no-compile"),
            "processes: got 2; allowed: 1 to 1, the tasks in a meta-batch",
        ),
        (("fewshot", "--shots", 0), "shots: got 0, allowed 1 or more"),
        (("fewshot", "--data", "omniglot", "--root", "nowhere"), ""),
        (("sinusoid", "--no-such"), "option: got '--no-such', allowed "),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_bad_input_is_said_once(tmp_path: Path, words: tuple[object, ...], said: str) -> None:
    done = daml(TORCHRUN, *words, "--out", tmp_path)
    assert done.returncode != 0
    assert done.stderr.count("daml: error: ") == done.stderr.count(f"daml: error: {said}") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
@pytest.mark.parametrize("steps", [0, 1001], ids=["without a checkpoint", "with one"])
def test_a_stop_is_said_once_and_says_what_is_true(tmp_path: Path, number: int, steps: int) -> None:
    """As a terminal and a batch queue do it: SIGINT to all processes, SIGTERM to torchrun."""
    words = ["sinusoid", "--steps", "100000", "--tasks", "2", "--hidden", "2", "--no-compile", "--out", str(tmp_path)]
    log, end = tmp_path / "log.jsonl", time.monotonic() + 200
    with started(*TORCHRUN, *words, **ONE_THREAD) as running:
        while not log.exists() or len(read_log(log)) < steps:
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < end
            time.sleep(0.1)
        (os.killpg if number == signal.SIGINT else os.kill)(running.pid, number)
        _, err = running.communicate(timeout=100)
    meaning = "from the last checkpoint" if steps else "; its training has no checkpoint yet"
    assert [line for line in err.splitlines() if line.startswith("daml: ")] == [
        f"daml: stopped: --resume goes on{' ' * bool(steps)}{meaning}"
    ]
    assert "KeyboardInterrupt" not in err
