"""`daml mil-reach`: MIL's simulated reaching from its authors' own scenes."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from demos.processes import cores
from scripts import runs
from scripts.common import console, machine, ready_to_train, write_json
from scripts.inputs import Count, Folder, InputError, Seed
from scripts.progress import progress_bar, training_log

if TYPE_CHECKING:
    from agents.mil_reach import ReachTasks
    from agents.presets import Preset
    from daml import TrainState
    from envs.mil_scenes import Scenes

QUICK_STEPS, QUICK_TASKS = 2, 6
"""Meta-steps, and tasks in each, of a smoke run."""


@dataclass(frozen=True)
class MilReach:
    """One-shot reaching with a planar arm: the simulated benchmark of MIL (Finn et al. 2017b) on its authors' scenes.

    They are not part of this project: --root names a folder with train.tar.xz and test.tar.xz. Demonstrations are
    collected once into --demos; then the method is meta-trained and tried on every test task in every condition. Beside
    it stand random torques and the expert.
    """

    root: Path | None = None
    """Folder of the scenes."""
    method: Literal["mil", "video", "contextual", "lstm", "attention", "cloning"] = "mil"
    """One gradient step on a demonstration with its torques; on its frames alone; frames as an input; or nothing."""
    steps: Count = 3000
    """Meta-steps. A run that is resumed may be given more."""
    seed: Seed = 0
    """Of initial weights, meta-batches and demonstrations shown."""
    demos: Folder = Path("data/mil-reach")
    """Folder of the demonstrations."""
    out: Folder | None = None
    """Folder for results.json, checkpoint and log; runs/mil-reach-METHOD when not given."""
    resume: bool = False
    """Go on with the run in --out, with its settings."""
    quick: bool = False
    """A smoke run: a few meta-steps."""

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.out or Path("runs") / f"mil-reach-{self.method}"

    @property
    def stops(self) -> str:
        """What it means to stop it."""
        return runs.stops(self.folder)

    def run(self) -> None:
        """Collects, trains, tries, and writes what came out."""
        start = time.perf_counter()
        ready_to_train()
        from agents.mil_reach import evaluate, preset_of
        from envs.mil_scenes import read_scenes

        config = replace(self, steps=QUICK_STEPS) if self.quick else self
        runs.check(config)
        if config.root is None:
            raise InputError("root: got none, allowed a folder with train.tar.xz and test.tar.xz")
        preset = preset_of(self.method)
        if self.quick:
            preset = replace(preset, tasks=QUICK_TASKS)
        scenes = {split: read_scenes(config.root, split) for split in ("train", "test")}
        tasks = {split: collected(self.demos, scenes[split], split, self.method) for split in scenes}
        runs.begin(config)
        start -= runs.seconds(self.folder)
        state = train(config, preset, tasks["train"])
        learner = preset.imitator(preset.inner_steps, sizes()).learner
        rows: dict[str, Any] = {self.method: evaluate(learner, state.meta, tasks["test"], self.seed).summary()}
        rows |= beside(scenes["test"], self.seed)
        for name, row in rows.items():
            console.print(f"{name}: " + "; ".join(f"{what} {100 * each['rate']:.1f} %" for what, each in row.items()))
        results = {
            "rows": rows,
            "minutes": {
                "training": round(runs.seconds(self.folder) / 60, 1),
                "all": round((time.perf_counter() - start) / 60, 1),
            },
            "machine": machine(),
            "config": {name: str(value) for name, value in asdict(config).items()},
        }
        write_json(self.folder / "results.json", results)
        console.print(f"results: {self.folder / 'results.json'}")


def sizes() -> Any:
    """Of the arm's state and action."""
    from agents.mil_reach import SIZES

    return SIZES


def collected(folder: Path, scenes: Scenes, split: str, method: str) -> ReachTasks:
    """The tasks of a split, of which what is missing is demonstrated first."""
    from agents.mil_reach import WITH_TORQUES, ReachTasks
    from demos.mil_reach import collect, n_parts, read_demos

    with progress_bar("files") as bar:
        job = bar.add_task(f"collecting {split}", total=n_parts(scenes), note="")
        for done in collect(folder, scenes, split, cores()):
            bar.update(job, completed=done)
    return ReachTasks(scenes, read_demos(folder, scenes, split), method in WITH_TORQUES)


def train(config: MilReach, preset: Preset, tasks: ReachTasks) -> TrainState:
    """Meta-trains from wherever the run is."""
    from agents.training import learning_rate, new_state
    from daml import ALONE, fit, resume

    imitator = preset.imitator(preset.inner_steps, sizes())
    loss = cache(imitator.outer_loss)
    state = new_state(preset, sizes(), config.seed, "cpu")
    checkpoint = config.folder / runs.CHECKPOINT
    resume(state, checkpoint)
    with training_log(config.folder, config.steps, state.step, ALONE) as log:
        fit(
            state,
            tasks,
            learner=imitator.learner,
            outer_loss_at=lambda step: loss(preset.hint if step < preset.hint_steps else 0.0),
            n_tasks=preset.tasks,
            n_steps=config.steps,
            seed=config.seed,
            map_tasks=preset.map_tasks("cpu"),
            lr_at=learning_rate(preset, config.steps),
            max_norm=preset.max_norm,
            log=log,
            checkpoint=checkpoint,
            checkpoint_every=100,
        )
    return state


def beside(scenes: Scenes, seed: int) -> dict[str, Any]:
    """What stands beside a method: uniform torques, and the expert, which is told the goal."""
    from functools import partial

    import numpy as np

    from agents.mil_reach import count
    from demos.mil_expert import expert

    rng = np.random.default_rng(seed)
    conditions = range(scenes.places.shape[1])
    random = count(scenes, lambda number, goal: [lambda observation: rng.uniform(-1, 1, 2) for _ in conditions])
    told = count(
        scenes,
        lambda number, goal: [partial(expert, goal=scenes.places[number, at, goal]) for at in conditions],
    )
    return {"random": random.summary(), "expert": told.summary()}
