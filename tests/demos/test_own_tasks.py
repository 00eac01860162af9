"""Tasks of one's own: looked up by their id, and found again wherever that is read."""

import json
from dataclasses import replace
from typing import ClassVar

import gymnasium
import numpy as np
import pytest

from daml import ModuleError
from demos.collect import collect
from demos.episodes import read_recording, write_recording
from demos.errors import DemoError
from demos.export import export
from demos.human import human_video
from demos.motions import Moment
from demos.recipe import Recipe
from demos.record import demonstrate, expert
from demos.recorder import record_robot
from demos.replay import replay
from demos.skills import SKILLS, find_skill, id_of, register_task, short_name
from demos.storage import open_dataset
from demos.tasks import read_clip_tasks, sample_task_set, write_clip_tasks
from demos.verify import verify
from envs.reaching import REACHING, ReachEnv
from envs.scene import Layout

OWN = "examples.circle:Circle-v0"
REACH = SKILLS["daml/Reach-v0"]


class OwnEnv(ReachEnv):
    """Reaching by another name: the same layout, and nothing else of Reach's skill."""


LIKE_REACH = replace(
    REACH,
    expert=lambda info: np.array([0, 0, 1], np.float32),
    motion=lambda scene, rng: lambda time: Moment(np.add(scene.human.rest, [0, 0, 0.02 * time])),
    goal_points=lambda scene: scene.tops[[scene.goal]] + [0, 0, 1],
    stages=("is_success",),
)


@pytest.fixture
def registry(monkeypatch):
    """What is registered in a test is forgotten after it."""
    monkeypatch.setattr("demos.skills.SKILLS", known := dict(SKILLS))
    before = dict(gymnasium.registry)
    yield known
    gymnasium.registry.clear()
    gymnasium.registry.update(before)


def test_a_task_with_anothers_layout_has_its_own_skill(registry):
    register_task("Own-v0", OwnEnv, LIKE_REACH)
    assert find_skill("Own-v0") is LIKE_REACH
    assert find_skill("daml/Reach-v0") is REACH
    env = gymnasium.make("Own-v0", image_size=16, disable_env_checker=True)
    tasks = sample_task_set(0, "train", 0, env_id="Own-v0")
    scene = tasks.robot_scenes[0].with_goal(1)
    episode = demonstrate(env, scene)
    env.close()
    assert (episode.actions[:, 2] == 1).all(), "by its own expert"
    assert episode.stages == {"is_success": False}
    theirs, own = (human_video(env_id, scene, tasks.motion(1), size=32) for env_id in ("daml/Reach-v0", "Own-v0"))
    assert (theirs.frames[-1] != own.frames[-1]).any(), "by its own motion"


@pytest.mark.parametrize(
    ("env_id", "change", "what"),
    [
        ("daml/Reach-v0", {}, r"id of .*OwnEnv: got 'daml/Reach-v0', which is that of envs.reaching:ReachEnv, allowed"),
        ("Circle-v0", {}, r"id of .*OwnEnv: got 'Circle-v0', which is that of examples.circle:CircleEnv"),
        ("CartPole-v1", {}, r"id of .*OwnEnv: got 'CartPole-v1', which is that of gymnasium"),
        ("Own", {}, r"id of .*OwnEnv: got 'Own', allowed NAME-vNUMBER"),
        ("mine:Own-v0", {}, r"id of .*OwnEnv: got 'mine:Own-v0', allowed NAME-vNUMBER"),
        ("a/b/Own-v0", {}, r"allowed NAME-vNUMBER, or NAMESPACE/NAME-vNUMBER"),
        (
            "Own-v0",
            {"layout": Layout(most=2)},
            r"layout of the skill of Own-v0: got another one, allowed OwnEnv",
        ),
    ],
)
def test_a_task_that_clashes_is_an_error_and_changes_nothing(registry, env_id, change, what):
    before = dict(registry), dict(gymnasium.registry)
    with pytest.raises(DemoError, match=what):
        register_task(env_id, OwnEnv, replace(LIKE_REACH, **change))
    assert (registry, gymnasium.registry) == before


def test_a_task_has_room_for_the_objects_of_a_set(registry):
    class Small(OwnEnv):
        layout = Layout(most=2)

    with pytest.raises(DemoError, match=r"objects of Own-v0: got 2 at most, allowed 3 or more"):
        register_task("Own-v0", Small, replace(LIKE_REACH, layout=Small.layout))


def test_the_same_task_may_come_twice_and_another_of_its_name_not(registry):
    register_task("Own-v0", OwnEnv, LIKE_REACH)
    register_task("Own-v0", OwnEnv, LIKE_REACH)
    with pytest.raises(DemoError, match="got 'Own-v0', which is that of"):
        register_task("Own-v0", OwnEnv, replace(LIKE_REACH, steps=7))
    assert find_skill("Own-v0") is LIKE_REACH


def test_an_id_brings_its_module():
    assert find_skill(OWN) is SKILLS["Circle-v0"]
    assert short_name(OWN) == short_name("Circle-v0") == "Circle"
    assert short_name("a.b:ns/My-Task-v12") == "My-Task"
    env = gymnasium.make(OWN, image_size=16, disable_env_checker=True)
    assert id_of(env) == "Circle-v0"
    env.close()
    with pytest.raises(DemoError, match=r"environment: got 'examples.circle:Square-v0', allowed .*MODULE:ID"):
        find_skill("examples.circle:Square-v0")
    with pytest.raises(ModuleError, match="module nothing_like_it: got none"):
        find_skill("nothing_like_it:Circle-v0")


def test_an_environment_that_nobody_has_registered_has_no_skill():
    class Layered(OwnEnv):
        layout: ClassVar[Layout] = REACHING

    env = Layered(image_size=16)
    with pytest.raises(DemoError, match=r"environment: got a Layered of its own, allowed one of gymnasium\.make"):
        id_of(env)


@pytest.mark.slow
def test_other_processes_find_the_task_and_collect_the_same(tmp_path):
    found = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        list(collect(folder, env_id=OWN, split="train", n_sets=2, seed=0, size=16, workers=workers))
        found.append(open_dataset(folder))
    assert found[0].info.env_id == OWN
    for name in found[0].info.arrays():
        assert np.array_equal(found[0][name], found[1][name]), name


def test_a_recording_is_read_verified_and_done_again(tmp_path):
    recipe = Recipe(OWN, 0, "test", 0, 1)
    recording, film = record_robot(recipe, expert(OWN), by="expert", size=32, film_size=32)
    assert recording.info.success
    assert recording.info.task.startswith("Circle: the ")
    folder = write_recording(tmp_path, recording, film)
    assert folder.name.startswith("circle-expert-seed0-test0-goal1")
    verify(folder)
    deviation, _ = replay(read_recording(folder), 16)
    assert deviation.exact
    for layout in ("lerobot", "robomimic"):
        assert export([folder], tmp_path / layout, layout) == recording.info.steps


def test_a_clip_tells_its_task(tmp_path):
    write_clip_tasks(tmp_path / "a.mp4", env_id=OWN, seed=3, split="test", index=4, goal=2)
    assert read_clip_tasks(tmp_path / "a.mp4") == (sample_task_set(3, "test", 4, env_id=OWN), 2)


def rename_module(path, module):
    """Lets a JSON file name another module."""
    path.write_text(path.read_text().replace("examples.circle:", f"{module}:"))


@pytest.mark.parametrize("kind", ["clip", "dataset", "recording"])
def test_a_file_runs_no_code_that_lies_beside_it(tmp_path, monkeypatch, kind):
    """And one whose module is not there is one line."""
    if kind == "clip":
        write_clip_tasks(tmp_path / "a.mp4", env_id=OWN, seed=3, split="test", index=4, goal=2)
        path, read = tmp_path / "a.json", lambda: read_clip_tasks(tmp_path / "a.mp4")
    elif kind == "dataset":
        list(collect(tmp_path, env_id=OWN, split="train", n_sets=1, seed=0, size=16, workers=1))
        path, read = tmp_path / "dataset.json", lambda: open_dataset(tmp_path)
    else:
        recording, film = record_robot(Recipe(OWN, 0, "test", 0, 1), expert(OWN), size=16, film_size=16)
        folder = write_recording(tmp_path, recording, film)
        path, read = folder / "recording.json", lambda: read_recording(folder)
    rename_module(path, f"evil_{kind}")
    if kind == "recording":  # whoever made it has made its checksum, too
        from demos.manifest import checksum_of

        said = json.loads(path.read_text())
        del said["checksum"]
        path.write_text(json.dumps(said | {"checksum": checksum_of(said)}))
    with pytest.raises(ModuleError, match=f"module evil_{kind}: got none that can be imported"):
        read()
    monkeypatch.syspath_prepend(path.parent)
    (path.parent / f"evil_{kind}.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ModuleError, match=f"module: got evil_{kind}, which lies in"):
        read()
