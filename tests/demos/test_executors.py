"""Where things run: what is not there is named before anything is done, and all that is there comes to the same."""

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from demos.errors import DemoError
from demos.executors import answer, check, check_shared, executor


def square(number: int) -> int:
    return number**2


@pytest.mark.slow
def test_here_and_in_processes_results_are_in_order() -> None:
    for on in ("here", "processes"):
        with executor(on, 2) as each:
            assert list(each(square, range(9))) == [number**2 for number in range(9)]


def die_once(marker: Path) -> str:
    """Ends its process, amid the work of another one, unless somebody did that before."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return marker.name
    time.sleep(0.5)
    os._exit(1)


@pytest.mark.slow
def test_what_a_process_did_when_it_died_is_done_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["b", "a", "c"]
    with executor("processes", 2) as each:
        results = each(die_once, [tmp_path / name for name in names])
        assert list(each(square, range(9))) == [number**2 for number in range(9)]
        assert list(results) == names
        assert list(each(square, range(9))) == [number**2 for number in range(9)]
    assert set(caplog.messages) == {"process: one ended amid its work, which is done again"}
    assert 2 <= len(caplog.messages) <= 3, "two of them die at once, or not"


def test_here_starts_no_process() -> None:
    before = multiprocessing.active_children()
    with executor("here", 2) as each:
        assert list(each(square, [3])) == [9]
        assert multiprocessing.active_children() == before


def test_ray_is_asked_for_only_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for on in ("here", "processes"):
        check(on)
    said = r"library ray: got none, allowed an installed one: pip install 'daml\[ray\]'"
    with pytest.raises(DemoError, match=said):
        check("ray")
    with pytest.raises(DemoError, match=said), executor("ray", 1):
        pass


@pytest.mark.parametrize("on", ["here", "ray"])
def test_only_processes_are_counted(on, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("demos.executors.library", lambda name, extra: None)
    with pytest.raises(DemoError, match=f"workers: got 2 on {on}, allowed none there"):
        check(on, 2)
    check("processes", 2)


def test_a_cluster_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs pip install 'daml[ray]'")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(DemoError, match=r"ray: got no cluster 127.0.0.1:1 \(.*refused\), allowed"), executor("ray", 1):
        pass


@pytest.mark.parametrize(
    ("blind", "named"), [((), ""), (("b",), "b"), (("a", "b"), "a, b")], ids=["none", "one", "all"]
)
def test_machines_that_do_not_see_a_folder_are_named(blind, named, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "far").mkdir()

    def ask(question: Path) -> dict[str, bool]:
        return {
            name: answer(tmp_path / "far" / question.name if name in blind else question, name) for name in ("a", "b")
        }

    if blind:
        with pytest.raises(DemoError, match=f"folder .*: got one that {named} does not see, allowed one that all"):
            check_shared(tmp_path / "out", ask)
    else:
        check_shared(tmp_path / "out", ask)
    assert [path.name for path in tmp_path.rglob("*")] == ["far"]


def test_a_machine_whose_answer_arrives_elsewhere_does_not_see_the_folder(tmp_path: Path) -> None:
    """It has a file of that name, from a folder that was copied to it."""
    with pytest.raises(DemoError, match="got one that copy does not see"):
        check_shared(tmp_path, lambda question: {"copy": True})
