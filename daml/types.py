"""The nouns of meta-learning. No logic.

A meta-learner is *what adapts* (parameters), *on which loss* (given or learned) and *by which rule*. Tensors travel in
pytrees: dicts and named tuples of tensors. Every leaf is a tensor, because `torch.func.vmap` maps nothing else.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

Params = dict[str, Tensor]
"""Named tensors, as `torch.func.functional_call` takes them."""

MetaParams = dict[str, Params]
"""Groups of named tensors: "theta" (what adapts), "psi" (the learned loss), "rates" (the rule), and so on."""

InnerLoss = Callable[[Params, Any], Tensor]
"""(params, support) -> scalar: what adaptation descends."""

OuterLoss = Callable[[Any, Any], dict[str, Tensor]]
"""(outputs, targets) -> scalars. The one called "loss" is minimised, the others are only reported."""


class Example(NamedTuple):
    """Inputs and what should come out of them: pytrees with a leading sample axis."""

    inputs: Any
    targets: Any


class Task(NamedTuple):
    """What is shown (support: an Example, or a bare video without labels) and what is asked for (query)."""

    support: Any
    query: Example


class TaskDistribution(Protocol):
    """Where tasks come from."""

    def sample(self, n_tasks: int, rng: np.random.Generator) -> Task:
        """Draw a batch of tasks: every leaf is [n_tasks, ...]. All randomness comes from `rng`."""
        ...


def everything_per_task(meta: MetaParams, tasks: Task) -> Task:
    """Share nothing between tasks: the identity."""
    return tasks


class MetaLearner(NamedTuple):
    """A learner as pure functions.

    init: torch.Generator -> meta-parameters.
    adapt: (meta-parameters, support of one task) -> adapted, any pytree.
    predict: (adapted, inputs of one task) -> outputs.
    encode: (meta-parameters, batched tasks) -> batched tasks. What all tasks share (a convolutional trunk), run once
        over the whole meta-batch before the tasks are mapped.
    """

    init: Callable[[torch.Generator], MetaParams]
    adapt: Callable[[MetaParams, Any], Any]
    predict: Callable[[Any, Any], Any]
    encode: Callable[[MetaParams, Task], Task] = everything_per_task


class Rule(NamedTuple):
    """An update rule as pure functions, after optax.

    init: params -> state, a pytree of tensors.
    update: (state, params, gradients, loss value) -> (new params, new state).
    """

    init: Callable[[Params], Any]
    update: Callable[[Any, Params, Params, Tensor], tuple[Params, Any]]


TaskMetrics = Callable[[Task], dict[str, Tensor]]
"""One task -> scalars."""

MapTasks = Callable[[TaskMetrics, Task], dict[str, Tensor]]
"""(function of one task, batched tasks) -> what it returns for each of them: every value is [n_tasks]."""
