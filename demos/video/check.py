"""What is refused before a video is decoded: senseless arguments, no video files, and what would not fit in memory."""

import struct
from pathlib import Path

import numpy as np

from demos.errors import VideoError

MAX_DURATION = 600.0
"""Longest clip, or part of a clip between start and end, that is read [s]."""
MAX_FRAMES = 600_000
"""Most frames that are looked through."""
MAX_DECODED_BYTES = 2 * 1024**3
"""Most memory that the frames of one video take [B]."""
MAX_INDEX_BYTES = 64 * 1024**2
"""Part of an mp4's index that is checked before the library reads it [B]."""


def check_arguments(n_frames: int | None, size: int | None, start: float, end: float | None) -> None:
    """Refuses numbers that make no sense."""
    for name, value in (("n_frames", n_frames), ("size", size)):
        if value is not None and not 1 <= value <= MAX_FRAMES:
            raise VideoError(f"{name}: got {value}, allowed 1 to {MAX_FRAMES}")
    if not 0 <= start < np.inf:
        raise VideoError(f"start: got {start} s, allowed 0 or more")
    if end is not None and not start < end:
        raise VideoError(f"end: got {end} s, allowed more than start, {start} s")


def check_file(path: Path) -> None:
    """Refuses what is no file with something in it."""
    if path.is_dir():
        raise VideoError(f"{path}: got a directory, allowed a video file")
    if not path.is_file():
        raise VideoError(f"{path}: got no such file, allowed a video file")
    if not path.stat().st_size:
        raise VideoError(f"{path}: got an empty file, allowed a video file")


def check_tables(path: Path) -> None:
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


def check_memory(path: Path, count: int, shape: tuple[int, int]) -> None:
    """Refuses frames that would not fit into MAX_DECODED_BYTES."""
    total = count * shape[0] * shape[1] * 3
    if total > MAX_DECODED_BYTES:
        raise VideoError(
            f"{path}: got {count} frames of {shape[1]} x {shape[0]} px, {total / 2**30:.1f} GiB, "
            f"allowed {MAX_DECODED_BYTES / 2**30:.1f} GiB; give n_frames, size, or start and end"
        )


def check_duration(path: Path, duration: float) -> None:
    """Refuses what is longer than MAX_DURATION."""
    if duration > MAX_DURATION:
        raise VideoError(
            f"{path}: got {duration:.0f} s of video, allowed {MAX_DURATION:.0f} s; choose a part with start and end"
        )
