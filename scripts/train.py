"""`daml train`: collect, meta-train, evaluate; stop it at any moment, `--resume` goes on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from demos.processes import cores
from scripts import plots, runs
from scripts.collect import collect_missing
from scripts.common import (
    NONE,
    as_file,
    console,
    data_folders,
    env_id,
    env_ids,
    env_names,
    find_device,
    machine,
    ready_to_train,
)
from scripts.evaluate import errors_table
from scripts.inputs import Count, Device, Folder, InputError, On, Rate, Seed
from scripts.progress import progress_bar, training_log

if TYPE_CHECKING:
    from agents.policies import PolicyConfig
    from agents.presets import Preset
    from agents.training import Validation
    from agents.view import Sizes
    from daml import MetaParams, Team, TrainState
    from daml.logs import Log
    from demos.distribution import MixedTasks

VALIDATE_EVERY = 500
VALIDATION_TASKS = 60
VALIDATION_SETS = 20
"""Of those that a dataset holds out."""
EVALUATION_SEED = 1


@dataclass(frozen=True)
class Train:
    """Meta-train a policy: collects demonstrations, trains, and evaluates on meta-test objects.

    Writes into --out: data/ (demonstrations), log.jsonl and tensorboard/, curve.png, checkpoint.safetensors, and
    policy/ (parameters, config, card), which `daml evaluate --policy` and `daml adapt --policy` take.

    With --env none it trains on a dataset of `daml import` alone, whatever the robot, and evaluates on the sets that
    this holds out, without a simulator (docs/your_own_data.md).
    """

    env: str = "reach"
    """Environment: reach, push, place, pick-place, act, sort, or MODULE:ID of a task of your own
    (docs/your_own_task.md); all is one policy for reach, push, place and pick-place; none is a robot of which there are
    only data, in --data."""
    preset: str = "temporal"
    """Kind of policy: temporal (a loss along the video, minutes on a CPU), fast (a loss that proposes a place),
    both, precise and precise-temporal (find the goal more exactly, for longer), looking, looking-both and
    looking-temporal (precise, both and temporal, which look at every step), paper (the literal network and loss, for a
    GPU), paper-small and paper-seeing (smaller, for a CPU: docs/methods/imitation.md), what these are compared with
    (docs/methods/baselines.md), or MODULE:NAME of a preset of your own (docs/your_own_method.md)."""
    seed: Seed = 0
    """Of everything. Two runs with one seed give the same numbers on one machine."""
    out: Folder | None = None
    """Folder of the run; runs/ENV when not given."""
    sets: Count = 1200
    """Object sets to collect of each environment; each has three tasks, or three for each verb or container."""
    data: Path | None = None
    """A dataset that is there already (`daml collect`, `daml import`), instead of collecting; with --env all a folder
    with one of each environment, called by its name."""
    steps: Count | None = None
    """Meta-steps; the preset's own number when not given. A run that is resumed may be given more."""
    learning_rate: Rate | None = None
    """Of the outer loop, at its highest; the preset's own when not given."""
    begin_with: str | None = None
    """A policy whose parameters it begins with: an environment with one in the box, or its folder; they are drawn when
    not given."""
    pairs: Literal["all", "seen"] = "all"
    """Pairs of shape and verb to train on: seen holds some out (act only: docs/envs/act.md#held-out-combinations); the
    evaluation at the end is on all."""
    eval_tasks: Count = 100
    """Tasks of the evaluation at the end."""
    eval_trials: Count = 2
    """Rollouts of each."""
    device: Device = "auto"
    """Where it trains; auto is the GPU where there is one."""
    on: On = "processes"
    resume: bool = False
    """Go on with the run in --out, with its settings."""
    quick: bool = False
    """A smoke run of a minute: few sets, few steps, few tasks."""

    def run(self) -> None:
        ready_to_train()
        from daml import joined

        self.check_idle()
        run = self.settled()
        preset = run.its_preset()
        device = find_device(run.device)
        with joined(device) as team:
            team.share(preset.tasks)
            started = time.monotonic()
            sizes, tasks = run.material(preset, device, team)
            meta = run.train(preset, sizes, tasks, device, started, team)
        if team.leads:
            run.finish(preset, sizes, tasks, meta, device)

    def check_idle(self) -> None:
        """
        Raises:
            InputError: an option is given that does nothing beside the others.
        """
        idle = {"sets": "--data"} if self.data else {}
        if self.env == NONE:
            idle |= dict.fromkeys(("eval_tasks", "eval_trials", "on"), "--env none")
        given = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        for name in given if not self.resume else ():
            if name in idle:
                option = name.replace("_", "-")
                raise InputError(f"{option}: got it with {idle[name]}, where it does nothing, allowed without")

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.out or Path("runs") / as_file(self.env)

    @property
    def folders(self) -> dict[str, Path]:
        """Of the datasets, by registered id."""
        return data_folders(self.env, self.data or self.folder / "data")

    @property
    def stops(self) -> str:
        """What it means to stop it."""
        return runs.stops(self.folder)

    def settled(self) -> "Train":
        """The same with all that was left open: what is quick, and the preset's number of steps. A learning rate
        that is the preset's own is as one that was not given: both are one run.

        Raises:
            AgentError: there is no such preset.
        """
        run = replace(self, sets=8, steps=6, eval_tasks=3, eval_trials=1, quick=False) if self.quick else self
        return replace(run, out=self.folder, steps=run.its_preset().steps).at_rate(self.learning_rate)

    def at_rate(self, rate: float | None) -> "Train":
        """The same with a learning rate; None where that is the preset's own.

        Raises:
            AgentError: there is no such preset.
        """
        from agents.presets import find_preset

        return replace(self, learning_rate=None if rate == find_preset(self.preset).learning_rate else rate)

    def its_preset(self) -> "Preset":
        """The preset, with the run's own number of steps and learning rate.

        Raises:
            AgentError: there is no such preset.
        """
        from agents.presets import find_preset

        preset = find_preset(self.preset)
        return replace(
            preset, steps=self.steps or preset.steps, learning_rate=self.learning_rate or preset.learning_rate
        )

    def material(self, preset: "Preset", device: str, team: "Team") -> "tuple[Sizes, MixedTasks]":
        """Sizes and tasks of the training, the same in all processes.

        The run begins when all that it is given has been checked, and before it collects: what is stopped amid that is
        a run already.

        Raises:
            AgentError, DemoError: the preset cannot be trained on these environments, or on what is in --data, or
                begin with that policy.
            InputError: the run may not begin or go on, or has neither environment nor data.
        """
        from agents.datasets import check_batch, sizes_in
        from agents.training import first_parameters

        with team.leader_first():
            if not team.leads:
                return self.opened(preset, device)
            if self.env != NONE:
                check_batch(preset, env_ids(self.env), self.pairs)
            elif self.data is None:
                raise InputError("data: got none, allowed a dataset of `daml import`, with --env none")
            runs.check(self)
            given = self.opened(preset, device) if self.data else None
            if self.begin_with and not self.resume:
                sizes = given[0] if given else sizes_in(*env_ids(self.env))
                first_parameters(preset, sizes, self.seed, self.begin_with)
            runs.begin(self)
            if given:
                return given
            collect_missing(
                self.folders, [preset.imitator(preset.inner_steps)], sets=self.sets, seed=self.seed, on=self.on
            )
            return self.opened(preset, device)

    def opened(self, preset: "Preset", device: str) -> "tuple[Sizes, MixedTasks]":
        """Sizes and tasks of the datasets that are there.

        Raises:
            AgentError: a dataset is of another environment, or its images are of another size; or without an
                environment it cannot be evaluated on.
            DemoError: there is none, or it does not have all that the preset looks at.
        """
        from agents import held_out
        from agents.datasets import common_sizes, open_datasets, task_distribution
        from demos.storage import open_dataset

        alone = self.data if self.env == NONE else None
        datasets = [open_dataset(alone)] if alone else open_datasets(self.folders)
        sizes = common_sizes(datasets)
        if alone:
            held_out.check(preset, sizes, datasets[0])
        return sizes, task_distribution(preset, sizes, datasets, device, self.pairs)

    def state(self, preset: "Preset", sizes: "Sizes", device: str) -> "TrainState":
        """Of the checkpoint, if there is one, or a new one."""
        from agents.training import new_state
        from daml import resume

        checkpoint = self.folder / runs.CHECKPOINT
        state = new_state(preset, sizes, self.seed, device, None if checkpoint.exists() else self.begin_with)
        resume(state, checkpoint)
        return state

    def train(
        self, preset: "Preset", sizes: "Sizes", tasks: "MixedTasks", device: str, started: float, team: "Team"
    ) -> "MetaParams":
        """Meta-trains from the checkpoint, if there is one, to the end; returns the meta-parameters.

        The log keeps the seconds since `started`, continued where a stopped run had left them.
        """
        from agents.training import meta_train

        state = self.state(preset, sizes, device)
        with self.log(preset.steps, state.step, started, team) as log:
            meta_train(
                preset,
                sizes,
                state,
                tasks,
                steps=preset.steps,
                seed=self.seed,
                validation=self.validation(preset, sizes, tasks),
                log=log,
                checkpoint=self.folder / runs.CHECKPOINT,
                team=team,
            )
        return state.meta

    def validation(self, preset: "Preset", sizes: "Sizes", tasks: "MixedTasks") -> "Validation":
        """What is measured on the way: success in rollouts, or errors on what the dataset holds out."""
        from agents import held_out
        from agents.training import Validation, rollouts

        if self.env == NONE:
            (dataset,) = tasks.datasets
            errors = held_out.validation(preset, sizes, dataset, seed=EVALUATION_SEED, sets=VALIDATION_SETS)
            return Validation(errors, VALIDATE_EVERY)
        environments = env_ids(self.env)
        number = max(1, min(VALIDATION_TASKS, self.eval_tasks) // len(environments))
        successes = rollouts(preset, sizes, environments, tasks=number, seed=self.seed, pairs=self.pairs)
        return Validation(successes, VALIDATE_EVERY)

    @contextmanager
    def log(self, n_steps: int, step: int, started: float, team: "Team") -> "Iterator[Log | None]":
        """Where metrics go; nowhere in a process that does not lead its team."""
        from daml import TensorboardLog, tee

        with training_log(self.folder, n_steps, step, team, started=started) as log:
            yield log and tee(log, TensorboardLog(self.folder / "tensorboard", step))

    def finish(self, preset: "Preset", sizes: "Sizes", tasks: "MixedTasks", meta: "MetaParams", device: str) -> None:
        """Evaluates, writes the policy and the learning curve, and says what came out."""
        from agents.policies import PolicyConfig, save_policy
        from daml import read_log

        records = read_log(self.folder / runs.LOG)
        alone = self.env == NONE
        results = self.errors(preset, sizes, tasks, meta) if alone else self.rollouts(preset, sizes, meta)
        config = PolicyConfig(
            env=self.env,
            preset=self.preset,
            sizes=sizes,
            seed=self.seed,
            steps=preset.steps,
            sets=min(dataset.info.n_sets - dataset.info.held_out for dataset in tasks.datasets),
            command=runs.command_line("train", replace(self, learning_rate=preset.learning_rate)),
            minutes=round(records[-1]["seconds"] / 60, 1),
            machine=machine(device),
            results=results,
            pairs=self.pairs,
        )
        console.print(errors_table(results) if alone else successes(preset, config))
        save_policy(self.folder / "policy", meta, config)
        draw_curve(self.folder / "curve.png", records, preset.hint_steps)
        console.print(f"policy: {self.folder / 'policy'}, learning curve: {self.folder / 'curve.png'}")

    def errors(
        self, preset: "Preset", sizes: "Sizes", tasks: "MixedTasks", meta: "MetaParams"
    ) -> dict[str, dict[str, Any]]:
        """Of actions on what the dataset holds out, by what is shown."""
        from agents.held_out import measure

        (dataset,) = tasks.datasets
        with progress_bar("sets") as bar:
            job = bar.add_task("evaluating on held-out sets", total=dataset.info.held_out, note="")
            found = measure(
                preset,
                meta,
                sizes=sizes,
                dataset=dataset,
                seed=EVALUATION_SEED,
                progress=lambda done: bar.update(job, completed=done),
            )
        return {shown: row | {"seed": EVALUATION_SEED} for shown, row in found.summary().items()}

    def rollouts(self, preset: "Preset", sizes: "Sizes", meta: "MetaParams") -> dict[str, dict[str, Any]]:
        """Successes on meta-test objects, by environment and what is shown."""
        from agents.controls import CONTROLS
        from agents.evaluation import evaluate_preset, shown_to
        from agents.policies import row_of
        from agents.workers import workers_on

        shown = CONTROLS if preset.shown == "human" else (preset.shown, "none")
        rows = {
            row_of(self.env, name, video): (name, video)
            for name in env_names(self.env)
            for video in shown
            if video in shown_to(preset, env_id(name))
        }
        results: dict[str, Any] = {}
        with progress_bar("videos") as bar, workers_on(self.on, cores()) as workers:
            job = bar.add_task("evaluating", total=len(rows), note="")
            for row, (name, video) in rows.items():
                bar.update(job, note=row)
                report = evaluate_preset(
                    preset,
                    meta,
                    sizes=sizes,
                    env_id=env_id(name),
                    split="test",
                    tasks=self.eval_tasks,
                    trials=self.eval_trials,
                    seed=EVALUATION_SEED,
                    video=video,
                    workers=workers,
                )
                results[row] = report.summary() | {"seed": EVALUATION_SEED}
                bar.advance(job)
        return results


def successes(preset: "Preset", config: "PolicyConfig") -> str:
    """A line for each environment: success after what the preset is shown."""
    return "\n".join(
        f"{config.where(row)[0]}: success on meta-test objects {result['success']:.3f} (95 % interval "
        f"{result['ci_low']:.3f} to {result['ci_high']:.3f}), {config.minutes:.0f} minutes with collection"
        for row, result in config.results.items()
        if config.where(row)[1] == preset.shown
    )


def draw_curve(path: Path, records: list[dict[str, Any]], hint_steps: int) -> None:
    """Draws loss and validation, success or errors, against meta-steps; the hint ends after `hint_steps`."""
    with plots.figure(10, 3.6, columns=2) as (figure, (left, right)):
        for name in ("loss", "cloning", "pose"):
            left.plot([r["step"] for r in records], [r[name] for r in records], label=name, linewidth=0.8)
        plots.hint_end(left, hint_steps)
        left.set(xlabel=plots.META_STEPS, ylabel="outer loss [no unit]", yscale="symlog")
        left.legend()
        if validated := [r for r in records if "val_success" in r]:
            plots.success_curve(right, validated, hint_steps)
        else:
            plots.error_curve(right, [r for r in records if "val_error" in r], hint_steps)
        plots.write(figure, path)
