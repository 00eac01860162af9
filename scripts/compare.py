"""`daml compare`: two policies on the same tasks, paired."""

from dataclasses import asdict, dataclass
from typing import Any

from demos.processes import cores
from scripts.common import console, evaluation_of, write_json
from scripts.inputs import Count, Env, File, On, Pairs, Seed
from scripts.progress import progress_bar


@dataclass(frozen=True)
class Compare:
    """Compare two methods on the same tasks, videos and scenes: the difference in success with an interval.

    Give several policies of a method (the same training with other seeds) to let the interval cover training, too.
    """

    a: tuple[str, ...]
    """Folders of the first method's policies, names of policies in the box, or your own (see `daml evaluate`)."""
    b: tuple[str, ...]
    """The second method's."""
    env: Env = "reach"
    tasks: Count = 100
    """Tasks, each with one video."""
    trials: Count = 1
    """Rollouts of each task."""
    seed: Seed = 1
    """Of tasks, scenes and motions."""
    video: str = "human"
    """What the policies are shown, as in `daml evaluate`."""
    pairs: Pairs = "all"
    """Pairs of shape and verb, as in `daml evaluate`."""
    on: On = "processes"
    json: File | None = None
    """Write the result here."""

    def run(self) -> None:
        import numpy as np

        from agents.statistics import paired_difference, wilson
        from agents.workers import workers_on

        policies = {name: evaluation_of(self.env, name, self.video) for name in (*self.a, *self.b)}
        successes: dict[str, np.ndarray] = {}
        with progress_bar("tasks") as bar, workers_on(self.on, cores()) as workers:
            for name, evaluate in policies.items():
                job = bar.add_task(name, total=self.tasks, note="")
                report = evaluate(
                    split="test",
                    tasks=self.tasks,
                    trials=self.trials,
                    seed=self.seed,
                    pairs=self.pairs,
                    workers=workers,
                    progress=lambda done, job=job: bar.update(job, completed=done),
                )
                successes[name] = report.successes
        methods = {"a": tuple(dict.fromkeys(self.a)), "b": tuple(dict.fromkeys(self.b))}
        stacks = {method: np.stack([successes[name] for name in names]) for method, names in methods.items()}
        difference = paired_difference(stacks["a"], stacks["b"])
        result: dict[str, Any] = {"env": self.env, "tasks": self.tasks, "trials": self.trials, "seed": self.seed}
        result |= {"video": self.video, "pairs": self.pairs}
        for method, stack in stacks.items():
            rate, interval = float(stack.mean()), wilson(float(stack.mean()), self.tasks)
            result[method] = {"policies": list(methods[method]), "success": rate, "interval": interval}
            console.print(
                f"{method}: success {rate:.3f} (95 % interval {interval[0]:.3f} to {interval[1]:.3f}), "
                f"{', '.join(methods[method])}"
            )
        result |= {"difference": asdict(difference)}
        console.print(
            f"b - a: {difference.mean:+.3f} (95 % interval {difference.low:+.3f} to {difference.high:+.3f}, paired by "
            f"task), p = {difference.p:.2g}"
        )
        if self.json:
            write_json(self.json, result)
