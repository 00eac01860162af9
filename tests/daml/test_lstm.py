"""The LSTM as update rule: it starts as gradient descent, it is differentiated exactly, it works on any inner loss."""

from functools import partial

import pytest
import torch

from daml import adapt, first_order, init_lstm, loop_tasks, lstm_rule, meta_grad, meta_loss, vmap_tasks
from daml.lstm import P, lstm_cell, preprocess


@pytest.fixture
def weights():
    generator = torch.Generator().manual_seed(2)
    weights = {name: tensor.double() for name, tensor in init_lstm(generator, n_hidden=3, rate=0.1).items()}
    # Larger than at the start, so that every weight matters.
    return {
        name: tensor + 0.3 * torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        for name, tensor in weights.items()
    }


@pytest.fixture
def learner(toy):
    return toy.make_learner(rule_of=lstm_rule)


def as_leaves(toy, weights):
    meta = {"theta": toy.meta["theta"], "psi": toy.meta["psi"], "rates": weights}
    for params in meta.values():
        for tensor in params.values():
            tensor.requires_grad_()
    return meta


def test_it_starts_as_gradient_descent_with_a_little_decay():
    weights = {name: tensor.double() for name, tensor in init_lstm(torch.Generator().manual_seed(0), rate=0.1).items()}
    params = {"x": torch.tensor([3.0, -1.0], dtype=torch.float64), "y": torch.tensor([[2.0]], dtype=torch.float64)}

    def quadratic(params, goal):
        return params["x"].square().sum() + 3 * params["y"].square().sum()

    adapted = adapt(params, None, loss=quadratic, rule=lstm_rule(weights), n_steps=1)
    decay = torch.tensor(5.0, dtype=torch.float64).sigmoid()
    torch.testing.assert_close(adapted["x"], (decay - 0.1 * 2) * params["x"], rtol=0.02, atol=0)
    torch.testing.assert_close(adapted["y"], (decay - 0.1 * 6) * params["y"], rtol=0.02, atol=0)


def test_all_coordinates_share_one_cell(weights):
    """Two coordinates with the same value, gradient and loss move alike, wherever they are."""
    params = {"a": torch.tensor([0.5, -2.0], dtype=torch.float64), "b": torch.tensor([[0.5]], dtype=torch.float64)}

    def loss(params, _):
        return sum(param.pow(4).sum() for param in params.values())

    adapted = adapt(params, None, loss=loss, rule=lstm_rule(weights), n_steps=4)
    torch.testing.assert_close(adapted["a"][0], adapted["b"][0, 0], rtol=1e-14, atol=0)
    assert adapted["a"][0] != params["a"][0]


@pytest.mark.parametrize("group", ["theta", "psi", "rates"])
def test_the_meta_gradient_equals_central_differences(toy, learner, weights, group, central_differences):
    meta = as_leaves(toy, weights)
    gradients, _ = meta_grad(meta, toy.tasks, learner=learner, outer_loss=toy.outer_loss)

    def loss():
        return meta_loss(meta, toy.tasks, learner=learner, outer_loss=toy.outer_loss)[0]

    small = {name: tensor for name, tensor in meta[group].items() if tensor.numel() < 50}
    for name, tensor in small.items():
        expected = central_differences(loss, tensor, epsilon=1e-5)
        assert expected.abs().max() > 1e-6, f"{name} has nothing to compare"
        torch.testing.assert_close(gradients[group][name], expected, rtol=1e-6, atol=1e-8)


def test_first_order_trains_the_lstm_but_not_the_learned_loss(toy, weights):
    meta = as_leaves(toy, weights)
    learner = toy.make_learner(rule_of=lambda weights: first_order(lstm_rule(weights)))
    gradients, _ = meta_grad(meta, toy.tasks, learner=learner, outer_loss=toy.outer_loss)
    assert all(gradient.abs().max() > 0 for gradient in gradients["rates"].values())
    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in gradients["psi"].values())


def test_vmap_equals_loop(toy, learner, weights):
    grad = partial(meta_grad, as_leaves(toy, weights), toy.tasks, learner=learner, outer_loss=toy.outer_loss)
    torch.testing.assert_close(grad(map_tasks=vmap_tasks), grad(map_tasks=loop_tasks), rtol=1e-11, atol=1e-11)


def test_the_cell_is_the_one_everybody_uses(weights):
    theirs = torch.nn.LSTMCell(4, 3).double()
    with torch.no_grad():
        theirs.weight_ih.copy_(weights["seen"].T)
        theirs.weight_hh.copy_(weights["recurrent"].T)
        theirs.bias_ih.copy_(weights["bias"])
        theirs.bias_hh.zero_()
    seen, hidden, cell = (torch.randn(5, n, dtype=torch.float64) for n in (4, 3, 3))
    torch.testing.assert_close(lstm_cell(weights, seen, hidden, cell), theirs(seen, (hidden, cell)))


@pytest.mark.parametrize(
    ("x", "expected"),
    [(1.0, (0.0, 1.0)), (-torch.e, (0.1, -1.0)), (0.0, (-1.0, 0.0)), (torch.e**-11, (-1.0, torch.e**-1))],
)
def test_preprocessing_has_its_published_values(x, expected):
    assert P == 10
    result = preprocess(torch.tensor([x], dtype=torch.float64))[0]
    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64))


def test_preprocessing_has_finite_derivatives_everywhere():
    x = torch.tensor([0.0, 1e-30, -1e-5, 1e3], dtype=torch.float64)
    assert torch.func.jacrev(preprocess)(x).isfinite().all()
