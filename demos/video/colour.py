"""Frames of any range as sRGB pictures: high dynamic range (HLG, PQ) comes out as the same scene filmed without it.

Diffuse white, such as a sheet of paper in the light, becomes white: a signal of 75 % in HLG, 203 cd/m2 in PQ. What
shines brighter is cut off there. HLG tells the light of the scene, PQ that of a display; either becomes that of the
picture.

Sources: ITU-R BT.2100, tables 4 and 5 (the curves); ITU-R BT.2408, 2.2 (diffuse white); IEC 61966-2-1 (sRGB).
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc, Interpolation

HLG_WHITE = 0.75
"""Signal of diffuse white."""
PQ_WHITE = 203.0 / 10_000.0
"""Light of diffuse white, as a share of the brightest that can be told."""
UNSPECIFIED = 2
"""What a file that does not name its colours says of the matrix, too."""
LEVELS = 65536
"""Of the signal, and of the light that is turned back into one."""
ROWS = 64
"""Rows that are turned at once: large frames would take gigabytes."""

# The columns are red, green and blue of the wider space.
TO_BT709: dict[int, tuple[tuple[float, float, float], ...]] = {
    ColorPrimaries.BT2020: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    ColorPrimaries.SMPTE432: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0196, -0.0786, 1.0979)),
    ColorPrimaries.BT709: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
}
"""Linear light of other primaries in those of sRGB. Sources: ITU-R BT.2407-0, 2.2; SMPTE EG 432-1."""


def picture(frame: Any) -> np.ndarray:
    """A decoded frame as sRGB, uint8 [H, W, 3]."""
    curve = LIGHT.get(frame.color_trc)
    if curve is None:
        return frame.to_ndarray(format="rgb24")
    # Files that do not name their colours mean those that come with the curve.
    matrix = Colorspace.BT2020 if frame.colorspace == UNSPECIFIED else None
    signal = frame.to_ndarray(
        format="rgb48le", src_colorspace=matrix, interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND
    )
    table, primaries = _table(curve), _primaries(frame.color_primaries)
    bands = np.split(signal, range(ROWS, len(signal), ROWS))
    return np.concatenate([_encoded(table[band] @ primaries) for band in bands])


def hlg_light(signal: np.ndarray) -> np.ndarray:
    """Light of the scene for a signal in 0 to 1; 1 is diffuse white."""
    return _hlg_scene(signal) / _hlg_scene(np.array(HLG_WHITE))


def _hlg_scene(signal: np.ndarray) -> np.ndarray:
    """Inverse of the curve of HLG: light of the scene in 0 to 1."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def pq_light(signal: np.ndarray) -> np.ndarray:
    """Light of the display for a signal in 0 to 1; 1 is diffuse white."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    root = signal ** (1 / m2)
    return (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) / PQ_WHITE


LIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    ColorTrc.ARIB_STD_B67: hlg_light,
    ColorTrc.SMPTE2084: pq_light,
}
"""Curves of high dynamic range: light for a signal."""


@cache
def _table(curve: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A curve for every level of the signal, float32 [LEVELS]."""
    return curve(np.arange(LEVELS) / (LEVELS - 1)).astype(np.float32)


def _primaries(name: int) -> np.ndarray:
    """Takes rows of linear light in the primaries of a file to those of sRGB, float32 [3, 3]."""
    return np.array(TO_BT709.get(name, TO_BT709[ColorPrimaries.BT2020]), np.float32).T


def _encoded(light: np.ndarray) -> np.ndarray:
    """Linear light as sRGB, uint8; what sRGB cannot show is cut at its bounds."""
    return _srgb()[(np.clip(light, 0, 1) * (LEVELS - 1)).astype(np.uint16)]


@cache
def _srgb() -> np.ndarray:
    """The sRGB value for every level of linear light, uint8 [LEVELS]."""
    light = np.arange(LEVELS) / (LEVELS - 1)
    value = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * value).astype(np.uint8)
