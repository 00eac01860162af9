"""An embedding of the video goes into the policy, and nothing adapts.

contextual    by convolutions along the video (Duan et al. 2017, arXiv 1703.07326)
lstm          by a recurrent network over the video and then the robot's image ("DA-LSTM" of Yu et al. 2018, arXiv
              1802.01557)

Both see of every frame where each channel of the trunk is strongest, and how strong.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.adap_net import places
from agents.imitation import Imitator
from agents.layers import conv1d, init_conv, init_linear, linear
from agents.meta_net import BIAS_TRANSFORM, CHANNELS
from agents.methods import head
from agents.view import REACHING, Sizes, View
from daml import MetaParams, Params

EMBEDDING = 64
KERNEL = 3


def contextual(inner_steps: int = 0, sizes: Sizes = REACHING) -> Imitator:
    """The query and the bias transform are read off an embedding of the video: temporal convolutions, then the mean."""
    return head.with_head(partial(_init_contextual, sizes), _condition, sizes)


def _init_contextual(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    psi: Params = {}
    init_conv(psi, "time1", 3 * CHANNELS, EMBEDDING, (KERNEL,), generator)
    init_conv(psi, "time2", EMBEDDING, EMBEDDING, (KERNEL,), generator)
    return {**head.without_learned_loss(sizes, generator), "psi": _init_readout(psi, sizes, generator)}


def _condition(meta: MetaParams, video: View) -> head.Adapted:
    x = frame_summaries(video.seen.features).T[None]
    x = F.relu(conv1d(meta["psi"], "time1", x))
    x = F.relu(conv1d(meta["psi"], "time2", x))
    return _conditioned(meta, x.mean(-1)[0], video)


def recurrent(inner_steps: int = 0, sizes: Sizes = REACHING) -> Imitator:
    """The same with an LSTM: over the frames of the video, and one step more on the robot's image."""
    usual = head.with_head(partial(_init_recurrent, sizes), _watch, sizes)
    return usual._replace(learner=usual.learner._replace(predict=_act))


def _init_recurrent(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    psi: Params = {}
    init_linear(psi, "gates", 3 * CHANNELS + EMBEDDING, 4 * EMBEDDING, generator, gain=0.5)
    return {**head.without_learned_loss(sizes, generator), "psi": _init_readout(psi, sizes, generator)}


def _watch(meta: MetaParams, video: View) -> tuple[MetaParams, Tensor, Tensor, head.Adapted]:
    frames = frame_summaries(video.seen.features)
    hidden = cell = frames.new_zeros(EMBEDDING)
    for frame in frames:
        hidden, cell = lstm_step(meta["psi"], frame, hidden, cell)
    return meta, hidden, cell, _conditioned(meta, hidden, video)


def _act(watched: tuple[MetaParams, Tensor, Tensor, head.Adapted], inputs: View) -> dict[str, Tensor]:
    meta, hidden, cell, adapted = watched
    image = frame_summaries(inputs.seen.features[:1])[0]
    hidden, _ = lstm_step(meta["psi"], image, hidden, cell)
    conditioned = _conditioned(meta, hidden, inputs).head
    return head.predict(adapted._replace(head=conditioned), inputs)


def frame_summaries(features: Tensor) -> Tensor:
    """[n, CHANNELS, h, w] -> [n, 3 CHANNELS]: where each channel is strongest, and how strong."""
    where, strength, _ = places(features)
    return torch.cat([where.flatten(1), strength], -1)


def lstm_step(psi: Params, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """One step of an LSTM (Hochreiter and Schmidhuber 1997): [n_in], [EMBEDDING], [EMBEDDING] -> hidden, cell."""
    forget, enter, out, new = linear(psi, "gates", torch.cat([x, hidden])).chunk(4)
    cell = (forget + 1).sigmoid() * cell + enter.sigmoid() * new.tanh()
    return out.sigmoid() * cell.tanh(), cell


def _init_readout(psi: Params, sizes: Sizes, generator: torch.Generator) -> Params:
    init_linear(psi, "query", EMBEDDING, sizes.told * CHANNELS, generator, gain=0.3)
    init_linear(psi, "context", EMBEDDING, BIAS_TRANSFORM, generator, gain=0.3)
    return psi


def _conditioned(meta: MetaParams, embedding: Tensor, view: View) -> head.Adapted:
    """The head with an embedding in the places that adapt most in a gradient step."""
    theta, psi = meta["theta"], meta["psi"]
    conditioned = {
        **theta,
        "query": theta["query"] + linear(psi, "query", embedding),
        "bias_transform": theta["bias_transform"] + linear(psi, "context", embedding),
    }
    return head.adapted(conditioned, meta, view)
