"""MIL's reaching as tasks: what is shown decides, and every method trains and acts."""

import numpy as np
import pytest
import torch

from agents.mil_reach import METHODS, SIZES, ReachTasks, count, evaluate, preset_of, scaled
from daml import meta_loss
from demos.mil_expert import expert
from demos.mil_reach import STEPS, collect, in_frame, n_parts, read_demos, trial
from envs.mil_reach import MilReach
from envs.mil_scenes import read_scenes
from tests.envs.mil_files import write_archives


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    root = tmp_path_factory.mktemp("mil")
    scenes = read_scenes(write_archives(root), "test")
    assert list(collect(root / "demos", scenes, "test", 1)) == [0, 1]
    return root / "demos", scenes, read_demos(root / "demos", scenes, "test")


def test_what_is_collected_is_not_collected_again(collected):
    folder, scenes, _ = collected
    assert list(collect(folder, scenes, "test", 1)) == [n_parts(scenes)]
    assert [path.name for path in folder.iterdir() if path.suffix != ".npz"] == []


def test_the_tasks_of_a_set_share_the_first_frame_and_differ_later(collected):
    frames = collected[2].frames
    assert (frames[:, :, 0, 0] == frames[:, :, 1, 0]).all()
    assert (frames[:, :, 0, -1] != frames[:, :, 1, -1]).any()


def test_a_demonstration_is_the_experts_trial(collected):
    _, scenes, demos = collected
    goal = scenes.places[1, 0, 2]
    states, torques = trial(MilReach(scenes), lambda observation: expert(observation, goal))
    np.testing.assert_allclose(demos.states[1, 0, 2], states, atol=1e-6)
    np.testing.assert_allclose(demos.torques[1, 0, 2], torques, atol=1e-6)
    assert len(states) == STEPS


def test_all_boxes_are_in_the_frames(collected):
    where = in_frame(collected[1].places)
    assert ((where > 0) & (where < 1)).all()
    np.testing.assert_allclose(in_frame(np.array([0.0, 0.0, 0.01])), 0.5)


def test_in_a_meta_batch_only_what_is_shown_tells_the_tasks_of_a_set_apart(collected):
    tasks = ReachTasks(*collected[1:], with_torques=False).sample(6, np.random.default_rng(0))
    image, state = tasks.query.inputs["image"], tasks.query.inputs["state"]
    for start in (0, 3):
        for other in (1, 2):
            assert torch.equal(image[start], image[start + other])
            assert torch.equal(state[start, 0], state[start + other, 0])
            assert not torch.equal(tasks.support[start], tasks.support[start + other])


def test_a_demonstration_and_the_query_are_of_different_conditions(collected):
    tasks = ReachTasks(*collected[1:], with_torques=True).sample(6, np.random.default_rng(1))
    assert (tasks.support.inputs["image"] != tasks.query.inputs["image"]).flatten(1).any(1).all()


def test_a_pose_is_in_the_unit_of_the_fingertip(collected):
    """The expert's demonstration ends where its pose says, as the policy's own state has it."""
    tasks = ReachTasks(*collected[1:], with_torques=True).sample(6, np.random.default_rng(1))
    pose, tip = tasks.support.targets["pose"][:, 0, 0, :2], tasks.support.inputs["state"][:, -1, :2]
    assert (pose - tip).abs().max() < 0.05 / 0.12
    assert (pose - tip).abs().mean() < 0.2 * pose.abs().mean()


def test_states_are_of_about_unit_size(collected):
    assert np.abs(scaled(collected[2].states)).max() < 10


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_gradient_and_acts(collected, method):
    preset = preset_of(method)
    imitator = preset.imitator(preset.inner_steps, SIZES)
    tasks = ReachTasks(*collected[1:], with_torques=method == "mil")
    meta = imitator.learner.init(torch.Generator().manual_seed(0))
    leaves = [tensor.requires_grad_() for group in meta.values() for tensor in group.values()]
    loss, _ = meta_loss(
        meta,
        tasks.sample(6, np.random.default_rng(0)),
        learner=imitator.learner,
        outer_loss=imitator.outer_loss(preset.hint),
        map_tasks=preset.map_tasks("cpu"),
    )
    gradients = torch.autograd.grad(loss, leaves, materialize_grads=True)
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert any(gradient.abs().sum() > 0 for gradient in gradients)
    trials = evaluate(imitator.learner, meta, tasks, seed=0)
    assert trials.success.shape == (6, 2)


def test_the_expert_succeeds_everywhere_and_rest_nowhere(collected):
    scenes = collected[1]
    told = count(
        scenes,
        lambda number, goal: [
            lambda observation, place=places[goal]: expert(observation, place) for places in scenes.places[number]
        ],
    )
    still = count(scenes, lambda number, goal: [lambda observation: np.zeros(2)] * 2)
    summary = told.summary()
    assert summary["success"]["rate"] == summary["nearest"]["rate"] == 1
    assert summary["success"]["trials"] == 12
    assert still.success.mean() < 0.5
