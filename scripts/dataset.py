"""`daml dataset`: recorded episodes are listed, shown, checked and exported."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, subcommand

from scripts.common import console
from scripts.endings import plain
from scripts.inputs import Count, File, Folder


@dataclass(frozen=True)
class List:
    """List the episodes in a folder."""

    folder: Positional[Path] = Path("recordings")
    """Folder of `daml record`."""

    def run(self) -> None:
        from demos.episodes import find_recordings
        from demos.errors import DemoError
        from demos.manifest import read_info

        bad, folders = 0, find_recordings(self.folder)
        width = max(len(path.name) for path in folders)
        console.print(f"{'episode':{width}s}  steps  success  distance  task")
        for path in folders:
            try:
                info = read_info(path)
            except DemoError as error:
                bad += 1
                console.print(f"{plain(path.name):{width}s}  {plain(error)}")
                continue
            success = {True: "yes", False: "no", None: ""}[info.success]
            away = "" if info.distance is None else f"{100 * info.distance:.1f} cm"
            line = f"{plain(path.name):{width}s}  {info.steps:5d}  {success:7s}  {away:>8s}  {plain(info.task)}"
            console.print(line)
        console.print(f"{len(folders)} episodes" + (f", {bad} of them unreadable" if bad else ""))


@dataclass(frozen=True)
class Show:
    """Show one episode: what it is, its arrays, and a contact sheet on request."""

    episode: Positional[Path]
    """Folder of an episode."""
    sheet: File | None = None
    """Also write its images as one picture."""

    def run(self) -> None:
        from demos.episodes import read_recording
        from demos.video import contact_sheet, write_image

        recording = read_recording(self.episode)
        for name, value in (asdict(recording.info) | asdict(recording.info.recipe)).items():
            if name != "recipe":
                console.print(f"{name:12s} {value}")
        arrays = {f"observations/{name}": array for name, array in recording.observations.items()}
        for name, array in (arrays | {"actions": recording.actions, "rewards": recording.rewards}).items():
            span = f"{array.min():.3f} to {array.max():.3f}" if array.size else "nothing"
            console.print(f"{name:20s} {array.dtype} {list(array.shape)}, {span}")
        if self.sheet:
            write_image(self.sheet, contact_sheet(recording.images))
            console.print(f"wrote {self.sheet}")


@dataclass(frozen=True)
class Verify:
    """Check episodes: checksums, numbers, the scene, and that Minari alone finds them and reads the same."""

    folder: Positional[Path] = Path("recordings")
    """Folder of an episode, or of many."""

    def run(self) -> None:
        from demos.episodes import find_recordings
        from demos.errors import DemoError
        from demos.verify import verify

        bad, folders = [], find_recordings(self.folder)
        for path in folders:
            try:
                verify(path)
            except DemoError as error:
                bad.append(path.name)
                console.print(plain(f"{path.name}: {error}"))
        if bad:
            what = f"got {len(bad)} of {len(folders)} episodes that do not hold, allowed none"
            raise DemoError(f"verify {self.folder}: {what}")
        console.print(f"{len(folders)} episodes are whole")


@dataclass(frozen=True)
class Rename:
    """Let Minari find episodes again after their folder was renamed or moved: their ids follow."""

    folder: Positional[Path] = Path("recordings")
    """Folder of an episode, or of many, where it lies now."""

    def run(self) -> None:
        from demos.episodes import find_recordings
        from demos.naming import rename

        folders = find_recordings(self.folder)
        changed = sum(rename(path) for path in folders)
        console.print(f"{changed} of {len(folders)} episodes got another Minari id")


@dataclass(frozen=True)
class Export:
    """Export the robot's episodes in a folder to the layout of another project: LeRobot v3.0 or robomimic.

    Of a dataset of `daml collect` the robot's demonstrations go to robot/ in --out, the human's videos to videos/, and
    pairs.csv says which belong together: what `daml import` reads.
    """

    folder: Positional[Path] = Path("recordings")
    """Folder of an episode, of many, or of a dataset."""
    format: Literal["lerobot", "robomimic"] = "lerobot"
    """Layout."""
    out: Folder = Path("exported")
    """New folder (LeRobot), or folder for demos.hdf5 (robomimic)."""
    sets: Count | None = None
    """Of a dataset, the first so many sets; all when not given."""

    def run(self) -> None:
        from demos.episodes import find_recordings
        from demos.errors import DemoError
        from demos.export import export, export_dataset
        from demos.manifest import read_info

        if (self.folder / "dataset.json").exists():
            sets, steps = export_dataset(self.folder, self.out, self.format, self.sets)
            console.print(f"exported {sets} sets, {steps} steps, to {self.out} ({self.format})")
            return
        folders = find_recordings(self.folder)
        robots = [path for path in folders if read_info(path).by != "human"]
        if not robots:
            raise DemoError(f"episodes in {self.folder}: got only a human's, allowed a robot's: only it has actions")
        steps = export(robots, self.out, self.format)
        left = f"; {len(folders) - len(robots)} of a human were left out" if len(folders) > len(robots) else ""
        console.print(f"exported {len(robots)} episodes, {steps} steps, to {self.out} ({self.format}){left}")


@dataclass(frozen=True)
class Dataset:
    """Look after recorded episodes."""

    what: (
        Annotated[List, subcommand("list")]
        | Annotated[Show, subcommand("show")]
        | Annotated[Verify, subcommand("verify")]
        | Annotated[Rename, subcommand("rename")]
        | Annotated[Export, subcommand("export")]
    )

    def run(self) -> None:
        self.what.run()
