"""The outer loop: its gradient against finite differences, its tasks against each other."""

from functools import partial

import numpy as np
import pytest
import torch

from daml import (
    Example,
    MetaLearner,
    MetaLearningError,
    Task,
    TrainState,
    first_order,
    gradient_descent,
    loop_tasks,
    meta_grad,
    meta_loss,
    meta_step,
    vmap_tasks,
)

STRATEGIES = [vmap_tasks, loop_tasks, partial(vmap_tasks, chunk_size=2)]


def require_grad(meta):
    for params in meta.values():
        for tensor in params.values():
            tensor.requires_grad_()
    return meta


@pytest.mark.parametrize("group", ["theta", "psi", "rates"])
def test_the_meta_gradient_equals_central_differences(toy, group, central_differences):
    meta = require_grad(toy.meta)
    gradients, _ = meta_grad(meta, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss)

    def loss():
        return meta_loss(meta, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss)[0]

    for name, tensor in meta[group].items():
        expected = central_differences(loss, tensor)
        assert expected.abs().max() > 1e-4, f"{name} has nothing to compare"
        torch.testing.assert_close(gradients[group][name], expected, rtol=1e-8, atol=1e-8)


def test_a_learned_loss_is_trained_by_second_derivatives_alone(toy):
    meta = require_grad(toy.meta)

    def psi_gradient(rule_of):
        learner = toy.make_learner(rule_of=rule_of)
        return meta_grad(meta, toy.tasks, learner=learner, outer_loss=toy.outer_loss)[0]["psi"]

    for name, gradient in psi_gradient(gradient_descent).items():
        assert gradient.abs().max() > 1e-4, name
    for name, gradient in psi_gradient(lambda rates: first_order(gradient_descent(rates))).items():
        assert torch.equal(gradient, torch.zeros_like(gradient)), name


@pytest.mark.parametrize("map_tasks", STRATEGIES)
def test_the_meta_gradient_is_the_mean_of_the_gradients_of_every_task(toy, map_tasks):
    meta = require_grad(toy.meta)
    grad = partial(meta_grad, meta, learner=toy.learner, outer_loss=toy.outer_loss, map_tasks=map_tasks)
    alone = [grad(torch.utils._pytree.tree_map(lambda leaf, i=i: leaf[i : i + 1], toy.tasks))[0] for i in range(3)]
    together, _ = grad(toy.tasks)
    for group, params in together.items():
        for name, gradient in params.items():
            parts = torch.stack([each[group][name] for each in alone])
            assert (parts.abs().amax(dim=tuple(range(1, parts.ndim))) > 0).all()
            torch.testing.assert_close(gradient, parts.mean(dim=0), rtol=1e-12, atol=1e-12)


def test_all_ways_to_map_tasks_give_the_same_loss_and_gradient(toy):
    meta = require_grad(toy.meta)
    results = [
        meta_grad(meta, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss, map_tasks=map_tasks)
        for map_tasks in STRATEGIES
    ]
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("map_tasks", STRATEGIES)
def test_nothing_leaks_between_tasks(toy, map_tasks):
    def predictions(tasks):
        def one(task):
            return {"out": toy.learner.predict(toy.learner.adapt(toy.meta, task.support), task.query.inputs)}

        return map_tasks(one, tasks)["out"]

    changed = toy.tasks.support.clone()
    changed[1] += 1
    before, after = predictions(toy.tasks), predictions(toy.tasks._replace(support=changed))
    assert torch.equal(before[[0, 2]], after[[0, 2]])
    assert not torch.equal(before[1], after[1])


@pytest.mark.parametrize("map_tasks", STRATEGIES)
def test_encode_runs_once_over_the_whole_batch_and_is_differentiated(toy, map_tasks):
    seen = []

    def encode(meta, tasks):
        seen.append(tasks.support.shape)
        inputs = tasks.query.inputs @ meta["trunk"]["w"]
        return Task(tasks.support @ meta["trunk"]["w"], Example(inputs, tasks.query.targets))

    meta = require_grad(toy.meta | {"trunk": {"w": torch.eye(3, dtype=torch.float64)}})
    gradients, metrics = meta_grad(
        meta, toy.tasks, learner=toy.learner._replace(encode=encode), outer_loss=toy.outer_loss, map_tasks=map_tasks
    )
    assert seen == [toy.tasks.support.shape]
    assert gradients["trunk"]["w"].abs().min() > 0
    _, plain = meta_loss(toy.meta, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss, map_tasks=map_tasks)
    torch.testing.assert_close(metrics["loss"], plain["loss"].detach(), rtol=1e-12, atol=1e-12)


def test_the_optimiser_decides_what_is_learned(toy):
    before = {group: {name: tensor.clone() for name, tensor in params.items()} for group, params in toy.meta.items()}
    state = TrainState(toy.meta, torch.optim.SGD([*toy.meta["psi"].values(), toy.meta["theta"]["w1"]], lr=0.1))
    meta_step(state, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss)
    moved = {
        (group, name)
        for group, params in before.items()
        for name, tensor in params.items()
        if not torch.equal(tensor, state.meta[group][name])
    }
    assert moved == {("psi", "k1"), ("psi", "c1"), ("psi", "k2"), ("theta", "w1")}
    assert state.step == 1


def test_a_meta_step_of_plain_gradient_descent_subtracts_the_meta_gradient(toy):
    meta = require_grad(toy.meta)
    gradients, _ = meta_grad(meta, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss)
    expected = meta["psi"]["k1"].detach() - 0.1 * gradients["psi"]["k1"]
    tensors = [tensor for params in meta.values() for tensor in params.values()]
    metrics = meta_step(
        TrainState(meta, torch.optim.SGD(tensors, lr=0.1)), toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss
    )
    torch.testing.assert_close(meta["psi"]["k1"].detach(), expected)
    assert not any(value.requires_grad for value in metrics.values())
    assert metrics.keys() == {"loss", "worst", "grad_norm"}


def test_the_meta_gradient_is_scaled_down_to_the_norm_that_is_allowed(toy):
    before = toy.meta["theta"]["w1"].clone()
    state = TrainState(toy.meta, torch.optim.SGD([toy.meta["theta"]["w1"]], lr=1.0))
    metrics = meta_step(state, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss, max_norm=1e-3)
    assert metrics["grad_norm"] > 1e-3
    moved = (state.meta["theta"]["w1"].detach() - before).norm()
    torch.testing.assert_close(moved, torch.tensor(1e-3, dtype=torch.float64))


def test_repeated_meta_steps_reduce_the_loss(toy):
    tensors = [tensor for params in toy.meta.values() for tensor in params.values()]
    state = TrainState(toy.meta, torch.optim.Adam(tensors, lr=0.03))
    losses = [meta_step(state, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss)["loss"] for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("broken", ["loss", "grad_norm"])
def test_a_loss_or_gradient_that_is_not_finite_stops_and_changes_nothing(toy, broken):
    def outer_loss(outputs, targets):
        # The square root is finite at zero, its slope is not.
        return {"loss": outputs.sum() / 0 if broken == "loss" else (outputs * 0).sum().sqrt()}

    before = toy.meta["theta"]["w1"].clone()
    state = TrainState(toy.meta, torch.optim.SGD([toy.meta["theta"]["w1"]], lr=1.0), step=7)
    with pytest.raises(MetaLearningError, match=f"{broken} of meta-step 7"):
        meta_step(state, toy.tasks, learner=toy.learner, outer_loss=outer_loss)
    assert torch.equal(state.meta["theta"]["w1"], before)
    assert state.step == 7


def test_an_outer_loss_without_a_loss_is_an_error(toy):
    with pytest.raises(MetaLearningError, match=r"scalars of the outer loss: got \['mse'\]"):
        meta_loss(toy.meta, toy.tasks, learner=toy.learner, outer_loss=lambda outputs, _: {"mse": outputs.mean()})


@pytest.mark.parametrize("n_left", [0, 2])
def test_ragged_or_empty_tasks_are_an_error(toy, n_left):
    ragged = toy.tasks._replace(support=toy.tasks.support[:n_left])
    with pytest.raises(MetaLearningError, match="leading sizes"):
        meta_loss(toy.meta, ragged, learner=toy.learner, outer_loss=toy.outer_loss)


def test_an_optimiser_over_foreign_tensors_is_an_error(toy):
    with pytest.raises(MetaLearningError, match="1 foreign"):
        TrainState(toy.meta, torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0))


def test_a_learner_shares_nothing_unless_told(toy):
    assert MetaLearner(*toy.learner[:3]).encode(toy.meta, toy.tasks) is toy.tasks


def test_the_same_seed_gives_the_same_meta_parameters(toy):
    again, other = (toy.learner.init(torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert torch.equal(again["psi"]["k1"], toy.meta["psi"]["k1"])
    assert not torch.equal(other["psi"]["k1"], toy.meta["psi"]["k1"])
    assert not np.array_equal(*(toy.distribution.sample(2, np.random.default_rng(s)).support for s in (0, 1)))
