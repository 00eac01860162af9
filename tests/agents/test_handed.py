"""The policy that also looks from its hand: what it sees there changes what it does, and nothing else does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from random_tasks import N_TASKS, some_meta, some_tasks, tasks_for
from torch.utils import _pytree as pytree

from agents import precision
from agents.errors import AgentError
from agents.evaluation import SetTrials
from agents.films import film
from agents.imitation import Policy, adapt_to_video
from agents.learners import Imitation, OneShot
from agents.methods import handed
from agents.methods.head import Adapted
from agents.presets import PRESETS
from agents.view import REACHING, View
from daml import MetaParams, meta_grad
from daml.meta_step import task_at
from demos.gap import Gap
from demos.tasks import sample_task_set
from demos.types import Video
from envs.tabletop import IN_HAND

PRESET = "handed"


def first_task() -> tuple[dict[str, Any], Adapted, View]:
    """Meta-parameters; and of a random task the adapted head and what it is asked with."""
    imitator, meta = PRESETS[PRESET].imitator(1), some_meta(PRESET)
    task = task_at(imitator.learner.encode(meta, tasks_for(imitator)), 0)
    return meta, imitator.learner.adapt(meta, task.support), task.query.inputs


def images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (N_TASKS, 64, 64, 3), dtype=np.uint8)


def a_policy() -> Policy:
    frames = images()
    return adapt_to_video(PRESETS[PRESET].imitator(1), some_meta(PRESET), Video(frames, np.arange(N_TASKS) / 10))


def test_what_the_hand_sees_now_changes_what_it_does_then_and_only_then() -> None:
    meta, adapted, inputs = first_task()
    learner = PRESETS[PRESET].imitator(1).learner
    other = learner.encode(meta, some_tasks(seed=1, looks=1, hand=True)).query.inputs.hand
    changed = inputs._replace(hand=pytree.tree_map(lambda leaf: leaf[0], other))
    before, after = (learner.predict(adapted, view)["action"] for view in (inputs, changed))
    assert torch.equal(before[:-1], after[:-1])
    assert not torch.allclose(before[-1], after[-1])


def test_where_it_did_not_look_from_the_hand_it_sees_nothing_there() -> None:
    _, _, inputs = first_task()
    seen = handed.from_hand(inputs)
    assert seen.shape == (len(inputs.state), 2 * handed.MAPS)
    assert not seen[:-1].any()
    assert torch.equal(seen[-1], inputs.hand[0])
    assert not handed.from_hand(inputs._replace(hand=())).any()


def test_a_map_says_where_in_the_hands_image_it_is_strongest() -> None:
    """What is elsewhere in the image moves the numbers; they are places in it, two a map."""
    meta = some_meta(PRESET)
    frames = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    frames[0, 8:24, 40:56] = frames[1, 40:56, 8:24] = 255
    for name in ("hand1", "hand2", "hand3"):
        meta["trunk"][f"{name}.w"].data.fill_(1.0)
    x, y = handed.perceive_hand(meta, frames).unflatten(-1, (handed.MAPS, 2)).unbind(-1)
    assert torch.stack([x[0], -y[0], -x[1], y[1]]).min() > 0.2


def test_its_trunk_learns_from_the_loss() -> None:
    imitator, meta = PRESETS[PRESET].imitator(1), some_meta(PRESET)
    trunk = meta_grad(meta, tasks_for(imitator), learner=imitator.learner, outer_loss=imitator.outer_loss(1.0))[0][
        "trunk"
    ]
    assert all(trunk[f"{name}.w"].any() for name in ("hand1", "hand2", "hand3"))


def test_in_mixed_precision_the_adapted_part_gets_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "is_fast", lambda device: True)
    imitator, meta = PRESETS[PRESET].imitator(1), some_meta(PRESET)
    encoded = precision.mixed(imitator.learner).encode(meta, tasks_for(imitator))
    assert encoded.query.inputs.hand.shape == (N_TASKS, 1, 2 * handed.MAPS)
    assert {leaf.dtype for leaf in pytree.tree_leaves(encoded)} == {torch.float32}


def test_an_actor_looks_from_the_hand_at_every_step() -> None:
    policy = a_policy()
    act, other = policy.actor(), policy.actor()
    frames, state = images(), np.zeros(REACHING.state, np.float32)

    def seen(i: int) -> dict[str, np.ndarray]:
        return {"image": frames[0], IN_HAND: frames[i], "state": state}

    assert np.array_equal(*(one(seen(0), {}) for one in (act, other)))
    assert not np.allclose(act(seen(1), {}), other(seen(0), {}))


def test_without_the_camera_in_the_hand_it_says_so() -> None:
    act = a_policy().actor()
    observation = {"image": images()[0], "state": np.zeros(REACHING.state, np.float32)}
    with pytest.raises(AgentError, match=r"observation: got \['image', 'state'\], allowed one with 'image_hand'.*hand"):
        act(observation, {})


def test_who_wants_the_hand_is_given_an_environment_with_it_and_nobody_else() -> None:
    assert Imitation(PRESETS[PRESET].imitator(1), some_meta(PRESET)).cameras == ("table", "hand")
    assert Imitation(PRESETS["looking"].imitator(1), some_meta("looking")).cameras == ("table",)
    assert OneShot(lambda video: lambda observation, info: np.zeros(3)).cameras == ("table",)


def test_it_is_evaluated_and_filmed_through_both_cameras() -> None:
    policy, seen = a_policy(), []

    def perceive_hand(meta: MetaParams, images: torch.Tensor) -> torch.Tensor:
        seen.append(images.shape)
        return handed.perceive_hand(meta, images)

    imitator = policy.imitator._replace(perceive_hand=perceive_hand)
    trials = SetTrials(Imitation(imitator, policy.meta), "daml/Reach-v0", "val", 0, [1], 1, 0, "human", Gap(), 1)
    ((episode,),) = trials.run()
    steps = len(episode.images)
    assert seen == [(1, 64, 64, 3)] * steps
    scene = sample_task_set(0, "val", 0).robot_scenes[0]
    assert film("daml/Reach-v0", scene, replace(policy, imitator=imitator), 32)[1].shape == (steps, 32, 2 * 32, 3)
    assert len(seen) == 2 * steps
