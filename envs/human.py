"""The human: shoulder to fingertips, drawn with skin-coloured capsules and posed in closed form.

The arm is three bodies moved by hand (MuJoCo mocap bodies): upper arm, forearm and hand. It has no physics; it is there
to be filmed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mujoco
import numpy as np

from envs.appearance import Dials, spread_out
from envs.textures import RGB

UPPER_ARM, FOREARM, HAND = 0.30, 0.26, 0.18
"""Shoulder to elbow, elbow to wrist, wrist to index fingertip, of a person of scale 1 [m]."""

SKIN_TONES: tuple[RGB, ...] = (
    (0.96, 0.82, 0.73),
    (0.90, 0.72, 0.58),
    (0.80, 0.61, 0.45),
    (0.66, 0.46, 0.32),
    (0.50, 0.34, 0.23),
    (0.34, 0.22, 0.16),
)
"""From light to dark."""

_USUAL_SKIN, _USUAL_SLEEVE = np.array(SKIN_TONES[2]), np.full(3, 0.5)
_SIDE = 0.28  # [m]


@dataclass(frozen=True)
class HumanLook:
    """One person.

    scale: of the arm's lengths.  skin, sleeve: colours.  sleeve_end: share of the forearm that the sleeve covers.
    shoulder: [3] [m], on the camera's side of the table.  rest: [3] where the fingertip waits [m].
    style: how far speed and course of a motion may be from the usual ones, as the dial of that name.
    """

    scale: float
    skin: RGB
    sleeve: RGB
    sleeve_end: float
    shoulder: tuple[float, float, float]
    rest: tuple[float, float, float]
    style: float = 1.0


def sample_human(rng: np.random.Generator, dials: Dials) -> HumanLook:
    """Draws a person: size, skin, clothes, where they stand, and how they move."""
    tone = np.array(SKIN_TONES[rng.integers(len(SKIN_TONES))]) * rng.uniform(0.93, 1.05)
    side = _beside(rng.uniform(-_SIDE, _SIDE), dials.side)
    sleeve = rng.uniform(0.05, 0.95, 3)
    if dials.person < 1:
        tone, sleeve = (c + dials.person * (x - c) for c, x in ((_USUAL_SKIN, tone), (_USUAL_SLEEVE, sleeve)))
    if dials.person > 1:  # up to gloves of any colour
        tone = tone + (dials.person - 1) / 2 * (rng.uniform(0.05, 0.95, 3) - tone)
    r, g, b = (float(c) for c in np.clip(tone, 0, 1))
    sr, sg, sb = (float(c) for c in sleeve)
    return HumanLook(
        scale=float(spread_out(rng, 0.9, 1.12, dials.person)),
        skin=(r, g, b),
        sleeve=(sr, sg, sb),
        sleeve_end=float(rng.uniform(0.0, 0.9)),
        shoulder=(float(rng.uniform(1.08, 1.2)), side, float(rng.uniform(0.30, 0.42))),
        rest=(float(rng.uniform(0.80, 0.88)), side + float(rng.uniform(-0.08, 0.08)), float(rng.uniform(0.06, 0.14))),
        style=dials.style,
    )


def _beside(usual: float, dial: float) -> float:
    """How far beside the middle of the table a person stands [m]: within `_SIDE` up to dial 1, beyond it from there."""
    return usual * dial if dial <= 1 else float(np.copysign(_SIDE + (dial - 1) * abs(usual), usual))


Hand = Callable[[mujoco.MjSpec, HumanLook], None]
"""Adds a hand."""


def add_human(spec: mujoco.MjSpec, look: HumanLook, hand: Hand) -> None:
    """Adds the arm; each body's x axis runs along the limb, from its near end at the origin (the hand's: its tip)."""
    s = look.scale
    upper, fore = s * UPPER_ARM, s * FOREARM
    cuff = max(0.02, look.sleeve_end) * fore
    body = _limb(spec, "upper_arm")
    _capsule(body, (0, 0, 0), (upper, 0, 0), 0.047 * s, look.sleeve)
    body = _limb(spec, "forearm")
    _capsule(body, (0, 0, 0), (fore, 0, 0), 0.034 * s, look.skin)
    _capsule(body, (0, 0, 0), (cuff, 0, 0), 0.042 * s, look.sleeve)
    hand(spec, look)


def pointing_hand(spec: mujoco.MjSpec, look: HumanLook) -> None:
    """Palm, a pointing index finger, three curled fingers and a thumb; the index fingertip is the origin."""
    hand, s, skin = _limb(spec, "hand"), look.scale, look.skin
    wrist, knuckles = -s * HAND, -0.085 * s
    _palm(hand, s, skin)
    _capsule(hand, (knuckles, 0, 0), (-0.009 * s, 0, 0), 0.0095 * s, skin)
    for finger in (1, 2, 3):
        y = -0.021 * s * finger
        _capsule(hand, (knuckles, y, 0), (knuckles + 0.028 * s, y, -0.022 * s), 0.0105 * s, skin)
    _capsule(hand, (wrist + 0.03 * s, 0.025 * s, 0), (knuckles + 0.015 * s, 0.038 * s, -0.015 * s), 0.012 * s, skin)


def grasping_hand(spec: mujoco.MjSpec, look: HumanLook) -> None:
    """Palm, four fingers side by side and a thumb opposite them; the origin is the middle of what they hold.

    "thumb" and "fingers" are bodies of their own, placed by `pose_human` as far apart as the hand is open.
    """
    s, skin = look.scale, look.skin
    wrist, knuckles, radius = -s * HAND, -0.085 * s, 0.0105 * s
    _palm(_limb(spec, "hand"), s, skin)
    thumb, fingers = _limb(spec, "thumb"), _limb(spec, "fingers")
    _capsule(thumb, (wrist + 0.03 * s, -radius, 0), (knuckles + 0.03 * s, 1.8 * radius, 0), 1.2 * radius, skin)
    _capsule(thumb, (knuckles + 0.03 * s, 1.8 * radius, 0), (0.005 * s, radius, -0.005 * s), 1.1 * radius, skin)
    for finger in range(4):
        z = (0.018 - 0.017 * finger) * s
        _capsule(fingers, (knuckles - 0.01 * s, 2 * radius, 0.4 * z), (-0.04 * s, -2 * radius, z), radius, skin)
        _capsule(fingers, (-0.04 * s, -2 * radius, z), ((0.022 - 0.004 * finger) * s, -radius, z), radius, skin)


def _palm(hand: mujoco.MjsBody, s: float, skin: RGB) -> None:
    wrist, knuckles = -s * HAND, -0.085 * s
    hand.add_geom(
        type=mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        size=[0.062 * s, 0.042 * s, 0.020 * s],
        pos=[(wrist + knuckles) / 2 + 0.008 * s, -0.012 * s, 0],
        rgba=[*skin, 1],
        contype=0,
        conaffinity=0,
    )


def pose_human(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    look: HumanLook,
    fingertip: np.ndarray,
    opening: float | None = None,
) -> None:
    """Moves the arm so that the hand's origin is at `fingertip` [3] [m], and computes the bodies' poses.

    A grasping hand's thumb and fingers are `opening` apart [m]; None for a pointing one.

    The hand points away from the person and dips towards the table; the elbow hangs down and outwards. When the arm is
    too short the person leans forward: the shoulder moves along the line to the wrist.
    """
    upper, fore, hand = (look.scale * length for length in (UPPER_ARM, FOREARM, HAND))
    shoulder = np.array(look.shoulder)
    heading = fingertip[:2] - shoulder[:2]
    forward = np.array([*heading / np.linalg.norm(heading), -0.75])
    forward /= np.linalg.norm(forward)
    wrist = fingertip - hand * forward
    reach = wrist - shoulder
    distance = float(np.linalg.norm(reach))
    along = reach / distance
    longest = 0.98 * (upper + fore)
    if distance > longest:
        shoulder = wrist - longest * along
        distance = longest
    # Law of cosines: how far along the shoulder-wrist line the elbow lies, and how far off it.
    offset = (distance**2 + upper**2 - fore**2) / (2 * distance)
    droop = _cross(along, _cross([0.0, 0.4 * np.sign(look.shoulder[1] + 1e-9), -1.0], along))
    droop /= np.linalg.norm(droop)
    elbow = shoulder + offset * along + max(upper**2 - offset**2, 0.0) ** 0.5 * droop
    _place(model, data, "upper_arm", shoulder, elbow - shoulder)
    _place(model, data, "forearm", elbow, wrist - elbow)
    _place(model, data, "hand", fingertip, forward)
    if opening is not None:
        to_thumb = _cross([0.0, 0.0, 1.0], forward)
        to_thumb *= opening / 2 / np.linalg.norm(to_thumb)
        _place(model, data, "thumb", fingertip + to_thumb, forward)
        _place(model, data, "fingers", fingertip - to_thumb, forward)
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)


def _place(model: mujoco.MjModel, data: mujoco.MjData, name: str, position: np.ndarray, x_axis: np.ndarray) -> None:
    """Puts a mocap body's origin at `position` with its x axis along `x_axis` and its z axis as upright as can be."""
    x = x_axis / np.linalg.norm(x_axis)
    y = _cross([0.0, 0.0, 1.0], x)
    y /= np.linalg.norm(y)
    i = model.body(name).mocapid[0]
    data.mocap_pos[i] = position
    mujoco.mju_mat2Quat(data.mocap_quat[i], np.column_stack([x, y, _cross(x, y)]).ravel())


def _cross(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> np.ndarray:
    """np.cross for two 3-vectors, twenty times faster."""
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _limb(spec: mujoco.MjSpec, name: str) -> mujoco.MjsBody:
    return spec.worldbody.add_body(name=name, mocap=True)


def _capsule(body: mujoco.MjsBody, start: tuple, end: tuple, radius: float, rgb: RGB) -> None:
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=[*start, *end],
        size=[radius, 0, 0],
        rgba=[*rgb, 1],
        contype=0,
        conaffinity=0,
    )
