"""Demonstrations as frozen, validated, read-only data."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from demos.errors import DemoError, VideoError


@dataclass(frozen=True)
class Video:
    """A video in memory.

    Keeps copies, unless the arrays can no longer be written through anything.
    """

    frames: np.ndarray
    """uint8 [T, H, W, 3]."""
    times: np.ndarray
    """float64 [T] [s], from 0, strictly increasing."""

    def __post_init__(self) -> None:
        frames, times = np.asarray(self.frames), np.asarray(self.times, np.float64)
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
            raise VideoError(f"frames: got {frames.dtype} {frames.shape}, allowed uint8 [T, H, W, 3]")
        if times.shape != frames.shape[:1]:
            raise VideoError(f"times: got shape {times.shape}, allowed one for each of {len(frames)} frames")
        if times[0] != 0 or not np.isfinite(times).all() or not (np.diff(times) > 0).all():
            raise VideoError("times: got times that do not increase strictly from 0, allowed only such")
        freeze(self, frames=_own(frames), times=_own(times))

    @property
    def n_frames(self) -> int:
        return len(self.frames)

    @property
    def duration(self) -> float:
        """Time of the last frame [s]."""
        return float(self.times[-1])

    @property
    def fps(self) -> float:
        """Mean frames a second; 0 for a single frame."""
        return (self.n_frames - 1) / self.duration if self.n_frames > 1 else 0.0


@dataclass(frozen=True)
class Demonstration(Video):
    """A video of the robot doing the task, and what a robot knows of it."""

    states: np.ndarray
    """float32 [T, 10 or 11], as the environment observes them."""
    actions: np.ndarray
    """float32 [T, 3 or 4]."""
    points: np.ndarray
    """float [places, 3], the places that the task is about [m]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.frames) == len(self.states) == len(self.actions):
            raise DemoError(
                f"demonstration lengths: got {len(self.frames)}, {len(self.states)}, {len(self.actions)}, allowed "
                "equal ones"
            )
        freeze(self, states=np.asarray(self.states), actions=np.asarray(self.actions), points=np.asarray(self.points))


@dataclass(frozen=True)
class Episode:
    """What a robot saw and did.

    images: uint8 [T, H, W, 3].  hand_images: the same of the camera in the hand; None without it.  states: float32 [T,
    10 or 11], as the environment observes them.  actions: float32 [T, 3 or 4].  places: float [T, k, 3], where the
    places are that the task is about [m]; the goal object's, which is the first, NaN once the robot has moved it.
    success: at the end.  right_object: whether the object that was acted upon was the goal, at the end.  distance: as
    the environment tells it, at the end [m].  stages: of the task, and whether each was passed.
    aim, goal_done: where goals have two parts, the second one (`envs.scene.Aims`) as it was done with the object that
    was acted upon, and the number of the goal that was done, at the end; -1 for none.
    """

    images: np.ndarray
    states: np.ndarray
    actions: np.ndarray
    places: np.ndarray
    success: bool
    right_object: bool
    distance: float
    stages: dict[str, bool] = field(default_factory=dict)
    aim: int | None = None
    goal_done: int | None = None
    hand_images: np.ndarray | None = None

    def __post_init__(self) -> None:
        images, states, actions = map(np.asarray, (self.images, self.states, self.actions))
        if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
            raise DemoError(f"images: got {images.dtype} {images.shape}, allowed uint8 [T, H, W, 3]")
        lengths = [len(each) for each in (images, states, actions, self.places)]
        if len(set(lengths)) > 1:
            raise DemoError(f"episode lengths: got {', '.join(map(str, lengths))}, allowed equal ones")
        freeze(self, images=images, states=states, actions=actions, places=np.asarray(self.places))

    def without_images(self) -> "Episode":
        """The same with empty ones, [T, 0, 0, 3]: images are nearly all of its memory."""
        return replace(self, images=np.empty((len(self.images), 0, 0, 3), np.uint8), hand_images=None)


def _own(array: np.ndarray) -> np.ndarray:
    """The array itself if it and all that it is a view of are read-only, else a copy."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    return array if owner is None else array.copy()


def freeze(instance: Any, **arrays: np.ndarray) -> None:
    """Stores read-only views of the arrays in a frozen dataclass."""
    for name, array in arrays.items():
        view = array.view()
        view.flags.writeable = False
        object.__setattr__(instance, name, view)
