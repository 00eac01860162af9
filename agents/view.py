"""What a policy goes by: what it has perceived of images, and the robot's state."""

from typing import Any, NamedTuple

from torch import Tensor

STATE = 10
STATE_CENTRE = (0.45, 0.0, 0.15, 0.0, 0.0, 0.0, -2.3, 0.0, 2.2, 0.8)
STATE_SCALE = (0.12, 0.15, 0.08, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.6)
"""The robot state is shifted and scaled to about unit size: fingertip (3) [m], joints (7) [rad]."""


class View(NamedTuple):
    """seen: what was perceived of n images, a pytree of [n, ...].  state: [m, STATE], scaled; m = n, or n = 1: one
    image for all states."""

    seen: Any
    state: Tensor


def scaled_state(state: Tensor) -> Tensor:
    """[..., STATE] [m], [rad] -> about unit size."""
    return (state - state.new_tensor(STATE_CENTRE)) / state.new_tensor(STATE_SCALE)


def scaled_point(point: Tensor) -> Tensor:
    """[..., 3] [m] -> in the scale of the fingertip in the state."""
    return (point - point.new_tensor(STATE_CENTRE[:3])) / point.new_tensor(STATE_SCALE[:3])
