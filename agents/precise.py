"""The `precise` preset: `fast` for what must be met within a centimetre, as in grasping.

The camera is never quite in the same place, which moves everything in the image by about a centimetre on the table. So
the trunk also looks at the image as a whole and corrects its points by what that says about the camera. It learns that
on glances (`demos.glances`): images of many more scenes and cameras than there are demonstrations. And the head sees
the way from the fingertips to each place at finer scales, too.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from agents import fast, imitation, meta_net
from agents.imitation import Imitator
from agents.layers import conv2d, init_conv, init_linear, linear, with_place
from agents.meta_net import CHANNELS, POINT_CHANNELS
from agents.view import REACHING, Sizes, known, scaled_point
from daml import Example, MetaLearner, MetaParams, OuterLoss, Params, Task
from demos.glances import TABLE_POINTS

NEAR = (4.0, 16.0)
"""Of the scale of the fingertip in the state: about 3 cm and 8 mm."""
SIZE = 64
"""Side of the images [px]."""
CALIBRATION = 64
TABLE_SCALE = 0.02
"""How far the table's points move in the image from camera to camera, of its side."""
TABLE_WEIGHT = 0.3
GLANCES = 2


def init(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    """Those of `fast`, and what corrects the points."""
    meta = fast.init(sizes, generator, near=NEAR)
    trunk = meta["trunk"]
    init_conv(trunk, "whole1", CHANNELS + 2, CHANNELS, (3, 3), generator)
    init_conv(trunk, "whole2", CHANNELS, CHANNELS, (3, 3), generator)
    init_linear(trunk, "calibration", CHANNELS * (SIZE // 16) ** 2, CALIBRATION, generator)
    init_linear(trunk, "calibrated", CALIBRATION, POINT_CHANNELS, generator)
    init_linear(trunk, "shift", CALIBRATION, 3, generator, gain=0.1)
    init_linear(trunk, "table", CALIBRATION, TABLE_POINTS[:, :2].size, generator)
    return meta


def perceive(meta: MetaParams, images: Tensor) -> meta_net.Seen:
    """uint8 [n, SIZE, SIZE, 3] -> what the shared trunk sees."""
    trunk = meta["trunk"]
    x = meta_net.convolve(trunk, images)
    what = meta_net.features(trunk, x)
    return meta_net.Seen(what, points(trunk, x, calibrate(trunk, x)), meta_net.attend(trunk["landmarks"], what))


def calibrate(trunk: Params, x: Tensor) -> Tensor:
    """[n, CHANNELS, h, w] -> what the image says about where the camera is, [n, CALIBRATION]."""
    x = F.relu(conv2d(trunk, "whole1", with_place(x), stride=2))
    x = F.relu(conv2d(trunk, "whole2", x, stride=2))
    return F.relu(linear(trunk, "calibration", x.flatten(1)))


def points(trunk: Params, x: Tensor, calibration: Tensor) -> Tensor:
    """As of `meta_net.points`, corrected by the calibration [n, CALIBRATION]."""
    context = linear(trunk, "calibrated", calibration)[..., None, None]
    return meta_net.points(trunk, x, context) + linear(trunk, "shift", calibration)[:, None, :, None, None]


def encode(meta: MetaParams, tasks: Task) -> Task:
    """As of `imitation.encode`; what is seen in the glances is put beside what should be seen there."""
    encoded = imitation.encode(perceive, meta, tasks)
    if "glance_frames" not in tasks.query.inputs:
        return encoded
    trunk, frames, pixels = meta["trunk"], tasks.query.inputs["glance_frames"], tasks.query.targets["glance_pixels"]
    x = meta_net.convolve(trunk, frames.flatten(0, 1))
    calibration = calibrate(trunk, x)
    seen = {
        "glanced_points": at_pixels(points(trunk, x, calibration), pixels.flatten(0, 1)),
        "glanced_table": linear(trunk, "table", calibration).unflatten(-1, (-1, 2)),
    }
    targets = encoded.query.targets | {name: leaf.unflatten(0, frames.shape[:2]) for name, leaf in seen.items()}
    return encoded._replace(query=Example(encoded.query.inputs, targets))


def at_pixels(points: Tensor, pixels: Tensor) -> Tensor:
    """What the maps of points [n, places, 3, h, w] say at pixels [n, goals, places, 2]: [n, goals, places, 3]."""
    where = 2 * pixels.nan_to_num().transpose(1, 2).flatten(0, 1)[:, :, None] - 1  # [n * places, goals, 1, 2]
    sampled = F.grid_sample(points.flatten(0, 1), where, padding_mode="border", align_corners=False)
    return sampled[..., 0].mT.unflatten(0, points.shape[:2]).transpose(1, 2)


def outer_loss(hint: float) -> OuterLoss:
    """That of `fast`; and, where there are glances, how far off the points and the table are in them."""
    imitated = fast.outer_loss(hint)

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        scalars = imitated(outputs, targets)
        if "glanced_points" not in targets:
            return scalars
        point, is_known = known(targets["glance_points"])
        off = (targets["glanced_points"] - scaled_point(point)).square() * is_known
        glance = (off.sum(-1) + 1e-4).sqrt().mean()
        table = (targets["glanced_table"] - targets["glance_table"] / TABLE_SCALE).square().mean()
        return scalars | {"loss": scalars["loss"] + glance + TABLE_WEIGHT * table, "glance": glance, "table": table}

    return loss


def precise(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The preset; with zero inner steps it is the policy without adaptation."""
    act = partial(meta_net.act, near=NEAR)
    learner = MetaLearner(
        partial(init, sizes),
        partial(fast.adapt_head, inner_steps, act=act),
        partial(fast.predict, act=act),
        encode,
    )
    return fast.fast(inner_steps, sizes)._replace(
        learner=learner, perceive=perceive, outer_loss=outer_loss, size=SIZE, states=32, glances=GLANCES
    )
