"""`daml methods`: every training is done once, and the table is what its outcomes say."""

import json
from pathlib import Path

import numpy as np
import pytest

from agents.errors import AgentError
from agents.statistics import paired_difference
from scripts.methods import Methods, markdown, table


def outcome(preset: str, seed: int, successes: list[int]) -> dict:
    trials = [[success] for success in successes]
    said = {"env": "reach", "preset": preset, "seed": seed, "steps": 1, "sets": 1, "minutes": 1.0}
    return said | {"successes": trials, "nearest": trials}


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


@pytest.mark.slow
def test_a_smoke_run_trains_each_once_and_goes_on_where_it_was(tmp_path: Path) -> None:
    options = {"presets": ("temporal", "oracle", "hand-written"), "out": tmp_path, "quick": True}
    Methods(seeds=1, **options).run()
    first = json.loads((tmp_path / "methods.json").read_text())
    assert [row["preset"] for row in first["rows"]] == ["temporal", "oracle", "hand-written"]
    log = (tmp_path / "reach-temporal-0" / "log.jsonl").stat().st_mtime_ns
    assert not (tmp_path / "reach-oracle-0").exists()
    Methods(seeds=2, **options).run()
    both = json.loads((tmp_path / "methods.json").read_text())
    assert both["trainings"][:3] == first["trainings"]
    assert [row["trainings"] for row in both["rows"]] == [2, 2, 2]
    assert (tmp_path / "reach-temporal-0" / "log.jsonl").stat().st_mtime_ns == log
    assert (tmp_path / "methods.png").stat().st_size > 5_000
    with pytest.raises(AgentError, match=r"got {'steps': 6, .* allowed {'steps': 7"):
        Methods(**options | {"quick": False, "steps": 7, "sets": 8}).run()
