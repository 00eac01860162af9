"""`daml sinusoid` and `daml fewshot` as a user runs them, only shorter."""

import json

import numpy as np
import pytest

from daml import DamlError, read_log
from scripts.fewshot import Fewshot
from scripts.sinusoid import Sinusoid

SHORT = {"steps": 4, "compile": False}


def run(command):
    command.run()
    return json.loads((command.out / "results.json").read_text())


@pytest.mark.parametrize(
    "options", [{"method": m} for m in ("maml", "daml", "pretrain", "random")] + [{"rule": "lstm"}]
)
def test_sinusoid_writes_numbers_and_pictures(tmp_path, options):
    results = run(Sinusoid(**options, **SHORT, test_tasks=20, out=tmp_path))
    assert results["mse_after_steps"].keys() == results["ci95"].keys() == {"0", "1", "5", "10"}
    for k, mean in results["mse_after_steps"].items():
        low, high = results["ci95"][k]
        assert low < mean < high
    # Whose support it was does not matter before the first step.
    assert results["mse_shuffled_supports"]["0"] == pytest.approx(results["mse_after_steps"]["0"])
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    trained = options.get("method") != "random"
    assert (tmp_path / "learning.png").exists() is trained
    assert len(read_log(tmp_path / "log.jsonl")) == 4 * trained


def test_a_sinusoid_run_that_resumes_ends_the_same(tmp_path):
    whole = run(Sinusoid(**SHORT, test_tasks=20, out=tmp_path / "whole"))
    (tmp_path / "parts").mkdir()
    for name in ("run.json", "checkpoint.safetensors", "log.jsonl"):
        (tmp_path / "parts" / name).write_bytes((tmp_path / "whole" / name).read_bytes())
    again = run(Sinusoid(**SHORT, test_tasks=20, out=tmp_path / "parts", resume=True))
    assert again["mse_after_steps"] == whole["mse_after_steps"]
    assert len(read_log(tmp_path / "parts" / "log.jsonl")) == 4


@pytest.mark.slow
def test_maml_learns_to_fit_curves_it_has_never_seen(tmp_path):
    results = run(Sinusoid(steps=600, compile=False, test_tasks=200, lr=2e-3, out=tmp_path))
    assert results["mse_after_steps"]["5"] < 0.6 * results["mse_after_steps"]["0"]
    assert results["mse_after_steps"]["5"] < 0.6 * results["mse_shuffled_supports"]["5"]


@pytest.fixture
def few_glyphs(monkeypatch):
    monkeypatch.setattr("daml.tasks.fewshot.N_GLYPHS", {"train": 8, "validation": 6, "test": 6})


@pytest.mark.parametrize("method", ["maml", "lstm", "finetune"])
@pytest.mark.usefixtures("few_glyphs")
def test_fewshot_writes_numbers_and_pictures(tmp_path, method):
    results = run(Fewshot(method=method, **SHORT, tasks=2, filters=4, episodes=12, out=tmp_path))
    low, high = results["ci95"]
    assert 0 <= low < results["accuracy"] < high <= 1
    assert results["episodes"] == 12
    assert results["accuracy_after_steps"][str(len(results["accuracy_after_steps"]) - 1)] == results["accuracy"]
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("learning.png", "episode.png"))
    assert np.isfinite([record["loss"] for record in read_log(tmp_path / "log.jsonl")]).all()


def test_a_missing_folder_of_images_is_one_clear_error_and_nothing_is_written(tmp_path):
    with pytest.raises(DamlError, match="ROOT/train/CLASS"):
        Fewshot(data="miniimagenet", root=tmp_path / "missing", out=tmp_path / "out").run()
    assert not (tmp_path / "out").exists()
