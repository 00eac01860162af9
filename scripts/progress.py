"""Progress bars with counts and the time left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from scripts.common import console

if TYPE_CHECKING:
    from daml import Team
    from daml.logs import Log

MEMORY = 0.98
"""Of the running mean of the loss, for every step."""


@contextmanager
def progress_bar(unit: str) -> Iterator[Progress]:
    """A bar whose tasks take a field "note", shown at its end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, refresh_per_second=2) as bar:
        yield bar


@contextmanager
def training_bar(n_steps: int, step: int = 0) -> Iterator[TrainingLog]:
    """A bar that is fed as a log of `daml.fit`.

    Args:
        n_steps: of the whole run.
        step: done already.
    """
    with progress_bar("meta-steps") as bar:
        yield TrainingLog(bar, n_steps, step)


@contextmanager
def training_log(folder: Path, n_steps: int, step: int, team: Team) -> Iterator[Log | None]:
    """log.jsonl in a folder, which is made, and a bar; nothing in a process that does not lead its team.

    Args:
        folder: of the run.
        n_steps: of the whole run.
        step: done already.
        team: the processes that train.
    """
    from daml import JsonlLog, tee

    if not team.leads:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    with JsonlLog(folder / "log.jsonl", step) as log, training_bar(n_steps, step) as progress:
        yield tee(log, progress)


class TrainingLog:
    """A log for `daml.fit` that moves a bar: a running mean of the loss and the last validation at its end."""

    def __init__(self, bar: Progress, n_steps: int, step: int) -> None:
        self._bar = bar
        self._task = bar.add_task("meta-training", total=n_steps, completed=step, note="")
        self._loss: float | None = None
        self._validation = ""

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        self._loss = metrics["loss"] if self._loss is None else MEMORY * self._loss + (1 - MEMORY) * metrics["loss"]
        if "val_success" in metrics:
            self._validation = f", validation success {metrics['val_success']:.2f}"
        self._bar.update(self._task, completed=step, note=f"loss {self._loss:.4f}{self._validation}")
