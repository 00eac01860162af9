"""The `temporal` method: one gradient step of a loss learned along the video, and nothing else.

The loss is convolutions over time and a squared norm, as published (Yu et al. 2018, arXiv 1802.01557). It sees what the
policy computes for every frame and, which the paper does not say, how the policy looks at what moves
(`agents.adap_net.sight`). The gradient of that attention is what points the policy at one object; and, where the video
tells two places, a query of its own at each.
"""

import torch
from torch import Tensor

from agents import adap_net, meta_net
from agents.imitation import Imitator
from agents.methods.head import adapting
from agents.view import REACHING, Sizes, View
from daml import Params


def init_loss(generator: torch.Generator, sizes: Sizes) -> Params:
    """psi."""
    return adap_net.init(generator, adap_net.moments(sizes) + adap_net.sights(sizes.told))


def loss(psi: Params, theta: Params, video: View, seen: meta_net.Activations) -> Tensor:
    """The learned loss of what the policy computes along the video, and of how it looks."""
    frames = torch.cat([adap_net.along(seen), adap_net.sight(video.seen.features, seen.log_told[0])], -1)
    return adap_net.temporal_loss(psi, frames)


def temporal(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The method; with zero inner steps it is the policy without adaptation."""
    return adapting(loss, init_loss, inner_steps, sizes)


def final_pose(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`temporal`, whose outer loss is told where the demonstration's fingertip ends, as published, and not where the
    simulator has the goal."""
    usual = temporal(inner_steps, sizes)
    return usual._replace(wanted=usual.wanted._replace(pose="end"))
