"""Processes of one thread each."""

import multiprocessing
import os
from multiprocessing.pool import Pool

import torch


def pool(number: int) -> Pool:
    """Starts processes, each kept to one core; a context manager, which ends them."""
    # Spawned, not forked: a forked process hangs in OpenGL once its parent has used it.
    return multiprocessing.get_context("spawn").Pool(number, initializer=one_thread)


def one_thread() -> None:
    """Keeps this process to one core: the threads of the software renderer and of torch would fight over them."""
    os.environ["LP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
