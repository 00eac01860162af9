"""Demonstrations by the human: the same goals, filmed with an arm and a hand instead of the robot."""

from collections.abc import Callable

import mujoco
import numpy as np

from demos.types import Video
from envs.appearance import CAMERA
from envs.human import pose_human
from envs.render import Camera
from envs.scene import Scene, human_model

VIDEO_TIME = 2.5
"""Length of a demonstration video [s]."""
VIDEO_FPS = 8.0
"""Frames a second of the videos that are collected for meta-training."""


def minimum_jerk(share: float) -> float:
    """Share of the way after a share of the time, both in [0, 1].

    Source: Flash and Hogan 1985, "The coordination of arm movements", equation for point-to-point reaching.
    """
    s = min(max(share, 0.0), 1.0)
    return s**3 * (10 - 15 * s + 6 * s**2)


def reach_path(scene: Scene, rng: np.random.Generator) -> Callable[[float], np.ndarray]:
    """How a person reaches for the goal of a scene: waits, moves in an arc with minimum jerk, and stays.

    Args:
        scene: with the person, the objects and the goal.
        rng: decides when they start, how fast they are and how they curve.

    Returns:
        Time [s] -> index fingertip position [3] [m].
    """
    start = np.array(scene.human.rest)
    end = scene.tops[scene.goal] + rng.normal(0, 0.004, 3) + [0, 0, 0.006]
    wait, duration = rng.uniform(0.0, 0.35), rng.uniform(0.9, 1.5)
    bulge = np.array([0.0, rng.uniform(-0.05, 0.05), rng.uniform(0.06, 0.13)])

    def position(time: float) -> np.ndarray:
        share = minimum_jerk((time - wait) / duration)
        return start + share * (end - start) + 4 * share * (1 - share) * bulge

    return position


def human_video(
    scene: Scene, rng: np.random.Generator, *, size: int = 64, fps: float = VIDEO_FPS, duration: float = VIDEO_TIME
) -> Video:
    """Films the human reaching for the goal of a scene.

    Args:
        scene: with the person, the objects and the goal.
        rng: of the motion.
        size: side of the square frames [px].
        fps: frames a second.
        duration: of the video [s].

    Returns:
        `round(duration * fps)` frames.
    """
    path = reach_path(scene, rng)
    times = np.arange(round(duration * fps)) / fps
    model = human_model(scene)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = Camera(model, CAMERA, size, size)
    frames = []
    for time in times:
        pose_human(model, data, scene.human, path(float(time)))
        frames.append(camera.draw(data))
    camera.close()
    return Video(np.stack(frames), times)
