"""The `precise` preset: `fast` for what must be met within a centimetre, as in grasping.

The camera is never quite in the same place, which moves everything in the image by about a centimetre on the table. So
the trunk also looks for landmarks (spatial soft-argmax, Levine et al. 2016), such as the robot's base, and corrects its
points by where they are. And the head sees the way from the fingertips to each place at finer scales, too.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from agents import fast, meta_net
from agents.imitation import Imitator, encode
from agents.layers import conv2d, grid, init_conv, init_linear, linear
from agents.meta_net import CHANNELS, POINT_CHANNELS
from agents.view import REACHING, Sizes
from daml import MetaLearner, MetaParams, Params

NEAR = (4.0, 16.0)
"""Of the scale of the fingertip in the state: about 3 cm and 8 mm."""
LANDMARKS = 16
SHARPNESS = 4.0
CALIBRATION = 64


def init(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    """Those of `fast`, and what corrects the points."""
    meta = fast.init(sizes, generator, near=NEAR)
    trunk = meta["trunk"]
    init_conv(trunk, "fixed", CHANNELS, LANDMARKS, (1, 1), generator)
    init_linear(trunk, "calibration", 2 * LANDMARKS, CALIBRATION, generator)
    init_linear(trunk, "calibrated", CALIBRATION, POINT_CHANNELS, generator)
    init_linear(trunk, "shift", CALIBRATION, 3, generator, gain=0.1)
    return meta


def perceive(meta: MetaParams, images: Tensor) -> meta_net.Seen:
    """uint8 [n, H, W, 3] -> what the shared trunk sees."""
    trunk = meta["trunk"]
    x = meta_net.convolve(trunk, images)
    what = meta_net.features(trunk, x)
    calibration = F.relu(linear(trunk, "calibration", landmarks(trunk, x)))
    points = meta_net.points(trunk, x, linear(trunk, "calibrated", calibration)[..., None, None])
    shift = linear(trunk, "shift", calibration)[:, None, :, None, None]
    return meta_net.Seen(what, points + shift, meta_net.attend(trunk["landmarks"], what))


def landmarks(trunk: Params, x: Tensor) -> Tensor:
    """[n, CHANNELS, h, w] -> where LANDMARKS things are in the image, about unit size: [n, 2 LANDMARKS]."""
    h, w = x.shape[-2:]
    attention = (SHARPNESS * F.instance_norm(conv2d(trunk, "fixed", x))).flatten(-2).softmax(-1)
    return 3 * (attention @ grid(h, w, like=x)).flatten(1)


def precise(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The preset; with zero inner steps it is the policy without adaptation."""
    act = partial(meta_net.act, near=NEAR)
    learner = MetaLearner(
        partial(init, sizes),
        partial(fast.adapt_head, inner_steps, act=act),
        partial(fast.predict, act=act),
        partial(encode, perceive),
    )
    return fast.fast(inner_steps, sizes)._replace(learner=learner, perceive=perceive, states=32)
