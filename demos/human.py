"""Demonstrations by the human: the same goals, filmed with an arm and a hand instead of the robot."""

import mujoco
import numpy as np

from demos.motions import Moment, Motion, lasting
from demos.skills import find_skill
from demos.types import Video
from envs.appearance import CAMERA
from envs.human import pose_human
from envs.render import Camera
from envs.scene import Scene, human_model

VIDEO_FPS = 8.0
"""Frames a second of the videos that are collected for meta-training."""


def human_video(
    env_id: str,
    scene: Scene,
    rng: np.random.Generator,
    *,
    size: int = 64,
    fps: float = VIDEO_FPS,
    duration: float | None = None,
) -> Video:
    """Films the human doing the task of a scene.

    Args:
        env_id: of the environment whose task it is.
        scene: with the person, the objects and the goal.
        rng: of the motion.
        size: side of the square frames [px].
        fps: frames a second.
        duration: of the video [s]; when None its task's, or longer for a person of another style.

    Returns:
        `round(duration * fps)` frames.
    """
    skill = find_skill(env_id)
    motion = skill.motion(scene, rng)
    times = np.arange(round((duration or lasting(scene, skill.video_time)) * fps)) / fps
    return film_motion(scene, motion, times, size)


def film_motion(scene: Scene, motion: Motion, times: np.ndarray, size: int) -> Video:
    """Films the human of a scene doing a motion: `times` [T] [s] of the frames, from 0; side of the frames [px]."""
    model = human_model(scene)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = Camera(model, CAMERA, size, size)
    frames = []
    for time in times:
        pose_moment(model, data, scene, motion(float(time)))
        frames.append(camera.draw(data))
    camera.close()
    return Video(np.stack(frames), times)


def pose_moment(model: mujoco.MjModel, data: mujoco.MjData, scene: Scene, moment: Moment) -> None:
    """Puts the human's hand, and what it has moved, where they are in a moment, in a model of `human_model`."""
    for name, position in moment.things.items():
        data.mocap_pos[model.body(name).mocapid[0]] = position
    pose_human(model, data, scene.human, moment.hand, moment.opening)
