"""What a scene looks like apart from its objects: table, light and camera, each on a dial."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import mujoco
import numpy as np

from envs.errors import EnvError
from envs.textures import NOVEL_PATTERNS, PATTERNS, RGB, add_material, pattern_image

CAMERA = "front"
CAMERA_POSITION = np.array([1.16, 0.0, 0.78])
"""The camera looks at the robot across the table, from the human's side [m]."""
CAMERA_TARGET = np.array([0.51, 0.0, 0.04])
CAMERA_FOVY = 36.0
"""Vertical field of view [degrees]."""

TABLE_HALF_SIZE = (0.45, 0.60)
TABLE_CENTRE = (0.50, 0.0)
"""The table top lies at z = 0 [m]."""
TABLETOP = "tabletop"
"""Name of the geom that things touch there."""


@dataclass(frozen=True)
class Dials:
    """How far each thing may move from its nominal look: 0 never, 1 as in meta-training, 2 twice as far.

    table: shades and texture of table and floor; beyond 1 textures of no meta-training table.  light: its direction
    and strength.  view: where the camera stands.  person: skin, clothes and size; beyond 1 with coloured gloves.
    side: where the person stands; beyond 1 only outside of where anybody stood in meta-training.  style: how fast the
    person moves, and how curved.
    """

    table: float = 1.0
    light: float = 1.0
    view: float = 1.0
    person: float = 1.0
    side: float = 1.0
    style: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 3:
                raise EnvError(f"dial {name!r}: got {value}, allowed 0 to 3")

    @classmethod
    def of(cls, said: "Dials | Mapping[str, float] | None") -> "Dials":
        """Dials as they are, as JSON holds them, or as in meta-training when None.

        Raises:
            EnvError: an unknown name, or a value that is no number from 0 to 3.
        """
        if isinstance(said, Dials):
            return said
        names = [field.name for field in fields(cls)]
        said = {} if said is None else said
        if not isinstance(said, Mapping) or not set(said) <= set(names):
            raise EnvError(f"dials: got {said!r}, allowed numbers of {names}")
        for name, value in said.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise EnvError(f"dial {name!r}: got {value!r}, allowed 0 to 3")
        return cls(**said)


def spread_out(rng: np.random.Generator, low: float, high: float, dial: float) -> float:
    """A number from [low, high] at dial 1; from a range `dial` times as wide around the same middle otherwise."""
    middle, drawn = (low + high) / 2, float(rng.uniform(low, high))
    return drawn if dial == 1 else middle + dial * (drawn - middle)


@dataclass(frozen=True)
class Appearance:
    """One look.

    table: pattern, two colours and texture seed.  floor: its colour.  light_from: unit vector [3] towards the light.
    diffuse, ambient: light strengths.  camera_position, camera_target: [3] [m].  fovy: [degrees].
    """

    table_pattern: str
    table_rgb: RGB
    table_rgb2: RGB
    table_seed: int
    floor_rgb: RGB
    light_from: tuple[float, float, float]
    diffuse: float
    ambient: float
    camera_position: tuple[float, float, float]
    camera_target: tuple[float, float, float]
    fovy: float


def sample_appearance(rng: np.random.Generator, dials: Dials) -> Appearance:
    """Draws a look; every dial at 0 gives the nominal one."""
    grey = 0.55 + dials.table * rng.uniform(-0.2, 0.2)
    tint = dials.table * rng.uniform(-0.07, 0.07, 3)
    table = np.clip(grey + tint, 0.05, 0.95)
    accent = np.clip(table * (1 + dials.table * rng.uniform(-0.25, 0.25)), 0.05, 0.95)
    patterned = dials.table > 0 and rng.random() < 0.6
    pattern = str(rng.choice(list(PATTERNS if dials.table <= 1 else NOVEL_PATTERNS))) if patterned else "plain"
    floor = np.clip(0.3 + dials.table * rng.uniform(-0.2, 0.2, 3), 0.0, 1.0)
    light = np.array([0.3, 0.0, 1.0]) + dials.light * rng.uniform(-0.6, 0.6, 3) * [1, 1, 0.3]
    return Appearance(
        table_pattern=pattern,
        table_rgb=_triple(table),
        table_rgb2=_triple(accent),
        table_seed=int(rng.integers(2**31)),
        floor_rgb=_triple(floor),
        light_from=_triple(light / np.linalg.norm(light)),
        diffuse=float(0.6 + dials.light * rng.uniform(-0.12, 0.12)),
        ambient=float(0.35 + dials.light * rng.uniform(-0.1, 0.1)),
        camera_position=_triple(CAMERA_POSITION + dials.view * rng.uniform(-0.03, 0.03, 3)),
        camera_target=_triple(CAMERA_TARGET + dials.view * rng.uniform(-0.015, 0.015, 3)),
        fovy=float(CAMERA_FOVY + dials.view * rng.uniform(-1.0, 1.0)),
    )


def add_surroundings(spec: mujoco.MjSpec, look: Appearance) -> None:
    """Adds table, floor, light and camera to a scene."""
    world = spec.worldbody
    image = pattern_image(look.table_pattern, look.table_rgb, look.table_rgb2, look.table_seed)
    world.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[*TABLE_HALF_SIZE, 0.02],
        pos=[*TABLE_CENTRE, -0.02],
        material=add_material(spec, "table", image, repeat=4.0),
        contype=0,
        conaffinity=0,
    )
    # What touches the table touches a plane, in all corners at once; it has no end, and is not drawn.
    world.add_geom(
        name=TABLETOP,
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[*TABLE_HALF_SIZE, 1],
        pos=[*TABLE_CENTRE, 0],
        group=4,
        friction=[0.5, 0.01, 0.001],  # a contact takes the larger of two frictions: the table's must not be the default
    )
    world.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[3, 3, 0.02],
        pos=[0, 0, -0.75],
        rgba=[*look.floor_rgb, 1],
        contype=0,
        conaffinity=0,
    )
    spec.visual.headlight.ambient = [look.ambient] * 3
    spec.visual.headlight.diffuse = [0.0] * 3
    spec.visual.headlight.specular = [0.0] * 3
    world.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=np.multiply(look.light_from, 3),
        dir=np.negative(look.light_from),
        diffuse=[look.diffuse] * 3,
        specular=[0.2] * 3,
        castshadow=False,
    )
    right, up, _ = _camera_axes(look)
    world.add_camera(name=CAMERA, pos=look.camera_position, xyaxes=[*right, *up], fovy=look.fovy)


def project(look: Appearance, points: np.ndarray) -> np.ndarray:
    """Where points appear in a square image.

    Args:
        look: whose camera.
        points: [..., 3] [m].

    Returns:
        [..., 2] (x to the right, y down), each in [0, 1] inside the image.
    """
    right, up, back = _camera_axes(look)
    offset = points - np.array(look.camera_position)
    scale = 2 * np.tan(np.radians(look.fovy) / 2) * -(offset @ back)
    return np.stack([0.5 + offset @ right / scale, 0.5 - offset @ up / scale], axis=-1)


def _camera_axes(look: Appearance) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The camera's right, up and backward unit vectors, each [3]."""
    back = np.subtract(look.camera_position, look.camera_target)
    back /= np.linalg.norm(back)
    right = np.cross([0, 0, 1], back)
    right /= np.linalg.norm(right)
    return right, np.cross(back, right), back


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
