"""The spatial part of a learned loss: it proposes where in a video the goal is, or each place of it.

It looks at the features of each frame beside those of the first and the last frame, and says for each cell how likely
the goal is there (a distribution over cells) and when it can be seen there and not the hand (a distribution over
frames). As a loss it is the cross-entropy between that proposal and the policy's attention. One gradient step of it has
a closed form: it is a read-out of the features at the proposed places (`agents.methods.pointer`).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.layers import conv2d, init_conv
from agents.meta_net import CHANNELS
from daml import Params

SPATIAL = 24


def init(generator: torch.Generator, told: int = 1) -> Params:
    """told: how many places a video tells."""
    params: Params = {}
    init_conv(params, "now", CHANNELS, SPATIAL, (1, 1), generator)
    init_conv(params, "ends", 2 * CHANNELS, SPATIAL, (1, 1), generator)
    init_conv(params, "space1", SPATIAL, SPATIAL, (3, 3), generator)
    init_conv(params, "space2", SPATIAL, SPATIAL, (3, 3), generator)
    init_conv(params, "space3", SPATIAL, 2 * told, (1, 1), generator, gain=0.1)
    return params


class Proposal(NamedTuple):
    """Where each told place is and when it can be seen: log-probabilities.

    where: [told, cells], distributions over cells.  when: [frames, told, cells], for each cell one over frames.
    """

    where: Tensor
    when: Tensor

    @property
    def weights(self) -> Tensor:
        """Of every cell in every frame: [frames, told, cells], they sum to 1 for each place."""
        return (self.where + self.when).exp()


def propose(psi: Params, features: Tensor) -> Proposal:
    """What the video is about, from its features [frames, CHANNELS, h, w]."""
    return proposal(psi, watch(psi, features))


def watch(psi: Params, features: Tensor) -> Tensor:
    """Every frame beside the first and the last one: [frames, CHANNELS, h, w] -> [frames, SPATIAL, h, w]."""
    ends = torch.cat([features[:1], features[-1:]], dim=1)
    x = F.relu(conv2d(psi, "now", features) + conv2d(psi, "ends", ends))
    x = F.relu(conv2d(psi, "space1", x))
    return F.relu(conv2d(psi, "space2", x, dilation=2))


def proposal(psi: Params, x: Tensor) -> Proposal:
    """What the video is about, from what `watch` returned."""
    where, when = conv2d(psi, "space3", x).flatten(2).unflatten(1, (-1, 2)).unbind(2)  # [frames, told, cells] each
    return Proposal(F.log_softmax(where.mean(0), dim=-1), F.log_softmax(when, dim=0))


def spatial_loss(proposal: Proposal, log_attention: Tensor) -> Tensor:
    """Cross-entropy between a proposal and an attention [frames, told, cells], summed over places."""
    return -(proposal.weights * log_attention).sum()
