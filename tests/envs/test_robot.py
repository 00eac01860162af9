"""The robot against its data sheet, and the controller against what it promises."""

import itertools

import mujoco
import numpy as np
import pytest
from env_experts import SMALL, make
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.errors import EnvError
from envs.reaching import (
    CONTROL_PERIOD,
    HOLD_TIME,
    MAX_SPEED,
    SUCCESS_DISTANCE,
    TIME_LIMIT,
    WORKSPACE,
    is_success,
    nearest_object,
)
from envs.robot import FINGERTIP, HOME, JOINT_LIMITS, N_JOINTS, FingertipController, add_robot
from envs.scene import OBJECT_AREA, START_AREA

PI = np.pi
DATA_SHEET = [
    # a, d, alpha of "Robot and interface specifications", in Craig's convention, with the flange and the tool point
    (0, 0.333, 0),
    (0, 0, -PI / 2),
    (0, 0.316, PI / 2),
    (0.0825, 0, PI / 2),
    (-0.0825, 0.384, -PI / 2),
    (0, 0, PI / 2),
    (0.088, 0, PI / 2),
    (0, 0.107, 0),
    (0, 0.1034, 0),
]
LIMITS = [
    (-2.8973, 2.8973),
    (-1.7628, 1.7628),
    (-2.8973, 2.8973),
    (-3.0718, -0.0698),
    (-2.8973, 2.8973),
    (-0.0175, 3.7525),
    (-2.8973, 2.8973),
]
NEEDED = 5  # control periods of the hold


@pytest.fixture(scope="module")
def arm():
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    add_robot(spec)
    return spec.compile()


@pytest.fixture
def env():
    env = make("daml/Reach-v0", image_size=SMALL)
    yield env
    env.close()


def tool_pose(angles):
    """Rotation and position of the tool point by the product of Craig's link transforms."""
    pose = np.eye(4)
    for (a, d, alpha), theta in zip(DATA_SHEET, [*angles, -PI / 4, 0], strict=True):  # the hand is turned by -45 deg
        ca, sa, ct, st_ = np.cos(alpha), np.sin(alpha), np.cos(theta), np.sin(theta)
        pose = pose @ [
            [ct, -st_, 0, a],
            [st_ * ca, ct * ca, -sa, -d * sa],
            [st_ * sa, ct * sa, ca, d * ca],
            [0, 0, 0, 1],
        ]
    return pose[:3, :3], pose[:3, 3]


def fingertip(model, angles):
    data = mujoco.MjData(model)
    data.qpos[:N_JOINTS] = angles
    mujoco.mj_kinematics(model, data)
    return data.site(FINGERTIP).xmat.reshape(3, 3).copy(), data.site(FINGERTIP).xpos.copy()


def test_a_stretched_arm_adds_up_the_data_sheets_lengths(arm):
    rotation, position = fingertip(arm, np.zeros(7))
    assert position == pytest.approx([0.088, 0, 0.333 + 0.316 + 0.384 - 0.107 - 0.1034])
    assert rotation[:, 2] == pytest.approx([0, 0, -1])


@given(angles=st.tuples(*[st.floats(low, high) for low, high in LIMITS]))
def test_the_fingertip_is_where_the_product_of_transforms_puts_it(arm, angles):
    rotation, position = fingertip(arm, angles)
    expected_rotation, expected_position = tool_pose(angles)
    assert position == pytest.approx(expected_position, abs=1e-9)
    assert rotation == pytest.approx(expected_rotation, abs=1e-9)


def test_joint_limits_are_the_data_sheets(arm):
    assert np.array(LIMITS) == pytest.approx(JOINT_LIMITS)
    assert arm.jnt_range == pytest.approx(JOINT_LIMITS)
    assert arm.jnt_limited.all()
    assert arm.actuator_ctrlrange == pytest.approx(JOINT_LIMITS)
    assert (arm.nq, arm.nu) == (N_JOINTS, N_JOINTS)


def test_at_home_the_gripper_points_down_in_front_of_the_base(arm):
    rotation, position = fingertip(arm, HOME)
    assert rotation[:, 2] == pytest.approx([0, 0, -1], abs=0.02)
    assert (WORKSPACE[0] <= position).all()
    assert (position <= WORKSPACE[1]).all()


def test_gravity_does_not_move_the_arm(arm):
    data = mujoco.MjData(arm)
    data.qpos[:] = data.ctrl[:] = HOME
    mujoco.mj_step(arm, data, nstep=500)
    assert data.qpos == pytest.approx(HOME, abs=1e-6)


over_the_table = st.tuples(*[st.floats(low - 0.05, high + 0.05) for low, high in OBJECT_AREA], st.floats(0.02, 0.3))
starts = st.tuples(*[st.floats(*axis) for axis in START_AREA])


def go(controller, goal, n_steps=30):
    """Moves the command to `goal` at full speed and yields the joint targets of every step."""
    for _ in range(n_steps):
        way = np.array(goal) - controller.target
        yield controller.step(np.clip(way / CONTROL_PERIOD, -MAX_SPEED, MAX_SPEED), CONTROL_PERIOD)


@settings(max_examples=30)
@given(start=starts)
def test_the_controller_starts_exactly_and_points_down(arm, start):
    angles = FingertipController(arm, *WORKSPACE).start(np.array(start))
    rotation, position = fingertip(arm, angles)
    assert position == pytest.approx(start, abs=2e-3)
    assert rotation[2, 2] < -0.99
    assert ((JOINT_LIMITS[:, 0] <= angles) & (angles <= JOINT_LIMITS[:, 1])).all()


@settings(max_examples=15)
@given(start=starts, goal=over_the_table)
def test_the_controller_arrives_everywhere_over_the_objects(arm, start, goal):
    controller = FingertipController(arm, *WORKSPACE)
    controller.start(np.array(start))
    for angles in go(controller, goal):
        assert ((JOINT_LIMITS[:, 0] - 1e-6 <= angles) & (angles <= JOINT_LIMITS[:, 1] + 1e-6)).all()
    rotation, position = fingertip(arm, angles)
    assert position == pytest.approx(goal, abs=2e-3)
    assert rotation[2, 2] < -0.99


def test_the_controller_comes_back_from_the_corners_of_the_workspace(arm):
    low, high = WORKSPACE
    for corner in itertools.product(*zip(low, high, strict=True)):
        controller = FingertipController(arm, *WORKSPACE)
        controller.start(np.mean(START_AREA, axis=1))
        *_, _ = go(controller, corner)
        *_, angles = go(controller, [0.5, 0.0, 0.1])
        assert fingertip(arm, angles)[1] == pytest.approx([0.5, 0.0, 0.1], abs=2e-3)


def test_one_step_commands_velocity_times_time(arm):
    controller = FingertipController(arm, *WORKSPACE)
    controller.start(np.array([0.4, 0.0, 0.2]))
    controller.step(np.array([0.1, -0.2, 0.3]), 0.1)
    assert controller.target == pytest.approx([0.41, -0.02, 0.23])


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_command_stays_in_the_workspace(arm, sign):
    controller = FingertipController(arm, *WORKSPACE)
    controller.start(np.array([9.0, 9.0, 9.0]))
    assert controller.target == pytest.approx(WORKSPACE[1])
    for _ in range(30):
        controller.step(np.full(3, sign * MAX_SPEED), CONTROL_PERIOD)
    assert controller.target == pytest.approx(WORKSPACE[(sign + 1) // 2])


def test_without_action_the_fingertip_holds_its_position(env):
    for seed in range(5):
        _, info = env.reset(seed=seed)
        start = info["fingertip"]
        assert start == pytest.approx(env.scene.start, abs=2e-3)
        for _ in range(30):
            info = env.step(np.zeros(3))[-1]
            assert info["fingertip"] == pytest.approx(start, abs=2e-3)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_action_moves_the_fingertip_along_its_axis_at_its_speed(env, axis, sign):
    env.reset(seed=0)
    toward_middle = np.zeros(3)
    toward_middle[0] = 1.0
    for _ in range(5):
        env.step(toward_middle)
    for _ in range(5):
        before = env.step(np.zeros(3))[-1]["fingertip"]
    action = np.zeros(3)
    action[axis] = 0.5 * sign
    for _ in range(3):
        env.step(action)
    for _ in range(5):
        after = env.step(np.zeros(3))[-1]["fingertip"]
    expected = np.zeros(3)
    expected[axis] = 3 * 0.5 * sign * MAX_SPEED * CONTROL_PERIOD
    assert after - before == pytest.approx(expected, abs=0.012)


def test_joints_stay_within_their_limits_whatever_is_asked(env):
    rng = np.random.default_rng(0)
    for seed in range(4):
        env.reset(seed=seed)
        for step in range(30):
            if step % 6 == 0:
                action = rng.choice([-1.0, 1.0], 3)
            angles = env.step(action)[0]["state"][3:]
            assert ((JOINT_LIMITS[:, 0] - 0.01 <= angles) & (angles <= JOINT_LIMITS[:, 1] + 0.01)).all()


def test_the_state_is_the_fingertip_and_the_joint_angles(env):
    _, info = env.reset(seed=3)
    for action in np.random.default_rng(0).uniform(-1, 1, (5, 3)):
        observation, _, _, _, info = env.step(action)
        assert observation["state"][:3] == pytest.approx(info["fingertip"], abs=1e-6)
        assert tool_pose(observation["state"][3:])[1] == pytest.approx(info["fingertip"], abs=1e-5)


def test_info_and_reward_tell_the_distance_to_the_goal(env):
    env.reset(seed=3)
    _, reward, _, _, info = env.step(np.zeros(3))
    assert info["goal"] == pytest.approx(env.scene.tops[env.scene.goal])
    assert info["objects"] == pytest.approx(env.scene.tops)
    assert info["distance"] == pytest.approx(np.linalg.norm(info["fingertip"] - info["goal"]))
    assert reward == -info["distance"]
    assert info["nearest"] == np.argmin([np.linalg.norm(info["fingertip"] - top) for top in env.scene.tops])


def test_the_goal_cannot_be_seen(env):
    """Goals differ in info and reward, and in nothing that is observed."""
    env.reset(seed=3)
    scene = env.scene
    starts = [env.reset(options={"scene": scene.with_goal(goal)}) for goal in range(3)]
    for observation, info in starts[1:]:
        assert all(np.array_equal(observation[key], starts[0][0][key]) for key in observation)
        assert not np.array_equal(info["goal"], starts[0][1]["goal"])


def test_a_given_scene_is_used(env):
    env.reset(seed=3)
    scene, image = env.scene, env.reset(seed=3)[0]["image"]
    env.reset(seed=4)
    observation, _ = env.reset(options={"scene": scene})
    assert env.scene == scene
    assert np.array_equal(observation["image"], image)


def test_another_thing_as_a_scene_is_an_error(env):
    with pytest.raises(EnvError, match=r"options\['scene'\]: got dict, allowed .*Scene"):
        env.reset(options={"scene": {"objects": 3}})


def test_the_constants_of_success_are_whole_steps():
    for duration in (HOLD_TIME, TIME_LIMIT):
        steps = duration / CONTROL_PERIOD
        assert steps == pytest.approx(round(steps))
    assert round(HOLD_TIME / CONTROL_PERIOD) == NEEDED


NEAR, FAR = SUCCESS_DISTANCE, np.nextafter(SUCCESS_DISTANCE, 1)


@pytest.mark.parametrize(
    ("distances", "success"),
    [
        ([], False),
        ([0.0], False),
        ([0.0] * (NEEDED - 1), False),
        ([0.0] * NEEDED, True),
        ([NEAR] * NEEDED, True),
        ([FAR] * 100, False),
        ([1.0] * 10 + [0.0] * (NEEDED - 1), False),
        ([1.0] * 10 + [0.0] * NEEDED, True),
        ([0.0] * 20 + [FAR], False),
        ([0.0] * 20 + [FAR] + [0.0] * (NEEDED - 1), False),
        ([0.0] * 20 + [FAR] + [0.0] * NEEDED, True),
        ([0.0, 1.0] * 20, False),
        ([np.nan] * NEEDED, False),
    ],
)
def test_success_is_being_near_now_and_for_the_hold_time(distances, success):
    assert is_success(np.array(distances)) is success


@given(st.lists(st.floats(0, 0.2), max_size=30))
def test_success_depends_on_the_last_steps_only(distances):
    expected = len(distances) >= NEEDED and max(distances[-NEEDED:]) <= SUCCESS_DISTANCE
    assert is_success(np.array(distances)) == expected


def test_the_nearest_object_is_the_nearest():
    tops = np.array([[0.5, 0.0, 0.08], [0.5, 0.0, 0.02], [0.6, 0.2, 0.05]])
    assert nearest_object(np.array([0.5, 0.0, 0.3]), tops) == 0
    assert nearest_object(np.array([0.5, 0.0, 0.04]), tops) == 1
    assert nearest_object(np.array([0.6, 0.19, 0.3]), tops) == 2
