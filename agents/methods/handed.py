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

from agents import meta_net
from agents.imitation import Imitator, encode
from agents.layers import conv2d, init_conv
from agents.methods import fast, head, looking, precise
from agents.methods.paper import keypoints
from agents.view import REACHING, Sizes, View
from daml import MetaParams, Params

MAPS = 16
"""Feature maps of the hand's image, of each of which the head sees where it is strongest: two numbers."""
HANDED = 12
"""States of a demonstration in a meta-step, each with the image of the hand."""


def init(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    """Those of `precise`, and in the trunk what sees the hand's image."""
    meta = precise.init(sizes, generator, init_loss=fast.init_loss, more=2 * MAPS)
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
    """Those of `precise`, and what is seen from the hand."""
    return [*precise.ways(theta, goal, view), from_hand(view)]


def act(theta: Params, view: View) -> meta_net.Activations:
    """As of `meta_net`, going by what is seen from the hand, too."""
    return meta_net.act(theta, view, ways)


def handed(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The preset; with zero inner steps it is the policy without adaptation."""
    usual = looking.looking(inner_steps, sizes)
    return usual._replace(
        learner=usual.learner._replace(
            init=partial(init, sizes),
            adapt=partial(head.adapt_head, fast.loss, inner_steps, act=act),
            predict=partial(precise.predict, act=act),
            encode=partial(encode, precise.perceive, units=sizes.units, perceive_hand=perceive_hand),
        ),
        wanted=usual.wanted._replace(states=HANDED, hand=HANDED),
        learned_loss=partial(head.value, fast.loss, act=act),
        perceive_hand=perceive_hand,
    )
