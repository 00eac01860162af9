"""How commands end: with one line and an exit status, whatever happens; and with no process left behind."""

import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

NO_READER, BAD_INPUT, STOPPED, TERMINATED = 1, 2, 130, 143
"""Exit statuses; the last two are those of a program that SIGINT and SIGTERM end."""
STOPS = "the same command begins anew"
"""What a stop means for a command that does not say otherwise."""
PATIENCE = 30.0
"""For the process that says why all of them end to say it [s]."""
FAMILIES = {
    "agents.errors": ("AgentError",),
    "daml.errors": ("DamlError",),
    "demos.errors": ("DemoError",),
    "envs.errors": ("EnvError", "RenderError"),
    "scripts.inputs": ("InputError",),
}
"""Errors of the packages, each of which names what, got and allowed."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, to be treated as Ctrl+C is: everything on the way out is cleaned up."""


@contextmanager
def ending() -> Iterator[None]:
    """Turns whatever ends a command into one line on stderr and an exit status.

    A mistake, a full disk and the like: 2. Ctrl+C: 130. SIGTERM: 143. A reader that has seen enough (`| head`): 1, and
    no line. What is none of these is a fault of the program, and keeps its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal need not know all letters
    try:
        try:
            with _stoppable():
                yield
        finally:
            print(end="", flush=True)  # a reader that is gone is found out here, not after the last line of Python
    except BrokenPipeError as error:
        if not _unread():  # another pipe, such as one to a process that has ended
            leave(f"error: {describe(error)}", BAD_INPUT, error)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes on its way out
        sys.exit(NO_READER)
    except KeyboardInterrupt as stop:
        leave(f"stopped: {str(stop) or STOPS}", TERMINATED if isinstance(stop, Terminated) else STOPPED, stop)
    except Exception as error:
        if not isinstance(error, (OSError, MemoryError, *families())) and not _lacks_memory(error):
            raise
        leave(f"error: {describe(error)}", BAD_INPUT, error)


@contextmanager
def stopping(command: Any) -> Iterator[None]:
    """Says what a stop by Ctrl+C or SIGTERM means for a command: its `stops`, when it happens."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.args = (getattr(command, "stops", STOPS),)
        raise


def leave(line: str, status: int, error: BaseException) -> NoReturn:
    """Ends with one line on stderr, of which one process on a machine is enough."""
    if not speaks(error):
        if status != BAD_INPUT:
            sys.exit(status)
        # torchrun ends all processes once one has left: this one, when the first has spoken; the first, before it has,
        # if this one did not wait. Nobody ends it where the mistake is its own.
        time.sleep(PATIENCE)
    print(f"daml: {plain(line)}", file=sys.stderr)
    sys.exit(status)


def speaks(error: BaseException) -> bool:
    """Of the processes that torchrun has started on this machine, the first says what ends all of them, such as bad
    input; once they have joined, the one that ends first does.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        return True
    distributed = sys.modules.get("daml.distributed")  # in use, or nobody has joined
    return distributed is not None and distributed.spoke_first(error)


def families() -> tuple[type[Exception], ...]:
    """The errors of the packages that are in use: what was never imported was not raised, and takes no time."""
    return tuple(
        getattr(sys.modules[module], name)
        for module, names in FAMILIES.items()
        if module in sys.modules
        for name in names
    )


def describe(error: Exception) -> str:
    """What, got and allowed, of errors that do not say it themselves, too."""
    if isinstance(error, OSError) and error.strerror:
        where = "files" if error.filename is None else os.fsdecode(error.filename)
        return f"{where}: got {error.strerror!r}, allowed what can be read and written"
    if isinstance(error, MemoryError) or _lacks_memory(error):
        return f"memory: got more to hold than there is ({str(error) or type(error).__name__}), allowed less"
    return str(error) or type(error).__name__


def plain(text: object) -> str:
    """Text on one line, without the control codes that a name or a file might have."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(text).splitlines()))


def _lacks_memory(error: Exception) -> bool:
    """torch has an error of its own for a GPU's memory, and none for that of the CPU."""
    text = str(error)
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "out of memory" in text)


def _unread() -> bool:
    """Whether the reader of stdout is gone; taken for granted where the system cannot say it."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(sys.stdout, 0)  # for errors, which are always told
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGINT and SIGTERM as exceptions, but for one that is ignored, as `nohup` and `&` have it."""
    meant = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, _stop) for each in meant}
    try:
        yield
    finally:
        for each, handler in before.items():
            if signal.getsignal(each) is _stop:  # else it is ignored, until the processes of a run have ended
                signal.signal(each, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    warnings.simplefilter("ignore")  # torch tells at length what was interrupted
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
