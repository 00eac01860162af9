"""Update rules of the inner loop: how a gradient changes the parameters."""

# As strings: torch.compile cannot trace the annotations of inner functions.
from __future__ import annotations

from typing import Any

from torch import Tensor

from daml.errors import MetaLearningError
from daml.types import Params, Rule


def gradient_descent(rates: Params | float, clip: float | None = None) -> Rule:
    """phi = theta - rate * clip(gradient).

    Args:
        rates: one rate for all, or one for each parameter by name, a scalar or broadcastable to its shape. Tensors
            are differentiated through: pass meta-parameters to learn them.
        clip: bound on every element of the gradient, inside the graph; None leaves it alone.

    Raises:
        MetaLearningError: when it is applied and a parameter has no rate.

    Source: Finn et al. 2017, arXiv 1703.03400, section 2.2; learned rates: Li et al. 2017, arXiv 1707.09835;
        element-wise clip: the published code of Yu et al. 2018, arXiv 1802.01557.
    """

    def init(params: Params) -> tuple[()]:
        if isinstance(rates, dict) and not params.keys() <= rates.keys():
            raise MetaLearningError("adapted parameters without a rate", sorted(params.keys() - rates.keys()), "none")
        return ()

    def moved(name: str, param: Tensor, gradient: Tensor) -> Tensor:
        rate = rates[name] if isinstance(rates, dict) else rates
        return param - rate * (gradient if clip is None else gradient.clamp(-clip, clip))

    def update(state: tuple[()], params: Params, gradients: Params, loss: Tensor) -> tuple[Params, tuple[()]]:
        return {name: moved(name, param, gradients[name]) for name, param in params.items()}, state

    return Rule(init, update)


def first_order(rule: Rule) -> Rule:
    """The same rule on gradients taken as constants: no second derivatives reach the meta-parameters.

    A loss that is learned and has no labels then gets a meta-gradient of exactly zero: it is never trained.

    Source: Finn et al. 2017, arXiv 1703.03400, section 5.2 ("first-order approximation").
    """

    def update(state: Any, params: Params, gradients: Params, loss: Tensor) -> tuple[Params, Any]:
        constants = {name: gradient.detach() for name, gradient in gradients.items()}
        return rule.update(state, params, constants, loss.detach())

    return Rule(rule.init, update)
