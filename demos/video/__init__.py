"""Videos in and out: whatever a phone makes is read with exact times; small clips keep their pixels when written."""

from demos.video.compose import contact_sheet, labelled_rows, side_by_side
from demos.video.frames import resample, resize, upright
from demos.video.read import read_times, read_video
from demos.video.write import write_gif, write_image, write_video, write_video_601

__all__ = [
    "contact_sheet",
    "labelled_rows",
    "read_times",
    "read_video",
    "resample",
    "resize",
    "side_by_side",
    "upright",
    "write_gif",
    "write_image",
    "write_video",
    "write_video_601",
]
