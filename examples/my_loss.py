"""`examples.my_loss:ends`: a learned loss of one's own, which compares the last frame of a video with the first one.

What the hand comes to is seen best before, and the hand itself at the end. So two frames may do where the `temporal`
loss has convolutions along all of them.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from agents import adap_net, meta_net
from agents.imitation import Imitator
from agents.layers import init_linear, linear
from agents.methods.head import adapting
from agents.presets import TEMPORAL
from agents.view import REACHING, Sizes, View
from daml import Params

HIDDEN = 64


def init_loss(generator: torch.Generator, sizes: Sizes) -> Params:
    """psi, which is learned: a perceptron."""
    psi: Params = {}
    init_linear(psi, "one", 2 * adap_net.sights(sizes.told), HIDDEN, generator)
    init_linear(psi, "two", HIDDEN, HIDDEN, generator)
    return psi


def loss(psi: Params, theta: Params, video: View, seen: meta_net.Activations) -> Tensor:
    """The scalar that the inner step descends: it depends on the policy through where that looks."""
    frames = adap_net.sight(video.seen.features, seen.log_told[0])  # [frames, sights]
    hidden = F.relu(linear(psi, "one", torch.cat([frames[0], frames[-1]])))
    return linear(psi, "two", hidden).square().mean()


def imitator(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """Everything else as `temporal` has it."""
    return adapting(loss, init_loss, inner_steps, sizes)


ends = replace(TEMPORAL, imitator=imitator)
"""What `--preset examples.my_loss:ends` trains."""
