"""The commands for tests: every one of them, and ways to run one in this process and in others."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

import pytest

from scripts import cli

FILLED: dict[str, Any] = {
    "video": "film.mp4",
    "a": "reach",
    "b": "push",
    "episode": "recordings",
    "what": "gaps",
    "robot": "robot",
    "pairs": "pairs.csv",
}
"""For fields that have no default."""


ROOT = Path(__file__).parents[2]
DAML = (sys.executable, "-m", "daml_command")
TORCHRUN = (
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--nproc-per-node",
    "2",
    *DAML[1:],
)
"""Starts of commands: alone, and in two processes."""


class Leaf(NamedTuple):
    """A command without others inside it. words: that call for it, with all that it needs."""

    kind: type
    words: list[str]


def leaves(union: Any = cli.Command, before: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every command, `bench render` and the like, too."""
    for hint in get_args(union):
        kind, words = hint.__origin__, [*before, hint.__metadata__[0].name]
        inside = get_type_hints(kind, include_extras=True).get("what")
        if inside is not None and any(map(dataclasses.is_dataclass, get_args(get_args(inside)[0]))):
            yield from leaves(inside, tuple(words))
            continue
        for field in dataclasses.fields(kind):
            if field.default is dataclasses.MISSING:
                named = field.name not in ("what", "episode")
                words += [*([f"--{field.name}"] if named else []), FILLED[field.name]]
        yield Leaf(kind, words)


LEAVES = list(leaves())


def ends(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Runs `daml` in this process; exit status, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["daml", *map(str, words)])
    capsys.readouterr()
    try:
        cli.main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def refused(
    words: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What a command says that is refused: one line, with exit status 2, and nothing is written where it runs."""
    there = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    status, out, err = ends(words, monkeypatch, capsys)
    assert (status, out, err.count("\n")) == (2, "", 1), (status, out, err)
    assert err.startswith("daml: error: ")
    assert sorted(tmp_path.rglob("*")) == there
    return err.removeprefix("daml: error: ").strip()


@contextmanager
def started(*command: str, **environment: str) -> Iterator[subprocess.Popen]:
    """A command at work, in a session of its own. None of its processes is left, whatever comes of the test."""
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
