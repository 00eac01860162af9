"""Success of the tasks with movable things: pure functions of what was measured."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs import pick_place, placing, pushing
from envs.tabletop import CONTROL_PERIOD, held

NEEDED = 5  # control periods of every hold
flags = st.lists(st.booleans(), max_size=12)


@given(flags, st.integers(1, 6))
def test_held_is_so_for_the_last_steps(values, steps):
    expected = len(values) >= steps and all(values[-steps:])
    assert held(np.array(values, bool), steps * CONTROL_PERIOD) is expected


@given(flags)
def test_placing_holds_for_its_time(placed):
    assert round(placing.HOLD_TIME / CONTROL_PERIOD) == NEEDED
    assert placing.is_success(np.array(placed, bool)) is (len(placed) >= NEEDED and all(placed[-NEEDED:]))


def pushed(*ends):
    """[t, n] straight pushes from -0.1 to each end, which are then kept for the hold."""
    way = np.linspace(-0.1, ends, 10)
    return np.concatenate([way, np.repeat(way[-1:], NEEDED - 1, axis=0)])


OVER = pushing.LINE + 0.001


@pytest.mark.parametrize(
    ("ends", "success"),
    [
        ((OVER, 0.0, 0.0), True),
        ((pushing.LINE, 0.0, 0.0), False),
        ((0.0, OVER, 0.0), False),
        ((OVER, OVER, 0.0), False),
        ((OVER, 0.0, OVER), False),
        ((0.0, 0.0, 0.0), False),
    ],
)
def test_pushing_needs_the_goal_over_the_line_and_nothing_else(ends, success):
    assert pushing.is_success(pushed(*ends), 0) is success


def test_pushing_needs_the_whole_hold():
    way = pushed(OVER, 0.0, 0.0)
    assert pushing.is_success(way, 0)
    assert not pushing.is_success(way[:-1], 0)
    assert not pushing.is_success(np.append(way, [[0.0, 0.0, 0.0]], axis=0), 0)


@pytest.mark.parametrize(
    ("distance", "fingers", "placed"), [(0.0, 0, True), (0.05, 0, True), (0.051, 0, False), (0.0, 1, False)]
)
def test_an_item_is_placed_near_the_middle_and_out_of_the_hand(distance, fingers, placed):
    assert placing.is_placed(distance, fingers) is placed


def test_offsets_are_horizontal():
    containers = np.array([[0.5, 0.0, 0.05], [0.5, 0.2, 0.01]])
    assert placing.offsets(np.array([0.5, 0.05, 0.7]), containers) == pytest.approx([0.05, 0.15])


def test_the_stages_of_pick_and_place():
    item = np.array([0.5, 0.0, 0.03])
    assert pick_place.is_reached(item + np.array([0, 0, pick_place.REACH_DISTANCE - 1e-6]), item)
    assert not pick_place.is_reached(item + np.array([0, 0, pick_place.REACH_DISTANCE + 1e-6]), item)
    assert [pick_place.is_grasped(n) for n in range(3)] == [False, False, True]
    assert pick_place.is_lifted(pick_place.LIFT_HEIGHT, 2)
    assert not pick_place.is_lifted(pick_place.LIFT_HEIGHT, 1)
    assert not pick_place.is_lifted(pick_place.LIFT_HEIGHT - 1e-6, 2)
