"""`daml evaluate`: one-shot success on tasks never seen, with controls."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from agents.controls import MEANINGS
from demos.processes import cores
from scripts.common import NONE, between, console, evaluation_of, find_policy, write_json
from scripts.inputs import Count, Env, File, InputError, On, Pairs, Seed, Side, Split
from scripts.progress import progress_bar

IN_WORDS = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items())


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a policy: for every task it watches one video, then acts in new scenes; success with an interval.

    Controls: `--video` shows something else, or nothing. There are wrong objects, verbs and containers
    where a video tells two things.

    `--data` needs no simulator: how far the policy's actions are from demonstrations that the dataset holds out, after
    the human's video and after none, a shuffled one and one of another task (docs/your_own_data.md).
    """

    env: Env = "reach"
    policy: str | None = None
    """Folder of a policy; the one in the box when not given. Or one of your own, as MODULE:NAME or FILE.py:NAME: a
    function from a video to an actor."""
    preset: str | None = None
    """Preset that the policy acts as, one with the same parameters: looking opens the eyes of one of precise, and
    precise lets one of looking look once; its own when not given."""
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
    pairs: Pairs = "all"
    """Pairs of shape and verb: all, those that `daml train --pairs seen` trains on, or those that it holds out (act
    only: docs/envs/act.md#held-out-combinations)."""
    gap: tuple[str, ...] = ()
    """How far videos and scenes are from those of meta-training, such as view=2 person=3 or all=2. Names: table, light,
    view, person, side, style (0 to 3, meta-training is 1), objects, all (1 to 3), distractors, nudge (0 to 2)."""
    data: Path | None = None
    """A dataset of `daml import`, to evaluate on what it holds out; with --policy, --seed and --json alone."""
    workers: Count | None = None
    """Processes; one for each core when not given."""
    on: On = "processes"
    json: File | None = None
    """Write the result here."""

    def run(self) -> None:
        if self.data:
            self.on_held_out(self.data)
        else:
            self.in_simulation()

    def on_held_out(self, data: Path) -> None:
        """Evaluates on what a dataset holds out.

        Raises:
            AgentError, DemoError: there is no such policy or dataset, or they do not fit each other.
            InputError: no policy, or an option that means nothing there.
        """
        from agents import held_out
        from demos.storage import open_dataset

        given = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        allowed = {"data", "policy", "seed", "json"} | ({"env"} if self.env == NONE else set())
        if extra := [name for name in given if name not in allowed]:
            raise InputError(f"{extra[0]}: got it with --data, allowed --policy, --seed and --json there")
        if self.policy is None:
            raise InputError("policy: got none, allowed the folder of a policy, with --data")
        stored, dataset = find_policy(self.policy), open_dataset(data)
        held_out.check(stored.preset, stored.config.sizes, dataset)
        with progress_bar("sets") as bar:
            job = bar.add_task("evaluating on held-out sets", total=dataset.info.held_out, note="")
            rows = held_out.measure(
                stored.preset,
                stored.meta,
                sizes=stored.config.sizes,
                dataset=dataset,
                seed=self.seed,
                progress=lambda done: bar.update(job, completed=done),
            ).summary()
        console.print(errors_table(rows))
        if self.json:
            write_json(self.json, {"data": str(data), "policy": self.policy, "seed": self.seed, "shown": rows})

    def in_simulation(self) -> None:
        """Evaluates by success in rollouts."""
        from agents.workers import workers_on
        from demos.executors import check
        from demos.gap import parse

        check(self.on, self.workers)
        gap = parse(self.gap)
        evaluate = evaluation_of(self.env, self.policy, self.video, self.size, self.preset)
        number = cores() if self.workers is None else self.workers
        with progress_bar("tasks") as bar, workers_on(self.on, number) as workers:
            job = bar.add_task(f"evaluating on {self.split} objects", total=self.tasks, note="")
            report = evaluate(
                split=self.split,
                tasks=self.tasks,
                trials=self.trials,
                seed=self.seed,
                gap=gap,
                pairs=self.pairs,
                workers=workers,
                progress=lambda done: bar.update(job, completed=done),
            )
        asked = {
            "seed": self.seed,
            "policy": self.policy or self.env,
            "preset": self.preset,
            "video": self.video,
            "split": self.split,
            "gap": self.gap,
            "pairs": self.pairs,
        }
        result = report.summary() | asked
        under = [*self.gap, *([f"{self.pairs} pairs"] if self.pairs != "all" else [])]
        under += [f"acting as {self.preset}"] if self.preset else []
        console.print(
            f"{self.env}, {self.split} objects, video: {self.video}{''.join(f', {each}' for each in under)}: "
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


def errors_table(rows: dict[str, dict[str, Any]]) -> str:
    """What was shown -> its entries of `agents.held_out.HeldOut.summary`, as lines of text."""
    human = rows["human"]
    lines = [["shown", "error", "95 % interval", "more than human", "95 % interval"]]
    for shown, row in rows.items():
        lines.append([f"{shown}: {MEANINGS[shown]}", f"{row['error']:.3f}", between(row["ci_low"], row["ci_high"])])
        if "more" in row:
            lines[-1] += [f"{row['more']:+.3f}", between(row["more_low"], row["more_high"])]
    widths = [max(map(len, (line[at] for line in lines if at < len(line)))) for at in range(len(lines[0]))]
    said = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([f"action error on {human['sets']} held-out sets ({human['tasks']} tasks)", *said])


def confusion_table(counts: dict[str, dict[str, int]]) -> str:
    """What was asked -> what was done -> number, as lines of text."""
    names = list(next(iter(counts.values())))
    side = max(map(len, counts))
    lines = [[asked, *map(str, done.values())] for asked, done in counts.items()]
    return "\n".join(
        f"{asked:{side}}" + "".join(f"{text:>{len(name) + 2}}" for name, text in zip(names, texts, strict=True))
        for asked, *texts in [["", *names], *lines]
    )
