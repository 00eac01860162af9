"""Less common videos that are whole: other pixels, other light, several streams, odd beginnings and ends."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, ColorTrc
from video_files import CLOCK, add_stream, encode, interleaved, packets, transport, with_sound

from demos.errors import VideoError
from demos.video import check, read_times, read_video, resample, resize, write_gif
from demos.video.colour import hlg_light, pq_light

COLOURS = np.array([(230, 230, 230), (200, 40, 40), (20, 160, 40), (40, 60, 200), (255, 255, 255), (0, 0, 0)], np.uint8)
WRAP = 2**33 / CLOCK
"""When the clock of a transport stream begins anew [s]."""


def clip(n=20, height=48, width=96):
    """Six fields in the colours above, two above each other; the last one tells the number of the frame, too."""
    fields = COLOURS.reshape(2, 3, 3).repeat(height // 2, 0).repeat(width // 3, 1)
    frames = np.repeat(fields[None], n, 0)
    frames[:, height // 2 :, 2 * width // 3 :] = np.linspace(0, 255, n).astype(np.uint8)[:, None, None, None]
    return frames


def colours(image):
    """The colours in the middle of the first five fields, [5, 3]."""
    height, width = image.shape[:2]
    rows, columns = np.divmod(np.arange(5), 3)
    return image[height // 4 + rows * height // 2, width // 6 + columns * width // 3].astype(int)


def shades(video):
    """What the last field says, [T]."""
    return video.frames[:, -8, -8].mean(-1)


def shows(video, frames, tolerance=8):
    """Whether a video shows a clip, each frame in its place."""
    return (
        len(video.frames) == len(frames)
        and np.abs(colours(video.frames[0]) - colours(frames[0])).max() <= tolerance
        and np.abs(shades(video) - frames[:, -8, -8].mean(-1)).max() <= tolerance
    )


def cut(path, share):
    """A copy of a file that ends too early."""
    data = path.read_bytes()
    part = path.with_name(f"cut{path.suffix}")
    part.write_bytes(data[: int(len(data) * share)])
    return part


# --- pixels that are not square --------------------------------------------------------------------------------------


def anamorphic(path, frames, aspect, *, codec="libx264", rotation=None):
    """Writes a file whose pixels are shown wider or narrower than high."""
    with av.open(str(path), "w", format="mpegts" if path.suffix == ".ts" else None) as out:
        stream = add_stream(out, frames, codec, options={})
        stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        out.mux(packets(stream, frames))
    return path


@pytest.mark.parametrize("aspect", [Fraction(2), Fraction(1, 2), Fraction(4, 3), Fraction(8, 9), Fraction(64, 45)])
@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "libx264"), ("mkv", "libx265"), ("ts", "libx264"), ("mov", "mpeg4")],
)
def test_pixels_become_square(tmp_path, suffix, codec, aspect):
    video = read_video(anamorphic(tmp_path / f"a.{suffix}", clip(), aspect, codec=codec))
    assert video.frames.shape[1:3] == (48, round(96 * aspect))
    assert shows(video, clip(), 16)


@pytest.mark.parametrize(("pixels", "shown"), [((90, 72), 96), ((90, 72), 128), ((96, 72), 128)])
def test_discs_say_the_shape_of_the_picture(tmp_path, pixels, shown):
    frames = clip(20, pixels[1], pixels[0])
    path = anamorphic(tmp_path / "a.ts", frames, Fraction(shown, pixels[0]), codec="mpeg2video")
    assert read_video(path).frames.shape[1:3] == (72, shown)


@pytest.mark.parametrize(("rotation", "shape"), [(90, (192, 48)), (-90, (192, 48)), (180, (48, 192))])
def test_pixels_become_square_before_the_picture_is_turned(tmp_path, rotation, shape):
    video = read_video(anamorphic(tmp_path / "a.mp4", clip(), Fraction(2), rotation=rotation))
    assert video.frames.shape[1:3] == shape
    upright = np.rot90(video.frames, -rotation // 90, axes=(1, 2))
    assert np.abs(colours(upright[0]) - colours(clip()[0])).max() <= 8


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
def test_choosing_and_scaling_see_square_pixels(tmp_path, fit):
    path = anamorphic(tmp_path / "a.mp4", clip(), Fraction(3, 2))
    some, whole = read_video(path, n_frames=5, size=32, fit=fit), read_video(path)
    assert np.array_equal(some.frames, resize(resample(whole, 5).frames, 32, fit))


def with_pixels(path, wide, high):
    """Writes a file whose index says how wide and high a pixel is; its video says 2 to 1."""
    data = bytearray(anamorphic(path, clip(), Fraction(2)).read_bytes())
    struct.pack_into(">II", data, data.index(b"pasp") + 4, wide, high)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("wide", "high", "shown"), [(3, 1, 288), (1, 60_000, 1), (0, 1, 192), (1, 0, 192), (2**31, 2**31, 96)]
)
def test_the_index_says_the_shape_of_a_pixel_unless_it_makes_no_sense(tmp_path, wide, high, shown):
    assert read_video(with_pixels(tmp_path / "a.mp4", wide, high)).frames.shape[1:3] == (48, shown)


def test_pixels_so_wide_that_they_would_fill_the_memory_are_refused(tmp_path):
    with pytest.raises(VideoError, match="5760000 x 48 px, allowed up to"):
        read_video(with_pixels(tmp_path / "a.mp4", 60_000, 1))


# --- light of a higher range -----------------------------------------------------------------------------------------

CURVES = {ColorTrc.ARIB_STD_B67: hlg_light, ColorTrc.SMPTE2084: pq_light}
BT2020 = np.array([(0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956)])
"""Linear light of BT.709 in primaries of BT.2020. Source: ITU-R BT.2087-0."""


def signal(frames, curve):
    """The signal for sRGB frames as a camera of high dynamic range would tell it, uint16."""
    value = frames / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) @ BT2020.T
    levels = np.linspace(0, 1, 65536)
    return np.rint(65535 * np.interp(light, CURVES[curve](levels), levels)).astype(np.uint16)


def filmed(path, frames, curve, *, codec="libx265", pixels="yuv420p10le", matrix=9, primaries=9, full=False):
    """Writes a file in a curve of high dynamic range."""
    reach = ColorRange.JPEG if full else ColorRange.MPEG
    options = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"svtav1-params": "film-grain=0"}}
    with av.open(str(path), "w") as out:
        stream = add_stream(out, frames, codec, pixels, options=options.get(codec, {}) | {"crf": "10"})
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = matrix, primaries, curve
        context.color_range = reach
        for levels in signal(frames, curve):
            picture = av.VideoFrame.from_ndarray(levels, format="rgb48le")
            picture = picture.reformat(format=pixels, dst_colorspace=Colorspace.BT2020, dst_color_range=reach)
            picture.colorspace, picture.color_primaries, picture.color_trc = matrix, primaries, curve
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def test_the_curves_are_the_published_ones():
    # ITU-R BT.2408, table 1: signals of 18 % grey and of diffuse white; ITU-R BT.2100: the brightest that there is.
    assert hlg_light(np.array([0.0, 0.75])) == pytest.approx([0, 1])
    assert hlg_light(np.array(1.0)) == pytest.approx(1 / 0.26496, rel=1e-3)
    assert pq_light(np.array([0.0, 1.0])) == pytest.approx([0, 10_000 / 203])
    assert pq_light(np.array([0.38, 0.58])) == pytest.approx([26 / 203, 1], rel=0.02)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "libx265"), ("mov", "libx265"), ("mkv", "libx265"), ("mp4", "libsvtav1")],
)
def test_high_dynamic_range_looks_like_the_scene_filmed_without(tmp_path, curve, suffix, codec):
    frames = clip(6, 96, 192)
    assert shows(read_video(filmed(tmp_path / f"a.{suffix}", frames, curve, codec=codec)), frames)


@pytest.mark.parametrize("curve", CURVES)
def test_high_dynamic_range_in_eight_bits(tmp_path, curve):
    path = filmed(tmp_path / "a.webm", clip(6, 96, 192), curve, codec="libvpx-vp9", pixels="yuv420p")
    assert shows(read_video(path), clip(6, 96, 192), 24)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("said", [{"full": True}, {"matrix": 2}, {"matrix": 2, "primaries": 2}])
def test_high_dynamic_range_in_full_range_or_with_little_said_about_it(tmp_path, curve, said):
    frames = clip(6, 96, 192)
    assert shows(read_video(filmed(tmp_path / "a.mp4", frames, curve, **said)), frames, 10)


@pytest.mark.parametrize("curve", CURVES)
def test_what_shines_is_white(tmp_path, curve):
    path = filmed(tmp_path / "a.mp4", np.full((3, 64, 64, 3), 255, np.uint8), curve)
    assert read_video(path).frames.min() >= 253


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", "mp4"), ("libx265", "mov"), ("libsvtav1", "mkv")])
def test_ten_bits_alone_change_nothing(tmp_path, codec, suffix):
    frames = clip(6, 96, 192)
    path = encode(tmp_path / f"a.{suffix}", frames, codec=codec, pixels="yuv420p10le")
    assert shows(read_video(path), frames, 16)


# --- several streams -------------------------------------------------------------------------------------------------


def two(path, first, second, *, default=None, cover=False):
    """Writes a file with two videos; one may be the default, the first a cover."""
    with av.open(str(path), "w", format="mpegts" if path.suffix == ".ts" else None) as out:
        kind = ("mjpeg", "yuvj420p") if len(first) == 1 else ("libx264", "yuv420p")
        streams = [add_stream(out, first, *kind, options={}), add_stream(out, second)]
        for number, stream in enumerate(streams):
            stream.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition(0)
        if cover:
            streams[0].disposition = av.stream.Disposition.attached_pic
        interleaved(out, packets(streams[0], first) + packets(streams[1], second))
    return path


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "ts"])
@pytest.mark.parametrize("best", [0, 1])
def test_the_largest_video_is_read(tmp_path, suffix, best):
    videos = [clip(), clip(30, 96, 192)] if best else [clip(30, 96, 192), clip()]
    assert shows(read_video(two(tmp_path / f"a.{suffix}", *videos)), clip(30, 96, 192))


@pytest.mark.parametrize("default", [0, 1])
def test_of_equally_large_ones_the_default_is_read(tmp_path, default):
    clips = [clip(), clip()[::-1]]
    assert shows(read_video(two(tmp_path / "a.mkv", *clips, default=default)), clips[default])


@pytest.mark.parametrize(("suffix", "cover"), [("mp4", False), ("mov", False), ("mp4", True)])
def test_a_large_cover_is_no_video(tmp_path, suffix, cover):
    assert shows(read_video(two(tmp_path / f"a.{suffix}", clip(1, 192, 384), clip(), cover=cover)), clip())


# --- sound -----------------------------------------------------------------------------------------------------------

SOUNDS = [
    ("mkv", "libx264", "aac"),
    ("webm", "libvpx-vp9", "libopus"),
    ("mp4", "libx264", "aac"),
    ("flv", "flv", "aac"),
]


@pytest.mark.parametrize("seconds", [0.5, 2, 9])
@pytest.mark.parametrize(("suffix", "codec", "voice"), SOUNDS)
def test_sound_may_be_shorter_or_longer(tmp_path, suffix, codec, voice, seconds):
    video = read_video(with_sound(tmp_path / f"a.{suffix}", clip(), seconds, codec=codec, voice=voice))
    assert shows(video, clip(), 24)
    assert np.allclose(video.times, np.arange(20) / 10, atol=2e-3)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_sound_that_lasts_longer_than_any_video_may_does_not_matter(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(check, "MAX_DURATION", 3)
    assert read_video(with_sound(tmp_path / f"a.{suffix}", clip(), 9)).n_frames == 20


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
def test_sound_may_be_longer_where_nothing_tells_how_long_the_picture_is(tmp_path, suffix):
    codec, voice = ("libx264", "aac") if suffix == "mkv" else ("libvpx-vp9", "libopus")
    path = with_sound(tmp_path / f"a.{suffix}", clip(), 6, codec=codec, voice=voice)
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"NOTATION"))
    assert shows(read_video(path), clip(), 24)
    refused(claims_longer(path))


def claims_longer(path):
    """A copy of mkv or webm that announces a duration that nothing in it has."""
    data = bytearray(path.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3
    data[at : at + 8] = np.array([20_000.0], ">f8").tobytes()
    part = path.with_name(f"longer{path.suffix}")
    part.write_bytes(data)
    return part


def refused(path):
    with pytest.raises(VideoError, match=r"cut off|damaged|no video|frame"):
        read_video(path)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.75, 0.9])
@pytest.mark.parametrize(("suffix", "codec", "voice"), SOUNDS[:3])
@pytest.mark.parametrize("seconds", [1, 9])
def test_a_file_with_sound_that_was_cut_off_is_refused(tmp_path, suffix, codec, voice, share, seconds):
    refused(cut(with_sound(tmp_path / f"a.{suffix}", clip(), seconds, codec=codec, voice=voice), share))


# --- transport streams -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"g": "12"}),
        ("libx264", {"x264-params": "open-gop=1:keyint=12:bframes=3"}),
        ("libx265", {"x265-params": "log-level=none:keyint=12:open-gop=1"}),
        ("mpeg2video", {"g": "12"}),
    ],
)
@pytest.mark.parametrize("skip", [0, 1, 5, 11])
def test_a_stream_that_is_joined_between_key_frames_begins_with_what_can_be_shown(tmp_path, codec, options, skip):
    frames = clip(40)
    path = transport(tmp_path / "a.ts", frames, begin=10, skip=skip, codec=codec, options=options)
    video = read_video(path)
    with av.open(str(path)) as container:
        assert video.n_frames == len(list(container.decode(video=0)))
    assert video.n_frames >= 16 if skip else video.n_frames == 40
    assert np.abs(shades(video) - frames[-video.n_frames :, -8, -8].mean(-1)).max() <= 16
    assert np.allclose(video.times, np.arange(video.n_frames) / 10)
    assert np.array_equal(video.times, read_times(path))
    some = read_video(path, n_frames=4)
    assert np.array_equal(some.frames, resample(video, 4).frames)


@pytest.mark.parametrize("before", [0.05, 1.0, 3.5])
@pytest.mark.parametrize("suffix", ["ts", "mts"])
def test_the_clock_of_a_stream_may_begin_anew(tmp_path, before, suffix):
    path = transport(tmp_path / f"a.{suffix}", clip(40), begin=WRAP - before)
    video = read_video(path)
    assert shows(video, clip(40))
    assert np.allclose(video.times, np.arange(40) / 10)
    assert np.abs(shades(read_video(path, start=2, end=3)) - shades(video)[20:31]).max() == 0


def test_the_clock_of_a_long_stream_may_begin_anew(tmp_path):
    path = transport(tmp_path / "a.ts", clip(180), begin=WRAP - 80, rate=1, options={"g": "10"})
    video = read_video(path)
    assert shows(video, clip(180))
    assert np.array_equal(read_video(path, n_frames=6).frames, resample(video, 6).frames)
    assert np.array_equal(read_video(path, start=70, end=90).frames, video.frames[70:91])


# --- bytes behind the end --------------------------------------------------------------------------------------------

TAILS = [b"\r\n", b"\0" * 2000, b"hello, world!;;" * 20, bytes(range(256)) * 8]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("suffix", ["gif", "mp4", "mkv", "webm"])
def test_bytes_behind_the_end_do_not_matter(tmp_path, suffix, tail):
    path = tmp_path / f"a.{suffix}"
    if suffix == "gif":
        write_gif(path, clip(), 10)
    else:
        encode(path, clip(), codec="libvpx-vp9" if suffix == "webm" else "libx264")
    path.write_bytes(path.read_bytes() + tail)
    assert shows(read_video(path), clip(), 16)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.75, 0.9, 0.999])
def test_a_gif_that_was_cut_off_is_refused_whatever_lies_behind(tmp_path, share):
    write_gif(tmp_path / "a.gif", np.random.default_rng(0).integers(0, 256, (9, 48, 96, 3), np.uint8), 10)
    path = cut(tmp_path / "a.gif", share)
    refused(path)
    data = path.read_bytes()
    for end in (b";", b"\0;", b"\r\n"):
        path.write_bytes(data[:-1] + end)
        refused(path)
