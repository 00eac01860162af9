"""`daml train`: collect, meta-train, evaluate; stop it at any moment, `--resume` goes on."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import runs
from scripts.common import ALL, console, cores, env_id, env_names, find_device, keep_memory, machine
from scripts.inputs import Count, Folder, Seed
from scripts.progress import progress_bar, training_log

if TYPE_CHECKING:
    from agents.imitation import Imitator
    from agents.presets import Preset
    from agents.view import Sizes
    from daml import MetaParams, Team
    from daml.logs import Log
    from demos.distribution import MixedTasks
    from demos.storage import Dataset

VALIDATE_EVERY = 500
VALIDATION_TASKS = 60
EVALUATION_SEED = 1
GLANCES = 10
"""Collected of each set, for a preset that looks at them (`demos.glances`)."""


@dataclass(frozen=True)
class Train:
    """Meta-train a policy from nothing: collects demonstrations, trains, and evaluates on meta-test objects.

    Writes into --out: data/ (demonstrations), log.jsonl and tensorboard/, curve.png, checkpoint.safetensors, and
    policy/ (parameters, config, card), which `daml evaluate --policy` and `daml adapt --policy` take.
    """

    env: str = "reach"
    """Environment; all is one policy for reach, push, place and pick-place."""
    preset: str = "temporal"
    """Kind of policy: temporal (a loss along the video, minutes on a CPU), fast (a loss that proposes a place), both,
    precise (finds the goal more exactly, for longer), paper (the literal network and loss, for a GPU), paper-small (the
    same, for an hour on a CPU), or what these are compared with: docs/methods/baselines.md."""
    seed: Seed = 0
    """Of everything. Two runs with one seed give the same numbers on one machine."""
    out: Folder | None = None
    """Folder of the run; runs/ENV when not given."""
    sets: Count = 2000
    """Object sets to collect of each environment; each has three tasks, or three for each verb."""
    data: Path | None = None
    """A dataset that is there already (`daml collect`), instead of collecting; with --env all a folder with one of
    each environment, called by its name."""
    steps: Count | None = None
    """Meta-steps; the preset's own number when not given. A run that is resumed may be given more."""
    eval_tasks: Count = 100
    """Tasks of the evaluation at the end."""
    eval_trials: Count = 2
    """Rollouts of each."""
    device: str = "auto"
    """auto, cpu or cuda."""
    resume: bool = False
    """Go on with the run in --out, with its settings."""
    quick: bool = False
    """A smoke run of a minute: few sets, few steps, few tasks."""

    def run(self) -> None:
        # Threads that wait actively stay in step when other programs want the cores. Read when torch is imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "active")
        keep_memory()
        from daml import joined

        run = self.settled()
        preset = run.its_preset()
        device = find_device(run.device)
        with joined(device) as team:
            team.share(preset.tasks)
            started = time.monotonic()
            with team.leader_first():
                if team.leads:
                    run.check(preset)
                    runs.check(run)
                    if run.data is None:
                        runs.begin(run)  # before there is data: what is stopped amid collection is a run already
                else:
                    # It opens what the leader has collected, and has nothing to say.
                    console.quiet = True
                    run = replace(run, data=run.data or run.folder / "data")
                datasets = run.collect([preset.imitator(preset.inner_steps)])
            sizes = common_sizes(datasets)
            tasks = task_distribution(preset, sizes, datasets, device)
            if team.leads:
                runs.begin(run)
            meta = run.train(preset, sizes, tasks, device, started, team)
        if team.leads:
            run.finish(preset, sizes, meta, device)

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.out or Path("runs") / self.env

    @property
    def stops(self) -> str:
        """What it means to stop it."""
        return runs.stops(self.folder)

    def settled(self) -> "Train":
        """The same with all that was left open: what is quick, and the preset's number of steps.

        Raises:
            AgentError: there is no such preset.
        """
        run = replace(self, sets=8, steps=6, eval_tasks=3, eval_trials=1, quick=False) if self.quick else self
        return replace(run, out=self.folder, steps=run.its_preset().steps)

    def its_preset(self) -> "Preset":
        """The preset, with the run's own number of steps.

        Raises:
            AgentError: there is no such preset.
        """
        from agents.presets import find_preset

        preset = find_preset(self.preset)
        return replace(preset, steps=self.steps or preset.steps)

    def check(self, preset: "Preset") -> None:
        """Checks that the preset can be trained on these environments.

        Raises:
            EnvError: no such environment.
            AgentError: a meta-batch has not as many tasks of each environment.
            DemoError: a meta-batch cannot have so many tasks of an environment.
        """
        from agents.errors import AgentError
        from demos.distribution import goals_a_set

        names = env_names(self.env)
        if preset.tasks % len(names):
            raise AgentError(
                f"env {self.env}, preset {self.preset}: got {preset.tasks} tasks in a meta-batch, allowed a multiple "
                f"of {len(names)}"
            )
        for name in names:
            goals_a_set(env_id(name), preset.tasks // len(names))

    def collect(self, imitators: "Sequence[Imitator]") -> "list[Dataset]":
        """Collects what is missing of the dataset of each environment, with all that imitators need, and opens them.

        Raises:
            AgentError: --data is of another environment.
        """
        from agents.errors import AgentError
        from demos.collect import collect
        from demos.storage import open_dataset

        names = env_names(self.env)
        folder = self.data or self.folder / "data"
        folders = {name: folder / name if self.env == ALL else folder for name in names}
        with progress_bar("sets") as bar:
            for name in names if self.data is None else []:
                job = bar.add_task(f"collecting {name}", total=self.sets, note="")
                for done in collect(
                    folders[name],
                    env_id=env_id(name),
                    split="train",
                    n_sets=self.sets,
                    seed=self.seed,
                    size=imitators[0].size,
                    n_glances=GLANCES if any(imitator.wanted.glances for imitator in imitators) else 0,
                    n_lessons=int(any(imitator.wanted.lessons for imitator in imitators)),
                    workers=cores(),
                ):
                    bar.update(job, completed=done)
        datasets = {name: open_dataset(path) for name, path in folders.items()}
        for name, dataset in datasets.items():
            if dataset.info.env_id != env_id(name):
                raise AgentError(f"data {folders[name]}: got {dataset.info.env_id}, allowed {env_id(name)}")
        return list(datasets.values())

    def train(
        self, preset: "Preset", sizes: "Sizes", tasks: "MixedTasks", device: str, started: float, team: "Team"
    ) -> "MetaParams":
        """Meta-trains from the checkpoint, if there is one, to the end; returns the meta-parameters.

        The log keeps the seconds since `started`, continued where a stopped run had left them.
        """
        from agents.training import Validation, meta_train, new_state, resume

        names = env_names(self.env)
        state = new_state(preset, sizes, self.seed, device)
        checkpoint = self.folder / runs.CHECKPOINT
        resume(state, checkpoint)
        with self.log(preset.steps, state.step, started, team) as log:
            meta_train(
                preset,
                sizes,
                state,
                tasks,
                steps=preset.steps,
                seed=self.seed,
                validation=Validation(
                    tuple(map(env_id, names)),
                    max(1, min(VALIDATION_TASKS, self.eval_tasks) // len(names)),
                    VALIDATE_EVERY,
                    self.seed,
                ),
                log=log,
                checkpoint=checkpoint,
                team=team,
            )
        return state.meta

    @contextmanager
    def log(self, n_steps: int, step: int, started: float, team: "Team") -> "Iterator[Log | None]":
        """Where metrics go, with the seconds; nowhere in a process that does not lead its team."""
        from daml import TensorboardLog, read_log, tee

        with training_log(self.folder, n_steps, step, team) as first:
            if first is None:
                yield None
                return
            logs = tee(first, TensorboardLog(self.folder / "tensorboard", step))
            started -= read_log(self.folder / runs.LOG)[-1]["seconds"] if step else 0.0

            def log(step: int, metrics: dict[str, float]) -> None:
                logs(step, metrics | {"seconds": round(time.monotonic() - started, 2)})

            yield log

    def finish(self, preset: "Preset", sizes: "Sizes", meta: "MetaParams", device: str) -> None:
        """Evaluates on meta-test objects, writes the policy and the learning curve, and says what came out."""
        from agents.controls import CONTROLS
        from agents.evaluation import evaluate_preset, shown_to
        from agents.policies import PolicyConfig, save_policy
        from agents.workers import processes
        from daml import read_log

        records = read_log(self.folder / runs.LOG)
        minutes = records[-1]["seconds"] / 60
        shown = CONTROLS if preset.shown == "human" else (preset.shown, "none")
        rows = {
            row_of(self.env, name, video): (name, video)
            for name in env_names(self.env)
            for video in shown
            if video in shown_to(preset, env_id(name))
        }
        results: dict[str, Any] = {}
        with progress_bar("videos") as bar, processes(cores()) as workers:
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
        config = PolicyConfig(
            env=self.env,
            preset=self.preset,
            sizes=sizes,
            seed=self.seed,
            steps=preset.steps,
            sets=self.sets,
            command=runs.command_line("train", self),
            minutes=round(minutes, 1),
            machine=machine(device),
            results=results,
        )
        save_policy(self.folder / "policy", meta, config)
        draw_curve(self.folder / "curve.png", records)
        console.print(f"policy: {self.folder / 'policy'}, learning curve: {self.folder / 'curve.png'}")
        for row, result in results.items():
            if rows[row][1] == preset.shown:
                console.print(
                    f"{rows[row][0]}: success on meta-test objects {result['success']:.3f} (95 % interval "
                    f"{result['ci_low']:.3f} to {result['ci_high']:.3f}), {minutes:.0f} minutes with collection"
                )


def task_distribution(preset: "Preset", sizes: "Sizes", datasets: "list[Dataset]", device: str) -> "MixedTasks":
    """What a preset is meta-trained on: tasks of all datasets, with all that its imitator looks at.

    Raises:
        DemoError: a dataset does not have that.
    """
    from demos.distribution import MixedTasks, SetTasks

    imitator = preset.imitator(preset.inner_steps, sizes)
    return MixedTasks([SetTasks(data, imitator.wanted, device=device) for data in datasets])


def row_of(policy: str, env: str, video: str) -> str:
    """Key of a policy's results: the video, and in which environment, if the policy is for several."""
    return video if policy == env else f"{env}: {video}"


def common_sizes(datasets: "list[Dataset]") -> "Sizes":
    """Sizes that the states, actions and points of all datasets fit into."""
    from agents.view import Sizes

    infos = [dataset.info for dataset in datasets]
    return Sizes(max(i.state for i in infos), max(i.action for i in infos), max(i.points for i in infos))


def draw_curve(path: Path, records: list[dict[str, Any]]) -> None:
    """Draws loss and validation success against meta-steps."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for name in ("loss", "cloning", "pose"):
        left.plot([r["step"] for r in records], [r[name] for r in records], label=name, linewidth=0.8)
    left.set(xlabel="meta-steps", ylabel="outer loss", yscale="symlog")
    left.legend()
    validated = [r for r in records if "val_success" in r]
    for name, label in (("val_nearest", "right object"), ("val_success", "success")):
        right.plot([r["step"] for r in validated], [r[name] for r in validated], marker="o", label=label)
    right.axhline(1 / 3, color="grey", linestyle=":", label="chance, right object")
    right.set(xlabel="meta-steps", ylabel="rate on meta-validation tasks", ylim=(0, 1.02))
    right.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)
