"""`daml evaluate`: one-shot success on tasks never seen, with controls."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from agents.controls import MEANINGS
from scripts.common import console, cores, evaluation_of, write_json
from scripts.inputs import Count, Env, File, Seed, Side, Split
from scripts.progress import progress_bar

IN_WORDS = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items())


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a policy: for every task it watches one video, then acts in new scenes; success with an interval.

    Controls: `--video` shows something else, or nothing. There are wrong objects, verbs and containers
    where a video tells two things.
    """

    env: Env = "reach"
    policy: str | None = None
    """Folder of a policy; the one in the box when not given. Or one of your own, as MODULE:NAME or FILE.py:NAME: a
    function from a video to an actor."""
    size: Side | None = None
    """Side of the videos and images that a policy of your own sees [px]; 64 when not given."""
    tasks: Count = 100
    """Tasks, each with one video."""
    trials: Count = 2
    """Rollouts of each task, each in a scene of its own."""
    seed: Seed = 0
    """Of tasks, scenes and motions."""
    video: Annotated[str, arg(help=f"What the policy is shown. {IN_WORDS}.")] = "human"
    split: Split = "test"
    """Objects."""
    gap: tuple[str, ...] = ()
    """How far videos and scenes are from those of meta-training, such as view=2 person=3 or all=2. Names: table, light,
    view, person, side, style, all (0 to 3, meta-training is 1), objects (1 to 3), distractors, nudge (0 to 2)."""
    workers: Count | None = None
    """Processes; one for each core when not given."""
    json: File | None = None
    """Write the result here."""

    def run(self) -> None:
        from agents.workers import processes
        from demos.gap import parse

        gap = parse(self.gap)
        evaluate = evaluation_of(self.env, self.policy, self.size)
        number = cores() if self.workers is None else self.workers
        with progress_bar("tasks") as bar, processes(number) as workers:
            job = bar.add_task(f"evaluating on {self.split} objects", total=self.tasks, note="")
            report = evaluate(
                split=self.split,
                tasks=self.tasks,
                trials=self.trials,
                seed=self.seed,
                video=self.video,
                gap=gap,
                workers=workers,
                progress=lambda done: bar.update(job, completed=done),
            )
        asked = {
            "seed": self.seed,
            "policy": self.policy or self.env,
            "video": self.video,
            "split": self.split,
            "gap": self.gap,
        }
        result = report.summary() | asked
        console.print(
            f"{self.env}, {self.split} objects, video: {self.video}{''.join(f', {level}' for level in self.gap)}: "
            f"success {result['success']:.3f} (95 % interval {result['ci_low']:.3f} to {result['ci_high']:.3f}), "
            f"nearest object is the right one {result['nearest']:.3f} (chance {result['chance']:.3f}), "
            f"{self.tasks} tasks x {self.trials} trials, seed {self.seed}, {result['seconds']:.0f} s"
        )
        if "stages" in result:
            console.print("stages: " + ", ".join(f"{name} {rate:.3f}" for name, rate in result["stages"].items()))
        if kind := result.get("aim"):
            console.print(
                f"right {kind} {result[kind]:.3f} (chance {result[f'{kind}_chance']:.3f}); what was shown was done "
                f"{result['as_shown']:.3f}; trials by the {kind} asked (rows) and done, with any object:"
            )
            console.print(confusion_table(result[f"{kind}s"]))
        if self.json:
            write_json(self.json, result)


def confusion_table(counts: dict[str, dict[str, int]]) -> str:
    """What was asked -> what was done -> number, as lines of text."""
    names = list(next(iter(counts.values())))
    side = max(map(len, counts))
    lines = [[asked, *map(str, done.values())] for asked, done in counts.items()]
    return "\n".join(
        f"{asked:{side}}" + "".join(f"{text:>{len(name) + 2}}" for name, text in zip(names, texts, strict=True))
        for asked, *texts in [["", *names], *lines]
    )
