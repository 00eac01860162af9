"""From a video file to stamped packets and frames: the only place that talks to the decoder."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np

from demos.errors import VideoError
from demos.video import check
from demos.video.frames import square_width

MAX_PIXELS = 7680 * 4320
"""Pixels of the largest frame that is decoded: 8K."""
MAX_GAP = 0.2
"""Furthest frame that stands in for one that could not be decoded [s]."""
LEAP = 1.0
"""Decoding leaps to the next key frame when that saves more than this [s]."""
STILL = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails | av.stream.Disposition.still_image
"""What is said of streams that are no videos."""
FORMATS = "mov,matroska,webm,avi,gif,mpegts,mpeg,flv,asf,ogg"
"""Containers that are read. Playlists and the like are not: they name other files, and make a video from a text."""

# The errors raised say what is wrong; the decoder's own lines on stderr would only hide them.
av.logging.set_level(None)


@contextmanager
def one_error(path: Path) -> Iterator[None]:
    """Turns whatever the decoder raises on a damaged file into one VideoError."""
    try:
        yield
    except VideoError:
        raise
    except (av.FFmpegError, ArithmeticError, LookupError, MemoryError, OSError, ValueError) as error:
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
        raise VideoError(f"{path}: got a damaged file or no video ({reason}), allowed a whole video file") from error


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Opens a file: the container and its best video stream."""
    # "file:" and the two lists keep names and contents from reaching for anything but this one file.
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    with av.open(f"file:{path}", container_options=options, metadata_errors="replace") as container:
        stream = _best(path, container.streams.video)
        width, height = stream.codec_context.width, stream.codec_context.height
        shown = square_width(width, aspect_of(stream))
        if not 0 < max(width, shown) * height <= MAX_PIXELS:
            raise VideoError(f"{path}: got frames of {shown} x {height} px, allowed up to {MAX_PIXELS} pixels")
        # Starting threads costs more than a small clip's decoding.
        stream.thread_type = "NONE" if width * height < 640 * 480 else "AUTO"
        # A damaged or hostile stream may announce larger frames further on.
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream


def _best(path: Path, streams: Sequence[Any]) -> Any:
    """The video stream with the largest frames, of equal ones the default, then the first; no cover."""
    streams = [s for s in streams if not s.disposition & STILL]
    if not streams:
        raise VideoError(f"{path}: got no video stream, allowed a file with one")
    known = [s for s in streams if s.codec_context is not None]
    if not known:
        raise VideoError(
            f"{path}: got a damaged file or an unknown kind of video, allowed h264, HEVC, VP9 and the like"
        )
    # A single picture is a cover that was not called one.
    moving = [s for s in known if s.frames != 1] or known
    default = av.stream.Disposition.default
    return max(moving, key=lambda s: (s.codec_context.width * s.codec_context.height, bool(s.disposition & default)))


def aspect_of(stream: Any) -> Fraction:
    """Width of a pixel for its height; 1 where the file does not say."""
    return stream.sample_aspect_ratio or Fraction(1)


def packets(path: Path, container: Any, stream: Any, end: float | None) -> Iterator[tuple[int, int, bool]]:
    """Time stamp, duration and whether it is a key frame, of the packets that will be shown, as the file has them."""
    first, number = None, 0
    # Only this family of containers lists its frames up front.
    listed = len(stream.index_entries) if "mov" in container.format.name else 0
    of_listed = f" of {listed}" if listed else ""
    for number, packet in enumerate(container.demux(stream)):
        if number > check.MAX_FRAMES:
            raise VideoError(f"{path}: got more than {check.MAX_FRAMES} frames, allowed as many; give start and end")
        if packet.is_corrupt:
            raise VideoError(f"{path}: got {number}{of_listed} frames, allowed a file that was not cut off or damaged")
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None or packet.is_discard:
            continue
        first = stamp if first is None else first
        yield stamp, packet.duration or 0, packet.is_keyframe
        # Packets come in the order of decoding, at most a second from the order of showing.
        if end is not None and packet.dts is not None and (packet.dts - first) * stream.time_base > end + 1:
            return
    if number < listed:
        raise VideoError(f"{path}: got {number}{of_listed} frames, allowed a file that was not cut off")


def end_of_all(path: Path) -> float:
    """When the last of anything in a file ends, be it picture or sound [s]."""
    with opened(path) as (container, _):
        ends = ((p.pts + (p.duration or 0)) * p.time_base for p in container.demux() if p.pts is not None)
        return float(max(ends, default=0))


def pick(path: Path, stamps: np.ndarray, keys: np.ndarray, unit: Fraction) -> Iterator[Any]:
    """Decodes the frames nearest to ascending time stamps, leaping over the stretches that nobody asked for."""
    last_key = keys[np.maximum(np.searchsorted(keys, stamps, "right") - 1, 0)]
    leaps = np.flatnonzero((last_key[1:] - stamps[:-1]) * float(unit) > LEAP) + 1
    for group in np.split(stamps, leaps):
        found = _nearest(decode_from(path, int(group[0])), group.tolist())
        for wanted, (stamp, frame) in zip(group.tolist(), found, strict=False):
            if abs(stamp - wanted) * unit > MAX_GAP:
                where = float(wanted * unit)
                raise VideoError(f"{path}: got no frame near {where:.1f} s, allowed a file that is not damaged")
            yield frame


def decode_from(path: Path, first: int) -> Iterator[tuple[int, Any]]:
    """Decodes the frames of a file with their stamps, beginning at or before a time stamp."""
    decoded = _decode(path, seek=first)
    head = next(decoded, None)
    if head is None or head[0] > first:
        # Some containers have no index, and a search ends behind what was looked for.
        yield from _decode(path)
    else:
        yield head
        yield from decoded


def _decode(path: Path, seek: int | None = None) -> Iterator[tuple[int, Any]]:
    """Decodes the frames of a file with their stamps, from a key frame near a time stamp or from the beginning."""
    with opened(path) as (container, stream):
        if seek is not None and (seek - (stream.start_time or 0)) * stream.time_base > LEAP:
            with suppress(av.FFmpegError):
                container.seek(seek, stream=stream)
        for frame in container.decode(stream):
            if frame.pts is not None:
                yield frame.pts, frame


def _nearest(frames: Iterable[tuple[int, Any]], stamps: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """Picks out of a stream of stamped frames the nearest one to each of the ascending stamps, with its stamp."""
    last: tuple[int, Any] | None = None
    wanted = 0
    for now in frames:
        while last is not None and wanted < len(stamps) and 2 * stamps[wanted] <= last[0] + now[0]:
            yield last
            wanted += 1
        if wanted == len(stamps):
            return
        last = now
    if last is not None:
        yield from [last] * (len(stamps) - wanted)
