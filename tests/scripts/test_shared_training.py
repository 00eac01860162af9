"""The commands that meta-train, under torchrun: the same numbers as alone, and one of everything that is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from daml import read_log

ROOT = Path(__file__).parents[2]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "scripts")
ALONE = (sys.executable, "-m", "scripts")
pytestmark = pytest.mark.slow


def daml(start: tuple[str, ...], *words: object) -> subprocess.CompletedProcess:
    command = [*start, *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


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
        daml(ALONE, *words, "--out", tmp_path / "alone"),
        daml(TORCHRUN, *words, "--out", tmp_path / "shared"),
    )
    assert (alone.returncode, shared.returncode) == (0, 0), alone.stderr + shared.stderr
    assert losses(tmp_path / "shared") == pytest.approx(losses(tmp_path / "alone"), rel=1e-4)
    names = [{path.name for path in (tmp_path / run).iterdir()} for run in ("alone", "shared")]
    assert names[0] == names[1]
    assert len(shared.stdout.splitlines()) == len(alone.stdout.splitlines()), shared.stdout


def test_bad_input_is_said_once(tmp_path: Path) -> None:
    done = daml(TORCHRUN, "fewshot", "--method", "finetune", "--steps", 1, "--no-compile", "--out", tmp_path)
    assert done.returncode != 0
    assert done.stderr.count("daml: error: processes: got 2; allowed: 1 to 1, the tasks in a meta-batch") == 1
