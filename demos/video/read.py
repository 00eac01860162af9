"""Reading: whatever a phone makes, upright, with the exact time of each frame."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from demos.errors import VideoError
from demos.types import Video
from demos.video.check import check_arguments, check_duration, check_file, check_memory, check_tables
from demos.video.colour import picture
from demos.video.decode import aspect_of, decode_from, one_error, opened, packets, pick
from demos.video.frames import Fit, choose, resize, square_pixels, square_width, upright
from demos.video.whole import announced, check_whole


class _Track(NamedTuple):
    """What is known of a video before it is decoded."""

    stamps: np.ndarray
    """Of the frames in the part, int64 [T], ascending."""
    keys: np.ndarray
    """Of all key frames, int64."""
    unit: Fraction
    """Of the stamps [s]."""
    aspect: Fraction
    """Width of a pixel for its height."""
    shape: tuple[int, int]
    """Height and width of the frames once their pixels are square [px]."""

    def times(self) -> np.ndarray:
        """float64 [T] [s], from 0."""
        return (self.stamps - self.stamps[0]) * float(self.unit)


def read_video(
    path: str | Path,
    *,
    n_frames: int | None = None,
    size: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    fit: Fit = "crop",
) -> Video:
    """Reads a video file, upright and with the exact time of each frame.

    The same as reading everything, then `resample` and `resize`; but only the frames that are asked for are kept, so
    that a long clip in a high resolution needs little memory.

    Args:
        path: mp4, mov, webm, gif or another container of FORMATS.
        n_frames: frames to choose, as `resample` does; None reads all.
        size: side of the square frames [px], as `resize` makes them; None keeps the frames as they are.
        start: begin of the part to read [s].
        end: end of the part to read [s]; None reads to the end.
        fit: how `resize` makes frames square.

    Returns:
        The video; times count from its first frame.

    Raises:
        VideoError: The file is missing, no video, damaged, shorter than two frames or beyond the limits.
    """
    path = Path(path)
    check_arguments(n_frames, size, start, end)
    with one_error(path):
        check_file(path)
        check_tables(path)
        track = _scan(path, start, end)
        stamps, times = track.stamps, track.times()
        if n_frames is not None:
            index, times = choose(times, n_frames)
            stamps = stamps[index]
        check_memory(path, len(stamps), (size, size) if size else track.shape)
        decoded = pick(path, stamps, track.keys, track.unit)
        frames = _fill(path, decoded, len(stamps), track.aspect, size, fit)
    frames.flags.writeable = False  # so that Video need not copy them
    return Video(frames, times)


def read_times(path: str | Path, *, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """The times of the frames of a video file, or of a part of it, without decoding more than the first.

    Args and errors are those of `read_video`.

    Returns:
        float64 [T] [s], from 0, ascending.
    """
    path = Path(path)
    check_arguments(None, None, start, end)
    with one_error(path):
        check_file(path)
        check_tables(path)
        return _scan(path, start, end).times()


def _scan(path: Path, start: float, end: float | None) -> _Track:
    """Looks through the packets without decoding them.

    Args:
        path: of the file.
        start: begin of the part [s].
        end: end of the part [s], or None.
    """
    with opened(path) as (container, stream):
        unit, aspect = stream.time_base, aspect_of(stream)
        shape = stream.codec_context.height, square_width(stream.codec_context.width, aspect)
        check_duration(path, min(announced(container, stream), np.inf if end is None else end) - start)
        shown = np.array(list(packets(path, container, stream, end)), np.int64).reshape(-1, 3)
        stamps, keys = np.unique(shown[:, 0]), np.unique(shown[shown[:, 2] > 0, 0])
        stamps = _decodable(path, stamps, keys)
        if len(stamps) < 2:
            raise VideoError(f"{path}: got {len(stamps)} frame(s), allowed two or more")
        times = (stamps - stamps[0]) * float(unit)
        if end is None or end > times[-1] + 1:
            check_whole(path, container, stream, stamps[0] * float(unit), shown[:, :2].sum(1).max() * float(unit))
    inside = (times >= start) & (times <= (np.inf if end is None else end))
    if inside.sum() < 2:
        raise VideoError(
            f"{path}: got {inside.sum()} frames from start {start} s to end {end} s, "
            f"allowed two or more of its {times[-1]:.1f} s"
        )
    times = times[inside]
    check_duration(path, times[-1] - times[0])
    return _Track(stamps[inside], keys if len(keys) else stamps[:1], unit, aspect, shape)


def _decodable(path: Path, stamps: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Without the frames at the beginning of a recording that was joined between key frames: nothing can show them."""
    if not len(keys) or stamps[0] >= keys[0]:
        return stamps
    # Some of them may be whole all the same, which only the decoder knows.
    begin, _ = next(decode_from(path, int(stamps[0])), (keys[0], None))
    return stamps[stamps >= min(begin, keys[0])]


def _fill(path: Path, decoded: Iterator[Any], count: int, aspect: Fraction, size: int | None, fit: Fit) -> np.ndarray:
    """Turns decoded frames into one array [T, H, W, 3], each upright and in its size at once."""
    out = matrix = None
    number = -1
    for number, frame in enumerate(decoded):
        # Once a file: a frame whose side data was looked at refers to itself and stays in memory for long.
        matrix = _display_matrix(frame) if number == 0 else matrix
        image = upright(square_pixels(picture(frame), aspect), matrix)
        image = image if size is None else resize(image[None], size, fit)[0]
        out = np.empty((count, *image.shape), np.uint8) if out is None else out
        if image.shape != out.shape[1:]:
            raise VideoError(f"{path}: got frames of {image.shape} and {out.shape[1:]}, allowed one size")
        out[number] = image
    if out is None or number + 1 != count:
        raise VideoError(f"{path}: got {number + 1} of {count} frames, allowed a file that is not damaged")
    return out


def _display_matrix(frame: Any) -> np.ndarray | None:
    """The 3 x 3 display matrix of a decoded frame, or None."""
    data = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else np.frombuffer(data, np.int32)[:9].reshape(3, 3).copy()
