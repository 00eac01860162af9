"""A hand that is dragged: the path that somebody takes it along, and the model of a scene with that hand in it.

Nothing here knows of a browser: a path in, a motion out. Where the hand goes is the person's; how fast is not. A mouse
in a slow browser stands still for seconds, and the videos that policies are trained on take three in all.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import mujoco
import numpy as np

from demos.human import pose_moment
from demos.motions import Moment, Motion
from envs.scene import Scene, human_model

AREA = ((0.30, 0.95), (-0.42, 0.42))
"""Where the hand can be dragged: x range, y range [m]."""
WAIT = 0.15
"""How long the hand waits before it moves [s], as people in videos do."""


@dataclass(frozen=True)
class Drag:
    """Where somebody took the hand, moment by moment.

    points: [T, 3] [m], from where it waited; those of a hand that holds something tell only in their z how high that
    is.  holding: [T], whether it holds something.
    """

    points: np.ndarray
    holding: tuple[bool, ...]

    @classmethod
    def begun(cls, scene: Scene) -> "Drag":
        """The hand where it waits."""
        return cls(np.array([scene.human.rest]), (False,))

    def then(self, point: np.ndarray, holding: bool) -> "Drag":
        """The same, and one moment more."""
        return Drag(np.concatenate([self.points, [point]]), (*self.holding, holding))


class Shown(NamedTuple):
    """What somebody showed by dragging.

    motion: of the human.  length: of its film [s], in which it comes to its end.  goal: number of the goal that it ends
    with, as `Scene.with_goal` takes it; None when it is none.  said: that in words, as an order.
    """

    motion: Motion
    length: float
    goal: int | None
    said: str


class DraggedHand(ABC):
    """A scene with a human's hand in it that goes where it is put. length: of the films of what it shows [s]."""

    hint: ClassVar[str]
    """How something is shown with it, in Markdown."""

    def __init__(self, scene: Scene, length: float) -> None:
        self.scene, self.length = scene, length
        self.model = human_model(scene)
        self.data = mujoco.MjData(self.model)
        mujoco.mj_forward(self.model, self.data)

    def put(self, moment: Moment) -> None:
        """Moves the hand and the objects: those that the moment does not name stand where they stood at first."""
        movable = range(len(self.scene.objects)) if self.scene.layout.movable else ()
        things = {f"object{i}": self.scene.feet[i] for i in movable}
        pose_moment(self.model, self.data, self.scene, moment._replace(things=things | moment.things))

    @abstractmethod
    def follow(self, drag: Drag, eye: np.ndarray, direction: np.ndarray, grasping: bool) -> Drag:
        """A drag goes on.

        Args:
            drag: so far.
            eye: [3] from where somebody looks [m].
            direction: [3] along which they point with the mouse.
            grasping: whether they want the hand to close on what is under it.

        Returns:
            The same, and one moment more, unless the hand cannot go there.
        """

    @abstractmethod
    def shown(self, drag: Drag) -> Shown:
        """What a drag shows: at the end of its motion the hand is where the mouse has taken it."""


def travelled(path: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """The points [..., 2 or 3] [m] after shares [...] of the way along a path [T, 2 or 3] [m]."""
    far = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    return np.stack([np.interp(share * far[-1], far, axis) for axis in path.T], axis=-1)


def inside_area(point: np.ndarray) -> bool:
    """Whether a hand can be dragged to a point [3] [m]."""
    return all(low <= coordinate <= high for coordinate, (low, high) in zip(point[:2], AREA, strict=True))
