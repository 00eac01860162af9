"""However a command ends: one line and an exit status."""

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import DAML, LEAVES, ROOT, Leaf, ends, started

from scripts.endings import PATIENCE, Terminated, ending, plain


def allocate() -> None:
    import torch

    torch.empty(2**60)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "a/b.json"),
            "a/b.json: got 'No space left on device', allow",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "files: got 'No space left on device', allowed what can"),
        (PermissionError(errno.EACCES, "Permission denied", b"\xff[/b]"), "?[/b]: got 'Permission denied', all"),
        (MemoryError(), "memory: got more to hold than there is (MemoryError), allowed less"),
    ],
    ids=["a full disk", "a full disk somewhere", "a name that is no text", "memory"],
)
@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if len(leaf.words) == 1], ids=lambda leaf: leaf.words[0])
def test_what_the_system_refuses_is_one_line(
    leaf: Leaf, fault: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(self: object) -> None:
        raise fault

    monkeypatch.setattr(leaf.kind, "run", run)
    status, _, err = ends(leaf.words, monkeypatch, capsys)
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"daml: error: {said}")


def test_more_than_fits_into_memory_is_one_line_and_a_fault_of_the_program_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match=r"^2$"), ending():
        allocate()
    assert "memory: got more to hold than there is" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError), ending():
        print(1 / 0)


@pytest.mark.parametrize(("stop", "status"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate"], "the same command begins anew"),
        (["collect"], "the same command goes on"),
        (["methods"], "the same command goes on"),
        (["sinusoid", "--out", "new"], "the same command begins anew"),
        (["train", "--out", "begun"], "--resume goes on; its training has no checkpoint yet"),
        (["fewshot", "--out", "trained"], "--resume goes on from the last checkpoint"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_stop_says_what_is_true_of_the_command(words, said, stop, status, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def run(self: object) -> None:
        raise stop

    monkeypatch.chdir(tmp_path)
    for folder, names in {"begun": ["run.json"], "trained": ["run.json", "checkpoint.safetensors"]}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    (leaf,) = (leaf for leaf in LEAVES if leaf.words == words[:1])
    monkeypatch.setattr(leaf.kind, "run", run)
    assert ends(words, monkeypatch, capsys) == (status, "", f"daml: stopped: {said}\n")


@pytest.mark.parametrize(("rank", "first", "speaks"), [("0", False, True), ("1", False, False), ("1", True, True)])
@pytest.mark.parametrize(
    "end", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")], ids=lambda end: type(end).__name__
)
def test_of_several_processes_one_speaks(end, rank, first, speaks, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """Before they have joined the first one; then the first to end, which tells by a note on its error.

    The others wait for it to say what is wrong, and then say it themselves.
    """
    from daml.distributed import FIRST

    error = type(end)(*end.args)
    if first:
        error.add_note(FIRST)

    def run(self: object) -> None:
        raise error

    monkeypatch.setattr("scripts.fewshot.Fewshot.run", run)
    waits: list[tuple[float, str]] = []
    monkeypatch.setattr("scripts.endings.time.sleep", lambda seconds: waits.append((seconds, capsys.readouterr().err)))
    monkeypatch.setenv("LOCAL_RANK", rank)
    status, _, err = ends(["fewshot"], monkeypatch, capsys)
    mistake = isinstance(end, OSError)
    assert status == (2 if mistake else 130)
    assert waits == ([] if speaks or not mistake else [(PATIENCE, "")])
    assert err.count("\n") == int(speaks or mistake)


def test_signals_are_as_they_were_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit, match=r"^143$"), ending():
        signal.raise_signal(signal.SIGTERM)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_signal_that_is_ignored_meanwhile_stays_ignored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with ending():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_text_from_outside_stays_on_its_line() -> None:
    assert plain("a\n\033[31mb\x07 [/b] é") == "a ?[31mb? [/b] é"


def test_what_looks_like_markup_is_printed_as_it_is(monkeypatch, capsys, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from scripts.dataset import Export

    def run(self: Export) -> None:
        from scripts.common import console

        console.print(f"exported to {self.out} " + 30 * "far ")

    monkeypatch.setattr(Export, "run", run)
    out = tmp_path / "runs[/b]" / "[final] :smile:"
    status, said, _ = ends(["dataset", "export", "--out", str(out)], monkeypatch, capsys)
    assert (status, said) == (0, f"exported to {out} " + 30 * "far " + "\n")


def test_the_version_is_the_packages(monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    from importlib.metadata import version

    assert ends(["--version"], monkeypatch, capsys) == (0, f"daml {version('daml')}\n", "")


def daml(*words: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*DAML, *map(str, words)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_terminal_that_knows_ascii_only_gets_the_help() -> None:
    done = daml("--help", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "sinusoid" in done.stdout


@pytest.mark.parametrize("words", [["train", "--help"], ["--version"]], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_traceback(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*DAML, *words], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_broken_pipe_to_somebody_else_is_one_line(monkeypatch, capfd) -> None:  # type: ignore[no-untyped-def]
    def run(self: object) -> None:
        print("so far")
        reader, writer = os.pipe()
        os.close(reader)
        os.write(writer, b"to a process that has ended")

    (leaf,) = (leaf for leaf in LEAVES if leaf.words == ["evaluate"])
    monkeypatch.setattr(leaf.kind, "run", run)
    status, out, err = ends(leaf.words, monkeypatch, capfd)
    assert (status, out, err.count("\n")) == (2, "so far\n", 1)
    assert "Broken pipe" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("foo", "MUJOCO_GL: got 'foo' (invalid value for environment variable MUJOCO_GL: foo), allowed 'egl'"),
        ("glfw", "no offscreen OpenGL (glfw: "),
    ],
)
def test_a_renderer_that_is_not_there_is_one_line(backend: str, said: str) -> None:
    words = ("evaluate", "--tasks", 1, "--trials", 1, "--workers", 1)
    done = daml(*words, MUJOCO_GL=backend, DISPLAY="", WAYLAND_DISPLAY="")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def full_disk() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))  # [bytes] of a file: the checkpoint has more


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    words = ["sinusoid", "--steps", "2", "--no-compile", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [*DAML, *words], cwd=ROOT, preexec_fn=full_disk, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "checkpoint.safetensors" in done.stderr


def processes_of(session: int) -> list[str]:
    """Processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = stat.read_text().rsplit(")", 1)
        except OSError:
            continue
        state, _, _, its = fields.split()[:4]
        found += [name] if int(its) == session and state != "Z" else []
    return found


def wait_until(done: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("when", ["starting", "working"])
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)], ids=str
)
def test_a_stop_leaves_no_process_and_no_traceback(number: int, status: int, when: str, tmp_path: Path) -> None:
    """As a terminal and a batch queue do it: SIGINT to all processes of the command, the others to the first."""
    data = tmp_path / "data"
    words = ["collect", "--sets", "500", "--clips", "0", "--workers", "2", "--out", str(data)]
    with started(*DAML, *words) as running:
        if when == "starting":
            wait_until(lambda: len(processes_of(running.pid)) >= 3)
        else:
            wait_until(lambda: any((data / "done").glob("*")))
        (os.killpg if number == signal.SIGINT else os.kill)(running.pid, number)
        _, err = running.communicate(timeout=60)
        assert running.returncode == status
        if number != signal.SIGKILL:  # which leaves nobody to say anything
            assert err == "daml: stopped: the same command goes on\n"
        wait_until(lambda: not processes_of(running.pid), 20)
