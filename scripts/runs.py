"""Runs: folders with a training in them, and its settings beside it. Only the same run goes on in its folder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields, replace
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar, Literal, Protocol, get_args, get_origin, get_type_hints

from scripts.common import console, write_json
from scripts.endings import STOPS
from scripts.inputs import InputError, Writable

SETTINGS, CHECKPOINT, LOG = "run.json", "checkpoint.safetensors", "log.jsonl"
"""Files of a run."""
NOT_SETTINGS = ("out", "resume", "device", "quick", "on")
"""Fields that do not tell one run from another; what is quick is settled before it begins."""
BEGAN = "began with steps"
"""Beside the settings of a run that was made longer."""


class Run(Protocol):
    """A command that trains in a folder: a dataclass, whose other fields are the settings of the run."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def resume(self) -> bool: ...

    @property
    def steps(self) -> Any: ...

    @property
    def folder(self) -> Path: ...


def seconds(folder: Path) -> float:
    """What the training in a folder has taken so far [s], in all processes that went on with it."""
    from daml import read_log

    records = read_log(folder / LOG)
    return float(records[-1].get("seconds", 0.0)) if records else 0.0


def begun(command: Any) -> Any | None:
    """The run that a command would go on with, with its settings; None when it does not say --resume.

    Raises:
        InputError: there is no run, or one that cannot be read.
    """
    if not getattr(command, "resume", False):
        return None
    found = settings_in(command.folder)
    hints, known = get_type_hints(type(command)), {field.name for field in fields(command)} - set(NOT_SETTINGS)
    try:
        values = {name: from_text(hints[name], text) for name, text in found.items() if name in known}
    except ValueError as error:
        raise InputError(
            f"run {command.folder}: got {SETTINGS} with {error}, allowed what was written there"
        ) from error
    return replace(command, **(defaults(type(command)) | values))


def check(run: Run) -> None:
    """Checks that a run may begin or go on in its folder, before any work.

    Raises:
        InputError: a run is there and --resume is not given; --resume is, and there is none, or another one, or one of
            more steps, or one that is being trained; or nothing can be written there.
    """
    folder = run.folder
    Writable("folder").check("out", folder)
    if not run.resume:
        if there := [name for name in (SETTINGS, CHECKPOINT, LOG) if (folder / name).exists()]:
            raise InputError(
                f"run {folder}: got a run that is there ({there[0]}), allowed with --resume; or another --out"
            )
        return
    found, mine = settings_in(folder), settings(run)
    same = {name: str(default) for name, default in defaults(type(run)).items()} | found
    different = {name: same.get(name) for name in mine if name != "steps" and same.get(name) != mine[name]}
    if different:
        asked = {name: mine[name] for name in different}
        raise InputError(f"run {folder}: got {asked}, allowed {different}, as it began; or another --out")
    if same["steps"].isdigit() and run.steps < int(same["steps"]):
        raise InputError(f"steps: got {run.steps}, allowed {same['steps']} or more: the run {folder} began with them")
    with held(folder):
        pass


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps the folder of a run to one process: two would write one log and one checkpoint. It lets go when it ends,
    however that comes, and leaves no file.

    Raises:
        InputError: another one has it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"run {folder}: got one that another process trains, allowed one that none does") from None
        except OSError:
            pass  # a file system that knows no locks
        yield
    finally:
        os.close(descriptor)


def begin(run: Run) -> None:
    """Writes the settings into the folder: from now on there is a run in it. Says so when it is made longer."""
    folder = run.folder
    folder.mkdir(parents=True, exist_ok=True)
    found = settings_in(folder) if run.resume else {}
    before, began = found.get("steps", ""), {BEGAN: found[BEGAN]} if BEGAN in found else {}
    if before.isdigit() and int(before) < run.steps:
        began = {BEGAN: before} | began
        console.print(
            f"{run.steps} steps instead of {before}: from here on the learning rate is that of the longer run, higher "
            f"than it was at the end of the shorter one; a run of {run.steps} steps from the start would differ"
        )
    write_json(folder / SETTINGS, settings(run) | began)


def stops(folder: Path) -> str:
    """What it means to stop a run."""
    if (folder / CHECKPOINT).exists():
        return "--resume goes on from the last checkpoint"
    return "--resume goes on; its training has no checkpoint yet" if (folder / SETTINGS).exists() else STOPS


def command_line(name: str, run: Run) -> str:
    """The command that trains a run from nothing, for its card: with every setting, so that it means the same when a
    default is another one."""
    words = [word for option in settings(run) for word in option_words(option, getattr(run, option))]
    began = settings_in(run.folder).get(BEGAN)
    return " ".join(["daml", name, *words]) + (f" (begun with --steps {began}, then made longer)" if began else "")


def option_words(name: str, value: Any) -> list[str]:
    """A setting as words of a command; none for what is not given."""
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    return [] if value is None else [f"--{option}", quote(str(value))]


def settings(run: Run) -> dict[str, str]:
    """What tells this run from another one in its folder."""
    return {field.name: str(getattr(run, field.name)) for field in fields(run) if field.name not in NOT_SETTINGS}


def defaults(kind: type) -> dict[str, Any]:
    """Of all settings."""
    return {
        field.name: field.default
        for field in fields(kind)
        if field.name not in NOT_SETTINGS and field.default is not MISSING
    }


def settings_in(folder: Path) -> dict[str, str]:
    """The settings of the run in a folder.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    try:
        found = json.loads((folder / SETTINGS).read_text())
        return {str(name): str(value) for name, value in found.items()}
    except FileNotFoundError as error:
        raise InputError(f"run {folder}: got no {SETTINGS}, allowed the folder of a run with --resume") from error
    except (ValueError, AttributeError) as error:
        raise InputError(f"run {folder}: got {SETTINGS} with {error}, allowed what was written there") from error


def from_text(hint: Any, text: str) -> Any:
    """A setting as its field wants it, from how it is written.

    Raises:
        ValueError: it is nothing of that type.
    """
    kinds = [hint, *get_args(hint)]
    if get_origin(hint) is Literal and text not in kinds:
        raise ValueError(f"{text!r} instead of one of {get_args(hint)}")
    if text == "None" and type(None) in kinds:
        return None
    if bool in kinds:
        if text not in ("True", "False"):
            raise ValueError(f"{text!r} instead of True or False")
        return text == "True"
    return next((kind(text) for kind in (int, float, Path) if kind in kinds), text)
