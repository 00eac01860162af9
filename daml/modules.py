"""Modules that are named: tasks and methods of somebody's own, "module:what".

To import a module is to run its code. So only two things name one: the words of a command or a program, and a file
that such words have written, such as the configuration of a policy. Such a file may come from anywhere, and never is
code taken from the folder that it lies in.
"""

import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from daml.errors import ModuleError


def split_name(text: str) -> tuple[str, str]:
    """("module", "what") of "module:what"; of a name without a module ("", name)."""
    module, _, what = text.rpartition(":")
    return module, what


def import_named(name: str, named_in: Path | None = None) -> ModuleType:
    """A module, imported unless it has been.

    Args:
        name: as `import` takes it.
        named_in: the folder of the file that names it; None when no file does.

    Raises:
        ModuleError: there is none, it lies in `named_in`, or what it imports or says is not understood by Python.
    """
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise ModuleError("module", repr(name), "a name as `import` takes it, such as my_package.my_module")
    try:
        for end in range(1, len(parts) + 1):  # a package runs before what is in it is found
            path = ".".join(parts[:end])
            if path not in sys.modules and named_in is not None and _lies_in(find_spec(path), named_in):
                raise ModuleError("module", f"{name}, which lies in {named_in}", "one outside the folder that names it")
            module = importlib.import_module(path)
    except (ImportError, SyntaxError) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModuleError(
            f"module {name}", f"none that can be imported ({what})", "one that is installed, or below this folder"
        ) from error
    return module


def _lies_in(spec: ModuleSpec | None, folder: Path) -> bool:
    """Whether the file that an import would run is in a folder."""
    if spec is None or spec.origin is None or not spec.has_location:
        return False
    return Path(spec.origin).resolve().is_relative_to(folder.resolve())
