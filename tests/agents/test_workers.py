"""Processes that run jobs: as many as there are jobs for, and the same results."""

import multiprocessing
import os
import signal
from dataclasses import dataclass

import pytest

from agents.workers import here, processes
from demos.errors import DemoError


@dataclass(frozen=True)
class Square:
    """A job."""

    number: int

    def run(self) -> int:
        return self.number**2


@dataclass(frozen=True)
class Death:
    """A job whose process dies, as one does that crashes in the renderer."""

    def run(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(("n_jobs", "n_processes"), [(0, 0), (1, 1), (9, 3)])
def test_no_more_processes_start_than_there_are_jobs(n_jobs: int, n_processes: int) -> None:
    jobs = [Square(number) for number in range(n_jobs)]
    before = len(multiprocessing.active_children())
    with processes(3) as workers:
        assert len(multiprocessing.active_children()) == before
        assert list(workers(jobs)) == list(here(jobs))
        assert len(multiprocessing.active_children()) == before + n_processes
    assert len(multiprocessing.active_children()) == before


@pytest.mark.slow
def test_more_processes_start_when_there_are_more_jobs() -> None:
    few, many = [Square(1)], [Square(number) for number in range(4)]
    with processes(2) as workers:
        first = workers(few)
        assert list(workers(many)) == [0, 1, 4, 9]
        assert list(first) == [1], "what was begun is finished"


@pytest.mark.slow
def test_a_process_that_dies_is_an_error_not_a_wait_for_ever() -> None:
    with pytest.raises(DemoError, match="process: got one that ended amid its work"), processes(2) as workers:
        list(workers([Square(1), Death(), Square(2)]))
