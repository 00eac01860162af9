"""The `handed` preset: `looking`, which also sees what the camera in the hand sees now.

Seen from across the table a pixel is 1.5 cm, and the hand hides what it goes to. From the hand a pixel is about 2 mm
there where the fingertips are, which is always the same place in the image. So it says what the last centimetre hangs
on, and nothing about what is elsewhere. Its trunk is its own: nothing there looks as it does from across the table, and
nobody asks it what the video tells.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.imitation import Imitator, encode
from agents.layers import conv2d, init_conv
from agents.methods import fast, looking, precise
from agents.methods.paper import keypoints
from agents.view import REACHING, Sizes, View
from daml import MetaParams, Params

MAPS = 16
"""Feature maps of the hand's image, of each of which the head sees where it is strongest: two numbers."""


def init(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    """Those of `looking`, and in the trunk what sees the hand's image."""
    more = 3 * sizes.points * len(looking.SCALES) + 2 * MAPS
    meta = precise.init(looking.with_hand(sizes), generator, init_loss=fast.init_loss, more=more)
    for name, channels, kernel in (("hand1", 3, 5), ("hand2", MAPS, 3), ("hand3", MAPS, 3)):
        init_conv(meta["trunk"], name, channels, MAPS, (kernel, kernel), generator)
    return meta


def perceive_hand(meta: MetaParams, images: Tensor) -> Tensor:
    """uint8 [n, H, W, 3] -> where each feature map is strongest, [n, 2 * MAPS] in [-1, 1]."""
    trunk = meta["trunk"]
    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    x = F.relu(conv2d(trunk, "hand1", x, stride=2))
    x = F.relu(conv2d(trunk, "hand2", x, stride=2))
    return keypoints(conv2d(trunk, "hand3", x))


def from_hand(view: View) -> Tensor:
    """What the head sees of the hand's image in each of m states: [m, 2 * MAPS]; 0 where it did not look."""
    m = len(view.state)
    if isinstance(view.hand, Tensor):
        return F.pad(view.hand, (0, 0, m - len(view.hand), 0))
    return view.state.new_zeros(m, 2 * MAPS)


def ways(theta: Params, goal: Tensor, view: View) -> list[Tensor]:
    """Those of `looking`, and what is seen from the hand."""
    return [*looking.ways(theta, goal, view), from_hand(view)]


def handed(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The preset; with zero inner steps it is the policy without adaptation."""
    usual = precise.precise(inner_steps, sizes)
    opened = looking.opened(usual, partial(init, sizes), fast.loss, ways, precise.predict, inner_steps)
    watching = partial(encode, precise.perceive, units=sizes.units, perceive_hand=perceive_hand)
    return opened._replace(
        learner=opened.learner._replace(encode=watching),
        wanted=opened.wanted._replace(hand=True),
        perceive_hand=perceive_hand,
    )
