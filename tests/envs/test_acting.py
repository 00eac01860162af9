"""What counts as done to an object, and that the environment says so."""

from dataclasses import replace

import numpy as np
import pytest
from env_experts import EXPERTS, SMALL, make
from hypothesis import given
from hypothesis import strategies as st

from envs import acting
from envs.acting import DIRECTIONS, NOTHING, VERBS, acted_upon, alone, left_to_do, verb_done
from envs.appearance import project
from envs.errors import EnvError
from envs.scene import sample_scene

ON_TOP, FAR = np.zeros(3), np.array([0.0, 0.0, 0.2])
STILL = np.zeros(3)
TOUCH, LIFT = VERBS.index("touch"), VERBS.index("lift")
NEEDED = 5  # control periods of the hold


def scene_of(seed=0):
    return sample_scene(np.random.default_rng(seed), "train", layout=acting.ACTING)


@pytest.mark.parametrize(
    ("tip", "done"),
    [
        ((0, 0, 0), TOUCH),
        ((0, 0, acting.TOUCH_DISTANCE), TOUCH),
        ((acting.TOUCH_DISTANCE, 0, 0), TOUCH),
        ((0, 0, acting.TOUCH_DISTANCE + 1e-6), NOTHING),
        ((0, 0, -acting.TOUCH_DEPTH - 1e-6), NOTHING),
    ],
)
def test_a_touch_is_near_the_top_and_not_deep_below_it(tip, done):
    assert verb_done(STILL, np.array(tip), 0) == done
    moved = np.array([acting.STILL_DISTANCE, 0, 0])
    assert verb_done(moved, np.array(tip), 0) == NOTHING, "what was moved is not touched"


@pytest.mark.parametrize("name", DIRECTIONS)
def test_a_push_goes_far_enough_straight_enough_and_on_the_table(name):
    along = np.array([*DIRECTIONS[name], 0])
    across = np.array([along[1], -along[0], 0])
    verb, far = VERBS.index(name), acting.PUSH_DISTANCE
    assert verb_done(far * along, FAR, 0) == verb
    assert verb_done((far - 1e-6) * along, FAR, 0) == NOTHING
    assert verb_done(-far * along, FAR, 0) != verb
    for side in (-1, 1):
        assert verb_done(far * along + side * (acting.PUSH_SLOPE * far - 1e-6) * across, FAR, 0) == verb
        assert verb_done(far * along + side * (acting.PUSH_SLOPE * far + 1e-6) * across, FAR, 0) == NOTHING
    assert verb_done(far * along + [0, 0, acting.STILL_DISTANCE], FAR, 0) == NOTHING, "it fell over, or hangs"


def test_a_lift_is_high_enough_and_in_both_fingers():
    high = np.array([0.0, 0.0, acting.LIFT_HEIGHT])
    assert verb_done(high, FAR, 2) == LIFT
    assert verb_done(high, FAR, 1) == NOTHING
    assert verb_done(high - [0, 0, 1e-6], FAR, 2) == NOTHING


@given(st.lists(st.floats(-0.3, 0.3), min_size=6, max_size=6), st.integers(0, 2))
def test_what_is_done_has_nothing_left_to_do(numbers, fingers):
    moved, tip = np.split(np.array(numbers), 2)
    verb = verb_done(moved, tip, fingers)
    if verb != NOTHING:
        assert left_to_do(moved, tip, verb) <= (acting.TOUCH_DISTANCE if verb == TOUCH else 0)


def test_the_object_acted_upon_is_the_one_that_moved_and_else_the_nearest():
    moved, tips = np.zeros((3, 3)), np.array([[0.3, 0, 0], [0.1, 0, 0], [0.2, 0, 0]])
    assert acted_upon(moved, tips) == 1
    moved[2] = [0, acting.STILL_DISTANCE, 0]
    assert acted_upon(moved, tips) == 2
    assert alone(moved, 2)
    assert not alone(moved, 1)


def test_success_needs_the_goal_for_the_whole_hold():
    done = np.array([NOTHING, *[7] * NEEDED])
    assert acting.is_success(done, 7)
    assert not acting.is_success(done, 8)
    assert not acting.is_success(done[:-1], 7)
    assert not acting.is_success(np.append(done, NOTHING), 7)


@given(st.integers(0, 14))
def test_a_goal_is_an_object_and_a_verb(number):
    scene = scene_of().with_goal(number)
    assert scene.layout.goal_number(scene.goal, scene.aim) == number


def test_a_verb_that_there_is_not_is_an_error():
    with pytest.raises(EnvError, match="aim: got 5, allowed 0 to 4"):
        replace(scene_of(), aim=5)


def test_left_right_and_away_are_so_in_the_picture():
    look, here = scene_of().look, np.array([0.5, 0.0, 0.0])
    ways = {name: project(look, here + 0.1 * np.array([*d, 0])) - project(look, here) for name, d in DIRECTIONS.items()}
    assert ways["push-left"][0] < -0.05
    assert ways["push-right"][0] > 0.05
    assert ways["push-away"][1] < -0.05


def test_objects_stand_in_rows_and_columns_of_their_own():
    for seed in range(50):
        places = np.array(scene_of(seed).positions)
        apart = np.abs(places[:, None] - places[None])[~np.eye(3, dtype=bool)]
        assert (apart.min(0) >= acting.LANES).all()
        assert ((places >= np.array(acting.AREA)[:, 0]) & (places <= np.array(acting.AREA)[:, 1])).all()


@pytest.mark.parametrize("asked", range(len(VERBS)))
def test_the_environment_says_what_was_done_whatever_was_asked(asked):
    """The expert does one verb, and the environment asks for another one or for the same."""
    env = make("daml/Act-v0", image_size=SMALL)
    for verb in range(len(VERBS)):
        scene = scene_of(verb).with_goal(acting.ACTING.goal_number(1, asked))
        info, done = env.reset(options={"scene": scene})[1], False
        while not done:
            *_, done, info = env.step(EXPERTS["daml/Act-v0"](info | {"asked": verb}))
        assert (info["nearest"], info["verb"], info["goal_done"]) == (1, verb, acting.ACTING.goal_number(1, verb))
        assert info["is_success"] is (verb == asked) is info["done"]
    env.close()


def test_a_goal_is_not_done_when_another_object_is_moved():
    env = make("daml/Act-v0", image_size=SMALL)
    scene = scene_of().with_goal(acting.ACTING.goal_number(0, LIFT))
    info = env.reset(options={"scene": scene})[1]
    for _ in range(25):
        info = env.step(EXPERTS["daml/Act-v0"](info))[-1]
    assert info["done"]
    joint = env._model.body("object1").jntadr[0]
    env._data.joint(joint).qpos[0] += 0.025
    info = env.step(EXPERTS["daml/Act-v0"](info))[-1]
    assert (info["verb"], info["goal_done"], info["is_success"]) == (LIFT, NOTHING, False)
    env.close()


def test_an_object_is_reached_by_its_middle():
    top, height = np.array([0.0, 0.0, 0.035]), 0.069
    assert acting.is_reached(top, np.add(top, [0, 0, height]))
    assert not acting.is_reached(np.add(top, [0, 0, 0.04]), np.add(top, [0, 0, 0.04 + height]))
