"""`daml train`: what it is given is checked before a run begins, and what came out is said before it is kept."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from command_line import refused

from agents.evaluation import Report, shown_to
from agents.policies import PolicyConfig, load_policy
from agents.presets import PRESETS
from agents.view import REACHING
from daml import save_state
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


@pytest.mark.parametrize(
    ("begin_with", "says"),
    [
        (
            "reach",
            "begin-with: got 'reach', a policy of the preset 'temporal' for reach, allowed one with parameters of",
        ),
        ("nowhere", "policy: got nowhere"),
    ],
)
def test_a_policy_to_begin_with_is_looked_at_before_the_run_begins(  # type: ignore[no-untyped-def]
    begin_with, says, tmp_path, monkeypatch, capsys
) -> None:
    words = ["train", "--preset", "precise", "--begin-with", begin_with, "--out", tmp_path / "out"]
    assert refused(words, tmp_path, monkeypatch, capsys).startswith(says)


def test_a_run_begins_with_the_parameters_of_a_policy_and_goes_on_with_its_own(tmp_path: Path) -> None:
    run = Train(begin_with="reach", out=tmp_path).settled()
    there, begun = load_policy("reach").meta, run.state(PRESETS["temporal"], REACHING, "cpu")
    assert all(torch.equal(begun.meta[group][name], t) for group, params in there.items() for name, t in params.items())
    begun.meta["theta"]["query"].data.fill_(7.0)
    save_state(tmp_path / runs.CHECKPOINT, begun)
    assert run.state(PRESETS["temporal"], REACHING, "cpu").meta["theta"]["query"].eq(7).all()


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


def test_a_run_on_seen_pairs_trains_and_validates_on_no_other_and_says_so(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    asked: list[str] = []
    kept: list[PolicyConfig] = []
    monkeypatch.setattr("agents.datasets.SetTasks", lambda *of, pairs, **options: asked.append(pairs) or NoTasks())
    monkeypatch.setattr("agents.training.rollouts", lambda *of, pairs, **options: asked.append(pairs))
    monkeypatch.setattr("agents.policies.save_policy", lambda folder, meta, config: kept.append(config))
    monkeypatch.setattr("scripts.train.draw_curve", lambda *of: None)
    data = create(tmp_path / "data", describe("daml/Act-v0", "train", 0, 1, 64))
    (data.folder / "done" / "0").touch()
    (tmp_path / "log.jsonl").write_text(json.dumps({"step": 1, "seconds": 60.0}) + "\n")
    run = Train(env="act", pairs="seen", out=tmp_path, data=data.folder).settled()
    runs.begin(run)
    sizes, _ = run.opened(PRESETS["temporal"], "cpu")
    run.validation(PRESETS["temporal"], sizes, SimpleNamespace())
    assert asked == ["seen", "seen"]
    monkeypatch.setattr(Train, "rollouts", lambda *of: {})
    run.finish(PRESETS["temporal"], sizes, SimpleNamespace(datasets=[data]), {}, "cpu")
    assert [config.pairs for config in kept] == ["seen"]
    assert "--pairs seen" in kept[0].command


class NoTasks:
    """Of a dataset."""

    def goals_a_set(self, n_tasks: int) -> int:
        return n_tasks
