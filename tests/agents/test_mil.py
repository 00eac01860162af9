"""MIL: it learns from a demonstration's actions, and from nothing less."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from random_tasks import some_lessons, some_meta

import envs  # noqa: F401  (registers the environments)
from agents.errors import AgentError
from agents.evaluation import VIDEOS, evaluate_preset
from agents.imitation import adapt_to_video
from agents.methods import head, mil
from agents.presets import PRESETS
from agents.view import REACHING, Sizes
from daml import meta_grad
from daml.meta_step import task_at
from demos.errors import DemoError
from demos.tasks import sample_task_set
from demos.types import Demonstration, Video

ENV = "daml/Reach-v0"


@pytest.fixture(scope="module")
def demonstration() -> Demonstration:
    env = gymnasium.make(ENV, image_size=64, disable_env_checker=True)
    shown = VIDEOS["robot"](sample_task_set(0, "train", 0), 1, env)
    env.close()
    assert isinstance(shown, Demonstration)
    return shown


def test_one_small_step_imitates_its_demonstration_better() -> None:
    meta = some_meta("mil")
    lesson = task_at(PRESETS["mil"].imitator(1).learner.encode(meta, some_lessons()), 0).support
    meta["rates"] = {name: torch.full_like(rate, 1e-3) for name, rate in meta["rates"].items()}

    def off(inner_steps: int) -> float:
        outputs = head.predict(mil.adapt_head(inner_steps, meta, lesson), lesson.inputs)
        return head.imitation(outputs, lesson.targets)["loss"].item()

    assert off(2) < off(1) < off(0)


def test_every_part_of_it_is_meta_learned() -> None:
    imitator, meta = PRESETS["mil"].imitator(1), some_meta("mil")
    assert "psi" not in meta
    gradients, _ = meta_grad(meta, some_lessons(), learner=imitator.learner, outer_loss=imitator.outer_loss(0.0))
    for params in gradients.values():
        assert all(gradient.any() for gradient in params.values() if gradient.numel())


def test_a_demonstration_is_studied_as_in_meta_training(demonstration: Demonstration) -> None:
    imitator, meta = PRESETS["mil"].imitator(1), some_meta("mil")
    tasks = some_lessons()
    shown, done = tasks.support.inputs, tasks.support.targets
    given = Demonstration(
        shown["image"][0].numpy().repeat(len(shown["state"][0]), 0),
        np.arange(len(shown["state"][0])) * 0.1,
        shown["state"][0].numpy(),
        done["action"][0].numpy(),
        done["pose"][0, 0].numpy(),
    )
    studied = mil.study(imitator, meta, given)
    trained = task_at(imitator.learner.encode(meta, tasks), 0).support
    for mine, theirs in zip(*map(torch.utils._pytree.tree_leaves, (studied, trained)), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_policy_for_several_environments_takes_the_demonstrations_of_one(demonstration: Demonstration) -> None:
    sizes = Sizes(state=11, action=4, points=2)
    policy = adapt_to_video(PRESETS["mil"].imitator(1, sizes), some_meta("mil", sizes=sizes), demonstration)
    assert all(tensor.isfinite().all() for tensor in policy.adapted.head.values())


def test_a_video_without_actions_is_refused(demonstration: Demonstration) -> None:
    with pytest.raises(AgentError, match="got one without actions, allowed the robot's own demonstration"):
        adapt_to_video(PRESETS["mil"].imitator(1), some_meta("mil"), Video(demonstration.frames, demonstration.times))


def test_a_demonstration_of_unequal_lengths_is_refused(demonstration: Demonstration) -> None:
    with pytest.raises(DemoError, match="demonstration lengths: got"):
        replace(demonstration, actions=demonstration.actions[1:])


@pytest.mark.parametrize("video", ["robot", "none"])
def test_it_is_evaluated_on_what_the_robot_does(video: str) -> None:
    report = evaluate_preset(
        PRESETS["mil"],
        some_meta("mil"),
        sizes=REACHING,
        env_id=ENV,
        split="test",
        tasks=1,
        trials=1,
        seed=0,
        video=video,
    )
    assert report.distances.shape == (1, 1)
