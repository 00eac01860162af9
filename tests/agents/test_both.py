"""What and how: the head has a tensor that says how the task ends, which only the video's motion can tell."""

import torch
from random_tasks import some_meta, some_tasks

from agents.methods import both
from agents.presets import PRESETS
from agents.view import REACHING
from daml import MetaParams, Task
from daml.meta_step import task_at


def ended(meta: MetaParams, tasks: Task) -> torch.Tensor:
    learner = PRESETS["both"].imitator(1).learner
    return learner.adapt(meta, task_at(learner.encode(meta, tasks), 0).support).head["end"]


def test_how_a_task_ends_depends_on_the_order_of_the_frames() -> None:
    meta, tasks = some_meta("both"), some_tasks()
    forth, back = ended(meta, tasks), ended(meta, tasks._replace(support=tasks.support.flip(1)))
    assert not torch.allclose(forth, meta["theta"]["end"], atol=1e-6)
    assert not torch.allclose(forth, back, atol=1e-6)


def test_the_outer_loss_is_least_where_the_end_is_the_demonstrations() -> None:
    outputs, targets = outputs_and_targets()
    last = targets["end"]
    way = (last[:3] - targets["pose"][0, 0]) / both.END_SCALE
    right = torch.cat([way, last[10:11]])
    loss = both.outer_loss(0.0)
    assert loss(outputs | {"end": right}, targets)["end"] == 0
    assert loss(outputs | {"end": right + 0.1}, targets)["end"] > 0
    assert loss(outputs | {"end": right}, targets)["loss"] < loss(outputs | {"end": right + 0.1}, targets)["loss"]


def test_what_a_robot_has_not_is_no_error_of_the_end() -> None:
    outputs, targets = outputs_and_targets()
    loss = both.outer_loss(0.0)
    without = targets | {"end": torch.cat([targets["end"][:10], torch.tensor([torch.nan])])}
    other = outputs["end"] + torch.tensor([0.0, 0.0, 0.0, 5.0])
    assert loss(outputs, without)["end"] == loss(outputs | {"end": other}, without)["end"]


def outputs_and_targets() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Of one task of fresh meta-parameters; with how far open the fingers are at the end."""
    learner, meta, tasks = PRESETS["both"].imitator(1, REACHING).learner, some_meta("both"), some_tasks()
    task = task_at(learner.encode(meta, tasks), 0)
    outputs = learner.predict(learner.adapt(meta, task.support), task.query.inputs)
    targets = task.query.targets | {"end": torch.linspace(0, 1, REACHING.state + 1)}
    return {name: value.detach() for name, value in outputs.items()}, targets
