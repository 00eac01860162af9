"""The `contrastive` baseline: `attention`, and videos that are told apart."""

import math

import torch
from random_tasks import N_TASKS, some_meta, some_tasks

from agents.methods.contrastive import WEIGHT, contrast
from agents.presets import PRESETS
from daml import meta_grad, meta_loss


def losses(preset: str) -> dict[str, torch.Tensor]:
    imitator, meta = PRESETS[preset].imitator(0), some_meta("attention")
    return meta_loss(meta, some_tasks(), learner=imitator.learner, outer_loss=imitator.outer_loss(1.0))[1]


def test_it_is_attention_with_a_contrast_in_the_loss() -> None:
    plain, more = losses("attention"), losses("contrastive")
    torch.testing.assert_close(more.pop("loss"), plain.pop("loss") + WEIGHT * more.pop("contrast"))
    torch.testing.assert_close(more, plain)


def test_videos_that_are_alike_cannot_be_told_apart_and_others_can() -> None:
    psi = some_meta("contrastive")["psi"]
    videos = torch.randn(N_TASKS, 8, 32, 16, 16, generator=torch.Generator().manual_seed(0))
    alike = contrast(psi, videos[:1].expand(N_TASKS, -1, -1, -1, -1))
    torch.testing.assert_close(alike, torch.full((N_TASKS,), math.log(N_TASKS)))
    still = videos[:, :1].expand(-1, 8, -1, -1, -1)  # both halves of a video are the same
    assert (contrast(psi, still) < alike).all()


def test_the_contrast_alone_trains_what_watches_the_video() -> None:
    imitator, meta = PRESETS["contrastive"].imitator(0), some_meta("contrastive")
    gradients, _ = meta_grad(
        meta,
        some_tasks(),
        learner=imitator.learner,
        outer_loss=lambda outputs, targets: {"loss": targets["contrast"]},
    )
    assert gradients["psi"]["self0.q.w"].any()
    assert gradients["trunk"]["conv1.w"].any()
    assert not gradients["psi"]["cross0.q.w"].any()
