"""Procedural two-colour textures, the same for objects and tables."""

from collections.abc import Callable
from functools import lru_cache

import mujoco
import numpy as np

from envs.errors import EnvError

SIZE = 64
"""Side of every texture [texels]."""

RGB = tuple[float, float, float]
"""Linear red, green, blue in [0, 1]."""


def _plain(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.zeros_like(u)


def _stripes(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, np.pi)
    return np.sin(6 * np.pi * (u * np.cos(angle) + v * np.sin(angle))) > 0.2


def _checker(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (np.floor(4 * u) + np.floor(4 * v)) % 2


def _dots(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.hypot((4 * u) % 1 - 0.5, (4 * v) % 1 - 0.5) < 0.33


def _clouds(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    waves = sum(
        np.sin(2 * np.pi * (fu * u + fv * v) + phase) / np.hypot(fu, fv)
        for fu, fv, phase in zip(rng.integers(1, 6, 6), rng.integers(-5, 6, 6), rng.uniform(0, 6.28, 6), strict=True)
    )
    return (waves - waves.min()) / np.ptp(waves)


def _rings(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sin(2 * np.pi * (6 * np.hypot(u - 0.5, v - 0.5) + rng.random())) > 0


def _zigzag(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (4 * v + np.abs((4 * u) % 1 - 0.5)) % 1 < 0.5


def _triangles(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (4 * u) % 1 + (4 * v) % 1 < 1


Pattern = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]

PATTERNS: dict[str, Pattern] = {
    "plain": _plain,
    "stripes": _stripes,
    "checker": _checker,
    "dots": _dots,
    "clouds": _clouds,
}
"""Name -> share of the second colour at texture coordinates u, v in [0, 1)."""

NOVEL_PATTERNS: dict[str, Pattern] = {"rings": _rings, "zigzag": _zigzag, "triangles": _triangles}
"""The same, of nothing that is seen in meta-training."""


@lru_cache(maxsize=64)  # one set's objects are in all of its scenes
def pattern_image(pattern: str, rgb: RGB, rgb2: RGB, seed: int) -> np.ndarray:
    """Paints a pattern.

    Args:
        pattern: a key of `PATTERNS` or `NOVEL_PATTERNS`.
        rgb, rgb2: the two colours.
        seed: what the pattern's own randomness (angle, phases) is drawn from.

    Returns:
        uint8 [SIZE, SIZE, 3], read-only.

    Raises:
        EnvError: an unknown pattern.
    """
    paint = (PATTERNS | NOVEL_PATTERNS).get(pattern)
    if paint is None:
        raise EnvError(f"texture pattern: got {pattern!r}, allowed {sorted(PATTERNS | NOVEL_PATTERNS)}")
    v, u = np.meshgrid(*[np.arange(SIZE) / SIZE] * 2, indexing="ij")
    share = np.asarray(paint(u, v, np.random.default_rng(seed)), float)[..., None]
    image = np.round(255 * np.clip((1 - share) * rgb + share * np.asarray(rgb2), 0, 1)).astype(np.uint8)
    image.setflags(write=False)
    return image


def add_material(spec: mujoco.MjSpec, name: str, image: np.ndarray, repeat: float, shininess: float = 0.2) -> str:
    """Adds a texture and a material that shows it `repeat` times per metre (or per object when 0); returns its name."""
    texture = spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, nchannel=3)
    texture.height, texture.width = image.shape[:2]
    texture.data = image.tobytes()
    material = spec.add_material(name=name, shininess=shininess, specular=0.2)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    if repeat:
        material.texrepeat = [repeat, repeat]
        material.texuniform = True
    return name
