"""A progress bar that is a log: steps done, the loss as a running mean, time left."""

from __future__ import annotations

from types import TracebackType

MEMORY = 0.98
"""Of the running mean, for every step."""


class Progress:
    """A log for `daml.fit` that draws a bar with the time left.

    Args:
        n_steps: steps of the whole run.
        step: steps done already.
    """

    def __init__(self, n_steps: int, step: int = 0) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (MofNCompleteColumn(), BarColumn(), TextColumn("loss {task.fields[loss]:.4f}"), TimeRemainingColumn())
        self._bar = Bar(*columns, refresh_per_second=2)
        self._task = self._bar.add_task("", total=n_steps, completed=step, loss=float("nan"))
        self._loss: float | None = None

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        self._loss = metrics["loss"] if self._loss is None else MEMORY * self._loss + (1 - MEMORY) * metrics["loss"]
        self._bar.update(self._task, completed=step, loss=self._loss)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
