"""Processes of one thread each."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import torch

from demos.errors import DemoError


@contextmanager
def pool(number: int) -> Iterator[ProcessPoolExecutor]:
    """Processes, each kept to one core, started when there is work for them; the end of the `with` ends them.

    Raises:
        DemoError: one died amid its work, whose result is then asked for.
    """
    # Spawned, not forked: a forked process hangs in OpenGL once its parent has used it.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(number, mp_context=context, initializer=one_thread)
    try:
        yield executor
    except BrokenProcessPool as error:
        raise DemoError(
            "process: got one that ended amid its work (killed, out of memory, or crashed in the renderer), "
            "allowed none; run it again"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def one_thread() -> None:
    """Keeps this process to one core: the threads of the software renderer and of torch would fight over them."""
    os.environ["LP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
