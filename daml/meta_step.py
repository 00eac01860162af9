"""The outer loop: how well do the adapted parameters do on the query, and one optimiser step on that.

`meta_loss` and `meta_grad` are pure; `meta_step` is the only thing that changes anything.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from daml.errors import MetaLearningError
from daml.types import MapTasks, MetaLearner, MetaParams, OuterLoss, Task, TaskMetrics

Objective = Callable[..., tuple[Tensor, dict[str, Tensor]]]
"""`meta_loss`, or the same compiled."""

MetaGradient = Callable[..., tuple[MetaParams, dict[str, Tensor]]]
"""`meta_grad`, or the same by several processes (`daml.distributed`)."""


def compiled() -> Objective:
    """`meta_loss` through torch.compile, or itself where no C++ compiler is at hand.

    The first step takes a minute; the others take a half to a third. It is compiled again for every other learner,
    outer loss or shape: keep these objects.
    """
    return torch.compile(meta_loss, fullgraph=True) if can_compile() else meta_loss


def can_compile() -> bool:
    """Whether the C++ compiler that torch.compile needs is at hand."""
    return shutil.which(os.environ.get("CXX", "g++")) is not None


def vmap_tasks(fn: TaskMetrics, tasks: Task, chunk_size: int | None = None) -> dict[str, Tensor]:
    """Map all tasks at once, or `chunk_size` at a time to bound the memory."""
    return torch.func.vmap(fn, chunk_size=chunk_size)(tasks)


def loop_tasks(fn: TaskMetrics, tasks: Task) -> dict[str, Tensor]:
    """Map the tasks one after the other; on a CPU sometimes faster, when each task has convolutions of its own."""
    results = [fn(task_at(tasks, index)) for index in range(count_tasks(tasks))]
    return {name: torch.stack([result[name] for result in results]) for name in results[0]}


def task_at(tasks: Any, index: int) -> Any:
    """One task of a batch (or any part of it): every leaf loses its leading axis."""
    return pytree.tree_map(lambda leaf: leaf[index], tasks)


def count_tasks(tasks: Task) -> int:
    """The number of tasks in a batch.

    Raises:
        MetaLearningError: the leaves disagree on it, or there is none.
    """
    sizes = {len(leaf) if leaf.ndim else 0 for leaf in pytree.tree_leaves(tasks)}
    if len(sizes) != 1 or 0 in sizes:
        raise MetaLearningError("leading sizes of the leaves of the tasks", sorted(sizes), "one number, 1 or more")
    return sizes.pop()


def meta_loss(
    meta: MetaParams, tasks: Task, *, learner: MetaLearner, outer_loss: OuterLoss, map_tasks: MapTasks = vmap_tasks
) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean over tasks of the outer loss on the query after adaptation to the support.

    Args:
        meta: the meta-parameters.
        tasks: a batch of tasks, every leaf [n_tasks, ...].
        learner: what adapts and predicts.
        outer_loss: (outputs, targets of one task) -> scalars, among them "loss".
        map_tasks: `vmap_tasks`, `loop_tasks` or another strategy.

    Returns:
        The scalar to minimise, and the mean of every scalar of `outer_loss`.

    Raises:
        MetaLearningError: ragged tasks, or `outer_loss` returns no "loss".

    Source: Finn et al. 2017, arXiv 1703.03400, algorithm 1, line 8; Yu et al. 2018, arXiv 1802.01557, algorithm 1.
    """

    def one_task(task: Task) -> dict[str, Tensor]:
        adapted = learner.adapt(meta, task.support)
        return outer_loss(learner.predict(adapted, task.query.inputs), task.query.targets)

    count_tasks(tasks)
    per_task = map_tasks(one_task, learner.encode(meta, tasks))
    if "loss" not in per_task:
        raise MetaLearningError("scalars of the outer loss", sorted(per_task), 'one of them is called "loss"')
    metrics = {name: values.mean() for name, values in per_task.items()}
    return metrics["loss"], metrics


def meta_grad(
    meta: MetaParams,
    tasks: Task,
    *,
    learner: MetaLearner,
    outer_loss: OuterLoss,
    map_tasks: MapTasks = vmap_tasks,
    objective: Objective = meta_loss,
) -> tuple[MetaParams, dict[str, Tensor]]:
    """The gradient of `meta_loss` with respect to every meta-parameter that requires one.

    Arguments and errors are those of `meta_loss`; `objective` may be `torch.compile(meta_loss)`.

    Returns:
        The gradients by group and name (zero where the loss does not depend on a tensor; tensors that require none
        are absent), and the detached metrics.
    """
    loss, metrics = objective(meta, tasks, learner=learner, outer_loss=outer_loss, map_tasks=map_tasks)
    learned = {key: tensor for key, tensor in named_tensors(meta) if tensor.requires_grad}
    gradients = torch.autograd.grad(loss, list(learned.values()), materialize_grads=True)
    nested: MetaParams = {group: {} for group in meta}
    for (group, name), gradient in zip(learned, gradients, strict=True):
        nested[group][name] = gradient
    return nested, {name: value.detach() for name, value in metrics.items()}


def named_tensors(meta: MetaParams) -> Iterator[tuple[tuple[str, str], Tensor]]:
    """((group, name), tensor) for every meta-parameter, in order."""
    return (((group, name), tensor) for group, params in meta.items() for name, tensor in params.items())


@dataclass
class TrainState:
    """What a training run changes.

    The optimiser decides what is meta-learned: tensors of `meta` that it did not receive stay fixed.

    Attributes:
        meta: the meta-parameters, leaf tensors.
        optimizer: any torch optimiser over some of them.
        step: number of optimiser steps taken.

    Raises:
        MetaLearningError: the optimiser holds a tensor that is none of `meta`.
    """

    meta: MetaParams
    optimizer: torch.optim.Optimizer
    step: int = 0

    def __post_init__(self) -> None:
        received = {id(tensor) for group in self.optimizer.param_groups for tensor in group["params"]}
        known = {id(tensor) for _, tensor in named_tensors(self.meta)}
        if not received <= known:
            raise MetaLearningError("tensors of the optimiser", f"{len(received - known)} foreign", "tensors of meta")
        for _, tensor in named_tensors(self.meta):
            tensor.requires_grad_(id(tensor) in received)


def meta_step(
    state: TrainState,
    tasks: Task,
    *,
    learner: MetaLearner,
    outer_loss: OuterLoss,
    map_tasks: MapTasks = vmap_tasks,
    max_norm: float | None = None,
    objective: Objective = meta_loss,
    gradient: MetaGradient = meta_grad,
) -> dict[str, Tensor]:
    """Take one optimiser step on the meta-loss of a batch of tasks, changing `state` in place.

    Args:
        state: meta-parameters, optimiser and step; changed only when loss and gradient are finite.
        max_norm: the meta-gradient is scaled down to this global norm; None leaves it alone.
        objective: `meta_loss`, or it compiled; then pass the same `learner` and `outer_loss` objects at every step,
            another function is compiled again.
        gradient: `meta_grad`, or what computes the same.
        tasks, learner, outer_loss, map_tasks: as in `meta_loss`.

    Returns:
        The detached metrics and "grad_norm", the norm of the meta-gradient before scaling.

    Raises:
        MetaLearningError: the loss or its gradient is not finite; also what `meta_loss` raises.
    """
    gradients, metrics = gradient(
        state.meta, tasks, learner=learner, outer_loss=outer_loss, map_tasks=map_tasks, objective=objective
    )
    leaves = [gradient for _, gradient in named_tensors(gradients)]
    metrics["grad_norm"] = torch.nn.utils.get_total_norm(leaves)
    if not torch.isfinite(metrics["loss"] + metrics["grad_norm"]):  # one question: a GPU is waited for
        name = "grad_norm" if torch.isfinite(metrics["loss"]) else "loss"
        raise MetaLearningError(f"{name} of meta-step {state.step}", metrics[name].item(), "finite numbers")
    if max_norm is not None:
        leaves = scaled_to(leaves, metrics["grad_norm"], max_norm)
    apply_gradients(state, leaves)
    return metrics


def scaled_to(gradients: list[Tensor], norm: Tensor, max_norm: float) -> list[Tensor]:
    """The gradients, scaled so that their global `norm` is at most `max_norm`."""
    return list(torch._foreach_mul(gradients, (max_norm / norm).clamp(max=1.0)))


def apply_gradients(state: TrainState, gradients: list[Tensor]) -> None:
    """One step of the optimiser on these gradients, which come in the order of `meta`."""
    learned = [tensor for _, tensor in named_tensors(state.meta) if tensor.requires_grad]
    for tensor, gradient in zip(learned, gradients, strict=True):
        # In the tensor's own memory layout: fused optimisers walk both in memory order, and the gradient of a
        # convolution may come with its channels last.
        tensor.grad = torch.empty_like(tensor).copy_(gradient)
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.step += 1
