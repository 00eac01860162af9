"""The `precise` preset: what it learns from glances, and that it learns nothing else from them."""

import torch
from random_tasks import N_TASKS, some_meta, some_tasks

from agents import fast, precise
from agents.presets import PRESETS
from agents.view import REACHING
from daml import Example, Task, meta_grad

GLANCES, GOALS = 2, 3


def glancing_tasks() -> Task:
    """Random tasks with random glances."""
    tasks, generator = some_tasks(), torch.Generator().manual_seed(1)
    lead, side = (N_TASKS, GLANCES), precise.SIZE
    frames = torch.randint(0, 256, (*lead, side, side, 3), generator=generator, dtype=torch.uint8)
    targets = {
        "glance_points": torch.rand((*lead, GOALS, 1, 3), generator=generator),
        "glance_pixels": torch.rand((*lead, GOALS, 1, 2), generator=generator),
        "glance_table": 0.02 * torch.randn((*lead, 4, 2), generator=generator),
    }
    inputs = tasks.query.inputs | {"glance_frames": frames}
    return tasks._replace(query=Example(inputs, tasks.query.targets | targets))


def test_maps_are_read_where_the_pixels_are() -> None:
    """Of maps that say where they are, in [0, 1], every pixel gives itself."""
    side = 16
    centres = (torch.arange(side) + 0.5) / side
    maps = torch.stack([centres.expand(side, -1), centres[:, None].expand(-1, side), torch.ones(side, side)])
    maps = torch.stack([maps, 2 * maps])[None]  # two places, the second twice the first
    pixels = torch.rand((1, 5, 2, 2), generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    read = precise.at_pixels(maps, pixels)
    torch.testing.assert_close(read[:, :, 0, :2], pixels[:, :, 0])
    torch.testing.assert_close(read[:, :, 1, :2], 2 * pixels[:, :, 1])
    assert precise.at_pixels(maps, torch.full_like(pixels, torch.nan)).isfinite().all(), (
        "an unknown pixel spoils nothing"
    )


def test_glances_train_the_points_and_the_camera_only() -> None:
    imitator, meta = PRESETS["precise"].imitator(1), some_meta("precise")
    plain, both = (
        meta_grad(meta, tasks, learner=imitator.learner, outer_loss=imitator.outer_loss(0.0))
        for tasks in (some_tasks(), glancing_tasks())
    )
    assert both[1]["cloning"] == plain[1]["cloning"]
    assert both[1]["loss"] > plain[1]["loss"]
    changed = {
        name for name, gradient in both[0]["trunk"].items() if not torch.equal(gradient, plain[0]["trunk"][name])
    }
    assert {"conv1.w", "point3.w", "whole1.w", "calibration.w", "shift.w", "table.w"} <= changed
    assert not changed & {"conv4.w", "landmarks", "log_spread"}
    for group in ("theta", "psi", "rates"):
        for name, gradient in both[0][group].items():
            torch.testing.assert_close(gradient, plain[0][group][name])


def test_it_is_least_where_the_glances_are_right() -> None:
    """With what should be seen in the place of what is seen, only the loss of `fast` is left."""
    tasks = glancing_tasks()
    targets = {name: leaf[0] for name, leaf in tasks.query.targets.items()}
    imitator, meta = PRESETS["precise"].imitator(1, REACHING), some_meta("precise")
    encoded = imitator.learner.encode(meta, tasks)
    first = torch.utils._pytree.tree_map(lambda leaf: leaf[0], encoded)
    outputs = imitator.learner.predict(imitator.learner.adapt(meta, first.support), first.query.inputs)
    right = {
        "glanced_points": precise.scaled_point(targets["glance_points"]),
        "glanced_table": targets["glance_table"] / precise.TABLE_SCALE,
    }
    best = precise.outer_loss(0.0)(outputs, first.query.targets | right)
    torch.testing.assert_close(best["loss"], fast.outer_loss(0.0)(outputs, first.query.targets)["loss"] + 0.01)
    assert precise.outer_loss(0.0)(outputs, first.query.targets)["loss"] > best["loss"] + 0.1
