"""The gripper and what it moves: real contacts, nothing welded."""

import mujoco
import numpy as np
import pytest
from env_experts import EXPERTS, SMALL, make, play
from hypothesis import given
from hypothesis import strategies as st

from envs import acting, pick_place, placing, pushing, sorting
from envs.objects import ITEMS, OPEN_CONTAINERS, SPLITS, kinds
from envs.robot import GRIPPER_OPENING
from envs.scene import robot_model, sample_scene

GRIPPING = ["daml/Act-v0", "daml/PickPlace-v0", "daml/Place-v0", "daml/Push-v0", "daml/Sort-v0"]
LAYOUTS = [acting.ACTING, pushing.PUSHING, placing.PLACING, pick_place.PICKING, sorting.SORTING]


@pytest.fixture(params=GRIPPING)
def env(request):
    env = make(request.param, image_size=SMALL)
    yield env
    env.close()


def still(gripper):
    return lambda info: np.array([0, 0, 0, gripper], np.float32)


def test_the_state_ends_with_the_opening(env):
    for observation, info, _ in play(env, 0, EXPERTS[env.spec.id])[:10]:
        assert observation["state"].shape == (11,)
        assert observation["state"][:3] == pytest.approx(info["fingertip"], abs=1e-6)
        assert observation["state"][10] == pytest.approx(info["opening"], abs=1e-6)


@pytest.mark.parametrize("command", [-0.5, 0.0, 0.5, 1.0])
def test_the_fingers_go_where_they_are_told(command):
    env = make("daml/Push-v0", image_size=SMALL)
    info = play(env, 0, still(command))[-1][1]
    assert info["opening"] == pytest.approx(GRIPPER_OPENING * (command + 1) / 2, abs=1e-3)
    env.close()


def test_an_item_stays_in_a_closed_hand_wherever_it_goes():
    env = make("daml/Place-v0", image_size=SMALL)
    rng = np.random.default_rng(0)
    for seed in range(6):
        _, info = env.reset(seed=seed)
        for step in range(40):
            if step % 5 == 0:
                way = [*rng.choice([-1, 1], 2), 1 if info["fingertip"][2] < 0.2 else -0.3, -1]
            info = env.step(np.array(way, np.float32))[-1]
            assert info["fingers"] == 2
            held = [0, 0, info["height"] / 2 - placing.grip_height(info["height"])]
            assert info["item"] == pytest.approx(
                info["fingertip"] + np.array(held), abs=0.025
            )  # the hand tilts at its reach
            assert info["opening"] == pytest.approx(info["width"], abs=4e-3)  # contacts are soft
    env.close()


@pytest.mark.parametrize("env_id", ["daml/PickPlace-v0", "daml/Sort-v0"])
def test_what_is_carried_does_not_slide_in_the_fingers(env_id):
    env = make(env_id, image_size=SMALL)
    for seed in range(6):
        held = [info["item"] - info["fingertip"] for _, info, _ in play(env, seed, EXPERTS[env_id]) if info["grasped"]]
        assert len(held) > 4
        assert held[-2][:2] == pytest.approx(held[0][:2], abs=4e-3)  # as it is let go, it may swing
    env.close()


def test_an_opened_hand_lets_go():
    env = make("daml/Place-v0", image_size=SMALL)
    for seed in range(4):
        steps = play(env, seed, still(1.0))
        assert steps[0][1]["fingers"] == 2
        assert steps[-1][1]["fingers"] == 0
        assert steps[-1][1]["item"][2] < 0.12 < steps[0][1]["item"][2], "it has fallen"
    env.close()


def test_nothing_moves_before_it_is_touched(env):
    """Movable things rest: no drift, no rolling, no overlap that pushes them apart."""
    for seed in range(6):
        env.reset(seed=seed)
        before = env.step(still(-1)(None))[-1]["objects"]
        for _ in range(20):
            after = env.step(still(-1)(None))[-1]["objects"]
        assert after == pytest.approx(before, abs=5e-4)


def test_there_is_no_equality_but_between_the_fingers(env):
    env.reset(seed=0)
    model = env._model
    assert [int(kind) for kind in model.eq_type] == [int(mujoco.mjtEq.mjEQ_JOINT)]
    fingers = {model.joint("finger_left").id, model.joint("finger_right").id}
    assert {int(model.eq_obj1id[0]), int(model.eq_obj2id[0])} == fingers


@given(seed=st.integers(0, 2**32 - 1), split=st.sampled_from(list(SPLITS)))
def test_items_fit_between_the_fingers_and_into_containers(seed, split):
    scene = sample_scene(np.random.default_rng(seed), split, layout=pick_place.PICKING)
    for item in scene.objects:
        assert item.shape in ITEMS.shapes
        assert item.width <= 0.06 < GRIPPER_OPENING
        assert item.kind in kinds(split)
    assert scene.extra.shape in OPEN_CONTAINERS.shapes
    assert scene.extra.kind in kinds(split, OPEN_CONTAINERS)
    for container in sample_scene(np.random.default_rng(seed), split, layout=sorting.SORTING).containers:
        assert container.kind in kinds(split, OPEN_CONTAINERS)


def test_containers_are_split_without_overlap():
    found = [kind for split in SPLITS for kind in kinds(split, OPEN_CONTAINERS)]
    assert len(found) == len(set(found)) == len(OPEN_CONTAINERS.shapes) * 14 * 5
    for split in SPLITS:
        assert {shape for shape, _, _ in kinds(split, OPEN_CONTAINERS)} == set(OPEN_CONTAINERS.shapes)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 3))
def test_every_lane_is_free(seed, n):
    positions = pushing.lanes(np.random.default_rng(seed), n)
    x, y = np.array(positions).T
    (x0, x1), (y0, y1) = pushing.AREA
    assert ((x0 <= x) & (x <= x1 + 1e-9) & (y0 <= y) & (y <= y1)).all()
    assert (np.diff(np.sort(x)) >= pushing.LANE - 1e-9).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_at_first_nothing_overlaps(layout):
    for seed in range(15):
        scene = sample_scene(np.random.default_rng(seed), "train", layout=layout)
        model = robot_model(scene)
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        for contact in data.contact:
            names = {model.body(model.geom_bodyid[geom]).name for geom in contact.geom}
            if "extra" in names and layout.extra_area is None:
                continue  # the item is put into the hand by the environment
            assert "world" in names or contact.dist > -1e-4, names
