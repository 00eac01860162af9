"""Meta-training of a policy on a dataset: the preset's numbers, the core's `fit`, validation on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from agents.errors import AgentError
from agents.evaluation import evaluate
from agents.imitation import MEMORY, Imitator, device_of
from agents.learners import Imitation
from agents.policies import load_policy, shapes
from agents.precision import mixed
from agents.presets import Preset
from agents.view import Sizes
from daml import ALONE, MetaParams, Team, TrainState, fit, save_state
from daml.logs import Log
from demos.combinations import Pairs
from demos.distribution import MixedTasks

WARM_UP = 50
"""Meta-steps until the learning rate is at its highest."""
FINAL_RATE = 0.02
"""Share of the learning rate that is left at the end of the cosine."""


@dataclass(frozen=True)
class Validation:
    """What is measured during meta-training.

    measure: meta-parameters -> metrics, such as `rollouts` or `agents.held_out.validation`.  every: so many meta-steps.
    """

    measure: Callable[[MetaParams], dict[str, float]]
    every: int


def rollouts(
    preset: Preset, sizes: Sizes, env_ids: Sequence[str], *, tasks: int, seed: int, pairs: Pairs = "all"
) -> Callable[[MetaParams], dict[str, float]]:
    """Rollouts on meta-validation objects, as `Validation` measures: "val_success" and "val_nearest"; with several
    environments that is their mean, and each has "val_success ENV_ID", too. Where goals have a second part, also
    "val_verb" or "val_container".

    Args:
        preset: of the policy.
        sizes: it was made for.
        env_ids: registered ids.
        tasks: number of them, in each.
        seed: of the tasks.
        pairs: of the tasks.
    """
    imitator = preset.imitator(preset.inner_steps, sizes)

    def measure(meta: MetaParams) -> dict[str, float]:
        reports = {
            env_id: evaluate(
                Imitation(imitator, meta),
                env_id=env_id,
                split="val",
                tasks=tasks,
                trials=1,
                seed=seed,
                video=preset.shown,
                pairs=pairs,
            )
            for env_id in env_ids
        }
        each = {f"val_success {env_id}": report.success for env_id, report in reports.items()}
        aimed = [report.aimed for report in reports.values() if report.aimed]
        return (
            {
                "val_success": float(np.mean([report.success for report in reports.values()])),
                "val_nearest": float(np.mean([report.nearest.mean() for report in reports.values()])),
            }
            | {f"val_{each.aims.kind}": each.right for each in aimed}
            | (each if len(reports) > 1 else {})
        )

    return measure


def new_state(
    preset: Preset, sizes: Sizes, seed: int, device: torch.device | str, begin_with: str | None = None
) -> TrainState:
    """Meta-parameters and Adam over all of them but the memory. Arguments and errors as of `first_parameters`."""
    meta = first_parameters(preset, sizes, seed, begin_with)
    meta = {group: {name: tensor.to(device) for name, tensor in params.items()} for group, params in meta.items()}
    tensors = [tensor for group, params in meta.items() if group != MEMORY for tensor in params.values()]
    return TrainState(meta, torch.optim.Adam(tensors, lr=preset.learning_rate, fused=True))


def first_parameters(preset: Preset, sizes: Sizes, seed: int, begin_with: str | None = None) -> MetaParams:
    """The meta-parameters that a meta-training begins with.

    Args:
        preset: what is trained.
        sizes: of the environments.
        seed: by which they are drawn.
        begin_with: a policy, as `load_policy` takes it, whose own are taken instead.

    Raises:
        AgentError: there is no such policy, or it has other parameters.
        CheckpointError, ModuleError: as `load_policy`.
    """
    drawn = preset.imitator(preset.inner_steps, sizes).learner.init(torch.Generator().manual_seed(seed))
    if begin_with is None:
        return drawn
    policy = load_policy(begin_with)
    if shapes(policy.meta) != shapes(drawn):
        raise AgentError(
            f"begin-with: got {begin_with!r}, a policy of the preset {policy.config.preset!r} for {policy.config.env}, "
            "allowed one with parameters of the same names and shapes as those to be trained"
        )
    return policy.meta


def learning_rate(preset: Preset, steps: int) -> Callable[[int], float]:
    """Linear warm-up, then a cosine from the preset's rate to `FINAL_RATE` of it."""

    def rate(step: int) -> float:
        cosine = 0.5 * (1 + np.cos(np.pi * step / steps))
        return preset.learning_rate * min(1.0, (step + 1) / WARM_UP) * (FINAL_RATE + (1 - FINAL_RATE) * cosine)

    return rate


def remembering(imitator: Imitator, meta: MetaParams, tasks: MixedTasks, seed: int) -> MetaParams:
    """The meta-parameters with what the imitator keeps of the demonstrations of these tasks, drawn by `seed`."""
    # Not the random numbers of any meta-batch.
    return imitator.remember(meta, tasks, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))))


def meta_train(
    preset: Preset,
    sizes: Sizes,
    state: TrainState,
    distribution: MixedTasks,
    *,
    steps: int,
    seed: int,
    validation: Validation,
    log: Log | None,
    checkpoint: Path,
    checkpoint_every: int = 50,
    team: Team = ALONE,
) -> None:
    """Trains `state` in place, from wherever it is to `steps` meta-steps, and then fills its memory, if it has one.

    Args:
        preset: what is trained and how.
        sizes: of the environment.
        state: of `new_state`, or loaded from a checkpoint.
        distribution: of tasks.
        steps: in the whole run; the preset's hint ends after its own number of them, however many there are.
        seed: of the task samples.
        validation: what is measured on the way.
        log: called after every meta-step.
        checkpoint: file for the state.
        checkpoint_every: so many meta-steps.
        team: the processes that share the work.
    """
    imitator = preset.imitator(preset.inner_steps, sizes)
    loss = cache(imitator.outer_loss)

    fit(
        state,
        distribution,
        learner=mixed(imitator.learner),
        outer_loss_at=lambda step: loss(preset.hint if step < preset.hint_steps else 0.0),
        n_tasks=preset.tasks,
        n_steps=steps,
        seed=seed,
        map_tasks=preset.map_tasks(device_of(state.meta).type),
        lr_at=learning_rate(preset, steps),
        max_norm=preset.max_norm,
        evaluate=lambda current: validation.measure(remembering(imitator, current.meta, distribution, seed)),
        evaluate_every=validation.every,
        log=log,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        team=team,
    )
    if MEMORY in state.meta:
        state.meta[MEMORY] = remembering(imitator, state.meta, distribution, seed)[MEMORY]
        if team.leads:
            save_state(checkpoint, state)
