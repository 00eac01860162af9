"""Several processes compute what one computes, write once, and end together."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import torch

from daml import MetaLearningError, ProcessError, Team, TrainState, fit, joined, load, meta_grad, meta_step, read_log
from daml.meta_step import named_tensors

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("shared_run.py")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def in_team(size, work):
    """What `work` returns for each process of a team; here they are threads."""
    passed, barrier = [None] * size, Barrier(size, timeout=60)

    def run(rank):
        def add_up(tensor):
            passed[rank] = tensor.clone()
            barrier.wait()
            total = sum(passed)
            barrier.wait()
            tensor.copy_(total)

        return work(Team(rank, size, add_up))

    with ThreadPoolExecutor(size) as threads:
        return list(threads.map(run, range(size)))


def new_state(toy):
    meta = toy.learner.init(torch.Generator().manual_seed(1))
    return TrainState(meta, torch.optim.Adam([tensor for params in meta.values() for tensor in params.values()]))


def train(toy, team, **options):
    state = new_state(toy)
    settings = {"n_tasks": 4, "n_steps": 6, "seed": 5, "learner": toy.learner, "max_norm": 0.1} | options
    fit(state, toy.distribution, outer_loss_at=lambda _: toy.outer_loss, team=team, **settings)
    return state


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_gradient_and_metrics_are_those_of_the_whole_batch(toy, size):
    tasks = toy.distribution.sample(7, np.random.default_rng(3))
    meta = new_state(toy).meta
    expected = meta_grad(meta, tasks, learner=toy.learner, outer_loss=toy.outer_loss)

    def work(team):
        return team.gradient(meta, tasks, learner=toy.learner, outer_loss=toy.outer_loss)

    for found in in_team(size, work):
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def test_one_process_takes_the_plain_way():
    assert Team().gradient is meta_grad


@pytest.mark.parametrize(("size", "n_tasks"), [(1, 5), (2, 5), (3, 24), (5, 24), (24, 24)])
def test_the_shares_are_all_tasks_once_and_even(size, n_tasks):
    shares = [list(range(n_tasks))[Team(rank, size).share(n_tasks)] for rank in range(size)]
    assert [task for share in shares for task in share] == list(range(n_tasks))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_more_processes_than_tasks_is_an_error(toy):
    with pytest.raises(MetaLearningError, match="processes: got 5; allowed: 1 to 4, the tasks in a meta-batch"):
        in_team(5, lambda team: train(toy, team))


@pytest.mark.parametrize("size", [2, 3])
def test_training_is_that_of_one_process_with_the_same_bits_in_all(toy, size):
    alone = dict(named_tensors(train(toy, Team()).meta))
    first, *others = [dict(named_tensors(state.meta)) for state in in_team(size, lambda team: train(toy, team))]
    torch.testing.assert_close(first, alone, atol=1e-10, rtol=1e-10)
    assert all(torch.equal(other[key], first[key]) for other in others for key in first)


def test_only_the_leader_evaluates_logs_and_writes(toy, tmp_path):
    seen = []

    def work(team):
        def note(what):
            seen.append((team.rank, what))
            return {}

        train(
            toy,
            team,
            n_steps=2,
            evaluate=lambda _: note("evaluated"),
            log=lambda step, _: note(f"logged {step}"),
            checkpoint=tmp_path / f"c{team.rank}",
        )

    in_team(3, work)
    assert seen == [(0, "logged 1"), (0, "evaluated"), (0, "logged 2")]
    assert [path.name for path in tmp_path.iterdir()] == ["c0"]


def test_what_is_not_finite_in_one_share_stops_all_with_their_state_kept(toy):
    tasks = toy.distribution.sample(4, np.random.default_rng(3))
    tasks.query.targets[3, 0, 0] = torch.nan

    def work(team):
        state = new_state(toy)
        before = {key: tensor.clone() for key, tensor in named_tensors(state.meta)}
        with pytest.raises(MetaLearningError, match="loss of meta-step 0: got nan"):
            meta_step(state, tasks, learner=toy.learner, outer_loss=toy.outer_loss, gradient=team.gradient)
        return all(torch.equal(tensor, before[key]) for key, tensor in named_tensors(state.meta))

    assert in_team(2, work) == [True, True]


@pytest.mark.parametrize("options", [{"seed": 1}, {"n_steps": 7}, {"n_tasks": 5}])
def test_processes_with_different_settings_do_not_start(toy, options):
    with pytest.raises(ProcessError, match="different ones; allowed: the same seed, settings and checkpoint"):
        in_team(2, lambda team: train(toy, team, **(options if team.rank else {})))


def test_the_leader_goes_first():
    order = []

    def work(team):
        with team.leader_first():
            time.sleep(0.05 if team.leads else 0)
            order.append(team.leads)

    in_team(3, work)
    assert order == [True, False, False]


@pytest.mark.parametrize("said", [{"RANK": None}, {"WORLD_SIZE": "two"}, {"MASTER_PORT": None}, {"MASTER_ADDR": None}])
def test_half_of_what_torchrun_says_is_an_error(said, monkeypatch):
    for name, value in (
        {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"} | said
    ).items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    ((name, value),) = said.items()
    with pytest.raises(MetaLearningError, match=f"processes: got .*{name} {value or 'unset'}.*; allowed: what torch"):
        joined().__enter__()


def run(folder, size, problem="curves", n_steps=20):
    """A run of so many processes to its end, as torchrun starts them but without it; the states of all of them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = ENVIRONMENT | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    command = [sys.executable, PROGRAM, problem, str(n_steps), folder]
    folder.mkdir(exist_ok=True)
    processes = [subprocess.Popen(command, env=shared | {"RANK": str(rank)}) for rank in range(size)]
    assert [process.wait(timeout=300) for process in processes] == [0] * size
    return [load(folder / f"mine{rank}.safetensors")[0] for rank in range(size)]


def losses(folder):
    return [record["loss"] for record in read_log(folder / "log.jsonl")]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Folder and state of an undisturbed run of one process."""
    folder = tmp_path_factory.mktemp("runs") / "alone"
    return folder, run(folder, 1)[0]


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3])
def test_processes_on_gloo_train_as_one(tmp_path, alone, size):
    folder, expected = alone
    states = run(tmp_path / "shared", size)
    torch.testing.assert_close(states[0], expected, atol=1e-10, rtol=1e-10)
    for state in states[1:]:
        torch.testing.assert_close(state, states[0], atol=0, rtol=0)
    assert losses(tmp_path / "shared") == pytest.approx(losses(folder), abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2), (2, 3)])
def test_a_run_goes_on_with_another_number_of_processes(tmp_path, alone, first, then):
    folder, expected = alone
    run(tmp_path / "resumed", first, n_steps=10)
    states = run(tmp_path / "resumed", then)
    torch.testing.assert_close(states[0], expected, atol=1e-10, rtol=1e-10)
    assert losses(tmp_path / "resumed") == pytest.approx(losses(folder), abs=1e-10)


@pytest.mark.slow
def test_a_run_that_goes_on_with_as_many_processes_ends_with_the_same_bits(tmp_path):
    undisturbed = run(tmp_path / "undisturbed", 2)
    run(tmp_path / "resumed", 2, n_steps=10)
    torch.testing.assert_close(run(tmp_path / "resumed", 2), undisturbed, atol=0, rtol=0)
    assert losses(tmp_path / "resumed") == losses(tmp_path / "undisturbed")


@pytest.mark.slow
def test_the_imitating_policy_takes_the_same_steps_to_rounding(tmp_path):
    run(tmp_path / "alone", 1, "videos")
    run(tmp_path / "shared", 2, "videos")
    assert losses(tmp_path / "shared") == pytest.approx(losses(tmp_path / "alone"), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_run_with_one_line_and_it_can_go_on(tmp_path, alone, victim):
    folder = tmp_path / "killed"
    folder.mkdir()
    command = [*TORCHRUN, "2", PROGRAM, "curves", "100000", folder]
    running = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while len(read_log(folder / "log.jsonl")) < 12 and running.poll() is None:
        time.sleep(0.05)
    os.kill(int((folder / f"pid{victim}").read_text()), signal.SIGKILL)
    _, said = running.communicate(timeout=300)
    assert running.returncode != 0
    assert said.count("ProcessError: process of this run: got") == 1
    reached = load(folder / "c.safetensors")[1]["step"]
    assert reached >= 10
    run(folder, 1, n_steps=reached + 5)
    assert [record["step"] for record in read_log(folder / "log.jsonl")] == list(range(1, reached + 6))
