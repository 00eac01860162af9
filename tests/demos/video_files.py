"""Video files as programs other than ours write them."""

from fractions import Fraction

import av
import numpy as np

QUIET = {"x265-params": "log-level=none"}
CLOCK = 90_000
"""Ticks a second of a transport stream, which counts them with 33 bits."""


def encode(path, frames, *, codec="libx264", pixels="yuv420p", rate=25, rotation=None, stamps=None, options=QUIET):
    """Writes a file as some other program would: any codec, rotation [degree], time stamps [ms]."""
    with av.open(str(path), "w", format="mpegts" if path.suffix == ".ts" else None) as out:
        stream = add_stream(out, frames, codec, pixels, rate, options if codec == "libx265" else {})
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").reformat(format=pixels)
            if stamps is not None:
                picture.pts, picture.time_base = int(stamps[number]), Fraction(1, 1000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def add_stream(out, frames, codec="libx264", pixels="yuv420p", rate=10, options=QUIET):
    """Adds a stream for frames [T, H, W, 3] to a container."""
    stream = out.add_stream(codec, rate=rate, options=options)
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = pixels
    return stream


def packets(stream, frames):
    """The packets of frames, uint8 [T, H, W, 3]."""
    pictures = [av.VideoFrame.from_ndarray(np.ascontiguousarray(f), format="rgb24") for f in frames]
    return [p for picture in pictures for p in stream.encode(picture)] + stream.encode(None)


def sound(stream, seconds):
    """The packets of a hum that lasts some seconds."""
    done = []
    for number in range(round(seconds * stream.rate / 960)):
        wave = np.sin(np.arange(960) / 20)[None].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = stream.rate, number * 960, Fraction(1, stream.rate)
        done += stream.encode(frame)
    return done + stream.encode(None)


def interleaved(out, packets):
    """Writes packets of several streams in the order of their times, as every recorder does."""
    for packet in sorted((p for p in packets if p.dts is not None), key=lambda p: p.dts * p.time_base):
        out.mux(packet)


def with_sound(path, frames, seconds, *, codec="libx264", rate=10, voice="aac", options=None):
    """Writes a file with some seconds of sound."""
    with av.open(str(path), "w", options=options or {}) as out:
        video, audio = add_stream(out, frames, codec, rate=rate), out.add_stream(voice, rate=48_000, layout="mono")
        interleaved(out, packets(video, frames) + sound(audio, seconds))
    return path


def transport(path, frames, *, begin=0, skip=0, rate=10, codec="libx264", options=None):
    """Writes a transport stream whose clock begins at some second; it is joined some packets after its begin."""
    with av.open(str(path), "w", format="mpegts", options={"mpegts_copyts": "1"}) as out:
        stream = add_stream(out, frames, codec, rate=rate, options=options or {})
        for packet in packets(stream, frames)[skip:]:
            packet.pts += round(begin / packet.time_base)
            packet.dts += round(begin / packet.time_base)
            out.mux(packet)
    return path
