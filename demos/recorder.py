"""Recording whole episodes: everything that goes into and comes out of an environment, and a film of it."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Literal

import gymnasium
import numpy as np

from demos.human import human_video
from demos.recipe import Recipe, digest
from demos.record import Actor, record
from demos.recording import Recording, RecordingInfo
from demos.skills import short_name
from envs.scene import Scene
from envs.tabletop import CAMERAS


class Logbook(gymnasium.Wrapper):
    """Keeps everything that goes into and comes out of an environment during one episode, and films it."""

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**arguments)
        self.observations, self.info = [observation], info
        self.actions: list[np.ndarray] = []
        self.rewards: list[float] = []
        self.ends: list[tuple[bool, bool]] = []
        self.film: list[Any] = [self.env.render()]
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        # In the type of the space, so that what is written is to the bit what was done.
        action = np.asarray(action, self.action_space.dtype)
        observation, reward, terminated, truncated, self.info = self.env.step(action)
        self.observations.append(observation)
        self.actions.append(action.copy())
        self.rewards.append(float(reward))
        self.ends.append((terminated, truncated))
        self.film.append(self.env.render())
        return observation, reward, terminated, truncated, self.info


def make_env(env_id: str, size: int | tuple[int, int], film_size: int, cameras: Sequence[str] = CAMERAS[0]) -> Logbook:
    """An environment with images of a size that is filmed at another one."""
    env = gymnasium.make(
        env_id,
        image_size=size,
        render_mode="rgb_array",
        render_size=film_size,
        cameras=cameras,
        disable_env_checker=True,
    )
    return Logbook(env)


def record_robot(
    recipe: Recipe,
    actor: Actor,
    *,
    by: Literal["expert", "policy"] = "policy",
    policy: str | None = None,
    size: int = 64,
    film_size: int = 256,
    cameras: tuple[str, ...] = CAMERAS[0],
) -> tuple[Recording, np.ndarray]:
    """Records a robot.

    Args:
        recipe: of the scene.
        actor: who acts.
        by: what kind of actor that is.
        policy: its name, when it is a policy.
        size: side of the observed images [px].
        film_size: side of the film [px], of each camera.
        cameras: one of `envs.tabletop.CAMERAS`.

    Returns:
        The recording, and its film uint8 [T + 1, film_size, cameras * film_size, 3].
    """
    env = make_env(recipe.env_id, size, film_size, cameras)
    scene = recipe.robot_scene()
    try:
        episode = record(env, scene, actor)
        info = RecordingInfo(
            recipe=recipe,
            by=by,
            policy=policy,
            task=in_words(recipe.env_id, scene),
            scene=digest(scene),
            steps=len(env.actions),
            fps=float(env.metadata["render_fps"]),
            size=(size, size),
            success=episode.success,
            distance=episode.distance,
            mujoco=version("mujoco"),
            cameras=cameras,
        )
        return log_of(env, info), np.stack(env.film)
    finally:
        env.close()


def log_of(env: Logbook, info: RecordingInfo) -> Recording:
    """What a logbook holds after an episode, as a recording."""
    terminations, truncations = np.array(env.ends, bool).T
    return Recording(
        info,
        {name: np.stack([o[name] for o in env.observations]) for name in env.observations[0]},
        np.stack(env.actions),
        np.array(env.rewards),
        terminations.copy(),
        truncations.copy(),
    )


def record_human(recipe: Recipe, *, size: int, fps: float, film_size: int) -> tuple[Recording, np.ndarray]:
    """Records the human doing the task of a recipe; arguments and result as those of `record_robot`."""
    scene = recipe.human_scene()
    video = human_video(recipe.env_id, scene, recipe.motion(), size=size, fps=fps)
    film = human_video(recipe.env_id, scene, recipe.motion(), size=film_size, fps=fps).frames
    info = RecordingInfo(
        recipe=recipe,
        by="human",
        policy=None,
        task=in_words(recipe.env_id, scene),
        scene=digest(scene),
        steps=video.n_frames - 1,
        fps=fps,
        size=(size, size),
        success=None,
        distance=None,
        mujoco=version("mujoco"),
    )
    steps = info.steps
    ends = np.zeros(steps, bool), np.arange(steps) == steps - 1
    observations = {"image": video.frames, "time": video.times[:, None].astype(np.float32)}
    return Recording(info, observations, np.zeros((steps, 0), np.float32), np.zeros(steps), *ends), film


def in_words(env_id: str, scene: Scene) -> str:
    """The task as a sentence, for formats that want one."""
    aims = scene.layout.aims
    verb = aims.names[scene.aim] if aims and aims.kind == "verb" else short_name(env_id)
    things = [scene.objects[scene.goal], *scene.containers[scene.aim : scene.aim + 1]]
    return f"{verb}: " + " into ".join(f"the {thing.in_words}" for thing in things)
