"""Ray's cluster comes to the same as this process, to the bit, whatever dies meanwhile."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.evaluation import evaluate
from agents.learners import Imitation
from agents.presets import PRESETS
from agents.training import new_state
from agents.view import REACHING
from agents.workers import workers_on
from demos import executors
from demos.collect import collect, demonstrate_set, describe
from demos.errors import DemoError
from demos.executors import answer, ask_machines, check_shared, executor
from demos.storage import open_dataset
from scripts.methods import Methods

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs pip install 'daml[ray]'")
pytestmark = pytest.mark.slow
ENV = "daml/Reach-v0"
INFO = describe(ENV, "train", 5, 3, 16)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Trainings on Ray have one thread each, and with several torch adds up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two machines of one core each, both on this one, to which this process is connected."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        machines = cluster_utils.Cluster()
        try:
            for _ in range(2):
                machines.add_node(num_cpus=1, include_dashboard=False)
            patch.setenv("RAY_ADDRESS", machines.address)
            before = signal.getsignal(signal.SIGTERM)
            with executor("ray", 1):
                assert signal.getsignal(signal.SIGTERM) is before
                yield
        finally:
            machines.shutdown()


def meets(folder: Path, number: int) -> tuple[int, str]:
    """Waits for another one, and says where that was."""
    import ray

    (folder / str(number)).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.01)
    return number, ray.get_runtime_context().get_node_id()


def dies(marker: Path, index: int) -> dict[str, np.ndarray]:
    """A set; where there is no marker yet its process is killed first, as by a machine without memory."""
    if index == 1 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return demonstrate_set(INFO, index)


def fails(number: int) -> None:
    raise DemoError(f"number: got {number}, allowed none")


def test_all_machines_work_at_once_and_results_are_in_order(tmp_path: Path) -> None:
    with executor("ray", 1) as each:
        numbers, machines = zip(*each(partial(meets, tmp_path), [1, 0]), strict=True)
    assert numbers == (1, 0)
    assert len(set(machines)) == 2


def test_a_collection_is_the_same(tmp_path: Path) -> None:
    folders = {on: tmp_path / on for on in ("here", "ray")}
    for on, folder in folders.items():
        options = {"env_id": ENV, "split": "train", "n_sets": 3, "seed": 5, "size": 16}
        assert list(collect(folder, on=on, **options)) == [0, 1, 2, 3]
    here, there = map(open_dataset, folders.values())
    for name in INFO.arrays():
        assert here[name].any()
        assert np.array_equal(here[name], there[name]), name


def test_an_evaluation_is_the_same() -> None:
    policy = Imitation(PRESETS["fast"].imitator(1), new_state(PRESETS["fast"], REACHING, 0, "cpu").meta)
    found = []
    for on in ("here", "ray"):
        with workers_on(on, 1) as workers:
            report = evaluate(policy, env_id=ENV, split="val", tasks=6, trials=1, seed=0, workers=workers)
        found.append(report.distances.tolist())
    assert found[0] == found[1]


def test_an_error_is_the_one_that_was_raised() -> None:
    with executor("ray", 1) as each, pytest.raises(DemoError) as raised:
        list(each(fails, [3]))
    assert type(raised.value) is DemoError
    assert str(raised.value) == "number: got 3, allowed none"


@dataclass(frozen=True)
class Foreign:
    """An item that only this process can read, as one of a module that the other machines do not have."""

    process: int

    def __reduce__(self) -> tuple[Any, ...]:
        return only_in, (self.process,)


def only_in(process: int) -> Foreign:
    if process != os.getpid():
        raise ModuleNotFoundError("No module named 'ours'")
    return Foreign(process)


def test_a_machine_without_the_project_is_named() -> None:
    said = r"ray: got a machine that cannot take its work \(.*No module named 'ours'\), allowed those with the same"
    with executor("ray", 1) as each, pytest.raises(DemoError, match=said):
        list(each(fails, [Foreign(os.getpid())]))


def test_a_folder_has_to_be_on_all_machines(tmp_path: Path) -> None:
    check_shared(tmp_path / "new" / "folder")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def asked(question: Path) -> dict[str, bool]:
        return ask_machines(question) | {"far": answer(elsewhere / question.name, "far")}

    with pytest.raises(DemoError, match=rf"folder {tmp_path}: got one that far does not see, allowed one that all"):
        check_shared(tmp_path, asked)
    assert [path.name for path in tmp_path.rglob("*")] == ["elsewhere"], "nothing is left"


def test_methods_side_by_side_are_the_same(tmp_path: Path) -> None:
    options = {"presets": ("temporal", "pointer", "oracle"), "seeds": 1, "sets": 1, "steps": 1, "tasks": 3}
    found = []
    for on in ("here", "ray"):
        Methods(on=on, out=tmp_path / on, **options).run()
        trainings = json.loads((tmp_path / on / "methods.json").read_text())["trainings"]
        found.append([{name: value for name, value in one.items() if name != "minutes"} for one in trainings])
        if on == "here":  # collected once, and not told from what is collected there
            shutil.copytree(tmp_path / "here" / "reach-data", tmp_path / "ray" / "reach-data")
    assert found[0] == found[1]
    assert [one["preset"] for one in found[0]] == list(options["presets"])
    for run in ("reach-temporal-0", "reach-pointer-0"):
        here, there = ((tmp_path / on / run / "checkpoint.safetensors").read_bytes() for on in ("here", "ray"))
        assert here == there


def test_a_process_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    with executor("ray", 1) as each:
        sets = list(each(partial(dies, tmp_path / "died"), range(3)))
    assert (tmp_path / "died").exists()
    for index, arrays in enumerate(sets):
        for name, values in demonstrate_set(INFO, index).items():
            assert np.array_equal(arrays[name], values), name


def test_a_process_that_is_killed_too_often_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "RETRIES", 0)
    with executor("ray", 1) as each, pytest.raises(DemoError, match="process: got one of Ray's that ended amid its"):
        list(each(partial(dies, tmp_path / "died"), [1]))
