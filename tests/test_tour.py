"""The notebook: every cell runs, and what it shows is so."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TOUR = ROOT / "examples/tour.ipynb"
CHECKS = """
assert own < before / 2 < other, (before, own, other)
assert [rollouts["its video", goal][0].right_object for goal in range(3)] == [True] * 3
assert sum(rollouts["no video", goal][0].right_object for goal in range(3)) == 1
"""
"""What its text says of what came out."""


def cells(kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(TOUR.read_text())["cells"] if cell["cell_type"] == kind]


def run(sources: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Code, cell by cell in one namespace, as a kernel runs it; warnings are errors."""
    program = "import json, sys\nspace = {}\nfor number, source in enumerate(json.load(sys.stdin), 1):\n"
    program += "    exec(compile(source, f'code cell {number}', 'exec'), space)\n"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=json.dumps(sources),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_every_cell_of_the_notebook_runs(tmp_path: Path) -> None:
    done = run(["".join(cell["source"]) for cell in cells("code")] + [CHECKS], tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_cell_that_fails_is_named(tmp_path: Path) -> None:
    done = run(["a = 1", "assert a == 2"], tmp_path)
    assert done.returncode == 1
    assert 'File "code cell 2", line 1' in done.stderr


def test_the_notebook_is_small_and_its_cells_have_no_errors() -> None:
    said = json.loads(TOUR.read_text())
    assert (said["nbformat"], TOUR.stat().st_size < 150_000) == (4, True)
    assert len({cell["id"] for cell in said["cells"]}) == len(said["cells"])
    outputs = [output for cell in cells("code") for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data", "execute_result"}


def test_every_link_of_the_notebook_leads_to_a_file() -> None:
    text = "".join(line for cell in cells("markdown") for line in cell["source"])
    targets = re.findall(r"\]\(([^)#]+)", text)
    assert targets
    for target in targets:
        assert (TOUR.parent / target).exists(), target
