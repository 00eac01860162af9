"""A small learner with everything the real one has: labels only in the query, a convolutional learned loss, rates."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from daml import Example, MetaLearner, Rule, Task, adapt, gradient_descent, learned

N_STEPS, FRAMES, QUERIES, INPUTS, HIDDEN, OUTPUTS, MAPS = 2, 6, 4, 3, 4, 2, 5
SHAPES = {
    "theta": {"w1": (INPUTS, HIDDEN), "b1": (HIDDEN,), "w2": (HIDDEN, OUTPUTS), "b2": (OUTPUTS,)},
    "psi": {"k1": (MAPS, HIDDEN + OUTPUTS, 3), "c1": (MAPS,), "k2": (2, MAPS, 1)},
}


def hidden(theta, x):
    return torch.tanh(x @ theta["w1"] + theta["b1"])


def forward(theta, x):
    return hidden(theta, x) @ theta["w2"] + theta["b2"]


def activations(theta, video):
    return torch.cat([hidden(theta, video), forward(theta, video)], dim=-1)  # [frames, hidden + outputs]


def head(psi, acts):
    maps = torch.tanh(F.conv1d(acts.T[None], psi["k1"], psi["c1"]))  # [1, maps, frames - 2]
    return F.conv1d(maps, psi["k2"]).square().mean()


def outer_loss(outputs, targets):
    error = outputs - targets
    return {"loss": error.square().mean(), "worst": error.abs().max()}


def make_learner(n_steps: int = N_STEPS, rule_of=gradient_descent) -> MetaLearner:
    def init(generator: torch.Generator):
        meta = {
            group: {name: torch.randn(shape, generator=generator).double() for name, shape in shapes.items()}
            for group, shapes in SHAPES.items()
        }
        meta["rates"] = {name: torch.tensor(0.1 * (i + 1)).double() for i, name in enumerate(SHAPES["theta"])}
        return meta

    def adapt_to(meta, video):
        rule: Rule = rule_of(meta["rates"])
        return adapt(meta["theta"], video, loss=learned(activations, head, meta["psi"]), rule=rule, n_steps=n_steps)

    return MetaLearner(init, adapt_to, forward)


class ToyTasks:
    """A random linear map per task; the video is random, so nothing can be learned from it, only differentiated."""

    def sample(self, n_tasks: int, rng: np.random.Generator) -> Task:
        def normal(*shape):
            return torch.from_numpy(rng.normal(size=(n_tasks, *shape)))

        x = normal(QUERIES, INPUTS)
        return Task(normal(FRAMES, INPUTS), Example(x, x @ normal(INPUTS, OUTPUTS)))


@pytest.fixture
def toy():
    """The learner, its parts, meta-parameters (float64) and a batch of three tasks."""
    learner = make_learner()
    return SimpleNamespace(
        learner=learner,
        make_learner=make_learner,
        forward=forward,
        activations=activations,
        head=head,
        outer_loss=outer_loss,
        distribution=ToyTasks(),
        meta=learner.init(torch.Generator().manual_seed(0)),
        tasks=ToyTasks().sample(3, np.random.default_rng(0)),
    )


@pytest.fixture
def central_differences():
    """(loss, tensor, epsilon) -> the gradient of `loss()` in `tensor`, element by element.

    By the five-point stencil, whose error is of fourth order.
    """

    def differences(loss, tensor, epsilon=1e-4):
        slopes = torch.zeros_like(tensor, requires_grad=False)
        flat = tensor.detach().view(-1)
        for i, value in enumerate(flat.tolist()):
            for offset, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
                flat[i] = value + offset * epsilon
                slopes.view(-1)[i] += weight * loss().detach() / (12 * epsilon)
            flat[i] = value
        return slopes

    return differences
