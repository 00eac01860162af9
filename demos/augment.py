"""Augmentation: more tasks out of the same demonstrations, by other colours and by the mirror.

What is done to a set is done to all of its tasks alike, so that the video still decides. Colours are changed alike in
the human's video and in the robot's images: they are what makes an object the same object in both.
"""

import numpy as np

from envs.robot import mirrored_joints

RECOLOURED = 0.5
"""Share of sets whose colour channels are shuffled."""
GAIN = (0.8, 1.2)
"""Range of the factor on each colour channel."""
SYMMETRIC = ("daml/Reach-v0", "daml/Place-v0")
"""Environments whose task stays the same in the mirror."""


def augment(rows: dict[str, np.ndarray], rng: np.random.Generator, env_id: str) -> None:
    """Changes the tasks of one set in place.

    Args:
        rows: "video", "shown_at", "shown_in", "image", "state", "action", "pose" and, if there are any,
            "lesson_frames" and "glance_frames" of `demos.distribution`, each [goals, ...].
        rng: source of all randomness.
        env_id: whose tasks they are.
    """
    alike = [rows[name] for name in ("video", "image", "lesson_frames", "glance_frames") if name in rows]
    for frames, recoloured in zip(alike, recolour(rng, *alike), strict=True):
        frames[:] = recoloured
    if rng.random() < 0.5:  # a human who comes from the other side
        rows["video"][:] = mirrored_frames(rows["video"])
        rows["shown_at"][:] = mirrored_pixels(rows["shown_at"])
    if env_id in SYMMETRIC and rng.random() < 0.5:
        rows["image"][:] = mirrored_frames(rows["image"])
        rows["state"][:] = mirrored_states(rows["state"])
        rows["action"][:] = mirrored_vectors(rows["action"])
        rows["pose"][:] = mirrored_vectors(rows["pose"])


def recolour(rng: np.random.Generator, *frames: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same change of colours for all frames, each uint8 [..., 3]."""
    order = rng.permutation(3) if rng.random() < RECOLOURED else np.arange(3)
    levels = np.clip(np.arange(256) * rng.uniform(*GAIN, (3, 1)), 0, 255).astype(np.uint8)
    return tuple(np.stack([levels[i][f[..., channel]] for i, channel in enumerate(order)], -1) for f in frames)


def mirrored_frames(frames: np.ndarray) -> np.ndarray:
    """Left and right exchanged: [..., W, 3]."""
    return frames[..., ::-1, :]


def mirrored_pixels(pixels: np.ndarray) -> np.ndarray:
    """(x, y) in [0, 1] in the mirrored image: [..., 2]."""
    return pixels * [-1, 1] + [1, 0]


def mirrored_vectors(vectors: np.ndarray) -> np.ndarray:
    """Points and velocities, [..., 3 or more] with (x, y, z) first, in the mirror at the plane y = 0."""
    return np.concatenate([vectors[..., :3] * [1, -1, 1], vectors[..., 3:]], -1)


def mirrored_states(states: np.ndarray) -> np.ndarray:
    """Robot states, [..., 10 or more] with fingertip (3) and joints (7) first."""
    return np.concatenate([mirrored_vectors(states[..., :3]), mirrored_joints(states[..., 3:10]), states[..., 10:]], -1)
