"""Where what can be done side by side is done: in this process, in others of this machine, or on a cluster of Ray.

Seeds are of each item, so that the results are the same wherever that is.
"""

import logging
import os
import signal
import socket
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from demos.errors import DemoError
from demos.libraries import library
from demos.processes import one_thread, pool

On = Literal["processes", "ray", "here"]
"""Processes of this machine, Ray's cluster, or this process."""
RETRIES = 3
"""Times that an item is done again whose process or machine died."""
PATIENCE = 10.0
"""Until a cluster counts as one that does not answer [s]."""


class Map(Protocol):
    """As `map`: what a task returns for each item, in their order, each as soon as it and those before it are done."""

    def __call__(self, task: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]: ...


def check(on: On, workers: int | None = None) -> None:
    """Checks what is asked for before anything is done or written.

    Args:
        on: where.
        workers: processes, if somebody said how many.

    Raises:
        DemoError: Ray is not installed; or a number of processes where they are not counted.
    """
    if on == "ray":
        library("ray", extra="ray")
    if workers is not None and on != "processes":
        raise DemoError(f"workers: got {workers} on {on}, allowed none there; only processes are counted")


@contextmanager
def executor(on: On, number: int) -> Iterator[Map]:
    """What runs tasks until the end of the `with`. Tasks and items are sent to other processes, and can be pickled.

    Args:
        on: where.
        number: of processes; Ray runs as many items at once as its cluster has cores.

    Raises:
        DemoError: a process died, and `RETRIES` times again; or Ray is not installed or does not answer.
    """
    if on == "here":
        yield map
    elif on == "processes":
        with ExitStack() as pools:
            yield _Processes(number, pools)
    else:
        with _ray() as ray:
            yield partial(_on_ray, ray)


class _Processes:
    """`Map` of a pool. What a process did when it died is done again, in a new pool, up to `RETRIES` times.

    The pool's own `map` would cancel what is left when it is stopped, and the thread that finds its processes ended (up
    to Python 3.11) stumbles over that.
    """

    def __init__(self, number: int, pools: ExitStack) -> None:
        self.number, self.pools = number, pools
        self.pool = pools.enter_context(pool(number))

    def __call__(self, task: Callable[[Any], Any], items: Iterable[Any], /) -> Iterator[Any]:
        items, results = list(items), dict[int, Future]()
        given = deaths = 0
        while given < len(items):
            tried = self.pool
            try:
                for index in range(given, len(items)):
                    if index not in results or _is_lost(results[index]):
                        results[index] = tried.submit(task, items[index])
                while given < len(items):
                    result = results.pop(given).result()
                    given += 1
                    deaths = 0
                    yield result
            except BrokenProcessPool:
                deaths += 1
                if deaths > RETRIES:
                    raise
                logging.getLogger(__name__).warning("process: one ended amid its work, which is done again")
                if self.pool is tried:
                    self.pools.close()
                    self.pool = self.pools.enter_context(pool(self.number))


def _is_lost(result: Future) -> bool:
    return result.done() and isinstance(result.exception(), BrokenProcessPool)


@contextmanager
def _ray() -> Iterator[Any]:
    """Ray, connected to the cluster that RAY_ADDRESS names, else to one that was started on this machine, else to a new
    one of this machine's cores; or as it is, inside another `with`."""
    ray = library("ray", extra="ray")
    if ray.is_initialized():
        yield ray
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        _knock(os.environ.get("RAY_ADDRESS", ""))
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, ImportError, ray.exceptions.RayError) as error:
        where = os.environ.get("RAY_ADDRESS", "of this machine")
        raise DemoError(
            f"ray: got no cluster {where} ({error}), allowed one that answers, or no RAY_ADDRESS"
        ) from error
    finally:
        signal.signal(signal.SIGTERM, before)  # Ray ends without a word
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Tries whether anything answers at HOST:PORT; Ray waits for it without an end, and cannot be stopped meanwhile.

    Raises:
        OSError: nothing does.
    """
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.rpartition("/")[2].strip("[]"), int(port)), PATIENCE).close()


def _on_ray(ray: Any, task: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """`Map` of a cluster: one core for each item."""
    remote = ray.remote(max_retries=RETRIES)(_alone)
    results = deque(remote.remote(Path.cwd(), task, item) for item in items)
    while results:
        yield _result(ray, results.popleft())


def _result(ray: Any, reference: Any) -> Any:
    """What a task returned; what it raised is raised here.

    Raises:
        DemoError: its process or machine died too often, or cannot read what it was sent.
    """
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error.cause, ray.exceptions.RayError):
            raise error.cause from error
        why = next(iter(str(error.cause).splitlines()), "")
        raise DemoError(
            f"ray: got a machine that cannot take its work ({why}), allowed those with the same Python, packages and "
            "project at the same path"
        ) from error
    except ray.exceptions.RayError as error:
        raise DemoError(
            f"process: got one of Ray's that ended amid its work, and again when it was repeated "
            f"({type(error).__name__}), allowed none; run it again"
        ) from error


def _alone(folder: Path, task: Callable[[Any], Any], item: Any) -> Any:
    """Runs in a process of Ray's, in the folder of the command where that machine has it."""
    if folder.is_dir():
        os.chdir(folder)
    one_thread()
    return task(item)


def check_shared(folder: Path, ask: Callable[[Path], dict[str, bool]] | None = None) -> None:
    """Checks that all machines of Ray's cluster share a folder, or the one that it will be made in: each reads a small
    file there, and writes another one that is found here. Nothing is left of them.

    Args:
        folder: of the results; it need not be there.
        ask: file -> machine -> whether it has answered; `ask_machines` when None.

    Raises:
        DemoError: a machine does not see it.
    """
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())
    question = there / f".shared-{uuid.uuid4().hex}"
    try:
        question.write_text(question.name)
        answers = (ask or ask_machines)(question)
        found = {name: answered and _answer(question, name).exists() for name, answered in answers.items()}
    finally:
        for path in there.glob(f"{question.name}*"):
            path.unlink(missing_ok=True)
    if blind := [name for name, seen in found.items() if not seen]:
        raise DemoError(
            f"folder {folder}: got one that {', '.join(blind)} does not see, allowed one that all machines of Ray's "
            "cluster share"
        )


def ask_machines(question: Path) -> dict[str, bool]:
    """Lets every machine of Ray's cluster answer: its name -> whether it could."""
    with _ray() as ray:
        pinned = ray.remote(num_cpus=0)(answer)
        strategy = library("ray.util.scheduling_strategies", extra="ray").NodeAffinitySchedulingStrategy
        references = {}
        for node in ray.nodes():
            if node["Alive"]:
                name = f"{node['NodeManagerHostname']}-{node['NodeID'][:8]}"
                here = strategy(node["NodeID"], soft=False)
                references[name] = pinned.options(scheduling_strategy=here).remote(question, name)
        return {name: _result(ray, reference) for name, reference in references.items()}


def answer(question: Path, name: str) -> bool:
    """Reads the file and writes another one beside it; False where that cannot be done."""
    try:
        seen = question.read_text() == question.name
        if seen:
            _answer(question, name).touch()
    except OSError:
        return False
    return seen


def _answer(question: Path, name: str) -> Path:
    return question.with_name(f"{question.name}-{name}")
