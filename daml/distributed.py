"""Meta-training in several processes, as torchrun starts them: tasks are shared out, the gradient is of all of them.

The meta-loss is a mean over tasks, and its gradient is the mean of theirs. So every process draws the whole meta-batch
from the same seed, differentiates its own slice, weighs what came out by the slice's size, and all add up: one
all_reduce a meta-step. All of them then hold the gradient of the whole batch and take the same optimiser step.

A plain all_reduce, not DistributedDataParallel: that hooks into `backward`, whereas the meta-gradient is asked for by
`torch.autograd.grad`, and it takes the mean over processes, which is another one where their slices differ in size.
What it would gain is that communication overlaps with the backward pass; for gradients of this size that is nothing.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils import _pytree as pytree

from daml.checkpoint import digest, flatten
from daml.errors import MetaLearningError, ProcessError
from daml.meta_step import MetaGradient, TrainState, count_tasks, meta_grad
from daml.types import MetaParams, Task

PATIENCE = timedelta(days=7)
"""How long processes wait for one that collects or evaluates. A process that dies is noticed at once, not by this."""

VARIABLES = ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT")
"""Of the environment, in which torchrun says how the processes find each other."""
FIRST = "the first process of its run to end"
"""A note on the error of that process."""


@dataclass(frozen=True)
class Team:
    """The processes of a run, seen from one of them.

    rank: of this one, from zero.  size: their number.
    add_up: a tensor that each of them passes -> its sum over them, in place; it waits for all of them.
    """

    rank: int = 0
    size: int = 1
    add_up: Callable[[Tensor], object] = lambda tensor: None

    @property
    def leads(self) -> bool:
        """Whether this is the one that collects, evaluates and writes."""
        return self.rank == 0

    @property
    def gradient(self) -> MetaGradient:
        """The meta-gradient of a batch that is shared out: as `meta_grad`, and called by all of them at once."""
        return meta_grad if self.size == 1 else partial(shared_grad, self)

    def share(self, n_tasks: int) -> slice:
        """Which tasks of a meta-batch are this process's; the shares differ by one task at most.

        Raises:
            MetaLearningError: there are more processes than tasks.
        """
        if self.size > n_tasks:
            raise MetaLearningError("processes", self.size, f"1 to {n_tasks}, the tasks in a meta-batch")
        return slice(self.rank * n_tasks // self.size, (self.rank + 1) * n_tasks // self.size)

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """The body runs in the process that leads, then in the others."""
        if not self.leads:
            self.add_up(torch.zeros(1))
        yield
        if self.leads:
            self.add_up(torch.zeros(1))

    def check_same(self, state: TrainState, *settings: Any) -> None:
        """All processes start from the same meta-parameters and step, with the same settings.

        Raises:
            ProcessError: they do not; as when one of them finds another checkpoint.
        """
        if self.size == 1:
            return
        flat = {name: tensor.detach().cpu() for name, tensor in flatten(state.meta).items()}
        found = torch.zeros(self.size, dtype=torch.int64)
        found[self.rank] = int(digest(flat, repr((state.step, *settings)))[:12], 16)
        self.add_up(found)
        if len(set(found.tolist())) > 1:
            raise ProcessError("processes at the start", "different ones", "the same seed, settings and checkpoint")


ALONE = Team()
"""One process."""


def shared_grad(team: Team, meta: MetaParams, tasks: Task, **how: Any) -> tuple[MetaParams, dict[str, Tensor]]:
    """`meta_grad` of a batch, by all processes of a team, each of which has the whole batch.

    Args:
        team: they all call this at once.
        meta, tasks, how: as in `meta_grad`, the same in every process.

    Returns:
        Gradients and metrics of the whole batch; the same bits in every process.

    Raises:
        MetaLearningError: there are more processes than tasks; also what `meta_grad` raises.
        ProcessError: a process died.
    """
    n_tasks = count_tasks(tasks)
    mine = team.share(n_tasks)
    results = meta_grad(meta, pytree.tree_map(lambda leaf: leaf[mine], tasks), **how)
    leaves, structure = pytree.tree_flatten(results)
    total = torch.cat([leaf.flatten() for leaf in leaves]) * ((mine.stop - mine.start) / n_tasks)
    team.add_up(total)
    parts = total.split([leaf.numel() for leaf in leaves])
    summed = [part.view(leaf.shape).to(leaf.dtype) for part, leaf in zip(parts, leaves, strict=True)]
    return pytree.tree_unflatten(summed, structure)


@contextmanager
def joined(device: str = "cpu") -> Iterator[Team]:
    """The processes that torchrun has started together with this one; `ALONE` where it has not.

    They speak through NCCL about what is on a GPU, of which each takes its own, and through gloo about all else. When
    one of them fails or is stopped, all of them end, and only the first to notice raises why (`spoke_first`): the
    others leave with exit status 2.

    Args:
        device: "cpu" or "cuda".

    Raises:
        MetaLearningError: there are more processes on this machine than GPUs, or what torchrun says is not all there.
        ProcessError: a process died, or this one is told to stop (SIGTERM) and nobody else sees to that.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield ALONE
        return
    # The store is torchrun's, or that of the first process: it outlives the others.
    store, rank, size = _meet()
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _stop)
    try:
        if device == "cuda":
            _take_gpu(int(os.environ["LOCAL_RANK"]))
        backend = "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo"
        dist.init_process_group(
            backend, store=dist.PrefixStore("group", store), rank=rank, world_size=size, timeout=PATIENCE
        )
        yield Team(rank, size, _add_up)
        signal.signal(signal.SIGTERM, before)
    except (Exception, KeyboardInterrupt) as error:
        # This process is ending; torchrun, which passes Ctrl+C on, must not cut it short before it has said why.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if not _is_first(store):
            raise SystemExit(2) from error
        error.add_note(FIRST)
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def spoke_first(error: BaseException) -> bool:
    """Whether an error ended the processes that `joined` had joined: the others have left without a word."""
    return FIRST in getattr(error, "__notes__", [])


def _meet() -> tuple[dist.Store, int, int]:
    try:
        return next(dist.rendezvous("env://"))
    except ValueError as error:
        said = ", ".join(f"{name} {os.environ.get(name, 'unset')}" for name in VARIABLES)
        raise MetaLearningError("processes", said, "what torchrun sets, or WORLD_SIZE unset") from error


def _add_up(tensor: Tensor) -> None:
    try:
        dist.all_reduce(tensor)
    except RuntimeError as error:
        raise _ended("one that ended amid its work") from error


def _stop(number: int, frame: Any) -> NoReturn:
    """torchrun sends SIGTERM to all processes when one has died."""
    raise _ended("SIGTERM, as when another one ended amid its work")


def _ended(got: str) -> ProcessError:
    return ProcessError("process of this run", got, "none; a checkpoint, where there is one, is safe")


def _is_first(store: dist.Store) -> bool:
    """Whether no other process has failed before this one; where that cannot be known, it speaks up, too."""
    try:
        return store.add("failed", 1) == 1
    except RuntimeError:
        return True


def _take_gpu(index: int) -> None:
    if index >= torch.cuda.device_count():
        raise MetaLearningError(
            "processes on this machine", f"{index + 1} or more", f"{torch.cuda.device_count()}, one for each GPU"
        )
    torch.cuda.set_device(index)
