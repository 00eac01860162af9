"""Mixed precision of what all tasks share."""

import pytest
import torch
from random_tasks import some_meta, some_tasks

from agents import precision
from agents.presets import PRESETS
from daml import meta_grad


def gradients(*, mixed: bool) -> dict[str, torch.Tensor]:
    """Of the trunk of a fresh policy."""
    imitator, meta = PRESETS["temporal"].imitator(1), some_meta("temporal")
    learner = precision.mixed(imitator.learner) if mixed else imitator.learner
    return meta_grad(meta, some_tasks(), learner=learner, outer_loss=imitator.outer_loss(1.0))[0]["trunk"]


def test_where_it_is_not_fast_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "is_fast", lambda device: False)
    alone, mixed = gradients(mixed=False), gradients(mixed=True)
    assert all(torch.equal(alone[name], mixed[name]) for name in alone)


def test_where_it_is_fast_the_meta_gradient_is_the_same_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "is_fast", lambda device: True)
    alone, mixed = (torch.cat([g.flatten() for g in gradients(mixed=mixed).values()]) for mixed in (False, True))
    assert mixed.dtype == torch.float32
    assert not torch.equal(alone, mixed)
    assert torch.cosine_similarity(alone, mixed, dim=0) > 0.99


def test_the_adapted_part_gets_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "is_fast", lambda device: True)
    imitator, meta = PRESETS["precise"].imitator(1), some_meta("precise")
    encoded = precision.mixed(imitator.learner).encode(meta, some_tasks())
    assert {leaf.dtype for leaf in torch.utils._pytree.tree_leaves(encoded)} == {torch.float32}


@pytest.mark.parametrize(("said", "fast"), [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({}, False)])
def test_a_cpu_is_asked_what_it_can(monkeypatch: pytest.MonkeyPatch, said: dict[str, bool], fast: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: said)
    assert precision.is_fast(torch.device("cpu")) is fast
