"""Tasks of a set share everything but the goal, and the demonstrations show which it is."""

import json
from dataclasses import replace

import gymnasium
import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import envs  # noqa: F401  (registers the environments)
from demos.errors import DemoError
from demos.human import VIDEO_FPS, human_video
from demos.motions import minimum_jerk, reach_path
from demos.record import demonstrate, record
from demos.skills import SKILLS
from demos.tasks import N_OBJECTS, n_goals, read_clip_tasks, sample_task_set, task_of, write_clip_tasks
from demos.types import Episode
from envs.appearance import CAMERA, Dials, project
from envs.objects import SPLITS, kinds
from envs.render import Camera
from envs.scene import human_model

seeds = st.integers(0, 2**32 - 1)
SIZE = 24
ENV = "daml/Reach-v0"
VIDEO_TIME = SKILLS[ENV].video_time


@pytest.fixture(scope="module")
def tasks():
    return sample_task_set(0, "train", 0, n_trials=2)


@pytest.fixture(scope="module")
def env():
    env = gymnasium.make("daml/Reach-v0", image_size=SIZE, disable_env_checker=True)
    yield env
    env.close()


@pytest.fixture(scope="module")
def episodes(tasks, env):
    """The expert's demonstration of every goal in the first robot scene."""
    return [demonstrate(env, tasks.robot_scenes[0].with_goal(goal)) for goal in range(N_OBJECTS)]


@settings(max_examples=25)
@given(seed=seeds, split=st.sampled_from(list(SPLITS)), index=st.integers(0, 10**6))
def test_a_task_set_is_decided_by_seed_split_and_index(seed, split, index):
    one = sample_task_set(seed, split, index)
    assert one == sample_task_set(seed, split, index)
    for other in (
        sample_task_set(seed + 1, split, index),
        sample_task_set(seed, split, index + 1),
        sample_task_set(seed, next(s for s in SPLITS if s != split), index),
    ):
        assert other.human_scene.positions != one.human_scene.positions
        assert other.motion_seeds != one.motion_seeds


def test_human_and_robot_meet_the_same_objects_in_other_places(tasks):
    for robot in tasks.robot_scenes:
        assert robot.objects == tasks.human_scene.objects
        assert robot.positions != tasks.human_scene.positions
        assert robot.look != tasks.human_scene.look
    assert tasks.robot_scenes[0].positions != tasks.robot_scenes[1].positions
    assert len(tasks.human_scene.objects) == N_OBJECTS


def test_more_trials_leave_the_first_ones_and_the_human_as_they_are():
    one, three = (sample_task_set(5, "test", 7, n_trials=n) for n in (1, 3))
    assert three.human_scene == one.human_scene
    assert three.robot_scenes[0] == one.robot_scenes[0]


@pytest.mark.parametrize("split", SPLITS)
def test_objects_are_of_the_split(split):
    for index in range(5):
        assert {thing.kind for thing in sample_task_set(0, split, index).human_scene.objects} <= set(kinds(split))


def test_dials_reach_both_scenes():
    still = Dials(table=0, light=0, view=0)
    tasks = sample_task_set(0, "train", 0, dials=still)
    looks = {replace(scene.look, table_seed=0) for scene in (tasks.human_scene, *tasks.robot_scenes)}
    assert len(looks) == 1


def test_motions_differ_between_goals_and_repeat(tasks):
    draws = [tasks.motion(goal).random() for goal in range(N_OBJECTS)]
    assert len(set(draws)) == N_OBJECTS
    assert draws == [tasks.motion(goal).random() for goal in range(N_OBJECTS)]


def test_the_robots_first_frames_are_the_same_for_every_goal(episodes):
    """Nothing but the video tells the tasks of a set apart."""
    for episode in episodes[1:]:
        assert np.array_equal(episode.images[0], episodes[0].images[0])
        assert np.array_equal(episode.states[0], episodes[0].states[0])


def test_later_frames_and_all_actions_tell_the_goals_apart(episodes):
    for episode in episodes[1:]:
        assert not np.array_equal(episode.actions[0], episodes[0].actions[0])
        assert (episode.images[10] != episodes[0].images[10]).any()
        assert np.abs(episode.states[10, :3] - episodes[0].states[10, :3]).max() > 0.03


def test_the_expert_reaches_every_goal_and_ends_nearest_to_it(episodes):
    for episode in episodes:
        assert episode.success
        assert episode.right_object
        assert episode.distance < 0.03


def test_a_recorded_action_follows_its_observation(env, tasks):
    """Played back open loop, the actions give the same observations."""
    scene = tasks.robot_scenes[1]
    episode = demonstrate(env, scene, n_steps=8)
    assert len(episode.images) == len(episode.states) == len(episode.actions) == 8
    observation, _ = env.reset(options={"scene": scene})
    for image, state, action in zip(episode.images, episode.states, episode.actions, strict=True):
        assert np.array_equal(observation["image"], image)
        assert np.array_equal(observation["state"], state)
        observation = env.step(action)[0]


def test_a_disturbance_is_executed_and_the_experts_action_is_kept(env, tasks):
    scene, executed = tasks.robot_scenes[0], []

    def disturb(action):
        executed.append(action + 0.3)
        return executed[-1]

    calm = demonstrate(env, scene, n_steps=6)
    wild = demonstrate(env, scene, n_steps=6, disturb=disturb)
    assert np.array_equal(wild.actions[0], calm.actions[0])
    assert not np.array_equal(wild.states[1], calm.states[1])
    assert np.array(executed) == pytest.approx(wild.actions + 0.3)
    assert np.abs(wild.actions).max() <= 1


def test_an_episode_without_a_limit_runs_to_its_end(env, tasks):
    still = record(env, tasks.robot_scenes[0], lambda observation, info: np.zeros(3, np.float32))
    assert len(still.actions) == 30
    assert not still.success
    assert still.distance > 0.1


def test_an_episode_is_read_only_and_checked(episodes):
    for array in (episodes[0].images, episodes[0].states, episodes[0].actions, episodes[0].places):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    images, states, actions = episodes[0].images, episodes[0].states, episodes[0].actions
    places = episodes[0].places
    with pytest.raises(DemoError, match=r"episode lengths: got 30, 29, 30, 30, allowed equal"):
        Episode(images, states[:-1], actions, places, True, 0, 0.0)
    with pytest.raises(DemoError, match=r"images: got float64 .* allowed uint8"):
        Episode(images / 255, states, actions, places, True, 0, 0.0)


@given(st.floats(-2, 3), st.floats(-2, 3))
def test_minimum_jerk_goes_from_zero_to_one_and_never_back(one, other):
    low, high = sorted((one, other))
    assert 0 <= minimum_jerk(low) <= minimum_jerk(high) <= 1


def test_minimum_jerk_starts_and_ends_at_rest():
    """Position, velocity and acceleration at the ends and in the middle, by the closed form of Flash and Hogan."""
    assert (minimum_jerk(0), minimum_jerk(0.5), minimum_jerk(1)) == (0, 0.5, 1)
    h = 1e-4
    for end, inside in ((0, h), (1, 1 - h)):
        assert abs(minimum_jerk(inside) - end) / h < 1e-6, "velocity"
        assert abs(minimum_jerk(inside) - end) / h**2 < 1e-2, "acceleration"
    assert (minimum_jerk(0.5 + h) - minimum_jerk(0.5 - h)) / (2 * h) == pytest.approx(1.875, abs=1e-6)
    assert minimum_jerk(0.3) + minimum_jerk(0.7) == pytest.approx(1)


@given(seed=seeds, goal=st.integers(0, N_OBJECTS - 1))
def test_the_hand_goes_from_rest_to_the_goal_and_stays(tasks, seed, goal):
    scene = tasks.human_scene.with_goal(goal)
    path = reach_path(scene, np.random.default_rng(seed))
    assert path(0.0) == pytest.approx(scene.human.rest)
    end = path(VIDEO_TIME)
    assert end == pytest.approx(scene.tops[goal], abs=0.03)
    assert int(np.argmin(np.linalg.norm(scene.tops - end, axis=1))) == goal
    assert path(1.9) == pytest.approx(end), "it has arrived well before the video ends"
    points = np.array([path(t) for t in np.arange(0, VIDEO_TIME, 1 / VIDEO_FPS)])
    assert np.linalg.norm(np.diff(points, axis=0), axis=1).max() < 0.35, "no jump"
    assert points[:, 2].min() > 0.01, "above the table"
    assert points[:, 2].max() > max(points[0, 2], points[-1, 2]) + 0.01, "in an arc"


def test_a_video_has_its_times_and_size(tasks):
    video = human_video(ENV, tasks.human_scene, tasks.motion(0), size=SIZE)
    assert video.frames.shape == (round(VIDEO_TIME * VIDEO_FPS), SIZE, SIZE, 3)
    assert video.times == pytest.approx(np.arange(len(video.times)) / VIDEO_FPS)
    short = human_video(ENV, tasks.human_scene, tasks.motion(0), size=16, fps=20, duration=0.5)
    assert short.frames.shape == (10, 16, 16, 3)


def test_a_faster_camera_films_the_same_motion(tasks):
    slow = human_video(ENV, tasks.human_scene, tasks.motion(0), size=SIZE)
    fast = human_video(ENV, tasks.human_scene, tasks.motion(0), size=SIZE, fps=2 * VIDEO_FPS)
    assert np.array_equal(fast.frames[::2], slow.frames)


def test_a_video_is_decided_by_its_motion(tasks):
    one, same, other = (human_video(ENV, tasks.human_scene, tasks.motion(goal), size=SIZE) for goal in (0, 0, 1))
    assert np.array_equal(one.frames, same.frames)
    assert not np.array_equal(one.frames, other.frames)


def test_only_the_motion_tells_the_humans_goals_apart(tasks):
    """At the start the arm rests, whatever the goal; at the end the hand is at the goal."""
    videos = [human_video(ENV, tasks.human_scene.with_goal(g), tasks.motion(g), size=SIZE) for g in range(N_OBJECTS)]
    for video in videos[1:]:
        assert np.array_equal(video.frames[0], videos[0].frames[0])
        assert (video.frames[-1] != videos[0].frames[-1]).any()


def test_the_hand_ends_where_the_goal_is_in_the_picture(tasks):
    for goal in range(N_OBJECTS):
        scene = tasks.human_scene.with_goal(goal)
        frames = human_video(ENV, scene, tasks.motion(goal), size=96).frames.astype(int)
        moved = np.abs(frames[-1] - frames[0]).max(-1) > 20
        x, y = 96 * project(scene.look, scene.tops[goal])
        rows, columns = np.nonzero(moved)
        assert np.hypot(columns + 0.5 - x, rows + 0.5 - y).min() < 4


def test_goal_pixels_lie_on_the_object():
    """The middle of the goal, as collection projects it, falls on pixels that vanish with the object."""
    size = 128
    for index in range(4):
        scene = sample_task_set(1, "train", index).human_scene
        for goal in range(N_OBJECTS):
            model = human_model(scene)
            images = []
            for hidden in (False, True):
                if hidden:
                    model.geom_rgba[model.geom_bodyid == model.body(f"object{goal}").id, 3] = 0
                    model.geom_matid[model.geom_bodyid == model.body(f"object{goal}").id] = -1
                data = mujoco.MjData(model)
                mujoco.mj_forward(model, data)
                data.mocap_pos[:] = [0, 0, -5]  # the arm is elsewhere
                mujoco.mj_forward(model, data)
                camera = Camera(model, CAMERA, size, size)
                images.append(camera.draw(data).astype(int))
                camera.close()
            x, y = size * project(scene.look, scene.tops[goal] * [1, 1, 0.5])
            assert (images[0] != images[1]).any(-1)[int(y), int(x)]


@pytest.mark.parametrize("env_id", SKILLS)
def test_a_whole_set_has_every_goal_once_and_any_few_tasks_are_of_all_objects(env_id):
    layout, n = SKILLS[env_id].layout, n_goals(env_id)
    for index in range(2):
        found = [task_of(env_id, number) for number in range(index * n, (index + 1) * n)]
        assert {i for i, _ in found} == {index}
        assert sorted(goal for _, goal in found) == list(range(n))
        for start in range(0, n, N_OBJECTS):
            things, aims = zip(*(layout.goal_parts(goal) for _, goal in found[start : start + N_OBJECTS]), strict=True)
            assert things == tuple(range(N_OBJECTS))
            assert len(set(aims)) == min(N_OBJECTS, layout.n_aims)


def test_a_clip_keeps_which_task_it_shows(tmp_path):
    clip = tmp_path / "a.mp4"
    assert read_clip_tasks(clip) is None
    write_clip_tasks(clip, env_id="daml/Push-v0", seed=3, split="test", index=4, goal=2)
    tasks, goal = read_clip_tasks(clip)
    assert goal == 2
    assert tasks == sample_task_set(3, "test", 4, env_id="daml/Push-v0")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"seed": 1}']
    + [
        json.dumps({"env": "daml/Reach-v0", "seed": 1, "split": "test", "set": 0, "goal": 0} | wrong)
        for wrong in (
            {"env": "daml/Juggle-v0"},
            {"seed": -1},
            {"seed": "x"},
            {"split": "holdout"},
            {"set": -1},
            {"goal": 3},
        )
    ],
)
def test_another_text_beside_a_clip_is_an_error(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DemoError, match=r"a\.json: got no description of a clip, allowed"):
        read_clip_tasks(tmp_path / "a.mp4")
