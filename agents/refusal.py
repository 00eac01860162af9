"""Whether a video shows a task that a policy knows: does it look at one place, whichever frames it has watched?

The policy adapts to every other frame of the video, and once more to those between. Both then look at the video's first
frame. Of a task that it knows both put all their attention on one thing. Of anything else the attention is spread, or
each half says something else.
"""

import numpy as np
from scipy import ndimage

from agents.attention import attention_maps
from agents.errors import AgentError
from agents.imitation import Imitator, adapt_to_video
from agents.meta_net import PEAK
from daml import MetaParams
from demos.types import Video
from demos.video import resample, resize

KNOWN = 0.85
"""Agreement from which a video counts as one of a task that the policy knows.

Chosen on human videos of meta-validation objects, of which 3.5 % are below for the Reach policy in the box
(`daml bench refusal --seed 1`)."""


def agreement(imitator: Imitator, meta: MetaParams, video: Video) -> float:
    """How much attention both halves of a video put on the same place of its first frame, 0 to 1; where the video tells
    several places, on that on which they agree least.

    The largest mass, over squares of the size that a pose is read from, of the geometric mean of the two attentions.

    Args:
        imitator, meta: a policy that has an attention.
        video: with twice as many frames as the policy watches, or more, to tell something of time.

    Raises:
        AgentError: a policy without attention, or a video of one frame.
    """
    if video.n_frames < 2:
        raise AgentError(f"video: got {video.n_frames} frame, allowed 2 or more")
    image = resize(video.frames[:1], imitator.size)[0]
    state = np.zeros(imitator.sizes.state, np.float32)
    policies = (adapt_to_video(imitator, meta, half) for half in halves(imitator, video))
    one, other = (attention_maps(policy, image, state) for policy in policies)
    side = 2 * PEAK + 1
    means = ndimage.uniform_filter(np.sqrt(one * other), (0, side, side), mode="constant")
    return float(side**2 * means.max((1, 2)).min())


def halves(imitator: Imitator, video: Video) -> tuple[Video, Video]:
    """Every other moment of a video, and those between: each as many frames as the policy watches."""
    frames = resample(video, 2 * imitator.wanted.frames).frames
    times = np.arange(imitator.wanted.frames, dtype=float)
    return Video(frames[::2], times), Video(frames[1::2], times)
