"""What counts as sorted: the right item in the right container, and nothing else moved."""

import itertools

import numpy as np
import pytest
from env_experts import EXPERTS, SMALL, make
from hypothesis import given
from hypothesis import strategies as st

from envs import sorting
from envs.acting import NOTHING
from envs.objects import MIN_CONTRAST, OPEN_CONTAINERS, SPLITS, _lab, kinds, mean_colour
from envs.placing import SUCCESS_DISTANCE
from envs.scene import sample_scene
from envs.sorting import SORTING, container_of

ENV = "daml/Sort-v0"
RIMS = np.array([[0.45, -0.2, 0.04], [0.45, 0.0, 0.03], [0.45, 0.2, 0.05]])


def scene_of(seed: int = 0, split: str = "train"):
    return sample_scene(np.random.default_rng(seed), split, layout=SORTING)


@given(st.integers(0, 2), st.floats(0, 2 * np.pi), st.floats(0, 0.1), st.integers(0, 2))
def test_an_item_is_in_the_container_in_whose_middle_it_lies_untouched(which, angle, distance, fingers):
    item = RIMS[which] + [distance * np.cos(angle), distance * np.sin(angle), 0.01]
    inside = distance <= SUCCESS_DISTANCE - 1e-9 and fingers == 0
    if abs(distance - SUCCESS_DISTANCE) > 1e-9:
        assert container_of(item, RIMS, fingers) == (which if inside else NOTHING)


@given(st.integers(0, 8))
def test_a_goal_is_an_item_and_a_container(number):
    scene = scene_of().with_goal(number)
    assert (scene.goal, scene.aim) == divmod(number, 3)
    points = sorting.goal_points(scene)
    assert points[0] == pytest.approx(scene.tops[scene.goal])
    assert points[1][:2] == pytest.approx(scene.container_positions[scene.aim])


@given(seed=st.integers(0, 2**32 - 1), split=st.sampled_from(list(SPLITS)))
def test_containers_are_of_the_split_and_told_apart_by_colour(seed, split):
    scene = scene_of(seed, split)
    assert len(scene.containers) == len(scene.container_positions) == 3
    assert all(container.kind in kinds(split, OPEN_CONTAINERS) for container in scene.containers)
    colours = [_lab(mean_colour(thing)) for thing in (*scene.objects, *scene.containers)]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(colours, 2)) >= MIN_CONTRAST


def test_every_container_is_in_every_place():
    """From left to right: where one stands says nothing of which it is."""
    order = np.array([np.argsort(np.array(scene_of(seed).container_positions)[:, 1]) for seed in range(60)])
    for place in range(3):
        assert np.bincount(order[:, place], minlength=3).min() > 10


@pytest.mark.parametrize("asked", range(9))
def test_the_environment_says_what_was_done_whatever_was_asked(asked):
    """The expert does goal 4, and the environment asks for each of nine."""
    scene = scene_of(1)
    done = scene.with_goal(4)
    env = make(ENV, image_size=SMALL)
    info, over = env.reset(options={"scene": scene.with_goal(asked)})[1], False
    told = {"places": sorting.goal_points(done), "width": done.objects[1].width}
    while not over:
        now = {"item": info["objects"][1], "grasped": env._touching(env._bodies[1]) == 2}
        info |= told | now | {"placed": info["container"] == 1 and info["nearest"] == 1}
        *_, over, info = env.step(EXPERTS[ENV](info))
    env.close()
    assert (info["nearest"], info["container"], info["goal_done"]) == (1, 1, 4)
    assert info["is_success"] is (asked == 4)
    assert info["placed"] is (asked == 4)


def test_a_goal_is_not_done_when_another_item_is_moved():
    scene = scene_of().with_goal(0)
    env = make(ENV, image_size=SMALL)
    info = env.reset(options={"scene": scene})[1]
    for _ in range(50):
        info = env.step(EXPERTS[ENV](info))[-1]
    assert (info["goal_done"], info["is_success"]) == (0, True)
    env._data.joint(env._model.body("object1").jntadr[0]).qpos[0] += 0.025
    info = env.step(EXPERTS[ENV](info))[-1]
    assert (info["container"], info["goal_done"], info["is_success"]) == (0, NOTHING, False)
    env.close()
