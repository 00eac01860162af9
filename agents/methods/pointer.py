"""The `pointer`: what the gradient step of `fast` comes to, read out without a gradient.

With attention a[t, c] = softmax(T q . f[t, c]) and a proposal w[t, c], the cross-entropy -sum w log a has the gradient

    d/dq = -T (sum w[t, c] f[t, c] - sum_t (sum_c w[t, c]) sum_c a[t, c] f[t, c])

so one step adds to the query the mean feature under the proposal, less that under the attention. The rest of the head
stays as it is.
"""

from functools import partial

import torch

from agents import meta_net, proposal
from agents.imitation import Imitator
from agents.methods import head
from agents.view import REACHING, Sizes, View
from daml import MetaParams, Params


def init_loss(generator: torch.Generator, sizes: Sizes) -> Params:
    """psi: the proposal's alone."""
    return proposal.init(generator, sizes.told)


def read_out(inner_steps: int, meta: MetaParams, video: View) -> head.Adapted:
    """The head with a query that points at what the proposal does; with zero steps as it is."""
    theta = dict(meta["theta"])
    weights = proposal.propose(meta["psi"], video.seen.features).weights  # [frames, told, cells]
    cells = video.seen.features.flatten(-2)  # [frames, CHANNELS, cells]
    told = torch.einsum("tpc,tkc->pk", weights, cells).flatten()
    for _ in range(inner_steps):
        attention = meta_net.attend(meta_net.queries(theta), video.seen.features).exp()
        usual = torch.einsum("tp,tpc,tkc->pk", weights.sum(-1), attention, cells).flatten()
        step = (meta_net.TEMPERATURE * (told - usual)).clamp(-head.CLIP, head.CLIP)
        theta["query"] = theta["query"] + meta["rates"]["query"] * step
    return head.adapted(theta, meta, video)


def pointer(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The baseline; with zero inner steps it is the policy without adaptation."""
    return head.with_head(partial(head.init, sizes, init_loss=init_loss), partial(read_out, inner_steps), sizes)
