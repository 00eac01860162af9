"""Tallies: numbers and how often each occurs, from which the statistics of datasets follow exactly.

Of images only the 256 levels of each channel are counted, so that a dataset of any size fits into memory.

Source of the statistics and their shapes: LeRobot 0.6.1, `lerobot/datasets/compute_stats.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
"""Name -> share of the numbers that are not above it."""


@dataclass(frozen=True)
class Tally:
    """values: [n, k].  times: [n, k] how often each occurs.  count: of samples.  shape: of each statistic."""

    values: np.ndarray
    times: np.ndarray
    count: int
    shape: tuple[int, ...]

    def statistics(self) -> dict[str, Any]:
        """Each statistic as nested lists; a quantile is the least value that is reached (no interpolation)."""
        values, times, there = self.values, self.times, self.times > 0
        mean = np.average(values, 0, times)
        found = {
            "min": np.where(there, values, np.inf).min(0),
            "max": np.where(there, values, -np.inf).max(0),
            "mean": mean,
            "std": np.sqrt(np.average((values - mean) ** 2, 0, times)),
        }
        reached = np.quantile(values, list(QUANTILES.values()), 0, weights=times, method="inverted_cdf")
        found |= dict(zip(QUANTILES, reached, strict=True))
        return {name: value.reshape(self.shape).tolist() for name, value in found.items()} | {"count": [self.count]}


def tally_rows(rows: np.ndarray) -> Tally:
    """Of rows [n, k], or numbers [n]."""
    values = rows.reshape(len(rows), -1).astype(np.float64)
    return Tally(values, np.broadcast_to(1.0, values.shape), len(rows), (-1,))


def tally_images(images: np.ndarray) -> Tally:
    """Of images uint8 [n, H, W, 3], as numbers in [0, 1]."""
    times = np.stack([np.bincount(images[..., channel].ravel(), minlength=256) for channel in range(3)], axis=1)
    levels = np.repeat(np.arange(256)[:, None] / 255, 3, axis=1)
    return Tally(levels, times.astype(np.float64), len(images), (3, 1, 1))


def merged(tallies: Sequence[Tally]) -> Tally:
    """One of all: of images the levels are counted together, of rows they follow each other."""
    first, count = tallies[0], sum(tally.count for tally in tallies)
    if all(tally.values is first.values or np.array_equal(tally.values, first.values) for tally in tallies):
        return Tally(first.values, np.sum([tally.times for tally in tallies], 0), count, first.shape)
    values, times = (np.concatenate([getattr(tally, name) for tally in tallies]) for name in ("values", "times"))
    return Tally(values, times, count, first.shape)
