"""`daml methods`: the method beside what it is compared with: same data, same budget, several trainings, paired."""

from dataclasses import asdict, dataclass, replace
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scripts import runs
from scripts.collect import collect_missing
from scripts.common import as_file, console, cores, env_id, find_device, machine, ready_to_train, write_json
from scripts.inputs import Count, Folder, InputError
from scripts.progress import progress_bar
from scripts.train import EVALUATION_SEED, Train

if TYPE_CHECKING:
    from agents.imitation import Imitator

METHOD = "temporal"
"""What all others are compared with."""
ORACLE = "oracle"
"""The same policies, told the goal: they need no training of their own."""
LOSSES = ("unasked", "blind", "linear", "fast", "both", "no-hint", "first-order", "hand-written")
"""The method with another learned loss, or less of it."""
PRESETS = (METHOD, "pointer", "attention", "contextual", "lstm", "cloning", "mil", ORACLE, *LOSSES)


@dataclass(frozen=True)
class Methods:
    """Train presets with several seeds on the same demonstrations and compare them on the same meta-test tasks.

    Stopped at any moment, the same command goes on. Writes methods.json (every outcome of every task), methods.md and
    methods.png into --out, again after each training.
    """

    stops: ClassVar[str] = "the same command goes on"

    envs: tuple[str, ...] = ("reach",)
    """Environments: see `daml train`."""
    presets: tuple[str, ...] = PRESETS
    """Kinds of policies, as `daml train --preset` takes them, yours (MODULE:NAME), too."""
    seeds: Count = 3
    """Trainings of each."""
    sets: Count = 2000
    """Object sets to collect."""
    steps: Count | None = None
    """Meta-steps; the preset's own number when not given."""
    tasks: Count = 100
    """Tasks of the evaluation, each with one video and one rollout."""
    out: Folder = Path("methods")
    """Folder for demonstrations, trainings and results."""
    quick: bool = False
    """A smoke run: few sets, few steps, few tasks."""

    def run(self) -> None:
        ready_to_train()
        from agents.policies import write_text

        trainings = self.trainings()
        self.check(trainings)
        self.out.mkdir(parents=True, exist_ok=True)
        outcomes: list[dict[str, Any]] = []
        for training in trainings:
            outcomes.append(self._outcome(training))
            rows = table(outcomes)
            said = {"machine": machine(), "rows": rows, "trainings": outcomes}
            write_json(self.out / "methods.json", said)
            write_text(self.out / "methods.md", markdown(rows))
        console.print(markdown(rows))
        draw(self.out / "methods.png", rows)
        console.print(f"results: {self.out / 'methods.json'}, {self.out / 'methods.md'}, {self.out / 'methods.png'}")

    def trainings(self) -> list[Train]:
        """All that are compared, with their numbers of steps.

        Raises:
            AgentError: there is no such preset.
        """
        from agents.presets import find_preset

        presets = {name: find_preset(name) for name in self.presets}
        return [
            Train(
                env=env,
                preset=preset,
                seed=seed,
                sets=8 if self.quick else self.sets,
                steps=6 if self.quick else self.steps or presets[preset].steps,
                eval_tasks=3 if self.quick else self.tasks,
            )
            for seed in range(self.seeds)
            for env in self.envs
            for preset in self.presets
        ]

    def check(self, trainings: list[Train]) -> None:
        """Checks all trainings before the first begins.

        Raises:
            AgentError, DemoError, EnvError: a preset cannot be trained on an environment, or not on the data of the
                others; there is no such environment; or an outcome that is there came of another training.
            InputError: a training that is there is another one, or shorter: made longer, it would not be comparable.
        """
        from agents.datasets import check_batch, common_size

        common_size(self._imitators())
        for training in trainings:
            check_batch(training.its_preset(), [env_id(training.env)])
            if self._found(training) is None:
                run = self._run(training)
                runs.check(run)
                there = runs.settings_in(run.folder).get("steps", "?") if run.resume else str(run.steps)
                if there != str(run.steps):
                    raise InputError(
                        f"steps: got {run.steps}, allowed {there}, as {run.folder} began; or another --out"
                    )

    def _imitators(self) -> "list[Imitator]":
        """Of every preset: what is collected serves all of them, so that others can be compared later."""
        from agents.presets import find_preset

        return [find_preset(name).imitator(0) for name in dict.fromkeys((*PRESETS, *self.presets))]

    def _run(self, training: Train) -> Train:
        """A training in its folder, begun anew or gone on with; the oracle's is that of the policy that is told."""
        preset = METHOD if training.preset == ORACLE else training.preset
        folder = self.out / name_of(replace(training, preset=preset))
        return replace(training, preset=preset, out=folder, resume=(folder / runs.SETTINGS).exists()).settled()

    def _found(self, training: Train) -> dict[str, Any] | None:
        """What came of a training, if that is there.

        Raises:
            AgentError: what is there came of another training.
        """
        from agents.errors import AgentError

        path = self.out / f"{name_of(training)}.json"
        if not path.exists():
            return None
        outcome = loads(path.read_text())
        found = {"steps": outcome["steps"], "sets": outcome["sets"], "tasks": len(outcome["successes"])}
        asked = {"steps": training.steps, "sets": training.sets, "tasks": training.eval_tasks}
        if found != asked:
            raise AgentError(f"{path}: got {found}, allowed {asked}; choose another --out")
        return outcome

    def _outcome(self, training: Train) -> dict[str, Any]:
        """What came of a training: read, if it is there, or trained."""

        if found := self._found(training):
            return found
        name = name_of(training)
        console.print(f"training {name}")
        outcome = self._train(training)
        rates = table([outcome])[0]
        console.print(f"{name}: success {rates['success']:.3f}, right object {rates['nearest']:.3f}")
        write_json(self.out / f"{name}.json", outcome)
        return outcome

    def _train(self, training: Train) -> dict[str, Any]:
        import time

        from agents.evaluation import evaluate_preset
        from agents.presets import find_preset
        from agents.workers import processes
        from daml import ALONE, read_log

        run, shown = self._run(training), find_preset(training.preset).shown
        preset, device = run.its_preset(), find_device("auto")
        shared = replace(run, out=self.out / f"{as_file(training.env)}-data")
        collect_missing(shared.folders, self._imitators(), sets=training.sets, seed=0)
        sizes, tasks = shared.opened(preset, device)
        runs.begin(run)
        meta = run.train(preset, sizes, tasks, device, time.monotonic(), ALONE)
        with progress_bar("tasks") as bar, processes(cores()) as workers:
            job = bar.add_task("evaluating", total=training.eval_tasks, note="")
            report = evaluate_preset(
                preset,
                meta,
                sizes=sizes,
                env_id=env_id(training.env),
                split="test",
                tasks=training.eval_tasks,
                trials=1,
                seed=EVALUATION_SEED,
                video=shown,
                workers=workers,
                progress=lambda done: bar.update(job, completed=done),
            )
        return {
            "env": training.env,
            "preset": training.preset,
            "seed": training.seed,
            "steps": preset.steps,
            "sets": training.sets,
            "minutes": round(read_log(run.folder / runs.LOG)[-1]["seconds"] / 60, 1),
            "successes": report.successes.astype(int).tolist(),
            "nearest": report.nearest.astype(int).tolist(),
        }


def name_of(training: Train) -> str:
    """Of its outcome and its folder."""
    return as_file(f"{training.env}-{training.preset}-{training.seed}")


def table(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each environment and preset: success over its trainings, and its difference from the method's.

    Differences are paired by task; see `agents.statistics.paired_difference`.
    """
    import numpy as np

    from agents.statistics import paired_difference, wilson

    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome["env"], outcome["preset"]), []).append(outcome)
    rows = []
    for (env, preset), trainings in groups.items():
        successes = np.array([training["successes"] for training in trainings], float)
        low, high = wilson(float(successes.mean()), successes.shape[1])
        row = {
            "env": env,
            "preset": preset,
            "trainings": len(trainings),
            "tasks": successes.shape[1],
            "success": float(successes.mean()),
            "ci_low": low,
            "ci_high": high,
            "each": [float(mean) for mean in successes.mean((1, 2))],
            "nearest": float(np.mean([training["nearest"] for training in trainings])),
            "minutes": round(float(np.mean([training["minutes"] for training in trainings])), 1),
        }
        method = groups.get((env, METHOD), [])
        if method and preset != METHOD:
            base = np.array([training["successes"] for training in method], float)
            row["difference"] = asdict(paired_difference(base, successes))
        rows.append(row)
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table for people."""
    lines = [
        "| environment | preset | trainings | success | 95 % interval | right object | "
        f"less `{METHOD}`, paired | minutes each |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gap, interval = row.get("difference"), f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"
        difference = f"{gap['mean']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})" if gap else ""
        each = ", ".join(f"{rate:.2f}" for rate in row["each"])
        lines.append(
            f"| {row['env']} | `{row['preset']}` | {row['trainings']} ({each}) | {row['success']:.3f} | "
            f"{interval} | {row['nearest']:.3f} | {difference} | {row['minutes']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Success of each row with its interval, and each training as a dot."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.3 * len(rows)), layout="constrained")
    heights = list(range(len(rows), 0, -1))
    success = [row["success"] for row in rows]
    errors = [
        [row["success"] - row["ci_low"] for row in rows],
        [row["ci_high"] - row["success"] for row in rows],
    ]
    axes.errorbar(success, heights, xerr=errors, fmt="s", capsize=3, label="success, 95 % interval")
    for height, row in zip(heights, rows, strict=True):
        axes.plot(row["each"], [height] * len(row["each"]), "k.", markersize=4)
    axes.set(xlim=(-0.02, 1.02), yticks=heights, yticklabels=[f"{row['env']}: {row['preset']}" for row in rows])
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.08), fontsize=8)
    figure.savefig(path, dpi=120)
    plt.close(figure)
