"""Evaluation where the video tells a verb or a container, too: what is shown, and what is counted."""

import gymnasium
import numpy as np
import pytest
import torch

from agents.errors import AgentError
from agents.evaluation import VIDEOS, Aimed, evaluate, shown_in
from agents.learners import Imitation
from agents.presets import PRESETS
from agents.view import Sizes
from daml import MetaParams
from demos.human import human_video
from demos.skills import SKILLS
from demos.tasks import n_goals, sample_task_set, task_of
from demos.types import Video
from envs.acting import VERBS
from envs.scene import Aims
from scripts.evaluate import confusion_table

ENV, SORT = "daml/Act-v0", "daml/Sort-v0"
TOUCH, LEFT, LIFT = (VERBS.index(name) for name in ("touch", "push-left", "lift"))


def fresh() -> tuple:
    imitator = PRESETS["fast"].imitator(1, Sizes(11, 4, 1))
    meta: MetaParams = imitator.learner.init(torch.Generator().manual_seed(0))
    return imitator, meta


@pytest.mark.parametrize(
    ("env_id", "video", "object_changes", "aim_changes"),
    [
        (env_id, *row)
        for env_id, other in ((ENV, "wrong-verb"), (SORT, "wrong-container"))
        for row in (
            ("human", False, False),
            ("wrong", True, True),
            ("wrong-object", True, False),
            (other, False, True),
        )
    ],
)
def test_a_wrong_video_shows_another_goal_of_the_same_set(env_id, video, object_changes, aim_changes) -> None:
    tasks, n, parts = sample_task_set(3, "test", 0, env_id=env_id), n_goals(env_id), SKILLS[env_id].layout.goal_parts
    env = gymnasium.make(env_id, image_size=16, disable_env_checker=True)
    every = [human_video(env_id, tasks.human_scene.with_goal(g), tasks.motion(g), size=16).frames for g in range(n)]
    for goal in range(n):
        frames = VIDEOS[video](tasks, goal, env).frames
        (shown,) = [g for g, known in enumerate(every) if np.array_equal(frames, known)]
        (thing, aim), (other_thing, other_aim) = parts(goal), parts(shown)
        assert (thing != other_thing, aim != other_aim) == (object_changes, aim_changes)
    env.close()


@pytest.mark.parametrize("env_id", SKILLS)
def test_only_a_part_that_goals_have_can_be_shown_wrong(env_id: str) -> None:
    shown = {video for video in shown_in(env_id) if video.startswith("wrong-")}
    assert shown == {ENV: {"wrong-object", "wrong-verb"}, SORT: {"wrong-object", "wrong-container"}}.get(env_id, set())


@pytest.mark.parametrize("n", [33, 34])
def test_halves_of_a_video_are_as_long_and_have_all_their_frames(monkeypatch, n: int) -> None:
    from agents import evaluation

    frames = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 8, 8, 3))
    monkeypatch.setattr(evaluation, "_human", lambda *of: Video(frames, np.arange(n) / 8))
    tasks = sample_task_set(0, "test", 0, env_id=SORT)
    first, second = (VIDEOS[half](tasks, 0, None).frames[:, 0, 0, 0] for half in ("first-half", "second-half"))
    assert len(first) == len(second) == n
    assert sorted({*first}) == list(range((n + 1) // 2))
    assert sorted({*second}) == list(range(n // 2, n))
    assert (np.diff(first) >= 0).all()
    assert (np.diff(second) >= 0).all()


def test_a_wrong_verb_where_there_are_none_is_an_error() -> None:
    policy = Imitation(*fresh())
    with pytest.raises(AgentError, match=r"video: got 'wrong-verb', allowed .* in daml/Push-v0"):
        evaluate(policy, env_id="daml/Push-v0", split="test", tasks=1, trials=1, seed=0, video="wrong-verb")


def test_verbs_are_counted_by_what_was_asked_and_what_was_done() -> None:
    asked, did = np.array([TOUCH, LIFT]), np.array([[TOUCH, LEFT], [-1, LIFT]])
    said = Aimed(Aims("verb", VERBS), asked, did, as_shown=np.array([[True, False], [False, False]])).summary()
    assert (said["aim"], said["verb"], said["verb_chance"], said["as_shown"]) == ("verb", 0.5, 0.2, 0.25)
    assert said["verbs"]["touch"] == dict.fromkeys([*VERBS, "none"], 0) | {"touch": 1, "push-left": 1}
    assert said["verbs"]["lift"] == dict.fromkeys([*VERBS, "none"], 0) | {"none": 1, "lift": 1}
    head, *lines = confusion_table(said["verbs"]).splitlines()
    assert head.split() == [*VERBS, "none"]
    assert lines[TOUCH].split() == ["touch", "1", "1", "0", "0", "0", "0"]
    assert len({len(line) for line in [head, *lines]}) == 1


@pytest.mark.parametrize(("video", "shown"), [("human", 0), ("wrong-verb", 1)])
def test_what_was_done_is_compared_with_what_was_shown(monkeypatch, video: str, shown: int) -> None:
    """Whatever it is shown, this robot touches the first object."""
    from agents import evaluation
    from demos.record import expert

    def stubborn(env, scene, actor, **options):
        act, touch = expert(ENV), scene.with_goal(0)
        points = SKILLS[ENV].goal_points(touch)
        return record(env, scene, lambda seen, info: act(seen, info | {"asked": TOUCH, "places": points}))

    record = evaluation.record
    monkeypatch.setattr(evaluation, "record", stubborn)
    report = evaluate(Imitation(*fresh()), env_id=ENV, split="test", tasks=15, trials=1, seed=0, video=video)
    said = report.summary()
    goals = np.array([task_of(ENV, number)[1] for number in range(15)])
    assert (report.successes[:, 0] == (goals == 0)).all()
    assert (report.nearest[:, 0] == (goals // 5 == 0)).all()
    assert said["verb"] == pytest.approx(1 / 5)
    assert report.aimed is not None
    asked_for = (TOUCH - shown) % 5
    assert (report.aimed.as_shown[:, 0] == (goals == asked_for)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("video", "shown"), [("human", 0), ("wrong-container", 1)])
def test_item_and_container_are_counted_apart(monkeypatch, video: str, shown: int) -> None:
    """Whatever it is shown, this robot puts the first item into the first container."""
    from agents import evaluation
    from demos.record import expert

    def stubborn(env, scene, actor, **options):
        act, same = expert(SORT), scene.with_goal(0)
        told = {"places": SKILLS[SORT].goal_points(same), "width": same.objects[0].width}
        own: dict = {"placed": False}

        def go(seen, info):
            fingers = env.unwrapped._touching(env.unwrapped._bodies[0])
            own["placed"] = own["placed"] or info["container"] == 0
            now = {"item": info["objects"][0], "grasped": fingers == 2, "placed": own["placed"]}
            return act(seen, info | told | now)

        return record(env, scene, go)

    record = evaluation.record
    monkeypatch.setattr(evaluation, "record", stubborn)
    report = evaluate(Imitation(*fresh()), env_id=SORT, split="test", tasks=9, trials=1, seed=0, video=video)
    goals = np.array([task_of(SORT, number)[1] for number in range(9)])
    assert (report.successes[:, 0] == (goals == 0)).all()
    assert (report.nearest[:, 0] == (goals // 3 == 0)).all()
    assert report.aimed is not None
    assert (report.aimed.did == 0).all()
    assert report.summary()["container"] == pytest.approx(1 / 3)
    assert (report.aimed.as_shown[:, 0] == (goals == -shown % 3)).all()
