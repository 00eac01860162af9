"""Videos: what is written is read, whatever phones make is read right, and nothing damaged gets through or crashes."""

import gc
import itertools
import struct
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from video_files import encode

from demos.errors import VideoError
from demos.types import Video
from demos.video import (
    check,
    contact_sheet,
    decode,
    labelled_rows,
    read_video,
    resample,
    resize,
    side_by_side,
    upright,
    write_gif,
    write_image,
    write_video,
)

CONTAINERS = [
    ("mp4", "libx264", "yuv420p"),
    ("mov", "libx264", "yuv420p"),
    ("mp4", "libx265", "yuv420p"),
    ("webm", "libvpx", "yuv420p"),
    ("webm", "libvpx-vp9", "yuv420p"),
    ("mkv", "libx264", "yuv420p"),
    ("avi", "mjpeg", "yuvj420p"),
    ("ts", "libx264", "yuv420p"),
    ("gif", "gif", "rgb8"),
]


def clip(n=12, height=64, width=64):
    """Four coloured quarters; the fourth tells the number of the frame. [n, height, width, 3]."""
    frames = np.zeros((n, height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    frames[:, :top, :left], frames[:, :top, left:], frames[:, top:, :left] = (230, 20, 20), (20, 230, 20), (20, 20, 230)
    frames[:, top:, left:] = np.linspace(0, 255, n).astype(np.uint8)[:, None, None, None]
    return frames


def numbers(video, total):
    """Which frame of `clip(total)` each frame of a video is."""
    height, width = video.frames.shape[1:3]
    shade = video.frames[:, -height // 4, -width // 4].mean(-1)
    return np.rint(shade / 255 * (total - 1)).astype(int).tolist()


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A whole small file in each of several containers, in one folder."""
    folder = tmp_path_factory.mktemp("samples")
    write_video(folder / "front.mp4", clip(), 8)
    for name, codec in (("back.mp4", "libx264"), ("h265.mp4", "libx265"), ("a.webm", "libvpx-vp9")):
        encode(folder / name, clip(), codec=codec)
    encode(folder / "a.avi", clip(), codec="mjpeg", pixels="yuvj420p")
    encode(folder / "a.ts", clip())
    write_gif(folder / "a.gif", clip(), 10)
    return folder


# --- what is written is read -----------------------------------------------------------------------------------------


def test_small_frames_survive_writing_and_reading(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), np.uint8).repeat(4, 1).repeat(4, 2)
    write_video(tmp_path / "new" / "a.mp4", frames, 8)
    video = read_video(tmp_path / "new" / "a.mp4")
    error = np.abs(video.frames.astype(int) - frames)
    assert error.mean() < 1
    assert error.max() <= 3  # what rounding to YUV and back costs
    assert np.allclose(video.times, np.arange(10) / 8)


@pytest.mark.parametrize("shape", [(1, 1), (63, 65), (128, 3), (129, 131), (300, 401)])
def test_any_size_can_be_written(tmp_path, shape):
    write_video(tmp_path / "a.mp4", clip(3, *shape), 10)
    read = read_video(tmp_path / "a.mp4").frames
    assert all(0 <= new - old <= 1 for new, old in zip(read.shape[1:3], shape, strict=True))
    assert np.abs(read[:, : shape[0], : shape[1]].astype(int) - clip(3, *shape)).mean() < 6


def test_large_frames_are_written_as_browsers_want_them(tmp_path):
    write_video(tmp_path / "a.mp4", clip(3, 240, 320), 30000 / 1001)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == Fraction(30000, 1001)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_nothing_is_left_when_writing_fails(tmp_path, monkeypatch):
    write_video(tmp_path / "a.mp4", clip(3), 8)
    before = (tmp_path / "a.mp4").read_bytes()
    for frames, fps in ((clip(3).astype(float), 8), (clip(3)[0], 8), (clip(0), 8), (clip(3), 0), (clip(3), np.nan)):
        with pytest.raises(VideoError, match="allowed"):
            write_video(tmp_path / "a.mp4", frames, fps)
    with pytest.raises(VideoError, match="suffix"):
        write_image(tmp_path / "a.what", clip()[0])
    monkeypatch.setattr(av.VideoFrame, "from_ndarray", lambda *_, **__: 1 / 0, raising=False)
    with pytest.raises(ZeroDivisionError):
        write_video(tmp_path / "a.mp4", clip(3), 8)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == before


def test_a_gif_and_a_picture_are_read_back(tmp_path):
    write_gif(tmp_path / "a.gif", clip(5), 10)
    video = read_video(tmp_path / "a.gif")
    assert numbers(video, 5) == [0, 1, 2, 3, 4]
    assert np.allclose(video.times, np.arange(5) / 10)
    write_image(tmp_path / "b" / "a.png", clip()[3])
    with Image.open(tmp_path / "b" / "a.png") as image:
        assert np.array_equal(np.asarray(image), clip()[3])


# --- whatever phones make --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "codec", "pixels"), CONTAINERS)
def test_any_container_gives_all_frames_in_order_and_colour(tmp_path, suffix, codec, pixels):
    path = encode(tmp_path / f"a.{suffix}", clip(), codec=codec, pixels=pixels)
    video = read_video(path)
    assert np.allclose(numbers(video, 12), range(12), atol=1 if suffix == "gif" else 0)  # eight shades of grey
    assert np.allclose(video.times, np.arange(12) / 25, atol=1e-3)
    assert (
        np.abs(video.frames[0, [10, 10, 50], [10, 50, 10]].astype(int) - clip()[0, [10, 10, 50], [10, 50, 10]]).max()
        < 30
    )


@pytest.mark.parametrize(("suffix", "codec", "pixels"), CONTAINERS)
def test_reading_some_frames_is_reading_all_then_choosing(tmp_path, suffix, codec, pixels):
    path = encode(tmp_path / f"a.{suffix}", clip(), codec=codec, pixels=pixels)
    whole = read_video(path)
    for n_frames in (1, 2, 5, 12, 30):
        some, chosen = read_video(path, n_frames=n_frames, size=32), resample(whole, n_frames)
        assert np.array_equal(some.frames, resize(chosen.frames, 32))
        assert np.array_equal(some.times, chosen.times)


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_rotation_metadata_is_applied(tmp_path, rotation):
    stored = clip(4, 64, 96)
    video = read_video(encode(tmp_path / "a.mp4", stored, rotation=rotation))
    shown = np.rot90(stored, rotation // 90, axes=(1, 2))
    assert video.frames.shape == shown.shape
    assert np.abs(video.frames.astype(int) - shown).mean() < 8


def test_a_mirrored_display_matrix_is_applied():
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    flip = np.diag([-1, 1, 1]) * 65536
    assert np.array_equal(upright(image, flip), image[:, ::-1])
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]) * 65536
    assert np.array_equal(upright(image, swap), image.transpose(1, 0, 2))
    assert upright(image, None) is image


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("mp4", "libx265"), ("webm", "libvpx-vp9")])
def test_times_of_a_variable_frame_rate_are_exact(tmp_path, suffix, codec):
    stamps = np.cumsum([400, *np.random.default_rng(0).integers(15, 90, 11)])  # does not begin at zero either
    video = read_video(encode(tmp_path / f"a.{suffix}", clip(), codec=codec, stamps=stamps))
    assert np.allclose(video.times * 1000, stamps - stamps[0], atol=1e-6)
    assert numbers(video, 12) == list(range(12))


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("ts", "libx264")])
def test_a_part_of_a_longer_clip_can_be_read(tmp_path, suffix, codec):
    path = encode(tmp_path / f"a.{suffix}", clip(64, 32, 32), codec=codec, rate=8)
    part = read_video(path, start=4.0, end=6.0)
    assert np.allclose(numbers(part, 64), range(32, 49), atol=1 if suffix == "webm" else 0)  # its shades are rough
    assert np.allclose(part.times, np.arange(17) / 8, atol=2e-3)
    assert np.allclose(numbers(read_video(path, start=7.5), 64), range(60, 64), atol=1)
    assert np.allclose(numbers(read_video(path, n_frames=4), 64), [8, 24, 40, 56], atol=1)
    assert np.allclose(numbers(read_video(path, n_frames=2, start=4.0, end=6.0), 64), [36, 45], atol=1)
    with pytest.raises(VideoError, match=r"start 9\.0 s"):
        read_video(path, start=9.0)


def test_leaping_to_key_frames_finds_the_same_frames(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mp4", clip(600, 32, 32), rate=10)
    leaped = read_video(path, n_frames=7)
    monkeypatch.setattr(decode, "LEAP", np.inf)
    assert np.array_equal(leaped.frames, read_video(path, n_frames=7).frames)


# --- choosing and scaling --------------------------------------------------------------------------------------------


def moving(fps, duration=2.0):
    """A clip whose frames say their own time: value 100 t."""
    times = np.arange(round(duration * fps)) / fps
    return Video(np.full((1, 1, 1, 3), 1, np.uint8) * np.rint(100 * times).astype(np.uint8)[:, None, None, None], times)


def test_a_clip_of_any_frame_rate_gives_the_same_moments():
    expected = (np.arange(10) + 0.5) * 0.2
    for fps in (10, 12, 24, 30, 60):
        shown = resample(moving(fps), 10).frames[:, 0, 0, 0] / 100
        assert np.abs(shown - expected).max() <= 0.55 / fps + 0.006


@given(st.integers(2, 60), st.integers(1, 80), st.randoms(use_true_random=False))
def test_resampling_gives_increasing_times_from_zero(n, n_frames, random):
    times = np.array(list(itertools.accumulate([0.0] + [random.uniform(0.001, 0.5) for _ in range(n - 1)])))
    video = Video(np.arange(n, dtype=np.uint8)[:, None, None, None].repeat(3, -1), times)
    chosen = resample(video, n_frames)  # Video checks the times
    order = chosen.frames[:, 0, 0, 0].astype(int)
    assert chosen.n_frames == n_frames
    assert (np.diff(order) >= 0).all()


@pytest.mark.parametrize("n", [2, 3, 20, 600])
@pytest.mark.parametrize("fps", [8, 24, 29.97, 30])
def test_as_many_frames_as_there_are_is_the_identity(n, fps):
    times = np.arange(n) / fps
    for stamps in (times, np.round(times, 3)):  # some containers round to milliseconds
        video = Video(np.zeros((n, 1, 1, 3), np.uint8), stamps)
        assert np.array_equal(resample(video, n).times, stamps)


def test_resizing_crops_the_centre_and_averages():
    frames = np.zeros((2, 4, 8, 3), np.uint8)
    frames[:, :, 2:6] = np.array([[0, 100], [50, 200]], np.uint8).repeat(2, 0).repeat(2, 1)[None, :, :, None]
    assert np.array_equal(resize(frames, 2)[0, :, :, 0], [[0, 100], [50, 200]])
    assert resize(frames, 1)[0, 0, 0, 0] in (87, 88)
    assert resize(frames, 16).shape == (2, 16, 16, 3)
    square = clip(2)
    assert resize(square, 64) is square


def test_a_letterboxed_frame_keeps_everything_between_black_bars():
    for height, width in ((20, 40), (40, 20), (17, 40)):
        frames = np.full((2, height, width, 3), 200, np.uint8)
        boxed = resize(frames, 20, "letterbox")
        share = (boxed > 0).all(-1).mean()
        assert boxed.shape == (2, 20, 20, 3)
        assert set(np.unique(boxed)) == {0, 200}
        assert abs(share - min(height, width) / 40) <= 0.5 / 20
        assert np.array_equal(boxed, boxed[:, ::-1, ::-1]) or height == 17
    square = np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3), np.uint8)
    assert np.array_equal(resize(square, 20, "letterbox"), resize(square, 20, "crop"))


def test_a_file_is_letterboxed_like_frames_in_memory(tmp_path):
    path = encode(tmp_path / "a.mp4", clip(6, 48, 96), rotation=90)
    whole = read_video(path)
    part = read_video(path, n_frames=3, size=32, fit="letterbox")
    assert np.array_equal(part.frames, resize(resample(whole, 3).frames, 32, "letterbox"))


# --- composing -------------------------------------------------------------------------------------------------------


def test_side_by_side_holds_the_last_frame_and_enlarges_by_whole_factors():
    short, long = clip(3, 64, 64), clip(5, 300, 200)
    frames = side_by_side([short, long], height=256)
    assert frames.shape == (5, 256, 256 + round(200 * 256 / 300), 3)
    assert np.array_equal(frames[:3, ::4, :256:4], short)
    assert np.array_equal(frames[3:, ::4, :256:4], short[[2, 2]])
    assert side_by_side([clip(2, 100, 50)], height=256).shape == (2, 256, 100, 3)


def test_labels_stand_in_a_strip_above():
    plain, labelled = side_by_side([clip(2)] * 2), side_by_side([clip(2)] * 2, labels=["human", "robot"])
    strip = labelled.shape[1] - plain.shape[1]
    assert np.array_equal(labelled[:, strip:], plain)
    assert all(half.min() < 64 and half.max() == 255 for half in np.split(labelled[:, :strip], 2, axis=2))
    with pytest.raises(VideoError, match="labels"):
        side_by_side([clip(2)], labels=["a", "b"])


def test_rows_have_their_labels_beside_them_and_hold_their_last_frame():
    short, long = clip(2, 32, 40), clip(3, 32, 40)
    rows = labelled_rows([short, long], ["one", "two\nlines"], width=50)
    assert rows.shape == (3, 64, 90, 3)
    assert np.array_equal(rows[2, :32, 50:], short[1])
    assert np.array_equal(rows[2, 32:, 50:], long[2])
    assert all(label.min() < 64 and label.max() == 255 for label in np.split(rows[:, :, :50], 2, axis=1))
    with pytest.raises(VideoError, match="rows"):
        labelled_rows([short, clip(2, 32, 20)], ["a", "b"])


def test_a_contact_sheet_shows_every_frame():
    sheet = contact_sheet(clip(5, 8, 10), columns=3, gap=1)
    assert sheet.shape == (17, 32, 3)
    assert np.array_equal(sheet[9:, 11:21], clip(5, 8, 10)[4])
    assert (sheet[9:, 22:] == 255).all()


# --- what hides in files ---------------------------------------------------------------------------------------------


def replaced(path, target, edits):
    """A copy of a file with numbers written over the contents of boxes: (name, offset in bytes, format, numbers)."""
    data = bytearray(path.read_bytes())
    for name, offset, form, *values in edits:
        struct.pack_into(form, data, data.index(name) + 4 + offset, *values)
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda f: f),
        ((0, 1, -1, 0), lambda f: np.rot90(f, -1)),
        ((-1, 0, 0, -1), lambda f: np.rot90(f, 2)),
        ((0, -1, 1, 0), lambda f: np.rot90(f, 1)),
        ((-1, 0, 0, 1), lambda f: f[:, ::-1]),
        ((1, 0, 0, -1), lambda f: f[::-1]),
        ((0, 1, 1, 0), lambda f: f.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda f: np.rot90(f, 2).transpose(1, 0, 2)),
    ],
)
def test_each_way_to_hold_a_phone_gives_an_upright_video(tmp_path, matrix, shown):
    path = encode(tmp_path / "a.mp4", clip(3, 48, 64))
    plain = read_video(path).frames
    a, b, c, d = (value * 2**16 for value in matrix)
    turned = replaced(path, tmp_path / "b.mp4", [(b"tkhd", 40, ">9i", a, b, 0, c, d, 0, 0, 0, 2**30)])
    assert all(np.array_equal(x, shown(y)) for x, y in zip(read_video(turned).frames, plain, strict=True))


def test_times_count_from_the_first_frame_wherever_it_is(tmp_path):
    path = encode(tmp_path / "a.mkv", clip(4), stamps=[5000, 5100, 5300, 5400])
    assert np.allclose(read_video(path).times, [0, 0.1, 0.3, 0.4])


def test_a_name_with_a_colon_is_a_file_and_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video("http:a.mp4", clip(3), 10)
    assert read_video("http:a.mp4").n_frames == 3


@pytest.mark.parametrize("count", [10**6, 10**8, 2**32 - 1])
def test_a_small_file_cannot_announce_millions_of_frames(tmp_path, samples, count):
    edits = [(b"stsz", 4, ">II", 1, count), (b"stts", 8, ">I", count), (b"stsc", 12, ">I", count)]
    refused(replaced(samples / "front.mp4", tmp_path / "a.mp4", edits), f"for {count} frames")


def test_a_fragment_cannot_announce_millions_of_frames(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as out:
        stream = out.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        for frame in clip():
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
    assert numbers(read_video(path), 12) == list(range(12))
    refused(replaced(path, tmp_path / "b.mp4", [(b"trun", 0, ">II", 0, 10**8)]), "for 100000000 frames")


def test_a_size_that_only_the_decoder_sees_is_limited_too(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mp4", clip(5, 256, 256))
    hidden = replaced(path, tmp_path / "b.mp4", [(b"avc1\0\0", 24, ">HH", 32, 32)])
    monkeypatch.setattr(decode, "MAX_PIXELS", 128 * 128)
    refused(hidden, "allowed up to|Invalid|no video")


def test_memory_does_not_grow_with_the_number_of_frames(samples):
    def alive():
        # By type, not isinstance: that asks lazy modules for their class, and some warn.
        return sum(issubclass(type(thing), av.VideoFrame) for thing in gc.get_objects())

    gc.collect()
    gc.disable()  # frames must go without it: each is up to 100 MB that the collector does not count
    try:
        before = alive()
        read_video(samples / "a.webm")
        assert alive() - before <= 2
    finally:
        gc.enable()


# --- what is no whole video ------------------------------------------------------------------------------------------


def refused(path, match, **arguments):
    """Reading fails at once with one line that says what is allowed."""
    begin = time.process_time()
    with pytest.raises(VideoError, match=match) as caught:
        read_video(path, **arguments)
    assert time.process_time() - begin < 2
    message = str(caught.value)
    assert "\n" not in message
    assert "got" in message
    assert "allowed" in message


def tone(path):
    """Writes a file with sound only."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def claims(name, data, seconds):
    """Makes the header of a file announce another duration [s] than its frames have."""
    data = bytearray(data)
    if name.endswith("mp4"):  # the table of frame durations: how many frames last how many units
        at = data.index(b"stts") + 12
        n_frames, unit = (
            struct.unpack_from(">I", data, at)[0],
            struct.unpack_from(">I", data, data.index(b"mdhd") + 16)[0],
        )
        struct.pack_into(">I", data, at + 4, round(seconds * unit / n_frames))
        struct.pack_into(">I", data, data.index(b"mdhd") + 20, 2**32 - 1)
        data = data.replace(b"edts", b"free")  # without a list of the parts to show
    else:  # Duration, a float64 in milliseconds
        struct.pack_into(">d", data, data.index(b"\x44\x89\x88") + 3, 1000.0 * seconds)
    return bytes(data)


def test_missing_directories_and_empty_files_are_refused(tmp_path):
    refused(tmp_path / "missing.mp4", "no such file")
    refused(tmp_path, "directory")
    (tmp_path / "empty.mp4").touch()
    refused(tmp_path / "empty.mp4", "empty")
    refused("/dev/zero", "no such file")


def test_what_is_no_video_is_refused(tmp_path):
    for name, text in {
        "text.mp4": "not a video\n" * 500,
        "text.txt": "not a video\n" * 500,
        "list.mp4": "ffconcat version 1.0\nfile /etc/passwd\n",
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
        "zeros.mp4": "\0" * 5000,
    }.items():
        (tmp_path / name).write_text(text)
        refused(tmp_path / name, "no video")
    tone(tmp_path / "sound.mp4")
    refused(tmp_path / "sound.mp4", "no video stream")
    write_image(tmp_path / "a.png", clip()[0])
    refused(tmp_path / "a.png", "no video")
    refused("http://127.0.0.1:9/a.mp4", "no such file")


def test_one_frame_is_refused(tmp_path):
    for name in ("a.mp4", "a.webm"):
        encode(tmp_path / name, clip(1), codec="libx264" if name.endswith("mp4") else "libvpx-vp9")
        refused(tmp_path / name, "1 frame")
    write_video(tmp_path / "b.mp4", clip(8), 8)
    refused(tmp_path / "b.mp4", "1 frames? from start", start=0.2, end=0.3)


@pytest.mark.parametrize("name", ["front.mp4", "back.mp4", "h265.mp4", "a.webm", "a.avi", "a.gif"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.75])
def test_a_file_that_was_cut_off_is_refused(tmp_path, samples, name, share):
    data = (samples / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    refused(tmp_path / name, "cut off|damaged|no video|frame")
    refused(tmp_path / name, "cut off|damaged|no video|frame", n_frames=4)


def test_frames_that_cannot_be_decoded_are_not_made_up(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.mp4", clip(20), rate=10)
    whole = decode._decode
    monkeypatch.setattr(decode, "_decode", lambda *args, **kwargs: itertools.islice(whole(*args, **kwargs), 12))
    refused(path, "no frame near 1.[45] s")
    monkeypatch.setattr(decode, "_decode", lambda *_, **__: iter(()))
    refused(path, "0 of 20 frames")


@pytest.mark.parametrize("name", ["front.mp4", "a.webm"])
def test_a_header_that_claims_four_hours_is_refused_unless_a_part_is_chosen(tmp_path, samples, name):
    path = tmp_path / name
    path.write_bytes(claims(name, (samples / name).read_bytes(), 4 * 3600))
    refused(path, "1[34][0-9]00 s.*600 s.*start and end")
    refused(path, "start and end", n_frames=10)
    refused(path, "start and end", start=100)


def test_a_clip_that_lasts_four_hours_is_refused_unless_a_part_is_chosen(tmp_path):
    stamps = np.linspace(0, 4 * 3600 * 1000, 60)
    for name, codec in (("a.mp4", "libx264"), ("a.webm", "libvpx-vp9")):
        path = encode(tmp_path / name, clip(60, 32, 32), codec=codec, stamps=stamps)
        refused(path, "1[0-9]{4} s.*600 s.*start and end", n_frames=10)
        refused(path, "600 s", start=700, end=1500)
        assert read_video(path, start=700, end=1300).n_frames == 3


def test_too_much_to_hold_is_refused_before_it_is_decoded(tmp_path, samples, monkeypatch):
    path = tmp_path / "a.mp4"
    path.write_bytes((samples / "front.mp4").read_bytes())
    refused(path, "GiB.*n_frames", n_frames=200_000)
    refused(path, "GiB", size=20_000)
    monkeypatch.setattr(check, "MAX_DECODED_BYTES", 4 * 64 * 64 * 3)
    refused(path, "12 frames of 64 x 64")
    assert read_video(path, n_frames=4).n_frames == 4
    assert read_video(path, size=16).n_frames == 12
    monkeypatch.setattr(decode, "MAX_PIXELS", 1000)
    refused(path, "64 x 64 px, allowed up to 1000", n_frames=2)


def test_more_frames_than_can_be_looked_through_are_refused(tmp_path, samples, monkeypatch):
    (tmp_path / "a.mp4").write_bytes((samples / "front.mp4").read_bytes())
    monkeypatch.setattr(check, "MAX_FRAMES", 5)
    refused(tmp_path / "a.mp4", "more than 5 frames")


@pytest.mark.parametrize(
    "arguments", [{"n_frames": 0}, {"size": 0}, {"start": -1}, {"start": np.nan}, {"end": 0}, {"start": 2, "end": 1}]
)
def test_senseless_arguments_are_refused(tmp_path, arguments):
    refused(tmp_path / "a.mp4", next(reversed(arguments)), **arguments)


def test_the_decoder_writes_nothing_to_stderr(tmp_path, samples):
    data = bytearray((samples / "back.mp4").read_bytes())
    data[len(data) // 3] ^= 255
    (tmp_path / "a.mp4").write_bytes(data)
    (tmp_path / "b.mp4").write_bytes((samples / "front.mp4").read_bytes()[:2000])
    program = (
        "import sys; from demos.errors import VideoError; from demos.video import read_video\n"
        "for path in sys.argv[1:]:\n  try: read_video(path)\n  except VideoError: pass"
    )
    files = [str(tmp_path / "a.mp4"), str(tmp_path / "b.mp4")]
    done = subprocess.run([sys.executable, "-c", program, *files], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


# --- damage ----------------------------------------------------------------------------------------------------------


def damage(data, cut, flips):
    """Cuts a file to a share of its length and turns bits over at shares of it."""
    out = bytearray(data[: max(1, int(len(data) * cut))])
    for place, bit in flips:
        out[int(len(out) * place)] ^= 1 << bit
    return bytes(out)


def survives(path, data, **arguments):
    """A damaged file gives a VideoError or a valid video, soon, and nothing else."""
    path.write_bytes(data)
    begin = time.process_time()
    with suppress(VideoError):
        video = read_video(path, **arguments)  # Video checks itself
        assert video.n_frames == arguments["n_frames"] or video.n_frames >= 2
    assert time.process_time() - begin < 10
    assert [file.name for file in path.parent.iterdir()] == [path.name]


SHARES = st.floats(0, 1, exclude_max=True)
FLIPS = st.lists(st.tuples(SHARES, st.integers(0, 7)), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 6), cut=SHARES | st.just(1.0), flips=FLIPS, n_frames=st.none() | st.integers(1, 20))
def test_a_damaged_file_gives_an_error_or_a_video(tmp_path, samples, number, cut, flips, n_frames):
    data = sorted(samples.iterdir())[number].read_bytes()
    survives(tmp_path / "a.bin", damage(data, cut, flips), n_frames=n_frames)


@pytest.mark.slow
def test_500_damaged_files_give_an_error_or_a_video(tmp_path, samples):
    rng = np.random.default_rng(0)
    whole = [file.read_bytes() for file in sorted(samples.iterdir())]
    for number in range(500):
        data = whole[number % len(whole)]
        cut = 1.0 if number % 3 else rng.random()
        # Half of the damage goes into the first bytes, where most headers are.
        places = rng.random(rng.integers(1, 40)) * rng.choice([1.0, 0.1])
        flips = list(zip(places, rng.integers(0, 8, len(places)).tolist(), strict=True))
        survives(tmp_path / "a.bin", damage(data, cut, flips), n_frames=None if number % 2 else 8)
