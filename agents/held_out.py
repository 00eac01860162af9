"""Evaluation without a simulator: how far a policy's actions are from those of demonstrations that it never saw.

Of the sets that a dataset holds out, the policy watches the human's video of each task, and is then asked for its
action in every state that the robot's demonstration of that task goes through. It does not act: what its own mistakes
would lead to is not seen. The later states tell where a demonstration goes, with or without a video. So what counts is
not the error alone, but that it is smaller than after no video, one without its order, and one of another task of the
same set.

The error is the mean of (action - demonstrated action)^2 over an action's numbers, a demonstration's steps and a set's
tasks; each number in its scale (`agents.view.Units`). Of a robot of which there are only data that is its standard
deviation in the sets to train on: always the mean action then has an error of about 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.errors import AgentError
from agents.imitation import Policy, adapt_to_video
from agents.presets import Preset
from agents.statistics import student
from agents.view import Sizes
from daml import MetaParams
from demos.human import VIDEO_FPS
from demos.storage import Dataset
from demos.types import Video

SHOWN = ("human", "none", "shuffled", "wrong")
"""What is shown of a task, in the words of `agents.controls.MEANINGS`."""


@dataclass(frozen=True)
class HeldOut:
    """Errors on sets that were held out.

    errors: what was shown, of `SHOWN` -> float [sets], the mean over the tasks of each.  tasks: of all sets.
    """

    errors: dict[str, np.ndarray]
    tasks: int

    def summary(self) -> dict[str, dict[str, Any]]:
        """What was shown -> its mean "error" over sets, and both ends of the 95 % interval; of all but the human's
        video also by how much it is "more" than after that one, set by set, and the interval of this. The interval of a
        single set is not known: NaN."""
        human = self.errors["human"]
        rows = {}
        for shown, errors in self.errors.items():
            row = _interval("error", "ci", errors)
            row |= _interval("more", "more", errors - human) if shown != "human" else {}
            rows[shown] = row | {"sets": len(errors), "tasks": self.tasks}
        return rows


def _interval(name: str, ends: str, values: np.ndarray) -> dict[str, float]:
    low, high = student(values)
    return {name: float(values.mean()), f"{ends}_low": low, f"{ends}_high": high}


def check(preset: Preset, sizes: Sizes, dataset: Dataset) -> None:
    """Checks that a policy can be evaluated on what a dataset holds out.

    Raises:
        AgentError: nothing is held out; or the policy is not for these numbers and images, or watches no human.
    """
    info, size, where = dataset.info, preset.imitator(preset.inner_steps, sizes).size, f"data {dataset.folder}"
    if preset.shown != "human":
        raise AgentError(
            f"preset without a simulator: got one that is shown {preset.shown!r}, allowed one that watches a human, "
            "such as temporal"
        )
    if not info.held_out:
        raise AgentError(f"{where}: got one that holds no sets out, allowed one of `daml import`")
    if (info.state, info.action) != (sizes.state, sizes.action):
        raise AgentError(
            f"{where}: got {info.state} numbers in a state and {info.action} in an action, allowed {sizes.state} and "
            f"{sizes.action}, as the policy was trained with"
        )
    if info.size != size:
        raise AgentError(f"{where}: got images of {info.size} px, allowed {size} px, which the policy looks at")


def shown_to(preset: Preset) -> tuple[str, ...]:
    """Those of `SHOWN` that tell something of a preset: without inner steps no video is as any other."""
    return tuple(shown for shown in SHOWN if preset.inner_steps or shown != "none")


def measure(
    preset: Preset,
    meta: MetaParams,
    *,
    sizes: Sizes,
    dataset: Dataset,
    seed: int,
    sets: int | None = None,
    progress: Callable[[int], None] = lambda sets_done: None,
) -> HeldOut:
    """Errors on the sets that a dataset holds out.

    Args:
        preset: the policy's.
        meta: its parameters.
        sizes: it was made for.
        dataset: as `check` allows.
        seed: of the order of shuffled frames.
        sets: the first so many of those held out; all when None.
        progress: called with the number of sets done.
    """
    info = dataset.info
    chosen = range(info.n_sets - info.held_out, info.n_sets)[:sets]
    steps = {shown: 0 if shown == "none" else preset.inner_steps for shown in shown_to(preset)}
    imitators = {shown: preset.imitator(number, sizes) for shown, number in steps.items()}
    errors: dict[str, list[float]] = {shown: [] for shown in imitators}
    for done, index in enumerate(chosen, 1):
        for shown, imitator in imitators.items():
            tasks = [(index, goal) for goal in range(n_goals(dataset, index))]
            policies = [adapt_to_video(imitator, meta, video(dataset, task, shown, seed)) for task in tasks]
            errors[shown].append(float(np.mean([_error(*each, dataset) for each in zip(policies, tasks, strict=True)])))
        progress(done)
    return HeldOut(
        {shown: np.array(each) for shown, each in errors.items()}, sum(n_goals(dataset, index) for index in chosen)
    )


def validation(
    preset: Preset, sizes: Sizes, dataset: Dataset, *, seed: int, sets: int
) -> Callable[[MetaParams], dict[str, float]]:
    """What is measured on the way through a training: "val_error", after the human's video, and "val_error SHOWN",
    after all else of `SHOWN`. Arguments as of `measure`."""

    def validate(meta: MetaParams) -> dict[str, float]:
        found = measure(preset, meta, sizes=sizes, dataset=dataset, seed=seed, sets=sets)
        return {
            "val_error" if shown == "human" else f"val_error {shown}": float(errors.mean())
            for shown, errors in found.errors.items()
        }

    return validate


def n_goals(dataset: Dataset, index: int) -> int:
    """Tasks of a set."""
    return int((dataset.lengths[index] > 0).sum())


def video(dataset: Dataset, task: tuple[int, int], shown: str, seed: int) -> Video:
    """What is shown of a task.

    Args:
        dataset: whose video; its frames are evenly spaced.
        task: index of the set, and of the task in it.
        shown: of `SHOWN`; "none" is the human's video, which a policy without inner steps does not use.
        seed: of the order of shuffled frames.
    """
    index, goal = task
    frames = dataset["human_frames"][index, (goal + 1) % n_goals(dataset, index) if shown == "wrong" else goal]
    if shown == "shuffled":
        frames = frames[np.random.default_rng([seed, index, goal]).permutation(len(frames))]
    return Video(frames, np.arange(len(frames)) / VIDEO_FPS)


def _error(policy: Policy, task: tuple[int, int], dataset: Dataset) -> float:
    """Of a policy's actions along the demonstration of a task."""
    frames, states, actions = (
        dataset[f"robot_{name}"][task][: dataset.lengths[task]] for name in ("frames", "states", "actions")
    )
    scale = policy.imitator.sizes.units.action.spread[: actions.shape[1]]
    return float(np.square((actions_along(policy, frames, states) - actions) / scale).mean())


def actions_along(policy: Policy, frames: np.ndarray, states: np.ndarray) -> np.ndarray:
    """What a policy would do in every step of a demonstration, in the robot's own units and inside their bounds.

    Args:
        policy: adapted to a video.
        frames: uint8 [steps, size, size, 3].
        states: float32 [steps, state].

    Returns:
        float32 [steps, action].
    """
    act = policy.actor()
    return np.stack([act({"image": image, "state": state}, {}) for image, state in zip(frames, states, strict=True)])
