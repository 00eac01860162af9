"""The `fast` preset as a meta-learner: shared trunk, adapted head, spatial and temporal learned loss.

phi = theta - rates * d/dtheta L_psi(theta, human video)          one step, no action labels
outer loss: behaviour cloning and the log density of the final pose, on the robot's demonstration
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from agents import adap_net, meta_net
from agents.imitation import Imitator, encode
from agents.view import REACHING, Sizes, View, known, scaled_point
from daml import MetaLearner, MetaParams, OuterLoss, Params, Rule, adapt, gradient_descent, learned

QUERY_RATE = 0.3
HEAD_RATE = 0.01
"""Where the learned inner rates start: of the attention query, and of the rest of the head."""
CLIP = 10.0
POSE_WEIGHT = 0.2


Act = Callable[[Params, View], meta_net.Activations]
Order = Callable[[Rule], Rule]


class Adapted(NamedTuple):
    """head: the adapted head.  proposal: of the learned loss.  log_spread: of the final pose."""

    head: Params
    proposal: adap_net.Proposal
    log_spread: Tensor


def init(sizes: Sizes, generator: torch.Generator, *, near: meta_net.Near = ()) -> MetaParams:
    """Meta-parameters: trunk, theta (the head), psi (the learned loss), rates (inner, one for each tensor of theta)."""
    theta = meta_net.init_head(generator, sizes, near)
    rates = {name: torch.tensor(QUERY_RATE if name == "query" else HEAD_RATE) for name in theta}
    return {
        "trunk": meta_net.init_trunk(generator, sizes),
        "theta": theta,
        "psi": adap_net.init(generator, sizes),
        "rates": rates,
    }


def adapt_head(
    inner_steps: int, meta: MetaParams, video: View, *, act: Act = meta_net.act, order: Order = lambda rule: rule
) -> Adapted:
    """Steps of the learned loss on the frames of a video; `order` may change their rule."""
    proposal = adap_net.propose(meta["psi"], video.seen.features)
    inner = learned(act, lambda psi, seen: adap_net.loss(psi, proposal, seen), meta["psi"])
    rule = order(gradient_descent(meta["rates"], clip=CLIP))
    head = adapt(meta["theta"], video, loss=inner, rule=rule, n_steps=inner_steps)
    return Adapted(head, proposal, meta["trunk"]["log_spread"])


def predict(adapted: Adapted, inputs: View, *, act: Act = meta_net.act) -> dict[str, Tensor]:
    """The policy's action and final pose; and, to be looked at, its attention and what the learned loss proposed."""
    seen = act(adapted.head, inputs)
    return {
        "action": seen.action,
        "pose": seen.pose,
        "points": seen.points,
        "log_spread": adapted.log_spread,
        "log_attention": seen.log_attention,
        "log_proposal": adapted.proposal.where,
        "log_when": adapted.proposal.when,
    }


def outer_loss(hint: float) -> OuterLoss:
    """Behaviour cloning and final pose; while `hint` > 0 also where in the video the goal is, and in which frames.

    That is free in simulation. It only warms the learned loss up; nothing of it is used at test time.
    """

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        log_seen = outputs["log_when"].masked_fill(targets["shown_in"][:, None] == 0, -torch.inf).logsumexp(0)
        shown = -log_mass_around(targets["shown_at"], outputs["log_proposal"] + log_seen)
        scalars = imitation(outputs, targets)
        return scalars | {"loss": scalars["loss"] + hint * shown, "shown": shown}

    return loss


def imitation(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """The "loss" of imitating a demonstration, and what it is made of: "cloning" of its actions and minus the log
    density of its places, "pose"; and how far off those are, "pose_error"."""
    action, has_action = known(targets["action"])
    cloning = ((outputs["action"] - action).square() * has_action).sum(-1).mean()
    point, has_point = known(targets["pose"])
    goal = scaled_point(point)
    density = meta_net.log_density(outputs["log_attention"], outputs["points"], outputs["log_spread"], goal)
    pose = -density * has_point[..., 0]
    error = ((outputs["pose"] - goal).square() * has_point).sum(-1).mean()
    total = cloning + POSE_WEIGHT * pose.sum(-1).mean()
    return {"loss": total, "cloning": cloning, "pose": pose.mean(), "pose_error": error}


def log_mass_around(point: Tensor, log_map: Tensor) -> Tensor:
    """Log of a square map's mass around a point (x, y) in [0, 1], spread bilinearly over the four nearest cells.

    Args:
        point: [2].
        log_map: [cells] log-probabilities.
    """
    side = int(log_map.numel() ** 0.5)
    centres = (torch.arange(side, device=log_map.device, dtype=log_map.dtype) + 0.5) / side
    x, y = ((1 - side * (centres - coordinate).abs()).clamp(min=1e-6) for coordinate in point)
    return (log_map + (y[:, None] * x[None]).log().flatten()).logsumexp(0)


def perceive(meta: MetaParams, images: Tensor) -> meta_net.Seen:
    """uint8 [n, H, W, 3] -> what the shared trunk sees."""
    return meta_net.perceive(meta["trunk"], images)


def fast(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The preset; with zero inner steps it is the policy without adaptation."""
    return Imitator(
        learner=MetaLearner(partial(init, sizes), partial(adapt_head, inner_steps), predict, partial(encode, perceive)),
        perceive=perceive,
        sizes=sizes,
        outer_loss=outer_loss,
        frames=8,
        size=64,
        images="first",
        states=8,
    )
