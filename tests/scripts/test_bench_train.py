"""`daml bench train` times the very meta-step that training takes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import refused

from agents.precision import mixed
from agents.presets import PRESETS
from agents.training import new_state
from agents.view import REACHING
from daml import ALONE, Team, loop_tasks, meta_step, vmap_tasks
from daml.meta_step import named_tensors
from scripts.bench_train import BenchTrain, Work, count_flop, found_or_collected, timed_step
from tests.agents.random_tasks import N_TASKS, some_tasks

MAX_NORM = 10.0


class RandomTasks:
    def sample(self, n_tasks, rng):
        assert n_tasks == N_TASKS
        return some_tasks(int(rng.integers(100)))


def some_work(map_tasks=vmap_tasks) -> Work:
    imitator = PRESETS["fast"].imitator(1, REACHING)
    state = new_state(PRESETS["fast"], REACHING, 0, "cpu")
    return Work(state, RandomTasks(), imitator, map_tasks, N_TASKS, MAX_NORM)


def test_a_timed_step_is_a_meta_step_and_its_parts_add_up() -> None:
    timed, plain = some_work(), some_work()
    parts = timed_step(timed, 0, "cpu", ALONE)
    meta_step(
        plain.state,
        RandomTasks().sample(N_TASKS, np.random.default_rng([0, 0])),
        learner=mixed(plain.imitator.learner),
        outer_loss=plain.imitator.outer_loss(0.0),
        max_norm=MAX_NORM,
    )
    found, expected = dict(named_tensors(timed.state.meta)), dict(named_tensors(plain.state.meta))
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    whole = parts.pop("meta-step")
    assert parts.pop("adding up") == 0.0
    assert min(parts.values()) > 0.0
    assert sum(parts.values()) == pytest.approx(whole)


def test_the_operations_are_counted_alike_however_tasks_are_mapped() -> None:
    assert count_flop(some_work(vmap_tasks)) == count_flop(some_work(loop_tasks)) > 1e8


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--env", "all", "--preset", "paper-small"], "got 15 tasks in a meta-batch, allowed a multiple of 4"),
        (["--env", "fly"], "env: got 'fly'"),
        (["--preset", "slow"], "preset: got 'slow'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_trained_is_refused_before_work(words, what, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    assert what in refused(["bench", "train", *words], tmp_path, monkeypatch, capsys)


def test_one_process_collects_for_all_and_what_it_collected_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[int] = []
    collected: list[Path] = []
    monkeypatch.setattr(
        "scripts.bench_train.collect_missing", lambda folders, imitators, **how: collected.extend(folders.values())
    )

    def add_up(tensor: torch.Tensor) -> None:
        """As of two processes, one after the other: the second hears what the first has said."""
        if tensor.dtype == torch.int64:
            said.append(int(tensor))
            tensor.fill_(sum(said))

    config, preset = BenchTrain(), PRESETS["fast"]
    with found_or_collected(config, preset, Team(0, 2, add_up)) as leads:
        with found_or_collected(config, preset, Team(1, 2, add_up)) as follows:
            assert follows == leads
        assert leads.is_dir()
    assert collected == [leads]
    assert not leads.exists()


@pytest.mark.slow
def test_the_command_says_how_near_the_floor_a_step_is(tmp_path: Path) -> None:
    BenchTrain(preset="fast", rounds=1, json=tmp_path / "new" / "train.json").run()
    result = json.loads((tmp_path / "new" / "train.json").read_text())
    assert result["share_of_peak"] == pytest.approx(result["floor_milliseconds"] / result["milliseconds"]["meta-step"])
    assert result["steps_per_second"] == pytest.approx(1e3 / result["milliseconds"]["meta-step"])
    assert result["gflop"] == pytest.approx(14.4, abs=0.1)
