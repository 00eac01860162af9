"""Thousands of damaged videos and recordings: each is read or refused in one line, soon, in little memory, and nothing
else happens. They are read in a process of their own, because a decoder that crashes takes its process along."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from video_files import encode, transport, with_sound

from demos.episodes import write_recording
from demos.recipe import Recipe
from demos.recording import Recording, RecordingInfo
from demos.video import write_gif, write_video

ROOT = Path(__file__).parents[2]
GROWTH = 300 * 2**20
"""Most memory that reading damaged files may add [B]."""


def clip(n: int = 6, side: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), np.uint8)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Whole videos of several kinds, and one recording, all tiny."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "videos").mkdir()
    write_video(folder / "videos" / "front.mp4", clip(), 10)
    write_gif(folder / "videos" / "a.gif", clip(), 10)
    for name, codec in (("back.mp4", "libx264"), ("h265.mov", "libx265"), ("a.webm", "libvpx"), ("a.ts", "libx264")):
        encode(folder / "videos" / name, clip(side=32), codec=codec, rate=10)
    encode(folder / "videos" / "a.avi", clip(), codec="mjpeg", pixels="yuvj420p", rate=10)
    with_sound(folder / "videos" / "a.mkv", clip(side=32), 1)
    transport(folder / "videos" / "joined.ts", clip(20, 32), skip=3, options={"g": "8"})
    info = RecordingInfo(
        Recipe("daml/Reach-v0", 0, "train", 0, 0), "expert", None, "task", "0" * 64, 4, 10.0, (16, 16), True, 0.0, "4"
    )
    rng = np.random.default_rng(0)
    recording = Recording(
        info,
        {"image": clip(5), "state": rng.normal(size=(5, 10)).astype(np.float32)},
        rng.uniform(-1, 1, (4, 3)).astype(np.float32),
        np.zeros(4),
        np.zeros(4, bool),
        np.zeros(4, bool),
    )
    write_recording(folder, recording, clip()).rename(folder / "episode")
    return folder


def fuzz(samples: Path, work: Path, count: int) -> dict:
    """Reads `count` damaged files in a process of their own; what it reports."""
    work.mkdir()
    before = {path: path.stat().st_mtime_ns for path in samples.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.demos.fuzz", str(samples), str(work), "0", str(count)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(work)},
        capture_output=True,
        text=True,
        check=False,
    )
    case = (work / "case").read_text()
    assert done.returncode == 0, f"case {case} ended the process with {done.returncode}: {done.stderr[-2000:]}"
    assert done.stdout + done.stderr == ""
    assert {path.name for path in work.iterdir()} == {"case", "report.json"}, "nothing else is written"
    assert {path: path.stat().st_mtime_ns for path in samples.rglob("*")} == before
    assert {path.name for path in work.parent.iterdir()} == {work.name}
    report = json.loads((work / "report.json").read_text())
    assert sum(report["outcomes"].values()) == count
    assert report["grown"] < GROWTH
    print(report)
    return report


def test_200_damaged_files_are_read_or_refused(samples, tmp_path):
    report = fuzz(samples, tmp_path / "work", 200)
    assert {"video read", "video refused", "episode read", "episode refused"} == report["outcomes"].keys()


@pytest.mark.slow
def test_10_000_damaged_files_are_read_or_refused(samples, tmp_path):
    report = fuzz(samples, tmp_path / "work", 10_000)
    assert min(report["outcomes"].values()) > 100, "some damage is harmless, most is not"
