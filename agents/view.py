"""What a policy goes by: what it has perceived of images, and the robot's state."""

from typing import Any, NamedTuple

from torch import Tensor


class Scale(NamedTuple):
    """Of numbers that are shifted and scaled to about unit size: centre becomes 0, and what is spread more 1."""

    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def to_unit(self, values: Tensor) -> Tensor:
        """[..., n] for the first n numbers; NaN where it is NaN."""
        n = values.shape[-1]
        return (values - values.new_tensor(self.centre[:n])) / values.new_tensor(self.spread[:n])

    def from_unit(self, values: Tensor) -> Tensor:
        """The inverse."""
        n = values.shape[-1]
        return values * values.new_tensor(self.spread[:n]) + values.new_tensor(self.centre[:n])

    def way_to_unit(self, values: Tensor) -> Tensor:
        """The same of ways [..., n] from one value to another."""
        return values / values.new_tensor(self.spread[: values.shape[-1]])

    def way_from_unit(self, values: Tensor) -> Tensor:
        """The inverse."""
        return values * values.new_tensor(self.spread[: values.shape[-1]])


class Units(NamedTuple):
    """Of a robot: its state, its actions, and points where its fingertip can be; and the actions that it may be given,
    from low to high."""

    state: Scale
    action: Scale
    point: Scale
    low: tuple[float, ...]
    high: tuple[float, ...]


STATE_CENTRE = (0.45, 0.0, 0.15, 0.0, 0.0, 0.0, -2.3, 0.0, 2.2, 0.8, 0.04)
STATE_SCALE = (0.12, 0.15, 0.08, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.6, 0.02)
"""Of the robot here: fingertip (3) [m], joints (7) [rad], and, where there is one, the opening of the gripper [m]."""
OURS = Units(
    Scale(STATE_CENTRE, STATE_SCALE),
    Scale((0.0,) * 4, (1.0,) * 4),
    Scale(STATE_CENTRE[:3], STATE_SCALE[:3]),
    (-1.0,) * 4,
    (1.0,) * 4,
)
"""Of the robot in all environments here."""


class Sizes(NamedTuple):
    """What a policy is made for.

    state: numbers in the robot's state.  action: in its action.  points: places that a task is about.  told: so many of
    them, the first ones, the video tells; the others (the only container) are found without.  units: of the robot.
    """

    state: int
    action: int
    points: int
    told: int = 1
    units: Units = OURS


REACHING = Sizes(state=10, action=3, points=1)


def sizes_from(said: Any) -> Sizes:
    """The sizes, from what JSON makes of them.

    Raises:
        TypeError, ValueError: it is something else.
    """
    state, action, points, *more = said  # of older policies only these
    told = more[0] if more else 1
    if len(more) < 2:
        return Sizes(state, action, points, told)
    *scales, low, high = more[1]
    state_scale, action_scale, point_scale = (Scale(*map(tuple, each)) for each in scales)
    units = Units(state_scale, action_scale, point_scale, tuple(low), tuple(high))
    return Sizes(state, action, points, told, units)


class View(NamedTuple):
    """seen: what was perceived of n images, a pytree of [n, ...].  state: [m, state], scaled: one of each image, m = n,
    or else all of the first one.  moved: [m, places, 3], scaled, how far each place has been moved since then; nothing
    where nobody has moved one.  hand: [k, ...], what was perceived of what the camera in the hand sees at the last k
    states; nothing of a policy that does not look there."""

    seen: Any
    state: Tensor
    moved: Any = ()
    hand: Any = ()


def scaled_state(state: Tensor, units: Units = OURS) -> Tensor:
    """[..., state] [m], [rad] -> about unit size; 0 where it is NaN."""
    return units.state.to_unit(state).nan_to_num()


def scaled_targets(targets: dict[str, Tensor], units: Units = OURS) -> dict[str, Tensor]:
    """What should come out of a policy, as it comes out: its "action", "pose", "end" and "glance_points", those of them
    that there are, in about unit size; NaN where it is NaN."""
    points = dict.fromkeys(("pose", "glance_points"), units.point)
    of = {"action": units.action, "end": units.state, **points}
    return targets | {name: scale.to_unit(targets[name]) for name, scale in of.items() if name in targets}


def known(values: Tensor) -> tuple[Tensor, Tensor]:
    """Values with 0 where they are NaN, and 0 there and 1 elsewhere.

    A policy for several environments has NaN in the place of the numbers that one of them has not.
    """
    return values.nan_to_num(), (~values.isnan()).to(values)


def scaled_point(point: Tensor, units: Units = OURS) -> Tensor:
    """[..., 3] [m] -> in the scale of the fingertip in the state."""
    return units.point.to_unit(point)
