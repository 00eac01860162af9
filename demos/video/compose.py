"""Composing: clips side by side, labels, contact sheets."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from demos.errors import VideoError


def side_by_side(clips: Sequence[np.ndarray], height: int = 256, labels: Sequence[str] | None = None) -> np.ndarray:
    """Puts clips next to each other; shorter ones hold their last frame.

    Args:
        clips: uint8 [T, H, W, 3] each, of any length and size.
        height: of the clips in the result [px].
        labels: written above the clips, one each; None leaves the strip away.

    Returns:
        uint8 [T, height and the strip, W, 3].

    Raises:
        VideoError: no clips, or not a label each.
    """
    if not clips or (labels is not None and len(labels) != len(clips)):
        raise VideoError(f"clips: got {len(clips)} and {labels} as labels, allowed one or more, and a label each")
    length = max(map(len, clips))
    columns = []
    for number, clip in enumerate(clips):
        column = _at_height(np.concatenate([clip, np.repeat(clip[-1:], length - len(clip), 0)]), height)
        if labels is not None:
            tall = max(16, height // 12)
            strip = _label(labels[number], column.shape[2], tall, 0.7 * tall)
            column = np.concatenate([np.broadcast_to(strip, (length, *strip.shape)), column], axis=1)
        columns.append(column)
    return np.concatenate(columns, axis=2)


def labelled_rows(clips: Sequence[np.ndarray], labels: Sequence[str], width: int = 128) -> np.ndarray:
    """Puts clips below each other, each to the right of its label; shorter ones hold their last frame.

    Args:
        clips: uint8 [T, H, W, 3] each, of one width.
        labels: one each, of one line or more.
        width: of the labels [px].

    Returns:
        uint8 [T, H of all, width + W, 3].

    Raises:
        VideoError: no clips, of several widths, or not a label each.
    """
    if not clips or len(labels) != len(clips) or len({clip.shape[2] for clip in clips}) > 1:
        raise VideoError(f"rows: got {len(clips)} and {labels} as labels, allowed some of one width, a label each")
    length = max(map(len, clips))
    rows = []
    for text, clip in zip(labels, clips, strict=True):
        strip = _label(text, width, clip.shape[1], 13)
        held = np.concatenate([clip, np.repeat(clip[-1:], length - len(clip), 0)])
        rows.append(np.concatenate([np.broadcast_to(strip, (length, *strip.shape)), held], axis=2))
    return np.concatenate(rows, axis=1)


def _at_height(clip: np.ndarray, height: int) -> np.ndarray:
    """Enlarges a clip by a whole factor or shrinks it, and centres it in the height; [T, height, W, 3]."""
    old, width = clip.shape[1:3]
    if old > height:
        new = max(1, round(width * height / old)), height
        return np.stack([np.asarray(Image.fromarray(f).resize(new, Image.Resampling.BOX)) for f in clip])
    factor = height // old
    clip = clip.repeat(factor, axis=1).repeat(factor, axis=2)
    margin = height - clip.shape[1]
    return np.pad(clip, ((0, 0), (margin // 2, margin - margin // 2), (0, 0), (0, 0)), constant_values=255)


def _label(text: str, width: int, height: int, size: float) -> np.ndarray:
    """A white strip [height, width, 3] with text of a size [px] in its middle."""
    strip = Image.new("RGB", (width, height), "white")
    font = ImageFont.load_default(size=size)
    ImageDraw.Draw(strip).text((width / 2, height / 2), text, fill="black", font=font, anchor="mm", align="center")
    return np.asarray(strip)


def contact_sheet(frames: np.ndarray, columns: int = 8, gap: int = 2) -> np.ndarray:
    """Lays the frames of a clip out as one picture, row by row.

    Args:
        frames: uint8 [T, H, W, 3].
        columns: frames in a row.
        gap: white space between frames [px].

    Returns:
        uint8 [H, W, 3].
    """
    n, height, width, _ = frames.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    sheet = np.full((rows, height + gap, columns, width + gap, 3), 255, np.uint8)
    for number, frame in enumerate(frames):
        sheet[number // columns, :height, number % columns, :width] = frame
    return sheet.reshape(rows * (height + gap), columns * (width + gap), 3)[: -gap or None, : -gap or None]
