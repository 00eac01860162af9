"""What is named MODULE:NAME or FILE.py:NAME: found, or one line that says what there is."""

import re
import sys
from pathlib import Path

import pytest

from scripts.imports import NamedPolicy, is_named, named
from scripts.inputs import InputError
from tests.scripts.command_line import ends, refused

EXAMPLE = Path(__file__).parents[2] / "examples/my_policy.py"


def test_a_file_a_module_and_what_is_beside_them_are_found(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "beside_it.py").write_text("NUMBER = 3\n")
    (tmp_path / "a_policy.py").write_text("from beside_it import NUMBER\ndef watch(video): return NUMBER\n")
    assert named(f"{tmp_path / 'a_policy.py'}:watch")(None) == 3
    assert named("a_policy:watch")(None) == 3
    assert named("os.path:join")("a", "b") == "a/b"


def test_a_folder_or_a_short_name_is_none_of_these(tmp_path, monkeypatch) -> None:
    (tmp_path / "runs:1").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not any(map(is_named, (None, "reach", "runs/mine/policy", "runs:1")))
    assert is_named("my_policy:watch")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nowhere.py:watch", "nowhere.py: got no such file"),
        ("no_such_module_at_all:watch", "no_such_module_at_all: got no such module"),
        (f"{EXAMPLE}:wach", "got no 'wach' in .*, allowed one of .*'watch'"),
        (f"{EXAMPLE}:GAIN", "GAIN: got float, allowed a function of a video"),
    ],
)
def test_what_is_not_there_is_one_line(text, said, tmp_path, monkeypatch, capsys) -> None:
    line = refused(["evaluate", "--policy", text], tmp_path, monkeypatch, capsys)
    assert re.search(said, line), line


def test_an_actor_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match="got ndarray for a video, allowed a function"):
        NamedPolicy("numpy:zeros")(3)  # type: ignore[arg-type]


def test_a_size_is_for_a_policy_that_has_none(tmp_path, monkeypatch, capsys) -> None:
    line = refused(["evaluate", "--size", "96"], tmp_path, monkeypatch, capsys)
    assert line.startswith("size: got 96, allowed 64")


@pytest.mark.slow
def test_the_example_finds_the_object_that_the_hand_went_to(monkeypatch, capsys) -> None:
    words = ["evaluate", "--policy", f"{EXAMPLE}:watch", "--tasks", "12", "--trials", "1", "--workers", "2"]
    status, out, _ = ends(words, monkeypatch, capsys)
    assert status == 0
    assert float(out.split("right one ")[1].split()[0]) > 0.75
