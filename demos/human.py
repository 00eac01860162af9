"""Demonstrations by the human: the same goals, filmed with an arm and a hand instead of the robot."""

import mujoco
import numpy as np

from demos.skills import skill_of
from demos.types import Video
from envs.appearance import CAMERA
from envs.human import pose_human
from envs.render import Camera
from envs.scene import Scene, human_model

VIDEO_FPS = 8.0
"""Frames a second of the videos that are collected for meta-training."""
_SLOWER = 0.25  # share of the time that the slowest person takes longer, for each 1 on the dial of style


def human_video(
    scene: Scene,
    rng: np.random.Generator,
    *,
    size: int = 64,
    fps: float = VIDEO_FPS,
    duration: float | None = None,
) -> Video:
    """Films the human doing the task of a scene.

    Args:
        scene: with the person, the objects and the goal; its layout says what the task is.
        rng: of the motion.
        size: side of the square frames [px].
        fps: frames a second.
        duration: of the video [s]; when None its task's, or longer for a person of another style.

    Returns:
        `round(duration * fps)` frames.
    """
    skill = skill_of(scene)
    motion = skill.motion(scene, rng)
    usual = skill.video_time * (1 + _SLOWER * max(0.0, scene.human.style - 1))
    times = np.arange(round((duration or usual) * fps)) / fps
    model = human_model(scene)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = Camera(model, CAMERA, size, size)
    frames = []
    for time in times:
        moment = motion(float(time))
        for name, position in moment.things.items():
            data.mocap_pos[model.body(name).mocapid[0]] = position
        pose_human(model, data, scene.human, moment.hand, moment.opening)
        frames.append(camera.draw(data))
    camera.close()
    return Video(np.stack(frames), times)
