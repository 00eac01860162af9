"""Which object a policy has chosen: how much of its attention lies on each of them."""

import gymnasium
import numpy as np

from agents.attention import attention_maps
from agents.imitation import Policy
from envs.scene import Scene
from envs.tabletop import TabletopEnv


def attention_on_objects(policy: Policy, env_id: str, scene: Scene) -> np.ndarray:
    """How much of the attention to the object that the video tells lies on each object's pixels in the robot's first
    image: [objects], at most 1 together.

    Args:
        policy: adapted, of a kind that has an attention.
        env_id: registered environment.
        scene: where the robot starts.

    Raises:
        AgentError: a policy without attention.
    """
    env = gymnasium.make(env_id, image_size=policy.imitator.size, disable_env_checker=True)
    observation, _ = env.reset(options={"scene": scene})
    table = env.unwrapped
    assert isinstance(table, TabletopEnv)
    seen = table.objects_seen()
    env.close()
    to_object = attention_maps(policy, observation["image"], observation["state"])[0]
    return mass(to_object, seen, len(scene.objects))


def mass(attention: np.ndarray, seen: np.ndarray, n_objects: int) -> np.ndarray:
    """Mass of a map [side, side] on each of `n_objects`: [n_objects].

    Args:
        attention: the map, which sums to 1.
        seen: int [size, size], the object at every pixel, -1 for none; size is a multiple of side.
        n_objects: how many.
    """
    pixels = len(seen) // len(attention)
    fine = np.kron(attention, np.ones((pixels, pixels))) / pixels**2
    return np.array([fine[seen == number].sum() for number in range(n_objects)])
