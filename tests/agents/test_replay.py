"""The `replay` baseline: what is found again is done again, where the policy looks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from agents import oracle, training
from agents.datasets import collect_for, common_sizes, open_datasets, task_distribution
from agents.evaluation import evaluate
from agents.imitation import MEMORY, Policy, adapt_to_video, adapt_to_videos
from agents.learners import Imitation
from agents.methods import replay
from agents.methods.replay import APPROACH, GAIN, STEPS, THERE, any_one, follow, moved, nearest
from agents.policies import PolicyConfig, load_policy, save_policy
from agents.presets import PRESETS
from agents.view import REACHING, Sizes
from daml import MetaParams, TrainState, load_state
from demos.distribution import MixedTasks
from demos.types import Video
from envs.tabletop import CONTROL_PERIOD, MAX_SPEED

PRESET, REACH, PLACE = PRESETS["replay"], "daml/Reach-v0", "daml/Place-v0"
KEPT = 24


@pytest.fixture(autouse=True, scope="module")
def few_are_kept() -> Iterator[None]:
    """A small memory is full soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "KEPT", KEPT)
        yield


def kept(env_id: str, folder: Path) -> tuple[Sizes, MixedTasks]:
    """What a training on one set of an environment has."""
    list(collect_for([PRESET.imitator(1)], folder, env_id=env_id, n_sets=1, seed=0, workers=1))
    datasets = open_datasets({env_id: folder})
    sizes = common_sizes(datasets)
    return sizes, task_distribution(PRESET, sizes, datasets, "cpu")


@pytest.fixture(scope="module")
def reach(few_are_kept: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sizes, MixedTasks]:
    return kept(REACH, tmp_path_factory.mktemp("reach") / "data")


def remembering(sizes: Sizes, tasks: MixedTasks) -> MetaParams:
    """Untrained parameters, and a full memory."""
    return training.remembering(PRESET.imitator(1, sizes), fresh(sizes).meta, tasks, 0)


def fresh(sizes: Sizes = REACHING) -> TrainState:
    return training.new_state(PRESET, sizes, 0, "cpu")


def a_video(seed: int = 0) -> Video:
    frames = np.random.default_rng(seed).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    return Video(frames, np.arange(8) / 10)


def memory_of_unit_vectors() -> dict[str, torch.Tensor]:
    return {"embedding": torch.eye(KEPT)}


def test_the_demonstration_of_the_most_similar_video_is_found() -> None:
    shown = torch.eye(KEPT)[7] + 0.1
    assert nearest(memory_of_unit_vectors(), shown) == 7


def test_the_control_finds_another_one_for_each_and_always_the_same() -> None:
    shown = torch.eye(KEPT)
    found = [any_one(memory_of_unit_vectors(), one) for one in shown]
    assert found == [any_one(memory_of_unit_vectors(), one) for one in shown]
    assert sorted(found) == list(range(KEPT))
    assert sum(one == number for number, one in enumerate(found)) < KEPT / 2


def test_a_demonstration_is_moved_to_where_its_goal_lies_now() -> None:
    fingertip, goal, place = np.linspace([0.4, 0, 0.3], [0.6, 0.1, 0.05], 12), np.array([[0.6, 0.1, 0.05]]), np.ones(3)
    way, start = moved(fingertip, goal, place[None])
    np.testing.assert_allclose(way - fingertip, np.broadcast_to(place - goal, way.shape))
    np.testing.assert_allclose(way[-1], place)
    far = np.linalg.norm((fingertip - goal)[:, :2], axis=1)
    assert (far[:start] >= APPROACH).all()
    assert far[start] < APPROACH


def test_each_step_is_moved_with_the_place_that_it_is_near_and_none_with_what_is_not_there() -> None:
    points = np.array([[0.4, -0.2, 0.0], [0.6, 0.2, 0.0], [np.nan] * 3])
    places = np.array([[0.4, -0.1, 0.0], [0.7, 0.2, 0.0], [1.0, 1.0, 1.0]])
    way, start = moved(np.repeat(points[:2], 2, 0), points, places)
    np.testing.assert_allclose(way, np.repeat(places[:2], 2, 0))
    assert start == 0


def test_replay_begins_where_the_way_begins_and_then_goes_by_steps() -> None:
    way = np.linspace([0.5, 0.0, 0.2], [0.5, 0.0, 0.05], 4)
    actions = np.array([[0.0, 0.1 * step, -0.2, step] for step in range(4)])
    act = follow(way, actions, 1)
    away = way[1] + [0.2, 0.1, 0.0]
    for _ in range(3):
        np.testing.assert_allclose(act(away), [-1.0, -0.5, 0.0, 1.0])  # straight, at full speed
    np.testing.assert_allclose(act(way[1] + [0, 0.5 * THERE, 0])[3], 1.0)
    for step in (2, 3, 3, 3):
        np.testing.assert_allclose(act(way[step]), actions[step])
    off = np.array([0.0, 0.0, 0.01])
    correction = GAIN * -off / (MAX_SPEED * CONTROL_PERIOD)
    np.testing.assert_allclose(act(way[3] + off), actions[3] + np.append(correction, 0))


def test_memory_holds_demonstrations_of_the_data(reach: tuple[Sizes, MixedTasks]) -> None:
    sizes, tasks = reach
    memory = remembering(sizes, tasks)[MEMORY]
    assert {name: tensor.shape for name, tensor in memory.items()} == {
        name: tensor.shape for name, tensor in fresh(sizes).meta[MEMORY].items()
    }
    torch.testing.assert_close(memory["embedding"].norm(dim=1), torch.ones(KEPT))
    ends = (memory["fingertip"][:, -1] - memory["points"][:, 0]).norm(dim=1)
    assert ends.max() < 0.05, "each fingertip ends at its own goal"
    assert len(memory["points"].unique(dim=0)) == 3


def test_whoever_is_shown_a_video_of_the_memory_finds_its_demonstration(reach: tuple[Sizes, MixedTasks]) -> None:
    sizes, tasks = reach
    meta, imitator = remembering(sizes, tasks), PRESET.imitator(1, sizes)
    drawn = tasks.demonstrations(KEPT, np.random.default_rng(np.random.SeedSequence(0, spawn_key=(1,))))
    for number in (0, 1, 2, 3):
        frames = drawn.support[number].numpy()
        adapted = adapt_to_video(imitator, meta, Video(frames, np.arange(len(frames)) / 10)).adapted
        found = nearest(adapted.memory, adapted.embedding)
        torch.testing.assert_close(meta[MEMORY]["points"][found], drawn.query.targets["pose"][number])


def test_several_videos_find_one_demonstration(reach: tuple[Sizes, MixedTasks]) -> None:
    sizes, tasks = reach
    meta, imitator = remembering(sizes, tasks), PRESET.imitator(1, sizes)
    one = adapt_to_video(imitator, meta, a_video()).adapted
    three = adapt_to_videos(imitator, meta, [a_video()] * 3).adapted
    torch.testing.assert_close(three.memory, one.memory)
    assert nearest(three.memory, three.embedding) == nearest(one.memory, one.embedding)


def test_without_an_inner_step_the_video_finds_nothing() -> None:
    adapted = [adapt_to_video(PRESET.imitator(0), fresh().meta, a_video(seed)).adapted for seed in (0, 1)]
    for each in adapted:
        assert not each.embedding.any()


def test_nothing_learns_the_memory_and_the_end_of_training_fills_it(
    reach: tuple[Sizes, MixedTasks], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, tasks = reach
    state, checkpoint = fresh(sizes), tmp_path / "checkpoint"
    assert not any(tensor.requires_grad for tensor in state.meta[MEMORY].values())
    monkeypatch.setattr(training, "fit", lambda *args, **options: None)
    training.meta_train(
        PRESET,
        sizes,
        state,
        tasks,
        steps=1,
        seed=0,
        validation=training.Validation(lambda meta: {}, 0),
        log=None,
        checkpoint=checkpoint,
    )
    torch.testing.assert_close(state.meta[MEMORY], remembering(sizes, tasks)[MEMORY])
    again = fresh(sizes)
    load_state(checkpoint, again)
    torch.testing.assert_close(again.meta, state.meta)


def test_a_policy_comes_back_with_its_memory(reach: tuple[Sizes, MixedTasks], tmp_path: Path) -> None:
    sizes, tasks = reach
    meta = remembering(sizes, tasks)
    save_policy(tmp_path, meta, PolicyConfig("reach", "replay", sizes, 0, 1, 1, "daml train", 0.1, "a test"))
    stored = load_policy(tmp_path)
    torch.testing.assert_close(stored.meta[MEMORY], meta[MEMORY])
    assert stored.adapt(a_video()).imitator.acts.func.__name__ == "acts"  # type: ignore[attr-defined]


def test_its_actor_acts_within_bounds_and_anew_in_each_episode(reach: tuple[Sizes, MixedTasks]) -> None:
    sizes, tasks = reach
    policy: Policy = adapt_to_video(PRESET.imitator(1, sizes), remembering(sizes, tasks), a_video())
    state = np.array([0.45, 0.3, 0.3, *np.zeros(7)], np.float32)
    observation = {"image": a_video().frames[0], "state": state}
    first, second = policy.actor(), policy.actor()
    actions = [first(observation, {}) for _ in range(3)]
    assert all(action.dtype == np.float32 and np.abs(action).max() <= 1 for action in actions)
    np.testing.assert_array_equal(second(observation, {}), actions[0])


@pytest.mark.slow
@pytest.mark.parametrize("env_id", [REACH, PLACE])
def test_told_the_place_it_succeeds_untrained_with_the_demonstrations_of_one_set(env_id: str, tmp_path: Path) -> None:
    sizes, tasks = kept(env_id, tmp_path / "data")
    meta = remembering(sizes, tasks)
    options = {"env_id": env_id, "split": "test", "tasks": 6, "trials": 1, "seed": 0, "video": "told"}
    assert evaluate(Imitation(PRESET.imitator(1, sizes), meta), **options).success == 1


def test_who_is_told_the_place_goes_there(reach: tuple[Sizes, MixedTasks]) -> None:
    sizes, tasks = reach
    policy = adapt_to_video(PRESET.imitator(1, sizes), remembering(sizes, tasks), a_video())
    act, place = oracle.told(policy), np.array([[0.5, 0.1, 0.05]])
    tip = np.array([0.45, -0.2, 0.3])
    for _ in range(STEPS):
        observation = {"image": a_video().frames[0], "state": np.append(tip, np.zeros(7)).astype(np.float32)}
        tip = tip + MAX_SPEED * CONTROL_PERIOD * act(observation, {"goal_points": place})
    assert np.linalg.norm(tip - place[0]) < 0.02
