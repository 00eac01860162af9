"""Teaching by hand: what somebody drags a hand along, filmed by the same renderer as every human video.

Nothing here knows of a browser: a path in, a video out.
"""

from dataclasses import dataclass

import mujoco
import numpy as np

from agents.errors import AgentError
from demos.types import Video
from envs.appearance import CAMERA
from envs.human import pointing_hand, pose_human
from envs.render import Camera
from envs.scene import Layout, Scene, human_model

FPS = 20.0
"""Frames a second of a film of a dragged hand."""
WAIT, REST = 0.2, 0.7
"""How long the hand waits before and stays after what was dragged, as shares of its time: as people in videos do."""
MOST_TIME = 30.0
"""Longest drag that is filmed [s]: its end."""
ABOVE = 0.006
"""How far above what it points at the fingertip is [m]."""
AREA = ((0.30, 0.95), (-0.42, 0.42))
"""Where the fingertip can be dragged: x range, y range [m]."""

_HUMAN_GROUP = 2  # drawn like everything else, but nothing that one can point at


@dataclass(frozen=True)
class Drag:
    """A path of the index fingertip. times: [T] [s], increasing.  points: [T, 3] [m]."""

    times: np.ndarray
    points: np.ndarray

    def __post_init__(self) -> None:
        if self.points.shape != (len(self.times), 3) or len(self.times) < 2 or not (np.diff(self.times) > 0).all():
            raise AgentError(f"drag: got {len(self.times)} moments, allowed 2 or more, in the order of their time")

    def at(self, time: float) -> np.ndarray:
        """Where the fingertip is [3] [m], linearly between the moments; before and after them it rests."""
        return np.array([np.interp(time, self.times, axis) for axis in self.points.T])


def can_be_dragged(layout: Layout) -> bool:
    """Whether a task can be shown by dragging a fingertip: by a hand that points, where nothing is moved."""
    return layout.human_hand is pointing_hand and not layout.movable and layout.extra is None


class HandModel:
    """A scene with a human's hand in it that goes where it is put, and the way from a mouse pointer to the table."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.model = human_model(scene)
        self.data = mujoco.MjData(self.model)
        human = self.model.body_mocapid[self.model.geom_bodyid] >= 0
        self.model.geom_group[human] = _HUMAN_GROUP
        self._solid = np.ones(mujoco.mjNGROUP, np.uint8)
        self._solid[_HUMAN_GROUP] = 0
        mujoco.mj_forward(self.model, self.data)
        self.put(np.array(scene.human.rest))

    def put(self, fingertip: np.ndarray) -> None:
        """Moves the hand: `fingertip` [3] [m]."""
        pose_human(self.model, self.data, self.scene.human, fingertip)

    def pointed_at(self, eye: np.ndarray, direction: np.ndarray) -> np.ndarray | None:
        """Where the fingertip is when somebody at `eye` [3] [m] points along `direction` [3]: on what is seen there.

        None when that is not on the table, or too far from its middle.
        """
        direction = direction / np.linalg.norm(direction)
        distance = mujoco.mj_ray(self.model, self.data, eye, direction, self._solid, 1, -1, np.zeros(1, np.int32))
        point = eye + distance * direction + [0, 0, ABOVE]
        (x0, x1), (y0, y1) = AREA
        inside = distance > 0 and x0 <= point[0] <= x1 and y0 <= point[1] <= y1 and point[2] > 0
        return point if inside else None


def film_drag(scene: Scene, drag: Drag, size: int, fps: float = FPS) -> Video:
    """Films somebody who does what was dragged, as `demos.human.human_video` films a drawn motion.

    Args:
        scene: with the person and the objects.
        drag: path of the fingertip.
        size: side of the frames [px].
        fps: frames a second.
    """
    end = drag.times[-1]
    begin = max(drag.times[0], end - MOST_TIME)
    length = end - begin
    times = np.arange(begin - WAIT * length, end + REST * length, 1 / fps)
    hand = HandModel(scene)
    camera = Camera(hand.model, CAMERA, size, size)
    frames = []
    for time in times:
        hand.put(drag.at(time))
        frames.append(camera.draw(hand.data))
    camera.close()
    return Video(np.stack(frames), times - times[0])


def taught_object(scene: Scene, drag: Drag) -> int:
    """Index of the object that the fingertip ends nearest to."""
    return int(np.argmin(np.linalg.norm(scene.tops - drag.points[-1], axis=1)))
