"""The `both` method: a proposal of a place in the video, and a temporal loss that sees the policy look.

Where the video tells one thing, which object, either part is enough. Where it also tells what is done, the spatial part
finds the object (`agents.proposal`), and the temporal part says how it moves (`agents.methods.temporal`).
"""

import torch
from torch import Tensor

from agents import meta_net, proposal
from agents.imitation import Imitator
from agents.methods import temporal
from agents.methods.head import adapting
from agents.view import REACHING, Sizes, View
from daml import Params


def init_loss(generator: torch.Generator, sizes: Sizes) -> Params:
    """psi of both parts."""
    return proposal.init(generator) | temporal.init_loss(generator, sizes)


def loss(psi: Params, video: View, seen: meta_net.Activations) -> Tensor:
    """Spatial and temporal part."""
    proposed = proposal.propose(psi, video.seen.features)
    return proposal.spatial_loss(proposed, seen.log_attention[:, 0]) + temporal.loss(psi, video, seen)


def both(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The method; with zero inner steps it is the policy without adaptation."""
    return adapting(loss, init_loss, inner_steps, sizes)
