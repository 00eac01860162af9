"""Processes that run what can be done side by side."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from agents.errors import AgentError
from demos.collect import one_thread


class Job(Protocol):
    """What can be sent to another process and run there."""

    def run(self) -> Any: ...


Workers = Callable[[Iterable[Job]], Iterator[Any]]
"""Jobs -> what each of them returned, in their order, each as soon as it and those before it are done."""


def here(jobs: Iterable[Job]) -> Iterator[Any]:
    """Runs jobs in this process, one after the other."""
    return (job.run() for job in jobs)


@contextmanager
def processes(number: int) -> Iterator[Workers]:
    """Starts processes of one thread each that run jobs until the end of the `with`; a single one is this process.

    Starting takes seconds, so that several evaluations should share them. The results do not depend on their number.

    Raises:
        AgentError: less than one.
    """
    if number < 1:
        raise AgentError(f"workers: got {number}, allowed 1 or more")
    if number == 1:
        yield here
        return
    # Spawned, not forked: a forked process hangs in OpenGL once its parent has used it.
    with multiprocessing.get_context("spawn").Pool(number, initializer=one_thread) as pool:
        yield lambda jobs: pool.imap(_run, jobs)


def _run(job: Job) -> Any:
    return job.run()
