"""`daml import`: a dataset to meta-train on, out of robot demonstrations that others recorded and videos of people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from demos.processes import cores
from scripts.common import console, env_id
from scripts.inputs import Count, Folder, InputError, Natural, Side, Within
from scripts.progress import progress_bar


@dataclass(frozen=True)
class Import:
    """Make a dataset out of robot demonstrations that others recorded, and videos of people doing the same tasks.

    A set is some tasks in one scene that only the video tells apart; each has one video and one episode. The last sets
    are held out, for evaluation. `daml train --env none --data FOLDER` trains on the others. See docs/your_own_data.md.
    """

    robot: Path
    """Robot demonstrations: a LeRobot v3 folder or a robomimic HDF5 file."""
    pairs: Path
    """Which video belongs to which episode: a CSV file with the columns set, task, episode and video, or a folder of
    SET/TASK/EPISODE.mp4."""
    out: Folder = Path("data/imported")
    """New folder."""
    env: str | None = None
    """Environment, or MODULE:ID of your own, if robot and tasks are those of one here; its simulator then evaluates
    what is trained."""
    camera: str | None = None
    """Whose images the policy sees; the only one when not given."""
    state: tuple[str, ...] = ()
    """Arrays that are the robot's state, one after the other; observation.state (LeRobot) or state (robomimic) when not
    given."""
    fingertip: tuple[Natural, ...] = ()
    """Which numbers of the state are the fingertip's x, y and z [m], counted from 0: the policy then learns where a
    demonstration ends, too."""
    size: Side = 64
    """Side of the square frames [px]; 64 for all presets but paper, which looks at 100."""
    frames: Annotated[int, Within(2, 1000)] = 20
    """Frames of each video that are kept, evenly spaced."""
    fit: Literal["crop", "letterbox"] = "crop"
    """How a picture that is not square is made so: its middle, or all of it between black bars."""
    held_out: Count | None = None
    """Sets that are held out for evaluation, the last ones; a tenth when not given. An interval takes two or more."""
    workers: Count | None = None
    """Processes; one for each core when not given."""

    def run(self) -> None:
        from demos import importing
        from demos.robots import Chosen
        from demos.storage import open_dataset

        if self.fingertip and (len(self.fingertip), len(set(self.fingertip))) != (3, 3):
            raise InputError(f"fingertip: got {self.fingertip}, allowed three different numbers")
        what = importing.Import(
            self.robot,
            self.pairs,
            Chosen(self.camera, self.state, self.size, self.fit),
            self.frames,
            self.fingertip,
            None if self.env is None else env_id(self.env),
            self.held_out,
        )
        with progress_bar("sets") as bar:
            job = None
            for done, total in importing.import_dataset(what, self.out, workers=self.workers or cores()):
                job = bar.add_task("importing", total=total, note="") if job is None else job
                bar.update(job, completed=done)
        info, lengths = (dataset := open_dataset(self.out)).info, dataset.lengths
        goals, steps = (lengths > 0).sum(1), lengths[lengths > 0]
        left = importing.left_out(what)
        console.print(
            f"dataset: {self.out} ({info.n_sets} sets of {goals.min()} to {goals.max()} tasks, {goals.sum()} tasks; "
            f"episodes of {steps.min()} to {steps.max()} steps; {info.state} numbers in a state, {info.action} in an "
            f"action; the last {info.held_out} sets are held out)"
            + (f"; {left} episodes without a video are left out" if left else "")
        )
