"""Video files as programs other than ours write them."""

from fractions import Fraction

import av
import numpy as np

QUIET = {"x265-params": "log-level=none"}


def encode(path, frames, *, codec="libx264", pixels="yuv420p", rate=25, rotation=None, stamps=None, options=QUIET):
    """Writes a file as some other program would: any codec, rotation [degree], time stamps [ms]."""
    with av.open(str(path), "w", format="mpegts" if path.suffix == ".ts" else None) as out:
        stream = out.add_stream(codec, rate=rate, options=options if codec == "libx265" else {})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
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
