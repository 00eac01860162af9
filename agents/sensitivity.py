"""Where in a video a learned loss looks: which pixels its value hangs on, before the inner step."""

import numpy as np
import torch
import torch.nn.functional as F

from agents.attention import tint
from agents.errors import AgentError
from agents.imitation import Imitator, device_of, watched_frames
from agents.view import View
from daml import MetaParams
from demos.types import Video

CELLS = 16
"""Squares on each side of a frame over which the gradient is averaged."""


def loss_gradient(imitator: Imitator, meta: MetaParams, video: Video) -> np.ndarray:
    """Size of the gradient of the learned loss with respect to the pixels of each frame that the policy sees.

    Returns:
        [frames, CELLS, CELLS], the mean of its norm over the pixels of a square, 1 where it is largest in the video.

    Raises:
        AgentError: a method without a learned loss.
    """
    if imitator.learned_loss is None:
        raise AgentError("learned loss: got a method without one, allowed `temporal` or another that has one")
    frames = torch.tensor(watched_frames(imitator, video), dtype=torch.float32, device=device_of(meta))
    frames.requires_grad_()
    seen = imitator.perceive(meta, frames)
    view = View(seen, torch.zeros(len(frames), imitator.sizes.state, device=frames.device))
    (gradient,) = torch.autograd.grad(imitator.learned_loss(meta, view), frames)
    squares = F.adaptive_avg_pool2d(gradient.norm(dim=-1)[:, None], CELLS)[:, 0]
    return (squares / squares.max()).cpu().numpy()


def loss_looks(imitator: Imitator, meta: MetaParams, video: Video, size: int) -> np.ndarray:
    """The frames that a policy sees of a video, and `loss_gradient` on top in red: uint8 [frames, size, size, 3]."""
    shares = loss_gradient(imitator, meta, video)
    return np.stack([tint(*each, size) for each in zip(watched_frames(imitator, video), shares, strict=True)])
