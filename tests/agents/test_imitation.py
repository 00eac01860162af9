"""Adaptation to a video, evaluation, and policies on disk."""

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import gymnasium
import numpy as np
import pytest
import torch

from agents.controls import CONTROLS
from agents.errors import AgentError
from agents.evaluation import Report, SetTrials, evaluate, evaluate_preset, shown_in
from agents.imitation import adapt_to_video, adapt_to_videos, watched_frames
from agents.learners import Imitation
from agents.oracle import told
from agents.policies import BUNDLED, PolicyConfig, bundled, load_policy, row_of, save_policy
from agents.presets import PRESETS, find_preset
from agents.statistics import wilson
from agents.view import REACHING, Sizes
from agents.workers import Workers, processes
from daml import CheckpointError, MetaParams
from demos.gap import Gap
from demos.human import human_video
from demos.record import record
from demos.tasks import sample_task_set
from demos.types import Video
from envs.acting import DIRECTIONS, VERBS
from scripts.common import env_id, env_names

ENV = "daml/Reach-v0"
CONFIG = PolicyConfig("reach", "fast", REACHING, 0, 1, 1, "daml train", 0.1, "a test")


def fresh(preset: str = "fast") -> MetaParams:
    return PRESETS[preset].imitator(1).learner.init(torch.Generator().manual_seed(0))


def a_video(size: int = 64, fps: float = 8.0) -> Video:
    tasks = sample_task_set(5, "test", 0)
    return human_video(ENV, tasks.human_scene.with_goal(1), tasks.motion(1), size=size, fps=fps)


def an_observation() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"image": rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), "state": rng.random(10, dtype=np.float32)}


def test_adaptation_changes_nothing_but_the_policy_it_returns() -> None:
    meta = fresh()
    before = {group: {name: t.clone() for name, t in params.items()} for group, params in meta.items()}
    adapt_to_video(PRESETS["fast"].imitator(1), meta, a_video())
    assert all(torch.equal(t, before[group][name]) for group, params in meta.items() for name, t in params.items())


def test_the_frames_watched_do_not_depend_on_size_and_frame_rate() -> None:
    imitator = PRESETS["fast"].imitator(1)
    native = watched_frames(imitator, a_video()).astype(float)
    for video in (a_video(size=192), a_video(fps=24.0), a_video(size=100, fps=30.0)):
        frames = watched_frames(imitator, video)
        assert frames.shape == native.shape
        assert np.abs(frames - native).mean() < 6


def test_several_videos_are_one_step_on_the_mean_of_their_gradients() -> None:
    imitator, meta = PRESETS["fast"].imitator(1), fresh()
    tasks = sample_task_set(5, "test", 0)
    videos = [human_video(ENV, tasks.human_scene.with_goal(1), tasks.motion(g), size=64) for g in (0, 2)]
    together = adapt_to_videos(imitator, meta, videos).adapted.head
    apart = [adapt_to_video(imitator, meta, video).adapted.head for video in videos]
    for name, tensor in meta["theta"].items():
        step = sum(tensor - head[name] for head in apart) / 2
        torch.testing.assert_close(together[name], tensor - step)
    with pytest.raises(AgentError, match="videos: got 0, allowed 1 or more"):
        adapt_to_videos(imitator, meta, [])


def test_a_video_of_one_frame_is_refused() -> None:
    video = Video(a_video().frames[:1], np.zeros(1))
    with pytest.raises(AgentError, match="got 1 frame"):
        adapt_to_video(PRESETS["fast"].imitator(1), fresh(), video)


def test_an_action_is_three_numbers_in_bounds() -> None:
    act = adapt_to_video(PRESETS["fast"].imitator(1), fresh(), a_video()).actor()
    action = act(an_observation(), {})
    assert action.shape == (3,)
    assert action.dtype == np.float32
    assert np.abs(action).max() <= 1


def test_a_policy_for_several_environments_acts_in_each_and_a_policy_for_less_is_refused() -> None:
    both = PRESETS["fast"].imitator(1, Sizes(state=11, action=4, points=2))
    policy = adapt_to_video(both, both.learner.init(torch.Generator().manual_seed(0)), a_video())
    tasks = sample_task_set(5, "test", 0)
    env = gymnasium.make(ENV, image_size=64, disable_env_checker=True)
    assert record(env, tasks.robot_scenes[0].with_goal(1), policy.actor(), n_steps=2).actions.shape == (2, 3)
    env.close()
    few = adapt_to_video(PRESETS["fast"].imitator(1), fresh(), a_video()).actor()
    with pytest.raises(AgentError, match="robot's state: got 11 numbers, allowed up to 10"):
        few(an_observation() | {"state": np.zeros(11, np.float32)}, {})


@pytest.mark.parametrize(("preset", "looks"), [("fast", 1), ("paper", 3)])
def test_an_actor_looks_once_or_every_time(preset: str, looks: int) -> None:
    policy = adapt_to_video(PRESETS[preset].imitator(1), fresh(preset), a_video())
    seen: list[int] = []
    perceive = policy.imitator.perceive
    counting = policy.imitator._replace(
        perceive=lambda meta, images: (seen.append(len(images)), perceive(meta, images))[1]
    )
    act = replace(policy, imitator=counting).actor()
    for _ in range(3):
        act(an_observation(), {})
    assert seen == [1] * looks


def test_who_is_told_the_goal_goes_by_it_and_not_by_what_it_sees() -> None:
    policy = adapt_to_video(PRESETS["precise"].imitator(1), fresh("precise"), a_video())
    observation, other = an_observation(), an_observation()
    other["image"] = 255 - other["image"]
    here, there = ({"goal_points": np.array([[0.5, y, 0.1]])} for y in (-0.2, 0.2))
    actions = [told(policy)(*each) for each in ((observation, here), (other, here), (observation, there))]
    assert actions[0] == pytest.approx(actions[1], abs=1e-5)
    assert actions[0] != pytest.approx(actions[2], abs=1e-3)
    literal = adapt_to_video(PRESETS["paper"].imitator(1), fresh("paper"), a_video())
    with pytest.raises(AgentError, match="sees no points"):
        told(literal)(observation, here)


def test_the_report_counts_tasks_not_trials() -> None:
    report = Report(np.ones((10, 5), bool), np.ones((10, 5), bool), np.zeros((10, 5)), 1.0)
    assert report.interval() == wilson(1.0, 10)
    assert report.summary()["tasks"] == 10
    assert report.summary()["trials"] == 5


def test_a_policy_that_ignores_the_video_is_right_one_time_in_three() -> None:
    policy = Imitation(PRESETS["fast"].imitator(0), fresh())
    report = evaluate(policy, env_id=ENV, split="test", tasks=6, trials=2, seed=3)
    assert report.nearest.mean() == pytest.approx(1 / 3)


def test_evaluation_depends_on_the_seed_and_not_on_the_workers() -> None:
    def run(seed: int, number: int) -> list[float]:
        with processes(number) as workers:
            report = evaluate(
                Imitation(PRESETS["fast"].imitator(1), fresh()),
                env_id=ENV,
                split="val",
                tasks=6,
                trials=1,
                seed=seed,
                workers=workers,
            )
        return report.distances.ravel().tolist()

    assert run(0, 1) == run(0, 2)
    assert run(0, 1) != run(1, 1)


@pytest.mark.parametrize(("preset", "once"), [("fast", True), ("replay", True), ("looking", False), ("paper", False)])
def test_no_image_is_drawn_that_nobody_looks_at(preset: str, once: bool) -> None:
    policy = Imitation(PRESETS[preset].imitator(1), fresh(preset))
    assert policy.look_once == once
    job = SetTrials(policy, ENV, "val", 0, [1], 1, 0, "human", Gap(), 1)
    with patch("agents.evaluation.record", wraps=record) as recorded:
        ((episode,),) = job.run()
        assert recorded.call_args.kwargs == {"look_once": once}
    with patch("agents.evaluation.record", lambda *args, **options: record(*args)):
        ((other,),) = job.run()
    assert (episode.actions == other.actions).all()


def test_an_evaluation_keeps_no_images() -> None:
    policy = Imitation(PRESETS["fast"].imitator(1), fresh())
    ((episode,),) = SetTrials(policy, ENV, "val", 0, [1], 1, 0, "human", Gap(), 1).run()
    assert len(episode.images) == len(episode.actions) > 1
    assert len(pickle.dumps(episode)) < 64 * 64 * 3, "as much as one image"


@pytest.mark.parametrize(
    "options",
    [{"tasks": 0}, {"trials": 0}, {"videos": 0}, {"split": "all"}, {"video": "mirror"}],
    ids=str,
)
def test_bad_evaluation_arguments_are_named(options: dict) -> None:
    arguments = {"env_id": ENV, "split": "test", "tasks": 1, "trials": 1, "seed": 0} | options
    with pytest.raises(AgentError, match=f"{next(iter(options))}: got"):
        evaluate(Imitation(PRESETS["fast"].imitator(1), fresh()), **arguments)


def test_less_than_one_worker_is_named() -> None:
    with pytest.raises(AgentError, match="workers: got 0"), processes(0):
        pass


@pytest.mark.parametrize("name", PRESETS)
def test_every_policy_can_be_sent_to_another_process(name: str) -> None:
    pickle.dumps(PRESETS[name].imitator(PRESETS[name].inner_steps))


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(AgentError, match="got 'slow'"):
        find_preset("slow")


def test_a_policy_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    meta = fresh()
    save_policy(tmp_path / "p", meta, CONFIG)
    stored = load_policy(tmp_path / "p")
    assert stored.config == CONFIG
    assert all(torch.equal(t, stored.meta[group][name]) for group, params in meta.items() for name, t in params.items())
    assert "a test" in (tmp_path / "p" / "README.md").read_text()


def test_what_is_no_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="policy: got"):
        load_policy(tmp_path / "missing")
    save_policy(tmp_path / "p", fresh(), CONFIG)
    (tmp_path / "p" / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError):
        load_policy(tmp_path / "p")
    save_policy(tmp_path / "q", fresh("paper"), CONFIG)
    with pytest.raises(AgentError, match="another version"):
        load_policy(tmp_path / "q")


@pytest.mark.parametrize("name", bundled())
def test_a_policy_in_the_box_has_a_card_and_is_small(name: str) -> None:
    config = json.loads((BUNDLED / name / "config.json").read_text())
    assert config["command"].startswith("daml train")
    for env in env_names(config["env"]):
        shown = set(CONTROLS) & set(shown_in(env_id(env)))
        assert {row_of(config["env"], env, video) for video in shown} <= set(config["results"])
    assert (BUNDLED / name / "model.safetensors").stat().st_size < 2**20


CHANCE = (1 / 3, 1 / 3)
PREDICTED = {
    "told": (0.9, 1.0),
    "wrong": (0.0, 0.1),  # it goes where the wrong video points
    "blank": CHANCE,  # nothing in them tells the tasks of a set apart: exactly one in three
    "none": CHANCE,
    "first": CHANCE,
    "middle": (1 / 3, 1.0),  # something of the motion, and no more than all of it
    "last": (1 / 3, 1.0),
    "shuffled": (1 / 3, 1.0),
}
"""How often the right object is chosen, from what each control leaves of the video."""


PAIRS = [(name, env) for name in bundled() for env in env_names(load_policy(name).config.env)]
"""Every policy in the box with every environment that it is for."""


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with processes(2) as started:
        yield started


def in_the_box(name: str, env: str, video: str, tasks: int, workers: Workers) -> Report:
    stored = load_policy(name)
    return evaluate_preset(
        stored.preset,
        stored.meta,
        sizes=stored.config.sizes,
        env_id=env_id(env),
        split="test",
        tasks=tasks,
        trials=1,
        seed=12_345,
        video=video,
        workers=workers,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("name", "env"), PAIRS)
def test_a_policy_in_the_box_is_as_good_as_its_card_says(name: str, env: str, workers: Workers) -> None:
    config = load_policy(name).config
    recorded = config.results[row_of(config.env, env, "human")]
    report = in_the_box(name, env, "human", 36, workers)
    assert report.interval()[1] >= recorded["ci_low"], "below what is recorded for it"
    assert report.nearest.mean() > 0.7


@pytest.mark.slow
@pytest.mark.parametrize(("name", "env"), PAIRS)
def test_a_policy_in_the_box_does_what_a_wrong_video_shows(name: str, env: str, workers: Workers) -> None:
    low, high = PREDICTED["wrong"]
    assert low <= in_the_box(name, env, "wrong", 18, workers).nearest.mean() <= high


@pytest.mark.slow
@pytest.mark.skipif("reach" not in bundled(), reason="there is no policy in the box")
@pytest.mark.parametrize("video", sorted(PREDICTED.keys() - {"wrong"}))
def test_every_control_is_where_it_was_predicted(video: str, workers: Workers) -> None:
    low, high = PREDICTED[video]
    assert low - 1e-9 <= in_the_box("reach", "reach", video, 18, workers).nearest.mean() <= high + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "video", "objects", "aims", "shown"),
    [
        ("act", "wrong-object", (0.0, 0.1), (0.7, 1.0), (0.7, 1.0)),  # what is told of one object is done to another
        ("act", "wrong-verb", (0.9, 1.0), (0.0, 0.1), (0.7, 1.0)),
        ("act", "wrong", (0.0, 0.1), (0.0, 0.1), (0.7, 1.0)),
        ("act", "first", CHANCE, (0.0, 1 / 3), (0.0, 1 / 3)),  # neither object nor verb
        ("sort", "wrong-object", (0.0, 0.1), (0.5, 1.0), (0.5, 1.0)),
        ("sort", "wrong-container", (0.8, 1.0), (0.0, 0.1), (0.5, 1.0)),
        ("sort", "first-half", (0.8, 1.0), (0.0, 1 / 3), (0.0, 1 / 3)),  # the item, not the container
    ],
)
def test_what_is_done_to_what_is_what_was_shown_of_each(env, video, objects, aims, shown, workers) -> None:  # type: ignore[no-untyped-def]
    said = in_the_box(env, env, video, 30 if env == "act" else 27, workers).summary()  # whole sets
    for name, (low, high) in {"nearest": objects, said["aim"]: aims, "as_shown": shown}.items():
        assert low - 1e-9 <= said[name] <= high + 1e-9, name


@pytest.mark.slow
def test_the_second_half_tells_the_container(workers: Workers) -> None:
    aimed = in_the_box("sort", "sort", "second-half", 27, workers).aimed
    assert aimed is not None
    placed = aimed.did >= 0
    assert placed.any()
    assert (aimed.did == aimed.asked[:, None])[placed].mean() > 0.8


@pytest.mark.slow
def test_a_push_seen_backwards_is_not_done_forwards(workers: Workers) -> None:
    aimed = in_the_box("act", "act", "reversed", 30, workers).aimed
    assert aimed is not None
    pushes = np.isin(aimed.asked, [VERBS.index(name) for name in DIRECTIONS])
    assert not (aimed.did == aimed.asked[:, None])[pushes].any()
