"""The `anil` baseline: the inner step of `temporal` on last layers alone.

    theta = (query, fc3)          of where the policy looks, and of how it moves; all else is as meta-training left it

The published method adapts the one last layer of a classifier. This policy has two: attention is linear in the query,
and the action in the last layer's weights. With the second alone no video could tell it where to go.

Source: Raghu et al. 2020, "Rapid Learning or Feature Reuse?", arXiv 1909.09157, section 4.
"""

from functools import partial

import torch

from agents.imitation import Imitator
from agents.methods import head
from agents.methods.temporal import init_loss, loss
from agents.view import REACHING, Sizes
from daml import MetaParams, Params

LAST = ("query", "fc3.w", "fc3.b")


def last(named: Params) -> Params:
    """Those of `LAST`."""
    return {name: named[name] for name in LAST}


def init(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    """The meta-parameters of `temporal`, with inner rates of what adapts."""
    meta = head.init(sizes, generator, init_loss=init_loss)
    return {**meta, "rates": last(meta["rates"])}


def anil(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The baseline; with zero inner steps it is the policy without adaptation."""
    usual = head.with_head(partial(init, sizes), partial(head.adapt_head, loss, inner_steps, part=last), sizes)
    return usual._replace(learned_loss=partial(head.value, loss))
