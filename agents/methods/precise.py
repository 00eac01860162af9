"""The `precise` preset: `fast` for what must be met within a centimetre, as in grasping; `precise-temporal` on its loss
along the video instead.

The camera is never quite in the same place, which moves everything in the image by about a centimetre on the table. So
the trunk also looks at the image as a whole and corrects its points by what that says about the camera. What it learns
from demonstrations alone holds for their few cameras; so the adapted policy is asked in glances (`demos.glances`), too,
where the goal is: images of the same objects in further scenes through further cameras. And the head sees the way from
the fingertips to each place at finer scales. What the fingers shall do it decides.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from agents import meta_net
from agents.imitation import Imitator, Look, Policy, at_each_step, encode
from agents.layers import conv2d, init_conv, init_linear, linear, with_place
from agents.meta_net import CHANNELS, POINT_CHANNELS
from agents.methods import fast, head, temporal
from agents.view import REACHING, Sizes, View, known
from daml import MetaParams, OuterLoss, Params
from demos.glances import TABLE_POINTS
from demos.record import Actor

NEAR = (4.0, 16.0)
"""Of the scale of the fingertip in the state: about 3 cm and 8 mm."""
SIZE = 64
"""Side of the images [px]."""
CALIBRATION = 64
TABLE_SCALE = 0.02
"""How far the table's points move in the image from camera to camera, of its side."""
TABLE_WEIGHT = 0.3
GLANCES = 2
GRIPPER = slice(3, 4)
"""Where it is in an action."""
HALF_OPEN = 0.25
"""How far from 0, which is half open, an action of the gripper may be to be one."""


class Seen(NamedTuple):
    """As of `meta_net`, and table: [n, 4, 2], how far four points of the table are from where the usual camera sees
    them, in `TABLE_SCALE`."""

    features: Tensor
    points: Tensor
    log_landmarks: Tensor
    table: Tensor


def init(sizes: Sizes, generator: torch.Generator, *, init_loss: head.InitLoss, more: int = 0) -> MetaParams:
    """Those of `head`, and what corrects the points. more: numbers that the head sees besides `ways`."""
    meta = head.init(sizes, generator, init_loss=init_loss, more=3 * sizes.points * len(NEAR) + more)
    trunk = meta["trunk"]
    init_conv(trunk, "whole1", CHANNELS + 2, CHANNELS, (3, 3), generator)
    init_conv(trunk, "whole2", CHANNELS, CHANNELS, (3, 3), generator)
    init_linear(trunk, "calibration", CHANNELS * (SIZE // 16) ** 2, CALIBRATION, generator)
    init_linear(trunk, "calibrated", CALIBRATION, POINT_CHANNELS, generator)
    init_linear(trunk, "shift", CALIBRATION, 3, generator, gain=0.1)
    init_linear(trunk, "table", CALIBRATION, TABLE_POINTS[:, :2].size, generator)
    return meta


def perceive(meta: MetaParams, images: Tensor) -> Seen:
    """uint8 [n, SIZE, SIZE, 3] -> what the shared trunk sees."""
    trunk = meta["trunk"]
    x = meta_net.convolve(trunk, images)
    what, calibration = meta_net.features(trunk, x), calibrate(trunk, x)
    table = linear(trunk, "table", calibration).unflatten(-1, (-1, 2))
    return Seen(what, points(trunk, x, calibration), meta_net.attend(trunk["landmarks"], what), table)


def calibrate(trunk: Params, x: Tensor) -> Tensor:
    """[n, CHANNELS, h, w] -> what the image says about where the camera is, [n, CALIBRATION]."""
    x = F.relu(conv2d(trunk, "whole1", with_place(x), stride=2))
    x = F.relu(conv2d(trunk, "whole2", x, stride=2))
    return F.relu(linear(trunk, "calibration", x.flatten(1)))


def points(trunk: Params, x: Tensor, calibration: Tensor) -> Tensor:
    """As of `meta_net.points`, corrected by the calibration [n, CALIBRATION]."""
    context = linear(trunk, "calibrated", calibration)[..., None, None]
    return meta_net.points(trunk, x, context) + linear(trunk, "shift", calibration)[:, None, :, None, None]


def ways(theta: Params, goal: Tensor, view: View) -> list[Tensor]:
    """The way from the fingertips to each place, squashed at finer scales, each [m, 3 * places]."""
    return [(scale * (goal - view.state[:, None, :3])).tanh().flatten(-2) for scale in NEAR]


def act(theta: Params, view: View) -> meta_net.Activations:
    """As of `meta_net`, with the ways to each place at finer scales, too."""
    return meta_net.act(theta, view, ways)


def acts(policy: Policy, look: Look) -> Actor:
    """As of `at_each_step`, with fingers that shall be closed, half open or open.

    Who demonstrates says such a thing. A policy that was taught it by squared error says something between when it is
    not sure, and acts on what comes of it: fingers that are a little closed look like fingers that hold something, and
    close on; fingers that are a little open let go. So it says one of them, and half open only when it nearly says so.
    """
    unsure = at_each_step(policy, look)

    def act(observation: dict[str, np.ndarray], info: dict[str, Any]) -> np.ndarray:
        action = unsure(observation, info)
        action[GRIPPER] = np.sign(action[GRIPPER]) * (np.abs(action[GRIPPER]) > HALF_OPEN)
        return action

    return act


def predict(adapted: head.Adapted, inputs: View, *, act: head.Act = act) -> dict[str, Tensor]:
    """As of `head`, and where the table is."""
    return head.predict(adapted, inputs, act=act) | {"table": inputs.seen.table}


def at_pixels(points: Tensor, pixels: Tensor) -> Tensor:
    """What square maps of points [n, places, cells, 3] say at pixels [n, goals, places, 2]: [n, goals, places, 3]."""
    side = int(points.shape[-2] ** 0.5)
    x, y = linear_weights(pixels.nan_to_num(), side).unbind(-2)  # each [n, goals, places, side]
    weights = (y[..., :, None] * x[..., None, :]).flatten(-2)
    return torch.einsum("ngpc,npck->ngpk", weights, points)


def linear_weights(at: Tensor, side: int) -> Tensor:
    """Of linear interpolation at [...] in [0, 1] between the centres of `side` cells, constant beyond them."""
    centres = (torch.arange(side, device=at.device, dtype=at.dtype) + 0.5) / side
    inside = at.clamp(0.5 / side, 1 - 0.5 / side)
    return (1 - side * (inside[..., None] - centres).abs()).clamp(min=0)


def outer_loss(hint: float) -> OuterLoss:
    """That of `head`; and, in the glances, how far off the points of known pixels and those of the table are."""
    imitated = head.outer_loss(hint)

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        scalars = imitated(outputs, targets)
        if "glance_points" not in targets:
            return scalars
        n = len(targets["glance_points"])  # the last images
        point, is_known = known(targets["glance_points"])
        off = (at_pixels(outputs["points"][-n:], targets["glance_pixels"]) - point).square() * is_known
        glance = (off.sum(-1) + 1e-4).sqrt().mean()
        table = (outputs["table"][-n:] - targets["glance_table"] / TABLE_SCALE).square().mean()
        return scalars | {"loss": scalars["loss"] + glance + TABLE_WEIGHT * table, "glance": glance, "table": table}

    return loss


def precise(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The preset; with zero inner steps it is the policy without adaptation."""
    return watching(fast.loss, fast.init_loss, inner_steps, sizes)


def precise_temporal(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The same policy on the loss of `temporal`, which proposes nothing."""
    return watching(temporal.loss, temporal.init_loss, inner_steps, sizes)


def watching(loss: head.Loss, init_loss: head.InitLoss, inner_steps: int, sizes: Sizes) -> Imitator:
    """The policy with a learned loss."""
    watch = partial(head.adapt_head, loss, inner_steps, act=act)
    usual = head.with_head(partial(init, sizes, init_loss=init_loss), watch, sizes)
    return usual._replace(
        learner=usual.learner._replace(predict=predict, encode=partial(encode, perceive, units=sizes.units)),
        perceive=perceive,
        outer_loss=outer_loss,
        wanted=usual.wanted._replace(glances=GLANCES),
        size=SIZE,
        learned_loss=partial(head.value, loss, act=act),
        acts=acts,
    )
