"""The inner loop against mathematics done by hand."""

import pytest
import torch

from daml import Example, MetaLearningError, adapt, first_order, gradient_descent, learned, supervised


def quadratic(params, support):
    """Minimum at `support`, curvature 2."""
    return (params["x"] - support).square().sum()


@pytest.fixture
def start():
    return {"x": torch.tensor([3.0, -1.0], dtype=torch.float64)}


@pytest.fixture
def goal():
    return torch.tensor([1.0, 2.0], dtype=torch.float64)


def test_zero_steps_are_the_identity(start, goal):
    adapted = adapt(start, goal, loss=quadratic, rule=gradient_descent(0.1), n_steps=0)
    assert torch.equal(adapted["x"], start["x"])


@pytest.mark.parametrize("n_steps", [1, 2, 7])
def test_gradient_descent_on_a_quadratic_has_its_closed_form(start, goal, n_steps):
    adapted = adapt(start, goal, loss=quadratic, rule=gradient_descent(0.1), n_steps=n_steps)
    expected = goal + (1 - 2 * 0.1) ** n_steps * (start["x"] - goal)
    torch.testing.assert_close(adapted["x"], expected, rtol=1e-14, atol=1e-14)


def test_the_derivative_through_the_steps_has_its_closed_form(start, goal):
    def final(rate):
        return adapt(start, goal, loss=quadratic, rule=gradient_descent({"x": rate}), n_steps=3)["x"].sum()

    rate = torch.tensor(0.1, dtype=torch.float64)
    expected = 3 * -2 * (1 - 2 * rate) ** 2 * (start["x"] - goal).sum()
    torch.testing.assert_close(torch.func.grad(final)(rate), expected, rtol=1e-13, atol=1e-13)


def test_adapt_leaves_its_arguments_alone(start, goal):
    before = start["x"].clone()
    adapt(start, goal, loss=quadratic, rule=gradient_descent(0.1), n_steps=2)
    assert torch.equal(start["x"], before)
    assert list(start) == ["x"]


def test_adapting_a_subset_is_passing_a_subset(goal):
    shared = {"scale": torch.tensor(2.0, dtype=torch.float64)}

    def merged(params, support):
        everything = shared | params
        return (everything["scale"] * everything["x"] - support).square().sum()

    adapted = adapt({"x": goal * 0}, goal, loss=merged, rule=gradient_descent(0.1), n_steps=1)
    assert adapted.keys() == {"x"}
    torch.testing.assert_close(adapted["x"], 0.1 * 2 * 2 * goal)


def test_rates_are_per_parameter_and_may_be_per_element(goal):
    params = {"x": goal * 0, "y": goal * 0}
    rates = {"x": torch.tensor([0.5, 0.0], dtype=torch.float64), "y": torch.tensor(0.25, dtype=torch.float64)}

    def both(params, support):
        return quadratic(params, support) + (params["y"] - support).square().sum()

    adapted = adapt(params, goal, loss=both, rule=gradient_descent(rates), n_steps=1)
    torch.testing.assert_close(adapted["x"], torch.tensor([1.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(adapted["y"], 0.5 * goal)


def test_the_clip_bounds_every_element_of_the_gradient(start, goal):
    # The gradient is [4, -6].
    adapted = adapt(start, goal, loss=quadratic, rule=gradient_descent(1.0, clip=5.0), n_steps=1)
    torch.testing.assert_close(adapted["x"], torch.tensor([-1.0, 4.0], dtype=torch.float64))


def test_the_clip_is_part_of_the_graph(start, goal):
    def moved(x):
        return adapt({"x": x}, goal, loss=quadratic, rule=gradient_descent(0.1, clip=5.0), n_steps=1)["x"].sum()

    # d(x - 0.1 clip(2 (x - goal)))/dx: 0.8 where the clip lets through, 1 where it does not.
    torch.testing.assert_close(torch.func.grad(moved)(start["x"]), torch.tensor([0.8, 1.0], dtype=torch.float64))


def test_first_order_takes_the_same_steps_but_is_a_constant_to_the_outer_gradient(start, goal):
    def moved(x, rule):
        return adapt({"x": x}, goal, loss=quadratic, rule=rule, n_steps=3)["x"]

    rule = gradient_descent(0.1)
    assert torch.equal(moved(start["x"], rule), moved(start["x"], first_order(rule)))
    slope = torch.func.grad(lambda x: moved(x, first_order(rule)).sum())(start["x"])
    assert torch.equal(slope, torch.ones(2, dtype=torch.float64))
    slope = torch.func.grad(lambda x: moved(x, rule).sum())(start["x"])
    torch.testing.assert_close(slope, torch.full((2,), 0.8**3, dtype=torch.float64))


def test_adaptation_needs_no_outer_gradient(toy):
    video = toy.tasks.support[0]
    adapted = toy.learner.adapt(toy.meta, video)
    with torch.no_grad():
        without = toy.learner.adapt(toy.meta, video)
    for name, value in adapted.items():
        assert torch.equal(value, without[name])
        assert not torch.equal(value, toy.meta["theta"][name])


def test_a_supervised_loss_sees_the_labels_and_a_learned_loss_the_activations(toy):
    theta, psi, video = toy.meta["theta"], toy.meta["psi"], toy.tasks.support[0]
    x, y = toy.tasks.query.inputs[0], toy.tasks.query.targets[0]
    labelled = supervised(toy.forward, torch.nn.functional.mse_loss)(theta, Example(x, y))
    torch.testing.assert_close(labelled, (toy.forward(theta, x) - y).square().mean())
    unlabelled = learned(toy.activations, toy.head, psi)(theta, video)
    assert torch.equal(unlabelled, toy.head(psi, toy.activations(theta, video)))


def test_a_negative_number_of_steps_is_an_error(start, goal):
    with pytest.raises(MetaLearningError, match="number of inner steps: got -1; allowed: 0 or more"):
        adapt(start, goal, loss=quadratic, rule=gradient_descent(0.1), n_steps=-1)


def test_a_parameter_without_a_rate_is_an_error(start, goal):
    with pytest.raises(MetaLearningError, match=r"without a rate: got \['x'\]"):
        adapt(start, goal, loss=quadratic, rule=gradient_descent({}), n_steps=1)
