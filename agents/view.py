"""What a policy goes by: what it has perceived of images, and the robot's state."""

from typing import Any, NamedTuple

from torch import Tensor


class Sizes(NamedTuple):
    """What a policy is made for.

    state: numbers in the robot's state.  action: in its action.  points: places that a task is about.  told: so many of
    them, the first ones, the video tells; the others (the only container) are found without.
    """

    state: int
    action: int
    points: int
    told: int = 1


REACHING = Sizes(state=10, action=3, points=1)

STATE_CENTRE = (0.45, 0.0, 0.15, 0.0, 0.0, 0.0, -2.3, 0.0, 2.2, 0.8, 0.04)
STATE_SCALE = (0.12, 0.15, 0.08, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.6, 0.02)
"""The robot state is shifted and scaled to about unit size: fingertip (3) [m], joints (7) [rad], and, where there is
one, the opening of the gripper [m]."""


class View(NamedTuple):
    """seen: what was perceived of n images, a pytree of [n, ...].  state: [m, state], scaled: one of each image, m = n,
    or else all of the first one."""

    seen: Any
    state: Tensor


def scaled_state(state: Tensor) -> Tensor:
    """[..., state] [m], [rad] -> about unit size; 0 where it is NaN."""
    return scaled(state).nan_to_num()


def scaled(state: Tensor) -> Tensor:
    """The same, NaN where it is NaN."""
    n = state.shape[-1]
    return (state - state.new_tensor(STATE_CENTRE[:n])) / state.new_tensor(STATE_SCALE[:n])


def known(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values with 0 where they are NaN, and 0 there and 1 elsewhere.

    A policy for several environments has NaN in the place of the numbers that one of them has not.
    """
    return values.nan_to_num(), (~values.isnan()).to(values)


def scaled_point(point: Tensor) -> Tensor:
    """[..., 3] [m] -> in the scale of the fingertip in the state."""
    return (point - point.new_tensor(STATE_CENTRE[:3])) / point.new_tensor(STATE_SCALE[:3])
