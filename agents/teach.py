"""Teaching by hand: which hand shows what a task asks for, and the film of what it showed.

The film is drawn by the renderer of all human videos, and takes as long as they do.
"""

import mujoco
import numpy as np

from agents.drag import WAIT, Drag, DraggedHand, Shown, inside_area, travelled
from agents.handiwork import WorkingHand
from agents.verdict import called
from demos.human import film_motion
from demos.motions import Moment, minimum_jerk
from demos.skills import find_skill
from demos.types import Video
from envs.acting import ACTING
from envs.human import pointing_hand
from envs.scene import Layout, Scene

FPS = 20.0
"""Frames a second of a film of a dragged hand."""
SPEED = 0.33
"""Of a pointing hand [m/s]: about that of people in videos."""
SHORTEST, STAY = 0.9, 0.6
"""How long it is on its way, and how long it then stays, at least [s]."""
ABOVE = 0.006
"""How far above what it points at the fingertip is [m]."""

_HUMAN_GROUP = 2  # drawn like everything else, but nothing that one can point at


class PointingHand(DraggedHand):
    """A hand whose fingertip stays on whatever the mouse points at."""

    hint = "**Drag the white arrows**, and the hand goes along. Let go **on** an object: that one."

    def __init__(self, scene: Scene, length: float) -> None:
        super().__init__(scene, length)
        human = self.model.body_mocapid[self.model.geom_bodyid] >= 0
        self.model.geom_group[human] = _HUMAN_GROUP
        self._solid = np.ones(mujoco.mjNGROUP, np.uint8)
        self._solid[_HUMAN_GROUP] = 0

    def follow(self, drag: Drag, eye: np.ndarray, direction: np.ndarray, grasping: bool) -> Drag:
        point = self.pointed_at(eye, direction)
        return drag if point is None else drag.then(point, False)

    def pointed_at(self, eye: np.ndarray, direction: np.ndarray) -> np.ndarray | None:
        """Where the fingertip is when somebody at `eye` [3] [m] points along `direction` [3]: on what is seen there.

        None when that is not on the table, or too far from its middle.
        """
        direction = direction / np.linalg.norm(direction)
        distance = mujoco.mj_ray(self.model, self.data, eye, direction, self._solid, 1, -1, np.zeros(1, np.int32))
        point = eye + distance * direction + [0, 0, ABOVE]
        return point if distance > 0 and inside_area(point) and point[2] > 0 else None

    def shown(self, drag: Drag) -> Shown:
        thing = int(np.argmin(np.linalg.norm(self.scene.tops - drag.points[-1], axis=1)))
        far = float(np.linalg.norm(np.diff(drag.points, axis=0), axis=1).sum())
        on_its_way = float(np.clip(far / SPEED, SHORTEST, self.length - WAIT - STAY))
        return Shown(
            lambda time: Moment(travelled(drag.points, minimum_jerk((time - WAIT) / on_its_way))),
            self.length,
            thing if len(drag.points) > 1 else None,
            f"reach for {called(self.scene.objects[thing])}",
        )


def can_be_taught(layout: Layout) -> bool:
    """Whether a task can be shown by dragging a hand: one of `daml/Act-v0`, or one in which a hand points and nothing
    is moved."""
    return layout == ACTING or (layout.human_hand is pointing_hand and not layout.movable and layout.extra is None)


def dragged_hand(env_id: str, scene: Scene) -> DraggedHand:
    """The hand that can show what is done in a scene of an environment whose layout `can_be_taught`."""
    kind = WorkingHand if scene.layout == ACTING else PointingHand
    return kind(scene, find_skill(env_id).video_time)


def film_shown(scene: Scene, shown: Shown, size: int, fps: float = FPS) -> Video:
    """Films what somebody showed, as `demos.human.human_video` films a drawn motion: side of the frames [px]."""
    return film_motion(scene, shown.motion, np.arange(round(shown.length * fps)) / fps, size)
