"""Characters of alphabets that do not exist: drawn by a program, so that few-shot learning needs no download.

A class is a few curved strokes. An example of it is drawn by another hand: every control point moves a little, the
character is rotated, scaled, sheared and shifted, the pen is thinner or thicker.
"""

import itertools
from typing import NamedTuple

import numpy as np

SIDE = 28
"""Height and width of an image [px]."""

POINTS = 24
"""Points along a stroke, at which its ink is measured."""

SMALLEST = 0.3
"""Least height and width of a character, in units of the image's side: a dot is no character."""

SPLITS = {"train": 0, "validation": 1, "test": 2}
"""Each split draws its classes from its own stream of random numbers: disjoint by construction."""


class Hand(NamedTuple):
    """How much examples of one class differ; lengths in units of the image's side.

    wobble: standard deviation of a control point.
    angle: largest rotation [rad].
    scale: largest relative change of width and of height.
    shear: largest horizontal shift of the top against the bottom.
    shift: largest shift.
    radius: range of half the thickness of the pen.
    """

    wobble: float = 0.02
    angle: float = 0.2
    scale: float = 0.15
    shear: float = 0.15
    shift: float = 0.06
    radius: tuple[float, float] = (0.02, 0.04)


def glyphs(split: str, n_classes: int, n_examples: int, seed: int, hand: Hand = Hand()) -> np.ndarray:  # noqa: B008
    """Draw classes of characters.

    Args:
        split: a key of SPLITS.
        n_classes: number of characters.
        n_examples: examples of each.
        seed: seed of the alphabets.
        hand: how much examples of a class differ.

    Returns:
        uint8 [n_classes, n_examples, SIDE, SIDE, 1], ink is 255.
    """
    streams = np.random.SeedSequence([seed, SPLITS[split]]).spawn(n_classes)
    return np.stack([draw_class(np.random.default_rng(stream), n_examples, hand) for stream in streams])


def draw_class(rng: np.random.Generator, n_examples: int, hand: Hand) -> np.ndarray:
    """One character by many hands: uint8 [n_examples, SIDE, SIDE, 1]."""
    strokes = invent(rng)
    wobbling = strokes + rng.normal(scale=hand.wobble, size=(n_examples, *strokes.shape))
    points = along(wobbling).reshape(n_examples, -1, 2)
    return ink(warped(points, rng, hand), rng.uniform(*hand.radius, size=n_examples))


def invent(rng: np.random.Generator) -> np.ndarray:
    """Control points of two to four quadratic strokes [strokes, 3, 2]; half of them start where the last one ended."""
    strokes = rng.uniform(0.15, 0.85, size=(rng.integers(2, 5), 3, 2))
    for last, stroke in itertools.pairwise(strokes):
        if rng.random() < 0.5:
            stroke[0] = last[2]
    extent = np.ptp(along(strokes).reshape(-1, 2), axis=0)
    return strokes if extent.min() > SMALLEST else invent(rng)


def along(strokes: np.ndarray) -> np.ndarray:
    """Points on quadratic Bezier curves: control points [..., 3, 2] -> [..., POINTS, 2]."""
    t = np.linspace(0, 1, POINTS)[:, None]
    weights = np.concatenate([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)  # [POINTS, 3]
    return weights @ strokes


def warped(points: np.ndarray, rng: np.random.Generator, hand: Hand) -> np.ndarray:
    """Every example [examples, points, 2] under an affine map of its own, about the middle of the image."""
    n = len(points)
    angle = rng.uniform(-hand.angle, hand.angle, size=n)
    across, down = rng.uniform(1 - hand.scale, 1 + hand.scale, size=(2, n))
    shear = rng.uniform(-hand.shear, hand.shear, size=n)
    cos, sin = np.cos(angle), np.sin(angle)
    maps = np.stack([across * cos, across * (shear * cos - sin), down * sin, down * (shear * sin + cos)], axis=-1)
    shift = rng.uniform(-hand.shift, hand.shift, size=(n, 1, 2))
    return (points - 0.5) @ maps.reshape(n, 2, 2).transpose(0, 2, 1) + 0.5 + shift


def ink(points: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Pixels near a point are inked, with an edge one pixel wide: uint8 [examples, SIDE, SIDE, 1]."""
    centres = (np.arange(SIDE) + 0.5) / SIDE
    dx2 = (points[:, :, 0, None] - centres) ** 2  # [examples, points, SIDE]
    dy2 = (points[:, :, 1, None] - centres) ** 2
    distance = np.sqrt((dy2[:, :, :, None] + dx2[:, :, None, :]).min(axis=1))  # [examples, SIDE, SIDE]
    covered = (radius[:, None, None] - distance) * SIDE + 0.5
    return (255 * covered.clip(0, 1)).round().astype(np.uint8)[..., None]
