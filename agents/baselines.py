"""Other ways to use the video, on the trunk, the head, the data and the budget of the `fast` preset.

cloning       does not watch it: behaviour cloning of all tasks at once
first-order   the method without second derivatives; its learned loss then gets no gradient at all
temporal      the method with the temporal part of its loss alone: it never looks at places
linear        the method with a loss that reads every frame by itself, linearly: neither space nor time
hand-written  the method with a loss that nobody learned: look at what changes only at the end of the video
contextual    an embedding of the video goes into the policy; nothing adapts (Duan et al. 2017, arXiv 1703.07326)
lstm          the same, by a recurrent network over the video and then the robot's image ("DA-LSTM" of Yu et al. 2018)

Each is an `Imitator` like `agents.fast.fast`, made of functions of this module, which can be sent to other processes.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from agents import adap_net, fast, meta_net
from agents.adap_net import Proposal
from agents.imitation import Imitator
from agents.layers import conv1d, grid, init_conv, init_linear, linear
from agents.meta_net import BIAS_TRANSFORM, CHANNELS, HIDDEN
from agents.paper import LOSS_SCALE
from agents.view import REACHING, Sizes, View
from daml import MetaParams, Params, adapt, first_order, gradient_descent, learned

EMBEDDING = 64
KERNEL = 3
SHARPNESS = 8.0


def first_order_fast(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`fast`, with the inner gradient taken as a constant."""
    usual = fast.fast(inner_steps, sizes)
    return usual._replace(
        learner=usual.learner._replace(adapt=partial(fast.adapt_head, inner_steps, order=first_order))
    )


def temporal_loss(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`fast`, with convolutions along the video over the policy's activations as the learned loss, and nothing else."""
    return _with_loss(adap_net.init_temporal, adap_net.temporal_loss, inner_steps, sizes)


def linear_loss(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`fast`, with the squared norm of a linear readout of each frame's activations as the learned loss."""
    return _with_loss(_init_linear, _linear, inner_steps, sizes)


def _init_linear(generator: torch.Generator, sizes: Sizes) -> Params:
    psi: Params = {}
    init_linear(psi, "readout", adap_net.moments(sizes), HIDDEN // 4, generator)
    return psi


def _linear(psi: Params, seen: meta_net.Activations) -> Tensor:
    return linear(psi, "readout", adap_net.along(seen)).square().mean()


InitLoss = Callable[[torch.Generator, Sizes], Params]
Loss = Callable[[Params, meta_net.Activations], Tensor]


def _with_loss(init: InitLoss, loss: Loss, inner_steps: int, sizes: Sizes) -> Imitator:
    """`fast`, with another learned loss, scaled as the published one: without it, hardly anything adapts at first."""
    usual = fast.fast(inner_steps, sizes)
    return usual._replace(
        learner=usual.learner._replace(
            init=partial(_init_with_loss, init, sizes), adapt=partial(_adapt_on_loss, loss, inner_steps)
        )
    )


def _init_with_loss(init: InitLoss, sizes: Sizes, generator: torch.Generator) -> MetaParams:
    psi = init(generator, sizes)
    return {**fast.init(sizes, generator), "psi": psi}


def _scaled(loss: Loss, psi: Params, seen: meta_net.Activations) -> Tensor:
    return LOSS_SCALE * loss(psi, seen)


def _adapt_on_loss(loss: Loss, inner_steps: int, meta: MetaParams, video: View) -> fast.Adapted:
    inner = learned(meta_net.act, partial(_scaled, loss), meta["psi"])
    rule = gradient_descent(meta["rates"], clip=fast.CLIP)
    head = adapt(meta["theta"], video, loss=inner, rule=rule, n_steps=inner_steps)
    return fast.Adapted(head, nothing_proposed(video), meta["trunk"]["log_spread"])


def handwritten_loss(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`fast`, with a rule of thumb as the loss: the goal is where something changes at the very end of the video."""
    usual = fast.fast(inner_steps, sizes)
    return usual._replace(
        learner=usual.learner._replace(
            init=partial(without_learned_loss, sizes), adapt=partial(_adapt_handwritten, inner_steps)
        )
    )


def without_learned_loss(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    """The meta-parameters of `fast`, but for those of its loss."""
    return {group: params for group, params in fast.init(sizes, generator).items() if group != "psi"}


def _adapt_handwritten(inner_steps: int, meta: MetaParams, video: View) -> fast.Adapted:
    where = changed_last(video.seen.features)

    def inner(theta: Params, video: View) -> Tensor:
        return -(where.exp() * meta_net.act(theta, video).log_attention[0, 0]).sum()

    rule = gradient_descent(meta["rates"], clip=fast.CLIP)
    head = adapt(meta["theta"], video, loss=inner, rule=rule, n_steps=inner_steps)
    return fast.Adapted(head, nothing_proposed(video)._replace(where=where), meta["trunk"]["log_spread"])


def changed_last(features: Tensor) -> Tensor:
    """Log-probabilities over cells, from features [frames, CHANNELS, h, w] of unit norm.

    The hand comes along where it has been for a while, and ends at the goal: high where the last frame differs from the
    first and the frames before it do not.
    """
    change = (features - features[:1]).square().sum(1).flatten(1)  # [frames, cells]
    return F.log_softmax(SHARPNESS * (change[-1] - change.mean(0)), dim=0)


def contextual(inner_steps: int = 0, sizes: Sizes = REACHING) -> Imitator:
    """The query and the bias transform are read off an embedding of the video: temporal convolutions, then the mean."""
    usual = fast.fast(0, sizes)
    return usual._replace(learner=usual.learner._replace(init=partial(_init_contextual, sizes), adapt=_condition))


def _init_contextual(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    psi: Params = {}
    init_conv(psi, "time1", 3 * CHANNELS, EMBEDDING, (KERNEL,), generator)
    init_conv(psi, "time2", EMBEDDING, EMBEDDING, (KERNEL,), generator)
    return {**fast.init(sizes, generator), "psi": _init_readout(psi, generator)}


def _condition(meta: MetaParams, video: View) -> fast.Adapted:
    x = frame_summaries(video.seen.features).T[None]
    x = F.relu(conv1d(meta["psi"], "time1", x))
    x = F.relu(conv1d(meta["psi"], "time2", x))
    return _conditioned(meta, x.mean(-1)[0], video)


def recurrent(inner_steps: int = 0, sizes: Sizes = REACHING) -> Imitator:
    """The same with an LSTM: over the frames of the video, and one step more on the robot's image."""
    usual = fast.fast(0, sizes)
    return usual._replace(
        learner=usual.learner._replace(init=partial(_init_recurrent, sizes), adapt=_watch, predict=_act)
    )


def _init_recurrent(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    psi: Params = {}
    init_linear(psi, "gates", 3 * CHANNELS + EMBEDDING, 4 * EMBEDDING, generator, gain=0.5)
    return {**fast.init(sizes, generator), "psi": _init_readout(psi, generator)}


def _watch(meta: MetaParams, video: View) -> tuple[MetaParams, Tensor, Tensor, fast.Adapted]:
    frames = frame_summaries(video.seen.features)
    hidden = cell = frames.new_zeros(EMBEDDING)
    for frame in frames:
        hidden, cell = lstm_step(meta["psi"], frame, hidden, cell)
    return meta, hidden, cell, _conditioned(meta, hidden, video)


def _act(watched: tuple[MetaParams, Tensor, Tensor, fast.Adapted], inputs: View) -> dict[str, Tensor]:
    meta, hidden, cell, adapted = watched
    image = frame_summaries(inputs.seen.features[:1])[0]
    hidden, _ = lstm_step(meta["psi"], image, hidden, cell)
    head = _conditioned(meta, hidden, inputs).head
    return fast.predict(adapted._replace(head=head), inputs)


def frame_summaries(features: Tensor) -> Tensor:
    """[n, CHANNELS, h, w] -> [n, 3 CHANNELS]: where each channel is strongest (spatial soft-argmax), and how strong."""
    h, w = features.shape[-2:]
    where = grid(h, w, like=features)
    cells = features.flatten(-2)
    attention = (meta_net.TEMPERATURE * cells).softmax(-1)
    return torch.cat([(attention @ where).flatten(1), (attention * cells).sum(-1)], -1)


def lstm_step(psi: Params, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """One step of an LSTM (Hochreiter and Schmidhuber 1997): [n_in], [EMBEDDING], [EMBEDDING] -> hidden, cell."""
    forget, enter, out, new = linear(psi, "gates", torch.cat([x, hidden])).chunk(4)
    cell = (forget + 1).sigmoid() * cell + enter.sigmoid() * new.tanh()
    return out.sigmoid() * cell.tanh(), cell


def _init_readout(psi: Params, generator: torch.Generator) -> Params:
    init_linear(psi, "query", EMBEDDING, CHANNELS, generator, gain=0.3)
    init_linear(psi, "context", EMBEDDING, BIAS_TRANSFORM, generator, gain=0.3)
    return psi


def _conditioned(meta: MetaParams, embedding: Tensor, view: View) -> fast.Adapted:
    """The head with an embedding in the places that adapt most in `fast`."""
    theta, psi = meta["theta"], meta["psi"]
    head = {
        **theta,
        "query": theta["query"] + linear(psi, "query", embedding),
        "bias_transform": theta["bias_transform"] + linear(psi, "context", embedding),
    }
    return fast.Adapted(head, nothing_proposed(view), meta["trunk"]["log_spread"])


def nothing_proposed(view: View) -> Proposal:
    """Every cell and frame alike: these methods propose nothing, and get no hint."""
    frames, cells = len(view.seen.features), view.seen.features[0, 0].numel()
    like = view.seen.features
    return Proposal(
        like.new_full((cells,), -math.log(cells)),
        like.new_full((frames, cells), -math.log(frames)),
    )
