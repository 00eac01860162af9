"""Losses of the inner loop: with labels, or learned and without."""

# As strings: torch.compile cannot trace the annotations of inner functions.
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from daml.types import Example, InnerLoss, Params


def supervised(model: Callable[[Params, Any], Any], criterion: Callable[[Any, Any], Tensor]) -> InnerLoss:
    """L(theta) = criterion(model(theta, inputs), targets): the support is an Example with labels.

    Args:
        model: (params, inputs) -> outputs.
        criterion: (outputs, targets) -> scalar.

    Source: Finn et al. 2017, arXiv 1703.03400, eq. (2) and (3).
    """

    def loss(params: Params, support: Example) -> Tensor:
        return criterion(model(params, support.inputs), support.targets)

    return loss


def learned(activations: Callable[[Params, Any], Any], head: Callable[[Params, Any], Tensor], psi: Params) -> InnerLoss:
    """L_psi(theta) = head(psi, activations(theta, support)): no labels, the loss itself is meta-learned.

    Args:
        activations: (params, support) -> what the loss may look at, any pytree.
        head: (psi, activations) -> scalar.
        psi: the parameters of the loss.

    Source: Yu et al. 2018, arXiv 1802.01557, "Learned Temporal Adaptation Objectives".
    """

    def loss(params: Params, support: Any) -> Tensor:
        return head(psi, activations(params, support))

    return loss
