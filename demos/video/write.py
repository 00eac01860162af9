"""Writing videos and pictures: whole or not at all."""

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from daml.files import beside
from demos.errors import VideoError

SMALL_SIDE = 128
"""Up to this side frames are written with full colour resolution [px]."""


def write_video(path: str | Path, frames: np.ndarray, fps: float) -> None:
    """Writes an mp4 (h264).

    Args:
        path: of the file; its directory is made.
        frames: uint8 [T, H, W, 3].
        fps: frames a second.

    Raises:
        VideoError: other frames, or a rate that is not above 0.
    """
    _write(Path(path), frames, fps, Colorspace.ITU709)


def write_video_601(path: str | Path, frames: np.ndarray, fps: float) -> None:
    """Writes an mp4 for readers that take every file for BT.601, whatever it says.

    Of frames up to `SMALL_SIDE` every number is at most 1 off when it is read. Arguments as in `write_video`.
    """
    _write(Path(path), frames, fps, Colorspace.ITU601)


def _write(path: Path, frames: np.ndarray, fps: float, colours: Colorspace) -> None:
    frames = _checked(frames, fps)
    path.parent.mkdir(parents=True, exist_ok=True)
    small = max(frames.shape[1:3]) <= SMALL_SIDE
    # Halving the colour resolution, as browsers and players want it, blurs an object that is only a few pixels wide:
    # small clips, which the policy is to see again, keep it all; large ones are for people.
    pixels, quality = ("yuv444p", "0") if small else ("yuv420p", "18")
    if not small:
        frames = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)), mode="edge")
    with beside(path) as part, av.open(f"file:{part}", "w", format="mp4", options={"movflags": "faststart"}) as out:
        stream: Any = out.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.options = {"crf": quality, "preset": "medium"}
        # Said in the file, or players guess the colours from the size.
        context = stream.codec_context
        context.colorspace = colours
        context.color_primaries = context.color_trc = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        for frame in frames:
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            image = image.reformat(format=pixels, dst_colorspace=colours)
            exact = small and colours == Colorspace.ITU601
            out.mux(stream.encode(_nearest(image, frame) if exact else image))
        out.mux(stream.encode(None))


def _nearest(image: av.VideoFrame, frame: np.ndarray) -> av.VideoFrame:
    """The picture whose BT.601 colours come out nearest to a frame: rounding alone is up to 2 off.

    Args:
        image: yuv444p, as it is rounded.
        frame: uint8 [H, W, 3].
    """
    rounded = image.to_ndarray()  # [3, H, W]
    best, error = rounded.copy(), _off(rounded, frame)
    for step in itertools.product((-1, 0, 1), repeat=3):
        if error.max() <= 1:
            break
        near = np.clip(rounded.astype(np.int16) + np.reshape(step, (3, 1, 1)), 0, 255).astype(np.uint8)
        better = (found := _off(near, frame)) < error
        best[:, better], error[better] = near[:, better], found[better]
    return av.VideoFrame.from_ndarray(best, format="yuv444p")


def _off(planes: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """[H, W] how far planes [3, H, W] are from a frame when they are read as BT.601."""
    read = av.VideoFrame.from_ndarray(planes, format="yuv444p").to_ndarray(format="rgb24")
    return np.abs(read.astype(np.int16) - frame).max(-1)


def write_gif(path: str | Path, frames: np.ndarray, fps: float) -> None:
    """Writes an animated gif that repeats for ever.

    Args:
        path: of the file; its directory is made.
        frames: uint8 [T, H, W, 3].
        fps: frames a second; the format rounds each frame's time to 0.01 s.

    Raises:
        VideoError: as `write_video`.
    """
    first, *rest = [Image.fromarray(f) for f in _checked(frames, fps)]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with beside(Path(path)) as part:
        first.save(part, "GIF", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0)


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Writes a picture in the format of its suffix.

    Args:
        path: of the file; its directory is made.
        image: uint8 [H, W, 3].

    Raises:
        VideoError: a suffix of no format of pictures.
    """
    Image.init()
    suffix = Path(path).suffix.lower()
    if suffix not in Image.EXTENSION:
        raise VideoError(f"{path}: got the suffix {suffix!r}, allowed .png, .jpg and the like")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
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
