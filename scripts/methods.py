"""`daml methods`: the method beside what it is compared with: same data, same budget, several trainings, paired."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scripts.common import console, machine, ready_to_train, write_json
from scripts.inputs import Count, Folder, Rate
from scripts.methods_table import draw, markdown, table
from scripts.rates import TASKS, Rates
from scripts.train import Train
from scripts.trainings import METHOD, Trainings

if TYPE_CHECKING:
    from agents.imitation import Imitator

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
    rates: tuple[Rate, ...] = ()
    """Learning rates that are tried for every preset, on its first seed; the one that is best on meta-validation tasks
    is taken for all its seeds. Each preset's own when not given."""
    rate_steps: Count = 1000
    """Meta-steps of each trial of a rate, a whole training of its own."""
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
        done, tried = self.done(), self.tried()
        outcomes: list[dict[str, Any]] = []
        choices: dict[str, dict[str, Any]] = {}
        for training in trainings:
            name = f"{training.env}-{training.preset}"
            if self.rates and name not in choices:
                choices[name] = tried.choice(training)
            chosen = training.at_rate(choices[name]["chosen"]) if self.rates else training
            outcomes.append(done.outcome_and_memory(chosen))
            rows = table(outcomes, choices)
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
        return Trainings(self.out, self.out, self._imitators())

    def tried(self) -> Rates:
        """The learning rates that are tried."""
        trainings = Trainings(self.out / "rates", self.out, self._imitators())
        return Rates(trainings, self.rates, *((6, 3) if self.quick else (self.rate_steps, TASKS)))

    def _imitators(self) -> "tuple[Imitator, ...]":
        """Of every preset: what is collected serves all of them, so that others can be compared later."""
        from agents.presets import find_preset

        return tuple(find_preset(name).imitator(0) for name in dict.fromkeys((*PRESETS, *self.presets)))
