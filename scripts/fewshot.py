"""`daml fewshot`: tell apart classes never seen before, from one or a few examples of each."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from scripts import plots, runs
from scripts.common import between, console, write_json
from scripts.inputs import Count, Folder, Natural, Rate, Seed, Within

if TYPE_CHECKING:
    import numpy as np

    from daml import MetaLearner, MetaParams, Team
    from daml.meta_step import TrainState
    from daml.tasks.fewshot import Classes, Episodes

TUNED_RATES, TUNED_STEPS = (0.03, 0.1, 0.3), (5, 10, 30)
"""Step sizes and numbers of steps among which `finetune` takes the best on validation episodes, as it learns none."""


QUERIES = 15
"""Images of each class to classify in the report, as in the papers."""


@dataclass(frozen=True)
class Fewshot:
    """Few-shot classification of unseen classes: MAML, the LSTM meta-learner, or fine-tuning as the baseline.

    glyphs are drawn by the program, nothing is downloaded. omniglot and miniimagenet are read from --root, in the
    folders as published.
    """

    method: Literal["maml", "lstm", "finetune"] = "maml"
    """Initial weights and rates; initial weights and an LSTM update rule; or pretrained on all classes, then tuned."""
    data: Literal["glyphs", "omniglot", "miniimagenet"] = "glyphs"
    """Images."""
    root: Path | None = None
    """Folder of omniglot or miniimagenet."""
    ways: Annotated[int, Within(2)] = 5
    """Classes to tell apart."""
    shots: Count = 1
    """Examples shown of each."""
    queries: Count = 5
    """Images of each class to classify, in training."""
    filters: Count = 32
    """Filters in each of the four convolutions."""
    inner_steps: Natural = 3
    """Inner steps, in training and in the report."""
    rate: Rate = 0.1
    """Where the inner rates, or the LSTM's input gate, start."""
    steps: Count = 2000
    """Meta-steps. A run that is resumed may be given more."""
    tasks: Count = 8
    """Episodes in a meta-batch."""
    lr: Rate = 2e-3
    """Outer learning rate of Adam; it falls to zero along a cosine."""
    episodes: Count = 600
    """Test episodes in the report."""
    compile: bool = True
    """Compile the meta-loss: a minute at the start, faster steps."""
    seed: Seed = 0
    """Seed of initial weights, glyphs and episodes."""
    out: Folder | None = None
    """Folder for results.json, episode.png, learning.png and log.jsonl; runs/fewshot-METHOD-DATA when not given."""
    resume: bool = False
    """Go on with the run in --out, with its settings."""

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.out or Path("runs") / f"fewshot-{self.method}-{self.data}"

    @property
    def stops(self) -> str:
        """What it means to stop it."""
        return runs.stops(self.folder)

    def run(self) -> None:
        """Trains, evaluates on classes never seen, and writes what came out."""
        start = time.perf_counter()
        from daml import joined
        from daml.tasks.fewshot import load_classes

        images = {
            split: load_classes(self.data, split, self.root, self.seed) for split in ("train", "validation", "test")
        }
        with joined() as team:
            if team.leads:
                runs.check(self)
                check_episodes(self, images)
                runs.begin(self)
                start -= runs.seconds(self.folder)
            state = train(self, images["train"], team)
        if not team.leads:
            return
        results = report(self, state.meta, images)
        results["seconds"] = round(time.perf_counter() - start, 1)
        results["config"] = asdict(self) | {"out": str(self.folder), "root": str(self.root)}
        console.print(
            f"{self.method} on {self.data}, {self.ways} ways, {self.shots} shots: accuracy {results['accuracy']:.3f} "
            f"{between(*results['ci95'])} over {self.episodes} episodes of unseen classes; {results['seconds']:.0f} s; "
            f"{self.folder}/results.json, learning.png, episode.png"
        )
        write_json(self.folder / "results.json", results)
        draw_learning(self)
        draw_episode(self, images["test"], self.folder / "episode.png")


def check_episodes(config: Fewshot, images: dict[str, Classes]) -> None:
    """Draws no episode, but makes sure that there are enough images for those of training and of the report.

    Raises:
        MetaLearningError: there are not.
    """
    from daml.tasks.fewshot import Episodes

    queries = {"train": config.queries, "validation": QUERIES, "test": QUERIES}
    asked = ["train", "test"] + ["validation"] * (config.method == "finetune")
    for split in asked:
        Episodes(images[split], config.ways, config.shots, queries[split])


def learner_of(config: Fewshot, classes: Classes, n_steps: int) -> MetaLearner:
    """Conv-4 for these images, with a number of inner steps."""
    from daml.tasks.fewshot import make_learner

    return make_learner(
        rule="lstm" if config.method == "lstm" else "gradient",
        n_steps=n_steps,
        side=classes[0].shape[1],
        channels=classes[0].shape[3],
        ways=config.ways,
        n_filters=config.filters,
        rate=config.rate,
    )


def train(config: Fewshot, classes: Classes, team: Team) -> TrainState:
    """Meta-trains with a team of processes, or pretrains on all classes at once."""
    import torch

    from daml import TrainState, compiled, fit, meta_loss, resume
    from daml.tasks.fewshot import AllClasses, Episodes, outer_loss, pretraining
    from scripts.progress import training_log

    pretrains = config.method == "finetune"
    learner = learner_of(config, classes, config.inner_steps)
    if pretrains:
        learner = pretraining(learner, len(classes))
    meta = learner.init(torch.Generator().manual_seed(config.seed))
    groups = ("theta", "classifier") if pretrains else ("theta", "rule")
    learned = [tensor for group in groups for tensor in meta[group].values()]
    state = TrainState(meta, torch.optim.Adam(learned, lr=config.lr))
    checkpoint = config.folder / runs.CHECKPOINT
    resume(state, checkpoint)
    episodes = Episodes(classes, config.ways, config.shots, config.queries)
    with training_log(config.folder, config.steps, state.step, team, config.compile) as log:
        fit(
            state,
            AllClasses(classes) if pretrains else episodes,
            learner=learner,
            outer_loss_at=lambda step: outer_loss,
            n_tasks=1 if pretrains else config.tasks,
            n_steps=config.steps,
            seed=config.seed,
            lr_at=lambda step: config.lr * 0.5 * (1 + math.cos(math.pi * step / config.steps)),
            max_norm=10.0,
            objective=compiled() if config.compile else meta_loss,
            log=log,
            checkpoint=checkpoint,
            checkpoint_every=200,
            team=team,
        )
    return state


def tuned(config: Fewshot, meta: MetaParams, classes: Classes) -> tuple[MetaParams, int]:
    """Meta-parameters and number of inner steps of the report; for `finetune` the best on validation episodes."""
    import torch

    from daml.tasks.fewshot import Episodes

    if config.method != "finetune":
        return meta, config.inner_steps
    episodes = Episodes(classes, config.ways, config.shots, QUERIES)
    learner, best = learner_of(config, classes, TUNED_STEPS[-1]), (-1.0, meta, 0)
    for rate in TUNED_RATES:
        candidate = meta | {"rule": {name: torch.tensor(rate) for name in meta["theta"]}}
        values = accuracies(learner, candidate, episodes, min(100, config.episodes), [config.seed, 0, 2]).mean(axis=0)
        best = max(best, *((float(values[k]), candidate, k) for k in TUNED_STEPS), key=lambda choice: choice[0])
    return best[1:]


def report(config: Fewshot, meta: MetaParams, images: dict[str, Classes]) -> dict:
    """Accuracy on episodes of test classes, with a 95 % interval of its mean over episodes."""
    from agents.statistics import normal
    from daml.tasks.fewshot import Episodes

    meta, n_steps = tuned(config, meta, images["validation"])
    learner = learner_of(config, images["test"], n_steps)
    test = Episodes(images["test"], config.ways, config.shots, QUERIES)
    values = accuracies(learner, meta, test, config.episodes, [config.seed, 0, 1])
    final = values[:, -1]
    return {
        "method": config.method,
        "accuracy": float(final.mean()),
        "ci95": normal(final),
        "accuracy_after_steps": {str(k): float(values[:, k].mean()) for k in range(n_steps + 1)},
        "episodes": config.episodes,
    }


def accuracies(
    learner: MetaLearner, meta: MetaParams, episodes: Episodes, n_episodes: int, entropy: list[int]
) -> np.ndarray:
    """Accuracy in every episode after every number of inner steps: [n_episodes, steps + 1]."""
    import numpy as np
    import torch

    from daml import Task, vmap_tasks
    from daml.tasks.fewshot import accuracy_of

    def one(task: Task) -> dict[str, torch.Tensor]:
        logits = learner.predict(learner.adapt(meta, task.support), task.query.inputs)
        return {"accuracy": accuracy_of(logits, task.query.targets)}

    rng = np.random.default_rng(entropy)
    with torch.no_grad():
        chunks = [
            vmap_tasks(one, episodes.sample(10, rng))["accuracy"].numpy() for _ in range(math.ceil(n_episodes / 10))
        ]
    return np.concatenate(chunks)[:n_episodes]


def draw_learning(config: Fewshot) -> None:
    """Query accuracy over meta-steps, as a running mean."""
    import numpy as np

    from daml import read_log

    values = np.array([record["accuracy"] for record in read_log(config.folder / runs.LOG)])
    width = max(1, len(values) // 100)
    means = values[: len(values) // width * width].reshape(-1, width).mean(axis=1)
    with plots.figure(6, 3.6) as (figure, (axis,)):
        axis.plot(width * np.arange(1, len(means) + 1), means, label="running mean")
        if config.method != "finetune":  # which is trained to tell all classes apart
            plots.chance(axis, 1 / config.ways, f"chance, {config.ways} ways")
        axis.set(xlabel=plots.META_STEPS, ylabel="training classes, query [share right]")
        axis.legend()
        plots.write(figure, config.folder / "learning.png")


def draw_episode(config: Fewshot, classes: Classes, path: Path) -> None:
    """One episode of unseen classes: what is shown above, three of the images to classify below."""
    import numpy as np

    from daml.tasks.fewshot import Episodes

    task = Episodes(classes, config.ways, config.shots, 3).sample(1, np.random.default_rng([config.seed, 0, 3]))
    images = np.concatenate([task.support.inputs[0], task.query.inputs[0]])  # rows of one image of every class
    side = images.shape[1]
    rows = images.reshape(-1, config.ways, side, side, images.shape[3]).transpose(0, 2, 1, 3, 4)
    mosaic = rows.reshape(rows.shape[0] * side, config.ways * side, -1).squeeze()
    with plots.figure(config.ways, rows.shape[0]) as (figure, (axis,)):
        axis.imshow(mosaic, cmap="gray_r", vmin=0, vmax=1)
        axis.axhline(config.shots * side - 0.5, color="C1", linewidth=2)
        axis.set_axis_off()
        axis.set_title("above the line: shown; below: to classify", fontsize=8)
        plots.write(figure, path)
