"""Glances: what they say is in the image is there."""

from dataclasses import replace

import gymnasium
import mujoco
import numpy as np
import pytest

from demos.glances import TABLE_POINTS, glances
from demos.skills import SKILLS
from demos.tasks import N_OBJECTS, sample_task_set
from envs.appearance import CAMERA, CAMERA_FOVY, CAMERA_POSITION, CAMERA_TARGET, project
from envs.render import Camera

SIZE, N = 128, 3


@pytest.fixture(params=SKILLS)
def glanced(request):
    """An environment, the scenes of some glances, and the glances."""
    env = gymnasium.make(request.param, image_size=SIZE, disable_env_checker=True)
    rows = glances(env, env_id=request.param, split="train", seed=1, index=2, n=N)
    scenes = sample_task_set(1, "train", 2, env_id=request.param, n_trials=1 + N).robot_scenes
    yield env, scenes[1:], rows
    env.close()


def test_the_goal_is_where_a_glance_says(glanced):
    """The pixels there change when the object vanishes."""
    env, scenes, rows = glanced
    for i, scene in enumerate(scenes):
        image = env.reset(options={"scene": scene.with_goal(1)})[0]["image"]
        assert np.array_equal(image, rows["glance_frames"][i]), "a glance does not tell the goal"
        things = [scene.with_goal(goal).goal for goal in range(rows["glance_points"].shape[1])]
        assert set(things) == set(range(N_OBJECTS))
        assert rows["glance_points"][i, :, 0, :2] == pytest.approx(scene.tops[things, :2], abs=1e-6)
        model, data = env.unwrapped._model, env.unwrapped._data
        for goal, thing in enumerate(things):
            of_goal = model.geom_bodyid == model.body(f"object{thing}").id
            shown = model.geom_rgba.copy(), model.geom_matid.copy()
            model.geom_rgba[of_goal, 3], model.geom_matid[of_goal] = 0, -1
            mujoco.mj_forward(model, data)
            camera = Camera(model, CAMERA, SIZE, SIZE)
            changed = (camera.draw(data) != image).any(-1)
            camera.close()
            model.geom_rgba[:], model.geom_matid[:] = shown
            x, y = SIZE * rows["glance_pixels"][i, goal, 0]
            assert changed[int(y), int(x)]


def test_the_table_says_where_the_camera_is(glanced):
    """Where four points of a plane appear decides where every other one does."""
    _, scenes, rows = glanced
    assert len(np.unique(rows["glance_table"], axis=0)) == N, "every glance has a camera of its own"
    for scene, displaced in zip(scenes, rows["glance_table"], strict=True):
        usual = replace(
            scene.look, camera_position=tuple(CAMERA_POSITION), camera_target=tuple(CAMERA_TARGET), fovy=CAMERA_FOVY
        )
        before = project(usual, TABLE_POINTS)
        moved = homography(before, before + displaced)
        on_table = scene.tops[:N_OBJECTS] * [1, 1, 0]
        x, y, w = moved @ np.column_stack([project(usual, on_table), np.ones(N_OBJECTS)]).T
        assert np.stack([x / w, y / w], -1) == pytest.approx(project(scene.look, on_table), abs=1e-6)


def homography(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The projective map [3, 3] that takes four points [4, 2] to four others."""
    lines = []
    for (x, y), (u, v) in zip(before, after, strict=True):
        lines.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        lines.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    return np.linalg.svd(np.array(lines))[2][-1].reshape(3, 3)
