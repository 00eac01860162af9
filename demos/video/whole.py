"""Whether a file is whole: what it says of its own end, beside what it holds."""

import mmap
from pathlib import Path
from typing import Any

import av

from demos.errors import VideoError
from demos.video.decode import end_of_all

MATROSKA, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
"""How a file of mkv or webm begins, and its second part, which holds all the rest. Source: RFC 9559, 5.1."""
ESTIMATED = ("mpegts", "mpeg")
"""Containers that announce no duration: the library takes the time of what happens to be last in the file."""


def announced(container: Any, stream: Any) -> float:
    """Duration that the file announces for its video [s]; 0 where it announces none.

    That of the whole file counts when it holds nothing but the video: sound may go on for longer.
    """
    said = max(float(stream.duration * stream.time_base) if stream.duration else 0.0, _tagged(stream))
    return max(said, _of_file(container)) if len(container.streams) == 1 else said


def _of_file(container: Any) -> float:
    """Duration that the file announces for all that it holds [s]; 0 where it announces none."""
    return container.duration / av.time_base if container.duration else 0.0


def _tagged(stream: Any) -> float:
    """Duration that mkv and webm tell of a stream [s], "00:00:03.000000000"; 0 where they do not."""
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return 0.0
    return 3600 * hours + 60 * minutes + seconds


def check_whole(path: Path, container: Any, stream: Any, first: float, last: float) -> None:
    """Refuses a file that was cut off where its packets do not tell.

    Its structure ends before it should, or the video ends before the duration announced for it. Where only the file's
    duration is announced, the video may end earlier if something else, such as sound, goes on until then.

    Args:
        path: of the file.
        container: opened.
        stream: of the video.
        first: begin of the first frame [s].
        last: end of the last frame [s].
    """
    _check_structure(path, container.format.name)
    if container.format.name in ESTIMATED:
        return
    said = announced(container, stream)
    mov, several = "mov" in container.format.name, len(container.streams) > 1
    # A phone's file may hide frames at its ends.
    slack = 0.1 * said + 0.5 if mov or several else 0.1
    # Elsewhere a duration counts from zero, whenever the first frame is.
    got = last - first if mov or (several and stream.duration) else last
    if not said and last < _of_file(container) - slack:
        got, said = end_of_all(path), _of_file(container)
    if got < said - slack:
        raise VideoError(f"{path}: got {got:.1f} s of {said:.1f} s, allowed a file that was not cut off")


def _check_structure(path: Path, name: str) -> None:
    """Refuses a gif without its last byte, and mkv or webm that is shorter than it says."""
    if name == "gif" and not gif_ends(path):
        raise VideoError(f"{path}: got a gif without its end, allowed a file that was not cut off")
    length, said = path.stat().st_size, _matroska_length(path)
    if length < said:
        raise VideoError(f"{path}: got {length} of {said} bytes, allowed a file that was not cut off")


def gif_ends(path: Path) -> bool:
    """Whether the blocks of a gif lead to the one that ends it; what lies behind does not matter.

    Source: GIF89a specification, W3C, 1990, appendix B.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = 13 + _colours(data[10])
        while at + 10 < len(data) and data[at] != ord(";"):
            if data[at] == ord(","):
                at = _behind(data, at + 11 + _colours(data[at + 9]))
            elif data[at] == ord("!"):
                at = _behind(data, at + 2)
            else:  # Some programs fill up with bytes that mean nothing.
                at += 1
        return data[at : at + 10].lstrip(b"\0").startswith(b";")


def _colours(flags: int) -> int:
    """Bytes of the colour table that a gif's flags announce."""
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0


def _behind(data: mmap.mmap, at: int) -> int:
    """Where the data of a gif's block end, which come in pieces that tell their length, the last of 0 bytes."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def _matroska_length(path: Path) -> int:
    """Bytes that a file of mkv or webm says it has; 0 when it does not, or is something else."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.startswith(MATROSKA):
        return 0
    _, found, rest = head.partition(SEGMENT)
    if not found or not rest or not rest[0]:
        return 0
    # A number has as many bytes as its first bit that is set says; all bits set behind that one: unknown.
    size = 9 - rest[0].bit_length()
    value, unknown = int.from_bytes(rest[:size]) - (1 << 7 * size), (1 << 7 * size) - 1
    return 0 if value == unknown else len(head) - len(rest) + size + value
