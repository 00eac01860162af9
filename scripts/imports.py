"""What a user names as MODULE:NAME or FILE.py:NAME, such as a policy of one's own."""

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from scripts.inputs import InputError

if TYPE_CHECKING:
    from demos.record import Actor
    from demos.types import Video


def is_named(text: str | None) -> bool:
    """Whether a text is MODULE:NAME or FILE.py:NAME, and not a folder or a short name."""
    return text is not None and ":" in text and not Path(text).exists()


@cache
def named(text: str) -> Any:
    """What has that name. Its module is imported once a process; modules are looked for in the present folder, too, and
    beside a file.

    Raises:
        InputError: there is no such file, module or name. An error inside the module keeps its traceback.
    """
    where, _, name = text.rpartition(":")
    module = _file(Path(where)) if where.endswith(".py") else _module(where)
    if not hasattr(module, name):
        there = [each for each, value in vars(module).items() if callable(value) and each[0] != "_"]
        raise InputError(f"{text}: got no {name!r} in {where}, allowed one of {there}")
    return getattr(module, name)


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: got no such file, allowed a Python file")
    _look_in(path.resolve().parent)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # its own classes look for it there
    spec.loader.exec_module(module)
    return module


def _module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise InputError(f"{name!r}: got no name of a module, allowed MODULE:NAME, or FILE.py:NAME of a file")
    _look_in(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # another one, which this one needs
        raise InputError(f"{name}: got no such module, allowed one on PYTHONPATH or in the present folder") from error


def _look_in(folder: Path) -> None:
    """Last of all, so that nothing there hides an installed package."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@dataclass(frozen=True)
class NamedPolicy:
    """A policy of one's own by its name: processes are sent the name, and each imports it for itself."""

    name: str

    def __post_init__(self) -> None:
        if not callable(named(self.name)):
            kind = type(named(self.name)).__name__
            raise InputError(f"policy {self.name}: got {kind}, allowed a function of a video")

    def __call__(self, video: "Video") -> "Actor":
        actor: Actor = named(self.name)(video)
        if not callable(actor):
            raise InputError(
                f"policy {self.name}: got {type(actor).__name__} for a video, allowed a function "
                "(observation, info) -> action"
            )
        return actor
