"""What most methods share: a trunk for all tasks, and a head that an inner step adapts to a video.

phi = theta - rates * d/dtheta L_psi(theta, human video)          theta is the head alone; no action labels
outer loss: behaviour cloning and the log density of the final pose, on the robot's demonstration

A method is a learned loss, or another way to make a head from a video. While it warms up, the outer loss also asks the
adapted policy about the video itself: where in its first frame would it go? Matching what a hand points at with what
the robot sees needs both halves at once, and neither pays alone. In the video itself one half is free.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from agents import meta_net
from agents.imitation import Imitator, encode
from agents.view import REACHING, Sizes, View, known
from daml import MetaLearner, MetaParams, OuterLoss, Params, Rule, adapt, gradient_descent
from demos.distribution import Wanted

QUERY_RATE = 0.3
HEAD_RATE = 0.01
"""Where the learned inner rates start: of the attention query, and of the rest of the head."""
CLIP = 10.0
POSE_WEIGHT = 0.2


Act = Callable[[Params, View], meta_net.Activations]
Order = Callable[[Rule], Rule]
InitLoss = Callable[[torch.Generator, Sizes], Params]
Loss = Callable[[Params, Params, View, meta_net.Activations], Tensor]
"""(psi, theta, video, what the policy computes for each of its frames) -> the scalar that the inner step descends."""


class Adapted(NamedTuple):
    """head: the adapted head.  log_asked: [told, cells], where in the video's first frame it would go.  log_spread: of
    the final pose."""

    head: Params
    log_asked: Tensor
    log_spread: Tensor


def init(sizes: Sizes, generator: torch.Generator, *, init_loss: InitLoss, more: int = 0) -> MetaParams:
    """Meta-parameters: trunk, theta (the head), psi (the learned loss), rates (inner, one for each tensor of theta)."""
    meta = without_learned_loss(sizes, generator, more=more)
    return {**meta, "psi": init_loss(generator, sizes)}


def without_learned_loss(sizes: Sizes, generator: torch.Generator, *, more: int = 0) -> MetaParams:
    """The same meta-parameters without psi."""
    theta = meta_net.init_head(generator, sizes, more)
    rates = {name: torch.tensor(QUERY_RATE if name == "query" else HEAD_RATE) for name in theta}
    return {"trunk": meta_net.init_trunk(generator, sizes), "theta": theta, "rates": rates}


def adapt_head(
    loss: Loss,
    inner_steps: int,
    meta: MetaParams,
    video: View,
    *,
    act: Act = meta_net.act,
    order: Order = lambda rule: rule,
    part: Callable[[Params], Params] = dict,
) -> Adapted:
    """Steps of a learned loss on the frames of a video; `order` may change their rule, and `part` says what of the head
    adapts."""

    def inner(changed: Params, video: View) -> Tensor:
        theta = meta["theta"] | changed
        return loss(meta.get("psi", {}), theta, video, act(theta, video))

    rule = order(gradient_descent(meta["rates"], clip=CLIP))
    changed = adapt(part(meta["theta"]), video, loss=inner, rule=rule, n_steps=inner_steps)
    return adapted(meta["theta"] | changed, meta, video)


def adapted(head: Params, meta: MetaParams, video: View) -> Adapted:
    """A head, and what it does with the video that it comes from."""
    asked = meta_net.attend(meta_net.queries(head), video.seen.features[:1])[0]
    return Adapted(head, asked, meta["trunk"]["log_spread"])


def predict(adapted: Adapted, inputs: View, *, act: Act = meta_net.act) -> dict[str, Tensor]:
    """The policy's action and final pose; and, to be looked at, its attention here and in the video."""
    return outputs(adapted, act(adapted.head, inputs))


def outputs(adapted: Adapted, seen: meta_net.Activations) -> dict[str, Tensor]:
    """What is asked of a policy, out of all that it computed."""
    return {
        "action": seen.action,
        "pose": seen.pose,
        "points": seen.points,
        "log_spread": adapted.log_spread,
        "log_attention": seen.log_attention,
        "log_asked": adapted.log_asked,
    }


def outer_loss(hint: float) -> OuterLoss:
    """Behaviour cloning and final pose; while `hint` > 0 also where in the video's first frame the goal is.

    That is free in simulation. It only warms the learned loss up; nothing of it is used at test time.
    """

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        return with_question(hint, imitation(outputs, targets), outputs, targets)

    return loss


def with_question(
    hint: float, scalars: dict[str, Tensor], outputs: dict[str, Tensor], targets: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The scalars of an outer loss with one more, "asked": minus the log mass that "log_asked" [told, cells] has around
    each place in the video's first frame, summed over as many places as it is of, and not where nobody knows one. It
    counts `hint` times in "loss"; nothing changes where that is 0."""
    if not hint:
        return scalars
    log_asked = outputs["log_asked"]
    shown_at, is_told = known(targets["shown_at"][: len(log_asked)])
    masses = torch.stack([log_mass_around(*each) for each in zip(shown_at, log_asked, strict=True)])
    asked = -(masses * is_told[:, 0]).sum()
    return scalars | {"loss": scalars["loss"] + hint * asked, "asked": asked}


def imitation(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
    """The "loss" of imitating a demonstration, and what it is made of: "cloning" of its actions and minus the log
    density of its places, "pose"; and how far off those are, "pose_error". What nobody knows counts nothing."""
    action, has_action = known(targets["action"])
    cloning = ((outputs["action"] - action).square() * has_action).sum(-1).mean()
    goal, has_point = known(targets["pose"])
    pose = unsure(outputs["log_attention"], outputs["points"], outputs["log_spread"], targets["pose"])
    error = ((outputs["pose"] - goal).square() * has_point).sum(-1).mean()
    total = cloning + POSE_WEIGHT * pose.sum(-1).mean()
    return {"loss": total, "cloning": cloning, "pose": pose.mean(), "pose_error": error}


def unsure(log_attention: Tensor, points: Tensor, log_spread: Tensor, place: Tensor) -> Tensor:
    """Minus the log densities [n, places] of places [n, places, 3], as of `meta_net.log_density`; 0 where nobody knows
    one."""
    place, is_known = known(place)
    return -meta_net.log_density(log_attention, points, log_spread, place) * is_known[..., 0]


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


def value(loss: Loss, meta: MetaParams, video: View, *, act: Act = meta_net.act) -> Tensor:
    """A learned loss of the policy that has not adapted yet."""
    return loss(meta["psi"], meta["theta"], video, act(meta["theta"], video))


def adapting(loss: Loss, init_loss: InitLoss, inner_steps: int, sizes: Sizes = REACHING) -> Imitator:
    """The method with a learned loss; with zero inner steps it is the policy without adaptation."""
    usual = with_head(partial(init, sizes, init_loss=init_loss), partial(adapt_head, loss, inner_steps), sizes)
    return usual._replace(learned_loss=partial(value, loss))


def with_head(
    init: Callable[[torch.Generator], MetaParams], adapt: Callable[[MetaParams, Any], Any], sizes: Sizes
) -> Imitator:
    """A method of its own meta-parameters, with its own way from a video to a head."""
    return Imitator(
        learner=MetaLearner(init, adapt, predict, partial(encode, perceive, units=sizes.units)),
        perceive=perceive,
        sizes=sizes,
        outer_loss=outer_loss,
        wanted=Wanted(frames=8, images="first", states=32),
        size=64,
    )
