"""A policy that was never trained, written by hand, and evaluated as any other: `daml evaluate --policy FILE.py:watch`.

It takes the colour of what the hand ends at, looks for that colour in the robot's image, and goes there.
"""

import numpy as np

CAMERA, TARGET, VIEW = np.array([1.16, 0.0, 0.78]), np.array([0.51, 0.0, 0.04]), np.deg2rad(36)
"""Where the camera stands, what it looks at [m], and how much of it it sees [rad]: about so, never quite."""
HEIGHT = 0.05
"""About the height of an object [m]."""
GAIN = 6.0
"""Action (1 is 0.4 m/s) for each metre to go."""
CHANGED, UNLIKE = 40, 45
"""Sum of colour differences from which a pixel has changed, and from which it is not the table."""


def watch(video):
    """What a video shows -> who acts in one episode: (observation, info) -> action [3] in [-1, 1]."""
    colour = colour_at(video.frames[0].astype(float), hand_tip(video.frames.astype(float)))
    goal: list[np.ndarray] = []

    def act(observation, info):
        if not goal:  # later images show the arm before the objects
            goal.append(on_the_table(find(observation["image"].astype(float), colour), len(observation["image"])))
        return np.clip(GAIN * (goal[0] - observation["state"][:3]), -1, 1)

    return act


def hand_tip(frames):
    """Row and column of the changed pixel farthest from where the arm comes into the picture."""
    changed = np.argwhere(np.abs(frames[-1] - frames[0]).sum(-1) > CHANGED)
    if not len(changed):
        return np.array(frames.shape[1:3]) / 2
    side = frames.shape[1] - 1
    entry = changed[np.minimum(side - changed[:, 0], np.minimum(changed[:, 1], side - changed[:, 1])).argsort()[:5]]
    return changed[np.linalg.norm(changed - entry.mean(0), axis=1).argmax()]


def things(image):
    """Which pixels are neither table, nor wall, nor the robot at the top: bool [H, W]."""
    unlike = np.abs(image - np.median(image, (0, 1))).sum(-1) > UNLIKE
    unlike[: len(image) // 4] = False
    return unlike


def colour_at(image, place):
    """The colour of the thing nearest to a place, whatever the brightness."""
    pixels = np.argwhere(things(image))
    if not len(pixels):
        return hue(image.mean((0, 1)))
    nearest = pixels[np.linalg.norm(pixels - place, axis=1).argmin()]
    around = pixels[np.linalg.norm(pixels - nearest, axis=1) < 4]
    return hue(image[tuple(around.T)].mean(0))


def hue(colour):
    """Colours [..., 3] of unit length, and a little of their brightness [..., 4]."""
    length = np.linalg.norm(colour, axis=-1, keepdims=True)
    return np.concatenate([colour / (length + 1), length / 1000], -1)


def find(image, colour):
    """Row and column of the middle of the thing that is most of that colour."""
    pixels = np.argwhere(things(image))
    if not len(pixels):
        return np.array(image.shape[:2]) / 2
    near = np.linalg.norm(pixels[:, None] - pixels[None], axis=-1) < 4
    means = near @ image[tuple(pixels.T)] / near.sum(1, keepdims=True)
    off = np.linalg.norm(hue(means) - colour, axis=1) + 1 / near.sum(1)  # rather a thing than a speck
    return pixels[near[off.argmin()]].mean(0)


def on_the_table(pixel, side):
    """The point [3] [m] at `HEIGHT` that is seen at a pixel."""
    forward = (TARGET - CAMERA) / np.linalg.norm(TARGET - CAMERA)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    down, across = (2 * (np.asarray(pixel) + 0.5) / side - 1) * np.tan(VIEW / 2)
    ray = forward + across * right + down * np.cross(forward, right)
    return CAMERA + ray * (HEIGHT - CAMERA[2]) / ray[2]
