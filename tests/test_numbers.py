"""Numbers on pages are those of the cards and of the benchmarks: whoever measures again writes them everywhere."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agents.policies import bundled, load_policy
from scripts.common import ENVIRONMENTS, TOGETHER

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"


def page_of(env: str) -> str:
    return (ROOT / f"docs/envs/{env.replace('-', '_')}.md").read_text()


def benchmark_of(policy: str) -> str:
    config = load_policy(policy).config
    return f"{config.env}-{config.preset}"


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((BENCHMARKS / f"{name}.json").read_text())
    return found


def rates(result: dict[str, Any], *more: str) -> str:
    """Interval, right object and more, as cells of a table have them."""
    low, high = (f"{result[end]:.3f}" for end in ("ci_low", "ci_high"))
    return " | ".join([f"{low} to {high}", *(f"{result[name]:.3f}" for name in ("nearest", *more))])


def percent(result: dict[str, Any]) -> str:
    return f"{100 * result['success']:.1f} % ({100 * result['ci_low']:.1f} to {100 * result['ci_high']:.1f})"


@pytest.mark.parametrize("policy", bundled())
def test_the_benchmark_of_a_policy_in_the_box_is_its_card(policy: str) -> None:
    card = load_policy(policy).config.results
    for shown, row in read(benchmark_of(policy))["evaluation"].items():
        assert {name: card[shown][name] for name in row if name != "seconds"} == {
            name: value for name, value in row.items() if name != "seconds"
        }, shown


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_page_of_an_environment_has_the_rows_of_the_card(env: str) -> None:
    page = page_of(env)
    for shown, row in load_policy(env).config.results.items():
        more = [row["aim"], "as_shown"] if "aim" in row else []
        assert f"| `{shown}` | {row['success']:.3f} | {rates(row, *more)} |" in page


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_page_of_an_environment_says_when_its_policy_looks(env: str) -> None:
    page = page_of(env)
    once = load_policy(env).imitator().wanted.look_once
    assert ("It looks once:" in page, "It looks at every step:" in page) == (once, not once)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_front_page_has_what_the_card_says(env: str) -> None:
    results, page = load_policy(env).config.results, (ROOT / "README.md").read_text()
    seen, *controls = (results[shown] for shown in ("human", "wrong", "none"))
    cells = [f"**{seen['success']:.3f}**", rates(seen), *(f"{row['nearest']:.3f}" for row in controls)]
    assert f"| {' | '.join(cells)} |" in page


@pytest.mark.parametrize("env", TOGETHER)
def test_the_page_of_training_has_what_the_card_of_all_says(env: str) -> None:
    results, page = load_policy("all").config.results, (ROOT / "docs/training.md").read_text()
    seen, wrong = (results[f"{env}: {shown}"] for shown in ("human", "wrong"))
    assert f"| {seen['success']:.3f} | {rates(seen)} | {wrong['nearest']:.3f} |" in page


@pytest.mark.parametrize("policy", bundled())
def test_the_page_of_benchmarks_has_their_numbers(policy: str) -> None:
    page = (BENCHMARKS / "README.md").read_text().replace("\n", " ")
    rows = read(benchmark_of(policy))["evaluation"]
    for shown in [shown for shown in rows if shown.split(": ")[-1] == "human"]:
        assert percent(rows[shown]) in page


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_page_of_the_gap_has_the_rows_of_the_sweeps(env: str) -> None:
    page = (ROOT / "docs/gap.md").read_text()
    (titles,) = re.findall(r"^\| gap \|.*$", page, re.M)
    column = [title.split(",")[0].strip().lower() for title in titles.split("|")].index(env.replace("-", ""))
    for name, row in read(f"gaps-{env}")["rows"].items():
        if "pairs" in name:
            continue
        (line,) = re.findall(rf"^\| `?{re.escape(name)}`? \|.*$", page, re.M)
        low, high = (f"{row[end]:.2f}" for end in ("ci_low", "ci_high"))
        assert line.split("|")[column].strip() == f"{row['success']:.2f} ({low} to {high}), {row['nearest']:.2f}"
