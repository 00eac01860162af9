"""Folders that are there whole or not at all: written beside their place, and renamed when all went well."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from demos.errors import DemoError


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path`, for the body to fill, that then takes its place. What fails leaves nothing.

    Raises:
        DemoError: something is there already.
    """
    if path.exists():
        raise DemoError(f"out: got {path}, which is there already, allowed a new folder")
    above = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.mkdir()
        yield part
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for folder in above:
            with suppress(OSError):  # there is something in it
                folder.rmdir()
