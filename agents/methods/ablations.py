"""The method with one part taken away or replaced; each keeps the trunk, the head, the data and the budget.

cloning       does not watch the video: behaviour cloning of all tasks at once (zero inner steps of any method)
first-order   `fast` without second derivatives; its learned loss then gets no gradient at all
blind         `temporal` without `agents.adap_net.sight`: the policy's activations alone, as published
unasked       `temporal` whose warm-up does not ask about the video itself (a preset)
linear        a loss that reads every frame by itself, linearly: neither space nor time
hand-written  a loss that nobody learned: look at what changes only at the end of the video
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from agents import adap_net, meta_net
from agents.imitation import Imitator
from agents.layers import init_linear, linear
from agents.meta_net import HIDDEN
from agents.methods import fast
from agents.methods.head import adapt_head, adapting, with_head, without_learned_loss
from agents.methods.paper import LOSS_SCALE
from agents.view import REACHING, Sizes, View
from daml import Params, first_order

SHARPNESS = 8.0


def first_order_fast(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`fast`, with the inner gradient taken as a constant."""
    usual = fast.fast(inner_steps, sizes)
    return usual._replace(
        learner=usual.learner._replace(adapt=partial(adapt_head, fast.loss, inner_steps, order=first_order))
    )


def blind(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """Convolutions along the video over the policy's activations as the learned loss, scaled as the published one:
    without that, hardly anything adapts at first."""
    return adapting(_blind, _init_blind, inner_steps, sizes)


def _init_blind(generator: torch.Generator, sizes: Sizes) -> Params:
    return adap_net.init(generator, adap_net.moments(sizes))


def _blind(psi: Params, theta: Params, video: View, seen: meta_net.Activations) -> Tensor:
    return LOSS_SCALE * adap_net.temporal_loss(psi, adap_net.along(seen))


def linear_loss(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The squared norm of a linear readout of each frame's activations as the learned loss, scaled like `blind`."""
    return adapting(_linear, _init_linear, inner_steps, sizes)


def _init_linear(generator: torch.Generator, sizes: Sizes) -> Params:
    psi: Params = {}
    init_linear(psi, "readout", adap_net.moments(sizes), HIDDEN // 4, generator)
    return psi


def _linear(psi: Params, theta: Params, video: View, seen: meta_net.Activations) -> Tensor:
    return LOSS_SCALE * linear(psi, "readout", adap_net.along(seen)).square().mean()


def handwritten_loss(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """A rule of thumb as the loss: the goal is where something changes at the very end of the video."""
    return with_head(partial(without_learned_loss, sizes), partial(adapt_head, _handwritten, inner_steps), sizes)


def _handwritten(psi: Params, theta: Params, video: View, seen: meta_net.Activations) -> Tensor:
    return -(changed_last(video.seen.features).exp() * seen.log_attention[0, 0]).sum()


def changed_last(features: Tensor) -> Tensor:
    """Log-probabilities over cells, from features [frames, CHANNELS, h, w] of unit norm.

    The hand comes along where it has been for a while, and ends at the goal: high where the last frame differs from the
    first and the frames before it do not.
    """
    change = (features - features[:1]).square().sum(1).flatten(1)  # [frames, cells]
    return F.log_softmax(SHARPNESS * (change[-1] - change.mean(0)), dim=0)
