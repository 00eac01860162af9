"""`daml methods`: the method beside what it is compared with: same data, same budget, several trainings, paired."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from demos.processes import cores
from scripts.common import console, machine, ready_to_train, write_json
from scripts.inputs import Count, Folder, On, Rate
from scripts.methods_table import draw, markdown, table
from scripts.rates import TASKS, Rates
from scripts.train import Train
from scripts.trainings import METHOD, Trainings

if TYPE_CHECKING:
    from agents.imitation import Imitator
    from demos.executors import Map

STEPS = ("temporal-2", "temporal-5", "anil")
"""The method with more inner steps, in meta-training, too, and with fewer parameters that take them."""
LOSSES = ("unasked", "blind", "linear", "fast", "both", "no-hint", "first-order", "hand-written")
"""The method with another learned loss, or less of it."""
PRESETS = (
    METHOD,
    "pointer",
    "attention",
    "contrastive",
    "replay",
    "replay-any",
    "contextual",
    "lstm",
    "cloning",
    "mil",
    "oracle",
    *STEPS,
    *LOSSES,
)

ON_VALIDATION = partial(Trainings.outcome, split="val")
"""What comes of a training that tries a learning rate."""


@dataclass(frozen=True)
class Methods:
    """Train presets with several seeds on the same demonstrations and compare them on the same meta-test tasks.

    Stopped at any moment, the same command goes on. One training after the other; with --on ray side by side, on one
    CPU core each. Writes methods.json (every outcome of every task), methods.md and
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
    rates: tuple[Rate, ...] = ()
    """Learning rates that are tried for every preset, on its first seed; the one that is best on meta-validation tasks
    is taken for all its seeds. Each preset's own when not given."""
    rate_steps: Count = 1000
    """Meta-steps of each trial of a rate, a whole training of its own."""
    tasks: Count = 100
    """Tasks of the evaluation, each with one video and one rollout."""
    out: Folder = Path("methods")
    """Folder for demonstrations, trainings and results; with --on ray one that all machines share."""
    on: On = "processes"
    quick: bool = False
    """A smoke run: few sets, few steps, few tasks."""

    def run(self) -> None:
        ready_to_train()
        from agents.policies import write_text
        from demos.executors import check_shared, executor

        trainings = self.trainings()
        self.check(trainings)
        outcomes: list[dict[str, Any]] = []
        choices: dict[str, dict[str, Any]] = {}
        with executor(self.on, cores()) as each:
            if self.on == "ray":
                check_shared(self.out)
            self.out.mkdir(parents=True, exist_ok=True)
            for outcome in self.outcomes(trainings, choices, each):
                outcomes.append(outcome)
                rows = table(outcomes, choices)
                said = {"machine": machine(), "rows": rows, "trainings": outcomes}
                write_json(self.out / "methods.json", said)
                write_text(self.out / "methods.md", markdown(rows))
        console.print(markdown(rows))
        draw(self.out / "methods.png", rows)
        console.print(f"results: {self.out / 'methods.json'}, {self.out / 'methods.md'}, {self.out / 'methods.png'}")

    def outcomes(
        self, trainings: list[Train], choices: dict[str, dict[str, Any]], each: "Map"
    ) -> Iterator[dict[str, Any]]:
        """What comes of the trainings, in their order. choices: are filled in.  each: runs them on Ray."""
        done, tried = self.done(), self.tried()
        if self.on != "ray":
            for training in trainings:
                chosen = self.chosen(training, choices, partial(ON_VALIDATION, tried.trainings))
                yield done.outcome_and_memory(chosen)
            return
        tries = list(dict.fromkeys(one for training in trainings for one in tried.tries(training)))
        came = dict(zip(tries, tried.trainings.side_by_side(each, tries, ON_VALIDATION), strict=True))
        settled = [self.chosen(training, choices, came.__getitem__) for training in trainings]
        yield from done.side_by_side(each, settled, Trainings.outcome_and_memory)

    def chosen(
        self, training: Train, choices: dict[str, dict[str, Any]], outcome: Callable[[Train], dict[str, Any]]
    ) -> Train:
        """A training at the rate that was chosen for its preset. choices: where that is, or comes to be.  outcome: of a
        training that tries a rate."""
        if not self.rates:
            return training
        name, tried = f"{training.env}-{training.preset}", self.tried()
        if name not in choices:
            choices[name] = tried.choice(training, map(outcome, tried.tries(training)))
        return training.at_rate(choices[name]["chosen"])

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
            for env in dict.fromkeys(self.envs)
            for preset in presets
        ]

    def check(self, trainings: list[Train]) -> None:
        """Checks all trainings before the first begins, or what is tried before them.

        Raises:
            AgentError, DemoError, EnvError, InputError: as `Trainings.check`; or the presets cannot share their data.
        """
        from agents.datasets import common_size

        done, tried = self.done(), self.tried()
        common_size(done.imitators)
        for training in trainings:
            if not self.rates:
                done.check(training)
            for each in tried.tries(training):
                tried.trainings.check(each)

    def done(self) -> Trainings:
        """Where trainings are, and what came of them."""
        return Trainings(self.out, self.out, self._imitators(), self.on)

    def tried(self) -> Rates:
        """The learning rates that are tried."""
        trainings = Trainings(self.out / "rates", self.out, self._imitators(), self.on)
        return Rates(trainings, self.rates, *((6, 3) if self.quick else (self.rate_steps, TASKS)))

    def _imitators(self) -> "tuple[Imitator, ...]":
        """Of every preset: what is collected serves all of them, so that others can be compared later."""
        from agents.presets import find_preset

        return tuple(find_preset(name).imitator(0) for name in dict.fromkeys((*PRESETS, *self.presets)))
