"""The `fast` method: its learned loss proposes a place in the video, and watches the policy's activations besides.

The spatial part is the cross-entropy between a proposal and the policy's attention (`agents.proposal`). Its gradient
step is a read-out, to the last outcome (`agents.methods.pointer`). The temporal part does not see where anything is,
and taken away it changes nothing. So this is attention, learned through a gradient step.
"""

import torch
from torch import Tensor

from agents import adap_net, meta_net, proposal
from agents.imitation import Imitator
from agents.methods.head import adapting
from agents.view import REACHING, Sizes, View
from daml import Params


def init_loss(generator: torch.Generator, sizes: Sizes) -> Params:
    """psi of both parts."""
    return proposal.init(generator, sizes.told) | adap_net.init(generator, adap_net.moments(sizes), gain=0.1)


def loss(psi: Params, theta: Params, video: View, seen: meta_net.Activations) -> Tensor:
    """Spatial and temporal part."""
    proposed = proposal.propose(psi, video.seen.features)
    spatial = proposal.spatial_loss(proposed, seen.log_told)
    return spatial + adap_net.temporal_loss(psi, adap_net.along(seen))


def fast(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The method; with zero inner steps it is the policy without adaptation."""
    return adapting(loss, init_loss, inner_steps, sizes)
