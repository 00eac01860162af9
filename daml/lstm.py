"""The LSTM meta-learner: an update rule that is itself learned. The cell state of the LSTM is the parameter.

    theta_t = f_t * theta_{t-1} - i_t * gradient

Gradient descent is f = 1, i = the learning rate. Here both gates are computed for every coordinate of every parameter
by one small network that all coordinates share.
"""

# As strings: torch.compile cannot trace the annotations of inner functions.
from __future__ import annotations

import math

import torch
from torch import Tensor

from daml.types import Params, Rule

P = 10.0
"""Of the preprocessing: logarithms below -P are not told apart."""


def lstm_rule(weights: Params) -> Rule:
    """The update rule of Ravi and Larochelle.

    With `daml.first_order` it is the paper's, which ignores the second derivatives; without, it is exact.

    Args:
        weights: as `init_lstm` makes them.

    Source: Ravi and Larochelle 2017, "Optimization as a Model for Few-Shot Learning" (ICLR), section 3.
    """
    n_hidden = weights["recurrent"].shape[0]

    def init(params: Params) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        theta = flat(params)
        empty = theta.new_zeros(len(theta), n_hidden)
        return empty, empty, torch.ones_like(theta), torch.zeros_like(theta)  # hidden, cell, forget, input

    def update(state: tuple, params: Params, gradients: Params, loss: Tensor) -> tuple[Params, tuple]:
        hidden, cell, forget, put = state
        theta, gradient = flat(params), flat(gradients)
        seen = torch.cat([preprocess(gradient), preprocess(loss.expand(len(theta)))], dim=-1)  # [coordinates, 4]
        hidden, cell = lstm_cell(weights, seen, hidden, cell)
        forget = gate(weights, "forget", hidden, theta, forget)
        put = gate(weights, "input", hidden, theta, put)
        return like(params, forget * theta - put * gradient), (hidden, cell, forget, put)

    return Rule(init, update)


def init_lstm(generator: torch.Generator, n_hidden: int = 20, rate: float = 0.01, forget_bias: float = 5.0) -> Params:
    """Weights with which the rule starts as gradient descent with a little decay.

    Args:
        n_hidden: width of the cell.
        rate: what the input gate starts at.
        forget_bias: what the forget gate starts at, before its sigmoid.

    Source: Ravi and Larochelle 2017, section 3.3 (biases) and section 5.1 (hidden size, ranges).
    """

    def small(*shape: int) -> Tensor:
        return 0.02 * torch.rand(shape, generator=generator) - 0.01

    return {
        "seen": small(4, 4 * n_hidden),
        "recurrent": small(n_hidden, 4 * n_hidden),
        "bias": torch.zeros(4 * n_hidden),
        "forget": small(n_hidden + 2),
        "forget_bias": torch.tensor(forget_bias),
        "input": small(n_hidden + 2),
        "input_bias": torch.tensor(math.log(rate / (1 - rate))),
    }


def preprocess(x: Tensor) -> Tensor:
    """Numbers of any magnitude as (magnitude, sign), both of order one: [n] -> [n, 2].

    Source: Ravi and Larochelle 2017, section 3.3; Andrychowicz et al. 2016, arXiv 1606.04474, appendix A.
    """
    large = x.abs() >= math.exp(-P)
    # The logarithm sees no zero: the branch that is not taken would still poison the derivative.
    logarithm = torch.where(large, x, torch.ones_like(x)).abs().log() / P
    one = torch.where(large, logarithm, -torch.ones_like(x))
    two = torch.where(large, x.sign(), math.exp(P) * x)
    return torch.stack([one, two], dim=-1)


def lstm_cell(weights: Params, seen: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """An LSTM cell written out, because `torch.func.vmap` cannot map torch's own."""
    i, f, g, o = (seen @ weights["seen"] + hidden @ weights["recurrent"] + weights["bias"]).chunk(4, dim=-1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def gate(weights: Params, name: str, hidden: Tensor, theta: Tensor, before: Tensor) -> Tensor:
    """sigmoid(W [hidden, theta_{t-1}, gate_{t-1}] + b) for every coordinate: [coordinates]."""
    inputs = torch.cat([hidden, theta[:, None], before[:, None]], dim=-1)
    return (inputs @ weights[name] + weights[f"{name}_bias"]).sigmoid()


def flat(params: Params) -> Tensor:
    """All coordinates in one vector, so that nothing is done parameter by parameter."""
    return torch.cat([param.flatten() for param in params.values()])


def like(params: Params, vector: Tensor) -> Params:
    """The inverse of `flat`."""
    pieces = vector.split([param.numel() for param in params.values()])
    return {name: piece.view(params[name].shape) for name, piece in zip(params, pieces, strict=True)}
