"""One-shot imitation: a video in, a policy out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import nan
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils import _pytree as pytree

from agents.errors import AgentError
from agents.view import OURS, Sizes, Units, View, scaled_state, scaled_targets
from daml import Example, MetaLearner, MetaParams, OuterLoss, Task
from demos.distribution import Wanted
from demos.record import Actor
from demos.types import Video
from demos.video import resample, resize
from envs.tabletop import CAMERAS, IN_HAND

Perceive = Callable[[MetaParams, Tensor], Any]
"""(meta-parameters, images uint8 [n, size, size, 3]) -> what the adapted part of the policy sees of them, a pytree of
[n, ...]. It is shared by all tasks and not adapted."""


def watch(imitator: "Imitator", meta: MetaParams, video: Video) -> View:
    """What is seen in some frames of a video; the robot's state is not known there."""
    frames = torch.tensor(watched_frames(imitator, video), device=device_of(meta))
    seen = imitator.perceive(meta, frames)
    return View(seen, torch.zeros(len(frames), imitator.sizes.state, device=frames.device))


Support = Callable[["Imitator", MetaParams, Video], Any]
"""(imitator, meta-parameters, what is shown) -> the support that its learner adapts on."""
Look = Callable[[dict[str, np.ndarray], dict[str, Any]], Any]
"""(observation, info) -> what the policy sees."""
Acts = Callable[["Policy", Look], Actor]
"""(adapted policy, how it looks) -> who acts in one episode, from its first observation on."""
MEMORY = "memory"
"""The group of meta-parameters that are no parameters: what is kept of the meta-training data. Nothing learns it."""


def at_each_step(policy: "Policy", look: Look) -> Actor:
    """Who asks the policy for an action in every step; the action is float32 [action], in the robot's own units and
    inside their bounds: for the robot here [-1, 1].

    A policy that acts on the first image only, and does not look again, goes by the robot's state from there: the goal
    stands still, and late images show the arm where it was.
    """
    seen: list[Any] = []
    wanted = policy.imitator.wanted

    def act(observation: dict[str, np.ndarray], info: dict[str, Any]) -> np.ndarray:
        if not (wanted.look_once and seen):
            seen[:] = [look(observation, info)]
        hand = policy.look_from_hand(observation) if wanted.hand else ()
        outputs = policy.outputs(seen[0], observation["state"], hand)
        return policy.bounded(outputs["action"][0]).cpu().numpy()

    return act


class Demonstrations(Protocol):
    """Where whole demonstrations come from: `demos.distribution.MixedTasks`, or `SetTasks`."""

    def demonstrations(self, n: int, rng: np.random.Generator) -> Task: ...


Remember = Callable[[MetaParams, Demonstrations, np.random.Generator], MetaParams]
"""(meta-parameters, demonstrations, source of all randomness) -> the same with a full memory."""


def nothing(meta: MetaParams, demonstrations: Demonstrations, rng: np.random.Generator) -> MetaParams:
    """Keeps nothing of them."""
    return meta


LearnedLoss = Callable[[MetaParams, View], Tensor]
"""(meta-parameters, what is seen of a video) -> the scalar that the first inner step descends."""


class Imitator(NamedTuple):
    """A meta-learner that imitates videos, and what it needs to be fed.

    learner: on encoded tasks; its outputs have "action" [m, action].
    perceive: what turns images into what the learner adapts on.
    sizes: of state and action.
    outer_loss: weight of the meta-training hint -> outer loss.
    wanted: of the data that it is trained on, and so of the video and of the images that it acts on.
    size: side of its images [px].
    support: what the learner adapts on, of a video.
    learned_loss: of the inner step, where there is one, to be looked at.
    acts: how a policy acts in an episode.
    remember: fills the group `MEMORY`, if it has one, once the others are trained.
    perceive_hand: what turns images of the camera in the hand into what the head sees of them, if it wants them.
    """

    learner: MetaLearner
    perceive: Perceive
    sizes: Sizes
    outer_loss: Callable[[float], OuterLoss]
    wanted: Wanted
    size: int
    support: "Support" = watch
    learned_loss: LearnedLoss | None = None
    acts: Acts = at_each_step
    remember: Remember = nothing
    perceive_hand: Perceive | None = None

    @property
    def cameras(self) -> tuple[str, ...]:
        """Of the environment that it acts in."""
        return CAMERAS[bool(self.wanted.hand)]


def encode(
    perceive: Perceive,
    meta: MetaParams,
    tasks: Task,
    *,
    units: Units = OURS,
    perceive_hand: Perceive | None = None,
) -> Task:
    """Perceives every image of a meta-batch at once: the `encode` of a learner, once `perceive` is bound.

    Args:
        perceive: see `Perceive`.
        meta: the meta-parameters.
        tasks: support uint8 [tasks, frames, H, W, 3]; query inputs "image" uint8 [tasks, n, H, W, 3] and "state"
            [tasks, m, state]; and, if the policy looks again, "moved" [tasks, m, places, 3] [m]; and, if it looks from
            the hand, too, "hand" uint8 [tasks, k, H, W, 3], what is seen there at the last k states.
        units: of the robot.
        perceive_hand: see `Imitator`.

    Returns:
        The same tasks with a `View` as support and one as query inputs, and `scaled_targets`.
    """
    inputs, state = tasks.query.inputs, scaled_state(tasks.query.inputs["state"], units)
    images = [tasks.support, inputs["image"]]
    seen = perceive(meta, torch.cat([each.flatten(0, 1) for each in images]))
    video, query = _apart(seen, [each.shape[:2] for each in images])
    # The robot's state in a human's video: zeroed, as in the published code (of Yu et al. 2018).
    unknown = torch.zeros_like(state[:, :1]).expand(*tasks.support.shape[:2], -1)
    view = View(query, state)
    if "moved" in inputs:
        view = view._replace(moved=units.point.way_to_unit(inputs["moved"]).nan_to_num())
    if perceive_hand is not None:
        images = inputs["hand"]
        view = view._replace(hand=_apart(perceive_hand(meta, images.flatten(0, 1)), [images.shape[:2]])[0])
    return Task(View(video, unknown), Example(view, scaled_targets(tasks.query.targets, units)))


def _apart(seen: Any, shapes: Sequence[torch.Size]) -> list[Any]:
    """What was perceived of images one after the other, a pytree of [n, ...], in parts of [*shape, ...]."""
    ends = accumulate((shape.numel() for shape in shapes), initial=0)
    return [
        pytree.tree_map(lambda leaf, i=i, j=j, shape=shape: leaf[i:j].unflatten(0, shape), seen)
        for (i, j), shape in zip(pairwise(ends), shapes, strict=True)
    ]


@dataclass(frozen=True)
class Policy:
    """A policy for one task, any number of episodes.

    adapted: what adaptation to the video returned.
    """

    imitator: Imitator
    meta: MetaParams
    adapted: Any

    @torch.no_grad()
    def look(self, image: np.ndarray) -> Any:
        """What it sees of an image, uint8 [size, size, 3]."""
        return self.imitator.perceive(self.meta, torch.tensor(image[None], device=device_of(self.meta)))

    @torch.no_grad()
    def look_from_hand(self, observation: dict[str, np.ndarray]) -> Any:
        """What it sees of the image of the camera in the hand, uint8 [size, size, 3].

        Raises:
            AgentError: there is none in the observation.
        """
        if IN_HAND not in observation:
            raise AgentError(
                f"observation: got {sorted(observation)}, allowed one with {IN_HAND!r}, of an environment with "
                f"cameras={self.imitator.cameras}"
            )
        assert self.imitator.perceive_hand is not None
        image = torch.tensor(observation[IN_HAND][None], device=device_of(self.meta))
        return self.imitator.perceive_hand(self.meta, image)

    def scaled(self, state: np.ndarray) -> Tensor:
        """The robot's state, float32 [state or fewer], as the network takes it: [1, state].

        Raises:
            AgentError: it has more numbers than the policy was trained with.
        """
        if (missing := self.imitator.sizes.state - len(state)) < 0:
            raise AgentError(f"robot's state: got {len(state)} numbers, allowed up to {self.imitator.sizes.state}")
        padded = F.pad(torch.tensor(state[None], device=device_of(self.meta)), (0, missing), value=nan)
        return scaled_state(padded, self.imitator.sizes.units)

    @torch.no_grad()
    def outputs(self, seen: Any, state: np.ndarray, hand: Any = ()) -> dict[str, Tensor]:
        """All that the network computes from what `look` returned, the robot's state, as `scaled` takes it, and what
        `look_from_hand` returned."""
        return self.imitator.learner.predict(self.adapted, View(seen, self.scaled(state), hand=hand))

    def bounded(self, action: Tensor) -> Tensor:
        """Actions as they come out of the network, [..., action], in the robot's own units and inside their bounds."""
        units = self.imitator.sizes.units
        low, high = (action.new_tensor(bound[: action.shape[-1]]) for bound in (units.low, units.high))
        return units.action.from_unit(action).clamp(low, high)

    def actor(self) -> Actor:
        """Who acts in one episode, as its imitator acts."""
        return self.imitator.acts(self, lambda observation, info: self.look(observation["image"]))


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
    return Policy(imitator, meta, imitator.learner.adapt(meta, imitator.support(imitator, meta, video)))


def adapt_to_videos(imitator: Imitator, meta: MetaParams, videos: Sequence[Video]) -> Policy:
    """One step on the mean of the gradients on several videos of one task.

    After a single inner step that is the mean of the adapted parameters; after more of them it is one kind of mean.

    Raises:
        AgentError: no video, or one that `adapt_to_video` refuses.
    """
    if not videos:
        raise AgentError("videos: got 0, allowed 1 or more")
    adapted = [adapt_to_video(imitator, meta, video).adapted for video in videos]
    return Policy(imitator, meta, pytree.tree_map(lambda *leaves: torch.stack(leaves).mean(0), *adapted))


def watched_frames(imitator: Imitator, video: Video) -> np.ndarray:
    """What the policy sees of a video: uint8 [frames, size, size, 3], evenly spaced in time."""
    return resize(resample(video, imitator.wanted.frames).frames, imitator.size)


def device_of(meta: MetaParams) -> torch.device:
    """Where the meta-parameters are."""
    return next(iter(meta["theta"].values())).device
