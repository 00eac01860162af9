"""Model cards: what a policy is, for people, and the same for the tools of the Hugging Face Hub.

The head of a card is YAML, as the Hub reads it; each result in it is a line of JSON, which YAML contains.

Source: huggingface.co/docs/hub/model-cards, "Evaluation results", and `huggingface_hub.ModelCard`.
"""

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

from daml.files import finite

if TYPE_CHECKING:
    from agents.policies import PolicyConfig

TAGS = ("robotics", "imitation-learning", "one-shot-imitation", "meta-learning", "learning-from-video", "mujoco")
SPLIT = "test"
"""The objects that the results of a policy are measured on."""
HELD_OUT = "held-out"
"""The sets that those of a policy of data alone are."""
METRICS = {
    "success": "One-shot success",
    "nearest": "Ends nearest to the right object",
    "error": "Action error on held-out demonstrations",
}
"""Entry of a result -> its name; it has those of them that were measured."""
INTERVAL = ("ci_low", "ci_high")
"""Entries of a result: its 95 % interval."""
CONDITIONS = ("sets", "tasks", "trials", "seed", "chance")
"""Entries of a result: how it was measured."""


NONE = "none"
"""Environment of a policy of data alone."""
FOR_DATA = ("- For: the robot, the camera and the tasks of the demonstrations that it was trained on.",)
FOR_SIMULATION = (
    "- For: simulated research on one-shot imitation. It knows the simulated tables, arms and objects of this",
    "  repository, and nothing else.",
)


def card(config: "PolicyConfig") -> str:
    """The model card, Markdown with a head of metadata."""
    lines = [
        *_head(config),
        f"# {'Imported data' if config.env == NONE else config.env}, preset `{config.preset}`",
        "",
        "A policy that watches one video of a human and does the same with a robot (DAML, arXiv 1802.01557).",
        "",
        f"- Trained by: `{config.command}` (seed {config.seed}, {config.sets} object sets, {config.steps} meta-steps)",
        f"- Time: {config.minutes:.0f} minutes, collection included, on {config.machine}",
        *(FOR_DATA if config.env == NONE else FOR_SIMULATION),
        "",
    ]
    if config.env == NONE:
        lines += _errors(config.results)
    elif config.results:
        kind = next((r["aim"] for r in config.results.values() if "aim" in r), None)
        title, line = (f" right {kind} |", "---|") if kind else ("", "")
        lines += [
            f"| video | success | 95 % interval | nearest is right |{title} tasks x trials | seed |",
            f"|---|---|---|---|{line}---|---|",
        ]
        lines += [
            f"| {video} | {r['success']:.3f} | {r['ci_low']:.3f} to {r['ci_high']:.3f} | {r['nearest']:.3f} |"
            + (f" {r[kind]:.3f} |" if kind else "")
            + f" {r['tasks']} x {r['trials']} | {r['seed']} |"
            for video, r in config.results.items()
        ]
    return "\n".join(lines) + "\n"


def _errors(results: dict[str, Any]) -> list[str]:
    """The table of errors on held-out demonstrations."""
    lines = [
        "Mean square error of its actions on held-out demonstrations, in the scale of each number (`config.json`):",
        "",
        "| video | error | 95 % interval | more than after the human's | 95 % interval | sets | seed |",
        "|---|---|---|---|---|---|---|",
    ]
    for video, r in results.items():
        more = f"{r['more']:+.3f} | {_between(r['more_low'], r['more_high'])}" if "more" in r else "|"
        interval = _between(r["ci_low"], r["ci_high"])
        lines.append(f"| {video} | {r['error']:.3f} | {interval} | {more} | {r['sets']} | {r['seed']} |")
    return lines if results else []


def _between(low: float, high: float) -> str:
    """An interval in words; of a single set it is not known."""
    return f"{low:.3f} to {high:.3f}" if isfinite(low) else "unknown"


def _head(config: "PolicyConfig") -> list[str]:
    """The metadata, between two lines of dashes: a data set is the held-out objects of an environment, and a video."""
    lines = ["---", "license: mit", "library_name: daml", "pipeline_tag: robotics"]
    lines += ["tags:", *(f"- {tag}" for tag in (*TAGS, config.env, config.preset))]
    if config.results:
        found = [_result(*config.where(row), result) for row, result in config.results.items()]
        lines += ["model-index:", f"- name: daml-{config.env}", "  results:"]
        lines += [f"  - {json.dumps(finite(result))}" for result in found]
    return [*lines, "---", ""]


def _result(env: str, video: str, found: dict[str, Any]) -> dict[str, Any]:
    """One result in the Hub's schema."""
    conditions = {name: found[name] for name in CONDITIONS if name in found}
    metrics: list[dict[str, Any]] = [
        {"type": name, "name": words, "value": found[name]} for name, words in METRICS.items() if name in found
    ]
    metrics[0]["args"] = {name: found[name] for name in INTERVAL}
    return {
        "task": {"type": "robotics", "name": "One-shot imitation from a human video"},
        "dataset": _data(env, video) | {"args": conditions},
        "metrics": metrics,
    }


def _data(env: str, video: str) -> dict[str, Any]:
    """What a result was measured on."""
    if env == NONE:
        return {
            "type": "imported",
            "name": "imported demonstrations, held-out sets",
            "config": video,
            "split": HELD_OUT,
        }
    return {"type": env, "name": f"daml {env}, held-out objects", "config": video, "split": SPLIT}
