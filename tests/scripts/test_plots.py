"""Plots: every axis has a title and, where it has numbers, a unit; chance and the end of the hint are marked."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from scripts import bench_core, bench_teaching, fewshot, methods_table, report, runs, sinusoid, sweep, train

ROOT = Path(__file__).parents[2]
CURVE = [
    {"step": step, "loss": 1.0, "cloning": 0.5, "pose": -1.0, "val_success": 0.1, "val_nearest": 0.4}
    for step in (500, 1000, 1500)
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Figure]]:
    """The figures that are written in a test."""
    figures: list[Figure] = []
    write = Figure.savefig

    def savefig(figure: Figure, *arguments: Any, **options: Any) -> None:
        figures.append(figure)
        write(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    yield figures
    assert figures, "nothing was drawn"
    for axes in figures[0].axes:
        assert not axes.axison or titled(axes)


def titled(axes: Axes) -> bool:
    """Whether both axes have a title, with a unit where they have numbers; that of y may stand further to the left."""
    for axis in (axes.xaxis, axes.yaxis):
        left = axes.figure.axes[0].yaxis if axis is axes.yaxis else axis  # type: ignore[union-attr]
        has_names = isinstance(axis.get_major_locator(), FixedLocator)
        assert re.fullmatch(r"[^\[]+" if has_names else r"[^\[]+ \[.+\]", left.label.get_text()), left.label
    return True


def marks(axes: Axes) -> dict[str, float]:
    """Label of a straight line across the axes -> where it is."""
    found = {}
    for line in axes.lines:
        (label, x, y) = str(line.get_label()), *map(np.asarray, (line.get_xdata(), line.get_ydata()))
        if re.search("chance|hint", label):
            found[label] = float(x[0] if x[0] == x[1] else y[0])
    return found


def evaluated(**more: float | str) -> dict[str, Any]:
    return {"success": 0.5, "ci_low": 0.3, "ci_high": 0.7, "nearest": 0.6, "chance": 1 / 3} | more


def test_matplotlib_is_in_one_place() -> None:
    sources = [
        path for folder in ("daml", "envs", "demos", "agents", "scripts") for path in (ROOT / folder).rglob("*.py")
    ]
    assert [path.name for path in sources if re.search(r"(import|from) matplotlib", path.read_text())] == ["plots.py"]


@pytest.mark.parametrize(("hint_steps", "there"), [(1000, True), (0, False), (2000, False)])
def test_a_learning_curve_marks_chance_and_where_the_hint_ends(
    hint_steps: int, there: bool, drawn: list[Figure], tmp_path: Path
) -> None:
    train.draw_curve(tmp_path / "curve.png", CURVE, hint_steps)
    loss, success = drawn[0].axes
    end = {"the hint ends (1000)": 1000.0} if there else {}
    assert marks(loss) == end
    assert marks(success) == end | {"chance, right object": 1 / 3}
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_the_curve_of_a_report_is_that_of_the_training(drawn: list[Figure]) -> None:
    assert report.curve_picture(CURVE, 1000).startswith(b"\x89PNG")
    assert set(marks(drawn[0].axes[0])) == {"chance, right object", "the hint ends (1000)"}


def test_a_sweep_marks_chance(drawn: list[Figure], tmp_path: Path) -> None:
    rows = {"human": evaluated(), "wrong": evaluated(success=0.0, ci_low=0.0)}
    sweep.draw(tmp_path / "sweep.png", rows, "reach")
    assert marks(drawn[0].axes[0]) == {"chance, right object": 1 / 3}


def test_a_sweep_marks_the_chance_of_verbs_too(drawn: list[Figure], tmp_path: Path) -> None:
    sweep.draw(tmp_path / "sweep.png", {"human": evaluated(aim="verb", verb=0.7, verb_chance=0.2)}, "act")
    assert marks(drawn[0].axes[0]) == {"chance, right object": 1 / 3, "chance, right verb": 0.2}


def test_the_picture_of_methods_marks_chance(drawn: list[Figure], tmp_path: Path) -> None:
    methods_table.draw(tmp_path / "methods.png", [evaluated(env="reach", preset="fast", each=[0.4, 0.6])])
    assert marks(drawn[0].axes[0]) == {"chance, right object": 1 / 3}


@pytest.mark.parametrize("method", ["maml", "daml"])
def test_curves_have_units(method: Any, drawn: list[Figure], tmp_path: Path) -> None:
    config = sinusoid.Sinusoid(method, out=tmp_path)
    meta = sinusoid.learner_of(config, 5).init(torch.Generator().manual_seed(0))
    sinusoid.draw_curves(config, meta, tmp_path / "curves.png")
    assert [axes.get_xlabel() for axes in drawn[0].axes] == ["x [rad]"] * 3


def test_the_error_of_sinusoids_has_a_title(drawn: list[Figure], tmp_path: Path) -> None:
    records = [{"step": step, "before": 3.0, "after": 1.0} for step in range(1, 11)]
    (tmp_path / runs.LOG).write_text("".join(json.dumps(record) + "\n" for record in records))
    sinusoid.draw_learning(tmp_path)


@pytest.mark.parametrize(("method", "chance"), [("maml", {"chance, 5 ways": 0.2}), ("finetune", {})])
def test_few_shot_accuracy_marks_chance(
    method: Any, chance: dict[str, float], drawn: list[Figure], tmp_path: Path
) -> None:
    records = [{"step": step, "accuracy": 0.4} for step in range(1, 11)]
    (tmp_path / runs.LOG).write_text("".join(json.dumps(record) + "\n" for record in records))
    fewshot.draw_learning(fewshot.Fewshot(method, out=tmp_path))
    assert marks(drawn[0].axes[0]) == chance


def test_benchmarks_say_what_they_count(drawn: list[Figure], tmp_path: Path) -> None:
    bench_core.draw([{"tasks": 4, "inner_steps": 1, "seconds": {"daml": 0.1, "loop": 0.2}}], tmp_path / "speed.png")


def test_the_teaching_example_says_what_it_counts(drawn: list[Figure], tmp_path: Path) -> None:
    config = bench_teaching.BenchTeaching(out=tmp_path)
    bench_teaching.draw(config, 0.1, [1.0] * 2 * bench_teaching.WINDOW, [1.0, 2.0], [0.5, 0.4])
