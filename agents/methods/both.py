"""The `both` method: what, and how. A proposal says to which object; a temporal loss says how the task ends there.

The head has one more adapted tensor, `end`: how far from the object's place the fingertips end, and how far open they
are then. The temporal loss sees it beside what moves along the video, told from the proposed place, so that its
gradient can be any function of that. The outer loss compares it with how the demonstration ends, which is the final
pose of Yu et al. 2018, arXiv 1802.01557; the head goes by it, as theirs does by the predicted pose.

What is pushed or lifted must be met within a centimetre: trunk, glances and the head's finer scales are `precise`'s.
"""

from functools import partial

import torch
from torch import Tensor

from agents import adap_net, meta_net, proposal
from agents.imitation import Imitator
from agents.layers import conv2d, grid, init_conv
from agents.methods import head, precise
from agents.view import REACHING, Sizes, View, known
from daml import MetaParams, OuterLoss, Params

END = 4
"""Numbers in `end`: a way (3) from the goal's point, in `END_SCALE`, and the opening of the fingers, as in a state."""
END_SCALE = 0.3
"""Of the scale of the fingertip in the state: about 4 cm, as far as a touch and a push away end apart."""
END_RATE = 3.0
"""Where its inner rate starts."""
FOLLOWED = 4
"""Things that are followed along the video, as a hand."""
END_WEIGHT = 0.3
FINGERTIP, OPENING = slice(3), slice(10, 11)
"""Where these are in a state."""


def init_loss(generator: torch.Generator, sizes: Sizes) -> Params:
    """psi of both parts."""
    params = proposal.init(generator, sizes.told)
    init_conv(params, "follow", proposal.SPATIAL, FOLLOWED, (1, 1), generator)
    inputs = adap_net.moments(sizes) + adap_net.sights(sizes.told) + 2 * FOLLOWED + END
    return params | adap_net.init(generator, inputs)


def init(sizes: Sizes, generator: torch.Generator, *, more: int = 0) -> MetaParams:
    """Those of `precise`, and how a task ends. more: numbers that the head sees besides `ways`."""
    meta = precise.init(sizes, generator, init_loss=init_loss, more=END + 3 * (1 + len(precise.NEAR)) + more)
    theta = {**meta["theta"], "end": torch.zeros(END)}
    return {**meta, "theta": theta, "rates": {**meta["rates"], "end": torch.tensor(END_RATE)}}


def ways(theta: Params, goal: Tensor, view: View) -> list[Tensor]:
    """Those of `precise`; how the task ends, [m, END]; and the way from the fingertips to there, at all scales."""
    end = theta["end"].expand(len(view.state), -1)
    way = goal[:, 0] + END_SCALE * end[:, FINGERTIP] - view.state[:, FINGERTIP]
    return [*precise.ways(theta, goal, view), end, way, *((scale * way).tanh() for scale in precise.NEAR)]


def act(theta: Params, view: View) -> meta_net.Activations:
    """As of `meta_net`, going by how the task ends, too."""
    return meta_net.act(theta, view, ways)


def loss(psi: Params, theta: Params, video: View, seen: meta_net.Activations) -> Tensor:
    """Spatial and temporal part."""
    watched = proposal.watch(psi, video.seen.features)
    proposed = proposal.proposal(psi, watched)
    frames = torch.cat(
        [adap_net.along(seen), motion(psi, proposed, watched, video), theta["end"].expand(len(watched), -1)], -1
    )
    return proposal.spatial_loss(proposed, seen.log_told) + adap_net.temporal_loss(psi, frames)


def motion(psi: Params, proposed: proposal.Proposal, watched: Tensor, video: View) -> Tensor:
    """What moves along the video, told from the (first) proposed place: [frames, sights + 2 * FOLLOWED]."""
    height, width = watched.shape[-2:]
    places = grid(height, width, like=watched)
    # How is told from what, not what from how: the proposal learns from where the policy has to go alone.
    where = proposed.where.detach()
    centre = where[0].exp() @ places
    followed = conv2d(psi, "follow", watched).flatten(-2).softmax(-1) @ places - centre  # [frames, FOLLOWED, 2]
    return torch.cat([adap_net.sight(video.seen.features, where, centre), followed.flatten(1)], -1)


def predict(adapted: head.Adapted, inputs: View, *, act: head.Act = act) -> dict[str, Tensor]:
    """As of `precise`, and how the task ends."""
    return precise.predict(adapted, inputs, act=act) | {"end": adapted.head["end"]}


def outer_loss(hint: float) -> OuterLoss:
    """That of `precise`, and the squared error of how the task ends."""
    imitated = precise.outer_loss(hint)

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        scalars = imitated(outputs, targets)
        last = targets["end"]
        way = (last[FINGERTIP] - targets["pose"][0, 0]) / END_SCALE
        right, is_known = known(torch.cat([way, last[OPENING]]))
        end = ((outputs["end"][: len(right)] - right).square() * is_known).sum()
        return scalars | {"loss": scalars["loss"] + END_WEIGHT * end, "end": end}

    return loss


def both(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The method; with zero inner steps it is the policy without adaptation."""
    usual, watch = precise.precise(inner_steps, sizes), partial(head.adapt_head, loss, inner_steps, act=act)
    learner = usual.learner._replace(init=partial(init, sizes), adapt=watch, predict=predict)
    wanted = usual.wanted._replace(placed=True)  # or the way from the goal's point to the end would always be none
    watched = partial(head.value, loss, act=act)
    return usual._replace(learner=learner, outer_loss=outer_loss, wanted=wanted, learned_loss=watched)
