"""Held-out combinations: the rule, and that no meta-batch has a pair that is held out."""

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.collect import describe
from demos.combinations import KNOWN_SHAPES, check_pairs, fewest_goals, goals_in, goals_of, is_of
from demos.distribution import SetTasks, Wanted, goals_a_set
from demos.errors import DemoError
from demos.skills import SKILLS
from demos.storage import DatasetInfo, create, open_dataset
from demos.tasks import N_OBJECTS, n_goals, sample_task_set, task_of
from envs.acting import DIRECTIONS, HELD_OUT, VERBS, is_held_out
from envs.objects import ITEMS, kinds

ENV, N_SETS, SEED = "daml/Act-v0", 40, 5
TOLD = {env_id: skill for env_id, skill in SKILLS.items() if skill.held_out}
"""Where pairs are told apart."""
SHAPES = st.lists(st.sampled_from(ITEMS.shapes), min_size=N_OBJECTS, max_size=N_OBJECTS)


def test_every_verb_is_missed_by_one_shape_of_four_and_every_shape_misses_one_but_for_the_sides() -> None:
    missed = {shape: {verb for verb in VERBS if is_held_out(shape, VERBS.index(verb))} for shape in ITEMS.shapes}
    assert Counter(verb for verbs in missed.values() for verb in verbs) == dict.fromkeys(VERBS, 1)
    assert sorted(map(len, missed.values())) == [1, 1, 1, 2]
    assert set(HELD_OUT) == set(ITEMS.shapes)


def test_no_verb_is_held_out_that_augmentation_makes_of_one_that_is_not() -> None:
    """In the mirror left is right, of the same shape."""
    (one, other) = (VERBS.index(name) for name, (_, y) in DIRECTIONS.items() if y)
    assert SKILLS[ENV].mirror == "both"
    assert all(is_held_out(shape, one) == is_held_out(shape, other) for shape in ITEMS.shapes)


@pytest.mark.parametrize("env_id", TOLD)
def test_every_shape_has_some_verbs_that_are_seen_and_some_that_are_held_out(env_id: str) -> None:
    layout = SKILLS[env_id].layout
    for shape in layout.family.shapes:
        assert 0 < sum(is_of("held-out", env_id, shape, aim) for aim in range(layout.n_aims)) < layout.n_aims


@pytest.mark.parametrize("split", KNOWN_SHAPES)
def test_every_shape_is_in_every_split_that_pairs_are_told_apart_in(split: str) -> None:
    check_pairs("held-out", ENV, split)
    assert {shape for shape, *_ in kinds(split, ITEMS)} == set(ITEMS.shapes)


def things(shapes: list[str]) -> list:
    like = sample_task_set(0, "train", 0, env_id=ENV).human_scene.objects[0]
    return [replace(like, shape=shape) for shape in shapes]


@given(SHAPES)
def test_goals_of_a_set_are_seen_or_held_out_and_of_all_objects_alike(shapes: list[str]) -> None:
    found = {pairs: goals_of(ENV, pairs, things(shapes)) for pairs in ("all", "seen", "held-out")}
    assert found["all"] == [task_of(ENV, number)[1] for number in range(n_goals(ENV))]
    for pairs, goals in found.items():
        assert len(goals) == len(set(goals)) >= fewest_goals(ENV, pairs) > 0
        parts = [divmod(goal, len(VERBS)) for goal in goals]
        for start in range(0, len(goals), N_OBJECTS):
            assert [thing for thing, _ in parts[start : start + N_OBJECTS]] == list(range(N_OBJECTS))
        if pairs != "all":
            assert {VERBS[verb] in HELD_OUT[shapes[thing]] for thing, verb in parts} == {pairs == "held-out"}


def test_the_fewest_goals_are_those_of_some_set() -> None:
    cubes = things(["cube"] * N_OBJECTS)
    assert [fewest_goals(ENV, pairs) for pairs in ("all", "seen", "held-out")] == [15, 9, 3]
    assert len(goals_of(ENV, "seen", cubes)) == 9


@pytest.mark.parametrize("env_id", sorted(SKILLS.keys() - TOLD.keys()))
def test_pairs_that_no_environment_tells_apart_are_an_error(env_id: str) -> None:
    check_pairs("all", env_id, "test-shapes")
    with pytest.raises(DemoError, match=f"^pairs: got 'seen', allowed 'all' in {env_id}, where none are held out$"):
        check_pairs("seen", env_id, "train")


@pytest.mark.parametrize("split", ["test-shapes", "imported"])
def test_pairs_of_shapes_that_meta_training_never_has_are_an_error(split: str) -> None:
    with pytest.raises(DemoError, match=rf"^pairs: got 'held-out' of {split} objects, allowed 'all', or objects of \["):
        check_pairs("held-out", ENV, split)


@pytest.fixture(scope="module")
def acting(tmp_path_factory):
    """Sets as they are collected, where an action says of which set and goal it is, and nothing is drawn."""
    info = describe(ENV, "train", SEED, N_SETS, 8)
    data = create(tmp_path_factory.mktemp("data") / "act", info)
    for index in range(N_SETS):
        scene = sample_task_set(SEED, "train", index, env_id=ENV).robot_scenes[0]
        points = np.stack([SKILLS[ENV].goal_points(scene.with_goal(goal)) for goal in range(info.n_goals)])
        numbers = np.broadcast_to(np.arange(info.n_goals)[:, None, None], (info.n_goals, info.steps, info.action))
        data.write_set(index, {"goal_points": points, "robot_actions": 100 * index + numbers})
    return open_dataset(data.folder)


@cache
def shapes_of(index: int) -> list[str]:
    return [thing.shape for thing in sample_task_set(SEED, "train", index, env_id=ENV).human_scene.objects]


def drawn(actions) -> set[tuple[str, str]]:
    """The pairs of shape and verb of tasks, by their actions [tasks, steps, action]."""
    found = set()
    for number in actions[:, 0, 0].tolist():
        index, goal = divmod(int(number), 100)
        thing, verb = divmod(goal, len(VERBS))
        found.add((shapes_of(index)[thing], VERBS[verb]))
    return found


EVERY = {(shape, verb) for shape in ITEMS.shapes for verb in VERBS}
SEEN = {(shape, verb) for shape, verb in EVERY if verb not in HELD_OUT[shape]}


@pytest.mark.parametrize(("pairs", "expected"), [("all", EVERY), ("seen", SEEN), ("held-out", EVERY - SEEN)])
def test_meta_batches_have_all_pairs_that_are_asked_for_and_no_other(acting, pairs, expected) -> None:
    tasks = SetTasks(acting, Wanted(8, states=2, whole=acting.info.steps), pairs=pairs, augmented=False)
    if pairs != "held-out":  # of which a set has too few goals
        rng = np.random.default_rng(0)
        batches = [tasks.sample(24, rng).query.targets["action"] for _ in range(50)]
        assert set().union(*map(drawn, batches)) == expected
        for numbers in (batch[:, 0, 0].view(-1, 6) for batch in batches):
            assert (numbers // 100 == numbers[:, :1] // 100).all(), "of one set"
            assert all(len(set(row)) == 6 for row in numbers.tolist()), "other goals of it"
    kept = tasks.demonstrations(400, np.random.default_rng(0))
    assert drawn(kept.query.targets["action"]) == expected


def test_of_all_pairs_none_is_left_out_and_the_others_are_one_or_the_other(acting) -> None:
    assert goals_in(acting, "all").all()
    assert not goals_in(acting, "seen").all()
    assert (goals_in(acting, "seen") != goals_in(acting, "held-out")).all()


def test_a_meta_batch_has_no_more_goals_of_a_set_than_are_seen_in_every_set(acting) -> None:
    assert goals_a_set(ENV, 24, "seen") == 6
    assert goals_a_set(ENV, 15) == 15
    with pytest.raises(DemoError, match="got 15, allowed a multiple of one of the numbers 6 to 9 in daml/Act-v0"):
        goals_a_set(ENV, 15, "seen")
    with pytest.raises(DemoError, match="got 15, allowed a multiple of one of the numbers 6 to 9 in daml/Act-v0"):
        SetTasks(acting, Wanted(8), pairs="seen").sample(15, np.random.default_rng(0))


def test_a_dataset_that_other_code_drew_is_not_taken_for_what_it_is_not(tmp_path) -> None:
    info = describe(ENV, "train", SEED, 1, 8)
    data = create(tmp_path / "act", info)
    data.write_set(0, {"goal_points": np.full((info.n_goals, 1, 3), 0.5)})
    assert goals_in(open_dataset(data.folder), "all").all()
    with pytest.raises(DemoError, match=r"^pairs: got 'seen' with set 0 of .*act as other code drew it, allowed 'all'"):
        goals_in(open_dataset(data.folder), "seen")


def test_data_of_no_environment_have_no_pairs(tmp_path) -> None:
    data = create(tmp_path / "mine", DatasetInfo(None, "imported", 0, 1, 2, 10, 4, 8, 2, 3, 1, 0, 0))
    with pytest.raises(DemoError, match=r"^pairs: got 'seen', allowed 'all' in data of no environment"):
        goals_in(data, "seen")
