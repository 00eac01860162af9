"""The domain gap: what a level changes, and that level 1 changes nothing."""

from dataclasses import fields, replace

import numpy as np
import pytest

from demos.errors import DemoError
from demos.gap import LEVELS, SWEEP, Gap, parse
from demos.human import VIDEO_FPS, human_video
from demos.motions import lasting
from demos.skills import SKILLS
from demos.tasks import N_OBJECTS, TaskSet, sample_task_set
from envs.appearance import Dials
from envs.objects import kinds

REACH = "daml/Reach-v0"


def tasks_of(*levels: str, index: int = 0, env_id: str = REACH) -> TaskSet:
    gap = parse(levels)
    return sample_task_set(
        4,
        gap.split("test"),
        index,
        env_id=env_id,
        dials=gap.dials,
        distractors=gap.distractors,
        nudge=gap.nudge,
    )


def humans(*levels: str) -> list:
    return [tasks_of(*levels, index=index).human_scene.human for index in range(30)]


def test_level_one_is_meta_training() -> None:
    usual = [f"{name}={int(name not in ('distractors', 'nudge'))}" for name in LEVELS]
    assert parse(()) == parse(usual) == Gap()
    assert tasks_of() == sample_task_set(4, "test", 0)


def test_what_comes_later_wins() -> None:
    assert parse(["all=3", "view=1"]) == Gap(replace(Dials(*[3.0] * 6), view=1.0), objects=3)
    assert parse(["view=2", "distractors=1"]) == Gap(Dials(view=2.0), distractors=1)
    assert parse(["nudge=1", "all=2", "nudge=2"]) == replace(parse(["all=2"]), nudge=2)


@pytest.mark.parametrize(
    ("level", "what"),
    [
        ("zoom=2", r"gap: got 'zoom=2', allowed NAME=LEVEL with a name of \['table'"),
        ("view", "gap view: got level '', allowed"),
        ("view=4", r"gap view: got level '4', allowed \[0, 1, 2, 3\]"),
        ("objects=0", r"gap objects: got level '0', allowed \[1, 2, 3\]"),
        ("nudge=3", r"gap nudge: got level '3', allowed \[0, 1, 2\]"),
        ("all=0", r"gap all: got level '0', allowed \[1, 2, 3\]"),
    ],
)
def test_bad_levels_are_named(level: str, what: str) -> None:
    with pytest.raises(DemoError, match=what):
        parse([level])


def test_novel_objects_are_for_meta_testing() -> None:
    with pytest.raises(DemoError, match="gap objects=2: got split 'train', allowed 'test'"):
        parse(["objects=2"]).split("train")


def test_more_objects_than_the_table_holds_are_refused() -> None:
    parse(["distractors=2"]).check(REACH)
    with pytest.raises(DemoError, match="gap distractors: got 1, allowed 0 to 0 in daml/Push-v0"):
        parse(["distractors=1"]).check("daml/Push-v0")


@pytest.mark.parametrize("env_id", SKILLS)
def test_novel_objects_have_textures_and_shapes_of_their_own(env_id: str) -> None:
    family = SKILLS[env_id].layout.family
    known = [set(column) for column in zip(*kinds("train", family), strict=True)]
    for level, novel in ((2, (False, True)), (3, (True, True))):
        for thing in tasks_of(f"objects={level}", env_id=env_id).human_scene.objects:
            assert (thing.shape not in known[0], thing.pattern not in known[2]) == novel


def test_distractors_stand_among_the_objects_and_are_no_goals() -> None:
    scene = tasks_of("distractors=2").human_scene
    assert len(scene.objects) == N_OBJECTS + 2
    assert all(tasks_of("distractors=2", index=i).human_scene.goal < N_OBJECTS + 2 for i in range(5))


@pytest.mark.parametrize("env_id", SKILLS)
def test_only_the_robots_objects_are_nudged_and_all_else_is_as_it_was(env_id: str) -> None:
    plain, nudged = (tasks_of(f"nudge={level}", index=3, env_id=env_id) for level in (0, 2))
    assert plain == tasks_of(index=3, env_id=env_id)
    assert nudged.human_scene == plain.human_scene
    assert nudged.motion_seeds == plain.motion_seeds
    assert all(scene.nudge for scene in nudged.robot_scenes)
    assert tuple(replace(scene, nudge=None) for scene in nudged.robot_scenes) == plain.robot_scenes


def test_a_trial_is_nudged_alike_however_many_there_are() -> None:
    one, three = (sample_task_set(0, "test", 0, n_trials=n, nudge=2).robot_scenes for n in (1, 3))
    assert one[0].nudge == three[0].nudge
    assert len({scene.nudge for scene in three}) == 3


def test_people_wear_gloves_of_any_colour() -> None:
    usual, gloved = ([p.skin for p in humans(f"person={level}")] for level in (1, 3))
    # Of human skin, red is strongest and blue weakest.
    assert all(r > g > b for r, g, b in usual)
    assert sum(r > g > b for r, g, b in gloved) < len(gloved) / 2


def test_people_stand_where_nobody_stood() -> None:
    usual, beside = ([abs(p.shoulder[1]) for p in humans(f"side={level}")] for level in (1, 2))
    assert max(usual) <= 0.28 <= min(beside)
    assert len({np.sign(p.shoulder[1]) for p in humans("side=2")}) == 2


@pytest.mark.parametrize("env_id", SKILLS)
def test_style_changes_speed_and_still_shows_all_of_the_task(env_id: str) -> None:
    """The hand is away from where it waits, and the thing is where it belongs, when the video ends."""
    skill = SKILLS[env_id]
    durations = set()
    for index in range(12):
        tasks = tasks_of("style=3", index=index, env_id=env_id)
        for goal in range(N_OBJECTS):
            scene = tasks.human_scene.with_goal(goal)
            assert scene.human.style == 3
            motion = skill.motion(scene, tasks.motion(goal))
            end = lasting(scene, skill.video_time) - 1 / VIDEO_FPS
            assert motion(end).hand == pytest.approx(motion(end + 5).hand, abs=0.01)
            moving = [t for t in np.arange(0, end, 0.05) if np.abs(motion(t).hand - motion(t + 0.05).hand).max() > 1e-3]
            durations.add(0.05 * len(moving))
            assert min(motion(t).hand[2] for t in np.arange(0, end, 0.05)) > 0.0
    assert max(durations) > 1.3 * min(durations)


def test_every_level_of_the_table_is_a_gap() -> None:
    assert len(set(SWEEP)) == len(SWEEP)
    for name, level in SWEEP:
        assert parse([f"{name}={level}"]) != Gap()
    assert {name for name, _ in SWEEP} == {*LEVELS, "all"}


@pytest.mark.parametrize("field", [field.name for field in fields(Dials)])
def test_every_dial_changes_what_is_seen(field: str) -> None:
    still, moved = (tasks_of(f"{field}={level}") for level in (0, 3))
    one, other = (
        human_video(REACH, tasks.human_scene.with_goal(1), tasks.motion(1), size=32).frames for tasks in (still, moved)
    )
    assert one.shape != other.shape or (one != other).any()
