"""Replay: the recorded actions once more, in the same scene, and how far the outcome is from what was recorded."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from demos.errors import DemoError
from demos.human import human_video
from demos.recorder import make_env
from demos.recording import Recording, check_scene
from envs.robot import N_JOINTS
from envs.scene import Scene

JOINTS = slice(3, 3 + N_JOINTS)
"""The joint angles in a state [rad]; all else in it is [m]."""


@dataclass(frozen=True)
class Deviation:
    """The largest differences of a replay from its recording.

    metres, radians: of the state.  reward: of the reward.  pixels: of the images, in levels of 255.  success: at the
    end of the replay; None for a human.
    """

    metres: float
    radians: float
    reward: float
    pixels: int
    success: bool | None

    @property
    def exact(self) -> bool:
        """Whether nothing differs at all."""
        return not (self.metres or self.radians or self.reward or self.pixels)


def replay(recording: Recording, film_size: int) -> tuple[Deviation, np.ndarray]:
    """Does a recording again.

    Args:
        recording: of a robot: its actions are executed; of a human: it is filmed again.
        film_size: side of the film [px].

    Returns:
        The deviation, and the film uint8 [T, film_size, cameras * film_size, 3].

    Raises:
        DemoError: the environment or the scene is not the one that was recorded.
    """
    scene = check_scene(recording.info)
    if recording.info.by == "human":
        return _film_again(recording, scene, film_size)
    return _act_again(recording, scene, film_size)


def _act_again(recording: Recording, scene: Scene, film_size: int) -> tuple[Deviation, np.ndarray]:
    env = make_env(recording.info.recipe.env_id, recording.info.size, film_size, recording.info.cameras)
    try:
        got = recording.actions.shape[1:], recording.observations["state"].shape[1:]
        allowed = env.action_space.shape, env.observation_space["state"].shape  # type: ignore[index]
        if got != allowed:
            raise DemoError(f"sizes of action and state of {recording.info.name}: got {got}, allowed {allowed}")
        env.reset(options={"scene": scene})
        for action in recording.actions:
            env.step(action)
        states = _difference([o["state"] for o in env.observations], recording.observations["state"])
        joints = np.arange(states.shape[1]) - JOINTS.start
        angles = (joints >= 0) & (joints < JOINTS.stop - JOINTS.start)
        deviation = Deviation(
            metres=float(states[:, ~angles].max(initial=0)),
            radians=float(states[:, angles].max(initial=0)),
            reward=float(_difference(env.rewards, recording.rewards).max()),
            pixels=max(
                _pixels([o[name] for o in env.observations], recording.observations[name])
                for name in recording.info.images
            ),
            success=bool(env.info["is_success"]),
        )
        return deviation, np.stack(env.film)
    finally:
        env.close()


def _difference(again: list, before: np.ndarray) -> np.ndarray:
    """Absolute differences, in float64."""
    return np.abs(np.asarray(again, float) - np.asarray(before, float))


def _film_again(recording: Recording, scene: Scene, film_size: int) -> tuple[Deviation, np.ndarray]:
    info = recording.info
    env_id, (height, width) = info.recipe.env_id, info.size
    duration = (info.steps + 1) / info.fps
    again = human_video(env_id, scene, info.recipe.motion(), size=height, fps=info.fps, duration=duration)
    film = human_video(env_id, scene, info.recipe.motion(), size=film_size, fps=info.fps, duration=duration).frames
    if height != width or again.frames.shape != recording.images.shape:
        raise DemoError(f"images of {info.name}: got {recording.images.shape}, allowed {again.frames.shape}")
    return Deviation(0.0, 0.0, 0.0, _pixels(again.frames, recording.images), None), film


def _pixels(again: Iterable[np.ndarray], before: np.ndarray) -> int:
    """The largest difference of two films, frame by frame: they may be large."""
    return max(int(np.abs(a.astype(np.int16) - b).max()) for a, b in zip(again, before, strict=True))
