"""The table of `daml methods`: a row for each environment and preset, for machines, for people, and as a picture."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from scripts import plots
from scripts.rates import score
from scripts.trainings import METHOD


def table(
    outcomes: list[dict[str, Any]], choices: Mapping[str, dict[str, Any]] = MappingProxyType({})
) -> list[dict[str, Any]]:
    """A row for each environment and preset, of `compared`, and what its trainings were.

    Args:
        outcomes: of `Trainings.outcome`.
        choices: "ENV-PRESET" -> how its learning rate was chosen, of `Rates.choice`.
    """
    import numpy as np

    rows = compared(outcomes)
    for row, trainings in zip(rows, groups_of(outcomes).values(), strict=True):
        row["learning_rate"] = trainings[0]["learning_rate"]
        row["minutes"] = round(float(np.mean([training["minutes"] for training in trainings])), 1)
        if memory := [training["train_successes"] for training in trainings if "train_successes" in training]:
            row["train_success"] = float(np.mean(memory))
        if choice := choices.get(f"{row['env']}-{row['preset']}"):
            row["rates"] = choice
    return rows


def compared(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each environment and preset: success over its trainings, and its difference from the method's.

    Differences are paired by task; see `agents.statistics.paired_difference`.

    Args:
        outcomes: of trainings, each with "env", "preset", "successes" and "nearest" [tasks][trials].
    """
    import numpy as np

    from agents.statistics import paired_difference, wilson

    groups, rows = groups_of(outcomes), []
    for (env, preset), trainings in groups.items():
        successes = np.array([training["successes"] for training in trainings], float)
        low, high = wilson(float(successes.mean()), successes.shape[1])
        row = {
            "env": env,
            "preset": preset,
            "trainings": len(trainings),
            "tasks": successes.shape[1],
            "success": float(successes.mean()),
            "ci_low": low,
            "ci_high": high,
            "each": [float(mean) for mean in successes.mean((1, 2))],
            "nearest": float(np.mean([training["nearest"] for training in trainings])),
        }
        method = groups.get((env, METHOD), [])
        if method and preset != METHOD:
            base = np.array([training["successes"] for training in method], float)
            row["difference"] = asdict(paired_difference(base, successes))
        rows.append(row)
    return rows


def groups_of(outcomes: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(environment, preset) -> what came of its trainings."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome["env"], outcome["preset"]), []).append(outcome)
    return groups


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table for people."""
    lines = [
        "| environment | preset | trainings | success | 95 % interval | right object | "
        f"on training tasks | less `{METHOD}`, paired | learning rate | minutes each |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gap, interval = row.get("difference"), f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"
        difference = f"{gap['mean']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})" if gap else ""
        memory = f"{row['train_success']:.3f}" if "train_success" in row else ""
        each = ", ".join(f"{rate:.2f}" for rate in row["each"])
        lines.append(
            f"| {row['env']} | `{row['preset']}` | {row['trainings']} ({each}) | {row['success']:.3f} | "
            f"{interval} | {row['nearest']:.3f} | {memory} | {difference} | {rate_of(row)} | "
            f"{row['minutes']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def rate_of(row: dict[str, Any]) -> str:
    """A row's learning rate; and where it was chosen, all that were tried, each with its validation."""
    tried = ", ".join(f"{one['rate']:g}: {score(one):.2f}" for one in row.get("rates", {}).get("tried", ()))
    return f"{row['learning_rate']:g}" + (f" ({tried})" if tried else "")


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Success of each row with its interval, and each training as a dot."""
    heights = list(range(len(rows), 0, -1))
    success = [row["success"] for row in rows]
    errors = [
        [row["success"] - row["ci_low"] for row in rows],
        [row["ci_high"] - row["success"] for row in rows],
    ]
    with plots.figure(7, 1.6 + 0.3 * len(rows)) as (figure, (axes,)):
        axes.errorbar(success, heights, xerr=errors, fmt="s", capsize=3, label="success, 95 % interval")
        trained = [row.get("train_success", math.nan) for row in rows]
        axes.plot(trained, heights, "o", fillstyle="none", label="on training tasks")
        for height, row in zip(heights, rows, strict=True):
            axes.plot(row["each"], [height] * len(row["each"]), "k.", markersize=4)
        plots.chance(axes, plots.CHANCE, "chance, right object", upright=True)
        names = [f"{row['env']}: {row['preset']}" for row in rows]
        axes.set(xlim=plots.SHARE, yticks=heights, yticklabels=names, xlabel="success [share of trials]")
        axes.set_ylabel("environment: preset")
        figure.legend(loc="outside lower center", ncols=3)
        plots.write(figure, path)
