"""Checkpoints give back every bit, or say clearly why they cannot."""

import json
import struct

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from daml import CheckpointError, TrainState, load, load_state, meta_step, save, save_state

TENSORS = {
    "meta": {
        "theta": {"conv.weight": torch.randn(2, 3, 5), "scalar": torch.tensor(0.5, dtype=torch.float64)},
        "psi": {"half": torch.randn(7).bfloat16(), "none": torch.zeros(0, 4)},
    },
    "flags": torch.tensor([True, False]),
    "count": torch.tensor([1, -2]),
}
METADATA = {"config": {"seed": 3, "name": "é", "rates": [0.1, 1e-30]}, "list": [None, True]}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        if isinstance(value, dict):
            assert_same(value, other[key])
        else:
            assert value.dtype == other[key].dtype
            assert torch.equal(value, other[key])


@pytest.fixture
def trained(toy):
    """A state with the memory of three steps of Adam, in which psi is fixed."""

    def make():
        learned = [*toy.meta["theta"].values(), *toy.meta["rates"].values()]
        return TrainState(toy.meta, torch.optim.Adam(learned, lr=0.01))

    state = make()
    for _ in range(3):
        meta_step(state, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss)
    return state


@pytest.fixture
def fresh(toy):
    """A state like `trained` before training, with another seed."""
    meta = toy.learner.init(torch.Generator().manual_seed(9))
    learned = [*meta["theta"].values(), *meta["rates"].values()]
    return TrainState(meta, torch.optim.Adam(learned, lr=0.01))


def test_every_bit_comes_back(tmp_path):
    save(tmp_path / "a.safetensors", TENSORS, METADATA)
    tensors, metadata = load(tmp_path / "a.safetensors")
    assert_same(tensors, TENSORS)
    assert metadata == METADATA


def test_saving_leaves_one_file_and_replaces_the_old_one(tmp_path):
    path = tmp_path / "a.safetensors"
    (tmp_path / ".a.safetensors.part").write_text("left by a killed run")
    save(path, TENSORS)
    save(path, {"x": torch.ones(1)})
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
    assert_same(load(path)[0], {"x": torch.ones(1)})


def test_views_and_shared_memory_are_stored_as_what_they_look_like(tmp_path):
    base = torch.arange(12.0).view(3, 4)
    views = {"transposed": base.T, "row": base[1], "same": base}
    save(tmp_path / "a.safetensors", views)
    assert_same(load(tmp_path / "a.safetensors")[0], views)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_a_checkpoint_error_and_nothing_else(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "a.safetensors"
    save(path, TENSORS, METADATA)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans(), label="truncate"):
        del content[data.draw(st.integers(0, len(content) - 1), label="length") :]
    else:
        for bit in data.draw(st.sets(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=4), label="bits"):
            content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    with pytest.raises(CheckpointError):
        load(path)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_other_file_is_a_checkpoint_error_and_nothing_else(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("other") / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="content of"):
        load(path)


def test_a_header_that_promises_too_much_is_an_error(tmp_path):
    path = tmp_path / "a.safetensors"
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(CheckpointError, match="content of"):
        load(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "missing.safetensors", tmp_path):
        with pytest.raises(CheckpointError, match=f"no file at {path}"):
            load(path)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="existing folder"):
        save(tmp_path / "missing" / "a.safetensors", TENSORS)


@pytest.mark.parametrize("tensors", [{"a/b": torch.ones(1)}, {"": torch.ones(1)}, {1: torch.ones(1)}, {"a": [1.0]}])
def test_what_cannot_be_stored_is_refused(tmp_path, tensors):
    with pytest.raises(CheckpointError):
        save(tmp_path / "a.safetensors", tensors)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("metadata", [{"x": object()}, {"x": float("nan")}])
def test_metadata_that_is_not_json_is_refused(tmp_path, metadata):
    with pytest.raises(CheckpointError, match="metadata"):
        save(tmp_path / "a.safetensors", {}, metadata)


def test_a_state_comes_back_with_its_optimiser_and_step(tmp_path, toy, trained, fresh):
    save_state(tmp_path / "s.safetensors", trained, METADATA)
    assert load_state(tmp_path / "s.safetensors", fresh) == METADATA
    assert fresh.step == 3
    for state in (trained, fresh):
        meta_step(state, toy.tasks, learner=toy.learner, outer_loss=toy.outer_loss)
    assert_same(trained.meta, fresh.meta)
    for a, b in zip(trained.meta["theta"].values(), fresh.meta["theta"].values(), strict=True):
        assert_same(trained.optimizer.state[a], fresh.optimizer.state[b])


def test_a_state_that_does_not_fit_is_refused_and_left_alone(tmp_path, toy, trained, fresh):
    path = tmp_path / "s.safetensors"
    save_state(path, trained)
    meta, before = fresh.meta, fresh.meta["theta"]["w1"].clone()
    wrong = {
        "meta of .*psi/k1": TrainState({"theta": meta["theta"]}, torch.optim.Adam(meta["theta"].values())),
        "optimizer of .*got Adam": TrainState(meta, torch.optim.SGD(meta["theta"].values())),
        "learned of .*rates/w1": TrainState(meta, torch.optim.Adam(meta["theta"].values())),
    }
    for message, state in wrong.items():
        with pytest.raises(CheckpointError, match=message):
            load_state(path, state)
        assert state.step == 0
    assert torch.equal(meta["theta"]["w1"], before)


def test_another_shape_is_refused_with_both_shapes(tmp_path, trained):
    save_state(tmp_path / "s.safetensors", trained)
    theta = {name: torch.zeros(3) for name in trained.meta["theta"]}
    meta = trained.meta | {"theta": theta}
    state = TrainState(meta, torch.optim.Adam([*theta.values(), *meta["rates"].values()]))
    with pytest.raises(CheckpointError, match=r"float64\[3, 4\].*allowed.*float32\[3\]"):
        load_state(tmp_path / "s.safetensors", state)


def test_tensors_alone_are_no_training_state(tmp_path, fresh):
    save(tmp_path / "a.safetensors", TENSORS)
    with pytest.raises(CheckpointError, match="meta of"):
        load_state(tmp_path / "a.safetensors", fresh)
