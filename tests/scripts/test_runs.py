"""A run's folder: never overwritten, gone on with only as the same run, and --resume alone is enough."""

import json
import math
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import LEAVES, ends, refused

from daml import ALONE, read_log
from scripts import cli, runs
from scripts.common import find_policy, write_json
from scripts.fewshot import Fewshot
from scripts.inputs import InputError
from scripts.mil_reach import MilReach
from scripts.progress import training_log
from scripts.sinusoid import Sinusoid
from scripts.train import Train

RUNS = (Train, Sinusoid, Fewshot, MilReach)
OTHER: dict[str, Any] = {
    "env": "push",
    "preset": "lstm",
    "begin_with": "reach",
    "seed": 7,
    "data": Path("elsewhere"),
    "root": Path("elsewhere"),
    "demos": Path("elsewhere"),
    "compile": False,
    "leak": True,
    "rate": 0.5,
    "lr": 0.25,
    "learning_rate": 0.25,
    "pairs": "seen",
    "family": "two-phase",
    "rule": "lstm",
}
"""For settings that are no count."""


def begun(kind: type, folder: Path, **settings: Any) -> Any:
    """A run that is there, as the command was that began it."""
    run = kind(out=folder, **settings)
    run = run.settled() if kind is Train else run
    runs.begin(run)
    return run


def other(kind: type, name: str) -> Any:
    """Another value of a setting than its default."""
    if name == "method":
        return "daml" if kind is Sinusoid else "lstm"
    if name == "data" and kind is Fewshot:
        return "omniglot"
    return OTHER[name] if name in OTHER else runs.defaults(kind)[name] + 1


def settings_of(kind: type) -> list[str]:
    return [name for name in runs.defaults(kind) if name not in ("quick", "steps")]


def option(name: str, value: Any) -> list[str]:
    words = f"--{name.replace('_', '-')}"
    return ([words] if value else [words.replace("--", "--no-", 1)]) if isinstance(value, bool) else [words, str(value)]


def word_of(kind: type) -> str:
    return next(leaf.words[0] for leaf in LEAVES if leaf.kind is kind)


def test_every_command_that_resumes_is_checked_here() -> None:
    assert {leaf.kind for leaf in LEAVES if "resume" in leaf.kind.__dataclass_fields__} == set(RUNS)


CASES = [(kind, name) for kind in RUNS for name in settings_of(kind)]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_is_gone_on_with_has_the_settings_of_the_run(kind: type, name: str, tmp_path: Path) -> None:
    run = begun(kind, tmp_path, steps=5, **{name: other(kind, name)})
    command = cli.parse([word_of(kind), "--resume", "--out", str(tmp_path)])
    assert command == replace(run, resume=True)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_another_setting_is_refused_and_named_even_if_it_is_the_default(kind: type, name: str, tmp_path: Path) -> None:
    default, there = runs.defaults(kind)[name], tmp_path / "there"
    begun(kind, there, steps=5, **{name: other(kind, name)})
    if default is None:
        pytest.skip("no word says that it is not given")
    command = cli.parse([word_of(kind), "--resume", "--out", str(there), *option(name, default)])
    with pytest.raises(InputError) as refusal:
        runs.check(command)
    assert f"got {{'{name}': '{default}'}}, allowed {{'{name}': '{other(kind, name)}'}}" in str(refusal.value)


@pytest.mark.parametrize("there", [runs.SETTINGS, runs.CHECKPOINT, runs.LOG])
@pytest.mark.parametrize("kind", RUNS)
def test_a_run_is_never_overwritten(kind, there, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / there).write_text("precious")
    said = refused([word_of(kind), "--out", tmp_path / "run"], tmp_path, monkeypatch, capsys)
    assert f"run {tmp_path / 'run'}: got a run that is there ({there}), allowed with --resume" in said
    assert (tmp_path / "run" / there).read_text() == "precious"


@pytest.mark.parametrize("text", ["yes", "", "true", "1"])
def test_a_flag_in_a_run_is_true_or_false_and_nothing_else(text: str) -> None:
    assert [runs.from_text(bool, word) for word in ("True", "False")] == [True, False]
    with pytest.raises(ValueError, match=f"^'{text}' instead of True or False$"):
        runs.from_text(bool, text)


@pytest.mark.parametrize("text", [None, "{", "[1]", '{"steps": "many"}', '{"method": "none", "seed": "x"}'])
@pytest.mark.parametrize("kind", RUNS)
def test_there_must_be_a_run_to_go_on_with(kind, text, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    if text:
        (tmp_path / runs.SETTINGS).write_text(text)
    said = refused([word_of(kind), "--resume", "--out", tmp_path], tmp_path, monkeypatch, capsys)
    assert said.startswith(f"run {tmp_path}: got ")
    assert "run.json" in said


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_may_be_made_longer_and_not_shorter(kind: type, tmp_path: Path, capsys: Any) -> None:
    begun(kind, tmp_path, steps=5)
    shorter, longer = (
        cli.parse([word_of(kind), "--resume", "--out", str(tmp_path), "--steps", str(steps)]) for steps in (4, 9)
    )
    with pytest.raises(InputError, match="steps: got 4, allowed 5 or more"):
        runs.check(shorter)
    runs.check(longer)
    runs.begin(longer)
    assert "9 steps instead of 5: from here on the learning rate is that of the longer run" in capsys.readouterr().out
    assert cli.parse([word_of(kind), "--resume", "--out", str(tmp_path)]).steps == 9
    assert " --steps 9 " in (line := runs.command_line("train", longer))
    assert line.endswith(" (begun with --steps 5, then made longer)")


def test_the_preset_decides_how_long_a_run_is_that_does_not_say(tmp_path: Path) -> None:
    run = begun(Train, tmp_path, preset="precise", env="push")
    assert run.steps == 6000
    assert runs.command_line("train", run) == (
        "daml train --env push --preset precise --seed 0 --sets 1200 --steps 6000 --pairs all --eval-tasks 100 "
        "--eval-trials 2"
    )
    quick = Train(quick=True).settled()
    assert (quick.steps, quick.sets, quick.out) == (6, 8, Path("runs/reach"))


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_command_of_a_run_says_all_of_it_whatever_the_defaults_are(kind: type, name: str, tmp_path: Path) -> None:
    run = begun(kind, tmp_path, steps=5, **{name: other(kind, name)})
    words = shlex.split(runs.command_line(word_of(kind), run))
    assert words[:2] == ["daml", word_of(kind)]
    assert cli.parse(words[1:]) == replace(run, out=None)
    said = {word.removeprefix("--").removeprefix("no-").replace("-", "_") for word in words if word.startswith("--")}
    assert said == {setting for setting in runs.settings(run) if getattr(run, setting) is not None}


SHORT = ["--no-compile", "--test-tasks", "20"]


def test_a_longer_run_trains_only_what_is_missing(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    run = ["sinusoid", "--out", str(tmp_path / "run")]
    assert ends([*run, *SHORT, "--steps", "3", "--seed", "5"], monkeypatch, capsys)[0] == 0
    before = read_log(tmp_path / "run" / "log.jsonl")
    before[-1]["seconds"] = 1000.0  # it took long
    (tmp_path / "run" / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in before))
    assert ends([*run, "--resume", "--steps", "5"], monkeypatch, capsys)[0] == 0
    log = read_log(tmp_path / "run" / "log.jsonl")
    assert log[:3] == before
    assert [record["step"] for record in log] == [1, 2, 3, 4, 5]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert min(results["seconds"], log[-1]["seconds"]) > 1000, "with what the process before took"
    config = results["config"]
    assert (config["seed"], config["test_tasks"]) == (5, 20)


def test_a_run_that_is_being_trained_is_left_alone(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    run = ["sinusoid", "--out", str(tmp_path / "run")]
    assert ends([*run, *SHORT, "--steps", "2"], monkeypatch, capsys)[0] == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with runs.held(tmp_path / "run"):
        status, _, err = ends([*run, "--resume", "--steps", "4"], monkeypatch, capsys)
    assert (status, err) == (
        2,
        f"daml: error: run {tmp_path / 'run'}: got one that another process trains, allowed one that none does\n",
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    assert ends([*run, "--resume", "--steps", "4"], monkeypatch, capsys)[0] == 0


def test_a_run_is_held_while_it_is_trained(tmp_path: Path) -> None:
    with training_log(tmp_path, 1, 0, ALONE), pytest.raises(InputError, match="another process"), runs.held(tmp_path):
        pass
    with runs.held(tmp_path):
        pass


def test_one_task_has_no_interval_and_json_has_no_nan(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("daml.tasks.fewshot.N_GLYPHS", {"train": 8, "validation": 6, "test": 6})
    small = ["--steps", "1", "--no-compile", "--seed", str(2**63 - 1)]
    one = ["fewshot", *small, "--episodes", "1", "--tasks", "1", "--filters", "2", "--out", str(tmp_path / "f")]
    status, said, _ = ends(one, monkeypatch, capsys)
    assert (status, "[unknown]" in said) == (0, True)
    assert json.loads((tmp_path / "f" / "results.json").read_text())["ci95"] == [None, None]
    status, said, _ = ends(["sinusoid", *small, "--test-tasks", "1", "--out", str(tmp_path / "s")], monkeypatch, capsys)
    assert (status, "[unknown]" in said) == (0, True)
    assert json.loads((tmp_path / "s" / "results.json").read_text())["ci95"]["5"] == [None, None]


def test_json_is_strict(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "x.json", {"a": [math.nan, (1.5, -math.inf)], "b": "NaN"})
    assert json.loads((tmp_path / "new" / "x.json").read_text()) == {"a": [None, [1.5, None]], "b": "NaN"}


def test_a_runs_folder_is_a_policys_too(tmp_path: Path) -> None:
    from agents.policies import BUNDLED

    (tmp_path / "policy").symlink_to(BUNDLED / "reach")
    assert find_policy(str(tmp_path)).config.env == find_policy(str(tmp_path / "policy")).config.env == "reach"
