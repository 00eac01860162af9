"""Presets of one's own: found by "module:name", saved with a policy by that name, and loaded with it."""

import json
import pickle
from pathlib import Path

import pytest
import torch

from agents.errors import AgentError
from agents.policies import PolicyConfig, load_policy, save_policy
from agents.presets import find_preset
from agents.view import REACHING
from daml import ModuleError
from examples import my_loss

OWN = "examples.my_loss:ends"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a policy that has learned nothing yet."""
    meta = find_preset(OWN).imitator(1).learner.init(torch.Generator().manual_seed(0))
    where = tmp_path / "run" / "policy"
    save_policy(
        where, meta, PolicyConfig("examples.circle:Circle-v0", OWN, REACHING, 0, 1, 1, "daml train", 1.0, "a test")
    )
    return where


def let_it_name(folder: Path, **names: str) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | names))


def test_a_preset_is_found_by_module_and_name_and_can_be_sent_to_a_process() -> None:
    assert find_preset(OWN) is my_loss.ends
    pickle.dumps(find_preset(OWN).imitator(1))


@pytest.mark.parametrize("name", ["examples.my_loss:", "examples.my_loss:nothing", "examples.my_loss:loss", "slow"])
def test_what_is_no_preset_is_an_error(name: str) -> None:
    with pytest.raises(AgentError, match=rf"preset: got '{name}', allowed .*'temporal'.*, or MODULE:NAME of a Preset"):
        find_preset(name)


def test_a_policy_names_its_preset_and_its_environment_and_loads_with_them(folder: Path) -> None:
    for where in (folder, folder.parent):
        stored = load_policy(where)
        assert stored.preset is my_loss.ends
        assert stored.config.env == "examples.circle:Circle-v0"


@pytest.mark.parametrize("field", ["env", "preset"])
def test_a_policy_whose_module_is_not_there_is_one_line(folder: Path, field: str) -> None:
    let_it_name(folder, **{field: "gone_away:mine"})
    with pytest.raises(ModuleError, match=r"module gone_away: got none that can be imported \(ModuleNotFoundError"):
        load_policy(folder)


@pytest.mark.parametrize("field", ["env", "preset"])
@pytest.mark.parametrize("beside", ["policy", "run"])
def test_a_policy_runs_no_code_of_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, field: str, beside: str
) -> None:
    """Not even where a command runs in that folder. The folder of a run that is named counts as a whole."""
    let_it_name(folder, **{field: f"evil_{field}_{beside}:mine"})
    given = folder if beside == "policy" else folder.parent
    (given / f"evil_{field}_{beside}.py").write_text("raise SystemExit('it ran')")
    monkeypatch.chdir(given)
    monkeypatch.syspath_prepend("")
    with pytest.raises(ModuleError, match="which lies in"):
        load_policy(given)
    with pytest.raises(ModuleError, match="which lies in"):
        load_policy(".")
