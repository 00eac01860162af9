"""Frames in memory: upright, chosen by time, square and of one size."""

from fractions import Fraction
from typing import Literal

import numpy as np
from PIL import Image

from demos.types import Video
from demos.video.check import check_arguments

Fit = Literal["crop", "letterbox"]
"""How frames that are not square become so: the middle of them, or all of them between black bars."""


def upright(image: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Turns and mirrors an image as its display matrix says, to the nearest quarter turn.

    Args:
        image: [H, W, 3].
        matrix: [3, 3], takes a row vector (x, y, 1) of the stored image to the shown one; None changes nothing.

    Returns:
        The image as it is to be shown, [H, W, 3] or [W, H, 3].
    """
    if matrix is None:
        return image
    (a, b), (c, d) = matrix[:2, :2].tolist()
    if abs(b) > abs(a):
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def square_pixels(image: np.ndarray, aspect: Fraction) -> np.ndarray:
    """Widens or narrows an image whose pixels are shown wider or narrower than high.

    Args:
        image: uint8 [H, W, 3], as it is stored, before `upright`.
        aspect: width of a pixel for its height.

    Returns:
        uint8 [H, W times aspect, 3]; the same array if its pixels are square.
    """
    height, width = image.shape[:2]
    shown = square_width(width, aspect)
    return image if shown == width else _scale(image[None], height, shown)[0]


def square_width(width: int, aspect: Fraction) -> int:
    """How wide an image is once its pixels are square [px]."""
    return max(min(1, width), round(width * aspect))


def resample(video: Video, n_frames: int) -> Video:
    """Chooses the frames nearest to evenly spaced times, each in the middle of its share of the duration.

    A clip shows the same moments at whatever frame rate it was filmed.

    Args:
        video: to choose from.
        n_frames: frames to choose.

    Returns:
        The video of n_frames; its times are those of the frames, or the evenly spaced ones when a frame repeats.
    """
    check_arguments(n_frames, None, 0.0, None)
    index, times = choose(video.times, n_frames)
    return Video(video.frames[index], times)


def choose(times: np.ndarray, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Which frames to take, and their times.

    Args:
        times: [T] [s], strictly increasing.
        n_frames: frames to choose.

    Returns:
        Index of each chosen frame [n_frames], and strictly increasing times from 0 [n_frames] [s].
    """
    times = times - times[0]
    interval = times[-1] / (len(times) - 1) if len(times) > 1 else 1.0
    # The last frame is shown for a while too: without that, the duration would depend on the frame rate.
    spaced = (np.arange(n_frames) + 0.5) / n_frames * (times[-1] + interval)
    # Slightly early, because with as many samples as frames each is halfway between two of them.
    index = np.searchsorted((times[1:] + times[:-1]) / 2, spaced - 0.05 * interval)
    chosen = times[index] if (np.diff(index) > 0).all() else spaced
    return index, chosen - chosen[0]


def resize(frames: np.ndarray, size: int, fit: Fit = "crop") -> np.ndarray:
    """Makes frames square and scales them, averaging over areas.

    Args:
        frames: uint8 [T, H, W, 3].
        size: side of the result [px].
        fit: "crop" cuts the central square out; "letterbox" keeps everything, between black bars.

    Returns:
        uint8 [T, size, size, 3]; the same array if it has that size already.
    """
    height, width = frames.shape[1:3]
    if height == width == size:
        return frames
    if fit == "letterbox" and height != width:
        return _letterbox(frames, size)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _scale(frames[:, top : top + side, left : left + side], size, size)


def _letterbox(frames: np.ndarray, size: int) -> np.ndarray:
    """Scales the longer side to `size` and centres the frames on black; [T, size, size, 3]."""
    long = max(frames.shape[1:3])
    height, width = (max(1, round(side * size / long)) for side in frames.shape[1:3])
    top, left = (size - height) // 2, (size - width) // 2
    out = np.zeros((len(frames), size, size, 3), np.uint8)
    out[:, top : top + height, left : left + width] = _scale(frames, height, width)
    return out


def _scale(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """Frames [T, height, width, 3], averaged over areas where they shrink."""
    shrinks = frames.shape[1] >= height and frames.shape[2] >= width
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(np.ascontiguousarray(f)).resize((width, height), how)) for f in frames])
