"""The camera in the hand: it sees both fingertips and what is in front of them, and changes nothing else."""

import warnings

import gymnasium
import numpy as np
import pytest
from env_experts import EXPERTS, IDS, SMALL, make, play
from gymnasium.utils.env_checker import check_env

from envs.render import Camera
from envs.robot import EYE, EYE_NEAR, FINGERS
from envs.tabletop import IN_HAND, GripperEnv

BOTH = ("table", "hand")
every_env = pytest.mark.parametrize("env_id", IDS)


def seen_from_the_hand(env):
    """The name of the body at every pixel of what the hand sees."""
    numbers = env._cameras[IN_HAND].segment(env._data)
    return np.array([*(env._model.body(i).name for i in range(env._model.nbody)), ""])[numbers]


@every_env
def test_all_else_is_the_same_to_the_bit_with_it_and_without(env_id):
    usual, both = make(env_id, image_size=SMALL), make(env_id, image_size=SMALL, cameras=BOTH)
    assert usual.observation_space.keys() == {"image", "state"}
    assert both.observation_space.keys() == {"image", "state", IN_HAND}
    steps = zip(*(play(env, 1, EXPERTS[env_id]) for env in (usual, both)), strict=True)
    for (one, info, reward), (other, other_info, other_reward) in steps:
        assert one.keys() == usual.observation_space.keys()
        assert other in both.observation_space
        assert all(np.array_equal(one[name], other[name]) for name in one)
        assert all(np.array_equal(info[name], other_info[name]) for name in info)
        assert reward == other_reward
    usual.close()
    both.close()


@every_env
def test_gymnasium_has_nothing_to_complain_about(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(env_id, render_mode="rgb_array", cameras=BOTH, disable_env_checker=True)
        check_env(env.unwrapped)


@every_env
def test_it_sees_the_fingers_at_the_lower_edge_and_little_else_of_the_robot(env_id):
    env = make(env_id, image_size=64, cameras=BOTH)
    fingers = list(FINGERS) if isinstance(env, GripperEnv) else ["hand"]
    for seed in range(4):
        moments = play_on(env, seed)
        next(moments)
        assert all((seen_from_the_hand(env) == finger)[-4:].any() for finger in fingers)
        for _ in moments:
            seen = seen_from_the_hand(env)
            robot = np.isin(seen, [*fingers, "hand"])
            assert robot.mean() < 0.1
            assert not robot[:48].any()
    env.close()


def play_on(env, seed):
    """The expert's episode, step by step; both ends of it as the environment is then."""
    _, info = env.reset(seed=seed)
    truncated = False
    yield info
    while not truncated:
        _, _, _, truncated, info = env.step(EXPERTS[env.spec.id](info))
    yield info


@every_env
def test_the_arm_that_it_does_not_draw_would_not_be_seen_anyway(env_id):
    env = make(env_id, image_size=64, cameras=BOTH)
    for seed in range(2):
        moments = play_on(env, seed)
        next(moments)
        everything = Camera(env._model, EYE, 64, 64, near=EYE_NEAR)
        for _ in moments:
            assert np.array_equal(everything.draw(env._data), env._cameras[IN_HAND].draw(env._data))
        everything.close()
    env.close()


@every_env
def test_up_in_its_image_is_one_way_however_the_arm_stands(env_id):
    """Away from the robot; to its left where the hand is turned for pushing."""
    env = make(env_id, image_size=SMALL, cameras=BOTH)
    wanted = [np.cos(env.layout.hand_yaw), np.sin(env.layout.hand_yaw), 0]
    for _ in play_on(env, 0):
        up = env._data.camera(EYE).xmat.reshape(3, 3)[:, 1]
        assert up @ wanted > 0.9
    env.close()


def test_it_sees_what_is_between_the_fingers():
    env = make("daml/PickPlace-v0", image_size=64, cameras=BOTH)
    _, info = env.reset(seed=0)
    while not info["grasped"]:
        info = env.step(EXPERTS[env.spec.id](info))[-1]
    seen = seen_from_the_hand(env) == f"object{env.scene.goal}"
    assert seen[-16:, 16:48].mean() > 0.5
    env.close()


def test_it_is_bright_enough_to_see_the_table():
    env = make("daml/Reach-v0", image_size=64, cameras=BOTH)
    images = [env.reset(seed=seed)[0] for seed in range(8)]
    env.close()
    for image in images:
        assert image[IN_HAND].mean() > 0.7 * image["image"].mean()


def test_a_film_shows_both_images_beside_each_other():
    env = make("daml/Reach-v0", image_size=32, render_mode="rgb_array", cameras=BOTH)
    observation, _ = env.reset(seed=0)
    assert np.array_equal(env.render(), np.concatenate([observation["image"], observation[IN_HAND]], 1))
    env.close()
