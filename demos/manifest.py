"""recording.json: what a recording is, and checksums of it and of the files beside it.

Nothing of a recording is believed before its checksums are right: the library that reads HDF5 is not made for damaged
files. No name that a file contains becomes a path.
"""

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from daml.files import write_json
from demos.errors import DemoError
from demos.recipe import Recipe, check_environment
from demos.recording import FORMAT, RecordingInfo
from envs.errors import EnvError
from envs.tabletop import CAMERAS, check_cameras

INFO = "recording.json"
DATA = "data/main_data.hdf5"
METADATA = "data/metadata.json"
FILM = "episode.mp4"
MAX_BYTES = {DATA: 2**30, METADATA: 2**26, FILM: 2**30}
"""What has a checksum, and the largest that is read [B]."""
MAX_INFO_BYTES = 64 * 1024
"""Largest recording.json [B]."""
ALLOWED = "a folder that `daml record` wrote"


def write_info(folder: Path, info: RecordingInfo, sums: dict[str, str]) -> None:
    """Writes recording.json."""
    said = info.said() | {"files": sums}
    write_json(folder / INFO, said | {"checksum": checksum_of(said)})


def checksums(folder: Path) -> dict[str, str]:
    """Of all that has one."""
    return {name: checksum(folder / name) for name in MAX_BYTES}


def read_info(folder: Path) -> RecordingInfo:
    """What a recording is.

    Raises:
        DemoError: no recording, a damaged one, or of another version of the environment or of the format.
    """
    return read_manifest(folder)[0]


def read_manifest(folder: Path) -> tuple[RecordingInfo, dict[str, str]]:
    """What recording.json says: the description, and the checksums of the files; errors as of `read_info`."""
    path = folder / INFO
    try:
        said = json.loads(_read_small(path))
        given, sums = said.pop("checksum"), said["files"]
        intact = given == checksum_of(said)
        del said["files"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DemoError(f"{path}: got no description ({line(error)}), allowed {ALLOWED}") from error
    if not intact:
        raise DemoError(f"{path}: got a wrong checksum, allowed a file that was not damaged or changed")
    if said.get("format") != FORMAT:
        raise DemoError(f"{path}: got format {said.get('format')!r}, allowed {FORMAT}; record it again")
    if not isinstance(sums, dict) or set(sums) != set(MAX_BYTES):
        raise DemoError(f"{path}: got checksums of other files, allowed those of {list(MAX_BYTES)}")
    return _info_from(path, said), sums


def _info_from(path: Path, said: dict[str, Any]) -> RecordingInfo:
    """The description, from what JSON makes of it."""
    names = {field.name for field in fields(RecordingInfo)}
    recipe, size = said.get("recipe"), said.get("size")
    of_recipe = {field.name for field in fields(Recipe)}
    if {*said, "cameras"} != names or not isinstance(recipe, dict) or {*recipe, "nudge"} != of_recipe:
        raise DemoError(f"{path}: got other entries than a recording has, allowed {sorted(names)}")
    allowed: dict[str, tuple[type, ...]] = {
        **dict.fromkeys(("by", "task", "scene", "mujoco"), (str,)),
        **dict.fromkeys(("policy",), (str, type(None))),
        **dict.fromkeys(("steps", "format"), (int,)),
        **dict.fromkeys(("fps",), (int, float)),
        **dict.fromkeys(("success",), (bool, type(None))),
        **dict.fromkeys(("distance",), (int, float, type(None))),
    }
    for name, types in allowed.items():
        if type(said[name]) not in types:
            raise DemoError(f"{path}: got {name} {said[name]!r}, allowed {[t.__name__ for t in types]}")
    if not (isinstance(size, list) and len(size) == 2 and all(type(s) is int and 0 < s <= 8192 for s in size)):
        raise DemoError(f"{path}: got size {size!r}, allowed [height, width]")
    try:
        cameras = check_cameras(said.get("cameras", CAMERAS[0]))
    except EnvError as error:
        raise DemoError(f"{path}: {error}") from error
    check_environment(recipe["env_id"], named_in=path.parent)
    return RecordingInfo(**said | {"recipe": Recipe(**recipe), "size": (size[0], size[1]), "cameras": cameras})


def check_sum(folder: Path, name: str, sums: dict[str, str]) -> None:
    """Refuses a file that is not what was written, or that lies somewhere else."""
    path = own_file(folder, name)
    if checksum(path) != sums[name]:
        raise DemoError(f"{path}: got a wrong checksum, allowed a file that was not damaged, cut off or changed")


def own_file(folder: Path, name: str) -> Path:
    """Where a file of a recording is; refuses one that lies somewhere else, or is too large."""
    path = folder / name
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        raise DemoError(f"{path}: got no file of its own, allowed {ALLOWED}")
    if path.stat().st_size > MAX_BYTES[name]:
        raise DemoError(f"{path}: got {path.stat().st_size} bytes, allowed up to {MAX_BYTES[name]}")
    return path


def checksum(path: Path) -> str:
    """Of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_of(said: dict[str, Any]) -> str:
    """Of a description, whatever its layout."""
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _read_small(path: Path) -> str:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_INFO_BYTES:
        raise OSError(f"no file of up to {MAX_INFO_BYTES} bytes")
    return path.read_text()


def line(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:200]
