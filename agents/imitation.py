"""One-shot imitation: a video in, a policy out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from agents.errors import AgentError
from daml import Example, MetaLearner, MetaParams, OuterLoss, Task
from demos.record import Actor
from demos.types import Video
from demos.video import resample, resize

Perceive = Callable[[MetaParams, Tensor, Tensor], Any]
"""(meta-parameters, images uint8 [n, size, size, 3], state [n, 10]) -> what the adapted part of the policy sees of
them, a pytree of [n, ...]. It is shared by all tasks and not adapted."""


class Imitator(NamedTuple):
    """A meta-learner that imitates videos, and what it needs to be fed.

    learner: on encoded tasks; its outputs have "action" [n, 3].
    perceive: what turns images into what the learner adapts on.
    outer_loss: weight of the meta-training hint -> outer loss.
    frames: of a video that it watches.  size: side of its images [px].
    """

    learner: MetaLearner
    perceive: Perceive
    outer_loss: Callable[[float], OuterLoss]
    frames: int
    size: int


def encode(perceive: Perceive, meta: MetaParams, tasks: Task) -> Task:
    """Perceives every image of a meta-batch at once: the `encode` of a learner, once `perceive` is bound.

    Args:
        perceive: see `Perceive`.
        meta: the meta-parameters.
        tasks: support uint8 [tasks, frames, H, W, 3]; query inputs "image" uint8 [tasks, n, H, W, 3] and "state"
            [tasks, n, 10].
    """
    video, image, state = tasks.support, tasks.query.inputs["image"], tasks.query.inputs["state"]
    shown, asked = video.shape[:2], image.shape[:2]
    # A human's video has no robot state: it is zeroed, as in the published code (of Yu et al. 2018).
    states = torch.cat([state.new_zeros(shown.numel(), state.shape[-1]), state.flatten(0, 1)])
    view = perceive(meta, torch.cat([video.flatten(0, 1), image.flatten(0, 1)]), states)
    support = pytree.tree_map(lambda leaf: leaf[: shown.numel()].unflatten(0, shown), view)
    query = pytree.tree_map(lambda leaf: leaf[shown.numel() :].unflatten(0, asked), view)
    return Task(support, Example(query, tasks.query.targets))


@dataclass(frozen=True)
class Policy:
    """A policy for one task, any number of episodes.

    adapted: what adaptation to the video returned.
    """

    imitator: Imitator
    meta: MetaParams
    adapted: Any

    @torch.no_grad()
    def outputs(self, image: np.ndarray, state: np.ndarray) -> dict[str, Tensor]:
        """All that the network computes for one image, uint8 [size, size, 3], and robot state, float32 [10]."""
        device = device_of(self.meta)
        images, states = (torch.tensor(array[None], device=device) for array in (image, state))
        return self.imitator.learner.predict(self.adapted, self.imitator.perceive(self.meta, images, states))

    def actor(self) -> Actor:
        """Who acts in one episode, from its first observation on; the action is float32 [3] in [-1, 1].

        It looks at the episode's first image and goes by the robot's state from there: goals of reaching stand still,
        and late images show the arm where the goal was.
        """
        first: list[np.ndarray] = []

        def act(observation: dict[str, np.ndarray], info: dict[str, Any]) -> np.ndarray:
            first[:] = first or [observation["image"]]
            return self.outputs(first[0], observation["state"])["action"][0].clamp(-1, 1).cpu().numpy()

        return act


@torch.no_grad()
def adapt_to_video(imitator: Imitator, meta: MetaParams, video: Video) -> Policy:
    """The one-shot moment: one video, one gradient step of the learned loss, a policy for that task.

    Args:
        imitator: which kind of policy.
        meta: its meta-trained parameters.
        video: of a human, at any size and frame rate.

    Raises:
        AgentError: a video of one frame: it shows no motion.
    """
    if video.n_frames < 2:
        raise AgentError(f"video: got {video.n_frames} frame, allowed 2 or more")
    frames = torch.tensor(watched_frames(imitator, video), device=device_of(meta))
    view = imitator.perceive(meta, frames, torch.zeros(len(frames), 10, device=frames.device))
    return Policy(imitator, meta, imitator.learner.adapt(meta, view))


def watched_frames(imitator: Imitator, video: Video) -> np.ndarray:
    """What the policy sees of a video: uint8 [frames, size, size, 3], evenly spaced in time."""
    return resize(resample(video, imitator.frames).frames, imitator.size)


def device_of(meta: MetaParams) -> torch.device:
    """Where the meta-parameters are."""
    return next(iter(meta["theta"].values())).device
