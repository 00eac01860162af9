"""`daml sinusoid`: regress a curve from a few points of it, with labels (MAML) or without (DAML)."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scripts import plots, runs
from scripts.common import between, console, write_json
from scripts.inputs import Count, Folder, InputError, Natural, Rate, Seed

if TYPE_CHECKING:
    import numpy as np

    from daml import MetaLearner, MetaParams, Task, Team
    from daml.meta_step import TrainState
    from daml.tasks.sinusoid import Sinusoids

REPORTED = (0, 1, 5, 10)
"""Numbers of inner steps that are reported."""

TUNED_RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Step sizes among which `pretrain` and `random` take the best on validation tasks, as they learn none."""


@dataclass(frozen=True)
class Sinusoid:
    """Learn curves from a few points: the picture, the learning curve and the numbers of the first example.

    maml: the points shown have labels. daml: they have none, a retina sees the curve instead, and the loss is learned.
    pretrain: one network for all curves, tuned on the points. random: a fresh network, tuned on the points.
    """

    method: Literal["maml", "daml", "pretrain", "random"] = "maml"
    """What is learned."""
    family: Literal["standard", "two-phase"] = "standard"
    """Curves: amplitude 0.1 to 5 and phase 0 to pi, or two curves opposite in phase."""
    rule: Literal["gradient", "lstm"] = "gradient"
    """Inner update rule: gradient descent with learned rates, or an LSTM."""
    points: Count = 5
    """Points shown of each curve."""
    hidden: Count = 40
    """Units in each of the two hidden layers."""
    inner_steps: Natural = 5
    """Inner steps in meta-training."""
    rate: Rate = 0.01
    """Where the learned inner rates start."""
    steps: Count = 10_000
    """Meta-steps. A run that is resumed may be given more."""
    tasks: Count = 25
    """Curves in a meta-batch."""
    lr: Rate = 1e-3
    """Outer learning rate of Adam; it falls to zero along a cosine."""
    leak: bool = False
    """Draw x of the support from a half of the interval that gives the phase away (the teaching example's fault)."""
    test_tasks: Count = 600
    """Held-out curves in the report."""
    compile: bool = True
    """Compile the meta-loss: a minute at the start, each step 2 to 3 times faster."""
    seed: Seed = 0
    """Seed of initial weights and curves."""
    out: Folder | None = None
    """Folder for results.json, curves.png, learning.png and log.jsonl; runs/sinusoid-METHOD-RULE when not given."""
    resume: bool = False
    """Go on with the run in --out, with its settings."""

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.out or Path("runs") / f"sinusoid-{self.method}-{self.rule}"

    @property
    def stops(self) -> str:
        """What it means to stop it."""
        return runs.stops(self.folder)

    def run(self) -> None:
        """Trains, evaluates on held-out curves, and writes what came out."""
        start = time.perf_counter()
        if self.rule != "gradient" and self.method in ("pretrain", "random"):
            raise InputError(f"rule: got {self.rule} with --method {self.method}, allowed gradient: it learns no rule")
        from daml import joined

        with joined() as team:
            if team.leads:
                runs.check(self)
                runs.begin(self)
                start -= runs.seconds(self.folder)
            state = train(self, team)
        if not team.leads:
            return
        results = report(self, state.meta) | {"config": asdict(self) | {"out": str(self.folder)}}
        results["seconds"] = round(time.perf_counter() - start, 1)
        show(self, results)
        write_json(self.folder / "results.json", results)
        draw_curves(self, state.meta, self.folder / "curves.png")
        draw_learning(self.folder)


def distribution(config: Sinusoid, n_query: int = 10) -> Sinusoids:
    """The curves this configuration speaks of."""
    from daml.tasks.sinusoid import FAMILIES, Sinusoids, retina

    sensor = retina if config.method == "daml" else None
    return Sinusoids(FAMILIES[config.family], config.points, n_query, sensor, config.leak)


def learner_of(config: Sinusoid, n_steps: int) -> MetaLearner:
    """The learner with another number of inner steps."""
    from daml.tasks.sinusoid import make_learner

    return make_learner(
        labels=config.method != "daml",
        rule=config.rule,
        n_steps=n_steps,
        n_hidden=config.hidden,
        rate=config.rate,
    )


def train(config: Sinusoid, team: Team) -> TrainState:
    """Meta-trains with a team of processes; what the optimiser receives is what is learned."""
    import torch

    from daml import TrainState, fit, resume
    from daml.meta_step import compiled, meta_loss
    from scripts.progress import training_log

    adapts = config.method in ("maml", "daml")
    learner = learner_of(config, config.inner_steps if adapts else 0)
    meta = learner.init(torch.Generator().manual_seed(config.seed))
    groups = ("theta", "psi", "rule") if adapts else ("theta",)
    learned = [tensor for group in groups for tensor in meta[group].values()]
    state = TrainState(meta, torch.optim.Adam(learned, lr=config.lr))
    checkpoint = config.folder / runs.CHECKPOINT
    resume(state, checkpoint)
    n_steps = 0 if config.method == "random" else config.steps
    with training_log(config.folder, n_steps, state.step, team, config.compile) as log:
        fit(
            state,
            distribution(config),
            learner=learner,
            outer_loss_at=lambda step: outer_loss,
            n_tasks=config.tasks,
            n_steps=n_steps,
            seed=config.seed,
            lr_at=lambda step: config.lr * 0.5 * (1 + math.cos(math.pi * step / n_steps)),
            max_norm=10.0,
            objective=compiled() if config.compile else meta_loss,
            log=log,
            checkpoint=checkpoint,
            checkpoint_every=1000,
            team=team,
        )
    return state


def outer_loss(outputs, targets):
    """Mean squared error of every number of inner steps but zero, averaged; of zero if there is no other.

    Source: Antoniou et al. 2019, arXiv 1810.09502, section 4 (multi-step loss).
    """
    errors = (outputs - targets).square().mean(dim=(1, 2))  # [inner steps + 1]
    return {"loss": errors[1:].mean() if len(errors) > 1 else errors[0], "before": errors[0], "after": errors[-1]}


def errors_by_step(learner: MetaLearner, meta: MetaParams, tasks: Task) -> np.ndarray:
    """Mean squared error on every held-out task after every number of steps: [tasks, steps + 1]."""
    import torch

    from daml import vmap_tasks

    def one(task: Task) -> dict[str, torch.Tensor]:
        outputs = learner.predict(learner.adapt(meta, task.support), task.query.inputs)
        return {"errors": (outputs - task.query.targets).square().mean(dim=(1, 2))}

    with torch.no_grad():
        return vmap_tasks(one, tasks)["errors"].numpy()


def held_out(config: Sinusoid, n_tasks: int, stream: int) -> Task:
    """Curves that meta-training never draws: their stream of random numbers is another one."""
    import numpy as np

    return distribution(config, n_query=100).sample(n_tasks, np.random.default_rng([config.seed, 0, stream]))


def tuned(config: Sinusoid, meta: MetaParams) -> MetaParams:
    """The same meta-parameters with the step size that is best on validation curves after the last step reported."""
    import torch

    if config.method in ("maml", "daml"):
        return meta
    learner, validation = learner_of(config, REPORTED[-1]), held_out(config, 200, stream=2)

    def with_rate(rate: float) -> MetaParams:
        return meta | {"rule": {name: torch.tensor(rate) for name in meta["theta"]}}

    def error(rate: float) -> float:
        final = errors_by_step(learner, with_rate(rate), validation)[:, -1].mean()
        return float(final) if math.isfinite(final) else math.inf

    return with_rate(min(TUNED_RATES, key=error))


def report(config: Sinusoid, meta: MetaParams) -> dict:
    """Held-out errors with 95 % intervals, and the control: every curve adapted to another one's support."""
    import torch

    from agents.statistics import normal

    meta = tuned(config, meta)
    learner, tasks = learner_of(config, REPORTED[-1]), held_out(config, config.test_tasks, stream=1)
    errors = errors_by_step(learner, meta, tasks)
    support = torch.utils._pytree.tree_map(lambda leaf: leaf.roll(1, dims=0), tasks.support)
    shuffled = errors_by_step(learner, meta, tasks._replace(support=support))
    return {
        "method": config.method,
        "mse_after_steps": {str(k): float(errors[:, k].mean()) for k in REPORTED},
        "ci95": {str(k): normal(errors[:, k]) for k in REPORTED},
        "mse_shuffled_supports": {str(k): float(shuffled[:, k].mean()) for k in REPORTED},
        "test_tasks": config.test_tasks,
    }


def show(config: Sinusoid, results: dict) -> None:
    """The numbers, for the terminal."""
    console.print(f"held-out mean squared error, {config.method}, {config.points} points, {config.test_tasks} curves")
    for k in map(str, REPORTED):
        shuffled = results["mse_shuffled_supports"][k]
        mean = results["mse_after_steps"][k]
        console.print(
            f"  after {k:>2} steps {mean:6.3f}  {between(*results['ci95'][k])}   shuffled supports {shuffled:6.3f}"
        )
    console.print(f"{results['seconds']:.0f} s; {config.folder}/results.json, curves.png, learning.png")


def draw_curves(config: Sinusoid, meta: MetaParams, path: Path) -> None:
    """Three held-out curves: the truth, the points shown, the network before and after inner steps."""
    import numpy as np
    import torch

    meta = tuned(config, meta)
    learner = learner_of(config, REPORTED[-1])
    curves = distribution(config, n_query=1)
    low, high = curves.family.interval
    x = np.linspace(low, high, 200)
    with plots.figure(12, 3.6, columns=3, sharey=True) as (figure, axes):
        for index, axis in enumerate(axes):
            rng = np.random.default_rng([config.seed, index, 3])
            support, truth, inputs = curves.whole_curve(x, rng)
            with torch.no_grad():
                outputs = learner.predict(learner.adapt(meta, support), inputs).numpy()
            axis.plot(x, truth, color="black", label="true curve")
            for k, colour in zip(REPORTED, ("0.7", "C1", "C2", "C0"), strict=True):
                label = "before" if k == 0 else f"after {k} step{'s' * (k > 1)}"
                axis.plot(x, outputs[k, :, 0], color=colour, linestyle=":" if k == 0 else "-", label=label)
            shown = support if isinstance(support, torch.Tensor) else support.inputs
            points = shown[:, 0].numpy()
            label = "shown" + (" (no label)" * (config.method == "daml"))
            axis.plot(points, np.interp(points, x, truth), "k^", label=label)
            axis.set(xlabel="x [rad]", ylabel="y [no unit]")
            axis.label_outer()
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
        plots.write(figure, path)


def draw_learning(folder: Path) -> None:
    """Training error before and after adaptation over meta-steps, as running means."""
    import numpy as np

    from daml import read_log

    records = read_log(folder / runs.LOG)
    if not records:
        return
    width = max(1, len(records) // 100)
    with plots.figure(6, 3.6) as (figure, (axis,)):
        for name in ("before", "after"):
            values = np.array([record[name] for record in records], dtype=float)
            means = values[: len(values) // width * width].reshape(-1, width).mean(axis=1)
            axis.plot(width * np.arange(1, len(means) + 1), means, label=f"{name} adaptation")
        axis.set(xlabel=plots.META_STEPS, ylabel="mean squared error, query [no unit]", yscale="log")
        axis.legend()
        plots.write(figure, folder / "learning.png")
