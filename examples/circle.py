"""`examples.circle:Circle-v0`: lead the fingertips once round one of several objects, above it, touching nothing.

A whole task in one file: what is on the table, the environment, the robot's expert and the human's motion. The
observation does not say which object is the goal: that is what the human's video is for.
"""

from typing import Any

import numpy as np

from demos.expert import glide, toward
from demos.motions import Leg, Moment, Motion, along, arc, minimum_jerk, time_taken
from demos.skills import Skill, register_task
from envs.scene import OBJECT_AREA, Layout, Positions, Scene, spread
from envs.tabletop import TabletopEnv

RADIUS = 0.06
"""Of the ring [m]."""
HEIGHT = 0.03
"""Of the ring above the object's top [m]."""
WIDTH = 0.04
"""The fingertips are on the ring when they are this near to it [m]."""
TIME_LIMIT = 4.0
"""Time of one episode [s]."""
STRIDE = 0.05
"""How far ahead on the ring the expert aims [m]."""


# What is on the table.


def apart(rng: np.random.Generator, n: int) -> Positions:
    """Objects so far from each other [m] that the ring round one leaves the others out."""
    return spread(rng, n, OBJECT_AREA, 0.17)


CIRCLING = Layout(most=3, arrange=apart)


def goal_points(scene: Scene) -> np.ndarray:
    """[1, 3] the top centre of the goal object [m]: what a policy should know of the scene."""
    return scene.tops[[scene.goal]]


# What is measured, and when it has succeeded.


def onto_ring(fingertip: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, float]:
    """The way [3] from a fingertip [3] to the nearest point of the ring over an object's top [3] [m], and where round
    the object the fingertip is [rad]."""
    x, y, _ = fingertip - top
    angle = float(np.arctan2(y, x))
    ring = np.array([RADIUS * np.cos(angle), RADIUS * np.sin(angle), HEIGHT])
    return top + ring - fingertip, angle


def turned(angles: np.ndarray) -> float:
    """How far the fingertips have come round the object, counter-clockwise as seen from above, since they last came
    onto the ring [rad]: `angles` [t] after each step so far, NaN off the ring."""
    off = np.flatnonzero(np.isnan(angles))
    since = np.unwrap(angles[off[-1] + 1 :] if len(off) else angles)
    return float(since[-1] - since[0]) if len(since) else 0.0


class CircleEnv(TabletopEnv):
    """info: "goal_points", "places" [1, 3]: the goal, at first and now; "fingertip" [3]; "distance": to the ring
    [m]; "angle", "turned" [rad]; "nearest": the object nearest to the fingertip; "reached", "half": the stages."""

    layout = CIRCLING
    time_limit = TIME_LIMIT

    def _begin(self) -> None:
        self._progress = []

    def _info(self) -> dict[str, Any]:
        fingertip, tops = self._fingertip(), self.standing.tops
        way, angle = onto_ring(fingertip, tops[self.scene.goal])
        info: dict[str, Any] = {
            "goal_points": goal_points(self.scene),
            "places": goal_points(self.standing),
            "fingertip": fingertip,
            "distance": float(np.linalg.norm(way)),
            "angle": angle,
            "nearest": int(np.argmin(np.linalg.norm(tops - fingertip, axis=1))),
        }
        far = turned(np.array([*self._progress, self._measure(info)]))
        return info | {"turned": far, "reached": info["distance"] <= WIDTH, "half": far >= np.pi}

    def _measure(self, info: dict[str, Any]) -> float:
        return info["angle"] if info["distance"] <= WIDTH else np.nan

    def _is_success(self, progress: np.ndarray) -> bool:
        return turned(progress) >= 2 * np.pi


# Who demonstrates it.


def expert(info: dict[str, Any]) -> np.ndarray:
    """The robot's action [3] in [-1, 1]: onto the ring from above, and on it ahead."""
    way, angle = onto_ring(info["fingertip"], info["places"][0])
    there = np.clip(2 - info["distance"] / (WIDTH / 2), 0, 1)
    return toward(glide(way) + there * STRIDE * np.array([-np.sin(angle), np.cos(angle), 0.0]))


def motion(scene: Scene, rng: np.random.Generator) -> Motion:
    """How a human does it: waits, reaches for the near side of the ring, and goes once round."""
    top = scene.tops[scene.goal] + rng.normal(0, 0.004, 3)
    near = top + np.array([RADIUS, 0.0, HEIGHT])
    wait, reach, circle = (time_taken(scene, rng, *times) for times in ((0.0, 0.3), (0.8, 1.1), (1.1, 1.5)))
    path = along(np.array(scene.human.rest), wait, [Leg(near, reach, arc(scene, rng))])

    def moment(time: float) -> Moment:
        angle = 2 * np.pi * minimum_jerk((time - wait - reach) / circle)
        return Moment(path(time) + RADIUS * np.array([np.cos(angle) - 1, np.sin(angle), 0.0]))

    return moment


register_task(
    "Circle-v0",
    CircleEnv,
    Skill(
        layout=CIRCLING,
        expert=expert,
        motion=motion,
        goal_points=goal_points,
        n_points=1,
        video_time=3.25,
        steps=36,
        disturbance=0.15,
        mirror="shown",
        stages=("reached", "half"),
    ),
)
