"""The inner loop: phi = rule(theta, d/dtheta loss(theta, support)), applied n_steps times."""

from typing import Any

import torch

from daml.errors import MetaLearningError
from daml.types import InnerLoss, Params, Rule


def adapt(params: Params, support: Any, *, loss: InnerLoss, rule: Rule, n_steps: int) -> Params:
    """Take `n_steps` differentiable steps of `rule` on `loss`.

    Returns new values and touches nothing. Only `params` adapts: to adapt a subset, pass the subset and let `loss`
    merge the rest. What `loss` and `rule` close over (a learned loss, learned rates) gets its meta-gradient through
    the second derivatives. Works under `torch.func.vmap`, `torch.func.grad` and `torch.no_grad`.

    Args:
        params: what adapts, each of any shape.
        support: what one task shows, any pytree.
        loss: (params, support) -> scalar.
        rule: the update rule.
        n_steps: number of steps; zero is the identity.

    Returns:
        The adapted parameters, with the keys and shapes of `params`.

    Raises:
        MetaLearningError: `n_steps` is negative.

    Source: Finn et al. 2017, arXiv 1703.03400, section 2.2 and algorithm 1, line 6.
    """
    return trajectory(params, support, loss=loss, rule=rule, n_steps=n_steps)[-1]


def trajectory(params: Params, support: Any, *, loss: InnerLoss, rule: Rule, n_steps: int) -> list[Params]:
    """What `adapt` passes through: the parameters after 0, 1, ... `n_steps` steps, n_steps + 1 of them."""
    if n_steps < 0:
        raise MetaLearningError("number of inner steps", n_steps, "0 or more")
    state, passed = rule.init(params), [params]
    for _ in range(n_steps):
        gradients, value = torch.func.grad_and_value(loss)(params, support)
        params, state = rule.update(state, params, gradients, value)
        passed.append(params)
    return passed
