"""The `attention` baseline: the robot's image looks at the video, and nothing adapts.

    video -> tokens of 8 x 8 pooled features, each beside its change since the first and until the last frame
          -> two blocks of self-attention                                                (once for each video)
    robot's cells -> two blocks of cross-attention to the tokens -> one logit a cell     (instead of a query)

Trunk, points, pose, head and outer loss are those of the other methods; so is the question about the video itself,
where MOSAIC has a contrastive loss; `agents.methods.contrastive` has one, too. Source: Dasari and Gupta 2020, arXiv
2011.05970 (T-OSVI); Mandi et al. 2022, arXiv 2110.10078 (MOSAIC); blocks of Vaswani et al. 2017, arXiv 1706.03762,
with the norm in front.
"""

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from agents import meta_net
from agents.imitation import Imitator
from agents.layers import init_linear, linear, with_place
from agents.meta_net import BIAS_TRANSFORM, CHANNELS
from agents.methods import head
from agents.view import REACHING, Sizes, View
from daml import MetaParams, Params

WIDTH = 64
HEADS = 4
BLOCKS = 2
POOLED = 8
"""Places along each side of a frame."""


class Watched(NamedTuple):
    """psi: what looks.  tokens: [tokens, WIDTH], the video.  adapted: the head, as of other methods."""

    psi: Params
    tokens: Tensor
    adapted: head.Adapted


def init(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    """The shared ones, and psi: what watches the video and looks at it."""
    psi: Params = {"where": 0.02 * torch.randn(POOLED**2, WIDTH, generator=generator)}
    init_linear(psi, "when", 2, WIDTH, generator, gain=0.1)
    init_linear(psi, "token", 3 * CHANNELS, WIDTH, generator)
    init_linear(psi, "cell", CHANNELS + 2, WIDTH, generator)
    for number in range(BLOCKS):
        _init_block(psi, f"self{number}", generator)
        _init_block(psi, f"cross{number}", generator)
    init_linear(psi, "logit", WIDTH, sizes.told, generator)
    init_linear(psi, "context", WIDTH, BIAS_TRANSFORM, generator, gain=0.3)
    return {**head.without_learned_loss(sizes, generator), "psi": psi}


def _init_block(psi: Params, name: str, generator: torch.Generator) -> None:
    for part in ("q", "k", "v", "out"):
        init_linear(psi, f"{name}.{part}", WIDTH, WIDTH, generator, gain=0.5)
    init_linear(psi, f"{name}.mlp1", WIDTH, 2 * WIDTH, generator)
    init_linear(psi, f"{name}.mlp2", 2 * WIDTH, WIDTH, generator, gain=0.5)


def block(psi: Params, name: str, x: Tensor, memory: Tensor) -> Tensor:
    """x [..., n, WIDTH] looks at memory [m, WIDTH], and thinks about it: [..., n, WIDTH]."""
    q, k, v = (
        linear(psi, f"{name}.{part}", _norm(of)).unflatten(-1, (HEADS, -1)).transpose(-3, -2)
        for part, of in (("q", x), ("k", memory), ("v", memory))
    )
    weights = (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)  # [..., HEADS, n, m]
    x = x + linear(psi, f"{name}.out", (weights @ v).transpose(-3, -2).flatten(-2))
    return x + linear(psi, f"{name}.mlp2", F.relu(linear(psi, f"{name}.mlp1", _norm(x))))


def _norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def watch(psi: Params, features: Tensor) -> Tensor:
    """Features of a video [frames, CHANNELS, h, w] -> tokens [frames * POOLED**2, WIDTH]."""
    pooled = F.avg_pool2d(features, features.shape[-1] // POOLED).flatten(-2).mT  # [frames, places, CHANNELS]
    x = linear(psi, "token", torch.cat([pooled, pooled - pooled[:1], pooled - pooled[-1:]], -1))
    time = torch.linspace(-1, 1, len(features), device=x.device, dtype=x.dtype)
    when = linear(psi, "when", torch.stack([time, time.square()], -1))
    x = (x + psi["where"] + when[:, None]).flatten(0, 1)
    for number in range(BLOCKS):
        x = block(psi, f"self{number}", x, x)
    return x


def look(psi: Params, tokens: Tensor, features: Tensor) -> Tensor:
    """Log-attention [n, told, cells] of images' features [n, CHANNELS, h, w], by what the video shows."""
    x = linear(psi, "cell", with_place(features).flatten(-2).mT)  # [n, cells, WIDTH]
    for number in range(BLOCKS):
        x = block(psi, f"cross{number}", x, tokens)
    return F.log_softmax(linear(psi, "logit", _norm(x)).mT, -1)


def condition(meta: MetaParams, video: View) -> Watched:
    """The video as tokens; and their mean in the bias transform, so that it may change how the policy moves."""
    psi, theta = meta["psi"], meta["theta"]
    tokens = watch(psi, video.seen.features)
    context = theta["bias_transform"] + linear(psi, "context", tokens.mean(0))
    asked = look(psi, tokens, video.seen.features[:1])[0]
    return Watched(psi, tokens, head.Adapted({**theta, "bias_transform": context}, asked, meta["trunk"]["log_spread"]))


def predict(watched: Watched, inputs: View) -> dict[str, Tensor]:
    """As of `head`, looking where the cross-attention says."""
    told = look(watched.psi, watched.tokens, inputs.seen.features)
    seen = meta_net.move(watched.adapted.head, told, inputs)
    return head.outputs(watched.adapted, seen)


def attention(inner_steps: int = 0, sizes: Sizes = REACHING) -> Imitator:
    """The baseline."""
    usual = head.with_head(partial(init, sizes), condition, sizes)
    return usual._replace(learner=usual.learner._replace(predict=predict))
