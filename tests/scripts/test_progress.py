"""Progress without a terminal: a line every so often, none of them wrapped."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from daml import ALONE
from scripts import progress
from scripts.progress import TrainingLog, progress_bar, training_log


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def pipe() -> Console:
    """As the commands' console, in a pipe."""
    return Console(file=io.StringIO(), highlight=False, markup=False, emoji=False, soft_wrap=True)


def lines(where: Console) -> list[str]:
    return where.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_training_tells_step_loss_and_time_left_every_half_minute(clock: Clock) -> None:
    where = pipe()
    with progress_bar("meta-steps", where) as bar:
        log = TrainingLog(bar, 1000, 200, "compiling")
        clock.now += 60  # until the first step; that long only once
        for step in range(201, 1001):
            log(step, {"loss": 0.5})
            clock.now += 0.125
    assert lines(where) == [
        "meta-training: 200 of 1000 meta-steps, 0:00:00, compiling",
        "meta-training: 201 of 1000 meta-steps, 0:01:00, loss 0.5000",
        "meta-training: 441 of 1000 meta-steps, 0:01:30, 0:01:10 left, loss 0.5000",
        "meta-training: 681 of 1000 meta-steps, 0:02:00, 0:00:40 left, loss 0.5000",
        "meta-training: 921 of 1000 meta-steps, 0:02:30, 0:00:10 left, loss 0.5000",
        "meta-training: 1000 of 1000 meta-steps, 0:02:40, loss 0.5000",
    ]


def test_the_first_line_comes_after_seconds_and_lines_are_never_wrapped(clock: Clock) -> None:
    where, name = pipe(), "evaluating runs[/b]/[final] :smile: " + 100 * "x"
    with progress_bar("tasks", where) as bar:
        job = bar.add_task(name, total=10, note="")
        for _ in range(10):
            clock.now += 2
            bar.advance(job)
    assert lines(where) == [
        f"{name}: 3 of 10 tasks, 0:00:06, 0:00:14 left",
        f"{name}: 10 of 10 tasks, 0:00:20",
    ]


def test_a_note_changes_without_a_line_and_what_was_done_before_is_not_said_again(clock: Clock) -> None:
    where = pipe()
    with progress_bar("rows", where) as bar:
        job = bar.add_task("sweep", total=2, note="")
        bar.update(job, note="first")
        clock.now += 6
        bar.update(job, completed=1)
        bar.update(job, completed=2, note="second")
        bar.update(job, completed=2)
    assert lines(where) == ["sweep: 1 of 2 rows, 0:00:06, first", "sweep: 2 of 2 rows, 0:00:06, second"]


SAID = "meta-training: 0 of 9 meta-steps, 0:00:00, compiling\n"


@pytest.mark.parametrize(
    ("step", "compiler", "said"), [(0, sys.executable, SAID), (9, sys.executable, ""), (0, "no-such-program", "")]
)
def test_compilation_is_said_while_it_lasts_and_when_there_is_any(
    step: int, compiler: str, said: str, tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("CXX", compiler)
    (tmp_path / "log.jsonl").write_text("".join(f'{{"step": {number + 1}}}\n' for number in range(step)))
    with training_log(tmp_path, 9, step, ALONE, compiles=True):
        assert capsys.readouterr().out == said
    with training_log(tmp_path, 9, step, ALONE):
        assert capsys.readouterr().out == ""


def test_a_terminal_gets_a_bar_that_prints_markup_as_it_is() -> None:
    where = Console(file=io.StringIO(), force_terminal=True, width=200, highlight=False)
    with progress_bar("tasks", where) as bar:
        assert isinstance(bar, Progress)
        bar.update(bar.add_task("runs[/b]", total=2, note="[final]"), completed=1)
    assert "runs[/b]" in where.file.getvalue()  # type: ignore[attr-defined]
    assert "[final]" in where.file.getvalue()  # type: ignore[attr-defined]
