"""Evaluation on pairs of shape and verb: only tasks of these, and chance is as it was."""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from agents.errors import AgentError
from agents.evaluation import Report, SetTrials, evaluate
from agents.presets import PRESETS
from agents.training import rollouts
from agents.view import REACHING
from demos.combinations import Pairs
from demos.errors import DemoError
from demos.gap import parse
from demos.types import Video
from envs.acting import HELD_OUT, VERBS

ENV = "daml/Act-v0"


def watch(video: Video) -> None:
    """A policy that is never asked."""


def drawn(pairs: Pairs, tasks: int, **options) -> tuple[list[tuple[int, str, str]], Report]:  # type: ignore[no-untyped-def]
    """(object, its shape, verb) of every task, of a robot that touches the first object whatever it is shown."""
    found = []

    def workers(jobs: Iterable[SetTrials]) -> Iterator[list]:
        for job in jobs:
            objects = job.tasks().robot_scenes[0].objects
            parts = [divmod(goal, len(VERBS)) for goal in job.goals]
            found.extend((thing, objects[thing].shape, VERBS[verb]) for thing, verb in parts)
            yield [
                [
                    SimpleNamespace(
                        success=goal == 0, right_object=goal // 5 == 0, distance=0, stages={}, aim=0, goal_done=0
                    )
                ]
                for goal in job.goals
            ]

    asked = {"env_id": ENV, "split": "test", "trials": 1, "seed": 1} | options
    report = evaluate(watch, tasks=tasks, pairs=pairs, workers=workers, **asked)
    return found, report


@pytest.mark.parametrize(
    "options", [{}, {"split": "val"}, {"split": "test-textures"}, {"gap": parse(["all=2"])}], ids=str
)
@pytest.mark.parametrize("pairs", ["seen", "held-out"])
def test_only_tasks_of_the_pairs_are_evaluated(pairs: Pairs, options: dict) -> None:
    found, report = drawn(pairs, 100, **options)
    assert len(found) == len(report.successes) == 100
    assert {verb in HELD_OUT[shape] for _, shape, verb in found} == {pairs == "held-out"}
    assert {verb for *_, verb in found} == set(VERBS)
    assert {shape for _, shape, _ in found} == set(HELD_OUT)


@pytest.mark.parametrize(("pairs", "tasks"), [("all", 15), ("seen", 9), ("held-out", 3)])
def test_chance_of_the_right_object_is_one_in_three_in_whole_sets(pairs: Pairs, tasks: int) -> None:
    found, report = drawn(pairs, tasks)
    assert [thing for thing, *_ in found] == [0, 1, 2] * (tasks // 3)
    assert report.summary()["nearest"] == pytest.approx(report.summary()["chance"])


def test_pairs_are_counted_by_verb_as_all_tasks_are() -> None:
    found, report = drawn("held-out", 60)
    counts = report.summary()["verbs"]
    for verb, done in counts.items():
        assert sum(done.values()) == done["touch"] == sum(asked == verb for *_, asked in found)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"env_id": "daml/Push-v0"}, "pairs: got 'seen', allowed 'all' in daml/Push-v0"),
        ({"env_id": "daml/Sort-v0"}, "pairs: got 'seen', allowed 'all' in daml/Sort-v0"),
        ({"split": "test-shapes"}, "pairs: got 'seen' of test-shapes objects"),
        ({"gap": parse(["objects=3"])}, "pairs: got 'seen' of test-shapes objects"),
    ],
    ids=str,
)
def test_pairs_that_are_not_told_apart_are_refused(options: dict, error: str) -> None:
    with pytest.raises((AgentError, DemoError), match=error):
        drawn("seen", 3, **options)


def test_a_training_is_validated_on_the_pairs_that_it_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def evaluated(policy, *, pairs: str, **options) -> Report:  # type: ignore[no-untyped-def]
        asked.append(pairs)
        return Report(np.ones((1, 1), bool), np.ones((1, 1), bool), np.zeros((1, 1)), 1.0)

    monkeypatch.setattr("agents.training.evaluate", evaluated)
    for pairs in ("all", "seen"):
        rollouts(PRESETS["fast"], REACHING, [ENV], tasks=1, seed=0, pairs=pairs)({})  # type: ignore[arg-type]
    assert asked == ["all", "seen"]
