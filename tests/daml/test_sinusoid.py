"""Curves: what a task shows and what it hides."""

import math

import numpy as np
import pytest
import torch

from daml import Example, MetaLearningError, meta_grad
from daml.tasks.sinusoid import FAMILIES, N_PIXELS, Sinusoids, make_learner, meta_net, retina


def rng():
    return np.random.default_rng(0)


def mean_square(outputs, targets):
    return {"loss": (outputs - targets).square().mean()}


def test_a_labelled_task_is_one_curve_of_the_family():
    support, query = Sinusoids(n_support=5, n_query=8).sample(200, rng())
    assert support.inputs.shape == support.targets.shape == (200, 5, 1)
    assert query.inputs.shape == query.targets.shape == (200, 8, 1)
    x, y = (torch.cat([one, two], dim=1)[..., 0].double() for one, two in zip(support, query, strict=True))
    assert x.abs().max() <= 5
    # a sin x + b cos x through all points of a task leaves nothing over.
    basis = torch.stack([x.sin(), x.cos()], dim=-1)
    solution = torch.linalg.lstsq(basis, y[..., None]).solution
    torch.testing.assert_close((basis @ solution)[..., 0], y, atol=1e-5, rtol=1e-5)
    sine, cosine = solution[..., 0].T
    amplitude, phase = torch.hypot(sine, cosine), torch.atan2(-cosine, sine)
    assert (amplitude >= 0.1 - 1e-5).all()
    assert (amplitude <= 5 + 1e-5).all()
    assert (phase >= -1e-4).all()
    assert (phase <= math.pi + 1e-4).all()
    assert amplitude.std() > 1
    assert phase.std() > 0.5


def test_without_labels_the_support_is_seen_by_a_retina_and_the_query_is_not():
    labelled = Sinusoids().sample(4, rng())
    support, query = Sinusoids(sensor=retina).sample(4, rng())
    assert support.shape == (4, 5, 1 + N_PIXELS)
    assert torch.equal(support[..., :1], labelled.support.inputs)
    seen = torch.from_numpy(retina(labelled.support.targets[..., 0].double().numpy())).float()
    torch.testing.assert_close(support[..., 1:], seen)
    assert torch.equal(query.inputs[..., 1:], torch.zeros(4, 10, N_PIXELS))
    assert torch.equal(query.targets, labelled.query.targets)


def test_the_retina_sees_a_blob_at_the_height_of_the_curve():
    heights = np.linspace(-5, 5, N_PIXELS)
    assert (retina(heights).argmax(axis=-1) == np.arange(N_PIXELS)).all()
    assert retina(heights).max() == 1


@pytest.mark.parametrize("leak", [False, True])
def test_x_tells_the_task_only_if_it_is_asked_to_leak(leak):
    tasks = Sinusoids(FAMILIES["two-phase"], n_support=1, n_query=100, leak=leak).sample(400, rng())
    shown_right = tasks.support.inputs[:, 0, 0] > 0
    opposite = (tasks.query.targets * tasks.query.inputs.sin()).mean(dim=(1, 2)) < 0
    agreement = (shown_right == opposite).float().mean()
    assert agreement == 1 if leak else 0.4 < agreement < 0.6


@pytest.mark.parametrize("sensor", [None, retina])
def test_a_whole_curve_is_the_curve_that_is_shown(sensor):
    x = np.linspace(-5, 5, 2001)
    support, truth, inputs = Sinusoids(sensor=sensor).whole_curve(x, rng())
    torch.testing.assert_close(inputs[:, 0], torch.from_numpy(x).float())
    shown = support if sensor else support.inputs
    heights = np.interp(shown[:, 0], x, truth)
    if sensor:
        np.testing.assert_allclose(shown[:, 1:], retina(heights), atol=1e-3)
    else:
        np.testing.assert_allclose(support.targets[:, 0], heights, atol=1e-3)


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("rule", ["gradient", "lstm"])
def test_every_group_is_trained_by_either_rule_on_either_loss(labels, rule):
    learner = make_learner(labels=labels, rule=rule, n_steps=2, n_hidden=8)
    meta = learner.init(torch.Generator().manual_seed(0))
    for params in meta.values():
        for tensor in params.values():
            tensor.requires_grad_()
    tasks = Sinusoids(sensor=None if labels else retina).sample(6, rng())
    gradients, _ = meta_grad(meta, tasks, learner=learner, outer_loss=mean_square)
    assert set(gradients) == {"theta", "psi", "rule"}
    assert bool(gradients["psi"]) is not labels
    for group, params in gradients.items():
        assert all(gradient.abs().max() > 0 for gradient in params.values()), group


def test_the_outputs_come_for_every_number_of_steps():
    learner = make_learner(labels=True, n_steps=3)
    meta = learner.init(torch.Generator().manual_seed(0))
    x, y = torch.randn(5, 1), torch.randn(5, 1)
    outputs = learner.predict(learner.adapt(meta, Example(x, y)), x)
    assert outputs.shape == (4, 5, 1)
    assert torch.equal(outputs[0], meta_net(meta["theta"], x))
    errors = (outputs - y).square().mean(dim=(1, 2))
    assert (errors[1:] < errors[:-1]).all()


def test_an_unknown_rule_is_an_error():
    with pytest.raises(MetaLearningError, match="update rule: got 'newton'; allowed: gradient, lstm"):
        make_learner(labels=True, rule="newton")
