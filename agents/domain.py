"""How far a video is from those that policies are meta-trained on, in plain image statistics.

A policy answers any video with some action; it cannot say that it has never seen such a thing. The statistics of a few
freshly rendered human videos can.
"""

from typing import NamedTuple

import numpy as np

from agents.imitation import Imitator, watched_frames
from demos.human import human_video
from demos.recipe import Recipe
from demos.types import Video

N_REFERENCE = 32
"""Rendered clips that a video is compared with."""
GRID = 4
"""Parts of an image along each side that are looked at by themselves."""
FAR = 2.0
"""Distance from which a video counts as foreign. Held-out simulated clips stay below it, foreign ones are above."""
_FLOOR = 0.02
"""Least spread of a statistic, in its own unit: what hardly varies in simulation is not to decide alone."""


class Gauge(NamedTuple):
    """Statistics of the clips that were rendered for comparison.

    mean, spread: [k] of each statistic over clips.  usual: root mean square of the standardised statistics that the
    farthest twentieth of these clips exceeds.
    """

    mean: np.ndarray
    spread: np.ndarray
    usual: float


def training_gauge(imitator: Imitator, env_id: str, seed: int = 0) -> Gauge:
    """Renders `N_REFERENCE` human videos of meta-training objects and describes them.

    Args:
        imitator: whose frames count.
        env_id: registered environment.
        seed: of the clips.
    """
    recipes = [Recipe(env_id, seed, "train", index, index % 3) for index in range(N_REFERENCE)]
    videos = [human_video(recipe.human_scene(), recipe.motion(), size=imitator.size) for recipe in recipes]
    return gauge(np.stack([statistics(watched_frames(imitator, video)) for video in videos]))


def gauge(described: np.ndarray) -> Gauge:
    """From the statistics [n, k] of n clips; each is compared with the others to see how far apart is usual."""
    distances = []
    for left_out in range(len(described)):
        others = np.delete(described, left_out, axis=0)
        distances.append(_raw(described[left_out], others.mean(0), _spread(others)))
    return Gauge(described.mean(0), _spread(described), float(np.quantile(distances, 0.95)))


def distance(of: Gauge, imitator: Imitator, video: Video) -> float:
    """How unusual a video is: 1 is as unusual as the farthest twentieth of the training clips, `FAR` is foreign."""
    return _raw(statistics(watched_frames(imitator, video)), of.mean, of.spread) / of.usual


def statistics(frames: np.ndarray) -> np.ndarray:
    """What a clip looks like: colour, contrast, edges and motion in each of `GRID` x `GRID` parts of the image.

    Args:
        frames: uint8 [T, size, size, 3].

    Returns:
        [k], colours in [0, 1].
    """
    pixels = frames / 255
    grey = pixels.mean(-1)
    edges = np.abs(np.diff(grey, axis=1))[:, :, 1:] + np.abs(np.diff(grey, axis=2))[:, 1:]
    motion = np.abs(np.diff(pixels, axis=0)).mean(-1)
    colour = _parts(pixels.mean(0))
    contrast = np.sqrt(np.maximum(_parts((grey**2).mean(0)) - _parts(grey.mean(0)) ** 2, 0))
    return np.concatenate([part.ravel() for part in (colour, contrast, _parts(edges.mean(0)), _parts(motion.mean(0)))])


def _parts(image: np.ndarray) -> np.ndarray:
    """Means over `GRID` x `GRID` parts of an image [H, W, ...]."""
    rows = [part.mean(0) for part in np.array_split(image, GRID, axis=0)]
    return np.stack([part.mean(1) for part in np.array_split(np.stack(rows), GRID, axis=1)])


def _raw(described: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> float:
    return float(np.sqrt(np.mean(((described - mean) / spread) ** 2)))


def _spread(described: np.ndarray) -> np.ndarray:
    return np.hypot(described.std(0), _FLOOR)
