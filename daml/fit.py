"""Meta-training: sample, step, evaluate, log, checkpoint. A killed run that resumes ends where it would have ended."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from daml.checkpoint import save_state
from daml.distributed import ALONE, Team
from daml.logs import Log
from daml.meta_step import Objective, TrainState, meta_loss, meta_step, named_tensors, vmap_tasks
from daml.types import MapTasks, MetaLearner, OuterLoss, Task, TaskDistribution

Evaluate = Callable[[TrainState], dict[str, float]]


def fit(
    state: TrainState,
    distribution: TaskDistribution,
    *,
    learner: MetaLearner,
    outer_loss_at: Callable[[int], OuterLoss],
    n_tasks: int,
    n_steps: int,
    seed: int,
    map_tasks: MapTasks = vmap_tasks,
    lr_at: Callable[[int], float] | None = None,
    max_norm: float | None = None,
    objective: Objective = meta_loss,
    evaluate: Evaluate | None = None,
    evaluate_every: int = 0,
    log: Log | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 0,
    team: Team = ALONE,
) -> None:
    """Train `state` in place until `n_steps` steps are done, counting those it already has.

    The tasks of a step depend on the seed and the step alone. So meta-parameters, optimiser and step are all there is
    to a run: `daml.checkpoint.load_state`, then `fit` again, continues it exactly.

    Args:
        state: meta-parameters, optimiser, and steps done so far.
        distribution: where tasks come from.
        learner: what adapts and predicts.
        outer_loss_at: step (from zero) -> outer loss; a schedule of losses, or a constant function.
        n_tasks: tasks in a meta-batch.
        n_steps: steps in the whole run.
        seed: seed of the tasks.
        map_tasks: how tasks are mapped.
        lr_at: step -> learning rate of all groups; None leaves the optimiser's.
        max_norm: bound on the norm of the meta-gradient; None leaves it alone.
        objective: `meta_loss`, or `torch.compile(meta_loss)` where many steps pay for the minute it takes.
        evaluate: state -> metrics; it must depend on nothing but the state.
        evaluate_every: in steps, and after the last; zero is only after the last.
        log: (steps done, metrics) -> None, at every step.
        checkpoint: file to write.
        checkpoint_every: in steps, and after the last; zero is only after the last.
        team: the processes that share the work and all call this; only the one that leads evaluates, logs and writes.

    Raises:
        MetaLearningError: loss or gradient is not finite; `state` and the checkpoint are those before that step.
        CheckpointError: the checkpoint cannot be written.
        ProcessError: a process of the team died, or was given something else.
    """

    def due(every: int) -> bool:
        return state.step == n_steps or (every > 0 and state.step % every == 0)

    team.check_same(state, n_tasks, n_steps, seed)
    if not team.leads:
        evaluate = log = checkpoint = None

    def draw(step: int) -> Task:
        return distribution.sample(n_tasks, np.random.default_rng([seed, step]))

    for tasks in (drawn_ahead if on_gpu(state) else map)(draw, range(state.step, n_steps)):
        if lr_at is not None:
            set_learning_rate(state, lr_at(state.step))
        tensors = meta_step(
            state,
            tasks,
            learner=learner,
            outer_loss=outer_loss_at(state.step),
            map_tasks=map_tasks,
            max_norm=max_norm,
            objective=objective,
            gradient=team.gradient,
        )
        # In one transfer: every one of them waits for a GPU.
        metrics = dict(zip(tensors, torch.stack([value.double() for value in tensors.values()]).tolist(), strict=True))
        if evaluate is not None and due(evaluate_every):
            metrics |= evaluate(state)
        # The log goes first: a checkpoint may know less than the log, which is cut back, but never more.
        if log is not None:
            log(state.step, metrics)
        if checkpoint is not None and due(checkpoint_every):
            save_state(checkpoint, state)


def on_gpu(state: TrainState) -> bool:
    """Whether a GPU computes the meta-steps, so that the CPU is free meanwhile."""
    return any(tensor.is_cuda for _, tensor in named_tensors(state.meta))


def drawn_ahead(draw: Callable[[int], Task], steps: Iterable[int]) -> Iterator[Task]:
    """As `map`, but the tasks of the next step are drawn by a thread while those of this one are learned from."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming: Future[Task] | None = None
        for step in steps:
            ready, coming = coming, thread.submit(draw, step)
            if ready:
                yield ready.result()
        if coming:
            yield coming.result()


def set_learning_rate(state: TrainState, rate: float) -> None:
    """Change the learning rate of every group of the optimiser."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate
