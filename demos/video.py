"""Videos in and out: whatever a phone makes is read with exact times; small clips keep their pixels when written."""

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageDraw, ImageFont

from demos.errors import VideoError
from demos.types import Video

MAX_DURATION = 600.0
"""Longest clip, or part of a clip between start and end, that is read [s]."""
MAX_PIXELS = 7680 * 4320
"""Pixels of the largest frame that is decoded: 8K."""
MAX_FRAMES = 600_000
"""Most frames that are looked through."""
MAX_DECODED_BYTES = 2 * 1024**3
"""Most memory that the frames of one video take [B]."""
MAX_GAP = 0.2
"""Furthest frame that stands in for one that could not be decoded [s]."""
MAX_INDEX_BYTES = 64 * 1024**2
"""Part of an mp4's index that is checked before the library reads it [B]."""
LEAP = 1.0
"""Decoding leaps to the next key frame when that saves more than this [s]."""
FORMATS = "mov,matroska,webm,avi,gif,mpegts,mpeg,flv,asf,ogg"
"""Containers that are read. Playlists and the like are not: they name other files, and make a video from a text."""
SMALL_SIDE = 128
"""Up to this side frames are written with full colour resolution [px]."""

# The errors raised say what is wrong; the decoder's own lines on stderr would only hide them.
av.logging.set_level(None)


# --- reading ---------------------------------------------------------------------------------------------------------


def read_video(
    path: str | Path,
    *,
    n_frames: int | None = None,
    size: int | None = None,
    start: float = 0.0,
    end: float | None = None,
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

    Returns:
        The video; times count from its first frame.

    Raises:
        VideoError: The file is missing, no video, damaged, shorter than two frames or beyond the limits.
    """
    path = Path(path)
    _check_arguments(n_frames, size, start, end)
    with _one_error(path):
        _check_file(path)
        _check_tables(path)
        stamps, keys, unit, shape = _scan(path, start, end)
        times = (stamps - stamps[0]) * float(unit)
        count = len(stamps) if n_frames is None else n_frames
        if n_frames is not None:
            index, times = _choose(times, n_frames)
            stamps = stamps[index]
        _check_memory(path, count, (size, size) if size else shape)
        frames = _fill(path, _pick(path, stamps, keys, unit), count, size)
    frames.flags.writeable = False  # so that Video need not copy them
    return Video(frames, times)


def _check_arguments(n_frames: int | None, size: int | None, start: float, end: float | None) -> None:
    """Refuses numbers that make no sense."""
    for name, value in (("n_frames", n_frames), ("size", size)):
        if value is not None and not 1 <= value <= MAX_FRAMES:
            raise VideoError(f"{name}: got {value}, allowed 1 to {MAX_FRAMES}")
    if not 0 <= start < np.inf:
        raise VideoError(f"start: got {start} s, allowed 0 or more")
    if end is not None and not start < end:
        raise VideoError(f"end: got {end} s, allowed more than start, {start} s")


def _check_file(path: Path) -> None:
    """Refuses what is no file with something in it."""
    if path.is_dir():
        raise VideoError(f"{path}: got a directory, allowed a video file")
    if not path.is_file():
        raise VideoError(f"{path}: got no such file, allowed a video file")
    if not path.stat().st_size:
        raise VideoError(f"{path}: got an empty file, allowed a video file")


def _check_tables(path: Path) -> None:
    """Refuses an mp4 without index, and one that announces more frames than it has bytes.

    For the latter the library would make an index of gigabytes.

    The count stands in two kinds of boxes, which may be 20 bytes long however much they announce: `stsz` in `moov`, the
    sizes of all frames, and `trun` in `moof`, those of a fragment. Source: ISO/IEC 14496-12, 8.7.3.2 and 8.8.8.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        if file.read(8)[4:] not in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"moof", b"styp", b"sidx"):
            return
        at, found = 0, False
        while at + 8 <= length:
            file.seek(at)
            size, kind, size64 = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
            size = {0: length - at, 1: size64}.get(size, size)
            found |= kind == b"moov"
            if kind in (b"moov", b"moof"):
                file.seek(at)
                _check_counts(path, file.read(min(size, MAX_INDEX_BYTES)), length)
            at += max(size, 8)
    if not found:
        raise VideoError(f"{path}: got an mp4 without its index, allowed a video file that was not cut off")


def _check_counts(path: Path, box: bytes, length: int) -> None:
    """Refuses a `moov` or `moof` box that announces more frames than the file has bytes, `length`."""
    for name, skipped in ((b"stsz", 8), (b"trun", 4)):
        at = box.find(name)
        while at >= 0:
            count = int.from_bytes(box[at + 4 + skipped : at + 8 + skipped], "big")
            if count > length:
                raise VideoError(f"{path}: got {length} bytes for {count} frames, allowed a file that is not damaged")
            at = box.find(name, at + 4)


def _check_memory(path: Path, count: int, shape: tuple[int, int]) -> None:
    """Refuses frames that would not fit into MAX_DECODED_BYTES."""
    total = count * shape[0] * shape[1] * 3
    if total > MAX_DECODED_BYTES:
        raise VideoError(
            f"{path}: got {count} frames of {shape[1]} x {shape[0]} px, {total / 2**30:.1f} GiB, "
            f"allowed {MAX_DECODED_BYTES / 2**30:.1f} GiB; give n_frames, size, or start and end"
        )


@contextmanager
def _one_error(path: Path) -> Iterator[None]:
    """Turns whatever the decoder raises on a damaged file into one VideoError."""
    try:
        yield
    except VideoError:
        raise
    except (av.FFmpegError, ArithmeticError, LookupError, MemoryError, OSError, ValueError) as error:
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split())
        raise VideoError(f"{path}: got a damaged file or no video ({reason}), allowed a whole video file") from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Opens a file: the container and its video stream."""
    # "file:" and the two lists keep names and contents from reaching for anything but this one file.
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    with av.open(f"file:{path}", container_options=options, metadata_errors="replace") as container:
        streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            raise VideoError(f"{path}: got no video stream, allowed a file with one")
        stream = streams[0]
        if stream.codec_context is None:
            raise VideoError(
                f"{path}: got a damaged file or an unknown kind of video, allowed h264, HEVC, VP9 and the like"
            )
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 0 < width * height <= MAX_PIXELS:
            raise VideoError(f"{path}: got frames of {width} x {height} px, allowed up to {MAX_PIXELS} pixels")
        # Starting threads costs more than a small clip's decoding.
        stream.thread_type = "NONE" if width * height < 640 * 480 else "AUTO"
        # A damaged or hostile stream may announce larger frames further on.
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        yield container, stream


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
    with _opened(path) as (container, stream):
        unit, shape = stream.time_base, (stream.codec_context.height, stream.codec_context.width)
        _check_duration(path, min(max(_announced(container, stream)), np.inf if end is None else end) - start)
        shown = np.array(list(_stamps(path, container, stream, end)), np.int64).reshape(-1, 3)
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
    _check_duration(path, times[-1] - times[0])
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


def _check_duration(path: Path, duration: float) -> None:
    """Refuses what is longer than MAX_DURATION."""
    if duration > MAX_DURATION:
        raise VideoError(
            f"{path}: got {duration:.0f} s of video, allowed {MAX_DURATION:.0f} s; choose a part with start and end"
        )


def _stamps(path: Path, container: Any, stream: Any, end: float | None) -> Iterator[tuple[int, int, bool]]:
    """Time stamp, duration and whether it is a key frame, of the packets that will be shown, as the file has them."""
    first, number = None, 0
    # Only this family of containers lists its frames up front.
    listed = len(stream.index_entries) if "mov" in container.format.name else 0
    of_listed = f" of {listed}" if listed else ""
    for number, packet in enumerate(container.demux(stream)):
        if number > MAX_FRAMES:
            raise VideoError(f"{path}: got more than {MAX_FRAMES} frames, allowed as many; give start and end")
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


def _pick(path: Path, stamps: np.ndarray, keys: np.ndarray, unit: Fraction) -> Iterator[Any]:
    """Decodes the frames nearest to ascending time stamps, leaping over the stretches that nobody asked for."""
    last_key = keys[np.maximum(np.searchsorted(keys, stamps, "right") - 1, 0)]
    leaps = np.flatnonzero((last_key[1:] - stamps[:-1]) * float(unit) > LEAP) + 1
    for group in np.split(stamps, leaps):
        found = _nearest(_decode_from(path, int(group[0])), group.tolist())
        for wanted, (stamp, frame) in zip(group.tolist(), found, strict=False):
            if abs(stamp - wanted) * unit > MAX_GAP:
                where = float(wanted * unit)
                raise VideoError(f"{path}: got no frame near {where:.1f} s, allowed a file that is not damaged")
            yield frame


def _decode_from(path: Path, first: int) -> Iterator[tuple[int, Any]]:
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
    with _opened(path) as (container, stream):
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


def _fill(path: Path, decoded: Iterator[Any], count: int, size: int | None) -> np.ndarray:
    """Turns decoded frames into one array [T, H, W, 3], each upright and in its size at once."""
    out = matrix = None
    number = -1
    for number, frame in enumerate(decoded):
        # Once a file: a frame whose side data was looked at refers to itself and stays in memory for long.
        matrix = _display_matrix(frame) if number == 0 else matrix
        image = upright(frame.to_ndarray(format="rgb24"), matrix)
        image = image if size is None else resize(image[None], size)[0]
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


# --- time and size ---------------------------------------------------------------------------------------------------


def resample(video: Video, n_frames: int) -> Video:
    """Chooses the frames nearest to evenly spaced times, each in the middle of its share of the duration.

    A clip shows the same moments at whatever frame rate it was filmed.

    Args:
        video: to choose from.
        n_frames: frames to choose.

    Returns:
        The video of n_frames; its times are those of the frames, or the evenly spaced ones when a frame repeats.
    """
    _check_arguments(n_frames, None, 0.0, None)
    index, times = _choose(video.times, n_frames)
    return Video(video.frames[index], times)


def _choose(times: np.ndarray, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
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


def resize(frames: np.ndarray, size: int) -> np.ndarray:
    """Crops the central square and scales it, averaging over areas.

    Args:
        frames: uint8 [T, H, W, 3].
        size: side of the result [px].

    Returns:
        uint8 [T, size, size, 3]; the same array if it has that size already.
    """
    height, width = frames.shape[1:3]
    if height == width == size:
        return frames
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = frames[:, top : top + side, left : left + side]
    how = Image.Resampling.BOX if side >= size else Image.Resampling.BICUBIC
    scaled = [np.asarray(Image.fromarray(np.ascontiguousarray(f)).resize((size, size), how)) for f in square]
    return np.stack(scaled)


# --- writing ---------------------------------------------------------------------------------------------------------


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
        _beside(Path(path)) as part,
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
    with _beside(Path(path)) as part:
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
    with _beside(Path(path)) as part:
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
def _beside(path: Path) -> Iterator[Path]:
    """A file beside the path that takes its place when all went well, so that there is never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


# --- composing -------------------------------------------------------------------------------------------------------


def side_by_side(clips: Sequence[np.ndarray], height: int = 256, labels: Sequence[str] | None = None) -> np.ndarray:
    """Puts clips next to each other; shorter ones hold their last frame.

    Args:
        clips: uint8 [T, H, W, 3] each, of any length and size.
        height: of the clips in the result [px].
        labels: written above the clips, one each; None leaves the strip away.

    Returns:
        uint8 [T, height and the strip, W, 3].
    """
    if not clips or (labels is not None and len(labels) != len(clips)):
        raise VideoError(f"clips: got {len(clips)} and {labels} as labels, allowed one or more, and a label each")
    length = max(map(len, clips))
    columns = []
    for number, clip in enumerate(clips):
        column = _at_height(np.concatenate([clip, np.repeat(clip[-1:], length - len(clip), 0)]), height)
        if labels is not None:
            strip = _label(labels[number], column.shape[2], max(16, height // 12))
            column = np.concatenate([np.broadcast_to(strip, (length, *strip.shape)), column], axis=1)
        columns.append(column)
    return np.concatenate(columns, axis=2)


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


def _label(text: str, width: int, height: int) -> np.ndarray:
    """A white strip [height, width, 3] with text in its middle."""
    strip = Image.new("RGB", (width, height), "white")
    font = ImageFont.load_default(size=height * 0.7)
    ImageDraw.Draw(strip).text((width / 2, height / 2), text, fill="black", font=font, anchor="mm")
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
