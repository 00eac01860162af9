"""Evaluation where the video tells a verb, too: what is shown, and what is counted."""

import gymnasium
import numpy as np
import pytest
import torch

from agents.errors import AgentError
from agents.evaluation import VIDEOS, Verbs, evaluate, shown_in
from agents.learners import Imitation
from agents.presets import PRESETS
from agents.view import Sizes
from daml import MetaParams
from demos.human import human_video
from demos.skills import SKILLS
from demos.tasks import n_goals, sample_task_set, task_of
from envs.acting import ACTING, VERBS
from scripts.evaluate import confusion_table

ENV = "daml/Act-v0"
TOUCH, LEFT, LIFT = (VERBS.index(name) for name in ("touch", "push-left", "lift"))


def fresh() -> tuple:
    imitator = PRESETS["fast"].imitator(1, Sizes(11, 4, 1))
    meta: MetaParams = imitator.learner.init(torch.Generator().manual_seed(0))
    return imitator, meta


@pytest.mark.parametrize(
    ("video", "object_changes", "verb_changes"),
    [("human", False, False), ("wrong", True, True), ("wrong-object", True, False), ("wrong-verb", False, True)],
)
def test_a_wrong_video_shows_another_goal_of_the_same_set(video, object_changes, verb_changes) -> None:
    tasks = sample_task_set(3, "test", 0, env_id=ENV)
    env = gymnasium.make(ENV, image_size=16, disable_env_checker=True)
    every = [
        human_video(ENV, tasks.human_scene.with_goal(g), tasks.motion(g), size=16).frames for g in range(n_goals(ENV))
    ]
    for goal in range(n_goals(ENV)):
        frames = VIDEOS[video](tasks, goal, env).frames
        (shown,) = [g for g, known in enumerate(every) if np.array_equal(frames, known)]
        (thing, verb), (other_thing, other_verb) = ACTING.goal_parts(goal), ACTING.goal_parts(shown)
        assert (thing != other_thing, verb != other_verb) == (object_changes, verb_changes)
    env.close()


@pytest.mark.parametrize("env_id", SKILLS)
def test_only_where_there_are_verbs_can_a_wrong_one_be_shown(env_id: str) -> None:
    assert ("wrong-verb" in shown_in(env_id)) is ("wrong-object" in shown_in(env_id)) is (env_id == ENV)


def test_a_wrong_verb_where_there_are_none_is_an_error() -> None:
    policy = Imitation(*fresh())
    with pytest.raises(AgentError, match=r"video: got 'wrong-verb', allowed .* in daml/Push-v0"):
        evaluate(policy, env_id="daml/Push-v0", split="test", tasks=1, trials=1, seed=0, video="wrong-verb")


def test_verbs_are_counted_by_what_was_asked_and_what_was_done() -> None:
    asked, did = np.array([TOUCH, LIFT]), np.array([[TOUCH, LEFT], [-1, LIFT]])
    said = Verbs(VERBS, asked, did, as_shown=np.array([[True, False], [False, False]])).summary()
    assert (said["verb"], said["verb_chance"], said["as_shown"]) == (0.5, 0.2, 0.25)
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

    def stubborn(env, scene, actor):
        act, touch = expert(ENV), scene.with_goal(0)
        points = SKILLS[ENV].goal_points(touch)
        return record(env, scene, lambda seen, info: act(seen, info | {"asked": TOUCH, "goal_points": points}))

    record = evaluation.record
    monkeypatch.setattr(evaluation, "record", stubborn)
    report = evaluate(Imitation(*fresh()), env_id=ENV, split="test", tasks=15, trials=1, seed=0, video=video)
    said = report.summary()
    goals = np.array([task_of(ENV, number)[1] for number in range(15)])
    assert (report.successes[:, 0] == (goals == 0)).all()
    assert (report.nearest[:, 0] == (goals // 5 == 0)).all()
    assert said["verb"] == pytest.approx(1 / 5)
    assert report.verbs is not None
    asked_for = (TOUCH - shown) % 5
    assert (report.verbs.as_shown[:, 0] == (goals == asked_for)).all()
