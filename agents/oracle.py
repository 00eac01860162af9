"""A policy that is told where the goal is, instead of finding it: the most that its head can do."""

from typing import Any

import numpy as np
import torch

from agents.errors import AgentError
from agents.imitation import Policy
from agents.view import scaled_point
from demos.record import Actor


def told(policy: Policy) -> Actor:
    """Who acts like an adapted policy that sees the true point wherever it looks.

    Raises:
        AgentError: a policy that sees no points.
    """

    def look(observation: dict[str, np.ndarray], info: dict[str, Any]) -> Any:
        seen = policy.look(observation["image"])
        if not hasattr(seen, "points"):
            raise AgentError("video 'told': got a policy that sees no points, allowed one that does, as `temporal`")
        points = seen.points.clone()
        known = scaled_point(torch.tensor(info["goal_points"]).to(points))
        points[0, : len(known)] = known[:, :, None, None]
        return seen._replace(points=points)

    return policy.imitator.acts(policy, look)
