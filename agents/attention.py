"""Where a policy looks, before and after it has watched a video: pictures for people."""

import gymnasium
import numpy as np

from agents.errors import AgentError
from agents.imitation import Policy
from demos.video import resize
from envs.scene import Scene

RED = np.array([255.0, 40.0, 30.0])


def attention_map(policy: Policy, image: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Attention of a policy to the place that the video tells, or to each of them alike, over the cells of an image.

    Args:
        policy: adapted, of a kind that has an attention.
        image: uint8 [size, size, 3].
        state: the robot's, float32 [state].

    Returns:
        [side, side], which sums to 1.

    Raises:
        AgentError: a policy without attention.
    """
    return attention_maps(policy, image, state).mean(0)


def attention_maps(policy: Policy, image: np.ndarray, state: np.ndarray) -> np.ndarray:
    """The same for each place that the video tells, the object's first: [told, side, side], each sums to 1."""
    outputs = policy.outputs(policy.look(image), state)
    if "log_attention" not in outputs:
        raise AgentError("attention: got a policy without one, allowed one of the `temporal` preset or its baselines")
    cells = outputs["log_attention"][0, : policy.imitator.sizes.told].exp().cpu().numpy()
    side = int(cells.shape[1] ** 0.5)
    return cells.reshape(-1, side, side)


def has_attention(policy: Policy) -> bool:
    """Whether there is an `attention_map` of a policy."""
    size, state = policy.imitator.size, policy.imitator.sizes.state
    grey = np.full((size, size, 3), 128, np.uint8)
    return "log_attention" in policy.outputs(policy.look(grey), np.zeros(state, np.float32))


def overlay(image: np.ndarray, attention: np.ndarray, size: int) -> np.ndarray:
    """An image with the attention on top, red where it is largest: uint8 [size, size, 3]."""
    return tint(image, attention / attention.max(), size)


def tint(image: np.ndarray, share: np.ndarray, size: int) -> np.ndarray:
    """An image, darkened, with red on top, all of it where the share [side, side] is 1: uint8 [size, size, 3]."""
    large = resize(image[None], size)[0].astype(float)
    share = np.kron(share, np.ones((-(-size // len(share)),) * 2))[:size, :size, None]
    return (0.55 * large * (1 - share) + share * RED).astype(np.uint8)


def looks(env_id: str, scene: Scene, policies: list[Policy], size: int) -> list[np.ndarray]:
    """A scene as the robot sees it first, and then where each policy looks in it, each uint8 [size, size, 3]."""
    sides = [policy.imitator.size for policy in policies]
    env = gymnasium.make(env_id, image_size=sides[0], disable_env_checker=True)
    observation, _ = env.reset(options={"scene": scene})
    env.close()
    image, state = observation["image"], observation["state"]
    return [
        resize(image[None], size)[0],
        *(overlay(image, attention_map(policy, image, state), size) for policy in policies),
    ]
