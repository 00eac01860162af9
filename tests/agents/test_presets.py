"""What a preset says about its meta-training is what happens."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents import training
from agents.presets import PRESETS
from agents.view import REACHING
from daml import loop_tasks, vmap_tasks


@pytest.mark.parametrize("name", PRESETS)
def test_only_what_is_large_for_each_task_is_mapped_one_by_one_and_only_on_a_cpu(name):
    large = ("paper", "paper-small", "paper-seeing", "attention", "contrastive")
    assert PRESETS[name].map_tasks("cpu") is (loop_tasks if name in large else vmap_tasks)
    assert PRESETS[name].map_tasks("cuda") is vmap_tasks


def test_training_maps_tasks_as_the_preset_says_for_the_device_of_the_meta_parameters(monkeypatch):
    passed = {}
    monkeypatch.setattr(training, "fit", lambda *args, **options: passed.update(options))
    preset = replace(PRESETS["fast"], map_tasks=lambda device: f"as on {device}")
    training.meta_train(
        preset,
        REACHING,
        training.new_state(preset, REACHING, 0, "cpu"),
        distribution=None,
        steps=1,
        seed=0,
        validation=training.Validation((), 0, 0, 0),
        log=None,
        checkpoint=Path("c"),
    )
    assert passed["map_tasks"] == "as on cpu"
