"""What a preset is trained on fits it: as many tasks of each environment, images of its size, all in one dataset."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from agents.datasets import (
    NUDGE,
    check_batch,
    collect_for,
    common_size,
    common_sizes,
    open_datasets,
    task_distribution,
)
from agents.errors import AgentError
from agents.presets import PRESETS
from agents.view import Sizes
from demos.collect import collect
from demos.errors import DemoError
from demos.storage import DatasetInfo, create, open_dataset

REACH = "daml/Reach-v0"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of images that no preset looks at."""
    folder = tmp_path_factory.mktemp("small") / "data"
    list(collect(folder, env_id=REACH, split="train", n_sets=1, seed=0, size=16, workers=1))
    return folder


def test_a_dataset_of_another_size_is_refused(small: Path) -> None:
    datasets = open_datasets({REACH: small})
    with pytest.raises(AgentError, match=f"data {small}: got images of 16 px, allowed 64 px"):
        task_distribution(PRESETS["temporal"], common_sizes(datasets), datasets, "cpu")


def test_a_dataset_of_another_environment_is_refused(small: Path) -> None:
    with pytest.raises(AgentError, match=f"data {small}: got {REACH}, allowed daml/Push-v0"):
        open_datasets({"daml/Push-v0": small})


def test_presets_that_look_at_different_images_share_no_dataset(tmp_path: Path) -> None:
    both = [PRESETS[name].imitator(0) for name in ("temporal", "paper")]
    for order in (both, both[::-1]):
        with pytest.raises(AgentError, match=r"got images of \[64, 100\] px, allowed one size"):
            collect_for(order, tmp_path / "data", env_id=REACH, n_sets=1, seed=0)
    assert not (tmp_path / "data").exists()


def test_what_any_of_the_presets_wants_is_collected(tmp_path: Path) -> None:
    wanted = (
        SimpleNamespace(glances=2, lessons=False, hand=False, looks=0),
        SimpleNamespace(glances=0, lessons=True, hand=False, looks=0),
        SimpleNamespace(glances=0, lessons=False, hand=True, looks=2),
    )
    imitators = [SimpleNamespace(size=16, wanted=each) for each in wanted]
    assert common_size(imitators) == 16
    assert list(collect_for(imitators, tmp_path / "data", env_id=REACH, n_sets=1, seed=3, workers=1)) == [0, 1]
    info = open_dataset(tmp_path / "data").info
    assert (info.size, info.glances > 0, info.lessons, info.hand, info.seed, info.split) == (16, True, 1, 1, 3, "train")


@pytest.mark.parametrize(("presets", "nudge"), [(["looking"], NUDGE), (["temporal"], 0), (["looking", "precise"], 0)])
def test_objects_are_nudged_for_those_alone_who_look_again(tmp_path: Path, presets: list[str], nudge: int) -> None:
    imitators = [PRESETS[name].imitator(1) for name in presets]
    list(collect_for(imitators, tmp_path / "data", env_id=REACH, n_sets=1, seed=0, on="here"))
    assert open_dataset(tmp_path / "data").info.nudge == nudge


def test_a_meta_batch_has_as_many_tasks_of_each_environment() -> None:
    four = [REACH, "daml/Push-v0", "daml/Place-v0", "daml/PickPlace-v0"]
    check_batch(PRESETS["temporal"], four)
    with pytest.raises(AgentError, match="got 15 tasks in a meta-batch, allowed a multiple of 4"):
        check_batch(PRESETS["paper"], four)
    with pytest.raises(DemoError, match="tasks in a meta-batch: got 7, allowed"):
        check_batch(replace(PRESETS["temporal"], tasks=14), four[:2])


def test_a_meta_batch_that_is_no_whole_sets_is_refused_before_it_is_drawn(tmp_path: Path) -> None:
    data = create(tmp_path, DatasetInfo(None, "imported", 0, 3, 2, 10, 4, 64, 2, 3, 1, 0, 0, ragged=1, held_out=1))
    for index in range(3):
        data.write_set(index, {"lengths": np.full(2, 4)})
    task_distribution(PRESETS["fast"], Sizes(2, 3, 1), [data], "cpu")
    with pytest.raises(DemoError, match="got 15, allowed a multiple of one of the numbers 2 to 2"):
        task_distribution(PRESETS["paper-small"], Sizes(2, 3, 1), [data], "cpu")


def test_data_of_no_environment_say_how_they_are_trained_on(tmp_path: Path) -> None:
    create(tmp_path, DatasetInfo(None, "imported", 0, 1, 2, 10, 4, 64, 2, 3, 1, 0, 0)).write_set(0, {})
    with pytest.raises(AgentError, match=f"got one of no environment, allowed {REACH}; or --env none"):
        open_datasets({REACH: tmp_path})
