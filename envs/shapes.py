"""Shapes of objects and containers, from MuJoCo's primitives: nothing to download, and light to draw."""

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np


@dataclass(frozen=True)
class Part:
    """A primitive in units of the object's radius: MuJoCo geom type, half sizes and centre (z from the table).

    lean: of its vertical axis away from the object's middle [rad]; yaw: towards which side, about the vertical [rad].
    """

    geom: int
    size: tuple[float, ...]
    centre: tuple[float, float, float]
    lean: float = 0.0
    yaw: float = 0.0


_BOX, _SPHERE = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_SPHERE
_CYLINDER, _ELLIPSOID = mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_ELLIPSOID


SHAPES: dict[str, Callable[[], list[Part]]] = {
    "cube": lambda: [Part(_BOX, (0.85, 0.85, 0.85), (0, 0, 0.85))],
    "brick": lambda: [Part(_BOX, (1.2, 0.7, 0.6), (0, 0, 0.6))],
    "ball": lambda: [Part(_SPHERE, (1.0,), (0, 0, 1.0))],
    "can": lambda: [Part(_CYLINDER, (0.85, 1.0), (0, 0, 1.0))],
    "disc": lambda: [Part(_CYLINDER, (1.2, 0.4), (0, 0, 0.4))],
    "egg": lambda: [Part(_ELLIPSOID, (1.2, 0.85, 0.75), (0, 0, 0.75))],
    "bottle": lambda: [
        Part(_CYLINDER, (0.85, 0.7), (0, 0, 0.7)),
        Part(_CYLINDER, (0.4, 0.4), (0, 0, 1.8)),
    ],
    "cross": lambda: [
        Part(_BOX, (1.3, 0.5, 0.5), (0, 0, 0.5)),
        Part(_BOX, (0.5, 1.3, 0.5), (0, 0, 0.5)),
    ],
    "tower": lambda: [
        Part(_CYLINDER, (1.1, 0.35), (0, 0, 0.35)),
        Part(_CYLINDER, (0.8, 0.35), (0, 0, 1.05)),
        Part(_CYLINDER, (0.5, 0.35), (0, 0, 1.75)),
    ],
    "mug": lambda: [
        Part(_CYLINDER, (0.8, 0.9), (-0.15, 0, 0.9)),
        Part(_BOX, (0.25, 0.18, 0.55), (0.9, 0, 0.9)),
    ],
}
"""Name -> primitives that stand on the table."""


NOVEL_SHAPES: dict[str, Callable[[], list[Part]]] = {
    "arch": lambda: [
        Part(_BOX, (0.3, 0.7, 0.5), (0.6, 0, 0.5)),
        Part(_BOX, (0.3, 0.7, 0.5), (-0.6, 0, 0.5)),
        Part(_BOX, (0.9, 0.7, 0.3), (0, 0, 1.3)),
    ],
    "hourglass": lambda: [
        Part(_CYLINDER, (0.85, 0.3), (0, 0, 0.3)),
        Part(_CYLINDER, (0.55, 0.25), (0, 0, 0.85)),
        Part(_CYLINDER, (0.85, 0.3), (0, 0, 1.4)),
    ],
    "steps": lambda: [
        Part(_BOX, (0.85, 0.85, 0.4), (0, 0, 0.4)),
        Part(_BOX, (0.5, 0.5, 0.4), (0, 0, 1.2)),
    ],
}
"""Objects that are never seen in meta-training."""


def _walls(n: int, radius: float, half_height: float, bottom: float, lean: float = 0.0) -> list[Part]:
    """`n` boxes around a floor whose edge is `radius` from the middle; they stand on `bottom` and lean outwards."""
    thick = 0.07
    width = (radius + half_height * np.sin(lean)) * np.tan(np.pi / n) + thick
    out, up = radius + half_height * np.sin(lean), bottom + half_height * np.cos(lean)
    return [
        Part(_BOX, (thick, width, half_height), (out * np.cos(yaw), out * np.sin(yaw), up), lean, yaw)
        for yaw in 2 * np.pi * np.arange(n) / n
    ]


CONTAINERS: dict[str, Callable[[], list[Part]]] = {
    "plate": lambda: [Part(_CYLINDER, (0.72, 0.06), (0, 0, 0.06)), *_walls(8, 0.72, 0.16, 0.06, lean=1.1)],
    "bowl": lambda: [Part(_CYLINDER, (0.62, 0.06), (0, 0, 0.06)), *_walls(8, 0.62, 0.28, 0.05, lean=0.65)],
    "pot": lambda: [
        Part(_CYLINDER, (0.85, 0.06), (0, 0, 0.06)),
        *_walls(8, 0.85, 0.30, 0.0),
        Part(_BOX, (0.12, 0.25, 0.06), (1.05, 0, 0.5)),
        Part(_BOX, (0.12, 0.25, 0.06), (-1.05, 0, 0.5)),
    ],
    "box": lambda: [Part(_BOX, (0.85, 0.85, 0.06), (0, 0, 0.06)), *_walls(4, 0.80, 0.38, 0.0)],
    "tray": lambda: [
        Part(_BOX, (1.1, 0.8, 0.06), (0, 0, 0.06)),
        *[Part(_BOX, (0.06, 0.8, 0.16), (x, 0, 0.16)) for x in (-1.1, 1.1)],
        *[Part(_BOX, (1.1, 0.06, 0.16), (0, y, 0.16)) for y in (-0.8, 0.8)],
    ],
}
"""Name -> primitives of an open container that stands on the table."""

NOVEL_CONTAINERS: dict[str, Callable[[], list[Part]]] = {
    "basin": lambda: [Part(_CYLINDER, (0.78, 0.06), (0, 0, 0.06)), *_walls(6, 0.75, 0.26, 0.03, lean=0.3)],
    "crate": lambda: [
        Part(_BOX, (1.0, 0.8, 0.06), (0, 0, 0.06)),
        *[Part(_BOX, (0.06, 0.8, 0.3), (x, 0, 0.3)) for x in (-1.0, 1.0)],
        *[Part(_BOX, (1.0, 0.06, 0.3), (0, y, 0.3)) for y in (-0.8, 0.8)],
    ],
}
"""Containers that are never seen in meta-training."""


def rotation(part: Part) -> np.ndarray:
    """The orientation of a part as a quaternion [4], w first."""
    turn, lean = part.yaw / 2, part.lean / 2
    return np.array(
        [
            np.cos(turn) * np.cos(lean),
            -np.sin(turn) * np.sin(lean),
            np.cos(turn) * np.sin(lean),
            np.sin(turn) * np.cos(lean),
        ]
    )


def top(part: Part) -> float:
    """Height of a part's highest point, in units of the object's radius. Only boxes lean."""
    vertical = {_SPHERE: 0, _CYLINDER: 1, _BOX: 2, _ELLIPSOID: 2}[part.geom]
    if not part.lean:
        return part.centre[2] + part.size[vertical]
    return part.centre[2] + part.size[2] * float(np.cos(part.lean)) + part.size[0] * float(np.sin(part.lean))


def side(part: Part) -> float:
    """How far a part that does not lean reaches along y, in units of the object's radius."""
    half = part.size[1] if part.geom in (_BOX, _ELLIPSOID) else part.size[0]
    return abs(part.centre[1]) + half
