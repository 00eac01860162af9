"""The human and the expert of every environment do the same thing to the same object."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from demos.collect import demonstrate_set, describe
from demos.errors import DemoError
from demos.human import VIDEO_FPS, human_video
from demos.motions import SORT_TIME
from demos.record import demonstrate, record, shaken
from demos.skills import SKILLS, find_skill
from demos.tasks import n_goals, sample_task_set
from envs.acting import DIRECTIONS, VERBS, verb_done
from envs.pushing import LINE
from envs.scene import human_model, sample_scene

every_env = pytest.mark.parametrize("env_id", SKILLS)
moving = pytest.mark.parametrize("env_id", [env_id for env_id in SKILLS if env_id != "daml/Reach-v0"])


def scenes(env_id, n):
    return [sample_scene(np.random.default_rng(seed), "train", layout=SKILLS[env_id].layout) for seed in range(n)]


def test_every_registered_environment_has_a_skill():
    ours = {env_id for env_id in gymnasium.registry if env_id.startswith("daml/")}
    assert set(SKILLS) == ours | {"Circle-v0"}, "and the example's"


def test_an_environment_without_a_skill_is_an_error():
    with pytest.raises(DemoError, match=r"environment: got .daml/Juggle-v0., allowed .*daml/Reach-v0"):
        find_skill("daml/Juggle-v0")


@every_env
def test_goal_points_are_what_the_environment_tells(env_id):
    skill = SKILLS[env_id]
    env = gymnasium.make(env_id, image_size=16, disable_env_checker=True)
    for scene in scenes(env_id, 3):
        info = env.reset(options={"scene": scene})[1]
        assert info["goal_points"].shape == (skill.n_points, 3)
        assert info["goal_points"] == pytest.approx(skill.goal_points(scene))
        later = env.step(skill.expert(info))[-1]
        assert later["goal_points"] == pytest.approx(info["goal_points"]), "of the initial scene"
    env.close()


@every_env
def test_the_expert_passes_every_stage_and_who_stands_still_none(env_id):
    env = gymnasium.make(env_id, image_size=16, disable_env_checker=True)
    scene = scenes(env_id, 1)[0]
    assert demonstrate(env, scene).stages == dict.fromkeys(SKILLS[env_id].stages, True)
    still = record(env, scene, lambda observation, info: np.zeros(4), n_steps=5)
    assert still.stages == dict.fromkeys(SKILLS[env_id].stages, False)
    env.close()


@every_env
def test_the_demonstration_is_long_enough_and_shorter_than_the_episode(env_id):
    skill = SKILLS[env_id]
    env = gymnasium.make(env_id, image_size=16, disable_env_checker=True)
    for scene in scenes(env_id, 8):
        assert demonstrate(env, scene, n_steps=skill.steps).success
    whole = demonstrate(env, scene)
    assert len(whole.actions) > skill.steps
    env.close()


@every_env
@pytest.mark.slow
def test_the_expert_succeeds_nearly_always(env_id):
    skill = SKILLS[env_id]
    env = gymnasium.make(env_id, image_size=16, disable_env_checker=True)
    starts = scenes(env_id, 100)
    wins = [demonstrate(env, scene, look_once=True).success for scene in starts]
    disturbed = [
        demonstrate(env, scene, disturb=shaken(np.random.default_rng(seed), skill.disturbance), look_once=True).success
        for seed, scene in enumerate(starts[:30])
    ]
    assert np.mean(wins) >= 0.99
    assert np.mean(disturbed) >= 0.75
    env.close()


def test_the_fingers_of_sort_say_whether_the_hand_has_been_to_the_item():
    """The hand passes over the containers twice, and who is cloned from the expert remembers nothing."""
    skill = SKILLS["daml/Sort-v0"]
    env = gymnasium.make("daml/Sort-v0", image_size=16, disable_env_checker=True)
    for scene in scenes("daml/Sort-v0", 8):
        info, taken, over = env.reset(options={"scene": scene})[1], False, False
        first, _ = info["places"]
        while not over:
            taken |= info["grasped"]
            if np.linalg.norm((info["fingertip"] - first)[:2]) > 0.12 and not info["grasped"]:
                assert (info["opening"] > 0.03) == taken
            *_, over, info = env.step(skill.expert(info))
        assert info["is_success"]
    env.close()


@pytest.mark.parametrize("env_id", ["daml/PickPlace-v0", "daml/Act-v0", "daml/Sort-v0"])
def test_fingers_that_come_to_take_something_are_closed_afar_and_open_above_it(env_id):
    """So fingers that closed on nothing open again, and who is cloned from the expert has seen how."""
    skill = SKILLS[env_id]
    env = gymnasium.make(env_id, image_size=16, disable_env_checker=True)
    for scene in scenes(env_id, 3):
        if scene.layout.aims and "lift" in scene.layout.aims.names:
            scene = replace(scene, aim=VERBS.index("lift"))
        info = env.reset(options={"scene": scene})[1]
        afar, above = info["item"] + [0, -0.2, 0.2], info["item"] + [0, 0, 0.08]
        for opening in (0.0, 0.08):
            assert skill.expert({**info, "fingertip": afar, "opening": opening})[3] == -1
            assert skill.expert({**info, "fingertip": above, "opening": opening})[3] == 1
        missed = {**info, "fingertip": above - [0, 0, 0.06], "opening": 0.0, "fingers": 0}
        action = skill.expert(missed)
        assert action[3] == 1
        assert action[2] > 0
    env.close()


@pytest.mark.parametrize("env_id", ["daml/PickPlace-v0", "daml/Sort-v0"])
def test_an_item_that_fell_beside_its_container_is_gone_back_to(env_id):
    env = gymnasium.make(env_id, image_size=16, disable_env_checker=True)
    info = env.reset(options={"scene": scenes(env_id, 1)[0]})[1]
    container = info["places"][1]
    there = {**info, "fingertip": np.add(container, [0, 0, 0.1]), "opening": 0.08}
    beside, falling = np.add(container, [0, -0.1, 0]), np.add(container, [0, 0.01, 0])
    assert SKILLS[env_id].expert({**there, "item": beside})[1] < 0
    assert SKILLS[env_id].expert({**there, "item": falling})[1] == 0
    env.close()


@moving
def test_a_hand_of_another_task_is_refused(env_id):
    env = gymnasium.make(env_id, image_size=16, disable_env_checker=True)
    with pytest.raises(ValueError, match="got a scene of another task, allowed one of"):
        env.reset(options={"scene": scenes("daml/Reach-v0", 1)[0]})
    env.close()


@every_env
def test_the_hand_and_what_it_moves_make_no_jump(env_id):
    skill = SKILLS[env_id]
    for seed, scene in enumerate(scenes(env_id, 8)):
        motion = skill.motion(scene, np.random.default_rng(seed))
        moments = [motion(t) for t in np.arange(0, skill.video_time, 0.01)]
        hands = np.array([moment.hand for moment in moments])
        assert hands[0][:2] == pytest.approx(scene.human.rest[:2]), "it starts at rest"
        assert np.linalg.norm(np.diff(hands, axis=0), axis=1).max() < 0.03
        assert hands[:, 2].min() > 0.01
        for name in moments[0].things:
            things = np.array([moment.things[name] for moment in moments])
            assert np.linalg.norm(np.diff(things, axis=0), axis=1).max() < 0.03
            assert things[:, 2].min() > -1e-9


@every_env
def test_a_motion_ends_well_before_the_video(env_id):
    skill = SKILLS[env_id]
    for seed, scene in enumerate(scenes(env_id, 20)):
        motion = skill.motion(scene, np.random.default_rng(seed))
        last, after = motion(skill.video_time - 1 / VIDEO_FPS), motion(skill.video_time + 10)
        assert last.hand == pytest.approx(after.hand, abs=5e-3)


def test_the_human_pushes_the_goal_object_over_the_line():
    for seed, scene in enumerate(scenes("daml/Push-v0", 20)):
        motion = SKILLS["daml/Push-v0"].motion(scene, np.random.default_rng(seed))
        name = f"object{scene.goal}"
        assert set(motion(0.0).things) == {name}
        assert motion(0.0).things[name] == pytest.approx([*scene.positions[scene.goal], 0])
        assert motion(9.0).things[name][1] > LINE


def act_motions(verb, n=12):
    """(scene, motion) of the human doing a verb in several scenes."""
    skill = SKILLS["daml/Act-v0"]
    for seed, scene in enumerate(scenes("daml/Act-v0", n)):
        asked = scene.with_goal(scene.layout.goal_number(scene.goal, VERBS.index(verb)))
        yield asked, skill.motion(asked, np.random.default_rng(seed))


@pytest.mark.parametrize("verb", DIRECTIONS)
def test_the_human_pushes_with_the_hand_behind_the_object(verb):
    direction = np.array([*DIRECTIONS[verb], 0])
    for scene, motion in act_motions(verb):
        name, stands = f"object{scene.goal}", np.array([*scene.positions[scene.goal], 0])
        assert motion(0.0).things[name] == pytest.approx(stands)
        end = motion(9.0)
        moved = end.things[name] - stands
        assert moved @ direction >= 0.08
        assert moved == pytest.approx(moved @ direction * direction, abs=1e-9)
        assert verb_done(moved, np.full(3, 0.2), 0) == VERBS.index(verb)
        assert 0.02 < (end.things[name] - end.hand) @ direction < 0.08


def test_the_human_touches_without_moving_anything():
    for scene, motion in act_motions("touch"):
        end = motion(9.0)
        assert not end.things
        assert end.hand == pytest.approx(scene.tops[scene.goal], abs=0.05)
        assert end.opening < 0.03


def test_the_human_lifts_what_is_in_the_hand():
    for scene, motion in act_motions("lift"):
        name, width = f"object{scene.goal}", scene.objects[scene.goal].width
        end = motion(9.0)
        assert end.things[name][2] >= 0.05
        assert end.opening == pytest.approx(width)
        held = [motion(t) for t in np.arange(0, 9, 0.05)]
        raised = [one.hand - one.things[name] for one in held if one.things[name][2] > 0]
        assert np.ptp(raised, axis=0) == pytest.approx(0, abs=1e-9), "it hangs in the hand"


def test_a_hand_begins_alike_whatever_it_is_about_to_do():
    starts = [motion(0.0) for verb in VERBS for _, motion in act_motions(verb, n=1)]
    for start in starts[1:]:
        assert start.hand == pytest.approx(starts[0].hand)
        assert start.opening == starts[0].opening


@pytest.mark.parametrize("env_id", ["daml/Place-v0", "daml/PickPlace-v0", "daml/Sort-v0"])
def test_the_human_puts_the_item_into_the_container(env_id):
    for seed, scene in enumerate(scenes(env_id, 20)):
        motion = SKILLS[env_id].motion(scene, np.random.default_rng(seed))
        (end,) = motion(9.0).things.values()
        goal = SKILLS[env_id].goal_points(scene)[-1]
        assert np.hypot(*(end - goal)[:2]) < 0.03
        assert end[2] < goal[2], "below the rim"
        openings = [motion(t).opening for t in np.arange(0, 4, 0.05)]
        assert max(openings) - min(openings) > 0.02, "the hand opens"


def test_nothing_of_the_first_half_of_a_video_tells_the_container():
    """The same person takes the same item in the same way: up to the middle nothing differs, from there everything."""
    for seed, scene in enumerate(scenes("daml/Sort-v0", 8)):
        goals = [scene.with_goal(scene.layout.goal_number(1, container)) for container in range(3)]
        videos = [human_video("daml/Sort-v0", goal, np.random.default_rng(seed), size=16).frames for goal in goals]
        half = len(videos[0]) // 2
        for i, j in ((0, 1), (1, 2), (0, 2)):
            assert np.array_equal(videos[i][:half], videos[j][:half])
            assert (videos[i][half + 4 :] != videos[j][half + 4 :]).any((1, 2, 3)).all()
        motion = SKILLS["daml/Sort-v0"].motion(goals[0], np.random.default_rng(seed))
        assert motion(SORT_TIME / 2).things["object1"][2] > 0.06, "it is held up by then"


@every_env
def test_the_human_moves_one_body_at_most_and_the_model_has_it(env_id):
    scene = scenes(env_id, 1)[0]
    things = SKILLS[env_id].motion(scene, np.random.default_rng(0))(0.0).things
    assert len(things) <= 1
    model = human_model(scene)
    assert (model.nq, model.nu) == (0, 0)
    for name in things:
        assert model.body(name).mocapid[0] >= 0


@every_env
def test_only_the_motion_tells_the_goals_of_a_set_apart(env_id):
    tasks = sample_task_set(0, "train", 0, env_id=env_id)
    assert tasks.robot_scenes[0].extra == tasks.human_scene.extra
    assert tasks.robot_scenes[0].containers == tasks.human_scene.containers
    videos = [
        human_video(env_id, tasks.human_scene.with_goal(g), tasks.motion(g), size=32) for g in range(n_goals(env_id))
    ]
    assert len(videos[0].times) == round(SKILLS[env_id].video_time * VIDEO_FPS)
    for video in videos[1:]:
        assert np.array_equal(video.frames[0], videos[0].frames[0])
        assert (video.frames[-1] != videos[0].frames[-1]).any()


@every_env
def test_a_set_of_every_environment_fills_its_arrays(env_id):
    info = describe(env_id, "train", 0, 1, 16)
    rows = demonstrate_set(info, 0)
    for name, (_, shape) in info.arrays().items():
        assert rows[name].shape == shape[1:], name
        assert name == "robot_places" or np.isfinite(rows[name]).all(), name
    # Where each place is before anything is done; later only the object's may be unknown, once the robot has moved it.
    places, goals = rows["robot_places"], rows["goal_points"]
    assert np.array_equal(places[:, 0], goals)
    assert np.array_equal(places[:, :, 1:], np.broadcast_to(goals[:, None, 1:], places[:, :, 1:].shape))
    object_known = np.isfinite(places[:, :, 0])
    assert np.array_equal(object_known.all(-1), object_known.any(-1))
    assert np.array_equal(
        places[:, :, 0][object_known], np.broadcast_to(goals[:, None, 0], object_known.shape)[object_known]
    )
    first = rows["robot_states"][:, 0]
    assert np.array_equal(first, np.broadcast_to(first[:1], first.shape)), "the start does not tell the goal"
    assert ((rows["goal_pixels"] > 0) & (rows["goal_pixels"] < 1)).all()
