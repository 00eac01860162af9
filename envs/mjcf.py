"""A scene on disk as MJCF: an XML file with its textures as pictures beside it, for MuJoCo's viewer and other programs.

scene.xml     the model, to the last bit; its keyframe "start" is the state that was written
NAME.png      a texture
"""

import ctypes
import io
import os
import shutil
from pathlib import Path

import mujoco
import numpy as np
from PIL import Image

from envs.errors import EnvError

FILE = "scene.xml"
START = "start"
"""Name of the keyframe."""
_DIGITS = 17  # tell every float64 from its neighbours


def write_mjcf(folder: Path, spec: mujoco.MjSpec, data: mujoco.MjData) -> Path:
    """Writes a model beside its place and renames it.

    Args:
        folder: new folder.
        spec: of the model; its textures are in memory.
        data: the state.

    Returns:
        The XML file.

    Raises:
        EnvError: there is something at `folder` already.
    """
    folder = Path(folder)
    if folder.exists():
        raise EnvError(f"out: got {folder}, which is there already, allowed a new folder")
    pictures = _textures_as_files(spec)
    spec.add_key(name=START, time=data.time, qpos=data.qpos, qvel=data.qvel, ctrl=data.ctrl)
    spec.assets = pictures
    spec.compile()
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir()
        for name, picture in pictures.items():
            (part / name).write_bytes(picture)
        (part / FILE).write_text(_exact_xml(spec))
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder / FILE


def _textures_as_files(spec: mujoco.MjSpec) -> dict[str, bytes]:
    """Replaces the textures of a model by names of files; returns name -> PNG."""
    pictures = {}
    for texture in spec.textures:
        texels = np.frombuffer(bytes(texture.data), np.uint8).reshape(texture.height, texture.width, -1)
        Image.fromarray(texels).save(file := io.BytesIO(), "PNG")
        texture.file, texture.data = f"{texture.name}.png", b""
        pictures[texture.file] = file.getvalue()
    return pictures


def _exact_xml(spec: mujoco.MjSpec) -> str:
    """The XML with all digits: with the six that MuJoCo writes by default edges are drawn a little elsewhere.

    The number of digits is MuJoCo's own setting, which its Python package does not pass on.
    """
    package = Path(mujoco.__file__).parent
    library = ctypes.CDLL(str(next(p for p in package.iterdir() if p.name.startswith(("libmujoco.", "mujoco.dll")))))
    before = library._mjPRIVATE__get_xml_precision()
    library._mjPRIVATE__set_xml_precision(_DIGITS)
    try:
        return spec.to_xml()
    finally:
        library._mjPRIVATE__set_xml_precision(before)
