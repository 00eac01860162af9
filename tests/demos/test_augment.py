"""Augmentation makes other demonstrations, and they are still right."""

import mujoco
import numpy as np
import pytest
import torch

import demos.augment as aug
from envs.robot import FINGERTIP, HOME, JOINT_LIMITS, add_robot


@pytest.fixture(scope="module")
def arm():
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    add_robot(spec)
    return spec.compile()


def pose(arm, angles):
    data = mujoco.MjData(arm)
    data.qpos[:7] = angles
    mujoco.mj_forward(arm, data)
    site = data.site(FINGERTIP)
    return site.xpos.copy(), site.xmat.reshape(3, 3).copy()


def mirrored_joints(angles):
    return aug.mirrored_joints(torch.from_numpy(angles)).numpy()


def test_mirrored_joints_are_the_mirrored_posture(arm):
    """Forward kinematics commutes with the mirror."""
    mirror = np.diag([1.0, -1.0, 1.0])
    for seed in range(20):
        angles = np.random.default_rng(seed).uniform(*JOINT_LIMITS.T)
        (point, turn), (seen, turned) = pose(arm, angles), pose(arm, mirrored_joints(angles))
        assert seen == pytest.approx(mirror @ point, abs=1e-9)
        assert turned == pytest.approx(mirror @ turn @ mirror, abs=1e-9)


def test_home_is_its_own_mirror_image():
    assert mirrored_joints(HOME) == pytest.approx(HOME, abs=2e-3)


@pytest.mark.parametrize(
    ("mirrored", "shape"),
    [
        (aug.mirrored_frames, (2, 4, 6, 3)),
        (aug.mirrored_pixels, (3, 2)),
        (aug.mirrored_vectors, (4, 3)),
        (aug.mirrored_vectors, (4, 5)),
        (aug.mirrored_states, (2, 10)),
        (aug.mirrored_states, (2, 11)),
    ],
)
def test_the_mirror_image_of_a_mirror_image_is_the_thing_itself(mirrored, shape):
    thing = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert not torch.allclose(mirrored(thing), thing)
    torch.testing.assert_close(mirrored(mirrored(thing)), thing)


def test_a_pixel_moves_with_its_image():
    frames = torch.zeros(5, 8, 3, dtype=torch.uint8)
    frames[3, 1] = 255
    x, y = aug.mirrored_pixels(torch.tensor([1.5 / 8, 3.5 / 5]))
    assert aug.mirrored_frames(frames)[int(y * 5), int(x * 8)].tolist() == [255] * 3


def test_colours_change_alike_in_all_frames_and_differently_from_set_to_set():
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8))
    seen = set()
    for seed in range(40):
        one, other = aug.recolour(np.random.default_rng(seed), frames, frames.flip(0))
        assert torch.equal(one, other.flip(0))
        assert one.dtype == torch.uint8
        seen.add(one.numpy().tobytes())
    assert len(seen) == 40


def test_recolouring_only_shuffles_and_scales_channels():
    """Two pixels that differ in one channel differ in one channel afterwards."""
    frames = torch.tensor([[50, 60, 70], [50, 60, 170]], dtype=torch.uint8)
    for seed in range(20):
        (changed,) = aug.recolour(np.random.default_rng(seed), frames)
        assert (changed[0] != changed[1]).sum() == 1


def rows():
    rng = np.random.default_rng(0)
    arrays = {
        "video": rng.integers(0, 256, (3, 4, 8, 8, 3), dtype=np.uint8),
        "shown_at": rng.random((3, 2)).astype(np.float32),
        "image": rng.integers(0, 256, (3, 1, 8, 8, 3), dtype=np.uint8),
        "state": rng.random((3, 5, 10)).astype(np.float32),
        "action": rng.random((3, 5, 3)).astype(np.float32),
        "pose": rng.random((3, 1, 3)).astype(np.float32),
        "moved": rng.random((3, 5, 1, 3)).astype(np.float32),
        "end": rng.random((3, 10)).astype(np.float32),
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def test_an_object_has_one_colour_in_all_frames_of_its_set():
    """In the human's video, where the robot acts and wherever else it is seen."""
    before = rows()
    before["lesson_frames"] = before["image"][:, 0].clone()
    before["glance_frames"] = before["image"].flip(2)
    for seed in range(20):
        after = {name: values.clone() for name, values in before.items()}
        aug.augment(after, np.random.default_rng(seed), "shown")
        assert not torch.equal(after["image"], before["image"])
        assert torch.equal(after["lesson_frames"], after["image"][:, 0])
        assert torch.equal(after["glance_frames"], after["image"].flip(2))


def mirrorings(mirror):
    """Over many draws: (whether the human's side was mirrored, whether the robot's was)."""
    found = set()
    for seed in range(40):
        before, after = rows(), rows()
        aug.augment(after, np.random.default_rng(seed), mirror)
        human = not torch.equal(after["shown_at"], before["shown_at"])
        robot = not torch.equal(after["state"], before["state"])
        for name in ("action", "pose", "moved", "end"):
            assert robot == (not torch.equal(after[name], before[name]))
        found.add((human, robot))
    return found


def test_the_human_and_the_robot_are_mirrored_each_by_itself():
    assert mirrorings("each") == {(False, False), (False, True), (True, False), (True, True)}


def test_what_is_shown_and_done_is_mirrored_together_where_the_video_tells_a_side():
    assert mirrorings("both") == {(False, False), (True, True)}
    before = rows()
    before |= {"lesson_frames": before["image"][:, 0].clone(), "lesson_states": before["state"].clone()}
    before |= {"lesson_actions": before["action"].clone(), "lesson_points": before["pose"][:, 0].clone()}
    for seed in range(20):
        after = {name: values.clone() for name, values in before.items()}
        aug.augment(after, np.random.default_rng(seed), "both")
        assert torch.equal(after["lesson_frames"], after["image"][:, 0])
        assert torch.equal(after["lesson_states"], after["state"])
        assert torch.equal(after["lesson_actions"], after["action"])
        assert torch.equal(after["lesson_points"], after["pose"][:, 0])


def test_the_robot_is_not_mirrored_where_the_task_has_a_side():
    assert mirrorings("shown") == {(False, False), (True, False)}


def test_nothing_is_mirrored_where_a_mirrored_video_would_show_something_else():
    assert mirrorings("nothing") == {(False, False)}
