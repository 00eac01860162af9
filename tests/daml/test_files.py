"""Files are there whole or not at all."""

import errno
import json
import math
import os

import pytest
import torch

from daml import JsonlLog, save
from daml.files import beside, write_json, write_text

WRITERS = {
    "text": lambda path: write_text(path, "new"),
    "JSON": lambda path: write_json(path, {"new": 1}),
    "a checkpoint": lambda path: save(path, {"new": torch.ones(1)}),
    "a log": lambda path: JsonlLog(path).close(),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(write, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises((OSError, ValueError), match="No space left on device"):
        write(tmp_path / "a")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_a_killed_process_left_is_no_hindrance(write, tmp_path):
    with beside(tmp_path / "a") as left:
        left.touch()
    left.write_text("half a fi")
    write(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_fails_while_it_is_written_leaves_nothing(tmp_path):
    def fail(path):
        with beside(path) as part:
            part.write_text("half a fi")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_json_is_strict_and_its_folder_is_made(tmp_path):
    write_json(tmp_path / "new" / "x.json", {"a": [math.nan, (1.5, -math.inf)], "b": "NaN"})
    assert json.loads((tmp_path / "new" / "x.json").read_text()) == {"a": [None, [1.5, None]], "b": "NaN"}
