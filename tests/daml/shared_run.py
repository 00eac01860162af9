"""A short training run by the processes that torchrun started: python shared_run.py PROBLEM STEPS FOLDER."""

import os
import sys
from pathlib import Path

import torch
from torch.utils import _pytree as pytree

from agents.methods.fast import fast
from daml import JsonlLog, TrainState, fit, joined, resume, save_state, tee
from daml.tasks.sinusoid import FAMILIES, Sinusoids, make_learner, retina
from tests.agents.random_tasks import some_tasks


def squared_error(outputs, targets):
    return {"loss": (outputs - targets).square().mean()}


class Curves:
    """Sinusoids without labels, in double precision."""

    learner = make_learner(labels=False, rule="gradient", n_steps=2, n_hidden=20, rate=0.01)
    outer_loss = staticmethod(squared_error)
    dtype, n_tasks = torch.float64, 7

    def sample(self, n_tasks, rng):
        tasks = Sinusoids(FAMILIES["standard"], 5, 10, retina).sample(n_tasks, rng)
        return pytree.tree_map(lambda leaf: leaf.double(), tasks)


class Videos:
    """The imitating policy on random videos, in single precision."""

    learner = fast().learner
    outer_loss = staticmethod(fast().outer_loss(1.0))
    dtype, n_tasks = torch.float32, 3

    def sample(self, n_tasks, rng):
        return some_tasks(int(rng.integers(2**31)))


PROBLEMS = {"curves": Curves, "videos": Videos}

if __name__ == "__main__":
    torch.set_num_threads(1)
    problem, n_steps, folder = PROBLEMS[sys.argv[1]](), int(sys.argv[2]), Path(sys.argv[3])
    meta = problem.learner.init(torch.Generator().manual_seed(1))
    meta = pytree.tree_map(lambda tensor: tensor.to(problem.dtype), meta)
    state = TrainState(meta, torch.optim.Adam(pytree.tree_leaves(meta), lr=1e-3))
    checkpoint = folder / "c.safetensors"
    resume(state, checkpoint)
    with joined() as team:
        (folder / f"pid{team.rank}").write_text(str(os.getpid()))
        logs = [JsonlLog(folder / "log.jsonl", state.step)] if team.leads else []
        fit(
            state,
            problem,
            learner=problem.learner,
            outer_loss_at=lambda _: problem.outer_loss,
            n_tasks=problem.n_tasks,
            n_steps=n_steps,
            seed=5,
            max_norm=1.0,
            log=tee(*logs),
            checkpoint=checkpoint,
            checkpoint_every=5,
            team=team,
        )
    save_state(folder / f"mine{team.rank}.safetensors", state)
