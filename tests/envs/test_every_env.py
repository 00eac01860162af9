"""What every registered environment promises, whatever its task."""

import importlib
import inspect
import itertools
import warnings

import gymnasium
import numpy as np
import pytest
from env_experts import EXPERTS, IDS, SMALL, make, play, random_policy, succeeds
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from envs.appearance import Dials
from envs.errors import EnvError

pytestmark = pytest.mark.parametrize("env_id", IDS)
EXPERT_SEEDS = range(20)


@pytest.fixture
def env(env_id):
    env = make(env_id, image_size=SMALL)
    yield env
    env.close()


def leaves(tree):
    """The leaves of nested dictionaries as (path, array), in order."""
    if isinstance(tree, dict):
        for key in sorted(tree):
            for path, value in leaves(tree[key]):
                yield (key, *path), value
    else:
        yield (), np.asarray(tree)


def same(one, other):
    one, other = list(leaves(one)), list(leaves(other))
    return [path for path, _ in one] == [path for path, _ in other] and all(
        np.array_equal(a, b) for (_, a), (_, b) in zip(one, other, strict=True)
    )


def test_gymnasium_has_nothing_to_complain_about(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(env_id, render_mode="rgb_array", disable_env_checker=True).unwrapped)


def test_it_has_a_version_and_no_time_limit_of_anyone_else(env_id):
    spec = gymnasium.spec(env_id)
    assert spec.version is not None
    assert spec.max_episode_steps is None, "the environment truncates by itself; a second limit could disagree"


def test_two_environments_with_one_seed_are_the_same(env_id, env):
    twin = make(env_id, image_size=SMALL)
    for seed in (0, 7):
        one = play(env, seed, random_policy(env, seed))
        other = play(twin, seed, random_policy(twin, seed))
        assert len(one) == len(other)
        for (obs_a, info_a, reward_a), (obs_b, info_b, reward_b) in zip(one, other, strict=True):
            assert same(obs_a, obs_b)
            assert same(info_a, info_b)
            assert reward_a == reward_b
    twin.close()


def test_an_episode_leaves_nothing_to_the_next(env):
    first = play(env, 3, EXPERTS[env.spec.id])
    play(env, 4, random_policy(env, 4))
    again = play(env, 3, EXPERTS[env.spec.id])
    assert all(same(a[0], b[0]) and same(a[1], b[1]) and a[2] == b[2] for a, b in zip(first, again, strict=True))


def test_a_reset_without_a_seed_goes_on_in_the_seeds_stream(env_id, env):
    twin = make(env_id, image_size=SMALL)
    streams = []
    for each in (env, twin):
        each.reset(seed=5)
        streams.append([each.reset()[0] for _ in range(3)])
    assert same(dict(enumerate(streams[0])), dict(enumerate(streams[1])))
    assert not same(streams[0][0], streams[0][1])
    twin.close()


def test_different_seeds_differ_in_all_that_is_seen(env):
    starts = [dict(leaves(env.reset(seed=seed)[0])) for seed in range(6)]
    for path in starts[0]:
        values = {start[path].tobytes() for start in starts}
        assert len(values) == len(starts), f"{path} is the same for two seeds"


@pytest.mark.parametrize("who", ["expert", "random"])
def test_everything_is_finite_and_inside_its_space(env, who):
    for seed in range(4):
        actor = EXPERTS[env.spec.id] if who == "expert" else random_policy(env, seed)
        for observation, info, reward in play(env, seed, actor):
            assert observation in env.observation_space
            assert type(reward) is float
            for path, value in [*leaves(observation), *leaves(info), *leaves({"reward": reward})]:
                assert np.isfinite(value).all(), path


@pytest.mark.parametrize("corner", [(-1, -1, -1), (1, 1, 1), (1, -1, -1), (-1, 1, 1)])
def test_the_corners_of_the_workspace_are_inside_the_space(env, corner):
    action = np.resize(corner, env.action_space.shape).astype(np.float32)
    for observation, _, _ in play(env, 0, lambda info: action):
        assert observation in env.observation_space


def test_the_experts_actions_are_inside_the_action_space(env):
    expert = EXPERTS[env.spec.id]
    _, info = env.reset(seed=1)
    for _ in range(10):
        action = expert(info)
        assert action in env.action_space
        info = env.step(action)[-1]


def test_no_element_of_the_state_is_constant(env):
    within, between = [], []
    for seed in range(8):
        states = np.stack([observation["state"] for observation, _, _ in play(env, seed, EXPERTS[env.spec.id])])
        within.append(np.ptp(states, axis=0))
        between.append(states[0])
    assert (np.max(within, axis=0) > 1e-3).all(), f"never move: {np.max(within, axis=0)}"
    assert (np.ptp(between, axis=0) > 1e-3).all(), f"start alike: {np.ptp(between, axis=0)}"


def test_every_number_of_state_and_action_has_a_name(env):
    for names, space in (
        (env.state_names, env.observation_space["state"]),
        (env.action_names, env.action_space),
    ):
        assert (len(names), len(set(names))) == (*space.shape, *space.shape)
    _, info = env.reset(seed=0)
    state = dict(zip(env.state_names, env._observation()["state"], strict=True))
    assert [state[f"fingertip_{axis}"] for axis in "xyz"] == pytest.approx(info["fingertip"], abs=1e-6)
    for i in range(7):
        assert state[f"joint{i + 1}"] == pytest.approx(env._data.joint(f"joint{i + 1}").qpos[0], abs=1e-6)
    assert state.get("finger_opening", 0.0) == pytest.approx(info.get("opening", 0.0), abs=1e-6)


def test_images_of_an_episode_change(env):
    images = [observation["image"] for observation, _, _ in play(env, 0, EXPERTS[env.spec.id])]
    assert all((a != b).any() for a, b in itertools.pairwise(images[:7]))


def test_who_looks_once_gets_the_first_images_and_all_else_as_it_is(env):
    once = play(env, 0, EXPERTS[env.spec.id], look_once=True)
    always = play(env, 0, EXPERTS[env.spec.id])
    for (seen, info, reward), (other, its_info, its_reward) in zip(once, always, strict=True):
        assert (seen["image"] == always[0][0]["image"]).all()
        assert same({"state": seen["state"], "info": info}, {"state": other["state"], "info": its_info})
        assert reward == its_reward


@pytest.mark.parametrize("look_once", [False, True])
def test_what_was_observed_stays_as_it_was(env, look_once):
    """No memory is shared between steps, and nothing that a caller does to it reaches the environment."""
    expert = EXPERTS[env.spec.id]
    steps = play(env, 2, expert, look_once=look_once)[:6]
    arrays = [value for observation, info, _ in steps for _, value in leaves({"o": observation, "i": info})]
    for i, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[i + 1 :])
    clean = play(env, 2, expert, look_once=look_once)
    observation, info = env.reset(seed=2, options={"look_once": look_once})
    for expected, expected_info, _ in clean[1:4]:
        action = expert(info)
        for _, value in leaves({"o": observation, "i": info}):
            if value.flags.writeable:
                value[...] = 0
        observation, _, _, _, info = env.step(action)
        assert same(observation, expected)
        assert same(info, expected_info)


def test_the_callers_action_is_left_alone(env):
    env.reset(seed=0)
    action = np.full(env.action_space.shape, 2.0, np.float32)
    env.step(action)
    assert (action == 2).all()


def test_the_expert_succeeds(env):
    wins = [succeeds(env, seed, EXPERTS[env.spec.id]) for seed in EXPERT_SEEDS]
    assert np.mean(wins) == 1, f"fails on seeds {[s for s, won in zip(EXPERT_SEEDS, wins, strict=True) if not won]}"


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_expert_succeeds_on_other_objects(env_id, split):
    env = make(env_id, image_size=SMALL, split=split)
    assert all(succeeds(env, seed, EXPERTS[env_id]) for seed in range(10))
    env.close()


def test_chance_and_doing_nothing_fail(env):
    still = np.zeros(env.action_space.shape, np.float32)
    for seed in range(5):
        assert not succeeds(env, seed, random_policy(env, seed))
        assert not succeeds(env, seed, lambda info: still)


def test_success_is_a_bool_that_starts_false(env):
    infos = [info for _, info, _ in play(env, 0, EXPERTS[env.spec.id])]
    assert all(type(info["is_success"]) is bool for info in infos)
    assert not infos[0]["is_success"]


def test_the_episode_ends_at_its_time_limit_and_not_before(env):
    still = np.zeros(env.action_space.shape, np.float32)
    lengths = {len(play(env, seed, lambda info: still)) for seed in range(2)}
    assert len(lengths) == 1
    env.reset(seed=0)
    flags = [env.step(still)[2:4] for _ in range(lengths.pop() - 1)]
    assert flags == [(False, False)] * (len(flags) - 1) + [(False, True)]


def test_render_gives_the_observations_image(env_id):
    env = make(env_id, image_size=32, render_mode="rgb_array")
    observation, info = env.reset(seed=0)
    assert np.array_equal(env.render(), observation["image"])
    observation = env.step(EXPERTS[env_id](info))[0]
    image = env.render()
    assert np.array_equal(image, observation["image"])
    assert np.array_equal(env.render(), image), "rendering changes nothing"
    env.close()


def test_without_a_render_mode_nothing_is_rendered(env):
    env.reset(seed=0)
    assert env.render() is None


@pytest.mark.parametrize("size", [8, 33, (24, 40)])
def test_images_come_in_any_size(env_id, size):
    env = make(env_id, image_size=size)
    height, width = (size, size) if isinstance(size, int) else size
    image = env.reset(seed=0)[0]["image"]
    assert image.shape == env.observation_space["image"].shape == (height, width, 3)
    assert np.ptp(image) > 50
    env.close()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"split": "holdout"}, "split.*holdout.*train.*val.*test"),
        ({"image_size": 7}, "image_size.*7.*8 to"),
        ({"image_size": (64, 100_000)}, "image_size.*100000.*8 to"),
        ({"image_size": (64, 64, 3)}, r"image_size.*\(64, 64, 3\)"),
        ({"image_size": "64x"}, "image_size.*64x"),
        ({"image_size": 64.5}, "image_size.*64.5"),
        ({"n_objects": 0}, "n_objects.*0.*1 to"),
        ({"n_objects": 99}, "n_objects.*99.*1 to"),
        ({"n_objects": 2.5}, "n_objects.*2.5.*1 to"),
        ({"render_mode": "ansi"}, "render_mode.*ansi.*rgb_array"),
        ({"cameras": ("table", "wrist")}, r"cameras: got .*wrist.*, allowed \('table',\) or \('table', 'hand'\)"),
        ({"cameras": ("hand",)}, r"cameras: got \('hand',\), allowed"),
        ({"cameras": "table"}, "cameras: got 'table', allowed"),
        ({"cameras": None}, "cameras: got None, allowed"),
        ({"dials": {"view": 4}}, "dial 'view': got 4, allowed 0 to 3"),
        ({"dials": {"view": "far"}}, "dial 'view': got 'far', allowed 0 to 3"),
        ({"dials": {"zoom": 1.0}}, "dials: got .*zoom.* allowed .*'view'"),
        ({"dials": [2.0]}, r"dials: got \[2.0\], allowed .*'view'"),
    ],
)
# gymnasium warns of unknown render modes in its own words before we refuse them in ours.
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_bad_argument_is_named_with_what_is_allowed(env_id, arguments, what):
    with pytest.raises(EnvError, match=what):
        make(env_id, **arguments)


@pytest.mark.parametrize("action", [np.nan, np.inf, "shape", "scalar"])
def test_a_bad_action_is_an_error(env, action):
    env.reset(seed=0)
    n = env.action_space.shape[0]
    bad = {"shape": np.zeros(n + 1), "scalar": np.float64(0)}.get(action)
    if bad is None:
        bad = np.zeros(n)
        bad[1] = action
    with pytest.raises(EnvError, match=r"action: got .* allowed"):
        env.step(bad)


def test_actions_beyond_the_limits_are_clipped(env):
    shape = env.action_space.shape
    states = []
    for scale in (1, 100):
        env.reset(seed=0)
        for _ in range(3):
            states.append(env.step(np.full(shape, -scale, np.float32))[0]["state"])
    assert np.array_equal(states[:3], states[3:])


def test_an_environment_survives_json_with_all_that_it_was_made_with(env_id):
    made = {
        "split": "test",
        "image_size": (16, 24),
        "n_objects": 2,
        "dials": Dials(view=2.0, light=0.0),
        "nudge": 2,
        "render_mode": "rgb_array",
        "render_size": 20,
        "cameras": ("table", "hand"),
    }
    assert made.keys() == signature(gymnasium.spec(env_id)), "every argument is tried"
    env = gymnasium.make(env_id, disable_env_checker=True, **made)
    again = gymnasium.make(EnvSpec.from_json(env.spec.to_json()), disable_env_checker=True)
    assert same(env.reset(seed=2)[0], again.reset(seed=2)[0])
    assert again.unwrapped.scene == env.unwrapped.scene
    assert again.render().shape == (20, 2 * 20, 3)
    env.close()
    again.close()


def signature(spec):
    """Names of what an environment can be made with."""
    module, _, name = spec.entry_point.partition(":")
    return inspect.signature(getattr(importlib.import_module(module), name)).parameters.keys()


def test_stepping_needs_a_reset(env):
    action = np.zeros(env.action_space.shape, np.float32)
    with pytest.raises(EnvError, match=r"step: got .*not reset.* allowed after reset"):
        env.step(action)
    env.reset(seed=0)
    env.step(action)
    env.close()
    with pytest.raises(EnvError, match=r"step: got .*closed.* allowed after reset"):
        env.step(action)
    env.close()  # a second time does no harm
    assert env.reset(seed=0)[0] in env.observation_space


def test_environments_at_the_same_time_do_not_draw_into_each_other(env_id):
    sizes = [32, (24, 48), 32]
    alone = []
    for seed, size in enumerate(sizes):
        env = make(env_id, image_size=size)
        alone.append(play(env, seed, EXPERTS[env_id])[:4])
        env.close()
    together = [make(env_id, image_size=size) for size in sizes]
    last = [env.reset(seed=seed) for seed, env in enumerate(together)]
    for step in range(4):
        for i, env in enumerate(together):
            assert same(last[i][0], alone[i][step][0]), f"environment {i} at step {step}"
            observation, _, _, _, info = env.step(EXPERTS[env_id](last[i][1]))
            last[i] = observation, info
    together[0].close()
    fresh = together[1].reset(seed=1)[0]
    assert same(fresh, alone[1][0][0]), "closing one leaves the others working"
    for env in together:
        env.close()


def test_it_runs_in_a_vector(env_id):
    vector = gymnasium.make_vec(env_id, num_envs=2, vectorization_mode="sync", image_size=SMALL)
    images = vector.reset(seed=[3, 4])[0]["image"]
    for image, seed in zip(images, (3, 4), strict=True):
        env = make(env_id, image_size=SMALL)
        assert np.array_equal(image, env.reset(seed=seed)[0]["image"])
        env.close()
    vector.close()
