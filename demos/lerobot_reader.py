"""Reads the LeRobot v3.0 layout, which `demos.lerobot` describes: many episodes a file, tables and videos."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from daml.folders import visible
from demos.errors import DemoError
from demos.libraries import library
from demos.manifest import line
from demos.robots import Chosen, RobotEpisode, find_camera, find_state, table
from demos.video import read_video, resize

STATE, ACTION = "observation.state", "action"
CLOCK = "timestamp"
LATE = 1.0
"""Furthest that the image of a step may be from it in the video, in steps."""


@dataclass(frozen=True)
class LeRobot:
    """Episodes in a folder.

    info: of meta/info.json.  rows: of meta/episodes, by the episode's number as text.  camera, state: features.
    """

    folder: Path
    info: dict[str, Any]
    rows: dict[str, dict[str, Any]]
    camera: str
    state: tuple[str, ...]
    chosen: Chosen

    @property
    def lengths(self) -> dict[str, int]:
        return {name: int(row["length"]) for name, row in self.rows.items()}

    def read(self, name: str) -> RobotEpisode:
        row = self.rows[name]
        steps, where = int(row["length"]), f"episode {name} of {self.folder}"
        film = self.info["features"][self.camera]["dtype"] == "video"
        path = self.folder / self._path("data_path", row, "data")
        with readable(path):
            columns = [*self.state, ACTION, CLOCK, *([] if film else [self.camera])]
            rows = library("pyarrow.parquet").read_table(
                path, columns=columns, filters=[("episode_index", "=", int(name))]
            )
            found = {column: rows[column].to_pylist() for column in columns}
        if len(found[ACTION]) != steps:
            raise DemoError(f"{where}: got {len(found[ACTION])} rows in {path}, allowed {steps}")
        states = [table(where, column, found[column], steps) for column in self.state]
        return RobotEpisode(
            self._film(row, np.array(found[CLOCK], float)) if film else self._stills(where, found[self.camera]),
            np.concatenate(states, 1),
            table(where, ACTION, found[ACTION], steps),
        )

    def _path(self, key: str, row: dict[str, Any], what: str, **more: str) -> str:
        with readable(self.folder / "meta/info.json"):
            place = {name: int(row[f"{what}/{name}"]) for name in ("chunk_index", "file_index")}
            return str(self.info[key].format(**place, **more))

    def _film(self, row: dict[str, Any], clock: np.ndarray) -> np.ndarray:
        """The images at the times of the steps, of the part of the video file that is the episode's."""
        what = f"videos/{self.camera}"
        path = self.folder / self._path("video_path", row, what, video_key=self.camera)
        begin, half = float(row[f"{what}/from_timestamp"]), 0.5 / float(self.info["fps"])
        times = clock - clock[0]
        start = max(0.0, begin - half)
        video = read_video(path, size=self.chosen.size, start=start, end=begin + times[-1] + half, fit=self.chosen.fit)
        nearest = np.abs(video.times - times[:, None]).argmin(1)
        if (off := np.abs(video.times[nearest] - times).max()) > 2 * LATE * half:
            raise DemoError(
                f"{path}: got no image within {off:.2f} s of a step, allowed one each {2 * half:.2f} s "
                f"from {begin:.2f} s on"
            )
        return video.frames[nearest]

    def _stills(self, where: str, cells: list[Any]) -> np.ndarray:
        """Images that are in the table itself, encoded."""
        frames = []
        for cell in cells:
            try:
                with Image.open(io.BytesIO(cell["bytes"])) as picture:
                    image = np.asarray(picture.convert("RGB"))
            except (OSError, TypeError, KeyError, ValueError) as error:
                raise DemoError(
                    f"{where}: got an image that cannot be read ({line(error)}), allowed PNG or JPEG"
                ) from error
            frames.append(resize(image[None], self.chosen.size, self.chosen.fit)[0])
        return np.stack(frames)


def open_folder(folder: Path, chosen: Chosen) -> LeRobot:
    """A LeRobot folder, without its episodes.

    Raises:
        DemoError: of another version, damaged, without that camera or state; or a library is not installed.
    """
    path = folder / "meta/info.json"
    with readable(path):
        info = json.loads(path.read_text())
        version, features = str(info["codebase_version"]), info["features"]
        kinds = {name: feature["dtype"] for name, feature in features.items()}
        float(info["fps"])
    if not version.startswith("v3."):
        raise DemoError(f"{path}: got version {version}, allowed v3.0, to which LeRobot has a converter")
    camera = find_camera(folder, chosen.camera, [name for name, kind in kinds.items() if kind in ("video", "image")])
    numbers = [name for name, kind in kinds.items() if str(kind).startswith(("float", "int"))]
    state = find_state(folder, chosen.state, STATE, numbers)
    if ACTION not in numbers:
        raise DemoError(f"{path}: got no feature {ACTION!r}, allowed a dataset with actions")
    rows: dict[str, dict[str, Any]] = {}
    for file in visible(folder / "meta/episodes", "*/*.parquet"):
        with readable(file):
            parquet = library("pyarrow.parquet")
            names = [name for name in parquet.read_schema(file).names if not name.startswith("stats/")]
            rows |= {str(row["episode_index"]): row for row in parquet.read_table(file, columns=names).to_pylist()}
    if not rows:
        raise DemoError(f"{folder}: got no episodes in meta/episodes, allowed one or more")
    with readable(folder / "meta/episodes"):
        for row in rows.values():
            wanted = [float(row["length"]), *(float(row[f"data/{name}"]) for name in ("chunk_index", "file_index"))]
            if kinds[camera] == "video":
                wanted += [
                    float(row[f"videos/{camera}/{name}"]) for name in ("chunk_index", "file_index", "from_timestamp")
                ]
            if None in wanted:
                raise ValueError("an empty cell")
    return LeRobot(folder, info, rows, camera, state, chosen)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns whatever is raised on a damaged file into one DemoError."""
    arrow = library("pyarrow")
    try:
        yield
    except DemoError:
        raise
    except (arrow.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DemoError(f"{path}: got no readable part of a LeRobot dataset ({line(error)}), allowed v3.0") from error
