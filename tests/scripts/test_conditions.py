"""`daml conditions`: what changes something of a policy, each once, and presets are paired under the same condition."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from test_methods import outcome

from agents.evaluation import Report
from agents.presets import PRESETS
from agents.training import new_state
from agents.view import REACHING
from daml import save_state
from scripts import runs
from scripts.common import write_json
from scripts.conditions import USUAL, Conditions, conditions, markdown, rows_of
from scripts.trainings import Trainings


def names(preset: str) -> list[str]:
    meta = new_state(PRESETS[preset], REACHING, 0, "cpu").meta
    return [condition.name for condition in conditions(PRESETS[preset], meta)]


def test_only_a_policy_that_takes_inner_steps_has_other_numbers_of_them() -> None:
    gaps = [f"{name}={level}" for name in ("view", "table", "side", "all") for level in (2, 3)]
    assert names("contextual") == [USUAL, "3 videos", "5 videos", *gaps]
    assert names("temporal") == [USUAL, "3 videos", "5 videos", "2 inner steps", "5 inner steps", *gaps]
    assert "1 inner steps" in names("temporal-2")
    assert "2 inner steps" not in names("temporal-2")


@pytest.mark.parametrize("preset", ["oracle", "mil"])
def test_a_preset_is_shown_what_it_is_always_shown(preset: str) -> None:
    meta = new_state(PRESETS[preset], REACHING, 0, "cpu").meta
    assert {condition.video for condition in conditions(PRESETS[preset], meta)} == {PRESETS[preset].shown}


def test_differences_are_between_presets_under_the_same_condition() -> None:
    said = {("temporal", USUAL): [1, 1, 1, 0], ("lstm", USUAL): [1, 0, 0, 0], ("temporal", "all=3"): [0, 0, 1, 0]}
    said |= {("lstm", "all=3"): [1, 0, 1, 0]}
    rows = rows_of([outcome(preset, 0, one) | {"condition": name} for (preset, name), one in said.items()])
    gaps = {(row["condition"], row["preset"]): row.get("difference", {}).get("mean") for row in rows}
    assert gaps == {
        (USUAL, "temporal"): None,
        (USUAL, "lstm"): -0.5,
        ("all=3", "temporal"): None,
        ("all=3", "lstm"): 0.25,
    }
    text = markdown(rows[:3])
    assert "| all=3 | 0.25, 0.25 |  |" in text
    assert f"| {USUAL} | 0.75, 0.75 | 0.25, 0.25; -0.50 (" in text


def test_every_row_is_evaluated_once_with_the_trained_parameters(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    write_json(tmp_path / "methods.json", {"trainings": [outcome(preset, 0, [1]) for preset in ("temporal", "oracle")]})
    for training in Conditions(out=tmp_path).trainings():
        state = new_state(training.its_preset(), REACHING, 3, "cpu")
        state.step = 1
        folder = Trainings(tmp_path, tmp_path, ()).run(training).folder
        folder.mkdir(exist_ok=True)
        save_state(folder / runs.CHECKPOINT, state)
    asked: list[str] = []

    def evaluated(condition, preset, meta, *, tasks, **options):  # type: ignore[no-untyped-def]
        assert meta["theta"]["fc1.w"].equal(state.meta["theta"]["fc1.w"])
        asked.append(condition.name)
        done = np.array([[len(asked) % 2 == 1]] * tasks)
        return Report(done, done, done.astype(float), 1.0)

    monkeypatch.setattr("scripts.conditions.evaluate_under", evaluated)
    Conditions(out=tmp_path, tasks=2).run()
    assert asked == names("temporal") + names("oracle")
    Conditions(out=tmp_path, tasks=2).run()
    assert len(asked) == 2 * len(names("temporal"))
    assert len(json.loads((tmp_path / "conditions.json").read_text())["rows"]) == len(asked)
    said = refused(["conditions", "--out", tmp_path, "--tasks", "3"], tmp_path, monkeypatch, capsys)
    assert said.startswith("tasks: got 3, allowed 2, as ")


def test_a_folder_without_a_table_is_refused(tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    said = refused(["conditions", "--out", tmp_path], tmp_path, monkeypatch, capsys)
    assert said.startswith(f"out: got {tmp_path} (")
    assert said.endswith("allowed one of `daml methods`")


def test_a_training_at_another_rate_is_not_taken_for_the_one_that_was_evaluated(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    row = {"env": "reach", "preset": "temporal", "seed": 0, "condition": USUAL, "successes": [[1]], "nearest": [[1]]}
    write_json(tmp_path / "conditions.json", {"tasks": 1, "outcomes": [row]})
    write_json(tmp_path / "methods.json", {"trainings": [outcome("temporal", 0, [1]) | {"learning_rate": 4e-3}]})
    said = refused(["conditions", "--out", tmp_path, "--tasks", "1"], tmp_path, monkeypatch, capsys)
    assert "got temporal at the learning rate 0.002, allowed 0.004" in said
