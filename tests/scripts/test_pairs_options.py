"""`--pairs` of `daml evaluate` and `daml compare`: what is asked for is evaluated, printed and written."""

import json
from pathlib import Path

import numpy as np
import pytest

from agents.evaluation import Report
from scripts.compare import Compare
from scripts.evaluate import Evaluate


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pairs that were evaluated, by a policy that always succeeds."""
    found: list[str] = []

    def evaluate(*, pairs: str, **options: object) -> Report:
        found.append(pairs)
        return Report(np.ones((3, 1), bool), np.ones((3, 1), bool), np.zeros((3, 1)), 1.0)

    monkeypatch.setattr("scripts.evaluate.evaluation_of", lambda *of: evaluate)
    monkeypatch.setattr("scripts.compare.evaluation_of", lambda *of: evaluate)
    return found


def test_an_evaluation_says_of_which_pairs_it_is(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for pairs, said in (("all", "video: human: success"), ("held-out", "video: human, held-out pairs: success")):
        Evaluate(env="act", pairs=pairs, workers=1, json=tmp_path / "e.json").run()  # type: ignore[arg-type]
        assert said in capsys.readouterr().out
        assert json.loads((tmp_path / "e.json").read_text())["pairs"] == pairs
    assert asked == ["all", "held-out"]


def test_policies_are_compared_on_the_same_pairs(asked: list[str], tmp_path: Path) -> None:
    Compare(a=("one",), b=("other",), env="act", pairs="held-out", json=tmp_path / "c.json").run()
    assert asked == ["held-out", "held-out"]
    assert json.loads((tmp_path / "c.json").read_text())["pairs"] == "held-out"
