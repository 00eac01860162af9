"""Errors on demonstrations that a dataset holds out: of the right tasks, after what is said to be shown."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from random_tasks import some_meta
from scipy import stats
from torch import Tensor

from agents import held_out
from agents.errors import AgentError
from agents.held_out import HeldOut
from agents.imitation import Imitator, adapt_to_video
from agents.presets import PRESETS, Preset
from agents.view import REACHING, Scale, Sizes, Units, View
from daml import MetaLearner, MetaParams
from demos.distribution import Wanted
from demos.storage import Dataset, DatasetInfo, create
from demos.types import Video

GOALS = ((2, 3), (3, 5, 4), (6, 2))
"""Steps of each demonstration, of each set."""
SIZE, FRAMES, SPREAD = 8, 4, 2.0
STATE, ACTION = 2, 3
UNITS = Units(
    Scale((0.0,) * STATE, (1.0,) * STATE),
    Scale((1.0,) * ACTION, (SPREAD,) * ACTION),
    Scale((0.0,) * 3, (1.0,) * 3),
    (-9.0,) * ACTION,
    (99.0,) * ACTION,
)
SIZES = Sizes(STATE, ACTION, 1, units=UNITS)


def value(index: int, goal: int) -> int:
    """That the first frame of a task's video shows; the next frames show one more each."""
    return 10 * index + 4 * goal


def dataset(folder: Path, **other: int) -> Dataset:
    """Whose actions are what the first frame of the video shows: what is not there is no number."""
    most = max(max(each) for each in GOALS)
    info = DatasetInfo(
        None, "imported", 0, len(GOALS), 3, FRAMES, most, SIZE, STATE, ACTION, 1, 0, 0, ragged=1, held_out=2
    )
    data = create(folder, replace(info, **other))
    for index, lengths in enumerate(GOALS):
        arrays = {
            name: np.full(shape[1:], np.nan if np.issubdtype(kind, np.floating) else 0, kind)
            for name, (kind, shape) in data.info.arrays().items()
        }
        for goal, length in enumerate(lengths):
            arrays["lengths"][goal] = length
            arrays["human_frames"][goal] = (value(index, goal) + np.arange(FRAMES))[:, None, None, None]
            arrays["robot_states"][goal, :length] = 0
            arrays["robot_actions"][goal, :length] = value(index, goal)
        data.write_set(index, arrays)
    return data


def reader(inner_steps: int, sizes: Sizes) -> Imitator:
    """Which does what the first frame of the video shows; without inner steps always the same."""

    def adapt(meta: MetaParams, video: View) -> Tensor:
        return inner_steps * video.seen[0]

    def predict(adapted: Tensor, inputs: View) -> dict[str, Tensor]:
        done = (adapted - 1) / SPREAD  # in the units of the network
        return {"action": done.expand(len(inputs.state), sizes.action)}

    def perceive(meta: MetaParams, images: Tensor) -> Tensor:
        return images.float().mean((1, 2, 3))

    learner = MetaLearner(lambda generator: {"theta": {"w": torch.zeros(1)}}, adapt, predict)
    return Imitator(learner, perceive, sizes, lambda hint: None, Wanted(FRAMES, images="first"), SIZE)


READER = replace(PRESETS["temporal"], imitator=reader)


def measured(folder: Path, preset: Preset = READER, **how: int) -> HeldOut:
    return held_out.measure(
        preset, {"theta": {"w": torch.zeros(1)}}, sizes=SIZES, dataset=dataset(folder), seed=5, **how
    )


def test_each_error_is_of_what_is_shown_on_the_sets_that_are_held_out(tmp_path: Path) -> None:
    found = measured(tmp_path)
    assert found.tasks == 3 + 2
    values = [[value(index, goal) for goal in range(len(GOALS[index]))] for index in (1, 2)]

    def error(shown: list[list[float]]) -> list[float]:
        return [float(np.mean(np.square(np.subtract(*each) / SPREAD))) for each in zip(shown, values, strict=True)]

    assert found.errors["human"] == pytest.approx([0, 0])
    assert found.errors["none"] == pytest.approx(error([[0] * len(each) for each in values]))
    assert found.errors["wrong"] == pytest.approx(error([[*each[1:], each[0]] for each in values]))
    order = {
        task: np.random.default_rng([5, *task]).permutation(FRAMES)[0]
        for task in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]
    }
    shuffled = [
        [v + order[index, goal] for goal, v in enumerate(each)] for index, each in zip((1, 2), values, strict=True)
    ]
    assert found.errors["shuffled"] == pytest.approx(error(shuffled))
    assert sum(found.errors["shuffled"]) > 0


def test_fewer_sets_are_the_first_ones_and_progress_counts_them(tmp_path: Path) -> None:
    done: list[int] = []
    few = held_out.measure(
        READER,
        {"theta": {"w": torch.zeros(1)}},
        sizes=SIZES,
        dataset=dataset(tmp_path),
        seed=0,
        sets=1,
        progress=done.append,
    )
    assert done == [1]
    assert few.tasks == len(GOALS[1])
    assert few.errors["wrong"].shape == (1,)


def test_without_inner_steps_no_video_is_left_out(tmp_path: Path) -> None:
    assert set(measured(tmp_path, replace(READER, inner_steps=0)).errors) == {"human", "shuffled", "wrong"}


def test_intervals_are_students_and_differences_paired_by_set() -> None:
    rng = np.random.default_rng(0)
    human = rng.uniform(0, 1, 6)
    wrong = human + 0.2 + 0.01 * rng.normal(size=6)
    rows = HeldOut({"human": human, "wrong": wrong}, 20).summary()
    for name, ends, row, values in (
        ("error", "ci", "human", human),
        ("error", "ci", "wrong", wrong),
        ("more", "more", "wrong", wrong - human),
    ):
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert rows[row][name] == pytest.approx(values.mean())
        assert (rows[row][f"{ends}_low"], rows[row][f"{ends}_high"]) == pytest.approx((expected.low, expected.high))
    assert "more" not in rows["human"]
    assert np.isnan(HeldOut({"human": human[:1]}, 3).summary()["human"]["ci_low"]), "of one set nobody knows"


def test_actions_along_a_demonstration_are_decided_as_the_policy_decides_them() -> None:
    rng, sizes = np.random.default_rng(1), Sizes(11, 4, 1)
    imitator = PRESETS["both"].imitator(1, sizes)
    video = Video(rng.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8), np.arange(12.0))
    policy = adapt_to_video(imitator, imitator.learner.init(torch.Generator().manual_seed(0)), video)
    frames, states = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8), rng.normal(size=(4, 11)).astype(np.float32)
    along = held_out.actions_along(policy, frames, states)
    assert set(along[:, 3]) <= {-1.0, 0.0, 1.0}
    assert not set(along[:, 0]) <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize("preset", ["temporal", "paper-small", "lstm", "looking"])
def test_actions_along_a_demonstration_are_those_of_the_actor(preset: str) -> None:
    rng, meta = np.random.default_rng(1), some_meta(preset)
    units = Units(REACHING.units.state, Scale((0.3,) * 4, (2.0,) * 4), REACHING.units.point, (-0.1,) * 4, (0.4,) * 4)
    imitator = PRESETS[preset].imitator(1, REACHING._replace(units=units))
    video = Video(rng.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8), np.arange(12.0))
    policy = adapt_to_video(imitator, meta, video)
    frames, states = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8), rng.normal(size=(4, 10)).astype(np.float32)
    act = policy.actor()
    one_by_one = [act({"image": image, "state": state}, {}) for image, state in zip(frames, states, strict=True)]
    along = held_out.actions_along(policy, frames, states)
    np.testing.assert_allclose(along, one_by_one, atol=1e-5)
    assert along.min() >= np.float32(-0.1)
    assert along.max() <= np.float32(0.4)


BAD = {
    "nothing is held out": ({"held_out": 0}, {}, "got one that holds no sets out, allowed one of `daml import`"),
    "it is told where the goal is": ({}, {"shown": "told"}, "got one that is shown 'told', allowed one that watches"),
    "another robot": (
        {"action": 4},
        {},
        f"got {STATE} numbers in a state and 4 in an action, allowed {STATE} and {ACTION}",
    ),
    "other images": ({"size": 16}, {}, f"got images of 16 px, allowed {SIZE} px"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_evaluated_is_refused(kind: str, tmp_path: Path) -> None:
    info, preset, said = BAD[kind]
    with pytest.raises(AgentError, match=said):
        held_out.check(replace(READER, **preset), SIZES, dataset(tmp_path, **info))
    held_out.check(READER, SIZES, dataset(tmp_path / "good"))
