"""Eyes open: policies that look at every step, and go to where things are now.

A policy of one look knows from an episode's first image where everything is, and acts by that and the robot's state. A
policy with its eyes open does the same with places that it keeps up to date: it sees each of them anew in every image,
until its hand is there. From then on the hand hides the place, and what was there moves with it.

In meta-training it is told, of every state, how far its places have been moved by then, so that one image serves for
many states; and it is asked where they are in some of the later images, with the arm in them.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents import meta_net
from agents.imitation import Acts, Imitator, Look, Policy
from agents.methods import both, precise, temporal
from agents.view import REACHING, Sizes
from demos.record import Actor

LOOKS = 3
"""Later images of a demonstration in a meta-step, in which it is asked where the places are."""
NEAR = 0.08
"""From where on its hand is at a place [m]. Nothing is nudged that is so near to it (`envs.nudge`)."""


class Kept(NamedTuple):
    """first: what was seen of an episode's first image.  there: where its places are in it, [1, places, 3], scaled.
    now: where they are by now.  reached: [1, places, 1], at which of them the hand has been."""

    first: Any
    there: Tensor
    now: Tensor
    reached: Tensor


def keeping_up(policy: Policy, look: Look) -> Look:
    """How a policy looks in one episode: it sees the first image, and in it the places where they are by now."""
    kept: list[Kept] = []

    @torch.no_grad()
    def looked(observation: dict[str, np.ndarray], info: dict[str, Any]) -> Any:
        if not (kept and kept[0].reached.all()):
            seen = look(observation, info)
            places = meta_net.places(policy.adapted.head, seen)
            if not kept:
                kept.append(Kept(seen, places, places, torch.zeros_like(places[..., :1], dtype=torch.bool)))
            way = kept[0].now - policy.scaled(observation["state"])[:, None, both.FINGERTIP]
            far = policy.imitator.sizes.units.point.way_from_unit(way).norm(dim=-1, keepdim=True)
            reached = kept[0].reached | (far < NEAR)
            kept[0] = kept[0]._replace(now=torch.where(reached, kept[0].now, places), reached=reached)
        moved = kept[0].now - kept[0].there
        return kept[0].first._replace(points=kept[0].first.points + moved[..., None, None])

    return looked


def acts(usual: Acts, policy: Policy, look: Look) -> Actor:
    """As of a policy of one look, that keeps up."""
    return usual(policy, keeping_up(policy, look))


def opened(usual: Imitator) -> Imitator:
    """A policy of one look with its eyes open."""
    return usual._replace(wanted=usual.wanted._replace(looks=LOOKS), acts=partial(acts, usual.acts))


def looking(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`precise` with its eyes open."""
    return opened(precise.precise(inner_steps, sizes))


def looking_both(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`both` with its eyes open."""
    return opened(both.both(inner_steps, sizes))


def looking_temporal(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`temporal` with its eyes open."""
    return opened(temporal.temporal(inner_steps, sizes))
