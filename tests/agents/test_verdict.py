"""What a robot did and what a policy saw, in words."""

from typing import Any

import numpy as np
import pytest

from agents.policies import bundled, load_policy
from agents.verdict import called, seen, verb_of, verdict, way_at_end
from demos.human import human_video
from demos.tasks import sample_task_set
from demos.types import Episode
from envs.acting import VERBS
from envs.objects import ObjectSpec
from examples.circle import CIRCLING

TASKS = sample_task_set(0, "test", 0, env_id="daml/Act-v0")
REACH = sample_task_set(0, "test", 0).robot_scenes[0]


def episode(**ends: Any) -> Episode:
    usual = {"success": False, "right_object": True, "distance": 0.0}
    image, state, action, places = np.zeros((8, 8, 3), np.uint8), np.zeros(11), np.zeros(4), np.zeros((1, 3))
    return Episode(image[None], state[None], action[None], places[None], **usual | ends)


@pytest.mark.parametrize(
    ("verb", "ends", "said"),
    [
        ("push-left", {"success": True, "aim": 1, "goal_done": 1}, "pushed THING to the left: as shown"),
        ("touch", {"success": True, "aim": 0, "goal_done": 0}, "touched THING: as shown"),
        ("push-left", {"distance": 0.02, "aim": -1}, "pushed THING to the left, but not far enough: 5 of 7 cm"),
        ("push-left", {"distance": 0.07, "aim": -1}, "did nothing: THING is where it was"),
        ("push-away", {"distance": 0.0, "aim": -1}, "pushed THING away, but not straight"),
        ("lift", {"distance": 0.05, "aim": -1}, "did not get hold of THING"),
        ("lift", {"distance": 0.02, "aim": -1}, "lifted THING, but not high enough: 3 of 5 cm"),
        ("lift", {"distance": 0.0, "aim": -1}, "lifted THING, but lost hold of it"),
        ("lift", {"distance": 0.05, "aim": 0, "goal_done": 0}, "touched THING, but was to lift it"),
        ("lift", {"aim": 4, "goal_done": -1}, "lifted THING, but moved another object, too"),
        ("lift", {"aim": 4, "goal_done": 4}, "lifted THING, but only at the very end"),
        ("touch", {"distance": 0.06, "aim": -1}, "ended 6 cm from the top of THING: 4 count"),
        ("touch", {"distance": 0.03, "aim": -1}, "came to THING, but moved it, or went down beside it"),
        ("touch", {"right_object": False, "aim": 4, "goal_done": 14}, "lifted OTHER, not THING"),
        ("touch", {"right_object": False, "aim": -1, "goal_done": -1}, "went to another object, not to THING"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_done_is_said(verb: str, ends: dict[str, Any], said: str) -> None:
    scene = TASKS.robot_scenes[0].with_goal(VERBS.index(verb))
    thing, other = called(scene.objects[0]), called(scene.objects[2])
    assert verdict(scene, episode(**ends)).startswith(said.replace("THING", thing).replace("OTHER", other))


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({"success": True, "distance": 0.01}, "reached THING: as shown"),
        ({"distance": 0.08}, "went to THING, but stopped 8 cm from it: 5 count"),
        ({"distance": 0.03}, "reached THING, but too late to stay there"),
        ({"distance": 0.3, "right_object": False}, "went to another object, not to THING"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reaching_is_said_in_its_own_words(ends: dict[str, Any], said: str) -> None:
    assert verdict(REACH, episode(**ends)) == said.replace("THING", called(REACH.objects[REACH.goal]))


def test_a_task_of_ones_own_has_words_too() -> None:
    scene = sample_task_set(0, "test", 0, env_id="examples.circle:Circle-v0").robot_scenes[0]
    assert scene.layout == CIRCLING
    assert verdict(scene, episode(success=True)).startswith("did it to the ")
    assert verdict(scene, episode(distance=0.01)).endswith("but did not do it to the end")


def test_an_object_is_called_by_what_is_seen_of_it() -> None:
    def thing(pattern: str) -> ObjectSpec:
        return ObjectSpec("cube", "red", pattern, 0.03, (1, 0, 0), (0, 0, 1), 0)

    assert [called(thing(pattern)) for pattern in ("plain", "dots")] == ["the red cube", "the red dots cube"]


def test_a_verb_is_told_by_where_the_fingers_end() -> None:
    ways = {"touch": [0.01, -0.01, 0.01], "push-left": [0, -0.06, -0.03], "push-right": [0, 0.05, -0.03]}
    ways |= {"push-away": [-0.05, 0.01, -0.03], "lift": [0.0, -0.02, 0.05]}
    assert {name: VERBS[verb_of(np.array(way))] for name, way in ways.items()} == {name: name for name in VERBS}


@pytest.mark.skipif("act" not in bundled(), reason="there is no policy in the box")
def test_what_the_policy_in_the_box_saw_can_be_read() -> None:
    stored = load_policy("act")
    for goal in range(15):
        video = human_video("daml/Act-v0", TASKS.human_scene.with_goal(goal), TASKS.motion(goal))
        policy = stored.adapt(video)
        thing, verb = TASKS.human_scene.layout.goal_parts(goal)
        way = way_at_end(policy)
        assert way is not None
        assert verb_of(way) == verb
        if goal % 4 == 0:
            assert called(TASKS.human_scene.objects[thing]) in seen(policy, "daml/Act-v0", TASKS.robot_scenes[0])


@pytest.mark.skipif("reach" not in bundled(), reason="there is no policy in the box")
def test_of_a_policy_that_tells_no_end_the_object_is_said_alone() -> None:
    tasks = sample_task_set(0, "test", 0)
    policy = load_policy("reach").adapt(human_video("daml/Reach-v0", tasks.human_scene.with_goal(1), tasks.motion(1)))
    assert way_at_end(policy) is None
    assert f"It saw **{called(tasks.human_scene.objects[1])}**" in seen(policy, "daml/Reach-v0", tasks.robot_scenes[0])
