"""Nudges: the objects are moved by a few centimetres while the robot is on its way.

A nudge is a part of a scene and drawn with it. All objects are moved at the same moment, each in a direction of its
own, or all in one where they have no room for that, whichever is the goal: a nudge tells nothing about it.
"""

from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np

from envs.errors import EnvError

FARTHEST = (0.0, 0.02, 0.04)
"""Level -> how far an object is moved at most [m]; at least it is half as far."""
TIMES = (0.1, 0.8)
"""When objects are moved, range [s]..."""
NEAR = 0.17
"""...or as soon as the fingertips are this near to the top of one, where it stands or will stand [m]. In one step they
come 0.07 m nearer: they are more than 0.1 m from every top when it is moved."""
AREA = ((0.37, 0.67), (-0.23, 0.23))
"""On the table and in the arm's reach: none is moved out of it, x range, y range [m]."""
LANE = 0.09
"""Least distance along x or y at which the hand passes between objects [m]: what is less need not stay."""
BESIDE = 0.13
"""From what is fixed, along x or y: as near as an object stands to a container anyway [m]."""
TRIES = 10_000
ROUNDING = 1e-9
"""Of distances that are the same [m]."""


@dataclass(frozen=True)
class Nudge:
    """time: when at the latest [s].  shifts: of each object, along x and y [m]."""

    time: float
    shifts: tuple[tuple[float, float], ...]


def sample_nudge(rng: np.random.Generator, level: int, stand: np.ndarray, fixed: np.ndarray) -> Nudge:
    """Draws a nudge that leaves as much room between things as there was: what could be done before still can.

    By rejection of whole nudges, so that it depends on nothing but where things are. Where `TRIES` are rejected, all
    objects are moved alike, which keeps the room between them, and may come nearer to what is fixed, up to `BESIDE`.

    Args:
        rng: source of all randomness.
        level: index of `FARTHEST`, 1 or more.
        stand: [n, 2] where the objects stand [m].
        fixed: [m, 2] what else stands on the table, upright to its axes [m].

    Raises:
        EnvError: there is no room to move them.
    """
    farthest, room = FARTHEST[level], _room(stand, fixed)
    low, high = np.transpose(AREA)
    low, high = np.minimum(low, stand.min(0)), np.maximum(high, stand.max(0))
    apart, alike = (len(stand), room), (1, np.minimum(room, [np.inf, np.inf, np.inf, BESIDE]))
    for ways, least in chain(repeat(apart, TRIES), repeat(alike, TRIES)):
        far, way = rng.uniform(farthest / 2, farthest, ways), rng.uniform(0, 2 * np.pi, ways)
        shifts = np.broadcast_to(far[:, None] * np.stack([np.cos(way), np.sin(way)], 1), stand.shape)
        moved = stand + shifts
        if (low <= moved).all() and (moved <= high).all() and (_room(moved, fixed) >= least - ROUNDING).all():
            return Nudge(float(rng.uniform(*TIMES)), tuple((float(x), float(y)) for x, y in shifts))
    raise EnvError(f"nudge: got level {level} for objects that have no room, allowed 0")


def _room(stand: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """[4] the least distances [m] between two objects along x and along y, 0 where they are less than `LANE`; in a
    straight line; and from one to what is fixed, along x or y, whichever is the larger."""
    apart = np.abs(stand[:, None] - stand[None])[~np.eye(len(stand), dtype=bool)]
    beside = np.abs(stand[:, None] - fixed[None]).max(-1)
    lanes, line = apart.min(0, initial=np.inf), np.linalg.norm(apart, axis=1).min(initial=np.inf)
    return np.array([*np.where(lanes < LANE, 0, lanes), line, beside.min(initial=np.inf)])
