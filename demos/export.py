"""Export: recordings in the layout of another project, written beside their place and renamed."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from demos import lerobot, robomimic
from demos.episodes import read_recording
from demos.errors import DemoError
from demos.recording import Recording

FORMATS = {"lerobot": lerobot.write, "robomimic": robomimic.write}
"""Name of a layout -> its writer: (new folder, recordings) -> steps written."""


def export(folders: Sequence[Path], out: Path, layout: str) -> int:
    """Writes recordings as one dataset.

    Args:
        folders: of recordings of a robot, all of one environment, with images of one size.
        out: new folder.
        layout: key of `FORMATS`.

    Returns:
        Steps written.

    Raises:
        DemoError: recordings that do not fit together, a human among them, or something at `out` already.
    """
    if layout not in FORMATS:
        raise DemoError(f"format: got {layout!r}, allowed {list(FORMATS)}")
    if not folders:
        raise DemoError("recordings: got none, allowed one or more")
    if out.exists():
        raise DemoError(f"out: got {out}, which is there already, allowed a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        part.mkdir()
        steps = FORMATS[layout](part, _alike(folders))
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return steps


def _alike(folders: Sequence[Path]) -> Iterator[Recording]:
    """Recordings, one after the other; refuses one that does not fit the first."""
    first = None
    for folder in folders:
        recording = read_recording(folder)
        if recording.info.by == "human":
            raise DemoError(f"{folder}: got a human's recording, which has no actions, allowed a robot's")
        info = recording.info
        kind = info.recipe.env_id, info.size, info.fps, recording.actions.shape[1:]
        first = first or kind
        if kind != first:
            raise DemoError(f"{folder}: got {kind}, allowed {first} as in the others; export them one by one")
        yield recording
