"""Recording: a policy or an expert acts in an environment, and everything it saw and did is kept."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from demos.skills import find_skill, id_of
from demos.types import Demonstration, Episode
from envs.reaching import CONTROL_PERIOD
from envs.scene import Scene
from envs.tabletop import IN_HAND

Actor = Callable[[dict[str, np.ndarray], dict[str, Any]], np.ndarray]
"""(observation, info) -> action, or more numbers than that: an environment takes the first ones that it has."""


Disturb = Callable[[np.ndarray], np.ndarray]
"""The expert's action -> what is executed instead."""


def expert(env_id: str) -> Actor:
    """The scripted expert of an environment as an actor."""
    act = find_skill(env_id).expert
    return lambda observation, info: act(info)


def demonstrate(
    env: gymnasium.Env,
    scene: Scene,
    *,
    n_steps: int | None = None,
    disturb: Disturb | None = None,
    look_once: bool = False,
) -> Episode:
    """Runs one episode of the environment's expert. Arguments as in `record`."""
    return record(env, scene, expert(id_of(env)), n_steps=n_steps, disturb=disturb, look_once=look_once)


def demonstration(env: gymnasium.Env, scene: Scene, *, n_steps: int | None = None) -> Demonstration:
    """One episode of the environment's expert, as something to learn it from. Arguments as in `record`."""
    done = demonstrate(env, scene, n_steps=n_steps)
    times = CONTROL_PERIOD * np.arange(len(done.images))
    points = find_skill(id_of(env)).goal_points(scene)
    return Demonstration(done.images, times, done.states, done.actions, points)


def shaken(rng: np.random.Generator, strength: float) -> Disturb:
    """Adds noise of this standard deviation to the velocity [3] that an action begins with, in its units."""

    def disturb(action: np.ndarray) -> np.ndarray:
        executed = action.astype(float)
        executed[:3] += rng.normal(0, strength, 3)
        return executed

    return disturb


def record(
    env: gymnasium.Env,
    scene: Scene,
    actor: Actor,
    *,
    n_steps: int | None = None,
    disturb: Disturb | None = None,
    look_once: bool = False,
) -> Episode:
    """Runs one episode.

    Args:
        env: an environment, of `gymnasium.make`.
        scene: to start in.
        actor: who acts.
        n_steps: stop after so many; until the episode ends when None.
        disturb: what is executed instead of the actor's action. The episode keeps the actor's own action, so that the
            demonstration shows how to come back from where a disturbance led (DART: Laskey et al. 2017,
            arXiv 1703.09327).
        look_once: the images of the first moment are those of the whole episode; it takes less time.

    Returns:
        The episode, with one observation before each action.
    """
    observation, info = env.reset(options={"scene": scene, "look_once": look_once})
    (n_actions,) = env.action_space.shape  # type: ignore[misc]
    images: list[np.ndarray] = []
    hand_images: list[np.ndarray] = []
    states: list[np.ndarray] = []
    actions: list[np.ndarray] = []
    places: list[np.ndarray] = []
    stages, aims = dict.fromkeys(find_skill(id_of(env)).stages, False), scene.layout.aims
    done = False
    while not done and len(actions) != n_steps:
        action = actor(observation, info)[:n_actions]
        images.append(observation["image"])
        if IN_HAND in observation:
            hand_images.append(observation[IN_HAND])
        states.append(observation["state"])
        actions.append(action)
        places.append(_places(env, info, scene.goal))
        observation, _, terminated, truncated, info = env.step(disturb(action) if disturb else action)
        stages = {name: passed or bool(info[name]) for name, passed in stages.items()}
        done = terminated or truncated
    return Episode(
        images=np.stack(images),
        states=np.stack(states),
        actions=np.stack(actions).astype(np.float32),
        places=np.stack(places),
        success=bool(info["is_success"]),
        right_object=bool(info["nearest"] == scene.goal),
        distance=float(info["distance"]),
        stages=stages,
        aim=info[aims.kind] if aims else None,
        goal_done=info.get("goal_done"),
        hand_images=np.stack(hand_images) if hand_images else None,
    )


def _places(env: gymnasium.Env, info: dict[str, Any], goal: int) -> np.ndarray:
    """Where the places of the task are now, as in `Episode`."""
    places = info["places"].copy()
    if not env.unwrapped.left_alone()[goal]:  # type: ignore[attr-defined]
        places[0] = np.nan
    return places
