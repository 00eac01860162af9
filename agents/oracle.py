"""A policy that is told where the goal is, instead of finding it: the most that its head can do."""

from typing import Any

import numpy as np
import torch

from agents import meta_net
from agents.errors import AgentError
from agents.fast import Adapted
from agents.imitation import Policy
from agents.view import scaled_point
from demos.record import Actor


def told(policy: Policy) -> Actor:
    """Who acts like an adapted policy whose final pose is the true one.

    Raises:
        AgentError: a policy whose head takes no pose.
    """
    adapted = policy.adapted
    if not isinstance(adapted, Adapted):
        raise AgentError("told: got a policy whose head takes no final pose, allowed one of the `fast` preset's kind")

    @torch.no_grad()
    def act(observation: dict[str, np.ndarray], info: dict[str, Any]) -> np.ndarray:
        pose = policy.outputs(policy.look(observation["image"]), observation["state"])["pose"].clone()
        known = torch.tensor(info["goal_points"], dtype=pose.dtype)
        pose[0, : len(known)] = scaled_point(known)
        _, action = meta_net.move(adapted.head, pose, policy.scaled(observation["state"]))
        return action[0].clamp(-1, 1).numpy()

    return act
