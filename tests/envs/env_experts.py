"""What the tests of the environments share: the registered ids, who solves them, and how to play an episode."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import envs  # noqa: F401  (registers the environments)
from demos.skills import SKILLS

IDS = [*sorted(id for id in gymnasium.registry if id.startswith("daml/")), "Circle-v0"]
EXPERTS: dict[str, Callable[[dict[str, Any]], np.ndarray]] = {env_id: skill.expert for env_id, skill in SKILLS.items()}
"""Every registered id needs one, and the example of a task of one's own."""
SMALL = 16
"""Side of the images where they only have to be there [px]."""


def make(env_id: str, **arguments: Any) -> gymnasium.Env:
    """The bare environment: no wrapper that would check, count or refuse in its place."""
    return gymnasium.make(env_id, disable_env_checker=True, **arguments).unwrapped


def random_policy(env: gymnasium.Env, seed: int) -> Callable[[dict[str, Any]], np.ndarray]:
    """Draws every action from the action space."""
    env.action_space.seed(seed)
    return lambda info: env.action_space.sample()


def play(
    env: gymnasium.Env, seed: int, actor: Callable[[dict[str, Any]], np.ndarray], *, look_once: bool = False
) -> list[tuple]:
    """One episode: (observation, info, reward) after the reset (reward 0) and after each step."""
    observation, info = env.reset(seed=seed, options={"look_once": look_once})
    steps, done = [(observation, info, 0.0)], False
    while not done:
        observation, reward, terminated, truncated, info = env.step(actor(info))
        steps.append((observation, info, reward))
        done = terminated or truncated
    return steps


def succeeds(env: gymnasium.Env, seed: int, actor: Callable[[dict[str, Any]], np.ndarray]) -> bool:
    """Whether somebody who does not look does the task."""
    return play(env, seed, actor, look_once=True)[-1][1]["is_success"]
