"""The trainings of `daml methods`: each is done once, in a folder of its own, and what came of it is kept beside it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demos.processes import cores
from scripts import runs
from scripts.collect import collect_missing
from scripts.common import as_file, console, env_id, find_device, ready_to_train, write_json
from scripts.inputs import InputError, On
from scripts.progress import progress_bar
from scripts.train import EVALUATION_SEED, Train

if TYPE_CHECKING:
    from agents.evaluation import Report
    from agents.imitation import Imitator
    from agents.view import Sizes
    from daml import MetaParams
    from demos.executors import Map

DATA_SEED = 0
"""Of the demonstrations, which all trainings share."""
METHOD = "temporal"
"""What all others are compared with."""
TRAINED_AS = {"oracle": METHOD, "replay-any": "replay"}
"""Presets that are trained policies of another one, used otherwise."""


@dataclass(frozen=True)
class Trainings:
    """folder: of the runs and of what came of them.  data: folder with the datasets of all.  imitators: of all presets
    that are to share these datasets, now or later.  on: where demonstrations and evaluations are made."""

    folder: Path
    data: Path
    imitators: "tuple[Imitator, ...]"
    on: On = "processes"

    def run(self, training: Train) -> Train:
        """A training in its folder, begun anew or gone on with; of `TRAINED_AS` it is the other preset's."""
        trained = replace(training, preset=TRAINED_AS.get(training.preset, training.preset))
        folder = self.folder / name_of(trained)
        return replace(trained, out=folder, resume=(folder / runs.SETTINGS).exists()).settled()

    def check(self, training: Train) -> None:
        """Checks a training before the first begins.

        Raises:
            AgentError, DemoError, EnvError: the preset cannot be trained on the environment; there is no such
                environment; or an outcome that is there came of another training.
            InputError: a training that is there is another one, or shorter: made longer, it would not be comparable.
        """
        from agents.datasets import check_batch

        check_batch(training.its_preset(), [env_id(training.env)])
        if self.found(training) is None:
            run = self.run(training)
            runs.check(run)
            there = runs.settings_in(run.folder).get("steps", "?") if run.resume else str(run.steps)
            if there != str(run.steps):
                raise InputError(f"steps: got {run.steps}, allowed {there}, as {run.folder} began; or another --out")

    def found(self, training: Train) -> dict[str, Any] | None:
        """What came of a training, if that is there.

        Raises:
            AgentError: what is there came of another training.
        """
        from agents.errors import AgentError

        path = self.folder / f"{name_of(training)}.json"
        if not path.exists():
            return None
        rate = training.its_preset().learning_rate
        # Written by an earlier version, it says nothing of the rate: that was the preset's own.
        outcome = {"learning_rate": rate} | loads(path.read_text())
        asked = {"steps": training.steps, "sets": training.sets, "learning_rate": rate, "tasks": training.eval_tasks}
        found = {name: outcome.get(name) for name in asked} | {"tasks": len(outcome["successes"])}
        if found != asked:
            raise AgentError(f"{path}: got {found}, allowed {asked}; choose another --out")
        return outcome

    def outcome(self, training: Train, split: str = "test") -> dict[str, Any]:
        """What came of a training: read, if it is there, or trained and evaluated on the objects of a split."""
        if found := self.found(training):
            return found
        self.check(training)
        name = name_of(training)
        console.print(f"training {name}")
        outcome = self.train(training, split)
        console.print(said_of(training, outcome))
        write_json(self.folder / f"{name}.json", outcome)
        return outcome

    def side_by_side(
        self, each: "Map", trainings: Sequence[Train], what: "Callable[[Trainings, Train], dict[str, Any]]"
    ) -> Iterator[dict[str, Any]]:
        """What comes of trainings, in their order, each as soon as it and those before it are done.

        They are done on CPUs, a thread each; those that are the same run, such as of `TRAINED_AS`, one after the other.

        Args:
            each: what runs them, on machines that share the folders.
            trainings: that were checked.
            what: of this class, such as `outcome`.
        """
        new = [training for training in trainings if self.found(training) is None]
        for training in {(training.env, training.sets): training for training in new}.values():
            self.collect(training)
        groups: dict[Path, list[Train]] = {}
        for training in trainings:
            groups.setdefault(self.run(training).folder, []).append(replace(training, device="cpu"))
        there = replace(self, folder=self.folder.absolute(), data=self.data.absolute(), on="here")
        results, outcomes = each(partial(_outcomes, there, what), groups.values()), dict[str, dict[str, Any]]()
        for training in trainings:
            while name_of(training) not in outcomes:
                outcomes |= next(results)
            outcome = outcomes[name_of(training)]
            if training in new:
                console.print(said_of(training, outcome))
            yield outcome

    def shared(self, training: Train) -> Train:
        """The run of a training with its datasets where all trainings have them."""
        return replace(self.run(training), out=self.data / f"{as_file(training.env)}-data")

    def collect(self, training: Train) -> None:
        """Collects what is missing of a training's datasets."""
        folders = self.shared(training).folders
        collect_missing(folders, self.imitators, sets=training.sets, seed=DATA_SEED, on=self.on)

    def outcome_and_memory(self, training: Train) -> dict[str, Any]:
        """The same, with "train_successes" and "train_nearest": on the very tasks of its demonstrations, as many as
        there are of the evaluation's. They are filled in where they are missing, unless the checkpoint is gone.

        Raises:
            AgentError: as `trained`.
        """
        from demos.tasks import n_goals

        outcome, there = self.outcome(training), self.run(training).folder / runs.CHECKPOINT
        if "train_successes" in outcome or not there.exists():
            return outcome
        tasks = min(training.eval_tasks, training.sets * n_goals(env_id(training.env)))
        report = evaluated(training, *self.trained(training), split="train", tasks=tasks, seed=DATA_SEED, on=self.on)
        outcome |= {
            "train_successes": report.successes.astype(int).tolist(),
            "train_nearest": report.nearest.astype(int).tolist(),
        }
        write_json(self.folder / f"{name_of(training)}.json", outcome)
        return outcome

    def trained(self, training: Train) -> "tuple[Sizes, MetaParams]":
        """Sizes and meta-parameters of a training that is done.

        Raises:
            AgentError: its checkpoint is of another number of steps.
            CheckpointError: there is none, or it does not fit.
        """
        from agents.datasets import sizes_in
        from agents.errors import AgentError
        from agents.training import new_state
        from daml import load_state

        run, sizes = self.run(training), sizes_in(env_id(training.env))
        state = new_state(run.its_preset(), sizes, run.seed, "cpu")
        load_state(run.folder / runs.CHECKPOINT, state)
        if state.step != training.steps:
            raise AgentError(f"{run.folder}: got {state.step} meta-steps, allowed {training.steps}, as asked for")
        return sizes, state.meta

    def train(self, training: Train, split: str) -> dict[str, Any]:
        """What comes of a training: one rollout of each task, with the meta-parameters that it ends with."""
        from daml import ALONE, read_log

        run, device = self.run(training), find_device(training.device)
        preset = run.its_preset()
        self.collect(training)
        sizes, tasks = self.shared(training).opened(preset, device)
        runs.begin(run)
        meta = run.train(preset, sizes, tasks, device, time.monotonic(), ALONE)
        report = evaluated(
            training, sizes, meta, split=split, tasks=training.eval_tasks, seed=EVALUATION_SEED, on=self.on
        )
        return {
            "env": training.env,
            "preset": training.preset,
            "seed": training.seed,
            "steps": preset.steps,
            "sets": training.sets,
            "learning_rate": preset.learning_rate,
            "minutes": round(read_log(run.folder / runs.LOG)[-1]["seconds"] / 60, 1),
            "successes": report.successes.astype(int).tolist(),
            "nearest": report.nearest.astype(int).tolist(),
        }


def name_of(training: Train) -> str:
    """Of its folder and of its outcome; it has the learning rate in it where that is not the preset's own."""
    rate = training.at_rate(training.learning_rate).learning_rate
    return as_file(f"{training.env}-{training.preset}-{training.seed}" + (f"-{rate:g}" if rate else ""))


def mean(trials: list[list[int]]) -> float:
    """Of outcomes [tasks][trials]."""
    return sum(map(sum, trials)) / sum(map(len, trials))


def said_of(training: Train, outcome: dict[str, Any]) -> str:
    """What came of a training, on a line."""
    success, nearest = mean(outcome["successes"]), mean(outcome["nearest"])
    return f"{name_of(training)}: success {success:.3f}, right object {nearest:.3f}"


def _outcomes(
    trainings: Trainings, what: Callable[[Trainings, Train], dict[str, Any]], group: list[Train]
) -> dict[str, dict[str, Any]]:
    """What comes of trainings that are the same run, by their names."""
    ready_to_train()
    return {name_of(training): what(trainings, training) for training in group}


def evaluated(
    training: Train, sizes: "Sizes", meta: "MetaParams", *, split: str, tasks: int, seed: int, on: On
) -> "Report":
    """One rollout of each task. split, tasks, seed: as of `agents.evaluation.evaluate`."""
    from agents.evaluation import evaluate_preset
    from agents.presets import find_preset
    from agents.workers import workers_on

    preset = find_preset(training.preset)
    with progress_bar("tasks") as bar, workers_on(on, cores()) as workers:
        job = bar.add_task(f"evaluating on {split} objects", total=tasks, note="")
        return evaluate_preset(
            preset,
            meta,
            sizes=sizes,
            env_id=env_id(training.env),
            split=split,
            tasks=tasks,
            trials=1,
            seed=seed,
            video=preset.shown,
            workers=workers,
            progress=lambda done: bar.update(job, completed=done),
        )
