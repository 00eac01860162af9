"""Policies with their eyes open: they act as one look would where nothing moves, and go to where things are now."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from random_tasks import N_TASKS, some_meta, tasks_for
from torch import Tensor

from agents.errors import AgentError
from agents.imitation import Imitator, Look, Policy, adapt_to_video
from agents.methods import head, looking
from agents.policies import load_policy
from agents.presets import PRESETS
from agents.view import OURS, REACHING, Sizes, View
from daml.meta_step import task_at
from demos.types import Video
from envs import nudge

PRESET = "looking"
ONE_LOOK = {"looking": "precise", "looking-both": "both", "looking-temporal": "temporal"}
FAR, AT = 0.5, 0.02
"""From its places, a hand that has not come to them and one that has [m]."""


def an_imitator(preset: str = PRESET) -> Imitator:
    return PRESETS[preset].imitator(1)


def first_task(preset: str = PRESET) -> tuple[head.Adapted, View, dict[str, Tensor]]:
    """Of a random task the adapted head, what it is asked with, and what should come out."""
    imitator, meta = an_imitator(preset), some_meta(preset)
    task = task_at(imitator.learner.encode(meta, tasks_for(imitator)), 0)
    return imitator.learner.adapt(meta, task.support), task.query.inputs, task.query.targets


@pytest.mark.parametrize("preset", ONE_LOOK)
def test_it_goes_to_what_has_been_moved_as_if_that_had_always_been_there(preset: str) -> None:
    adapted, inputs, _ = first_task(preset)
    learner, way = an_imitator(preset).learner, torch.tensor([0.3, -0.2, 0.0])
    points = inputs.seen.points + way[:, None, None]
    still = inputs._replace(moved=torch.zeros(len(inputs.state), 1, 3))
    then = inputs._replace(moved=still.moved.clone().index_fill(0, torch.tensor([len(still.state) - 1]), 1.0) * way)
    there = still._replace(seen=inputs.seen._replace(points=points))
    before, after, always = (learner.predict(adapted, view)["action"] for view in (still, then, there))
    assert torch.equal(before[:-1], after[:-1])
    assert not torch.allclose(before[-1], after[-1])
    torch.testing.assert_close(after[-1], always[-1])


def test_it_is_asked_where_the_places_are_in_later_images_as_far_as_anybody_knows() -> None:
    imitator = an_imitator()
    adapted, inputs, targets = first_task()
    said = imitator.learner.predict(adapted, inputs)
    pose = said["pose"].detach()
    assert len(pose) == 2  # the first image, and one later

    def asked(later: Tensor) -> float:
        right = targets | {"pose": torch.stack([pose[0], later])}
        return imitator.outer_loss(0.0)(said, right)["loss"].item()

    assert asked(pose[1]) < asked(pose[1] + 3)
    unknown = torch.full_like(pose[1], torch.nan)
    first = head.POSE_WEIGHT * head.unsure(said["log_attention"], said["points"], said["log_spread"], pose)[0].sum() / 2
    cloning = (said["action"] - targets["action"]).square().sum(-1).mean()
    assert asked(unknown) == pytest.approx((cloning + first).item(), rel=1e-5)


def test_in_meta_training_a_way_has_no_origin() -> None:
    """How far something was moved is scaled as a way, and not as a point."""
    tasks, meta = tasks_for(an_imitator()), some_meta(PRESET)
    encoded = an_imitator().learner.encode(meta, tasks).query.inputs
    spread = torch.tensor(OURS.point.spread)
    torch.testing.assert_close(encoded.moved * spread, tasks.query.inputs["moved"])


def images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (N_TASKS, 64, 64, 3), dtype=np.uint8)


def a_policy(sizes: Sizes = REACHING) -> Policy:
    video = Video(images(), np.arange(N_TASKS) / 10)
    return adapt_to_video(PRESETS[PRESET].imitator(1, sizes), some_meta(PRESET, sizes=sizes), video)


def pose_of(policy: Policy, seen: Any) -> Tensor:
    """Where the only place is, [3], scaled."""
    return policy.outputs(seen, np.zeros(REACHING.state, np.float32))["pose"][0, 0]


def hand_at(metres: float, place: Tensor) -> np.ndarray:
    """The robot's state with the hand so far beside a place that is scaled."""
    state = np.zeros(REACHING.state, np.float32)
    state[:3] = OURS.point.from_unit(place).numpy() + np.array([metres, 0, 0])
    return state


def looks(policy: Policy, images: Sequence[np.ndarray], states: Sequence[np.ndarray]) -> tuple[list[Tensor], list[int]]:
    """Where the place is thought to be at each step, and at which steps the policy has looked."""
    looked: list[int] = []

    def look(observation: dict[str, np.ndarray], info: dict[str, Any]) -> Any:
        looked.append(info["step"])
        return policy.look(observation["image"])

    keep: Look = looking.keeping_up(policy, look)
    seen = [keep({"image": i, "state": s}, {"step": n}) for n, (i, s) in enumerate(zip(images, states, strict=True))]
    first = policy.look(images[0])
    assert all(torch.equal(each.features, first.features) for each in seen)
    return [pose_of(policy, each) for each in seen], looked


def test_it_keeps_up_with_what_it_sees_until_its_hand_is_there() -> None:
    policy, frames = a_policy(), [*images()[:3], images()[0]]
    places = [pose_of(policy, policy.look(image)) for image in frames]
    assert not torch.allclose(places[0], places[1], atol=1e-3)
    far = hand_at(FAR, places[0])
    thought, looked = looks(policy, frames[:3], [far, far, far])
    torch.testing.assert_close(thought, places[:3])
    assert looked == [0, 1, 2]
    thought, looked = looks(policy, frames, [far, far, hand_at(AT, places[1]), far])
    torch.testing.assert_close(thought, [places[0], places[1], places[1], places[1]])
    assert looked == [0, 1, 2]  # and no more, as it has been at all of its places


def test_of_two_places_it_keeps_up_with_the_one_where_its_hand_has_not_been() -> None:
    sizes = REACHING._replace(points=2)
    policy = a_policy(sizes)
    state = np.zeros(sizes.state, np.float32)
    keep = looking.keeping_up(policy, lambda observation, info: info["seen"])
    one = policy.look(images()[0])
    apart = one._replace(points=one.points * 0 + torch.tensor([[0.0] * 3, [9.0] * 3])[None, :, :, None, None])
    moved = apart._replace(points=apart.points + 1)
    state[:3] = OURS.point.from_unit(torch.zeros(3)).numpy()  # at the first of them
    keep({"state": state}, {"seen": apart})
    now = policy.outputs(keep({"state": state}, {"seen": moved}), state)["pose"][0]
    torch.testing.assert_close(now, torch.tensor([[0.0] * 3, [10.0] * 3]))


def test_who_acts_anew_begins_with_a_look_of_its_own() -> None:
    policy = a_policy()
    frames, state = images(), hand_at(FAR, torch.zeros(3))
    first, other = policy.actor(), policy.actor()
    first({"image": frames[1], "state": state}, {})
    actions = [act({"image": frames[0], "state": state}, {}) for act in (first, other, policy.actor())]
    assert np.array_equal(actions[1], actions[2])
    np.testing.assert_allclose(actions[0], actions[1], atol=1e-5)  # it goes to where it sees it now


@pytest.mark.parametrize(("preset", "one_look"), ONE_LOOK.items())
def test_where_nothing_moves_it_acts_as_one_look_does(preset: str, one_look: str) -> None:
    frame, rng = images()[0], np.random.default_rng(1)
    video = Video(images(), np.arange(N_TASKS) / 10)
    actors = [adapt_to_video(an_imitator(name), some_meta(one_look), video).actor() for name in (preset, one_look)]
    for state in rng.normal(size=(4, REACHING.state)).astype(np.float32):
        open_eyes, one = (act({"image": frame, "state": state}, {}) for act in actors)
        np.testing.assert_array_equal(open_eyes, one)


def test_the_nearest_hand_that_still_looks_is_nearer_than_anything_is_nudged() -> None:
    """In one step the fingertips come 0.07 m nearer than `envs.nudge.NEAR`."""
    assert looking.NEAR <= nudge.NEAR - 0.07


def test_eyes_are_opened_and_shut_without_training() -> None:
    """The policies in the box of one look and of every step have parameters of the same shapes."""
    once, always = load_policy("pick-place"), load_policy("pick-place-looking")
    assert once.imitator().wanted.look_once
    assert not once.acting_as("looking").imitator().wanted.look_once
    shut = always.acting_as("precise")
    assert shut.imitator().wanted.look_once
    assert shut.meta is always.meta
    with pytest.raises(AgentError, match="preset: got 'both' for a policy of 'looking', allowed one with the same"):
        always.acting_as("both")
