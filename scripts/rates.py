"""The learning rate of each preset in `daml methods`: the best of several, by meta-validation tasks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scripts.common import console
from scripts.train import Train
from scripts.trainings import TRAINED_AS, Trainings, mean

TASKS = 240
"""Meta-validation tasks of each rate. All rates have the same ones, so that most of what is hard for all drops out."""


@dataclass(frozen=True)
class Rates:
    """trainings: the short ones, one for each rate.  rates: that are tried.  steps: meta-steps of each, the whole
    schedule in them.  tasks: that each is validated on."""

    trainings: Trainings
    rates: tuple[float, ...]
    steps: int
    tasks: int = TASKS

    def tries(self, training: Train) -> list[Train]:
        """The short trainings, by which the rate of a training's preset is chosen: all with the first seed."""
        preset = TRAINED_AS.get(training.preset, training.preset)
        short = replace(training, preset=preset, seed=0, steps=self.steps, eval_tasks=self.tasks)
        return [short.at_rate(rate) for rate in dict.fromkeys(self.rates)]

    def choice(self, training: Train, outcomes: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """The rate of a training's preset: "chosen", and "tried", what came of each in order. outcomes: of `tries`."""
        tried = [
            {
                "rate": outcome["learning_rate"],
                "success": mean(outcome["successes"]),
                "nearest": mean(outcome["nearest"]),
            }
            for outcome in outcomes
        ]
        best = best_of(tried)
        console.print(f"{training.env}, {training.preset}: learning rate {best:g}")
        return {"chosen": best, "steps": self.steps, "tasks": self.tasks, "tried": tried}


def best_of(tried: Sequence[dict[str, float]]) -> float:
    """The rate with the best mean of success and right object; of equal ones the first.

    Both, as success alone hardly differs while a short training reaches few goals.
    """
    return max(tried, key=score)["rate"]


def score(one: dict[str, float]) -> float:
    """Of a rate that was tried."""
    return (one["success"] + one["nearest"]) / 2
