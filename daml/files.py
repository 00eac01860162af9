"""Files that are there whole or not at all: written beside their place, and renamed when all went well."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A hidden file beside `path`, for the body to write, that then reaches the disk and takes its place.

    A reader sees the old file or the new one. What fails leaves nothing; what a killed process leaves is overwritten.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        _flush_to_disk(part)
        part.replace(path)
        _flush_to_disk(path.parent)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a file of text into a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as part:
        part.write_text(text)


def write_json(path: Path, value: Any, indent: int | None = 2) -> None:
    """Writes a file of JSON into a folder that is made; what is no number is null."""
    write_text(path, json.dumps(finite(value), indent=indent, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """The same without infinity and not-a-number, for which JSON has no word: they become None."""
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flush_to_disk(path: Path) -> None:
    """fsync of a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
