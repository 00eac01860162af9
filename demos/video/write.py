"""Writing videos and pictures: whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from demos.errors import VideoError

SMALL_SIDE = 128
"""Up to this side frames are written with full colour resolution [px]."""


def write_video(path: str | Path, frames: np.ndarray, fps: float) -> None:
    """Writes an mp4 (h264).

    Args:
        path: of the file; its directory is made.
        frames: uint8 [T, H, W, 3].
        fps: frames a second.
    """
    frames = _checked(frames, fps)
    small = max(frames.shape[1:3]) <= SMALL_SIDE
    # Halving the colour resolution, as browsers and players want it, blurs an object that is only a few pixels wide:
    # small clips, which the policy is to see again, keep it all; large ones are for people.
    pixels, quality = ("yuv444p", "0") if small else ("yuv420p", "18")
    if not small:
        frames = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)), mode="edge")
    with (
        beside(Path(path)) as part,
        av.open(f"file:{part}", "w", format="mp4", options={"movflags": "faststart"}) as out,
    ):
        stream: Any = out.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.options = {"crf": quality, "preset": "medium"}
        # Said in the file, or players guess the colours from the size.
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        for frame in frames:
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            out.mux(stream.encode(image.reformat(format=pixels, dst_colorspace=Colorspace.ITU709)))
        out.mux(stream.encode(None))


def write_gif(path: str | Path, frames: np.ndarray, fps: float) -> None:
    """Writes an animated gif that repeats for ever.

    Args:
        path: of the file; its directory is made.
        frames: uint8 [T, H, W, 3].
        fps: frames a second; the format rounds each frame's time to 0.01 s.
    """
    first, *rest = [Image.fromarray(f) for f in _checked(frames, fps)]
    with beside(Path(path)) as part:
        first.save(part, "GIF", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Writes a picture in the format of its suffix.

    Args:
        path: of the file; its directory is made.
        image: uint8 [H, W, 3].
    """
    Image.init()
    suffix = Path(path).suffix.lower()
    if suffix not in Image.EXTENSION:
        raise VideoError(f"{path}: got the suffix {suffix!r}, allowed .png, .jpg and the like")
    with beside(Path(path)) as part:
        Image.fromarray(image).save(part, Image.EXTENSION[suffix])


def _checked(frames: np.ndarray, fps: float) -> np.ndarray:
    """Refuses frames and rates that cannot be written."""
    frames = np.asarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise VideoError(f"frames: got {frames.dtype} {frames.shape}, allowed uint8 [T, H, W, 3]")
    if not 0 < fps < np.inf:
        raise VideoError(f"fps: got {fps}, allowed more than 0")
    return frames


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A file beside the path that takes its place when all went well, so that there is never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
