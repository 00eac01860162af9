"""Logs: what was written comes back, and a resumed run continues exactly where its checkpoint is."""

import json
import math

import pytest

from daml import CheckpointError, JsonlLog, TensorboardLog, read_log, tee


def test_records_come_back(tmp_path):
    with JsonlLog(tmp_path / "log.jsonl") as log:
        log(1, {"loss": 0.1 + 0.2})
        log(2, {"loss": 1e-300, "eval": 3})
    assert read_log(tmp_path / "log.jsonl") == [{"step": 1, "loss": 0.1 + 0.2}, {"step": 2, "loss": 1e-300, "eval": 3}]


def test_a_line_is_on_disk_before_the_log_is_closed(tmp_path):
    log = JsonlLog(tmp_path / "log.jsonl")
    log(1, {"loss": 1.0})
    assert read_log(tmp_path / "log.jsonl") == [{"step": 1, "loss": 1.0}]
    log.close()


@pytest.mark.parametrize("cut", [0, 1, 9, 24, 25])
def test_a_resumed_log_keeps_what_its_checkpoint_knows(tmp_path, cut):
    path = tmp_path / "log.jsonl"
    with JsonlLog(path) as log:
        for step in (1, 2, 3):
            log(step, {"loss": 0.5})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    with JsonlLog(path, step=2) as log:
        log(3, {"loss": 0.5})
    assert path.read_bytes() == whole


def test_step_zero_starts_anew(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("something else\n")
    JsonlLog(path).close()
    assert path.read_bytes() == b""


def test_what_json_has_no_word_for_becomes_null(tmp_path):
    with JsonlLog(tmp_path / "log.jsonl") as log:
        log(1, {"a": math.nan, "b": math.inf, "c": 1.0})
    assert json.loads((tmp_path / "log.jsonl").read_text()) == {"step": 1, "a": None, "b": None, "c": 1.0}


@pytest.mark.parametrize("content", [b"no json\n{}\n", b'{"loss": 1}\n', b"[1]\n", b"\xff\xfe\n", b'{"step": "1"}\n'])
def test_another_file_is_an_error_and_is_left_alone(tmp_path, content):
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="line 1 of"):
        JsonlLog(path, step=5)
    assert path.read_bytes() == content


def test_a_missing_log_is_empty(tmp_path):
    assert read_log(tmp_path / "log.jsonl") == []


def test_several_logs_are_one(tmp_path):
    seen = []
    tee(lambda *a: seen.append(("x", *a)), lambda *a: seen.append(("y", *a)))(3, {"loss": 1.0})
    assert seen == [("x", 3, {"loss": 1.0}), ("y", 3, {"loss": 1.0})]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_the_same_numbers(tmp_path):
    log = TensorboardLog(tmp_path)
    log(1, {"loss": 0.5})
    log.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 0.5)]
