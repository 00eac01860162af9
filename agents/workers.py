"""Processes that run what can be done side by side."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from agents.errors import AgentError
from demos.processes import pool


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
    """Processes of one thread each that run jobs until the end of the `with`; a single one is this process.

    They are started when there are jobs for them, no more than there are jobs. That takes seconds, so that several
    evaluations should share them. The results do not depend on their number.

    Raises:
        AgentError: less than one.
        DemoError: a process died.
    """
    if number < 1:
        raise AgentError(f"workers: got {number}, allowed 1 or more")
    if number == 1:
        yield here
        return
    with pool(number) as executor:
        yield partial(executor.map, _run)


def _run(job: Job) -> Any:
    return job.run()
