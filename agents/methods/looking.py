"""Eyes open: policies that look at every step, at the goal and at their own hand.

What a policy sees in its first image says where everything is to within where the camera is, about a centimetre. The
image of now shows the hand as well, and where that is the robot knows. So the trunk has one more place, the hand's, as
it is seen; the way from there to each place, as it is seen now, has the camera's error at both ends, and it is also
right when somebody has moved what the robot goes to. The head goes by both looks.

Where the hand is, the robot tells; where the places are in each image of a demonstration, who collected it. In
meta-training the policy is asked for both, and for the way between them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from agents import meta_net
from agents.imitation import Imitator
from agents.methods import both, fast, head, precise
from agents.view import REACHING, Sizes, View
from daml import MetaParams, OuterLoss, Params

Init = Callable[[torch.Generator], MetaParams]
Predict = Callable[..., dict[str, Tensor]]
"""(adapted, inputs, act=how it acts) -> what a policy predicts."""

LOOKS = 12
"""States of a demonstration in a meta-step, each with its image: who is asked what to do after a nudge must see it."""
WAY_WEIGHT = 1.0
SCALES = (1.0, *precise.NEAR)
"""That the head sees a way in, finest last: of the scale of the fingertip in the state."""


def with_hand(sizes: Sizes) -> Sizes:
    """With one more place, the last one, which no video tells: where the hand is seen."""
    return sizes._replace(points=sizes.points + 1)


def attend_now(theta: Params, now: Any) -> Tensor:
    """Log-attention to each place in the images of now, and last to the hand: [k, places + 1, cells]."""
    return torch.cat([meta_net.attend(meta_net.queries(theta), now.features), now.log_landmarks], 1)


def places_now(theta: Params, now: Any) -> Tensor:
    """Where each place is seen now, and last the hand: [k, places + 1, 3]."""
    return meta_net.read(attend_now(theta, now), now.points)


def ways_from_hand(seen: Tensor) -> Tensor:
    """The ways to places that are seen, [k, places + 1, 3], from the hand, the last of them: [k, places, 3]."""
    return seen[:, :-1] - seen[:, -1:]


def way_now(theta: Params, goal: Tensor, view: View) -> Tensor:
    """From the fingertips to each place: [m, places, 3]. As it is seen now; as it was seen at first where it was not
    looked again."""
    known = goal[:, :-1] - view.state[:, None, :3]
    if not view.now:
        return known
    seen = places_now(theta, view.now)
    return torch.cat([known[: -len(seen)], ways_from_hand(seen)])


def at_scales(way: Tensor) -> list[Tensor]:
    """Ways [m, ...] squashed at all scales, each [m, numbers]."""
    return [(scale * way).tanh().flatten(1) for scale in SCALES]


def ways(theta: Params, goal: Tensor, view: View) -> list[Tensor]:
    """Those of `precise`, and as they are seen now."""
    return [*precise.ways(theta, goal, view), *at_scales(way_now(theta, goal, view))]


def ways_to_the_end(theta: Params, goal: Tensor, view: View) -> list[Tensor]:
    """Those of `both`; and, as they are seen now, to each place and to where the task ends."""
    way = way_now(theta, goal, view)
    end = way[:, 0] + both.END_SCALE * theta["end"][both.FINGERTIP]
    return [*both.ways(theta, goal, view), *at_scales(way), *at_scales(end)]


def act(ways: meta_net.More, theta: Params, view: View) -> meta_net.Activations:
    """As of `meta_net`, going by both looks."""
    return meta_net.act(theta, view, ways)


def predict(usual: Predict, ways: meta_net.More, adapted: head.Adapted, inputs: View) -> dict[str, Tensor]:
    """As of a policy of one look, which does not know of the hand's place.

    Where it looks again, also what it sees then: log-attentions "now" [k, places + 1, cells] and "points_now" [k,
    places + 1, 3, h, w], the hand's last; and where the hand truly is, "fingertip" [k, 3].
    """
    said = usual(adapted, inputs, act=partial(act, ways))
    said |= {name: said[name][:, :-1] for name in ("log_attention", "points", "pose")}
    if not (now := inputs.now):
        return said
    attention = attend_now(adapted.head, now)
    return said | {"now": attention, "points_now": now.points, "fingertip": inputs.state[-len(attention) :, :3]}


def outer_loss(usual: Callable[[float], OuterLoss], hint: float) -> OuterLoss:
    """That of a policy of one look, and what it sees later: "hand" and "found", minus the log densities of its own hand
    and of the places; and "way", how far off the ways from the one to the others are. A place that nobody knows counts
    nothing."""
    imitated = usual(hint)

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        scalars, now, points = imitated(outputs, targets), outputs["now"], outputs["points_now"]
        right = torch.cat([targets["places"], outputs["fingertip"][:, None]], 1)
        unsure = head.unsure(now, points.flatten(-2).mT, outputs["log_spread"], right)
        hand, found = unsure[:, -1].mean(), unsure[:, :-1].sum(-1).mean()
        way = precise.distance(ways_from_hand(meta_net.read(now, points)), ways_from_hand(right))
        total = scalars["loss"] + head.POSE_WEIGHT * (hand + found) + WAY_WEIGHT * way
        return scalars | {"loss": total, "hand": hand, "found": found, "way": way}

    return loss


def opened(
    usual: Imitator, init: Init, loss: head.Loss, ways: meta_net.More, predicted: Predict, inner_steps: int
) -> Imitator:
    """A policy of one look with its eyes open: with meta-parameters of its own, and going by more ways."""
    watch = partial(head.adapt_head, loss, inner_steps, act=partial(act, ways))
    learner = usual.learner._replace(init=init, adapt=watch, predict=partial(predict, predicted, ways))
    wanted = usual.wanted._replace(states=LOOKS, looks=LOOKS)
    watched = partial(head.value, loss, act=partial(act, ways))
    loss_of = partial(outer_loss, usual.outer_loss)
    return usual._replace(learner=learner, outer_loss=loss_of, wanted=wanted, learned_loss=watched)


def looking(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`precise` with its eyes open."""
    more = 3 * sizes.points * len(SCALES)
    usual = precise.precise(inner_steps, sizes)
    fresh = partial(precise.init, with_hand(sizes), init_loss=fast.init_loss, more=more)
    return opened(usual, fresh, fast.loss, ways, precise.predict, inner_steps)


def looking_both(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`both` with its eyes open."""
    more = 3 * (sizes.points + 1) * len(SCALES)
    usual = both.both(inner_steps, sizes)
    fresh = partial(both.init, with_hand(sizes), more=more)
    return opened(usual, fresh, both.loss, ways_to_the_end, both.predict, inner_steps)
