"""A short training run in a process of its own, to be killed: python resumable_run.py FOLDER."""

import sys
from pathlib import Path

import torch
from conftest import ToyTasks, make_learner, outer_loss

from daml import JsonlLog, TrainState, fit, resume

N_STEPS = 150

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    checkpoint, learner = folder / "c.safetensors", make_learner()
    meta = learner.init(torch.Generator().manual_seed(1))
    state = TrainState(meta, torch.optim.Adam([tensor for params in meta.values() for tensor in params.values()]))
    resume(state, checkpoint)
    with JsonlLog(folder / "log.jsonl", step=state.step) as log:
        fit(
            state,
            ToyTasks(),
            learner=learner,
            outer_loss_at=lambda _: outer_loss,
            n_tasks=2,
            n_steps=N_STEPS,
            seed=5,
            log=log,
            checkpoint=checkpoint,
            checkpoint_every=3,
        )
