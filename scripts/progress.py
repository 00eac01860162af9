"""Progress with counts and the time left: bars in a terminal, elsewhere a line every so often."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from scripts.common import console
from scripts.runs import LOG, held

if TYPE_CHECKING:
    from daml import Team
    from daml.logs import Log

MEMORY = 0.98
"""Of the running mean of the loss, for every step."""
FIRST, EVERY = 5.0, 30.0
"""Until a job's first line, and from then on until the next [s]."""


@contextmanager
def progress_bar(unit: str, where: Console = console) -> Iterator[Progress | Lines]:
    """Jobs, each with a number of units and a field "note", shown at its end."""
    if not where.is_terminal:
        yield Lines(unit, where)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=where, refresh_per_second=2) as bar:
        yield bar


@dataclass
class Job:
    """What is shown in lines.

    started: when.  due: when the next line is.  first: when the first unit was done, and how many then: what it took to
    get there (compilation, say) tells nothing about the rest.
    """

    description: str
    total: int
    completed: int
    note: str
    started: float
    due: float
    first: tuple[float, int] | None = None

    def line(self, unit: str, now: float) -> str:
        """As text."""
        parts = [f"{self.description}: {self.completed} of {self.total} {unit}", _clock(now - self.started)]
        if self.first and self.first[1] < self.completed < self.total:
            each = (now - self.first[0]) / (self.completed - self.first[1])
            parts.append(f"{_clock(each * (self.total - self.completed))} left")
        return ", ".join([*parts, *([self.note] if self.note else [])])


class Lines:
    """Jobs as lines: at the start when there is a note, then every so often, and at the end. Used as `Progress` is."""

    def __init__(self, unit: str, where: Console) -> None:
        self._unit, self._console = unit, where
        self._jobs: list[Job] = []

    def add_task(self, description: str, *, total: int, note: str, completed: int = 0) -> TaskID:
        """Begins a job; returns its number."""
        now = time.monotonic()
        self._jobs.append(Job(description, total, completed, note, now, now + FIRST))
        if note:
            self._say(self._jobs[-1])
        return TaskID(len(self._jobs) - 1)

    def update(self, number: TaskID, /, *, completed: int | None = None, note: str | None = None) -> None:
        """Tells how far a job is."""
        job, now = self._jobs[number], time.monotonic()
        job.note = job.note if note is None else note
        if completed is not None:
            finished = job.completed < job.total <= completed
            job.completed = completed
            job.first = job.first or (now, completed)
            if finished or now >= job.due:
                job.due = now + EVERY
                self._say(job)

    def advance(self, number: TaskID, /) -> None:
        """One more is done."""
        self.update(number, completed=self._jobs[number].completed + 1)

    def _say(self, job: Job) -> None:
        self._console.print(job.line(self._unit, time.monotonic()))


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


@contextmanager
def training_log(
    folder: Path, n_steps: int, step: int, team: Team, compiles: bool = False, started: float | None = None
) -> Iterator[Log | None]:
    """log.jsonl in the folder of a run, with "seconds" since that began, and a bar; nothing in a process that does not
    lead its team.

    Args:
        folder: of the run.
        n_steps: of the whole run.
        step: done already.
        team: the processes that train.
        compiles: before the first step, where that can be done.
        started: when this process began with the run, of `time.monotonic`; now when None.

    Raises:
        InputError: another process trains there.
    """
    from daml import JsonlLog, can_compile, read_log, tee

    if not team.leads:
        yield None
        return
    note = "compiling" if compiles and step < n_steps and can_compile() else ""
    with held(folder), JsonlLog(folder / LOG, step) as log, progress_bar("meta-steps") as bar:
        both = tee(log, TrainingLog(bar, n_steps, step, note))
        start = time.monotonic() if started is None else started
        if step:  # what is in the log now is what counts
            start -= read_log(folder / LOG)[-1].get("seconds", 0.0)
        yield lambda at, metrics: both(at, metrics | {"seconds": round(time.monotonic() - start, 2)})


class TrainingLog:
    """A log for `daml.fit` that shows a running mean of the loss and the last validation."""

    def __init__(self, bar: Progress | Lines, n_steps: int, step: int, note: str) -> None:
        self._bar = bar
        self._task = bar.add_task("meta-training", total=n_steps, completed=step, note=note)
        self._loss: float | None = None
        self._validation = ""

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        self._loss = metrics["loss"] if self._loss is None else MEMORY * self._loss + (1 - MEMORY) * metrics["loss"]
        if "val_success" in metrics:
            self._validation = f", validation success {metrics['val_success']:.2f}"
        if "val_error" in metrics:
            self._validation = f", held-out error {metrics['val_error']:.3f}"
        self._bar.update(self._task, completed=step, note=f"loss {self._loss:.4f}{self._validation}")
