"""`daml replay`: a recorded episode, done again."""

from dataclasses import asdict, dataclass
from pathlib import Path

from tyro.conf import Positional

from scripts.common import console, write_json
from scripts.inputs import Side


@dataclass(frozen=True)
class Replay:
    """Do a recorded episode again: the same scene, the recorded actions, and how far the outcome is from the record.

    On the machine that recorded it the largest deviation is 0; elsewhere rounding may differ. Writes replay.mp4 and
    replay.json beside the original.
    """

    episode: Positional[Path]
    """Folder of an episode of `daml record`, or a folder of such: all are replayed."""
    size: Side = 256
    """Side of the film [px]."""

    def run(self) -> None:
        from demos.episodes import find_recordings, read_recording
        from demos.replay import replay
        from demos.video import write_video

        worst_m = worst_rad = 0.0
        exact, folders = 0, find_recordings(self.episode)
        for folder in folders:
            recording = read_recording(folder)
            deviation, film = replay(recording, self.size)
            write_video(folder / "replay.mp4", film, recording.info.fps)
            write_json(folder / "replay.json", asdict(deviation))
            what = f"{deviation.metres:.2g} m, {deviation.radians:.2g} rad, " if recording.info.by != "human" else ""
            console.print(
                f"{folder.name}: {recording.info.steps} steps, largest deviation {what}"
                f"{deviation.pixels} of 255 in the images"
            )
            worst_m, worst_rad = max(worst_m, deviation.metres), max(worst_rad, deviation.radians)
            exact += deviation.exact
        console.print(
            f"{exact} of {len(folders)} exact; largest deviation of the state {worst_m:.2g} m, {worst_rad:.2g} rad"
        )
