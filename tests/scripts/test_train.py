"""`daml train`: what it is given is checked before a run begins, and what came out is said before it is kept."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import refused

from agents.evaluation import Report, shown_to
from agents.presets import PRESETS
from agents.view import REACHING
from demos.collect import describe
from demos.storage import create
from scripts import runs
from scripts.train import Train


def test_images_of_another_size_are_refused_before_the_run_begins(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    create(tmp_path / "data", describe("daml/Reach-v0", "train", 0, 1, 16))
    (tmp_path / "data" / "done" / "0").touch()
    words = ["train", "--data", tmp_path / "data", "--out", tmp_path / "out"]
    said = refused(words, tmp_path, monkeypatch, capsys)
    assert said.startswith(f"data {tmp_path / 'data'}: got images of 16 px, allowed 64 px")


@pytest.mark.parametrize("preset", ["temporal", "contextual", "mil"])
def test_results_are_printed_before_they_are_written(preset: str, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    shown: list[str] = []

    def evaluated(preset, meta, *, video, **options) -> Report:  # type: ignore[no-untyped-def]
        assert video in shown_to(preset, options["env_id"])
        shown.append(video)
        outcome = np.array([[True], [False]])
        return Report(outcome, outcome, outcome.astype(float), 1.0)

    def full(folder: Path, *content: object) -> None:
        raise OSError(28, "No space left on device", folder)

    monkeypatch.setattr("agents.evaluation.evaluate_preset", evaluated)
    monkeypatch.setattr("agents.policies.save_policy", full)
    (tmp_path / "log.jsonl").write_text(json.dumps({"step": 1, "seconds": 60.0}) + "\n")
    tasks = SimpleNamespace(datasets=[SimpleNamespace(info=describe("daml/Reach-v0", "train", 0, 8, 64))])
    run = Train(preset=preset, out=tmp_path).settled()
    runs.begin(run)
    with pytest.raises(OSError, match="No space left"):
        run.finish(PRESETS[preset], REACHING, tasks, {}, "cpu")
    assert "reach: success on meta-test objects 0.500" in capsys.readouterr().out
    assert ("none" in shown) == (PRESETS[preset].inner_steps > 0)
