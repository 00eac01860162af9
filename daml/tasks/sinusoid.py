"""Curves to regress from a few points: with labels (MAML), or only seen through another sensor (DAML).

A task is a curve; its support are a few points of it, its query other points. In the supervised variant a support point
is (x, y). In the variant without labels a point is (x, what a retina sees of y): a column of pixels with a blob at the
height of the curve. The learner never gets y, has to find out what the blob means, and sees a blank retina in the
query, as a robot does that has watched a human.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from daml.adapt import trajectory
from daml.errors import MetaLearningError
from daml.losses import learned, supervised
from daml.lstm import init_lstm, lstm_rule
from daml.rules import gradient_descent
from daml.types import Example, InnerLoss, MetaLearner, MetaParams, Params, Rule, Task


class Family(NamedTuple):
    """Curves amplitude * sin(x - phase).

    amplitude: range of amplitudes.
    phases: range of phases [rad], or the only ones there are if `discrete`.
    interval: range of x [rad].
    discrete: phases are a choice, not a range.
    """

    amplitude: tuple[float, float]
    phases: tuple[float, float]
    interval: tuple[float, float]
    discrete: bool = False


FAMILIES = {
    # Finn et al. 2017, arXiv 1703.03400, section 5.1.
    "standard": Family((0.1, 5.0), (0.0, math.pi), (-5.0, 5.0)),
    # Two curves, opposite in phase.
    "two-phase": Family((1.0, 1.0), (0.0, math.pi), (-math.pi, math.pi), discrete=True),
}


@dataclass(frozen=True)
class Sinusoids:
    """The task distribution.

    Attributes:
        family: the curves.
        n_support: points shown.
        n_query: points asked for.
        sensor: y [...] -> what is seen of it [..., pixels]; None shows y itself, as a label.
        leak: draw the x of the support from the left or right half of the interval, according to the phase. The
            teaching example's fault, kept to show it: x alone then tells the task, and no curve has to be seen.
    """

    family: Family = FAMILIES["standard"]
    n_support: int = 5
    n_query: int = 10
    sensor: Callable[[np.ndarray], np.ndarray] | None = None
    leak: bool = False

    def sample(self, n_tasks: int, rng: np.random.Generator) -> Task:
        """Support: Example(x, y), or with a sensor Example(x and pixels, nothing); query: Example(x, y).

        All x [n_tasks, points, 1], all y [n_tasks, points, 1], pixels [n_tasks, points, pixels].
        """
        amplitude, phase = self._curves(n_tasks, rng)
        x = self._points(phase, rng)
        return self._as_task(x, amplitude * np.sin(x - phase))

    def whole_curve(self, x: np.ndarray, rng: np.random.Generator) -> tuple[Any, np.ndarray, Tensor]:
        """One task to look at: its support, the true y at `x` [points], and `x` as the network's query inputs."""
        amplitude, phase = self._curves(1, rng)
        shown = self._points(phase, rng)[:, : self.n_support]
        x = np.concatenate([shown, x[None, :, None]], axis=1)
        y = amplitude * np.sin(x - phase)
        support, query = self._as_task(x, y)
        support = support[0] if self.sensor else Example(*(leaf[0] for leaf in support))
        return support, y[0, self.n_support :, 0], query.inputs[0]

    def _curves(self, n_tasks: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Amplitudes and phases, each [n_tasks, 1, 1]."""
        shape = (n_tasks, 1, 1)
        phase = (
            rng.choice(self.family.phases, shape) if self.family.discrete else rng.uniform(*self.family.phases, shape)
        )
        return rng.uniform(*self.family.amplitude, shape), phase

    def _points(self, phase: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """x of support and query [n_tasks, points, 1]; with the leak, the support's half of the interval tells."""
        low, high = self.family.interval
        x = rng.uniform(low, high, size=(len(phase), self.n_support + self.n_query, 1))
        if self.leak:
            right = phase > np.mean(self.family.phases)
            x[:, : self.n_support] = low + (x[:, : self.n_support] - low) / 2 + right * (high - low) / 2
        return x

    def _as_task(self, x: np.ndarray, y: np.ndarray) -> Task:
        k = self.n_support
        if self.sensor is None:
            return Task(Example(tensor(x[:, :k]), tensor(y[:, :k])), Example(tensor(x[:, k:]), tensor(y[:, k:])))
        seen = self.sensor(y[..., 0])
        shown = np.concatenate([x[:, :k], seen[:, :k]], axis=-1)
        blank = np.concatenate([x[:, k:], np.zeros_like(seen[:, k:])], axis=-1)
        return Task(tensor(shown), Example(tensor(blank), tensor(y[:, k:])))


N_PIXELS = 11
"""Pixels of the retina."""


def retina(y: np.ndarray) -> np.ndarray:
    """A column of pixels that sees a blob at height y: [...] -> [..., N_PIXELS], brightness 0 to 1."""
    centres = np.linspace(-5.0, 5.0, N_PIXELS)
    return np.exp(-0.5 * (y[..., None] - centres) ** 2)


def tensor(array: np.ndarray) -> Tensor:
    """As float32, the type of the networks."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def init_meta_net(generator: torch.Generator, n_inputs: int, n_hidden: int = 40) -> Params:
    """Weights of an n_inputs - n_hidden - n_hidden - 1 network."""
    sizes = (n_inputs, n_hidden, n_hidden, 1)
    params: Params = {}
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes), start=1):
        params[f"w{layer}"] = torch.randn(n_in, n_out, generator=generator) * math.sqrt(2 / (n_in + n_out))
        params[f"b{layer}"] = torch.zeros(n_out)
    return params


def activations(theta: Params, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(y, x2, x1) of meta_net: [points, 1], [points, hidden], [points, hidden]."""
    x1 = torch.relu(inputs @ theta["w1"] + theta["b1"])
    x2 = torch.relu(x1 @ theta["w2"] + theta["b2"])
    return x2 @ theta["w3"] + theta["b3"], x2, x1


def meta_net(theta: Params, inputs: Tensor) -> Tensor:
    """x (and pixels) [points, inputs] -> y [points, 1]."""
    return activations(theta, inputs)[0]


def init_adap_net(generator: torch.Generator, n_hidden: int = 40, n_units: int = 40) -> Params:
    """Weights of the learned loss over (y, x2, x1)."""
    n_inputs = 1 + 2 * n_hidden
    return {
        "w1": torch.randn(n_inputs, n_units, generator=generator) * math.sqrt(1 / n_inputs),
        "b1": torch.zeros(n_units),
        "w2": torch.randn(n_units, n_units, generator=generator) * math.sqrt(1 / n_units),
        "b2": torch.zeros(n_units),
        "y": torch.randn(1, n_units, generator=generator),
    }


def adap_net(psi: Params, seen: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The squared norm of a small network's output, averaged over points: (y, x2, x1) -> scalar."""
    y = seen[0]
    units = torch.relu(torch.cat(seen, dim=-1) @ psi["w1"] + psi["b1"])  # [points, units]
    return (units @ psi["w2"] + psi["b2"] + y @ psi["y"]).square().mean()  # y also linearly: any target of y is a zero


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error."""
    return (outputs - targets).square().mean()


def l1(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error."""
    return (outputs - targets).abs().mean()


CLIP = 10.0
"""Bound on every element of an inner gradient: without it, one curve in ten thousand explodes within five steps."""


def gradient_rule(meta: MetaParams) -> Rule:
    """Gradient descent with the learned rates of the group "rule"."""
    return gradient_descent(meta["rule"], clip=CLIP)


def recurrent_rule(meta: MetaParams) -> Rule:
    """The LSTM with the weights of the group "rule"."""
    return lstm_rule(meta["rule"])


RULES = {"gradient": gradient_rule, "lstm": recurrent_rule}


def make_learner(
    *, labels: bool, rule: str = "gradient", n_steps: int = 5, n_hidden: int = 40, rate: float = 0.01
) -> MetaLearner:
    """meta_net, adapted on its labels or on adap_net, by either rule.

    Its `predict` gives the outputs after 0, 1, ... n_steps steps: [n_steps + 1, points, 1].

    Args:
        labels: the support is Example(x, y); otherwise x and pixels, and the loss is learned.
        rule: a key of RULES.
        n_steps: inner steps.
        n_hidden: units of the two hidden layers.
        rate: what the learned rates start at.

    Raises:
        MetaLearningError: there is no such rule.
    """
    if rule not in RULES:
        raise MetaLearningError("update rule", repr(rule), ", ".join(RULES))

    def init(generator: torch.Generator) -> MetaParams:
        theta = init_meta_net(generator, 1 if labels else 1 + N_PIXELS, n_hidden)
        rates = {name: torch.tensor(rate) for name in theta}
        return {
            "theta": theta,
            "psi": {} if labels else init_adap_net(generator, n_hidden),
            "rule": init_lstm(generator, rate=rate) if rule == "lstm" else rates,
        }

    def inner_loss(meta: MetaParams) -> InnerLoss:
        return supervised(meta_net, mse) if labels else learned(activations, adap_net, meta["psi"])

    def adapt_to(meta: MetaParams, support: Example | Tensor) -> list[Params]:
        return trajectory(meta["theta"], support, loss=inner_loss(meta), rule=RULES[rule](meta), n_steps=n_steps)

    def predict(passed: list[Params], inputs: Tensor) -> Tensor:
        return torch.stack([meta_net(params, inputs) for params in passed])

    return MetaLearner(init, adapt_to, predict)
