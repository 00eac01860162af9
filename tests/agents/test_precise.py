"""The `precise` preset: what it learns from glances, and what its fingers do."""

from typing import Any

import numpy as np
import pytest
import torch
from random_tasks import N_TASKS, some_meta, some_tasks

from agents.imitation import adapt_to_video, at_each_step
from agents.methods import head, precise
from agents.presets import PRESETS
from agents.view import REACHING
from daml import Example, MetaParams, Task, meta_grad
from demos.types import Video
from envs.tabletop import IN_HAND

GLANCES, GOALS = 2, 3


def first_images(tasks: Task) -> Task:
    """The same, where the robot acts on its first image only."""
    inputs, targets = tasks.query
    return tasks._replace(query=Example(inputs | {"image": inputs["image"][:, :1]}, targets))


def glancing_tasks() -> Task:
    """Random tasks with random glances."""
    tasks, generator = first_images(some_tasks()), torch.Generator().manual_seed(1)
    lead, side = (N_TASKS, GLANCES), precise.SIZE
    frames = torch.randint(0, 256, (*lead, side, side, 3), generator=generator, dtype=torch.uint8)
    inputs, targets = tasks.query
    points = torch.rand((*lead, GOALS, 1, 3), generator=generator)
    asked = {
        "pose": torch.cat([targets["pose"], points[:, :, 0]], 1),
        "glance_points": points,
        "glance_pixels": torch.rand((*lead, GOALS, 1, 2), generator=generator),
        "glance_table": 0.02 * torch.randn((*lead, 4, 2), generator=generator),
    }
    image = torch.cat([inputs["image"], frames], 1)
    return tasks._replace(query=Example(inputs | {"image": image}, targets | asked))


def outputs_of(meta: MetaParams, tasks: Task) -> dict[str, torch.Tensor]:
    """What comes out for the first task."""
    learner = PRESETS["precise"].imitator(1, REACHING).learner
    first = torch.utils._pytree.tree_map(lambda leaf: leaf[0], learner.encode(meta, tasks))
    return learner.predict(learner.adapt(meta, first.support), first.query.inputs)


def targets_of(tasks: Task) -> dict[str, torch.Tensor]:
    return {name: leaf[0] for name, leaf in tasks.query.targets.items()}


def test_maps_are_read_where_the_pixels_are() -> None:
    """Of maps that say where they are, in [0, 1], every pixel gives itself."""
    side = 16
    centres = (torch.arange(side) + 0.5) / side
    maps = torch.stack([centres.expand(side, -1), centres[:, None].expand(-1, side), torch.ones(side, side)], -1)
    maps = torch.stack([maps, 2 * maps])[None].flatten(-3, -2)  # two places, the second twice the first
    pixels = torch.rand((1, 5, 2, 2), generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    read = precise.at_pixels(maps, pixels)
    torch.testing.assert_close(read[:, :, 0, :2], pixels[:, :, 0])
    torch.testing.assert_close(read[:, :, 1, :2], 2 * pixels[:, :, 1])


@pytest.mark.parametrize(("pixel", "value"), [(0.0, 1.0), (0.125, 1.0), (0.25, 1.5), (1.0, 4.0)])
def test_between_centres_it_is_linear_and_beyond_them_constant(pixel: float, value: float) -> None:
    weights = precise.linear_weights(torch.tensor(pixel), 4)
    assert weights.sum() == 1
    assert weights @ torch.tensor([1.0, 2.0, 3.0, 4.0]) == value


def test_an_unknown_pixel_spoils_nothing() -> None:
    maps, pixels = torch.rand(1, 1, 16, 3), torch.full((1, 2, 1, 2), torch.nan)
    assert precise.at_pixels(maps, pixels).isfinite().all()


def test_glances_change_no_action() -> None:
    """It acts on the first image, and says of every image where the goal is."""
    meta = some_meta("precise")
    plain, both = outputs_of(meta, first_images(some_tasks())), outputs_of(meta, glancing_tasks())
    torch.testing.assert_close(both["action"], plain["action"])
    torch.testing.assert_close(both["pose"][:1], plain["pose"])
    assert both["pose"].shape == (1 + GLANCES, 1, 3)


def test_each_glance_is_looked_at_alone() -> None:
    meta = some_meta("precise")
    pose = outputs_of(meta, glancing_tasks())["pose"]
    tasks = glancing_tasks()
    tasks.query.inputs["image"][:, 1] = 255 - tasks.query.inputs["image"][:, 1]
    changed = outputs_of(meta, tasks)["pose"]
    assert not torch.allclose(changed[1], pose[1])
    torch.testing.assert_close(changed[[0, 2]], pose[[0, 2]])


def test_they_train_the_table_and_what_looks_at_the_whole_image() -> None:
    imitator, meta = PRESETS["precise"].imitator(1), some_meta("precise")
    plain, both = (
        meta_grad(meta, tasks, learner=imitator.learner, outer_loss=imitator.outer_loss(0.0))
        for tasks in (first_images(some_tasks()), glancing_tasks())
    )
    torch.testing.assert_close(both[1]["cloning"], plain[1]["cloning"])
    assert not plain[0]["trunk"]["table.w"].any()
    for name in ("conv1.w", "conv4.w", "point3.w", "whole1.w", "calibration.w", "shift.w", "table.w"):
        assert not torch.allclose(both[0]["trunk"][name], plain[0]["trunk"][name])
    assert not torch.allclose(both[0]["psi"]["space1.w"], plain[0]["psi"]["space1.w"]), "the video is asked about, too"


def test_the_loss_is_least_where_the_glances_are_right() -> None:
    """With what should be seen in the place of what is seen, only the loss of `head` is left."""
    tasks = glancing_tasks()
    outputs, targets = outputs_of(some_meta("precise"), tasks), targets_of(tasks)
    right = targets | {
        "glance_pixels": torch.full_like(targets["glance_pixels"], 0.5),
        "glance_points": 0 * targets["glance_points"] + targets["glance_points"][:, :1],
        "glance_table": 0 * targets["glance_table"],
    }
    points = right["glance_points"][:, 0][:, :, None]  # the same in every cell
    outputs |= {
        "points": torch.cat([outputs["points"][:1], points.expand_as(outputs["points"][1:])]),
        "table": 0 * outputs["table"],
    }
    best, imitated = precise.outer_loss(0.0)(outputs, right), head.outer_loss(0.0)(outputs, right)
    torch.testing.assert_close(best["loss"], imitated["loss"] + 0.01)
    worse = precise.outer_loss(0.0)(outputs, right | {"glance_points": right["glance_points"] + 0.5})
    assert worse["glance"] > best["glance"] + 0.1
    displaced = precise.outer_loss(0.0)(outputs | {"table": outputs["table"] + 1}, right)
    torch.testing.assert_close(displaced["loss"], best["loss"] + precise.TABLE_WEIGHT)


def test_a_policy_needs_no_glances() -> None:
    """At test time there is one image; the parameters are the same."""
    tasks = first_images(some_tasks())
    outputs, targets = outputs_of(some_meta("precise"), tasks), targets_of(tasks)
    assert precise.outer_loss(0.0)(outputs, targets) == head.outer_loss(0.0)(outputs, targets)


@pytest.mark.parametrize(("said", "done"), [(0.2, 0.0), (-0.2, 0.0), (0.3, 1.0), (-0.3, -1.0), (1.0, 1.0)])
def test_fingers_shall_be_closed_half_open_or_open_and_the_hand_goes_where_it_says(
    monkeypatch: pytest.MonkeyPatch, said: float, done: float
) -> None:
    action = np.array([0.2, -0.4, 0.1, said], np.float32)
    monkeypatch.setattr(precise, "at_each_step", lambda policy, look: lambda observation, info: action.copy())
    policy: Any = None
    assert precise.acts(policy, lambda observation, info: None)({}, {}).tolist() == pytest.approx(
        [0.2, -0.4, 0.1, done]
    )
    action = action[:3]  # of a robot without fingers
    assert precise.acts(policy, lambda observation, info: None)({}, {}).tolist() == pytest.approx([0.2, -0.4, 0.1])


@pytest.mark.parametrize("name", ["precise", "precise-temporal", "both", "looking", "looking-both", "handed"])
def test_all_that_see_as_it_does_decide_about_their_fingers(name: str) -> None:
    sizes = REACHING._replace(state=11, action=4)
    policy = adapt_to_video(PRESETS[name].imitator(1, sizes), some_meta(name, sizes=sizes), a_video())
    image, state = a_video().frames[0], np.zeros(sizes.state, np.float32)
    seen = {"image": image, IN_HAND: image, "state": state}
    undecided = at_each_step(policy, lambda observation, info: policy.look(image))(seen, {})
    decided = policy.actor()(seen, {})
    np.testing.assert_array_equal(decided[:3], undecided[:3])
    assert decided[3] in (-1, 0, 1)
    assert undecided[3] not in (-1, 0, 1)


def a_video() -> Video:
    frames = np.random.default_rng(0).integers(0, 256, (N_TASKS, 64, 64, 3), dtype=np.uint8)
    return Video(frames, np.arange(N_TASKS) / 10)
