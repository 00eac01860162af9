"""Nudges: how far, when, where to, and that without one all is as it was."""

import itertools

import mujoco
import numpy as np
import pytest
from env_experts import EXPERTS, IDS, SMALL, make, play, random_policy, succeeds

from demos.skills import find_skill
from envs.appearance import TABLETOP
from envs.errors import EnvError
from envs.nudge import AREA, BESIDE, FARTHEST, LANE, NEAR, TIMES, sample_nudge
from envs.scene import Scene, sample_scene
from envs.tabletop import CONTROL_PERIOD, MAX_SPEED

LEVELS = range(1, len(FARTHEST))
SEEDS = range(40)
each_env = pytest.mark.parametrize("env_id", IDS)
each_level = pytest.mark.parametrize("level", LEVELS)


def scenes(env_id: str, level: int, seeds=SEEDS) -> list[Scene]:
    layout = find_skill(env_id).layout
    n = [3, layout.most]
    return [
        sample_scene(np.random.default_rng(seed), "train", layout=layout, n_objects=n[seed % 2], nudge=level)
        for seed in seeds
    ]


def shifts(scene: Scene) -> np.ndarray:
    assert scene.nudge is not None
    return np.array(scene.nudge.shifts)


def bodies(env) -> list[int]:
    return [env._model.body(f"object{i}").id for i in range(len(env.scene.objects))]


def touching(env) -> bool:
    """Whether an object touches anything but the table."""
    table, mine = env._model.geom(TABLETOP).id, set(bodies(env))
    pairs = [pair for pair in env._data.contact.geom if table not in pair]
    return any(mine & {int(env._model.geom_bodyid[geom]) for geom in pair} for pair in pairs)


@each_env
@each_level
def test_all_else_of_a_scene_is_as_without_a_nudge(env_id, level):
    for plain, nudged in zip(scenes(env_id, 0), scenes(env_id, level), strict=True):
        assert plain.nudge is None
        assert plain.nudged is plain
        assert vars(nudged) == vars(plain) | {"nudge": nudged.nudge}


@each_env
@each_level
def test_every_object_is_moved_by_a_distance_in_the_range(env_id, level):
    for scene in scenes(env_id, level):
        far = np.linalg.norm(shifts(scene), axis=1)
        assert len(far) == len(scene.objects)
        assert (far >= FARTHEST[level] / 2).all()
        assert (far <= FARTHEST[level]).all()
        assert np.allclose(np.array(scene.nudged.positions) - np.array(scene.positions), shifts(scene))
        assert TIMES[0] <= scene.nudge.time <= TIMES[1]


@each_env
def test_objects_stay_on_the_table_and_have_the_room_they_had(env_id):
    (x0, x1), (y0, y1) = AREA
    for scene in scenes(env_id, 2):
        before, after = np.array(scene.positions), np.array(scene.nudged.positions)
        low, high = np.minimum((x0, y0), before.min(0)), np.maximum((x1, y1), before.max(0))
        assert (after >= low).all()
        assert (after <= high).all()
        apart = [min(np.linalg.norm(a - b) for a, b in itertools.combinations(p, 2)) for p in (before, after)]
        assert apart[1] >= apart[0]
        for axis in (0, 1):
            lane, left = (min(abs(a - b)[axis] for a, b in itertools.combinations(p, 2)) for p in (before, after))
            assert lane < LANE or left >= lane


def test_the_goal_is_moved_as_the_others_are() -> None:
    """A nudge is the same whatever the goal: what it tells of it is nothing."""
    for scene in scenes("daml/Reach-v0", 2):
        assert all(scene.with_goal(goal).nudge == scene.nudge for goal in range(len(scene.objects)))


def test_objects_go_every_way() -> None:
    ways = np.concatenate([np.sign(shifts(scene)) for scene in scenes("daml/Reach-v0", 2)])
    counts = np.unique(ways, axis=0, return_counts=True)[1]
    assert len(counts) == 4
    assert counts.min() > len(ways) / 8


def test_where_each_has_too_little_room_all_are_moved_alike() -> None:
    """A scene of PickPlace: equal lanes up to the edge, and a container on the other side."""
    stand, fixed = np.array([[0.401, -0.23], [0.537, -0.095], [0.439, 0.04]]), np.array([[0.499, 0.187]])
    nudge = sample_nudge(np.random.default_rng(0), 2, stand, fixed)
    assert len(nudge.shifts) == 3
    assert len(set(nudge.shifts)) == 1
    assert FARTHEST[2] / 2 <= np.hypot(*nudge.shifts[0]) <= FARTHEST[2]
    assert np.abs(stand + nudge.shifts - fixed).max(1).min() >= BESIDE


@pytest.mark.slow
@each_env
@each_level
def test_every_scene_has_room_for_a_nudge(env_id, level):
    assert all(scene.nudge for scene in scenes(env_id, level, range(1000, 1400)))


def test_no_room_is_said() -> None:
    here = np.array([[0.5, 0.0]])
    walls = here + 0.1 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    with pytest.raises(EnvError, match="nudge: got level 1 for objects that have no room, allowed 0"):
        sample_nudge(np.random.default_rng(0), 1, here, walls)


@pytest.mark.parametrize("level", [-1, 3, 0.5, "far"])
def test_a_level_that_there_is_not_is_refused(level):
    with pytest.raises(EnvError, match=r"nudge: got .* allowed 0 to 2"):
        make("daml/Reach-v0", nudge=level)


@each_env
def test_until_the_nudge_an_episode_is_as_without(env_id):
    plain, nudged = (make(env_id, image_size=SMALL, nudge=level) for level in (0, 2))
    for seed in range(3):
        (first, _), (other, _) = plain.reset(seed=seed), nudged.reset(seed=seed)
        action = np.zeros(plain.action_space.shape, np.float32)
        steps = 0
        while nudged.standing is nudged.scene:
            assert all(np.array_equal(first[name], other[name]) for name in first)
            first, other = plain.step(action)[0], nudged.step(action)[0]
            steps += 1
        assert (first["image"] != other["image"]).any()
        assert 0 < steps <= TIMES[1] / CONTROL_PERIOD + 1
    plain.close()
    nudged.close()


@each_env
@pytest.mark.parametrize("who", ["expert", "random"])
def test_objects_are_moved_before_the_hand_is_there_and_touch_nothing(env_id, who):
    env = make(env_id, image_size=SMALL, nudge=2)
    for seed in range(4):
        actor = EXPERTS[env_id] if who == "expert" else random_policy(env, seed)
        _, info = env.reset(seed=seed)
        while env.standing is env.scene:
            before, stood = info["fingertip"], env._data.xpos[bodies(env)].copy()
            assert not touching(env)
            info = env.step(actor(info))[-1]
        tops = np.concatenate([env.scene.tops, env.standing.tops])
        assert np.linalg.norm(tops - before, axis=1).min() > NEAR - np.sqrt(3) * MAX_SPEED * CONTROL_PERIOD
        moved = np.pad(shifts(env.scene), ((0, 0), (0, 1)))
        assert env._data.xpos[bodies(env)] - stood == pytest.approx(moved, abs=5e-4)
        assert not touching(env)
        assert (info["places"] - info["goal_points"])[0] == pytest.approx(moved[env.scene.goal])
        assert info["places"][1:] == pytest.approx(info["goal_points"][1:])
    env.close()


@each_env
def test_moved_objects_stand_still_upright(env_id):
    env = make(env_id, image_size=SMALL, nudge=2)
    env.reset(seed=1)
    hold = np.zeros(env.action_space.shape, np.float32)
    hold[3:] = -1
    for _ in range(20):
        env.step(hold)
    mujoco.mj_forward(env._model, env._data)
    assert env._data.xpos[bodies(env)] == pytest.approx(env.standing.feet, abs=1e-3)
    env.close()


@each_env
def test_two_environments_with_one_seed_are_nudged_alike(env_id):
    one, other = (make(env_id, image_size=SMALL, nudge=2) for _ in range(2))
    for a, b in zip(*(play(env, 3, EXPERTS[env_id]) for env in (one, other)), strict=True):
        assert all(np.array_equal(a[0][name], b[0][name]) for name in a[0])
        assert a[2] == b[2]
    one.close()
    other.close()


@each_env
def test_an_episode_after_a_nudged_one_begins_where_it_should(env_id):
    env = make(env_id, image_size=SMALL, nudge=2)
    first = play(env, 5, EXPERTS[env_id])
    again = play(env, 5, EXPERTS[env_id])
    assert all(np.array_equal(a[0]["image"], b[0]["image"]) for a, b in zip(first, again, strict=True))
    env.close()


@each_env
def test_doing_nothing_does_nothing_to_a_nudged_object(env_id):
    """A nudge is nobody's deed: success and what was acted upon are measured from where the objects then stand."""
    env = make(env_id, image_size=SMALL, nudge=2)
    still = np.zeros(env.action_space.shape, np.float32)
    _, info, _ = play(env, 2, lambda info: still)[-1]
    assert env.standing is not env.scene
    assert not info["is_success"]
    assert info.get("goal_done", -1) == -1
    env.close()


@each_env
def test_an_object_that_a_nudge_has_moved_is_left_alone(env_id):
    env = make(env_id, image_size=SMALL, nudge=2)
    still = np.zeros(env.action_space.shape, np.float32)
    play(env, 2, lambda info: still)
    assert env.standing is not env.scene
    assert env.left_alone().all()
    env.close()
    with pytest.raises(EnvError, match="left_alone: got an environment that was not reset or is closed"):
        env.left_alone()


def test_what_the_robot_pushes_is_not_left_alone_and_all_else_is():
    env = make("daml/Push-v0", image_size=SMALL)
    play(env, 0, EXPERTS["daml/Push-v0"])
    assert np.array_equal(~env.left_alone(), np.arange(len(env.scene.objects)) == env.scene.goal)
    env.close()


@each_env
def test_a_saved_scene_has_the_objects_where_they_were_moved(env_id, tmp_path):
    env = make(env_id, image_size=SMALL, nudge=2)
    play(env, 0, EXPERTS[env_id])
    model = mujoco.MjModel.from_xml_path(str(env.save(tmp_path / "scene")))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    saved = [data.body(f"object{i}").xpos for i in range(len(env.scene.objects))]
    assert np.array(saved) == pytest.approx(env._data.xpos[bodies(env)], abs=1e-6)
    env.close()


@pytest.mark.slow
@each_env
@each_level
def test_the_expert_follows(env_id, level):
    env = make(env_id, image_size=SMALL, nudge=level)
    wins = [succeeds(env, seed, EXPERTS[env_id]) for seed in range(20)]
    assert np.mean(wins) >= 0.9
    env.close()
