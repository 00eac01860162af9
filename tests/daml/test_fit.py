"""Training: the order of things, and a killed run that ends where it would have ended."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from daml import JsonlLog, MetaLearningError, TrainState, fit, load, load_state, read_log
from daml.fit import drawn_ahead

N_STEPS = 12
ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("resumable_run.py")


class KilledError(Exception):
    """Stands for a SIGKILL inside one process."""


@pytest.fixture
def new_state(toy):
    def new() -> TrainState:
        meta = toy.learner.init(torch.Generator().manual_seed(1))
        tensors = [tensor for params in meta.values() for tensor in params.values()]
        return TrainState(meta, torch.optim.Adam(tensors, lr=0.01))

    return new


@pytest.fixture
def run(toy):
    def run(state, **options):
        options = {"n_steps": N_STEPS} | options
        settings = {"learner": toy.learner, "outer_loss_at": lambda _: toy.outer_loss, "n_tasks": 2, "seed": 5}
        fit(state, toy.distribution, **(settings | options))
        return state

    return run


def resumable(run, folder, state, log=None, **options):
    """One start of a run that can be killed: load what is there, go on."""
    if (folder / "c.safetensors").exists():
        load_state(folder / "c.safetensors", state)
    with JsonlLog(folder / "log.jsonl", step=state.step) as jsonl:

        def both(step, metrics):
            jsonl(step, metrics)
            if log is not None:
                log(step, metrics)

        run(state, log=both, checkpoint=folder / "c.safetensors", checkpoint_every=5, **options)


def everything(folder):
    return (folder / "c.safetensors").read_bytes(), (folder / "log.jsonl").read_bytes()


@pytest.mark.parametrize("killed_at", [2, 5, 6, 11, 12])
def test_a_run_killed_after_logging_resumes_to_the_same_bits(tmp_path, run, new_state, killed_at):
    def kill(step, metrics):
        if step == killed_at:
            raise KilledError

    folders = [tmp_path / "undisturbed", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
    options = {"evaluate": lambda state: {"norm": state.meta["psi"]["k1"].norm().item()}, "evaluate_every": 3}
    resumable(run, folders[0], new_state(), **options)
    with pytest.raises(KilledError):
        resumable(run, folders[1], new_state(), log=kill, **options)
    resumable(run, folders[1], new_state(), **options)
    assert everything(folders[0]) == everything(folders[1])
    assert [record["step"] for record in read_log(folders[0] / "log.jsonl")] == list(range(1, N_STEPS + 1))


@pytest.mark.slow
def test_a_run_killed_by_the_system_at_any_moment_resumes_to_the_same_bits(tmp_path):
    def start(folder):
        folder.mkdir(exist_ok=True)
        return subprocess.Popen([sys.executable, PROGRAM, folder], env=os.environ | {"PYTHONPATH": str(ROOT)})

    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert start(undisturbed).wait(timeout=120) == 0
    wait = random.Random(time.time_ns()).uniform(0.0, 0.4)
    print(f"killing {wait} s after the first step")
    process = start(killed)
    while not read_log(killed / "log.jsonl") and process.poll() is None:
        time.sleep(0.005)
    time.sleep(wait)
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL, "the run ended before it could be killed"
    assert start(killed).wait(timeout=120) == 0
    assert everything(undisturbed) == everything(killed)


def test_training_learns_and_two_runs_with_one_seed_are_the_same(run, new_state):
    losses: dict[str, list[float]] = {"one": [], "two": []}
    for log in losses.values():
        run(new_state(), n_steps=60, n_tasks=4, log=lambda _, metrics, log=log: log.append(metrics["loss"]))
    assert losses["one"] == losses["two"]
    assert np.mean(losses["one"][-10:]) < 0.8 * np.mean(losses["one"][:10])


def test_another_seed_draws_other_tasks(run, new_state):
    assert not torch.equal(
        run(new_state(), n_steps=1, seed=5).meta["psi"]["k1"], run(new_state(), n_steps=1, seed=6).meta["psi"]["k1"]
    )


def test_the_schedules_see_every_step_and_set_the_learning_rate(toy, run, new_state):
    rates, losses_at, state = [], [], new_state()

    def outer_loss_at(step):
        losses_at.append(step)
        return toy.outer_loss

    def log(step, metrics):
        rates.append((step, state.optimizer.param_groups[0]["lr"]))

    run(state, n_steps=3, outer_loss_at=outer_loss_at, lr_at=lambda step: 0.1 / (step + 1), log=log)
    assert losses_at == [0, 1, 2]
    assert rates == [(1, 0.1), (2, 0.05), (3, 0.1 / 3)]


@pytest.mark.parametrize(("every", "expected"), [(0, [7]), (3, [3, 6, 7]), (7, [7])])
def test_evaluation_and_checkpoint_come_when_due_and_at_the_end(tmp_path, run, new_state, every, expected):
    evaluated, saved = [], []

    def log(step, metrics):
        if "score" in metrics:
            evaluated.append(step)
        path = tmp_path / "c.safetensors"
        if path.exists():
            saved.append(load(path)[1]["step"])

    path = tmp_path / "c.safetensors"
    run(
        new_state(),
        n_steps=7,
        log=log,
        evaluate=lambda state: {"score": 1.0},
        evaluate_every=every,
        checkpoint=path,
        checkpoint_every=every,
    )
    saved.append(load(path)[1]["step"])
    assert evaluated == expected
    assert sorted(set(saved)) == expected


def test_a_run_that_is_done_does_nothing(run, new_state):
    state = run(new_state())
    before = state.meta["psi"]["k1"].clone()
    run(state)
    assert torch.equal(state.meta["psi"]["k1"], before)


def test_a_loss_that_is_not_finite_ends_the_run_with_its_step(run, new_state):
    def outer_loss_at(step):
        return lambda outputs, targets: {"loss": outputs.mean() / (0 if step == 4 else 1)}

    state = new_state()
    with pytest.raises(MetaLearningError, match="loss of meta-step 4"):
        run(state, outer_loss_at=outer_loss_at)
    assert state.step == 4


def test_what_is_drawn_ahead_is_what_would_have_been_drawn():
    assert list(drawn_ahead(lambda step: 10 * step, range(3, 7))) == [30, 40, 50, 60]
    assert list(drawn_ahead(lambda step: step, range(0))) == []


def test_an_error_of_what_is_drawn_ahead_comes_up_at_its_step():
    def draw(step):
        if step == 2:
            raise ValueError("no such task")
        return step

    coming = drawn_ahead(draw, range(4))
    assert [next(coming), next(coming)] == [0, 1]
    with pytest.raises(ValueError, match="no such task"):
        next(coming)
