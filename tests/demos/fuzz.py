"""Damaged files for `test_fuzz`: a process that reads thousands of them, and tells about each before it begins.

    python -m tests.demos.fuzz SAMPLES WORK FIRST LAST

SAMPLES holds whole videos and one recording; the case of a number is the same on every run. WORK gets `case` (the case
being read), and at the end `report.json`. The process is limited in memory, and in time for each file; what it does
besides reading is found by whoever started it.
"""

import hashlib
import json
import resource
import shutil
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from demos.episodes import read_recording
from demos.errors import DemoError
from demos.manifest import DATA, INFO, MAX_BYTES, read_info
from demos.video import read_times, read_video

MEMORY = 3 * 2**30
"""Address space of the process [B]: libraries and threads take more than half of it before the first file."""
PATIENCE = 10
"""Longest computing time for one file [s]; waiting may take WAITING times as long, on a busy machine."""
WAITING = 30
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (
    *(None, True, -1, 0, 10**30, 1e308, "", "../../../evil", "/etc/passwd", "\0", "[red]", "a" * 70_000),
    *([], {}, [[]] * 99, {"../../evil": "x"}, "daml/Reach-v9", "NaN"),
)
"""What is put into descriptions in place of what was there."""


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """One kind of damage."""
    out = bytearray(data)
    # Half of it goes into the first bytes, where most headers are.
    at = int(rng.random() * rng.choice([1.0, 0.1]) * len(out))
    kind = rng.integers(8)
    if kind == 0:
        return bytes(out[:at])
    if kind == 1:
        for place in rng.integers(len(out), size=rng.integers(1, 30)):
            out[place] ^= 1 << rng.integers(8)
    elif kind == 2:
        out[at] ^= 1 << rng.integers(8)
    elif kind == 3:
        length = int(rng.integers(1, 200))
        out[at : at + length] = rng.bytes(length)
    elif kind == 4:
        out[at : at + int(rng.integers(1, 500))] = b""
    elif kind == 5:
        out[at:at] = out[max(0, at - int(rng.integers(1, 500))) : at]
    elif kind == 6 and at + 4 <= len(out):
        struct.pack_into(rng.choice(["<I", ">I"]), out, at, int(rng.choice(EXTREMES)))
    else:
        out += rng.bytes(int(rng.integers(1, 500)))
    return bytes(out)


def redescribed(said: dict, rng: np.random.Generator) -> dict:
    """A description with some of its entries replaced or gone, at any depth."""
    said = json.loads(json.dumps(said))
    for _ in range(rng.integers(1, 4)):
        place = said
        while True:
            key = list(place)[rng.integers(len(place))] if place else "more"
            if not isinstance(place.get(key), dict) or rng.random() < 0.3:
                break
            place = place[key]
        if rng.random() < 0.2:
            place.pop(key, None)
        else:
            place[key] = WORDS[rng.integers(len(WORDS))]
    return said


def signed(folder: Path, said: dict) -> None:
    """Writes a description with right checksums: damage that somebody means."""
    said = {name: value for name, value in said.items() if name != "checksum"}
    if isinstance(said.get("files"), dict):
        said["files"] |= {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in MAX_BYTES}
    checksum = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    (folder / INFO).write_text(json.dumps(said | {"checksum": checksum}))


def video_case(rng: np.random.Generator, videos: dict[str, bytes], place: Path) -> Callable[[], object]:
    """Writes a damaged video; returns what reads it."""
    names = sorted(videos)
    name = names[rng.integers(len(names))]
    data = videos[name]
    for _ in range(rng.integers(1, 4)):
        data = damaged(data, rng) or b"\0"
    suffix = name if rng.random() < 0.8 else names[rng.integers(len(names))]
    path = place / f"a{Path(suffix).suffix}"
    path.write_bytes(data)
    kind = rng.integers(4)
    if kind == 0:
        return lambda: read_times(path)
    if kind == 1:
        return lambda: read_video(path, n_frames=4, size=16, start=0.1, end=0.3)
    if kind == 2:
        return lambda: read_video(path, size=16)
    return lambda: read_video(path, n_frames=4, size=16, fit="letterbox")


def episode_case(rng: np.random.Generator, whole: Path, place: Path) -> Callable[[], object]:
    """Writes a damaged recording, half of them with right checksums; returns what reads it."""
    folder = place / "episode"
    shutil.copytree(whole, folder)
    said = json.loads((folder / INFO).read_text())
    kind = rng.integers(6)
    if kind == 0:
        (folder / INFO).write_bytes(damaged((folder / INFO).read_bytes(), rng))
    elif kind == 1:
        signed(folder, redescribed(said, rng))
    else:
        data = (folder / DATA).read_bytes()
        for _ in range(rng.integers(1, 4)):
            data = damaged(data, rng) or b"\0"
        (folder / DATA).write_bytes(data)
        if kind > 2:
            signed(folder, said)
    return lambda: (read_info(folder), read_recording(folder))


def main(samples: Path, work: Path, first: int, last: int) -> None:
    """Reads the cases from `first` up to `last`."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    videos = {path.name: path.read_bytes() for path in sorted((samples / "videos").iterdir())}
    outcomes: Counter[str] = Counter()
    slowest, most = 0.0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = most
    for number in range(first, last):
        (work / "case").write_text(str(number))
        rng = np.random.default_rng(number)
        place = work / "place"
        place.mkdir()
        video = number % 2 == 0
        read = video_case(rng, videos, place) if video else episode_case(rng, samples / "episode", place)
        started = time.process_time()
        # Both signals end the process.
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)
        signal.alarm(WAITING * PATIENCE)
        try:
            read()
            outcome = "read"
        except DemoError as error:
            outcome = "refused"
            if "\n" in str(error) or "got" not in str(error) or "allowed" not in str(error):
                raise AssertionError(f"case {number}: an unclear message: {error}") from error
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        slowest = max(slowest, time.process_time() - started)
        outcomes[f"{'video' if video else 'episode'} {outcome}"] += 1
        shutil.rmtree(place)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = {"outcomes": outcomes, "slowest": slowest, "seconds": time.process_time(), "grown": (most - begin) * 1024}
    (work / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
