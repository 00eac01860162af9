"""The robot: a 7-joint arm with the kinematics of the Franka Emika Panda, drawn with light primitives.

Source of link lengths and joint limits: Franka Emika, "Franka Control Interface documentation", Robot and interface
specifications (Denavit-Hartenberg parameters in Craig's convention; joint position and velocity limits; hand TCP at
0.1034 m).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import mink
import mujoco
import numpy as np

N_JOINTS = 7
DH = (
    # a_{i-1} [m], alpha_{i-1} [rad], d_i [m]
    (0.0, 0.0, 0.333),
    (0.0, -np.pi / 2, 0.0),
    (0.0, np.pi / 2, 0.316),
    (0.0825, np.pi / 2, 0.0),
    (-0.0825, -np.pi / 2, 0.384),
    (0.0, np.pi / 2, 0.0),
    (0.088, np.pi / 2, 0.0),
)
FLANGE = 0.107
"""From joint 7 to the flange [m]."""
TCP = 0.1034
"""From the flange to the fingertips [m]."""
JOINT_LIMITS = np.array(
    [
        (-2.8973, 2.8973),
        (-1.7628, 1.7628),
        (-2.8973, 2.8973),
        (-3.0718, -0.0698),
        (-2.8973, 2.8973),
        (-0.0175, 3.7525),
        (-2.8973, 2.8973),
    ]
)
"""Lowest and highest angle of each joint [rad]."""
JOINT_SPEEDS = (2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61)
"""Highest speed of each joint [rad/s]."""
HOME = np.array([0.0, -0.6, 0.0, -2.6, 0.0, 2.0, 0.785])
"""A posture with the gripper pointing down in front of the base [rad]."""
JOINTS_IN_MIRROR = ((-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0), (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, np.pi / 2))
"""Factors and then summands [rad] that turn joint angles into those of the same posture in the mirror at the plane y =
0. The last joint turns about the angle at which the hand is mounted."""
EYE = "hand"
"""Name of the camera that is fixed to the hand."""
EYE_POSITION = (0.075, 0.0, 0.035)
"""In the hand's frame [m]: in front of it, between its middle and the fingertips, out of the way of what it holds."""
EYE_TILT = np.radians(16)
"""It looks along the fingers, and so much towards them [rad]."""
EYE_FOVY = 70.0
"""Vertical field of view [degrees]."""
EYE_NEAR = 0.01
"""What is nearer to it than this is not drawn [m]."""
BEHIND_EYE = 1
"""Group of the arm's geoms: they are behind that camera, and it saves its time."""
FINGERTIP = "fingertip"
"""Name of the site between the fingertips."""
FINGERS = ("finger_left", "finger_right")
"""Names of the gripper's finger bodies."""
GRIPPER_OPENING = 0.08
"""Widest distance between the fingers [m]."""

# Soft enough that a step of the target does not saturate the motors: saturated servos fight each other and chatter.
_STIFFNESS = (1200.0, 1200.0, 1000.0, 1000.0, 300.0, 250.0, 150.0)  # [N m/rad]
_DAMPING = (90.0, 90.0, 75.0, 70.0, 25.0, 20.0, 12.0)  # [N m s/rad]
_TORQUE = (87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)  # [N m], the arm's rated joint torques
_MASS = (4.0, 4.0, 3.0, 3.0, 3.0, 1.5, 0.7)  # [kg], an even share of the arm's 18 kg and lighter towards the hand
_LINKS = (
    # capsules in each joint's frame: from, to, radius [m]
    ((0, 0, -0.18, 0, 0, 0.0), 0.065),
    ((0, 0.0, 0, 0, -0.18, 0), 0.060),
    ((0, 0, -0.13, 0.0825, 0, 0.0), 0.058),
    ((0, 0, 0, -0.0825, 0.13, 0), 0.055),
    ((0, 0, -0.25, 0, 0.0, 0.0), 0.050),
    ((0, 0, 0, 0.088, 0, 0), 0.048),
    ((0, 0, 0, 0, 0, 0.09), 0.041),
)
_FINGER = (0.011, 0.010, 0.026)  # half sizes [m]
GRIPPING = 0.0025
"""Timestep of the physics where the gripper holds things [s]. The arm is damped implicitly, which contacts do not know
of: the longer the step, the further what is held slides in the fingers."""
_GRIP_FORCE = 70.0  # [N], of each finger
_GRIP_STIFFNESS, _GRIP_DAMPING = 1000.0, 200.0  # [N/m], [N s/m]: closes on an object in about 0.3 s
_WHITE, _DARK = (0.88, 0.88, 0.86, 1), (0.2, 0.2, 0.22, 1)


def closed_hand(hand: mujoco.MjsBody, spec: mujoco.MjSpec) -> None:
    """Fingers that stay closed and meet at the tool centre point."""
    for side in (-1, 1):
        hand.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=_FINGER,
            pos=[0, 0.011 * side, TCP - 0.026],
            rgba=_DARK,
            mass=0.05,
            contype=1,
            conaffinity=1,
        )


def gripper(hand: mujoco.MjsBody, spec: mujoco.MjSpec) -> None:
    """Two fingers that slide along the hand's y axis, driven alike as in the Franka hand.

    Source of the opening and the force: Franka Emika, "Franka Hand" data sheet (80 mm, 70 N continuous).
    """
    for name, side in zip(FINGERS, (-1, 1), strict=True):
        finger = hand.add_body(name=name, gravcomp=1)
        finger.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[0, side, 0],
            range=[0, GRIPPER_OPENING / 2],
            limited=True,
            armature=0.5,  # of the drive: light fingers would sink into what they hold, and swing in it
        )
        finger.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=_FINGER,
            pos=[0, 0.010 * side, TCP - 0.026],
            rgba=_DARK,
            mass=0.05,
            # Rubber pads: their friction and stiffness decide a contact, whatever they touch; condim 4 also resists
            # twisting, without which a held item swings about the line between the fingertips.
            friction=[1.5, 0.03, 0.001],
            condim=4,
            priority=1,
            solref=[2 * GRIPPING, 1.0],  # as stiff as the timestep allows
            solimp=[0.99, 0.999, 0.001, 0.5, 2],
        )
        actuator = spec.add_actuator(
            name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True, ctrllimited=True
        )
        actuator.set_to_position(kp=_GRIP_STIFFNESS, kv=_GRIP_DAMPING)
        actuator.forcerange = [-_GRIP_FORCE, _GRIP_FORCE]
        actuator.ctrlrange = [0, GRIPPER_OPENING / 2]
    spec.add_exclude(bodyname1=FINGERS[0], bodyname2=FINGERS[1])
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT, name1=FINGERS[0], name2=FINGERS[1], objtype=mujoco.mjtObj.mjOBJ_JOINT
    )


Hand = Callable[[mujoco.MjsBody, mujoco.MjSpec], None]
"""Adds the fingers to the hand's body."""


@cache
def arm_model() -> mujoco.MjModel:
    """The arm alone, for kinematics: 7 joints, whatever else moves in a scene."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    add_robot(spec)
    return spec.compile()


def add_robot(spec: mujoco.MjSpec, fingers: Hand = closed_hand) -> None:
    """Adds the arm with its base at the origin; gravity is compensated, as the real controller does."""
    body = spec.worldbody.add_body(name="base")
    _capsule(body, (0, 0, 0, 0, 0, 0.15), 0.075, _DARK)
    for i, ((a, alpha, d), ((*fromto,), radius)) in enumerate(zip(DH, _LINKS, strict=True)):
        body = body.add_body(
            name=f"link{i + 1}",
            pos=[a, -d * np.sin(alpha), d * np.cos(alpha)],
            quat=[np.cos(alpha / 2), np.sin(alpha / 2), 0, 0],
            gravcomp=1,
        )
        body.add_joint(
            name=f"joint{i + 1}", axis=[0, 0, 1], range=JOINT_LIMITS[i], limited=True, armature=0.1, damping=1.0
        )
        link = _capsule(body, fromto, radius, _WHITE if i % 2 == 0 else _DARK, _MASS[i])
        link.group = BEHIND_EYE
        actuator = spec.add_actuator(
            name=f"servo{i + 1}", target=f"joint{i + 1}", trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True
        )
        actuator.set_to_position(kp=_STIFFNESS[i], kv=_DAMPING[i])
        actuator.forcerange = [-_TORQUE[i], _TORQUE[i]]
        actuator.ctrlrange = JOINT_LIMITS[i]
        actuator.ctrllimited = True
    # The hand of the real arm is mounted turned by -45 degrees about the flange.
    hand = body.add_body(
        name="hand", pos=[0, 0, FLANGE], quat=[np.cos(np.pi / 8), 0, 0, -np.sin(np.pi / 8)], gravcomp=1
    )
    box = mujoco.mjtGeom.mjGEOM_BOX
    hand.add_geom(type=box, size=[0.03, 0.08, 0.025], pos=[0, 0, 0.03], rgba=_WHITE, mass=0.5, contype=1, conaffinity=1)
    fingers(hand, spec)
    # Its right is the hand's y; up in the image is away from the fingers.
    up = (np.cos(EYE_TILT), 0, np.sin(EYE_TILT))
    hand.add_camera(name=EYE, pos=EYE_POSITION, xyaxes=[0, 1, 0, *up], fovy=EYE_FOVY)
    hand.add_site(name=FINGERTIP, pos=[0, 0, TCP], size=[0.005] * 3, group=4)


def _capsule(
    body: mujoco.MjsBody, fromto: Sequence[float], radius: float, rgba: tuple, mass: float = 1.0
) -> mujoco.MjsGeom:
    return body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=fromto,
        size=[radius, 0, 0],
        rgba=rgba,
        mass=mass,
        contype=0,
        conaffinity=0,
    )


@dataclass
class FingertipController:
    """Differential inverse kinematics: fingertip velocities to joint targets, with the gripper kept pointing down.

    The commanded position, not the measured one, is integrated, so that servo lag does not drift.

    model: of the arm alone.  low, high: [3] of the workspace [m].  yaw: of the hand about the vertical [rad]; at 0 its
    fingers close along y.
    """

    model: mujoco.MjModel
    low: np.ndarray
    high: np.ndarray
    yaw: float = 0.0

    def __post_init__(self) -> None:
        self._configuration = mink.Configuration(self.model)
        self._task = mink.FrameTask(FINGERTIP, "site", position_cost=1.0, orientation_cost=0.3, lm_damping=1e-6)
        self._posture = mink.PostureTask(self.model, cost=1e-2)
        # The last joint's axis points down.
        self._home = HOME - self.yaw * np.eye(N_JOINTS)[-1]
        self._posture.set_target(self._home)
        self._angles = mink.ConfigurationLimit(self.model)
        speeds = {f"joint{i + 1}": speed for i, speed in enumerate(JOINT_SPEEDS)}
        self._speeds = mink.VelocityLimit(self.model, speeds)
        self._down = mink.SO3.from_z_radians(self.yaw) @ mink.SO3.from_matrix(np.diag([1.0, -1.0, -1.0]))
        self.target = np.zeros(3)

    def start(self, position: np.ndarray) -> np.ndarray:
        """Joint angles [7] [rad] that hold the fingertip at `position` [3] [m]."""
        self.target = np.clip(position, self.low, self.high)
        self._configuration.update(self._home)
        for _ in range(10):
            self._solve(1.0, [self._angles])
        return self._configuration.q.copy()

    def step(self, velocity: np.ndarray, duration: float) -> np.ndarray:
        """Joint targets [7] [rad] after moving at `velocity` [3] [m/s] for `duration` [s], inside the workspace.

        No joint exceeds its speed: beyond the arm's reach, an unbounded step would jump to another posture for good.
        """
        self.target = np.clip(self.target + velocity * duration, self.low, self.high)
        self._solve(duration, [self._angles, self._speeds])
        return self._configuration.q.copy()

    def _solve(self, duration: float, limits: list[mink.Limit]) -> None:
        self._task.set_target(mink.SE3.from_rotation_and_translation(self._down, self.target))
        tasks = [self._task, self._posture]
        velocity = mink.solve_ik(self._configuration, tasks, dt=duration, solver="daqp", limits=limits)
        self._configuration.integrate_inplace(velocity, duration)
