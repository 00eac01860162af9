"""Policies with their eyes open: two looks, and a hand that sees itself."""

from typing import Any

import numpy as np
import pytest
import torch
from random_tasks import N_TASKS, some_meta, some_tasks, tasks_for
from torch.utils import _pytree as pytree

from agents import meta_net
from agents.imitation import adapt_to_video
from agents.methods import head, looking
from agents.presets import PRESETS
from agents.view import REACHING, View
from daml.meta_step import task_at
from demos.types import Video

PRESET = "looking"
LEAST = 0.011
"""Above what the outer loss says of a way that is right."""


def first_task(preset: str = PRESET) -> tuple[dict[str, Any], head.Adapted, View]:
    """Meta-parameters; and of a random task the adapted head and what it is asked with."""
    imitator, meta = PRESETS[preset].imitator(1), some_meta(preset)
    task = task_at(imitator.learner.encode(meta, tasks_for(imitator)), 0)
    return meta, imitator.learner.adapt(meta, task.support), task.query.inputs


def test_a_state_without_a_look_goes_by_the_first_image() -> None:
    _, adapted, inputs = first_task()
    goal = meta_net.act(adapted.head, inputs._replace(now=()), looking.ways).pose[:1]
    way = looking.way_now(adapted.head, goal, inputs)
    by_state = goal[:, :-1] - inputs.state[:, None, :3]
    assert way.shape == (len(inputs.state), REACHING.points, 3)
    torch.testing.assert_close(way[:-1], by_state[:-1])
    assert not torch.allclose(way[-1], by_state[-1])


def test_an_error_of_both_ends_is_none_of_the_way() -> None:
    """Whoever sees everything, the hand too, a centimetre to the left goes the same way."""
    _, adapted, inputs = first_task()
    goal = meta_net.act(adapted.head, inputs._replace(now=()), looking.ways).pose[:1]
    displaced = inputs.now._replace(points=inputs.now.points + torch.tensor([0.0, 0.1, 0.0])[:, None, None])
    ways = [looking.way_now(adapted.head, goal, inputs._replace(now=now))[-1] for now in (inputs.now, displaced)]
    torch.testing.assert_close(*ways)


@pytest.mark.parametrize("preset", ["looking", "looking-both"])
def test_what_it_sees_now_changes_what_it_does_then_and_only_then(preset: str) -> None:
    meta, adapted, inputs = first_task(preset)
    learner = PRESETS[preset].imitator(1).learner
    other = learner.encode(meta, some_tasks(seed=1, looks=1)).query.inputs.now
    changed = inputs._replace(now=pytree.tree_map(lambda leaf: leaf[0], other))
    before, after = (learner.predict(adapted, view)["action"] for view in (inputs, changed))
    assert torch.equal(before[:-1], after[:-1])
    assert not torch.allclose(before[-1], after[-1])


def test_the_hand_is_no_place_that_is_asked_for_and_is_best_seen_where_it_is() -> None:
    _, adapted, inputs = first_task()
    predict = PRESETS[PRESET].imitator(1).learner.predict
    said = predict(adapted, inputs)
    assert said["pose"].shape == (1, REACHING.points, 3)
    assert said["log_attention"].shape[1] == said["points"].shape[1] == REACHING.points
    seen = looking.places_now(adapted.head, inputs.now)[:, -1]
    there = inputs._replace(state=torch.cat([inputs.state[:-1], torch.cat([seen, inputs.state[-1:, 3:]], -1)]))
    away = there._replace(state=there.state + torch.eye(len(there.state[0]))[0] * 3)
    near, far = (asked(predict(adapted, view)) for view in (there, away))
    assert near["hand"] < far["hand"]


def targets_of(imitator: Any) -> dict[str, torch.Tensor]:
    """Of the first random task."""
    encoded = imitator.learner.encode(some_meta(PRESET), tasks_for(imitator))
    return {name: leaf[0] for name, leaf in encoded.query.targets.items()}


def asked(outputs: dict[str, torch.Tensor], **instead: torch.Tensor) -> dict[str, torch.Tensor]:
    """The scalars of its outer loss, with other targets instead of some."""
    imitator = PRESETS[PRESET].imitator(1)
    return imitator.outer_loss(1.0)(outputs, targets_of(imitator) | instead)


def test_its_loss_is_that_of_one_look_and_how_well_it_sees_hand_and_places_later() -> None:
    imitator = PRESETS[PRESET].imitator(1)
    _, adapted, inputs = first_task()
    outputs = imitator.learner.predict(adapted, inputs)
    said, one_look = asked(outputs), head.outer_loss(1.0)(outputs, targets_of(imitator))
    later = head.POSE_WEIGHT * (said["hand"] + said["found"]) + looking.WAY_WEIGHT * said["way"]
    torch.testing.assert_close(said["loss"], one_look["loss"] + later)
    assert min(said["hand"], said["found"], said["way"]) != 0


def test_it_is_asked_for_the_way_from_its_hand_to_where_the_places_are_then() -> None:
    _, adapted, inputs = first_task()
    outputs = PRESETS[PRESET].imitator(1).learner.predict(adapted, inputs)
    way = looking.ways_from_hand(looking.places_now(adapted.head, inputs.now))
    right = (outputs["fingertip"][:, None] + way).detach()
    assert asked(outputs, places=right)["way"] < LEAST
    off = asked(outputs, places=right + torch.tensor([3.0, 0.0, 4.0]))["way"]
    torch.testing.assert_close(off, torch.tensor(5.0), atol=1e-3, rtol=0)
    seen = looking.places_now(adapted.head, inputs.now)[:, :-1].detach()
    near, far = (asked(outputs, places=place)["found"] for place in (seen, seen + 3))
    assert near < far


def test_a_place_that_nobody_knows_counts_nothing() -> None:
    _, adapted, inputs = first_task()
    outputs = PRESETS[PRESET].imitator(1).learner.predict(adapted, inputs)
    said = asked(outputs, places=torch.full_like(targets_of(PRESETS[PRESET].imitator(1))["places"], torch.nan))
    assert said["found"] == 0
    assert said["way"] < LEAST
    assert said["loss"].isfinite()


def test_an_actor_looks_at_every_step() -> None:
    imitator = PRESETS[PRESET].imitator(1)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (N_TASKS, 64, 64, 3), dtype=np.uint8)
    policy = adapt_to_video(imitator, some_meta(PRESET), Video(frames, np.arange(N_TASKS) / 10))
    act, other = policy.actor(), policy.actor()
    state = np.zeros(REACHING.state, np.float32)
    assert np.array_equal(*(one({"image": frames[0], "state": state}, {}) for one in (act, other)))
    then, still = (one({"image": frames[i], "state": state}, {}) for one, i in ((act, 1), (other, 0)))
    assert not np.allclose(then, still)
