"""Reading: whatever a phone makes, upright, with the exact time of each frame."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from demos.errors import VideoError
from demos.types import Video
from demos.video.check import check_arguments, check_duration, check_file, check_memory, check_tables
from demos.video.decode import one_error, opened, packets, pick
from demos.video.frames import Fit, choose, resize, upright


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
        stamps, keys, unit, shape = _scan(path, start, end)
        times = (stamps - stamps[0]) * float(unit)
        count = len(stamps) if n_frames is None else n_frames
        if n_frames is not None:
            index, times = choose(times, n_frames)
            stamps = stamps[index]
        check_memory(path, count, (size, size) if size else shape)
        frames = _fill(path, pick(path, stamps, keys, unit), count, size, fit)
    frames.flags.writeable = False  # so that Video need not copy them
    return Video(frames, times)


def read_times(path: str | Path, *, start: float = 0.0, end: float | None = None) -> np.ndarray:
    """The times of the frames of a video file, or of a part of it, without decoding any.

    Args and errors are those of `read_video`.

    Returns:
        float64 [T] [s], from 0, ascending.
    """
    path = Path(path)
    check_arguments(None, None, start, end)
    with one_error(path):
        check_file(path)
        check_tables(path)
        stamps, _, unit, _ = _scan(path, start, end)
    return (stamps - stamps[0]) * float(unit)


def _scan(path: Path, start: float, end: float | None) -> tuple[np.ndarray, np.ndarray, Fraction, tuple[int, int]]:
    """Looks through the packets without decoding them.

    Args:
        path: of the file.
        start: begin of the part [s].
        end: end of the part [s], or None.

    Returns:
        Time stamps of the frames in the part, int64 [T], ascending; those of all key frames; their unit [s]; height and
        width [px].
    """
    with opened(path) as (container, stream):
        unit, shape = stream.time_base, (stream.codec_context.height, stream.codec_context.width)
        check_duration(path, min(max(_announced(container, stream)), np.inf if end is None else end) - start)
        shown = np.array(list(packets(path, container, stream, end)), np.int64).reshape(-1, 3)
        stamps, keys = np.unique(shown[:, 0]), np.unique(shown[shown[:, 2] > 0, 0])
        if len(stamps) < 2:
            raise VideoError(f"{path}: got {len(stamps)} frame(s), allowed two or more")
        times = (stamps - stamps[0]) * float(unit)
        if end is None or end > times[-1] + 1:
            _check_whole(path, container, stream, stamps[0] * float(unit), shown[:, :2].sum(1).max() * float(unit))
    inside = (times >= start) & (times <= (np.inf if end is None else end))
    if inside.sum() < 2:
        raise VideoError(
            f"{path}: got {inside.sum()} frames from start {start} s to end {end} s, "
            f"allowed two or more of its {times[-1]:.1f} s"
        )
    times = times[inside]
    check_duration(path, times[-1] - times[0])
    return stamps[inside], keys if len(keys) else stamps[:1], unit, shape


def _announced(container: Any, stream: Any) -> tuple[float, float]:
    """Durations that the headers of the video stream and of the whole file announce [s]; 0 where they do not."""
    of_stream = float(stream.duration * stream.time_base) if stream.duration else 0.0
    return of_stream, container.duration / av.time_base if container.duration else 0.0


def _check_whole(path: Path, container: Any, stream: Any, first: float, last: float) -> None:
    """Refuses a file that was cut off where its packets do not tell: they end before the announced duration.

    Args:
        path: of the file.
        container: opened.
        stream: of the video.
        first: begin of the first frame [s].
        last: end of the last frame [s].
    """
    of_stream, of_file = _announced(container, stream)
    if container.streams.audio or "mov" in container.format.name:
        # Sound may go on after the last frame, and a phone's file may hide frames at its ends.
        got, announced, slack = last - first, of_stream or of_file, 0.1 * (of_stream or of_file) + 0.5
    else:
        # Here the duration counts from zero, whenever the first frame is.
        got, announced, slack = last, of_file, 0.1
    if got < announced - slack:
        raise VideoError(f"{path}: got {got:.1f} s of {announced:.1f} s, allowed a file that was not cut off")
    if container.format.name == "gif" and not _tail(path).rstrip(b"\0").endswith(b";"):
        raise VideoError(f"{path}: got a gif without its end, allowed a file that was not cut off")


def _tail(path: Path, size: int = 1024) -> bytes:
    """The last bytes of a file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read()


def _fill(path: Path, decoded: Iterator[Any], count: int, size: int | None, fit: Fit) -> np.ndarray:
    """Turns decoded frames into one array [T, H, W, 3], each upright and in its size at once."""
    out = matrix = None
    number = -1
    for number, frame in enumerate(decoded):
        # Once a file: a frame whose side data was looked at refers to itself and stays in memory for long.
        matrix = _display_matrix(frame) if number == 0 else matrix
        image = upright(frame.to_ndarray(format="rgb24"), matrix)
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
