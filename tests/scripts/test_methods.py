"""`daml methods`: every training is done once, and the table is what its outcomes say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import ends, refused

from agents.datasets import sizes_in
from agents.errors import AgentError
from agents.evaluation import Report
from agents.statistics import paired_difference
from agents.training import new_state
from agents.view import REACHING
from daml import save_state
from demos.skills import SKILLS, find_skill
from scripts import runs
from scripts.common import write_json
from scripts.inputs import InputError
from scripts.methods import Methods
from scripts.methods_table import markdown, table
from scripts.rates import best_of
from scripts.train import Train
from scripts.trainings import Trainings, name_of


def outcome(preset: str, seed: int, successes: list[int]) -> dict:
    trials = [[success] for success in successes]
    said = {"env": "reach", "preset": preset, "seed": seed, "steps": 1, "sets": 1, "minutes": 1.0}
    return said | {"learning_rate": 2e-3, "successes": trials, "nearest": trials}


def test_a_row_is_the_mean_over_trainings_and_its_paired_difference_from_the_method() -> None:
    base = [outcome("temporal", 0, [1, 1, 1, 0]), outcome("temporal", 1, [1, 1, 1, 1])]
    other = [outcome("lstm", 0, [0, 0, 1, 0]), outcome("lstm", 1, [1, 0, 0, 0])]
    method, row = table(base + other)
    assert "difference" not in method
    assert method["success"] == 7 / 8
    assert row["each"] == [1 / 4, 1 / 4]
    assert row["trainings"] == 2
    stacks = [np.array([one["successes"] for one in group], float) for group in (base, other)]
    assert row["difference"]["mean"] == paired_difference(*stacks).mean == -5 / 8
    text = markdown([method, row])
    assert "-0.625" in text
    assert len(text.splitlines()) == 4


REFUSED = [
    (["--presets", "temporal", "slow"], "preset: got 'slow'"),
    (["--presets", "temporal", "slow", "--quick"], "preset: got 'slow'"),
    (["--presets", "temporal", "slow", "--steps", "3"], "preset: got 'slow'"),
    (["--presets", "temporal", "slow", "--rates", "0.001"], "preset: got 'slow'"),
    (["--rates", "0.001", "1.5"], "rates: got 1.5, allowed more than 0 and less than 1"),
    (["--envs", "reach", "fly"], "env: got 'fly'"),
    (["--presets", "temporal", "paper"], "presets on one dataset: got images of [64, 100] px"),
]


@pytest.mark.parametrize(
    ("words", "what"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_every_training_is_checked_before_the_first(words, what, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    assert what in refused(["methods", *words, "--out", tmp_path / "out"], tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("steps", [5, 7])
def test_a_training_that_was_stopped_is_not_made_longer_or_shorter(steps, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "reach-temporal-0"
    runs.begin(Train(steps=6, sets=8, out=folder).settled())
    words = ["methods", "--presets", "temporal", "oracle", "--sets", "8", "--seeds", "1", "--out", tmp_path]
    said = refused([*words, "--steps", steps], tmp_path, monkeypatch, capsys)
    assert said.startswith(f"steps: got {steps}, allowed 6")
    Methods(presets=("temporal",), sets=8, out=tmp_path).check([Train(steps=6, sets=8)])


def test_what_came_of_a_training_is_printed_before_it_is_written(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def fail(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr("agents.policies.write_text", fail)
    monkeypatch.setattr(Trainings, "train", lambda self, training, split: outcome("temporal", 0, [1, 0, 1, 1]))
    status, said, _ = ends(["methods", "--presets", "temporal", "--out", tmp_path], monkeypatch, capsys)
    assert status == 2
    assert "reach-temporal-0: success 0.750, right object 0.750" in said


def faked(successes: dict[float, list[int]], seen: list[str]):  # type: ignore[no-untyped-def]
    """In the place of `Trainings.train`: what comes of each learning rate, by evaluation tasks."""

    def train(self: Trainings, training: Train, split: str) -> dict:
        preset = training.its_preset()
        seen.append(f"{self.folder.name}/{name_of(training)} {split}")
        trials = [[one] for one in successes[preset.learning_rate][: training.eval_tasks]]
        said = {"env": training.env, "preset": training.preset, "seed": training.seed, "steps": preset.steps}
        said |= {"sets": training.sets, "learning_rate": preset.learning_rate, "minutes": 1.0}
        return said | {"successes": trials, "nearest": trials}

    return train


@pytest.mark.parametrize(("best", "suffix"), [(2e-3, ""), (4e-3, "-0.004")])
def test_the_rate_that_validates_best_is_taken_for_all_seeds(best, suffix, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    seen: list[str] = []
    rates = {1e-3: [1, 0, 0], 2e-3: [1, 0, 0], 4e-3: [1, 0, 0]} | {best: [1, 1, 0]}
    monkeypatch.setattr(Trainings, "train", faked(rates, seen))
    options = {"presets": ("temporal", "oracle"), "seeds": 2, "out": tmp_path / "out", "quick": True}
    Methods(rates=tuple(rates), **options).run()
    tries = ["rates/reach-temporal-0-0.001 val", "rates/reach-temporal-0 val", "rates/reach-temporal-0-0.004 val"]
    assert seen[:3] == tries  # once, for the oracle, too
    assert seen[3:] == [f"out/reach-{of}-{seed}{suffix} test" for seed in (0, 1) for of in ("temporal", "oracle")]
    rows = json.loads((tmp_path / "out" / "methods.json").read_text())["rows"]
    assert [row["learning_rate"] for row in rows] == [best, best]
    assert [one["success"] for one in rows[0]["rates"]["tried"]] == [sum(rates[rate]) / 3 for rate in rates]
    assert f"| {best:g} (0.001: 0.33, 0.002: " in (tmp_path / "out" / "methods.md").read_text()
    Methods(**options).run()
    assert len(seen) == (7 if best == 2e-3 else 11)  # the preset's own rate is a training as without --rates


def test_a_rate_is_good_by_success_and_by_the_right_object() -> None:
    rates = [(1e-3, 0.5, 0.5), (2e-3, 0.5, 0.7), (4e-3, 0.6, 0.6), (8e-3, 0.4, 0.7)]
    assert best_of([{"rate": rate, "success": success, "nearest": near} for rate, success, near in rates]) == 2e-3


def test_a_training_that_an_earlier_version_began_goes_on_and_only_with_its_rate(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path, tmp_path, ())
    run = trainings.run(Train(steps=6, sets=8))
    runs.begin(run)
    settings = json.loads((run.folder / runs.SETTINGS).read_text())
    del settings["learning_rate"]
    (run.folder / runs.SETTINGS).write_text(json.dumps(settings))
    again = trainings.run(Train(steps=6, sets=8, learning_rate=2e-3))
    assert again == replace(run, resume=True)
    trainings.check(Train(steps=6, sets=8))
    with pytest.raises(InputError, match=r"got {'learning_rate': '0.004'}, allowed {'learning_rate': 'None'}"):
        runs.check(replace(again, learning_rate=4e-3))


def forget(path: Path) -> None:
    """Leaves an outcome as an earlier version wrote it."""
    new = ("learning_rate", "train_successes", "train_nearest")
    path.write_text(
        json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name not in new})
    )


def test_an_outcome_is_completed_from_its_checkpoint_and_only_from_that_training(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    trainings, training = Trainings(tmp_path, tmp_path, ()), Train(steps=1, sets=1, eval_tasks=4)
    there = trainings.run(training).folder
    write_json(tmp_path / f"{name_of(training)}.json", outcome("temporal", 0, [1, 0, 1, 1]))
    forget(tmp_path / f"{name_of(training)}.json")
    assert "train_successes" not in trainings.outcome_and_memory(training)  # there is no checkpoint
    state = new_state(training.its_preset(), REACHING, 7, "cpu")
    state.step = 1
    there.mkdir()
    save_state(there / runs.CHECKPOINT, state)
    asked = []

    def evaluated(training, sizes, meta, **options):  # type: ignore[no-untyped-def]
        assert torch.equal(meta["theta"]["fc1.w"], state.meta["theta"]["fc1.w"])
        asked.append(options)
        done = np.array([[True]] * options["tasks"])
        return Report(done, done, done.astype(float), 1.0)

    monkeypatch.setattr("scripts.trainings.evaluated", evaluated)
    for _ in range(2):
        assert trainings.outcome_and_memory(training)["train_successes"] == [[1]] * 3
    assert asked == [{"split": "train", "tasks": 3, "seed": 0, "on": "processes"}]  # all that a set has, and once
    state.step = 2
    save_state(there / runs.CHECKPOINT, state)
    with pytest.raises(AgentError, match="got 2 meta-steps, allowed 1"):
        trainings.trained(training)


def test_an_outcome_at_another_rate_is_not_taken_for_this_one(tmp_path: Path) -> None:
    training = Train(steps=1, sets=1, eval_tasks=4)
    said = outcome("temporal", 0, [1, 0, 1, 1]) | {"learning_rate": 9e-4}
    write_json(tmp_path / f"{name_of(training)}.json", said)
    with pytest.raises(AgentError, match=r"got .*'learning_rate': 0.0009.*, allowed .*'learning_rate': 0.002"):
        Trainings(tmp_path, tmp_path, ()).found(training)


@pytest.mark.parametrize("env_id", SKILLS)
def test_a_checkpoint_is_read_with_the_sizes_of_its_data(env_id: str) -> None:
    assert sizes_in(env_id).told == find_skill(env_id).n_told


def test_nothing_is_trained_or_counted_twice() -> None:
    found = Methods(envs=("reach", "reach"), presets=("temporal", "pointer", "pointer"), seeds=1).trainings()
    assert [training.preset for training in found] == ["temporal", "pointer"]


@pytest.mark.slow
def test_a_smoke_run_trains_each_once_and_goes_on_where_it_was(tmp_path: Path) -> None:
    options = {"presets": ("temporal", "oracle", "hand-written"), "out": tmp_path, "quick": True}
    Methods(seeds=1, **options).run()
    first = json.loads((tmp_path / "methods.json").read_text())
    assert [row["preset"] for row in first["rows"]] == ["temporal", "oracle", "hand-written"]
    log = (tmp_path / "reach-temporal-0" / "log.jsonl").stat().st_mtime_ns
    assert not (tmp_path / "reach-oracle-0").exists()
    forget(tmp_path / "reach-temporal-0.json")
    Methods(seeds=2, **options).run()
    both = json.loads((tmp_path / "methods.json").read_text())
    assert both["trainings"][:3] == first["trainings"]
    assert [row["trainings"] for row in both["rows"]] == [2, 2, 2]
    assert (tmp_path / "reach-temporal-0" / "log.jsonl").stat().st_mtime_ns == log
    assert (tmp_path / "methods.png").stat().st_size > 5_000
    with pytest.raises(AgentError, match=r"got {'steps': 6, .* allowed {'steps': 7"):
        Methods(**options | {"quick": False, "steps": 7, "sets": 8}).run()
