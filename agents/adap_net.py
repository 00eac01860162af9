"""The learned temporal loss: it watches the policy watch the video.

1-D convolutions along the video over what the policy computes for each frame; the loss is the squared norm of their
output (Yu et al. 2018, arXiv 1802.01557, "Learned Temporal Adaptation Objectives"). No actions, no labels.

What it is given decides what it can learn. `along` is what the paper gives it: the policy's activations. Nothing of
that tells where the hand is, and the gradient of an expected position cannot single out one object of three. `sight` is
that: where each channel of the trunk sees something, how clearly, and how much the policy would look there in the
first frame.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.layers import conv1d, grid, init_conv
from agents.meta_net import CHANNELS, HIDDEN, TEMPERATURE, Activations
from agents.view import Sizes
from daml import Params

TEMPORAL = 32
KERNEL = 3
LOG_SCALE = 10.0
"""By which log-attentions are divided, to be of about unit size."""


def init(generator: torch.Generator, inputs: int, gain: float = 1.0) -> Params:
    """Args:
    generator: of the draw.
    inputs: numbers that a frame is.
    gain: of the last layer.
    """
    params: Params = {}
    init_conv(params, "time1", inputs, TEMPORAL, (KERNEL,), generator)
    init_conv(params, "time2", TEMPORAL, TEMPORAL, (KERNEL,), generator)
    init_conv(params, "time3", TEMPORAL, TEMPORAL, (1,), generator, gain=gain)
    return params


def temporal_loss(psi: Params, frames: Tensor) -> Tensor:
    """What the policy computed along the video [frames, inputs] -> the scalar that an inner step descends."""
    x = F.relu(conv1d(psi, "time1", frames.T[None]))  # [1, channels, frames]
    x = F.relu(conv1d(psi, "time2", x))
    return conv1d(psi, "time3", x).square().mean()


def along(seen: Activations) -> Tensor:
    """All that a policy computed but its attention, frame by frame: [frames, `moments`]."""
    told = seen.keypoint.shape[1]
    return torch.cat([seen.keypoint.flatten(1), seen.pose[:, :told].flatten(1), seen.hidden, seen.action], -1)


def moments(sizes: Sizes) -> int:
    """How many numbers a frame is in `along`."""
    return sizes.told * (2 + 3) + HIDDEN + sizes.action


def sight(features: Tensor, log_maps: Tensor, centre: Tensor | float = 0.0) -> Tensor:
    """What is seen along a video, and how it lies to maps of its first frame: [frames, `sights`].

    Args:
        features: [frames, CHANNELS, h, w], of the trunk.
        log_maps: [n, cells], log-probabilities; as the policy's attention in the first frame: what the hand comes to
            is seen best before.
        centre: (x, y) that places are told from.

    Returns:
        Of every channel the place where it is strongest (x, y), a spatial soft-argmax; how strong it is there; and each
        map at that place.
    """
    where, strength, maps = places(features)
    looks = torch.einsum("tkc,nc->tnk", maps, log_maps) / LOG_SCALE
    return torch.cat([(where - centre).flatten(1), strength, looks.flatten(1)], -1)


def sights(n: int) -> int:
    """How many numbers a frame is in `sight`, with n maps."""
    return (2 + 1 + n) * CHANNELS


def places(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where each channel is strongest: positions [n, CHANNELS, 2] in [-1, 1], strengths [n, CHANNELS], and the maps
    [n, CHANNELS, cells] that both are means under.

    Source: spatial soft-argmax of Levine et al. 2016, arXiv 1504.00702.
    """
    h, w = features.shape[-2:]
    cells = features.flatten(-2)
    maps = (2 * TEMPERATURE * cells).softmax(-1)
    return maps @ grid(h, w, like=features), (maps * cells).sum(-1), maps
