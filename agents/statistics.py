"""Statistics of success: intervals of one rate, and of the difference between two policies on the same tasks."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from agents.errors import AgentError

CONFIDENCE = 0.95
RESAMPLES = 10_000


def wilson(rate: float, n: int) -> tuple[float, float]:
    """Wilson score interval of a rate over `n` independent units; the rate need not be a multiple of 1 / n.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (rate * (1 - rate) / n + z**2 / (4 * n**2)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Difference:
    """mean: of B's success minus A's.  low, high: its 95 % interval.  p: of a difference as large, were there none."""

    mean: float
    low: float
    high: float
    p: float


def paired_difference(a: np.ndarray, b: np.ndarray, seed: int = 0) -> Difference:
    """Compares two methods on the same tasks.

    The interval is a bootstrap (percentiles) over tasks, the same ones of both methods, and over each method's training
    seeds: what varies from task to task alike for both drops out, what varies from training to training does not. The
    p-value is of a permutation test that exchanges the two methods on each task, their training seeds as they are.

    Args:
        a, b: successes [training seeds, tasks, trials]; as many tasks and trials in both.
        seed: of the resampling.

    Raises:
        AgentError: other shapes.
    """
    if a.ndim != 3 or b.ndim != 3 or a.shape[1:] != b.shape[1:] or 0 in (*a.shape, *b.shape):
        raise AgentError(f"successes: got shapes {a.shape} and {b.shape}, allowed [seeds, tasks, trials], tasks alike")
    one, other = a.mean(2), b.mean(2)  # [seeds, tasks]
    rng = np.random.default_rng(seed)
    n_tasks = one.shape[1]
    means = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        tasks = rng.integers(n_tasks, size=n_tasks)
        left, right = (rows[rng.integers(len(rows), size=len(rows))][:, tasks].mean() for rows in (one, other))
        means[i] = right - left
    gaps = other.mean(0) - one.mean(0)
    low, high = np.quantile(means, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    test = stats.permutation_test(
        (gaps,), np.mean, permutation_type="samples", n_resamples=RESAMPLES, rng=np.random.default_rng(seed)
    )
    return Difference(float(gaps.mean()), float(low), float(high), float(test.pvalue))
