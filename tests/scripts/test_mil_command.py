"""`daml mil-reach` on scenes of its own."""

import json

import pytest

from tests.envs.mil_files import write_archives
from tests.scripts.command_line import ends, refused


@pytest.mark.slow
def test_a_quick_run_writes_what_came_out(tmp_path, monkeypatch, capsys):
    root = write_archives(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["mil-reach", "--root", root, "--quick", "--demos", "demos", "--out", "run"]
    status, _, err = ends(words, monkeypatch, capsys)
    assert (status, err) == (0, "")
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert set(results["rows"]) == {"mil", "random", "expert"}
    assert results["rows"]["expert"]["success"]["rate"] == 1
    status, _, err = ends(words, monkeypatch, capsys)
    assert status == 2
    assert "--resume" in err


def test_a_root_without_scenes_ends_in_one_line(tmp_path, monkeypatch, capsys):
    said = refused(["mil-reach", "--root", tmp_path], tmp_path, monkeypatch, capsys)
    assert said.startswith(f"root: got {tmp_path} (")
    assert "train.tar.xz" in said
