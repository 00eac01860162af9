"""Films of a robot that imitates, beside what it was shown."""

import gymnasium
import numpy as np

from agents.imitation import Policy
from demos.human import human_video
from demos.record import record
from demos.tasks import TaskSet
from demos.types import Episode
from demos.video import side_by_side
from envs.reaching import CONTROL_PERIOD
from envs.scene import Scene

FPS = 1 / CONTROL_PERIOD
"""Frames a second of a film: one for each step of the robot."""


def film(env_id: str, scene: Scene, policy: Policy, size: int) -> tuple[Episode, np.ndarray]:
    """Lets a policy act and films it.

    Args:
        env_id: registered environment.
        scene: to act in.
        policy: adapted.
        size: side of the film [px], of each camera that the policy looks through.

    Returns:
        The episode, and uint8 [T, size, cameras * size, 3].
    """
    env = gymnasium.make(
        env_id,
        image_size=policy.imitator.size,
        cameras=policy.imitator.cameras,
        render_mode="rgb_array",
        render_size=size,
        disable_env_checker=True,
    )
    frames: list[np.ndarray] = []
    actor = policy.actor()

    def act(observation: dict[str, np.ndarray], info: dict) -> np.ndarray:
        frames.append(env.render())  # type: ignore[arg-type]
        return actor(observation, info)

    episode = record(env, scene, act)
    env.close()
    return episode, np.stack(frames)


def film_beside_human(env_id: str, tasks: TaskSet, goal: int, policy: Policy, size: int) -> tuple[Episode, np.ndarray]:
    """A film of the first trial of a task, to the right of the human's video; [T, size + label, about 2 size or,
    of a policy that looks from the hand, 3 size, 3]."""
    shown = human_video(env_id, tasks.human_scene.with_goal(goal), tasks.motion(goal), size=size, fps=FPS).frames
    episode, done = film(env_id, tasks.robot_scenes[0].with_goal(goal), policy, size)
    verdict = "success" if episode.success else f"failed, {100 * episode.distance:.0f} cm away"
    return episode, side_by_side([shown, done], height=size, labels=["one human video", f"the robot: {verdict}"])
