"""Random tasks and fresh meta-parameters, for what must hold whatever a policy has learned."""

import numpy as np
import torch

from agents.imitation import Imitator
from agents.presets import find_preset
from agents.view import REACHING, Sizes
from daml import Example, MetaParams, Task

N_TASKS, VIDEO, QUERY, SIZE = 3, 4, 2, 64


def some_tasks(seed: int = 0, looks: int = 0, hand: bool = False) -> Task:
    """Random images and targets in the shapes that a dataset gives. looks: with the images of so many of the last
    states, besides the first one.  hand: and with those of the camera in the hand."""
    rng = np.random.default_rng(seed)

    def images(frames: int) -> torch.Tensor:
        return torch.from_numpy(rng.integers(0, 256, (N_TASKS, frames, SIZE, SIZE, 3), dtype=np.uint8))

    def numbers(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(0, 1, (N_TASKS, *shape)).astype(np.float32))

    inputs = {"image": images(QUERY), "state": numbers(QUERY, REACHING.state)}
    if looks:
        inputs |= {"image": inputs["image"][:, :1], "now": images(looks)}
    targets = {"action": numbers(QUERY, 3), "pose": numbers(1, 1, 3), "shown_at": numbers(1, 2)}
    video = images(VIDEO)
    targets["end"] = numbers(REACHING.state)
    if hand:
        inputs["hand"] = images(looks)
    if looks:
        targets["places"] = numbers(looks, 1, 3)
    return Task(video, Example(inputs, targets))


def tasks_for(imitator: Imitator) -> Task:
    """Of the kind that an imitator learns from."""
    wanted = imitator.wanted
    return some_lessons() if wanted.lessons else some_tasks(looks=min(1, wanted.looks), hand=wanted.hand)


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
