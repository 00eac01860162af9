"""MIL's reaching: scenes are read as they are, the arm obeys, the count is its authors'."""

import numpy as np
import pytest

from demos.mil_expert import expert, joints_at
from envs.errors import EnvError
from envs.mil_reach import LAST, REACH, STEPS, SUCCESS_DISTANCE, MilReach, is_success, pixels
from envs.mil_scenes import read_scenes
from tests.envs.mil_files import texts, write_archive, write_archives


def test_an_archive_and_its_folder_hold_the_same_scenes(tmp_path):
    write_archives(tmp_path)
    packed = read_scenes(tmp_path, "test")
    (tmp_path / "sim_vision_reach_test_xmls").mkdir()
    for name, text in texts(2, 2, seed=1).items():
        (tmp_path / "sim_vision_reach_test_xmls" / name).write_text(text)
    (tmp_path / "test.tar.xz").unlink()
    loose = read_scenes(tmp_path, "test")
    assert packed.places.shape == (2, 2, 3, 3)
    assert packed.colours.shape == (2, 3, 4)
    np.testing.assert_array_equal(packed.places, loose.places)
    np.testing.assert_array_equal(packed.colours, loose.colours)


def test_box_b_of_a_set_is_the_target_of_its_task_b(tmp_path):
    files = texts(1, 1)
    write_archive(tmp_path, "test", files)
    places = read_scenes(tmp_path, "test").places[0, 0]
    for goal in range(3):
        x = float(files[f"task_{goal}_cond_0.xml"].split('name="target" pos="')[1].split()[0])
        assert places[goal, 0] == x


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda files: files.clear(), "got 0 of 0 tasks"),
        (lambda files: files.pop("task_1_cond_0.xml"), "got 5 of 3 tasks and 2 conditions"),
        (lambda files: files.update({"task_0_cond_0.xml": "<mujoco/>"}), "task_0_cond_0.xml: got no MJCF with boxes"),
        (lambda files: files.update({"task_0_cond_0.xml": "<"}), "task_0_cond_0.xml: got no MJCF with boxes"),
        (
            lambda files: files.update({"task_2_cond_1.xml": files["task_2_cond_1.xml"].replace("200", "100")}),
            "task_2_cond_1.xml: got another model",
        ),
        (lambda files: files.update({"task_0_cond_0.xml": files["task_0_cond_1.xml"]}), "with different boxes"),
    ],
)
def test_scenes_of_another_form_are_refused_by_name(tmp_path, spoil, said):
    files = texts(1, 2)
    spoil(files)
    write_archive(tmp_path, "train", files)
    with pytest.raises(EnvError, match=said):
        read_scenes(tmp_path, "train")


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_a_root_without_a_readable_archive_is_refused(tmp_path, content):
    if content:
        (tmp_path / "train.tar.xz").write_bytes(content)
    with pytest.raises(EnvError, match=r"^root: got .*, allowed a folder with train.tar.xz"):
        read_scenes(tmp_path, "train")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    folder = tmp_path / "sim_vision_reach_train_xmls"
    folder.mkdir()
    (folder / "task_0_cond_0.xml").write_bytes(b"\xff")
    with pytest.raises(EnvError, match=r"^root: got .*codec can't decode"):
        read_scenes(tmp_path, "train")


def test_any_of_the_last_observations_counts_and_none_before():
    tips = np.full((STEPS, 3), 1.0)
    tips[-LAST - 1] = 0
    assert not is_success(tips, np.zeros(3))
    tips[-LAST] = [SUCCESS_DISTANCE, 0, 0]
    assert is_success(tips, np.zeros(3))


def test_the_expert_reaches_what_can_be_reached_from_any_start_and_stays(tmp_path):
    arm, rng = MilReach(read_scenes(write_archives(tmp_path), "test")), np.random.default_rng(0)
    for _ in range(20):
        angle, radius = rng.uniform(-np.pi, np.pi), rng.uniform(0.03, REACH - 0.005)
        goal = np.array([radius * np.cos(angle), radius * np.sin(angle), 0.01])
        observation = arm.reset(rng.uniform([-3, -2.9], [3, 2.9]))
        tips = []
        for _ in range(STEPS):
            tips.append(observation[4:7])
            observation = arm.step(expert(observation, goal))
        assert np.linalg.norm(tips[-LAST:] - goal, axis=-1).max() < SUCCESS_DISTANCE / 2


def test_torques_are_cut_off_at_one(tmp_path):
    arm = MilReach(read_scenes(write_archives(tmp_path), "test"))
    arm.reset()
    most = arm.step(np.array([1.0, -1.0]))
    arm.reset()
    np.testing.assert_array_equal(arm.step(np.array([5.0, -5.0])), most)


def test_inverse_kinematics_undoes_the_forward_ones(tmp_path):
    arm = MilReach(read_scenes(write_archives(tmp_path), "test"))
    for goal in ([0.1, 0.1], [-0.12, 0.05], [0.02, -0.15]):
        np.testing.assert_allclose(arm.reset(joints_at(np.array(goal)))[4:6], goal, atol=1e-9)


def test_boxes_are_seen_where_they_are_in_their_colours(tmp_path):
    scenes = read_scenes(write_archives(tmp_path), "test")
    arm = MilReach(scenes)
    arm.reset(np.array([np.pi / 2, 2.9]))
    arm.put(1, 1)
    image = arm.image()
    for place, colour in zip(scenes.places[1, 1], scenes.colours[1], strict=True):
        x, y = pixels(place).astype(int)
        assert image[y, x].argmax() == colour[:3].argmax()
        outside_x, outside_y = pixels(place * 1.4).astype(int)
        assert image[outside_y, outside_x].max() == 0
    arm.close()
