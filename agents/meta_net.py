"""The policy of the `temporal` preset: a shared trunk, one attention query, a small head.

    image -> trunk -> unit features f[c] and points p[c] at every cell c       (shared by all tasks, not adapted)
    attention[c] = softmax(temperature * query . f[c])                         (adapted: the query is *what* to go to)
    pose = mean of p[c] under the attention around its peak                    (where the fingertips should end)
    action = mlp(pose, robot state, bias transform)                            (adapted)

With unit features, the gradient of a log-attention with respect to the query is "the feature at that place minus the
mean feature": one step along it points the attention at everything that looks like that place. p[c] answers "where
would the fingertips end if the goal were here", so attention and points together are a mixture density over final
poses, one component a cell, and a goal that stands between two objects never comes out of it.

A task may be about more places (what is picked is put into a container): each has a query and a point at every cell of
its own. The queries of those that the video tells are adapted; where it does not tell one, as there is only the one
container, its query belongs to the trunk.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.layers import conv2d, grid, init_conv, init_linear, linear, with_place
from agents.view import Sizes, View
from daml import Params

CHANNELS = 32
POINT_CHANNELS = 32
HIDDEN = 128
TEMPERATURE = 8.0
PEAK = 2
"""Cells on each side of the attention's peak that the pose is read from."""
BIAS_TRANSFORM = 10
"""Size of the learned constant that is concatenated to the head's input (Finn et al. 2017b, arXiv 1709.04905)."""


class Seen(NamedTuple):
    """Of n images. features: [n, CHANNELS, h, w], unit norm over channels.  points: [n, places, 3, h, w], scaled.
    log_landmarks: [n, places - told, cells], the attention to the places that the video does not tell."""

    features: Tensor
    points: Tensor
    log_landmarks: Tensor


class Activations(NamedTuple):
    """All that the policy computes, for the learned loss to look at.

    Of n images: log_attention [n, places, cells], keypoint [n, told, 2] in [-1, 1] (of the places that the video
    tells), points [n, places, cells, 3] and pose [n, places, 3], scaled as the fingertip in the state.  Of m states:
    hidden [m, HIDDEN], action [m, action].
    """

    log_attention: Tensor
    keypoint: Tensor
    points: Tensor
    pose: Tensor
    hidden: Tensor
    action: Tensor

    @property
    def log_told(self) -> Tensor:
        """[n, told, cells], the attention to the places that the video tells."""
        return self.log_attention[:, : self.keypoint.shape[1]]


More = Callable[[Params, Tensor, View], list[Tensor]]
"""(head, places [n, places, 3] that it goes to, what it goes by) -> what else a head sees, each [m, ...]."""


def nothing_more(head: Params, goal: Tensor, view: View) -> list[Tensor]:
    """Both ends of the way, and no more."""
    return []


def init_trunk(generator: torch.Generator, sizes: Sizes) -> Params:
    params: Params = {}
    init_conv(params, "conv1", 3, 24, (5, 5), generator)
    init_conv(params, "conv2", 24, CHANNELS, (3, 3), generator)
    init_conv(params, "conv3", CHANNELS, CHANNELS, (3, 3), generator)
    init_conv(params, "conv4", CHANNELS, CHANNELS, (1, 1), generator)
    init_conv(params, "point1", CHANNELS + 2, POINT_CHANNELS, (3, 3), generator)
    init_conv(params, "context", POINT_CHANNELS, POINT_CHANNELS, (1, 1), generator)
    init_conv(params, "point2", POINT_CHANNELS, POINT_CHANNELS, (1, 1), generator)
    init_conv(params, "point3", POINT_CHANNELS, 3 * sizes.points, (1, 1), generator, gain=0.1)
    params["landmarks"] = 0.01 * torch.randn(sizes.points - sizes.told, CHANNELS, generator=generator)
    params["log_spread"] = torch.tensor(-0.7)
    return params


def init_head(generator: torch.Generator, sizes: Sizes, more: int = 0) -> Params:
    """more: how many numbers `More` adds to what the head sees. "query" holds that of each told place, one after the
    other."""
    params: Params = {"query": 0.01 * torch.randn(sizes.told * CHANNELS, generator=generator)}
    params["bias_transform"] = torch.zeros(BIAS_TRANSFORM)
    inputs = 3 * sizes.points + sizes.state + BIAS_TRANSFORM + more
    init_linear(params, "fc1", inputs, HIDDEN, generator)
    init_linear(params, "fc2", HIDDEN, HIDDEN, generator)
    init_linear(params, "fc3", HIDDEN, sizes.action, generator, gain=0.1)
    return params


def perceive(trunk: Params, images: Tensor) -> Seen:
    """uint8 [n, H, W, 3] -> the shared part of the policy, on a grid of H / 4 by W / 4 cells."""
    x = convolve(trunk, images)
    what = features(trunk, x)
    return Seen(what, points(trunk, x), attend(trunk["landmarks"], what))


def convolve(trunk: Params, images: Tensor) -> Tensor:
    """uint8 [n, H, W, 3] -> [n, CHANNELS, H / 4, W / 4]."""
    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    x = F.relu(conv2d(trunk, "conv1", x, stride=2))
    x = F.relu(conv2d(trunk, "conv2", x, stride=2))
    return F.relu(conv2d(trunk, "conv3", x))


def attend(queries: Tensor, features: Tensor) -> Tensor:
    """Log-attention of queries [places, CHANNELS] to features [n, CHANNELS, h, w]: [n, places, cells]."""
    return F.log_softmax(TEMPERATURE * torch.einsum("pk,nkc->npc", queries, features.flatten(-2)), dim=-1)


def features(trunk: Params, x: Tensor) -> Tensor:
    """[n, CHANNELS, h, w] -> what is there: features of about unit norm, [n, CHANNELS, h, w]."""
    x = F.instance_norm(conv2d(trunk, "conv4", x))
    # Not quite unit length: what differs from the image's mean by little stays short.
    return x * (x.square().mean(1, keepdim=True) + 1).rsqrt() * CHANNELS**-0.5


def points(trunk: Params, x: Tensor, context: Tensor | float = 0.0) -> Tensor:
    """[n, CHANNELS, h, w] -> where that is: scaled points [n, places, 3, h, w].

    They depend on the cell's place in the image, on what is around it (how tall is it?), and, as the camera is never
    quite in the same place, on the mean over the whole image and on `context` [n, POINT_CHANNELS, 1, 1].
    """
    x = F.relu(conv2d(trunk, "point1", with_place(x), dilation=2))
    x = F.relu(conv2d(trunk, "point2", x) + conv2d(trunk, "context", x.mean((2, 3), keepdim=True)) + context)
    return conv2d(trunk, "point3", x).unflatten(1, (-1, 3))


def act(head: Params, view: View, more: More = nothing_more) -> Activations:
    """The policy on n images and m states of one task."""
    return move(head, attend(queries(head), view.seen.features), view, more)


def queries(head: Params) -> Tensor:
    """[told, CHANNELS], what to look for, of each place that the video tells."""
    return head["query"].unflatten(0, (-1, CHANNELS))


def move(head: Params, told: Tensor, view: View, more: More = nothing_more) -> Activations:
    """The policy, once it is known where to look: log-attention `told` [n, told, cells] to what the video tells."""
    log_attention = torch.cat([told, view.seen.log_landmarks], 1)  # [n, places, cells]
    points = view.seen.points.flatten(-2).mT  # [n, places, cells, 3]
    pose = read(log_attention, view.seen.points)
    m = len(view.state)
    goal = pose if len(pose) == m else pose[:1]
    if isinstance(view.moved, Tensor):
        goal = pose[:1] + view.moved
    constant = head["bias_transform"].expand(m, -1)
    x = torch.cat([goal.flatten(-2).expand(m, -1), view.state, constant, *more(head, goal, view)], -1)
    x = F.relu(linear(head, "fc1", x))
    hidden = F.relu(linear(head, "fc2", x))
    h, w = view.seen.features.shape[-2:]
    keypoint = told.exp() @ grid(h, w, like=told)
    return Activations(log_attention, keypoint, points, pose, hidden, linear(head, "fc3", hidden))


def places(head: Params, seen: Seen) -> Tensor:
    """Where a head sees each place in n images: [n, places, 3], scaled."""
    return read(torch.cat([attend(queries(head), seen.features), seen.log_landmarks], 1), seen.points)


def read(log_attention: Tensor, points: Tensor) -> Tensor:
    """The points [n, places, 3, h, w] around the peaks of log-attentions [n, places, cells]: [n, places, 3]."""
    h, w = points.shape[-2:]
    where, attention = grid(h, w, like=points), log_attention.exp()
    # The place with most attention on it and around it, not the cell with most: an object covers several.
    mass = F.avg_pool2d(attention.unflatten(-1, (h, w)), 2 * PEAK + 1, stride=1, padding=PEAK).flatten(-2)
    peak = attention * around(where[mass.argmax(-1)], where, (PEAK + 0.5) * 2 / w)
    return torch.einsum("npc,npkc->npk", peak / peak.sum(-1, keepdim=True), points.flatten(-2))


def around(centres: Tensor, where: Tensor, reach: float) -> Tensor:
    """1 for the cells within `reach` of a centre on both axes, else 0: [..., 2] and [cells, 2] -> [..., cells]."""
    return ((where - centres[..., None, :]).abs().amax(-1) < reach).to(where)


def log_density(log_attention: Tensor, points: Tensor, log_spread: Tensor, pose: Tensor) -> Tensor:
    """Log density [n, places] of poses [n, places, 3] under the mixtures of a Gaussian a cell, up to a constant.

    Args:
        log_attention: [n, places, cells], the mixtures' weights.
        points: [n, places, cells, 3], their means.
        log_spread: scalar, log of their standard deviation.
    """
    z = (pose[..., None, :] - points) * (-log_spread).exp()
    return (log_attention - 0.5 * z.square().sum(-1)).logsumexp(-1) - 3 * log_spread
