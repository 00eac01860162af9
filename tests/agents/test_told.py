"""Where the video tells two places, each has a query of its own, which the video adapts."""

import pytest
import torch
from random_tasks import N_TASKS, some_meta, some_tasks

from agents import adap_net, meta_net, proposal
from agents.methods import head, pointer, temporal
from agents.presets import PRESETS
from agents.view import Sizes, View
from daml import MetaParams, Task, meta_grad
from daml.meta_step import task_at

SIZES = Sizes(state=10, action=3, points=2, told=2)
LEARNED = ["temporal", "fast", "both", "precise", "precise-temporal", "pointer", "attention", "contextual", "lstm"]


def told_tasks() -> Task:
    """Random tasks of two places, both shown."""
    tasks = some_tasks()
    targets = dict(tasks.query.targets)
    targets["pose"] = targets["pose"].repeat(1, 1, 2, 1)
    targets["shown_at"] = torch.tensor([[0.2, 0.3], [0.8, 0.6]]).expand(N_TASKS, 2, 2)
    return tasks._replace(query=tasks.query._replace(targets=targets))


def queries(preset: str, video: torch.Tensor) -> torch.Tensor:
    """[2, CHANNELS], after a video uint8 [frames, H, W, 3]."""
    imitator, meta = PRESETS[preset].imitator(1, SIZES), some_meta(preset, sizes=SIZES)
    tasks = some_tasks()
    encoded = imitator.learner.encode(meta, tasks._replace(support=video.expand(N_TASKS, -1, -1, -1, -1)))
    return meta_net.queries(imitator.learner.adapt(meta, task_at(encoded, 0).support).head)


@pytest.mark.parametrize("preset", ["temporal", "precise-temporal", "fast", "precise", "both", "pointer", "contextual"])
def test_each_query_is_adapted_by_the_video(preset: str) -> None:
    video = some_tasks().support[0]
    before = meta_net.queries(some_meta(preset, sizes=SIZES)["theta"])
    after, other = queries(preset, video), queries(preset, 255 - video)
    for place in range(2):
        assert not torch.allclose(after[place], before[place], atol=1e-7)
        assert not torch.allclose(after[place], other[place], atol=1e-7)


@pytest.mark.parametrize("preset", LEARNED)
def test_every_place_is_asked_for_in_the_video_and_in_the_image(preset: str) -> None:
    imitator, meta = PRESETS[preset].imitator(PRESETS[preset].inner_steps, SIZES), some_meta(preset, sizes=SIZES)
    assert not meta["trunk"]["landmarks"].numel(), "the video tells all places"
    task = task_at(imitator.learner.encode(meta, told_tasks()), 0)
    outputs = imitator.learner.predict(imitator.learner.adapt(meta, task.support), task.query.inputs)
    assert outputs["log_asked"].shape == (2, 256)
    assert outputs["log_attention"].shape[1:] == (2, 256)
    assert outputs["pose"].shape[1:] == (2, 3)
    for name in ("log_asked", "log_attention"):
        torch.testing.assert_close(outputs[name].exp().sum(-1), torch.ones(outputs[name].shape[:-1]))
    gradients, scalars = meta_grad(meta, told_tasks(), learner=imitator.learner, outer_loss=imitator.outer_loss(1.0))
    assert scalars["asked"].isfinite()
    assert all(gradient.isfinite().all() for params in gradients.values() for gradient in params.values())


def test_the_question_asks_for_all_places_that_are_told() -> None:
    log_asked = torch.full((2, 256), 1e-6)
    at = torch.tensor([[4.5, 6.5], [10.5, 2.5]]) / 16
    log_asked[0, 6 * 16 + 4] = log_asked[1, 2 * 16 + 10] = 1.0

    def asked(shown_at: torch.Tensor) -> float:
        outputs, targets = {"log_asked": log_asked.log()}, {"shown_at": shown_at}
        return head.with_question(1.0, {"loss": torch.tensor(0.0)}, outputs, targets)["asked"].item()

    assert asked(at) == pytest.approx(0, abs=1e-3)
    one_wrong = asked(torch.stack([at[0], at[0]]))
    assert one_wrong > 5
    assert asked(at.flip(0)) == pytest.approx(2 * one_wrong, rel=0.1)
    assert asked(torch.stack([at[0], torch.full((2,), torch.nan)])) == pytest.approx(0, abs=1e-3), "it is not told"


def test_the_temporal_loss_sees_how_each_query_looks() -> None:
    """Exchanging the two maps changes what is seen, and nothing else does."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, meta_net.CHANNELS, 4, 4, generator=generator)
    maps = torch.randn(2, 16, generator=generator).log_softmax(-1)
    one, other = adap_net.sight(features, maps), adap_net.sight(features, maps.flip(0))
    assert one.shape == (3, adap_net.sights(2))
    same = 3 * meta_net.CHANNELS
    assert torch.equal(one[:, :same], other[:, :same])
    assert torch.equal(one[:, same:].unflatten(1, (2, -1)), other[:, same:].unflatten(1, (2, -1)).flip(1))


def test_the_pointer_does_what_the_gradient_step_does_with_two_places() -> None:
    meta = some_meta("pointer", sizes=SIZES)
    encoded = PRESETS["pointer"].imitator(1, SIZES).learner.encode(meta, some_tasks())
    meta = {g: {n: t.detach().double() for n, t in params.items()} for g, params in meta.items()}
    video = torch.utils._pytree.tree_map(lambda leaf: leaf[0].double(), encoded.support)

    def spatial(psi, theta, video: View, seen: meta_net.Activations) -> torch.Tensor:
        return proposal.spatial_loss(proposal.propose(psi, video.seen.features), seen.log_told)

    stepped, read = head.adapt_head(spatial, 1, meta, video), pointer.read_out(1, meta, video)
    torch.testing.assert_close(read.head["query"], stepped.head["query"], rtol=1e-9, atol=1e-12)


def test_a_policy_for_one_place_has_the_parameters_that_it_always_had() -> None:
    """Those of earlier policies still fit."""
    meta: MetaParams = PRESETS["temporal"].imitator(1).learner.init(torch.Generator().manual_seed(0))
    assert meta["theta"]["query"].shape == (meta_net.CHANNELS,)
    inputs = adap_net.moments(SIZES._replace(told=1)) + adap_net.sights(1)
    psi = temporal.init_loss(torch.Generator(), SIZES._replace(told=1))
    assert psi["time1.w"].shape[1] == inputs == 2 + 3 + meta_net.HIDDEN + 3 + 4 * meta_net.CHANNELS
