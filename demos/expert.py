"""Scripted controllers that solve the environments from what `info` tells."""

from typing import Any

import numpy as np

from envs.reaching import CONTROL_PERIOD, MAX_SPEED

_GAIN = 0.5 / CONTROL_PERIOD  # [1/s]: half of the remaining way in each step
_GLIDE = 0.6  # the fingertip descends along a cone of this slope, so that it passes over other objects
_CLEARANCE = 0.12  # [m] the highest that the cone rises above the goal


def reach_expert(info: dict[str, Any]) -> np.ndarray:
    """The action [3] in [-1, 1] that goes on towards the goal: above it first, then down onto it.

    Args:
        info: of `ReachEnv`, with "goal" and "fingertip" [3] [m].
    """
    way = info["goal"] - info["fingertip"]
    way[2] += min(_GLIDE * np.hypot(*way[:2]), _CLEARANCE)
    velocity = _GAIN * way / MAX_SPEED
    return (velocity / max(1.0, np.abs(velocity).max())).astype(np.float32)
