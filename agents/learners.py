"""Who is evaluated: something that watches videos of a task and then acts, once for every episode.

`Imitation` is a policy of ours. `OneShot` is any other: a function from a video to an actor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from agents import oracle
from agents.errors import AgentError
from agents.imitation import Imitator, adapt_to_videos
from daml import MetaParams
from demos.record import Actor
from demos.types import Video
from envs.tabletop import CAMERAS

OneShotPolicy = Callable[[Video], Actor]
"""A policy of one's own: video -> who acts in one episode. It is called anew for every episode, so that an actor may
remember what it has seen."""
MakeActor = Callable[[], Actor]
"""Who acts in one episode, anew for every episode."""
SIZE = 64
"""Side of the images that a policy of one's own sees, when nothing else is asked for [px]."""


@runtime_checkable
class Learner(Protocol):
    """Who is evaluated. size: side of the images that it watches and acts on [px].  cameras: one of
    `envs.tabletop.CAMERAS`, that it acts through.  look_once: whether it looks at an episode's first images only."""

    @property
    def size(self) -> int: ...

    @property
    def cameras(self) -> tuple[str, ...]: ...

    @property
    def look_once(self) -> bool: ...

    def check(self, videos: int) -> None:
        """
        Raises:
            AgentError: it cannot watch so many videos of a task.
        """

    def watch(self, videos: Sequence[Video]) -> MakeActor:
        """Learns from what is shown of a task."""

    def watch_told(self, videos: Sequence[Video]) -> MakeActor:
        """The same, for actors that are told in `info` where the goal is."""


@dataclass(frozen=True)
class Imitation:
    """A policy of ours, which adapts to the videos of a task once.

    It keeps its parameters on the CPU, without gradients, and can be sent to other processes."""

    imitator: Imitator
    meta: MetaParams

    def __post_init__(self) -> None:
        still = {group: {name: t.detach().cpu() for name, t in params.items()} for group, params in self.meta.items()}
        object.__setattr__(self, "meta", still)

    @property
    def size(self) -> int:
        return self.imitator.size

    @property
    def cameras(self) -> tuple[str, ...]:
        return self.imitator.cameras

    @property
    def look_once(self) -> bool:
        return self.imitator.wanted.look_once

    def check(self, videos: int) -> None:
        pass

    def watch(self, videos: Sequence[Video]) -> MakeActor:
        return adapt_to_videos(self.imitator, self.meta, videos).actor

    def watch_told(self, videos: Sequence[Video]) -> MakeActor:
        return partial(oracle.told, adapt_to_videos(self.imitator, self.meta, videos))


@dataclass(frozen=True)
class OneShot:
    """A policy of one's own. The simulator's `info` is empty for it, unless it is to be told where the goal is."""

    policy: OneShotPolicy
    size: int = SIZE
    cameras: tuple[str, ...] = CAMERAS[0]
    look_once: bool = False

    def check(self, videos: int) -> None:
        if videos > 1:
            raise AgentError(f"videos: got {videos}, allowed 1 for a policy of one video")

    def watch(self, videos: Sequence[Video]) -> MakeActor:
        def begin() -> Actor:
            actor = self.policy(videos[0])
            return lambda observation, info: _action(actor, observation, {})

        return begin

    def watch_told(self, videos: Sequence[Video]) -> MakeActor:
        return lambda: partial(_action, self.policy(videos[0]))


def _action(actor: Actor, observation: dict[str, np.ndarray], info: dict[str, Any]) -> np.ndarray:
    """An action that may be a list or have a precision of its own, as an environment takes it."""
    return np.atleast_1d(np.asarray(actor(observation, info), np.float32))


def learner(one: Learner | OneShotPolicy) -> Learner:
    """A learner as it is; a function from a video to an actor as one of images of `SIZE`."""
    return one if isinstance(one, Learner) else OneShot(one)
