"""Random tasks and fresh meta-parameters, for what must hold whatever a policy has learned."""

import numpy as np
import torch

from agents.imitation import Imitator
from agents.presets import find_preset
from agents.view import REACHING, Sizes
from daml import Example, MetaParams, Task

N_TASKS, VIDEO, QUERY, SIZE = 3, 4, 2, 64


def some_tasks(seed: int = 0, looks: int = 0, hand: bool = False) -> Task:
    """Random images and targets in the shapes that a dataset gives. looks: with so many later images besides the first
    one.  hand: and with the image of the camera in the hand at the last state."""
    rng = np.random.default_rng(seed)

    def images(frames: int) -> torch.Tensor:
        return torch.from_numpy(rng.integers(0, 256, (N_TASKS, frames, SIZE, SIZE, 3), dtype=np.uint8))

    def numbers(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(0, 1, (N_TASKS, *shape)).astype(np.float32))

    inputs = {"image": images(QUERY), "state": numbers(QUERY, REACHING.state)}
    targets = {"action": numbers(QUERY, 3), "pose": numbers(1, 1, 3), "shown_at": numbers(1, 2)}
    if looks:
        inputs |= {"image": images(1 + looks), "moved": numbers(QUERY, 1, 3)}
        targets["pose"] = numbers(1 + looks, 1, 3)
    video = images(VIDEO)
    targets["end"] = numbers(REACHING.state)
    if hand:
        inputs["hand"] = images(1)
    return Task(video, Example(inputs, targets))


def tasks_for(imitator: Imitator) -> Task:
    """Of the kind that an imitator learns from."""
    wanted = imitator.wanted
    return some_lessons() if wanted.lessons else some_tasks(looks=min(1, wanted.looks), hand=bool(wanted.hand))


def some_lessons() -> Task:
    """The same, shown by the robot itself."""
    tasks = some_tasks()
    inputs, targets = tasks.query
    image, pose = inputs["image"][:, :1], targets["pose"]
    query = Example({"image": image, "state": inputs["state"]}, targets)
    support = Example({"image": image.flip(0), "state": inputs["state"]}, {"action": targets["action"], "pose": pose})
    return Task(support, query)


def some_meta(preset: str, seed: int = 0, sizes: Sizes = REACHING) -> MetaParams:
    meta = find_preset(preset).imitator(1, sizes).learner.init(torch.Generator().manual_seed(seed))
    for params in meta.values():
        for tensor in params.values():
            tensor.requires_grad_()
    return meta
