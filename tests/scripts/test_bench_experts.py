"""`daml bench experts`: as often as the expert succeeds, whoever runs the episodes."""

import pytest

from agents.workers import here
from scripts.bench import bench_expert


@pytest.mark.slow
def test_how_many_episodes_a_process_runs_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for block in (3, 2):
        monkeypatch.setattr("scripts.bench.BLOCK", block)
        found.append(bench_expert("daml/Push-v0", 3, 0, here))
    assert all(result.pop("frames per CPU second") > 0 for result in found)
    assert found[0] == found[1]
    assert set(found[0]) == {"alone", "disturbed"}
