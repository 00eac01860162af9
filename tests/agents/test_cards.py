"""A policy's folder is what the Hub's tools expect, and the folders of earlier versions are still read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.policies import BUNDLED, PolicyConfig, bundled, load_policy, save_policy
from agents.presets import PRESETS
from agents.view import REACHING
from daml import MetaParams

MEASURED = {"success": 0.96, "ci_low": 0.9, "ci_high": 0.98, "nearest": 0.99, "chance": 1 / 3}
RESULTS = {video: MEASURED | {"tasks": 100, "trials": 2, "seed": 1, "seconds": 3.0} for video in ("human", "wrong")}
CONFIG = PolicyConfig("reach", "fast", REACHING, 0, 3600, 2000, "daml train", 24.0, "a test", RESULTS)


def head(card: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The metadata of a card, and the results in it."""
    before, text, _ = card.split("---\n", 2)
    assert before == ""
    plain, _, results = text.partition("  results:\n")
    words = plain.splitlines()
    tags = words.index("tags:")
    said: dict[str, Any] = dict(line.split(": ") for line in words[:tags])
    said["tags"] = [line.removeprefix("- ") for line in words[tags + 1 :] if line.startswith("- ") and ":" not in line]
    return said, [json.loads(line.removeprefix("  - ")) for line in results.splitlines()]


def parameters() -> MetaParams:
    return PRESETS["fast"].imitator(1).learner.init(torch.Generator().manual_seed(0))


def test_a_folder_has_the_names_that_the_hub_knows(tmp_path: Path) -> None:
    save_policy(tmp_path, parameters(), CONFIG)
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "config.json", "README.md"}


@pytest.mark.parametrize("name", bundled())
def test_a_card_in_the_box_tells_the_hub_what_was_measured(name: str) -> None:
    config = json.loads((BUNDLED / name / "config.json").read_text())
    said, results = head((BUNDLED / name / "README.md").read_text())
    assert (said["license"], said["library_name"], said["pipeline_tag"]) == ("mit", "daml", "robotics")
    assert {"robotics", "imitation-learning", "meta-learning", config["env"], config["preset"]} <= set(said["tags"])
    assert len(results) == len(config["results"])
    for result, (row, measured) in zip(results, config["results"].items(), strict=True):
        env, video = result["dataset"]["type"], result["dataset"]["config"]
        assert row == (f"{env}: {video}" if config["env"] == "all" else video)
        assert config["env"] in (env, "all")
        success, nearest = result["metrics"]
        assert (success["type"], success["value"]) == ("success", measured["success"])
        assert success["args"] == {"ci_low": measured["ci_low"], "ci_high": measured["ci_high"]}
        assert (nearest["type"], nearest["value"]) == ("nearest", measured["nearest"])
        assert result["dataset"]["args"]["tasks"] == measured["tasks"]
        assert result["task"]["type"] == "robotics"


def test_a_policy_that_was_not_evaluated_claims_nothing(tmp_path: Path) -> None:
    save_policy(tmp_path, parameters(), replace(CONFIG, results={}))
    card = (tmp_path / "README.md").read_text()
    assert "model-index" not in card
    assert head(card)[0]["license"] == "mit"


ERROR = {"error": 0.3, "ci_low": 0.2, "ci_high": 0.4, "sets": 5, "tasks": 17, "seed": 1}
ERRORS = {"human": ERROR, "wrong": ERROR | {"more": 0.25, "more_low": 0.125, "more_high": 0.375}}


def test_a_card_of_data_alone_has_errors_on_what_was_held_out(tmp_path: Path) -> None:
    save_policy(tmp_path, parameters(), replace(CONFIG, env="none", results=ERRORS))
    card = (tmp_path / "README.md").read_text()
    assert "| wrong | 0.300 | 0.200 to 0.400 | +0.250 | 0.125 to 0.375 | 5 | 1 |" in card
    assert "simulated" not in card
    for result, (video, measured) in zip(head(card)[1], ERRORS.items(), strict=True):
        assert (result["dataset"]["config"], result["dataset"]["args"]["sets"]) == (video, 5)
        (error,) = result["metrics"]
        assert (error["type"], error["value"]) == ("error", measured["error"])
    alone = {"human": ERROR | {"ci_low": float("nan"), "ci_high": float("nan"), "sets": 1}}
    save_policy(tmp_path, parameters(), replace(CONFIG, env="none", results=alone))
    card = (tmp_path / "README.md").read_text()
    assert "| human | 0.300 | unknown |" in card
    assert head(card)[1][0]["metrics"][0]["args"] == {"ci_low": None, "ci_high": None}


@pytest.mark.parametrize("name", bundled())
def test_the_hubs_library_reads_the_card(name: str) -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard.load(BUNDLED / name / "README.md").data
    config = json.loads((BUNDLED / name / "config.json").read_text())
    assert (data.license, data.library_name, data.model_name) == ("mit", "daml", f"daml-{config['env']}")
    successes = [found for found in data.eval_results if found.metric_type == "success"]
    assert [found.metric_value for found in successes] == [r["success"] for r in config["results"].values()]
    # Results of one data set would be taken for one result.
    assert len({found.unique_identifier for found in successes}) == len(successes)


def test_a_folder_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    meta = parameters()
    save_policy(tmp_path, meta, CONFIG)
    (tmp_path / "model.safetensors").rename(tmp_path / "policy.safetensors")
    stored = load_policy(tmp_path)
    assert all(torch.equal(t, stored.meta[group][name]) for group, params in meta.items() for name, t in params.items())


def test_saving_over_an_earlier_version_leaves_one_set_of_parameters(tmp_path: Path) -> None:
    save_policy(tmp_path, parameters(), CONFIG)
    (tmp_path / "model.safetensors").rename(tmp_path / "policy.safetensors")
    other = {group: {name: t + 1 for name, t in params.items()} for group, params in parameters().items()}
    save_policy(tmp_path, other, CONFIG)
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    stored = load_policy(tmp_path)
    assert all(torch.equal(t, stored.meta[group][name]) for group, ps in other.items() for name, t in ps.items())
