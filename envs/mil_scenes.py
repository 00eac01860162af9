"""The scenes of MIL's simulated reaching, as its authors' files have them: read, checked and put together.

    ROOT/test.tar.xz   ROOT/train.tar.xz      sim_vision_reach_SPLIT_xmls/task_TASK_cond_CONDITION.xml inside
    ROOT/sim_vision_reach_SPLIT_xmls/         or the same, extracted

Tasks come in threes that share boxes and places: what is `target` in one is a cube in the other two. A scene without
its task therefore does not tell where to go.

Source: Finn et al. 2017b, arXiv 1709.04905, section 6.1; the files are in the authors' gym fork.
"""

import re
import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import Path
from typing import NamedTuple

import numpy as np

from envs.errors import EnvError

BODIES = ("target", "cube_0", "cube_1")
N_BOXES = len(BODIES)
"""In a scene; also the tasks that share it."""
NAME = re.compile(r"task_(\d+)_cond_(\d+)\.xml$")


class Scenes(NamedTuple):
    """All scenes of a split. Task number N_BOXES * k + b is "go to box b of set k".

    model: one of them, MJCF; they differ in their boxes only.  places: float [sets, conditions, N_BOXES, 3] [m].
    colours: float [sets, N_BOXES, 4], RGBA.
    """

    model: str
    places: np.ndarray
    colours: np.ndarray


def read_scenes(root: Path, split: str) -> Scenes:
    """The scenes of a split.

    Args:
        root: folder of the archives, or of the folders in them.
        split: "train" or "test".

    Raises:
        EnvError: they are not there, not of that form, not complete, or tasks do not come in threes.
    """
    found: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
    model, rest = "", b""
    for name, text in _files(root, split):
        if numbers := NAME.search(name):
            skeleton, places, colours = _boxes(name, text)
            model, rest = model or text, rest or skeleton
            if skeleton != rest:
                raise EnvError(f"scene {name}: got another model than in the first file, allowed other boxes only")
            found[int(numbers[1]), int(numbers[2])] = places, colours
    return _together(model, found, f"scenes of {split} in {root}")


def _files(root: Path, split: str) -> Iterator[tuple[str, str]]:
    """(name, text) of every file of a split, in an archive or else in a folder."""
    archive, folder = root / f"{split}.tar.xz", root / f"sim_vision_reach_{split}_xmls"
    try:
        if folder.is_dir():
            yield from ((path.name, path.read_text()) for path in sorted(folder.glob("*.xml")))
            return
        with tarfile.open(archive, "r:xz") as files:
            for member in files:
                if (file := files.extractfile(member)) is not None:
                    yield member.name, file.read().decode()
    except (OSError, EOFError, tarfile.TarError, LZMAError, UnicodeDecodeError) as error:
        raise EnvError(
            f"root: got {root} ({getattr(error, 'strerror', None) or error}: {archive.name}), "
            f"allowed a folder with {archive.name} or {folder.name}"
        ) from error


def _boxes(name: str, text: str) -> tuple[bytes, np.ndarray, np.ndarray]:
    """A scene without its boxes' places [N_BOXES, 3] and colours [N_BOXES, 4]; and these."""
    places, colours = [], []
    try:
        tree = ElementTree.fromstring(text)
        for body in BODIES:
            node = tree.find(f"worldbody/body[@name='{body}']")
            geom = node.find("geom")  # type: ignore[union-attr]
            places.append([float(word) for word in node.attrib.pop("pos").split()])  # type: ignore[union-attr]
            colours.append([float(word) for word in geom.attrib.pop("rgba").split()])  # type: ignore[union-attr]
        shapes = np.reshape(places, (N_BOXES, 3)), np.reshape(colours, (N_BOXES, 4))
    except (ElementTree.ParseError, AttributeError, KeyError, ValueError) as error:
        raise EnvError(f"scene {name}: got no MJCF with boxes {BODIES} ({error}), allowed that") from error
    return ElementTree.tostring(tree), *shapes


def _together(model: str, found: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]], what: str) -> Scenes:
    """Scenes by (task, condition) as sets of tasks; the first box of a task's scene is its goal."""
    n_tasks, n_conditions = (1 + max((numbers[axis] for numbers in found), default=-1) for axis in (0, 1))
    if not found or n_tasks % N_BOXES or len(found) != n_tasks * n_conditions:
        raise EnvError(
            f"{what}: got {len(found)} of {n_tasks} tasks and {n_conditions} conditions, allowed every condition of "
            f"every task, and tasks in threes"
        )
    tasks = [[found[task, condition] for condition in range(n_conditions)] for task in range(n_tasks)]
    places = np.array([[scene[0] for scene in task] for task in tasks])  # [tasks, conditions, boxes, 3]
    colours = np.array([[scene[1] for scene in task] for task in tasks])
    goals = [
        array[:, :, 0].reshape(-1, N_BOXES, *array[:, :, 0].shape[1:]).swapaxes(1, 2) for array in (places, colours)
    ]
    for own, array in zip(goals, (places, colours), strict=True):  # own: [sets, conditions, boxes, ...]
        shared = own.repeat(N_BOXES, axis=0)
        if not np.array_equal(_in_order(shared), _in_order(array)):
            raise EnvError(f"{what}: got tasks 3k, 3k + 1 and 3k + 2 with different boxes, allowed the same ones")
    if not (goals[1] == goals[1][:, :1]).all():
        raise EnvError(f"{what}: got a box that changes its colour between conditions, allowed one colour a task")
    return Scenes(model, goals[0], goals[1][:, 0])


def _in_order(boxes: np.ndarray) -> np.ndarray:
    """Boxes [..., N_BOXES, n], sorted, so that sets of them can be compared."""
    order = np.lexsort(np.moveaxis(boxes, -1, 0), axis=-1)
    return np.take_along_axis(boxes, order[..., None], axis=-2)
