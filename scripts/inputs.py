"""What commands are given: numbers in their ranges, places that can be written. All of it is checked before work."""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import tyro
from tyro.conf import arg

from demos import executors, seeds


class InputError(ValueError):
    """A command was given something outside what is allowed."""


@dataclass(frozen=True)
class Within:
    """Numbers from `low` to `high`, and with `between` neither of these two; no infinity, nothing that is no number."""

    low: float
    high: float = math.inf
    between: bool = False

    def check(self, name: str, value: float) -> None:
        """
        Raises:
            InputError: the number is outside.
        """
        inside = self.low < value < self.high if self.between else self.low <= value <= self.high
        if not inside or value == math.inf:
            raise InputError(f"{name}: got {value}, allowed {self}")

    def __str__(self) -> str:
        if self.between:
            return f"more than {self.low}" + (f" and less than {self.high}" if self.high < math.inf else "")
        return f"{self.low} or more" if self.high == math.inf else f"{self.low} to {self.high}"


@dataclass(frozen=True)
class Writable:
    """Where a command writes: a folder, or a file. What is missing of the way there can be made."""

    what: Literal["folder", "file"]

    def check(self, name: str, path: Path) -> None:
        """Tries it, and leaves no trace.

        Raises:
            InputError: something else is there, or nothing can be written there.
        """
        if path.exists() and not (path.is_dir() if self.what == "folder" else path.is_file()):
            raise InputError(f"{name}: got {path}, which is something else, allowed a {self.what}")
        folder = path if self.what == "folder" else path.parent
        there = next((each for each in (folder, *folder.parents) if each.exists()), Path())
        try:
            with tempfile.TemporaryDirectory(dir=there):
                pass
        except OSError as error:
            allowed = f"a {self.what} that can be written"
            raise InputError(f"{name}: got {path} ({there}: {error.strerror}), allowed {allowed}") from error


@dataclass(frozen=True)
class Installed:
    """Where something runs, with all that this needs."""

    def check(self, name: str, value: executors.On) -> None:
        """
        Raises:
            DemoError: something is not installed.
        """
        executors.check(value)


Seed = Annotated[int, Within(0, seeds.LARGEST)]
Count = Annotated[int, Within(1)]
Natural = Annotated[int, Within(0)]
Rate = Annotated[float, Within(0, 1, between=True)]
Seconds = Annotated[float, Within(0)]
Side = Annotated[int, Within(8, 1280)]
"""Of a square picture [px]; the renderer draws none that is larger."""
Nudge = Annotated[int, Within(0, 2)]
"""How far objects are moved while the robot is on its way: a level of the gap of that name (docs/gap.md)."""
Cameras = Annotated[
    tuple[Literal["table", "hand"], ...],
    arg(help="That the robot is seen through: table, or table and hand (docs/envs/cameras.md)."),
]
"""What `envs.tabletop.check_cameras` takes."""
Split = Literal["train", "val", "test", "test-textures", "test-shapes"]
"""Of the objects."""
Pairs = Literal["all", "seen", "held-out"]
"""What `demos.combinations.Pairs` is."""
Env = Annotated[
    str,
    arg(
        help="Environment: reach, push, place, pick-place, act, sort, or MODULE:ID of your own (docs/your_own_task.md)."
    ),
]
"""What `scripts.common.env_id` takes."""
Device = Literal["auto", "cpu", "cuda"]
"""Where tensors are; auto is the GPU where there is one."""
On = Annotated[
    executors.On,
    arg(
        help="Where: in processes of this machine, here in this one, or on the cluster of Ray that RAY_ADDRESS names "
        "(docs/scale.md). The results are the same."
    ),
    Installed(),
]
Folder = Annotated[Path, Writable("folder")]
File = Annotated[Path, Writable("file")]


def check(command: Any) -> None:
    """Checks every field of a command, and of the command inside it.

    Raises:
        InputError: a number is out of range, nothing can be written where it should be, or there is none of what there
            should be several of.
    """
    for name, hint, value, usual in inputs(command):
        if value == () and usual != ():
            raise InputError(f"{name}: got none, allowed one or more")
        for rule, one in constrained(hint, value):
            rule.check(name, one)


def inputs(command: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name as on the command line, annotated type, value and default of every field, of the command inside, too."""
    hints = get_type_hints(type(command), include_extras=True)
    for field in fields(command):
        value = getattr(command, field.name)
        if is_dataclass(value):
            yield from inputs(value)
        else:
            yield field.name.replace("_", "-"), hints[field.name], value, field.default


def is_option(hint: Any) -> bool:
    """Whether a field of that annotated type is given by its name, and not by its place."""
    return tyro.conf.Positional not in getattr(hint, "__metadata__", ())


def constrained(hint: Any, value: Any) -> Iterator[tuple[Within | Writable | Installed, Any]]:
    """The rules in an annotated type, each with a value that it is about: every element of a tuple, nothing of None."""
    if value is None:
        return
    for one in value if isinstance(value, tuple) else (value,):
        yield from ((rule, one) for rule in rules(hint))


def rules(hint: Any) -> Iterator[Within | Writable | Installed]:
    """The rules anywhere in an annotated type."""
    if isinstance(hint, Within | Writable | Installed):
        yield hint
    for part in get_args(hint):
        yield from rules(part)
