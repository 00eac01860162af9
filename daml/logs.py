"""Where metrics go: a JSON-lines file that a resumed run continues exactly, and TensorBoard.

A log is a function (steps done, metrics) -> None, as `fit` takes it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from daml.errors import CheckpointError
from daml.files import beside, finite

Log = Callable[[int, dict[str, float]], None]


class JsonlLog:
    """One JSON object a line, {"step": steps done, metric: value, ...}.

    A run that was killed has logged more than its checkpoint knows, perhaps half a line. Give the checkpoint's step:
    what comes after it is dropped, and the resumed run writes it again.

    Args:
        path: the file; its folder must exist.
        step: keep what is there up to and including this step; zero starts anew.

    Raises:
        CheckpointError: the file holds something else.
    """

    def __init__(self, path: Path | str, step: int = 0) -> None:
        self.path = Path(path)
        kept = [record for record in read_log(self.path) if record["step"] <= step] if step else []
        with beside(self.path) as part:
            part.write_text("".join(map(as_line, kept)))
        self._file = self.path.open("a")

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        """Append one line and hand it to the operating system, so that a SIGKILL cannot lose it."""
        self._file.write(as_line({"step": step} | metrics))
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "JsonlLog":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def read_log(path: Path | str) -> list[dict[str, Any]]:
    """The records of a JSON-lines log; a last line cut short by a kill is left out, a missing file is empty.

    Raises:
        CheckpointError: a line before the last is not a record.
    """
    path = Path(path)
    if not path.exists():
        return []
    *lines, _unfinished = path.read_bytes().split(b"\n")
    return [parse(path, number, line) for number, line in enumerate(lines, start=1)]


def parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """One line of a log as a record."""
    try:
        record = json.loads(line)
        if isinstance(record["step"], int):
            return record
    except (ValueError, KeyError, TypeError):
        pass
    raise CheckpointError(f"line {number} of {path}", repr(line[:80]), 'a JSON object with an integer "step"')


def as_line(record: dict[str, Any]) -> str:
    """A record as strict JSON, which has no word for infinity and not-a-number: they become null."""
    return json.dumps(finite(record), allow_nan=False) + "\n"


class TensorboardLog:
    """The same metrics for TensorBoard.

    Args:
        folder: where the event files go.
        step: what was logged after this step is hidden; zero starts anew.
    """

    def __init__(self, folder: Path | str, step: int = 0) -> None:
        # Imported here: it takes seconds, and most runs of the tests and the demo never need it.
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def __call__(self, step: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


def tee(*logs: Log) -> Log:
    """Several logs as one."""

    def log(step: int, metrics: dict[str, float]) -> None:
        for each in logs:
            each(step, metrics)

    return log
