"""Augmentation: more tasks out of the same demonstrations, by other colours and by the mirror.

What is done to a set is done to all of its tasks alike, so that the video still decides. Colours are changed alike in
the human's video and in the robot's images: they are what makes an object the same object in both.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from demos.skills import Mirror
from envs.robot import JOINTS_IN_MIRROR

RECOLOURED = 0.5
"""Share of sets whose colour channels are shuffled."""
GAIN = (0.8, 1.2)
"""Range of the factor on each colour channel."""


def augment(rows: dict[str, Tensor], rng: np.random.Generator, mirror: Mirror) -> None:
    """Changes the tasks of one set in place.

    Args:
        rows: "video", "shown_at", "image", "state", "action", "pose", "end" and, if there are any,
            "moved", "hand", and the lessons and glances of `demos.distribution`, each [goals, ...].
        rng: source of all randomness.
        mirror: what may be mirrored.
    """
    alike = [rows[name] for name in ("video", "image", "hand", "lesson_frames", "glance_frames") if name in rows]
    for frames, recoloured in zip(alike, recolour(rng, *alike), strict=True):
        frames[:] = recoloured
    other_side = mirror != "nothing" and rng.random() < 0.5
    if other_side:  # a human who comes from there
        _mirror(rows, video=mirrored_frames, shown_at=mirrored_pixels)
    robot_too = other_side if mirror == "both" else mirror == "each" and rng.random() < 0.5
    if robot_too:
        _mirror(rows, image=mirrored_frames, state=mirrored_states, end=mirrored_states)
        _mirror(rows, action=mirrored_vectors, pose=mirrored_vectors)
        # The camera in the hand looks along the plane that its fingers are mirrored at: its image in the mirror is one.
        further = {"moved": mirrored_vectors, "hand": mirrored_frames}
        _mirror(rows, **{name: change for name, change in further.items() if name in rows})
        if mirror == "both" and "lesson_frames" in rows:  # the robot shows a side, too
            _mirror(rows, lesson_frames=mirrored_frames, lesson_states=mirrored_states)
            _mirror(rows, lesson_actions=mirrored_vectors, lesson_points=mirrored_vectors)


def _mirror(rows: dict[str, Tensor], **mirrored: Callable[[Tensor], Tensor]) -> None:
    """Puts arrays, by their names, in the mirror, in place."""
    for name, change in mirrored.items():
        rows[name][:] = change(rows[name])


def recolour(rng: np.random.Generator, *frames: Tensor) -> tuple[Tensor, ...]:
    """The same change of colours for all frames, each uint8 [..., 3]."""
    order = rng.permutation(3) if rng.random() < RECOLOURED else np.arange(3)
    levels = np.clip(np.arange(256) * rng.uniform(*GAIN, (3, 1)), 0, 255).astype(np.uint8)
    return tuple(_recoloured(each, order, torch.from_numpy(levels).to(each.device)) for each in frames)


def _recoloured(frames: Tensor, order: np.ndarray, levels: Tensor) -> Tensor:
    """Frames with their channels in another order, and then each at other levels [3, 256]."""
    channels = [
        level.index_select(0, frames[..., channel].flatten().int()).view(frames.shape[:-1])
        for level, channel in zip(levels, order, strict=True)
    ]
    return torch.stack(channels, -1)


def mirrored_frames(frames: Tensor) -> Tensor:
    """Left and right exchanged: [..., W, 3]."""
    return frames.flip(-2)


def mirrored_pixels(pixels: Tensor) -> Tensor:
    """(x, y) in [0, 1] in the mirrored image: [..., 2]."""
    return torch.cat([1 - pixels[..., :1], pixels[..., 1:]], -1)


def mirrored_vectors(vectors: Tensor) -> Tensor:
    """Points and velocities, [..., 3 or more] with (x, y, z) first, in the mirror at the plane y = 0."""
    return torch.cat([vectors[..., :1], -vectors[..., 1:2], vectors[..., 2:]], -1)


def mirrored_joints(angles: Tensor) -> Tensor:
    """Joint angles [..., 7] [rad] of the same posture in the mirror at the plane y = 0."""
    sign, shift = (torch.tensor(each, device=angles.device, dtype=angles.dtype) for each in JOINTS_IN_MIRROR)
    return angles * sign + shift


def mirrored_states(states: Tensor) -> Tensor:
    """Robot states, [..., 10 or more] with fingertip (3) and joints (7) first."""
    return torch.cat([mirrored_vectors(states[..., :3]), mirrored_joints(states[..., 3:10]), states[..., 10:]], -1)
