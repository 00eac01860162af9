"""What runs evaluations, side by side."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Protocol

from agents.errors import AgentError
from demos.executors import On, executor


class Job(Protocol):
    """What can be sent to another process and run there."""

    def run(self) -> Any: ...


Workers = Callable[[Iterable[Job]], Iterator[Any]]
"""Jobs -> what each of them returned, in their order, each as soon as it and those before it are done."""


def here(jobs: Iterable[Job]) -> Iterator[Any]:
    """Runs jobs in this process, one after the other."""
    return (job.run() for job in jobs)


@contextmanager
def workers_on(on: On, number: int) -> Iterator[Workers]:
    """Processes of one thread each that run jobs until the end of the `with`; a single one is this process.

    They are started when there are jobs for them, no more than there are jobs. That takes seconds, so that several
    evaluations should share them. The results do not depend on their number, nor on where they are.

    Raises:
        AgentError: less than one.
        DemoError: as `demos.executors.executor`.
    """
    if number < 1:
        raise AgentError(f"workers: got {number}, allowed 1 or more")
    with executor("here" if on == "processes" and number == 1 else on, number) as each:
        yield partial(each, _run)


def processes(number: int) -> AbstractContextManager[Workers]:
    """`workers_on` this machine."""
    return workers_on("processes", number)


def _run(job: Job) -> Any:
    return job.run()
