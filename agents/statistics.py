"""Statistics of success: intervals of one rate, and of the difference between two policies on the same tasks."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from agents.errors import AgentError

CONFIDENCE = 0.95
RESAMPLES = 10_000


def wilson(rate: float, n: int) -> tuple[float, float]:
    """Wilson score interval of a rate over `n` independent units; the rate need not be a multiple of 1 / n.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    z = quantile()
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (rate * (1 - rate) / n + z**2 / (4 * n**2)) ** 0.5
    # At 0 and 1 both ends are the rate itself, but for rounding.
    return min(rate, max(0.0, centre - half)), max(rate, min(1.0, centre + half))


def auroc(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float, float]:
    """How often a score is higher for a positive than for a negative, ties half; and its 95 % interval.

    Its variance is at most that of a rate over the smaller group (Birnbaum and Klose 1957, "Bounds for the variance of
    the Mann-Whitney statistic"), so that Wilson's interval over so many covers it, also at 0 and 1.

    Args:
        positive: [m] scores.
        negative: [n] scores.

    Returns:
        The rate, and both ends of its interval.
    """
    from scipy import stats  # late: it takes a second, and every process that evaluates imports this module

    ranks = stats.rankdata(np.concatenate([positive, negative]))[: len(positive)]
    rate = float((ranks.mean() - (len(positive) + 1) / 2) / len(negative))
    return rate, *wilson(rate, min(len(positive), len(negative)))


def normal(values: np.ndarray) -> tuple[float, float]:
    """Interval of a mean over independent values [n] by the normal approximation; of a single one it is not known."""
    if len(values) < 2:
        return math.nan, math.nan
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    return mean - quantile() * error, mean + quantile() * error


def student(values: np.ndarray) -> tuple[float, float]:
    """The same by Student's t, which holds for few values, too."""
    if len(values) < 2:
        return math.nan, math.nan
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    half = float(special.stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2)) * error
    return mean - half, mean + half


def quantile() -> float:
    """Of the normal distribution: standard errors from the middle of an interval to its ends."""
    return float(special.ndtri(0.5 + CONFIDENCE / 2))


@dataclass(frozen=True)
class Difference:
    """mean: of B's success minus A's.  low, high: its 95 % interval.  p: of a difference as large, were there none."""

    mean: float
    low: float
    high: float
    p: float


def paired_difference(a: np.ndarray, b: np.ndarray, seed: int = 0) -> Difference:
    """Compares two methods on the same tasks.

    The interval is Agresti and Min's: the normal one of paired proportions with two more tasks, on which all four pairs
    of outcomes are half a task each. It keeps its width where the methods agree, or differ, on all tasks. Of several
    trials or trainings a task's outcome is the mean, and the variance of each method's mean over its training seeds is
    added: what varies from task to task alike for both drops out, what varies from training to training does not. The
    p-value is of a permutation test that exchanges the two methods on each task, their training seeds as they are.

    Args:
        a, b: successes [training seeds, tasks, trials]; as many tasks and trials in both.
        seed: of the permutations.

    Raises:
        AgentError: other shapes.

    Source: Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions".
    """
    if a.ndim != 3 or b.ndim != 3 or a.shape[1:] != b.shape[1:] or 0 in (*a.shape, *b.shape):
        raise AgentError(f"successes: got shapes {a.shape} and {b.shape}, allowed [seeds, tasks, trials], tasks alike")
    one, other = a.mean(2), b.mean(2)  # [seeds, tasks]
    gaps = other.mean(0) - one.mean(0)
    n = len(gaps) + 2
    centre = gaps.sum() / n
    variance = ((np.square(gaps).sum() + 1) / n - centre**2) / n + sum(map(_between_seeds, (one, other)))
    half = quantile() * math.sqrt(variance)
    low, high = max(-1.0, float(centre - half)), min(1.0, float(centre + half))
    return Difference(float(gaps.mean()), low, high, _exchanged(gaps, seed))


def _between_seeds(rates: np.ndarray) -> float:
    """Variance of the mean over training seeds, from rates [seeds, tasks]; a single one does not tell."""
    return float(rates.mean(1).var(ddof=1)) / len(rates) if len(rates) > 1 else 0.0


def _exchanged(gaps: np.ndarray, seed: int) -> float:
    """p-value of the mean of gaps [tasks], by exchanging the methods on each; one alone is as large both ways."""
    if len(gaps) == 1:
        return 1.0
    from scipy import stats  # late, as above

    rng = np.random.default_rng(seed)
    test = stats.permutation_test((gaps,), np.mean, permutation_type="samples", n_resamples=RESAMPLES, rng=rng)
    return float(test.pvalue)
