"""A policy of one's own, a function from a video to an actor, is evaluated as one of ours."""

from typing import Any

import numpy as np
import pytest

from agents.errors import AgentError
from agents.evaluation import evaluate
from agents.learners import OneShot
from agents.workers import processes
from demos.record import Actor
from demos.skills import find_skill
from demos.types import Video

ENV = "daml/Reach-v0"
OPTIONS: dict[str, Any] = {"env_id": ENV, "split": "test", "tasks": 3, "trials": 2, "seed": 4}


def goes_to_what_it_is_told(video: Video) -> Actor:
    """As the expert does where `info` says where the goal is; else it stands still."""
    return lambda observation, info: find_skill(ENV).expert(info) if info else np.zeros(3)


def stands_still(video: Video) -> Actor:
    return lambda observation, info: [0, 0, 0]  # type: ignore[return-value]


def test_info_is_empty_unless_the_policy_is_told() -> None:
    assert evaluate(goes_to_what_it_is_told, video="told", **OPTIONS).success == 1
    assert evaluate(goes_to_what_it_is_told, video="human", **OPTIONS).success == 0


def test_it_is_called_for_every_episode_with_the_video_of_its_task() -> None:
    seen: list[np.ndarray] = []

    def watch(video: Video) -> Actor:
        seen.append(video.frames)
        return stands_still(video)

    evaluate(watch, **OPTIONS)
    assert len(seen) == 3 * 2
    assert (seen[0] == seen[1]).all()
    assert (seen[0] != seen[2]).any()


def test_its_videos_and_images_have_the_size_that_it_asks_for() -> None:
    sizes = set()

    def watch(video: Video) -> Actor:
        def act(observation: dict[str, np.ndarray], info: dict[str, Any]) -> np.ndarray:
            sizes.update({video.frames.shape[1:], observation["image"].shape})
            return np.zeros(3)

        return act

    evaluate(OneShot(watch, size=48), **OPTIONS | {"tasks": 1, "trials": 1})
    assert sizes == {(48, 48, 3)}


def test_one_that_ignores_the_video_is_right_one_time_in_three() -> None:
    assert evaluate(stands_still, **OPTIONS).nearest.mean() == pytest.approx(1 / 3)


@pytest.mark.slow
def test_other_processes_come_to_the_same() -> None:
    with processes(2) as workers:
        there = evaluate(stands_still, workers=workers, **OPTIONS | {"tasks": 6})
    assert (there.distances == evaluate(stands_still, **OPTIONS | {"tasks": 6}).distances).all()


@pytest.mark.parametrize("options", [{"videos": 2}, {"video": "none"}])
def test_several_videos_or_none_are_refused(options: dict[str, Any]) -> None:
    def never(video: Video) -> Actor:
        raise AssertionError("work began")

    (name,) = options
    with pytest.raises(AgentError, match=f"{name}: got .*, allowed"):
        evaluate(never, **OPTIONS | options)
