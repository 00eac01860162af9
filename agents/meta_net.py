"""The policy of the `fast` preset: a shared trunk, one attention query, a small head.

    image -> trunk -> unit features f[c] at every cell c      (shared by all tasks, not adapted)
    attention[c] = softmax(temperature * query . f[c])        (adapted: the query is *what* to go to)
    keypoint = expected position under the attention          (spatial soft-argmax, Levine et al. 2016)
    appearance = expected feature under the attention         (tells how tall what is attended to is)
    pose = where the fingertips should end                    (predicted from both; Yu et al. 2018)
    action = mlp(keypoint, pose, robot state, bias transform)

With unit features, the gradient of a log-attention with respect to the query is "the feature at that place minus the
mean feature": one step along it points the attention at everything that looks like that place.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.layers import conv2d, grid, init_conv, init_linear, linear
from daml import MetaParams, Params

CHANNELS = 32
HIDDEN = 128
TEMPERATURE = 8.0
STATE = 10
ACTION = 3
BIAS_TRANSFORM = 10
"""Size of the learned constant that is concatenated to the head's input (Finn et al. 2017b, arXiv 1709.04905)."""

STATE_CENTRE = (0.45, 0.0, 0.15, 0.0, 0.0, 0.0, -2.3, 0.0, 2.2, 0.8)
STATE_SCALE = (0.12, 0.15, 0.08, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.6)
"""The robot state is shifted and scaled to about unit size: fingertip (3) [m], joints (7) [rad]."""


class View(NamedTuple):
    """What the policy sees. features: [..., channels, h, w], unit norm over channels.  state: [..., 10], scaled."""

    features: Tensor
    state: Tensor


class Activations(NamedTuple):
    """All that the policy computes for n frames, for the learned loss to look at.

    features: [n, channels, cells].  log_attention: [n, cells].  keypoint: [n, 2] in [-1, 1].  pose: [n, 3], scaled as
    the fingertip in the state.  hidden: [n, HIDDEN].  action: [n, 3].
    """

    features: Tensor
    log_attention: Tensor
    keypoint: Tensor
    pose: Tensor
    hidden: Tensor
    action: Tensor


def init_trunk(generator: torch.Generator) -> Params:
    params: Params = {}
    init_conv(params, "conv1", 3, 24, (5, 5), generator)
    init_conv(params, "conv2", 24, CHANNELS, (3, 3), generator)
    init_conv(params, "conv3", CHANNELS, CHANNELS, (3, 3), generator)
    init_conv(params, "conv4", CHANNELS, CHANNELS, (1, 1), generator)
    return params


def init_head(generator: torch.Generator) -> Params:
    params: Params = {"query": 0.01 * torch.randn(CHANNELS, generator=generator)}
    params["bias_transform"] = torch.zeros(BIAS_TRANSFORM)
    init_linear(params, "pose1", 2 + CHANNELS + BIAS_TRANSFORM, 64, generator)
    init_linear(params, "pose2", 64, 3, generator, gain=0.1)
    init_linear(params, "fc1", 2 + 3 + STATE + BIAS_TRANSFORM, HIDDEN, generator)
    init_linear(params, "fc2", HIDDEN, HIDDEN, generator)
    init_linear(params, "fc3", HIDDEN, ACTION, generator, gain=0.1)
    return params


def features(trunk: Params, images: Tensor) -> Tensor:
    """uint8 [n, H, W, 3] -> unit features [n, CHANNELS, H / 4, W / 4]."""
    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    x = F.relu(conv2d(trunk, "conv1", x, stride=2))
    x = F.relu(conv2d(trunk, "conv2", x, stride=2))
    x = F.relu(conv2d(trunk, "conv3", x))
    x = F.instance_norm(conv2d(trunk, "conv4", x))
    # Not quite unit length: what differs from the image's mean by little stays short.
    return x * (x.square().mean(1, keepdim=True) + 1).rsqrt() * CHANNELS**-0.5


def perceive(meta: MetaParams, images: Tensor, state: Tensor) -> View:
    """uint8 [n, H, W, 3] and [n, 10] [m], [rad] -> the shared part of the policy."""
    return View(features(meta["trunk"], images), scaled_state(state))


def scaled_state(state: Tensor) -> Tensor:
    """[..., 10] [m], [rad] -> about unit size."""
    return (state - state.new_tensor(STATE_CENTRE)) / state.new_tensor(STATE_SCALE)


def scaled_point(point: Tensor) -> Tensor:
    """[..., 3] [m] -> the fingertip's part of the scaled state."""
    return (point - point.new_tensor(STATE_CENTRE[:3])) / point.new_tensor(STATE_SCALE[:3])


def act(head: Params, view: View) -> Activations:
    """The policy on n frames of one task: features [n, CHANNELS, h, w], state [n, STATE]."""
    height, width = view.features.shape[-2:]
    cells = view.features.flatten(-2)  # [n, channels, cells]
    logits = TEMPERATURE * torch.einsum("k,nkc->nc", head["query"], cells)
    log_attention = F.log_softmax(logits, dim=-1)
    keypoint = log_attention.exp() @ grid(height, width, like=cells)  # [n, 2]
    appearance = torch.einsum("nc,nkc->nk", log_attention.exp(), cells)  # [n, channels]
    constant = head["bias_transform"].expand(len(cells), -1)
    pose = linear(head, "pose2", F.relu(linear(head, "pose1", torch.cat([keypoint, appearance, constant], -1))))
    x = torch.cat([keypoint, pose, view.state, constant], -1)
    x = F.relu(linear(head, "fc1", x))
    hidden = F.relu(linear(head, "fc2", x))
    return Activations(cells, log_attention, keypoint, pose, hidden, linear(head, "fc3", hidden))
