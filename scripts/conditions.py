"""`daml conditions`: where does a gradient step pay? The trainings of `daml methods` under other conditions, paired."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from demos.processes import cores
from scripts.common import console, env_id, machine, write_json
from scripts.inputs import Count, Folder, InputError, On
from scripts.methods_table import compared
from scripts.progress import progress_bar
from scripts.sweep import Condition, evaluate_under, tells
from scripts.train import EVALUATION_SEED, Train
from scripts.trainings import METHOD, Trainings

if TYPE_CHECKING:
    from agents.presets import Preset
    from daml import MetaParams

USUAL = "as in meta-training"
GAPS = ("view", "table", "side", "all")
"""Differences of `demos.gap`; their level 1 is `USUAL`."""


def conditions(preset: "Preset", meta: "MetaParams") -> Iterator[Condition]:
    """All that a policy is evaluated under, with what its preset is shown."""
    steps = (Condition(f"{n} inner steps", inner_steps=n) for n in (1, 2, 5) if n != preset.inner_steps)
    for condition in (
        Condition(USUAL),
        *(Condition(f"{n} videos", videos=n) for n in (3, 5)),
        *steps,
        *(Condition(f"{name}={level}", gap=(f"{name}={level}",)) for name in GAPS for level in (2, 3)),
    ):
        if tells(condition, preset, meta):
            yield replace(condition, video=preset.shown)


@dataclass(frozen=True)
class Conditions:
    """Evaluate all trainings of a folder of `daml methods` with more videos, more inner steps, and larger gaps.

    All have the same tasks, and every preset's difference from `temporal` under a condition is paired by task. It takes
    about a minute a training on one CPU core. Writes conditions.json and conditions.md into the folder, again after
    each row; stopped at any moment, the same command goes on.
    """

    stops: ClassVar[str] = "the same command goes on"

    out: Folder = Path("methods")
    """Folder of `daml methods`, which has the same --out."""
    tasks: Count = 60
    """Tasks of each row, each with one rollout."""
    on: On = "processes"

    def run(self) -> None:
        from agents.policies import write_text
        from agents.presets import find_preset
        from agents.workers import workers_on

        found, path = self.trainings(), self.out / "conditions.json"
        outcomes = self.begun(path, found)
        done = {key(outcome) for outcome in outcomes}
        with progress_bar("trainings") as bar, workers_on(self.on, cores()) as workers:
            job = bar.add_task("evaluating", total=len(found), note="")
            for training in found:
                preset = find_preset(training.preset)
                sizes, meta = Trainings(self.out, self.out, ()).trained(training)
                said = said_of(training) | {"learning_rate": training.its_preset().learning_rate}
                for condition in conditions(preset, meta):
                    bar.update(job, note=f"{training.env}, {training.preset}, {condition.name}")
                    outcome = said | {"condition": condition.name}
                    if key(outcome) in done:
                        continue
                    report = evaluate_under(
                        condition,
                        preset,
                        meta,
                        sizes=sizes,
                        env_id=env_id(training.env),
                        tasks=self.tasks,
                        trials=1,
                        seed=EVALUATION_SEED,
                        workers=workers,
                    )
                    outcome["seconds"] = round(report.seconds, 1)
                    outcome["successes"] = report.successes.astype(int).tolist()
                    outcome["nearest"] = report.nearest.astype(int).tolist()
                    outcomes.append(outcome)
                    rows = rows_of(outcomes)
                    write_json(path, {"machine": machine(), "tasks": self.tasks, "rows": rows, "outcomes": outcomes})
                    write_text(path.with_suffix(".md"), markdown(rows))
                bar.advance(job)
        console.print(markdown(rows_of(outcomes)))
        console.print(f"results: {path}, {path.with_suffix('.md')}")

    def trainings(self) -> list[Train]:
        """Those that the folder's table is made of.

        Raises:
            InputError: there is none.
        """
        try:
            outcomes = loads((self.out / "methods.json").read_text())["trainings"]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"out: got {self.out} ({error}), allowed one of `daml methods`") from error
        names = ("env", "preset", "seed", "sets", "steps", "learning_rate")
        return [Train(**{name: outcome[name] for name in names if name in outcome}) for outcome in outcomes]

    def begun(self, path: Path, trainings: list[Train]) -> list[dict[str, Any]]:
        """What was evaluated already.

        Raises:
            InputError: on another number of tasks, or of a training at another rate than that of the folder's table.
        """
        from agents.presets import find_preset

        if not path.exists():
            return []
        there = loads(path.read_text())
        if there["tasks"] != self.tasks:
            raise InputError(f"tasks: got {self.tasks}, allowed {there['tasks']}, as {path} began; or remove that")
        outcomes = [{"learning_rate": find_preset(one["preset"]).learning_rate} | one for one in there["outcomes"]]
        rates = {training_of(said_of(training)): training.its_preset().learning_rate for training in trainings}
        for one in outcomes:
            if rates.get(training_of(one), was := one["learning_rate"]) != was:
                raise InputError(
                    f"{path}: got {one['preset']} at the learning rate {was:g}, allowed {rates[training_of(one)]:g}, "
                    "as the table has it; remove that file"
                )
        return outcomes


def said_of(training: Train) -> dict[str, Any]:
    """What tells a training from the others of its folder."""
    return {"env": training.env, "preset": training.preset, "seed": training.seed}


def training_of(outcome: dict[str, Any]) -> tuple[Any, ...]:
    """The same of an outcome, to look up."""
    return tuple(outcome[name] for name in ("env", "preset", "seed"))


def key(outcome: dict[str, Any]) -> tuple[Any, ...]:
    """Which row of which training."""
    return *training_of(outcome), outcome["condition"]


def rows_of(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each environment, condition and preset, as of `scripts.methods_table.compared`: differences are between
    presets under the same condition."""
    names = dict.fromkeys(outcome["condition"] for outcome in outcomes)
    return [
        {"condition": name} | row
        for name in names
        for row in compared([outcome for outcome in outcomes if outcome["condition"] == name])
    ]


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table for each environment: a line for each condition, a column for each preset."""
    parts = []
    for env in dict.fromkeys(row["env"] for row in rows):
        mine = {(row["condition"], row["preset"]): row for row in rows if row["env"] == env}
        names, presets = (list(dict.fromkeys(pair[i] for pair in mine)) for i in (0, 1))
        lines = [f"| {env} | {' | '.join(f'`{preset}`' for preset in presets)} |", "|---" * (len(presets) + 1) + "|"]
        lines += [f"| {name} | {' | '.join(cell(mine.get((name, preset))) for preset in presets)} |" for name in names]
        parts.append("\n".join(lines) + "\n")
    return f"Success, right object; less `{METHOD}`, paired by task.\n\n" + "\n".join(parts)


def cell(row: dict[str, Any] | None) -> str:
    """Success, right object, and the difference from the method under the same condition."""
    if row is None:
        return ""
    gap = row.get("difference")
    difference = f"; {gap['mean']:+.2f} ({gap['low']:+.2f} to {gap['high']:+.2f})" if gap else ""
    return f"{row['success']:.2f}, {row['nearest']:.2f}{difference}"
