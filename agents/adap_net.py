"""The learned adaptation loss of the `fast` preset: it watches the policy watch the video.

A spatial part looks at the features of each frame beside those of the first and the last frame, and proposes where the
goal is (a distribution over cells) and, for each cell, when it can be seen there and not the hand (a distribution over
frames). Its loss is the cross-entropy between that proposal and the policy's attention. A temporal part runs 1-D
convolutions over the rest of the policy's activations along the video; its loss is the squared norm of their output (Yu
et al. 2018, arXiv 1802.01557, "Learned Temporal Adaptation Objectives"). No actions, no labels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.layers import conv1d, conv2d, init_conv
from agents.meta_net import CHANNELS, HIDDEN, Activations
from agents.view import Sizes
from daml import Params

SPATIAL = 24
TEMPORAL = 32
KERNEL = 3


def init(generator: torch.Generator, sizes: Sizes) -> Params:
    params: Params = {}
    init_conv(params, "now", CHANNELS, SPATIAL, (1, 1), generator)
    init_conv(params, "ends", 2 * CHANNELS, SPATIAL, (1, 1), generator)
    init_conv(params, "space1", SPATIAL, SPATIAL, (3, 3), generator)
    init_conv(params, "space2", SPATIAL, SPATIAL, (3, 3), generator)
    init_conv(params, "space3", SPATIAL, 2, (1, 1), generator, gain=0.1)
    return params | init_temporal(generator, sizes, gain=0.1)


def init_temporal(generator: torch.Generator, sizes: Sizes, gain: float = 1.0) -> Params:
    """The parameters of `temporal_loss`; gain: of its last layer."""
    params: Params = {}
    init_conv(params, "time1", moments(sizes), TEMPORAL, (KERNEL,), generator)
    init_conv(params, "time2", TEMPORAL, TEMPORAL, (KERNEL,), generator)
    init_conv(params, "time3", TEMPORAL, TEMPORAL, (1,), generator, gain=gain)
    return params


class Proposal(NamedTuple):
    """Where the goal is and when it can be seen: log-probabilities.

    where: [cells], a distribution over cells.  when: [frames, cells], for each cell a distribution over frames.
    """

    where: Tensor
    when: Tensor


def propose(psi: Params, features: Tensor) -> Proposal:
    """What the video is about, from its features [frames, CHANNELS, h, w]."""
    ends = torch.cat([features[:1], features[-1:]], dim=1)
    x = F.relu(conv2d(psi, "now", features) + conv2d(psi, "ends", ends))
    x = F.relu(conv2d(psi, "space1", x))
    x = F.relu(conv2d(psi, "space2", x, dilation=2))
    where, when = conv2d(psi, "space3", x).flatten(2).unbind(1)  # [frames, cells] each
    return Proposal(F.log_softmax(where.mean(0), dim=0), F.log_softmax(when, dim=0))


def loss(psi: Params, proposal: Proposal, seen: Activations) -> Tensor:
    """The scalar that one gradient step descends.

    Args:
        psi: the parameters.
        proposal: of `propose`.
        seen: what the policy computed for each frame.
    """
    spatial = -((proposal.where + proposal.when).exp() * seen.log_attention[:, 0]).sum()
    return spatial + temporal_loss(psi, seen)


def temporal_loss(psi: Params, seen: Activations) -> Tensor:
    """The temporal part alone."""
    x = F.relu(conv1d(psi, "time1", along(seen).T[None]))  # [1, channels, frames]
    x = F.relu(conv1d(psi, "time2", x))
    return conv1d(psi, "time3", x).square().mean()


def along(seen: Activations) -> Tensor:
    """All that a policy computed but its attention, frame by frame: [frames, `moments`]."""
    return torch.cat([seen.keypoint, seen.pose[:, 0], seen.hidden, seen.action], -1)


def moments(sizes: Sizes) -> int:
    """How many numbers a frame is in `along`."""
    return 2 + 3 + HIDDEN + sizes.action
