"""`daml sweep` and `daml compare`: the conditions are what their names say, and the tables agree with their JSON."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.errors import AgentError
from agents.evaluation import SHOWN, Report, evaluate_preset, shown_in, shown_to
from agents.policies import PolicyConfig, StoredPolicy, bundled, load_policy
from agents.presets import PRESETS
from agents.view import REACHING
from agents.workers import here
from scripts.compare import Compare
from scripts.inputs import InputError
from scripts.sweep import SWEEPS, Condition, Sweep, suited, tells

box = pytest.mark.skipif("reach" not in bundled(), reason="there is no policy in the box")


def fresh(preset: str = "fast") -> StoredPolicy:
    meta = PRESETS[preset].imitator(1).learner.init(torch.Generator().manual_seed(0))
    return StoredPolicy(meta, PolicyConfig("reach", preset, REACHING, 0, 1, 1, "daml train", 0.1, "a test"))


def ends(condition: Condition) -> np.ndarray:
    return Sweep("controls", tasks=1, seed=0).evaluate(condition, fresh(), here).distances


@pytest.mark.parametrize("what", SWEEPS)
def test_every_row_has_a_name_of_its_own_and_one_is_the_usual(what: str) -> None:
    rows = list(SWEEPS[what]("reach"))
    assert len({row.name for row in rows}) == len(rows) > 5
    plain = [row for row in rows if (row.rates, row.video, row.videos, row.gap) == ({}, "human", 1, ())]
    assert len([row for row in plain if row.inner_steps in (None, 1)]) == 1


def test_controls_are_all_that_can_be_shown() -> None:
    assert {row.name for row in SWEEPS["controls"]("reach")} == set(shown_in("daml/Reach-v0")) < set(SHOWN)
    acting, sorting = ({row.name for row in SWEEPS["controls"](env)} for env in ("act", "sort"))
    assert acting | sorting == set(SHOWN)
    assert acting - sorting == {"wrong-verb"}
    assert "wrong-container" in sorting - acting


def test_a_table_has_the_levels_that_its_environment_has() -> None:
    assert {row.name for row in SWEEPS["gaps"]("reach")} - {row.name for row in SWEEPS["gaps"]("push")} == {
        "distractors=1",
        "distractors=2",
    }


def test_seen_and_held_out_pairs_are_rows_where_they_are_told_apart(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    asked: list[str] = []
    monkeypatch.setattr("agents.evaluation.evaluate", lambda policy, *, pairs, **options: asked.append(pairs))
    acting, reaching = (list(SWEEPS["gaps"](env)) for env in ("act", "reach"))
    for condition in (acting[0], *acting[-2:]):
        Sweep("gaps").evaluate(condition, fresh(), here)
    assert asked == ["all", "seen", "held-out"]
    assert [condition.name for condition in acting[-2:]] == ["seen pairs", "held-out pairs"]
    assert {condition.pairs for condition in reaching} == {"all"}


def test_conditions_change_what_is_evaluated() -> None:
    usual = ends(Condition("usual"))
    assert np.array_equal(ends(Condition("rates as they are", rates={"": 1.0})), usual)
    assert np.array_equal(ends(Condition("none", rates={"": 0.0})), ends(Condition("none", inner_steps=0)))
    for other in (
        Condition("none", inner_steps=0),
        Condition("head", rates={"query": 0.0}),
        Condition("three", videos=3),
        Condition("g", gap=("view=3",)),
        Condition("n", gap=("nudge=2",)),
    ):
        assert not np.array_equal(ends(other), usual)


def left_out(what: str, preset: str) -> set[str]:
    return {row.name for row in SWEEPS[what]("reach") if not tells(row, PRESETS[preset], fresh(preset).meta)}


@pytest.mark.parametrize("what", SWEEPS)
@pytest.mark.parametrize("preset", PRESETS)
def test_only_what_changes_something_of_a_policy_is_in_its_table(what: str, preset: str) -> None:
    missing = left_out(what, preset)
    if PRESETS[preset].inner_steps == 0:
        kept = {"3 videos, gradients averaged", "5 videos, gradients averaged"}
        ablations = {row.name for row in SWEEPS["ablations"]("reach")} - kept
        assert missing == {"gaps": set(), "controls": {"none"}, "ablations": ablations}[what]
    elif not fresh(preset).meta.get("rates"):
        assert missing == {row.name for row in SWEEPS[what]("reach") if row.rates}
    else:
        queries = {"only the query adapts", "all but the query adapts"}
        assert missing == (queries if what == "ablations" and "query" not in fresh(preset).meta["rates"] else set())


@pytest.mark.parametrize("preset", ["temporal", "oracle", "mil"])
def test_a_policy_is_shown_what_it_was_meta_trained_on_unless_a_control_says_otherwise(preset: str) -> None:
    shown, meta = PRESETS[preset].shown, fresh(preset).meta
    for what in ("gaps", "ablations"):
        assert {row.video for row in suited(what, "reach", PRESETS[preset], meta)} == {shown}
    controls = {row.name: row.video for row in suited("controls", "reach", PRESETS[preset], meta)}
    assert controls.pop("none") == shown
    assert all(name == video for name, video in controls.items())
    assert set(controls) | {"none"} == set(shown_to(PRESETS[preset], "daml/Reach-v0"))


def test_a_policy_that_learns_from_actions_is_shown_nobody_without() -> None:
    assert shown_to(PRESETS["mil"], "daml/Reach-v0") == ("robot", "none")


def test_rows_that_are_there_are_not_evaluated_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def evaluate(sweep: Sweep, condition: Condition, *policy: object) -> Report:
        done.append(condition.name)
        if len(done) == 3:
            raise KeyboardInterrupt
        return Report(np.ones((3, 1), bool), np.ones((3, 1), bool), np.zeros((3, 1)), 1.0)

    monkeypatch.setattr(Sweep, "evaluate", evaluate)
    monkeypatch.setattr("scripts.sweep.policy_for", lambda env, name: fresh("fast"))
    sweep = Sweep("controls", quick=True, out=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        sweep.run()
    sweep.run()
    assert len(done) == 1 + len(set(done)), "only the row amid which it was stopped is done twice"
    before = (tmp_path / "controls-reach.json").read_bytes()
    sweep.run()
    with pytest.raises(InputError, match=r"seed: got 2, allowed 1, as .*controls-reach.json has"):
        replace(sweep, seed=2).run()
    monkeypatch.setattr("scripts.sweep.policy_for", lambda env, name: fresh("both"))
    with pytest.raises(InputError, match="parameters: got"):
        sweep.run()
    assert (tmp_path / "controls-reach.json").read_bytes() == before
    assert len(done) == 1 + len(set(done))


def test_a_policy_without_learned_rates_is_evaluated_as_it_is() -> None:
    one, two = (Sweep("gaps", tasks=1, seed=0).evaluate(Condition("c"), fresh("paper"), here) for _ in range(2))
    assert np.array_equal(one.distances, two.distances)
    assert np.isfinite(one.distances).all()


def test_no_adaptation_is_refused_where_there_is_none_anyway() -> None:
    stored = fresh("contextual")
    options = {"sizes": REACHING, "env_id": "daml/Reach-v0", "split": "test", "tasks": 1, "trials": 1, "seed": 0}
    assert set(shown_in("daml/Reach-v0")) - set(shown_to(stored.preset, "daml/Reach-v0")) == {"none"}
    with pytest.raises(AgentError, match=r"video: got 'none', .* for a policy that takes no inner step"):
        evaluate_preset(stored.preset, stored.meta, video="none", **options)


@pytest.mark.slow
def test_a_row_is_printed_before_it_is_written(tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def fail(path: Path, value: object) -> None:
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr("scripts.sweep.write_json", fail)
    monkeypatch.setattr("scripts.sweep.policy_for", lambda env, name: fresh())
    with pytest.raises(OSError, match="No space left"):
        Sweep("gaps", quick=True, out=tmp_path).run()
    assert "as in meta-training       " in capsys.readouterr().out


@box
@pytest.mark.slow
def test_a_sweep_writes_what_it_prints(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    Sweep("ablations", quick=True, out=tmp_path).run()
    rows = json.loads((tmp_path / "ablations-reach.json").read_text())["rows"]
    printed = capsys.readouterr().out
    for name, row in rows.items():
        assert f"{name:24s}  {row['success']:7.3f}" in printed
    assert rows["1 inner steps"]["success"] > rows["0 inner steps"]["success"]
    assert (tmp_path / "ablations-reach.png").stat().st_size > 5000


@box
@pytest.mark.slow
def test_a_policy_is_as_good_as_itself(tmp_path: Path) -> None:
    Compare(a=("reach",), b=("reach",), tasks=6, json=tmp_path / "c.json").run()
    result = json.loads((tmp_path / "c.json").read_text())
    assert result["difference"]["mean"] == 0
    assert result["a"]["success"] == result["b"]["success"] > 0.5
    assert load_policy("reach").config.env == result["env"]
