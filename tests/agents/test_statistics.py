"""Intervals and paired differences."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest

from agents.errors import AgentError
from agents.statistics import CONFIDENCE, normal, paired_difference, student, wilson


def test_wilson_agrees_with_scipy() -> None:
    for k, n in ((0, 20), (7, 20), (99, 100), (100, 100)):
        expected = binomtest(k, n).proportion_ci(method="wilson")
        assert wilson(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilsons_interval_holds_the_rate_to_the_last_bit() -> None:
    for n in range(1, 300):
        for rate in (0.0, 1 / n, 1.0):
            low, high = wilson(rate, n)
            assert 0.0 <= low <= rate <= high <= 1.0


def draws(rng: np.random.Generator, rate: float, seeds: int = 1, tasks: int = 100) -> np.ndarray:
    return rng.random((seeds, tasks, 1)) < rate


def test_equal_successes_differ_by_nothing() -> None:
    a = draws(np.random.default_rng(0), 0.7)
    difference = paired_difference(a, a)
    assert difference.mean == 0
    assert difference.low == -difference.high
    assert difference.p == 1


def test_the_interval_of_single_trials_is_agresti_and_mins() -> None:
    """Half a task more in each of the four cells of the table: both, only A, only B, neither."""
    cells = {(1, 1): 11, (1, 0): 2, (0, 1): 7, (0, 0): 5}
    pairs = np.array([pair for pair, number in cells.items() for _ in range(number)], float)
    difference = paired_difference(*(pairs[None, :, None, which] for which in (0, 1)))
    n, only_a, only_b = 25 + 2, 2.5, 7.5
    error = np.sqrt(only_a + only_b - (only_b - only_a) ** 2 / n) / n
    expected = ((only_b - only_a) / n - 1.959964 * error, (only_b - only_a) / n + 1.959964 * error)
    assert (difference.low, difference.high) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("tasks", [1, 6, 100])
@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 1), (0, 0), (1, 0)])
def test_the_interval_does_not_collapse_at_the_edge(tasks: int, a: int, b: int) -> None:
    """Where all tasks agree, something as large as the rule of three's 3 / n may still be unseen, or nearly."""
    difference = paired_difference(np.full((1, tasks, 1), a), np.full((1, tasks, 1), b))
    assert difference.mean == b - a
    assert -1 <= difference.low <= difference.mean <= difference.high <= 1
    assert difference.high - difference.low > 3 / (tasks + 2)


def test_an_interval_of_a_mean_is_students_for_many_and_unknown_for_one() -> None:
    values = np.random.default_rng(5).normal(2, 3, 4000)
    expected = stats.ttest_1samp(values, 0).confidence_interval(CONFIDENCE)
    assert normal(values) == pytest.approx((expected.low, expected.high), abs=1e-3)
    assert np.isnan(normal(values[:1])).all()


@pytest.mark.parametrize("n", [2, 5, 100])
def test_an_interval_of_a_mean_of_few_is_students(n: int) -> None:
    values = np.random.default_rng(6).normal(2, 3, n)
    expected = stats.ttest_1samp(values, 0).confidence_interval(CONFIDENCE)
    assert student(values) == pytest.approx((expected.low, expected.high))
    assert np.isnan(student(values[:1])).all()


def test_a_clear_difference_is_found_and_has_its_sign() -> None:
    rng = np.random.default_rng(1)
    better, worse = draws(rng, 0.9), draws(rng, 0.5)
    difference = paired_difference(worse, better)
    assert 0 < difference.low < difference.mean < difference.high
    assert difference.p < 1e-3
    assert paired_difference(better, worse).high < 0


def test_pairing_by_task_takes_out_what_tasks_share() -> None:
    """Half of the tasks are hopeless for both: the interval is narrower than that of two unpaired samples."""
    rng = np.random.default_rng(2)
    possible = rng.random((1, 200, 1)) < 0.5
    a, b = possible & draws(rng, 0.9, tasks=200), possible & draws(rng, 0.98, tasks=200)
    difference = paired_difference(a, b)
    unpaired = 2 * 1.96 * np.sqrt((a.var() + b.var()) / 200)
    assert difference.high - difference.low < 0.7 * unpaired


def test_training_seeds_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    rates = (0.2, 0.5, 0.8)
    a = np.concatenate([draws(rng, rate) for rate in rates])
    b = np.concatenate([draws(rng, 0.5) for _ in rates])
    across, within = paired_difference(a, b), paired_difference(a[1:2], b[1:2])
    assert across.high - across.low > within.high - within.low


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b", "tasks"), [(0.6, 0.8, 60), (0.95, 1.0, 60), (0.02, 0.98, 20), (0.9, 0.98, 6)])
def test_the_interval_covers_the_truth_as_often_as_it_says(a: float, b: float, tasks: int) -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(60):
        difference = paired_difference(draws(rng, a, tasks=tasks), draws(rng, b, tasks=tasks))
        covered += difference.low <= b - a <= difference.high
    assert binomtest(covered, 60, CONFIDENCE, alternative="less").pvalue > 1e-3


@pytest.mark.parametrize("shape", [(100, 1), (1, 99, 1), (0, 100, 1)], ids=str)
def test_other_tasks_cannot_be_compared(shape: tuple[int, ...]) -> None:
    with pytest.raises(AgentError, match=r"successes: got shapes .* allowed \[seeds, tasks, trials\]"):
        paired_difference(np.zeros((1, 100, 1)), np.zeros(shape))
