"""Processes of one thread each, which end with the process that started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, resource_tracker
from typing import Any

from demos.errors import DemoError


@contextmanager
def pool(number: int) -> Iterator[ProcessPoolExecutor]:
    """Processes, each kept to one core, started when there is work for them; the end of the `with` ends them.

    An error or Ctrl+C in the `with` ends them amid their work. So does the end of this process, however it comes.

    Raises:
        DemoError: one died amid its work, whose result is then asked for.
    """
    # Spawned, not forked: a forked process hangs in OpenGL once its parent has used it.
    context = multiprocessing.get_context("spawn")
    executor = _Pool(number, mp_context=context, initializer=_begin)
    before = set(multiprocessing.active_children())
    try:
        yield executor
    except BaseException as error:
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            raise DemoError(
                "process: got one that ended amid its work (killed, out of memory, or crashed in the renderer), "
                "allowed none; run it again"
            ) from error
        raise
    finally:
        executor.shutdown(cancel_futures=True)


class _Pool(ProcessPoolExecutor):
    """Ctrl+C reaches all processes of a terminal. Those of a pool leave it to the one that started them. SIGTERM, too,
    waits until a process has all that it needs to start, or it would say that its input ended."""

    def submit(self, task: Callable[..., Any], /, *args: Any, **options: Any) -> "Future[Any]":
        # A process starts here, and what is blocked here is blocked there, from its first moment on.
        resource_tracker.ensure_running()  # which would lift the block
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            return super().submit(task, *args, **options)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _begin() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    one_thread()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def cores() -> int:
    """Cores that this process may use, of those that the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_thread() -> None:
    """Keeps this process to one core: the threads of the software renderer and of torch would fight over them."""
    import torch  # late: commands look here before they know whether they need it

    os.environ["LP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
