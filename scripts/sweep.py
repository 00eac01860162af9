"""`daml sweep`: one policy, one table: success under every domain gap, every control, every way to adapt."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from tyro.conf import Positional

from demos.processes import cores
from scripts import plots
from scripts.common import as_file, console, env_id, machine, policy_for, write_json
from scripts.inputs import Count, Env, Folder, InputError, On, Pairs, Seed
from scripts.progress import progress_bar

if TYPE_CHECKING:
    from agents.evaluation import Report
    from agents.policies import StoredPolicy
    from agents.presets import Preset
    from agents.view import Sizes
    from agents.workers import Workers
    from daml import MetaParams


@dataclass(frozen=True)
class Condition:
    """One row of the table. name: of the row.  inner_steps: at test time, the preset's when None.  rates: learned inner
    rate -> factor; "" for all that are not named.  videos: of each task.  video, gap, pairs: as `daml evaluate` takes
    them."""

    name: str
    inner_steps: int | None = None
    rates: dict[str, float] = field(default_factory=dict)
    video: str = "human"
    videos: int = 1
    gap: tuple[str, ...] = ()
    pairs: Pairs = "all"


def gaps(env: str) -> Iterator[Condition]:
    """Every level beyond meta-training's that the environment has, and seen and held-out pairs, if it has them."""
    from demos.errors import DemoError
    from demos.gap import SWEEP, parse
    from demos.skills import find_skill

    yield Condition("as in meta-training")
    for name, level in SWEEP:
        levels = (f"{name}={level}",)
        try:
            parse(levels).check(env_id(env))
        except DemoError:
            continue
        yield Condition(levels[0], gap=levels)
    if find_skill(env_id(env)).held_out:
        yield Condition("seen pairs", pairs="seen")
        yield Condition("held-out pairs", pairs="held-out")


def controls(env: str) -> Iterator[Condition]:
    """Everything that can be shown instead of the right video; without an inner step nothing is."""
    from agents.evaluation import shown_in

    for video in shown_in(env_id(env)):
        yield Condition(video, inner_steps=0) if video == "none" else Condition(video, video=video)


def ablations(env: str) -> Iterator[Condition]:
    """How the policy adapts at test time: number of steps, their length, number of videos, and what adapts."""
    for steps in (0, 1, 2, 3, 5):
        yield Condition(f"{steps} inner steps", inner_steps=steps)
    for factor in (0.25, 0.5, 2.0, 4.0):
        yield Condition(f"learned rates x {factor:g}", rates={"": factor})
    for videos in (3, 5):
        yield Condition(f"{videos} videos, gradients averaged", videos=videos)
    yield Condition("only the query adapts", rates={"": 0.0, "query": 1.0})
    yield Condition("all but the query adapts", rates={"query": 0.0})


def tells(condition: Condition, preset: "Preset", meta: "MetaParams") -> bool:
    """Whether a condition changes anything of a policy: only one that takes inner steps has a number of them, and only
    one that has learned their rates can have others."""
    adapts = preset.inner_steps > 0
    rates = meta.get("rates", {}) if adapts else {}
    has_rates = all(rates and (not name or name in rates) for name in condition.rates)
    return has_rates and (adapts or condition.inner_steps is None)


def begun(path: Path, of: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rows that are in a file already.

    Args:
        path: of the results.
        of: what they are of.

    Raises:
        InputError: they are of something else.
    """
    if not path.exists():
        return {}
    there = json.loads(path.read_text())
    if differs := [name for name in of if there.get(name) != of[name]]:
        name = differs[0]
        raise InputError(f"{name}: got {of[name]}, allowed {there.get(name)}, as {path} has; or another --out")
    return dict(there["rows"])


SWEEPS: dict[str, Callable[[str], Iterator[Condition]]] = {"gaps": gaps, "controls": controls, "ablations": ablations}


def suited(what: str, env: str, preset: "Preset", meta: "MetaParams") -> list[Condition]:
    """The conditions of a sweep, key of `SWEEPS`, that tell something of a policy; it is shown what its preset is
    shown, unless a control shows it something else."""
    from agents.evaluation import shown_to

    asked = SWEEPS[what](env)
    if what != "controls":
        asked = (replace(condition, video=preset.shown) for condition in asked)
    shown = shown_to(preset, env_id(env))
    return [
        replace(condition, video=preset.shown) if condition.name == "none" else condition
        for condition in asked
        if (condition.name if what == "controls" else condition.video) in shown and tells(condition, preset, meta)
    ]


@dataclass(frozen=True)
class Sweep:
    """Evaluate a policy under many conditions; a table and a picture with intervals, and JSON.

    gaps: every level of every difference from meta-training (see `daml evaluate --gap`). controls: all that can be
    shown instead of the right video. ablations: number and length of the inner steps, number of
    videos, and what adapts. Stopped at any moment, the same command goes on.
    """

    stops: ClassVar[str] = "the same command goes on"

    what: Annotated[Literal["gaps", "controls", "ablations"], Positional]
    """gaps, controls or ablations."""
    env: Env = "reach"
    policy: str | None = None
    """Folder of a policy; the one in the box when not given."""
    tasks: Count = 100
    """Tasks for each row, each with one video; the same ones in every row, wherever the objects are the same."""
    trials: Count = 1
    """Rollouts of each task."""
    seed: Seed = 1
    """Of tasks, scenes and motions."""
    out: Folder = Path("sweeps")
    """Folder of the results, which are called WHAT-ENV."""
    on: On = "processes"
    quick: bool = False
    """A smoke run: three tasks a row."""

    def run(self) -> None:
        from agents.workers import workers_on
        from daml.checkpoint import digest, flatten

        sweep = replace(self, tasks=3) if self.quick else self
        stored = policy_for(self.env, self.policy)
        conditions = suited(self.what, self.env, stored.preset, stored.meta)
        kept = {condition.name for condition in conditions}
        if missing := [asked.name for asked in SWEEPS[self.what](self.env) if asked.name not in kept]:
            console.print(f"left out, as they say nothing of {stored.config.preset}: {', '.join(missing)}")
        name = f"{self.what}-{as_file(self.env)}"
        numbers, picture = (self.out / f"{name}.{kind}" for kind in ("json", "png"))
        of = {"env": self.env, "policy": self.policy or self.env, "split": "test", "seed": self.seed}
        of |= {"tasks": sweep.tasks, "trials": self.trials, "parameters": digest(flatten(stored.meta), "")}
        rows = begun(numbers, of)
        console.print(f"{'':24s}  success  95 % interval    right object")
        with progress_bar("rows") as bar, workers_on(self.on, cores()) as workers:
            job = bar.add_task(f"{self.what} of {self.env}", total=len(conditions), note="")
            for condition in conditions:
                bar.update(job, note=condition.name)
                if new := condition.name not in rows:
                    report = sweep.evaluate(condition, stored, workers)
                    rows[condition.name] = report.summary() | {"condition": asdict(condition)}
                console.print(line(condition.name, rows[condition.name]))
                if new:
                    write_json(numbers, of | {"machine": machine(), "rows": rows})  # a stop loses one row
                bar.advance(job)
        draw(picture, rows, f"{self.env}: {self.what}, {sweep.tasks} tasks x {self.trials}")
        console.print(f"results: {numbers}, picture: {picture}")

    def evaluate(self, condition: Condition, stored: "StoredPolicy", workers: "Workers") -> "Report":
        """`evaluate_under` of the sweep's tasks."""
        return evaluate_under(
            condition,
            stored.preset,
            stored.meta,
            sizes=stored.config.sizes,
            env_id=env_id(self.env),
            tasks=self.tasks,
            trials=self.trials,
            seed=self.seed,
            workers=workers,
        )


def evaluate_under(
    condition: Condition, preset: "Preset", meta: "MetaParams", *, sizes: "Sizes", **options: Any
) -> "Report":
    """`agents.evaluation.evaluate` of a policy on meta-test objects, under a condition. options: as there."""
    from agents.evaluation import evaluate
    from agents.learners import Imitation
    from demos.gap import parse

    steps = preset.inner_steps if condition.inner_steps is None else condition.inner_steps
    rest = condition.rates.get("", 1.0)
    rates = {name: rate * condition.rates.get(name, rest) for name, rate in meta.get("rates", {}).items()}
    return evaluate(
        Imitation(preset.imitator(steps, sizes), meta | ({"rates": rates} if rates else {})),
        split="test",
        video=condition.video,
        gap=parse(condition.gap),
        pairs=condition.pairs,
        videos=condition.videos,
        **options,
    )


def line(name: str, row: dict[str, Any]) -> str:
    """A row of the table."""
    interval = f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"
    kind = row.get("aim")
    second = f"  right {kind} {row[kind]:.3f}" if kind else ""
    return f"{name:24s}  {row['success']:7.3f}  {interval}  {row['nearest']:12.3f}{second}"


def draw(path: Path, rows: dict[str, dict[str, Any]], title: str) -> None:
    """Draws success with its interval, and how often the right object was chosen, a line for each row."""
    heights = range(len(rows), 0, -1)
    success = [row["success"] for row in rows.values()]
    errors = [
        [row["success"] - row["ci_low"] for row in rows.values()],
        [row["ci_high"] - row["success"] for row in rows.values()],
    ]
    first = next(iter(rows.values()))
    with plots.figure(7, 1.6 + 0.26 * len(rows)) as (figure, (axes,)):
        axes.errorbar(success, heights, xerr=errors, fmt="o", capsize=3, label="success, 95 % interval")
        axes.plot([row["nearest"] for row in rows.values()], heights, "x", label="right object")
        plots.chance(axes, first["chance"], "chance, right object", upright=True)
        if kind := first.get("aim"):
            axes.plot([row[kind] for row in rows.values()], heights, "+", label=f"right {kind}")
            plots.chance(axes, first[f"{kind}_chance"], f"chance, right {kind}", upright=True)
        axes.set(xlim=plots.SHARE, yticks=list(heights), yticklabels=list(rows), title=title)
        axes.set(xlabel="outcome [share of trials]", ylabel="condition")
        figure.legend(loc="outside lower center", ncols=3)
        plots.write(figure, path)
