"""How far a video is from those that policies are meta-trained on, in plain image statistics.

A policy answers any video with some action; it cannot say that it has never seen such a thing. The statistics of a few
freshly rendered human videos can.
"""

from typing import NamedTuple

import numpy as np

from agents.imitation import Imitator, watched_frames
from demos.human import human_video
from demos.recipe import Recipe
from demos.tasks import task_of
from demos.types import Video

N_REFERENCE = 48
"""Rendered clips that a video is compared with."""
NEAREST = 3
"""How many of them count: those that it looks most like."""
GRID = 4
"""Parts of an image along each side that are looked at by themselves."""
FAR = 1.5
"""Distance from which a video counts as foreign. Of 30 held-out simulated clips the farthest was at 1.1; photographs,
plots and noise were at 3 and more, one colour at 2, a letterboxed simulated clip at 2.2."""
_FLOOR = 0.02
"""Least spread of a statistic, in its own unit: what hardly varies in simulation is not to decide alone."""


class Gauge(NamedTuple):
    """Statistics of the clips that were rendered for comparison.

    clips: [n, k].  spread: [k] of each statistic over clips.  usual: distance from the others that the farthest
    twentieth of these clips exceeds.
    """

    clips: np.ndarray
    spread: np.ndarray
    usual: float


def training_gauge(imitator: Imitator, env_id: str, seed: int = 0) -> Gauge:
    """Renders `N_REFERENCE` human videos of meta-training objects and describes them.

    Args:
        imitator: whose frames count.
        env_id: registered environment.
        seed: of the clips.
    """
    recipes = [Recipe(env_id, seed, "train", index, task_of(env_id, index)[1]) for index in range(N_REFERENCE)]
    videos = [human_video(env_id, recipe.human_scene(), recipe.motion(), size=imitator.size) for recipe in recipes]
    return gauge(np.stack([statistics(watched_frames(imitator, video)) for video in videos]))


def gauge(clips: np.ndarray) -> Gauge:
    """From the statistics [n, k] of n clips; each is compared with the others to see how far apart is usual."""
    spread = np.hypot(clips.std(0), _FLOOR)
    apart = [_to_nearest(clip, np.delete(clips, number, axis=0), spread) for number, clip in enumerate(clips)]
    return Gauge(clips, spread, float(np.quantile(apart, 0.95)))


def distance(of: Gauge, imitator: Imitator, video: Video) -> float:
    """How unusual a video is: 1 is as unusual as the farthest twentieth of the training clips, `FAR` is foreign."""
    return _to_nearest(statistics(watched_frames(imitator, video)), of.clips, of.spread) / of.usual


def _to_nearest(clip: np.ndarray, clips: np.ndarray, spread: np.ndarray) -> float:
    """Mean distance of [k] from the nearest of [n, k], root mean square of the statistics in units of their spread."""
    apart = np.sqrt((((clips - clip) / spread) ** 2).mean(1))
    return float(np.sort(apart)[:NEAREST].mean())


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
