"""The light renderer draws what MuJoCo's own draws, whoever else draws in the process."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mujoco
import numpy as np
import pytest
from mujoco.rendering.classic import renderer as mujocos

from envs import render
from envs.appearance import CAMERA
from envs.errors import RenderError
from envs.render import MAX_SIZE, Camera
from envs.robot import HOME, N_JOINTS
from envs.scene import human_model, robot_model, sample_scene

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def same_backend(monkeypatch):
    """Lets `mujoco.Renderer` use the OpenGL backend that ours has found."""
    monkeypatch.setattr(mujocos.gl_context, "GLContext", type(render._opengl()))


def moment(seed, build=robot_model):
    model = build(sample_scene(np.random.default_rng(seed), "train"))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def reference(model, data, height, width):
    """The image of `mujoco.Renderer` with shadows and reflections off, as ours has them."""
    model.vis.global_.offwidth, model.vis.global_.offheight = width, height
    with mujoco.Renderer(model, height, width) as renderer:
        renderer.update_scene(data, CAMERA)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            renderer.scene.flags[flag] = 0
        return renderer.render()


@pytest.mark.parametrize("build", [robot_model, human_model])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (30, 90), (1, 1)])
def test_it_draws_what_mujocos_renderer_draws(build, height, width):
    model, data = moment(0, build)
    camera = Camera(model, CAMERA, height, width)
    image = camera.draw(data)
    camera.close()
    assert image.shape == (height, width, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(image, reference(model, data, height, width))


def test_another_renderer_in_the_process_does_no_harm():
    model, data = moment(0)
    other_model, other_data = moment(1)
    camera = Camera(model, CAMERA, 48, 48)
    expected = camera.draw(data)
    other = mujoco.Renderer(other_model, 48, 48)
    other.update_scene(other_data, CAMERA)
    others = other.render()
    assert np.array_equal(camera.draw(data), expected), "while the other is there"
    other.close()
    assert np.array_equal(camera.draw(data), expected), "after it is gone"
    camera.close()
    assert not np.array_equal(others, expected)


def test_cameras_take_turns():
    scenes = [moment(seed) for seed in range(3)]
    sizes = [(32, 32), (20, 60), (32, 32)]
    cameras = [Camera(model, CAMERA, *size) for (model, _), size in zip(scenes, sizes, strict=True)]
    expected = [reference(*scene, *size) for scene, size in zip(scenes, sizes, strict=True)]
    for i in (0, 1, 2, 1, 0, 0, 2):
        assert np.array_equal(cameras[i].draw(scenes[i][1]), expected[i])
    cameras[0].close()
    for i in (1, 2):
        assert np.array_equal(cameras[i].draw(scenes[i][1]), expected[i])
        cameras[i].close()


def test_every_image_has_its_own_memory():
    model, data = moment(0)
    camera = Camera(model, CAMERA, 24, 24)
    first, second = camera.draw(data), camera.draw(data)
    camera.close()
    assert not np.shares_memory(first, second)
    assert first.flags.owndata
    assert first.flags.writeable
    first[:] = 0
    assert second.any()


def test_it_draws_the_present_state():
    model, data = moment(0)
    data.qpos[:N_JOINTS] = HOME
    data.qpos[1] += 0.9  # stretched over the table, where the camera looks
    mujoco.mj_forward(model, data)
    camera = Camera(model, CAMERA, 48, 48)
    before = camera.draw(data)
    data.qpos[0] += 0.5
    mujoco.mj_forward(model, data)
    assert (camera.draw(data) != before).any()
    camera.close()


def test_the_largest_size_is_drawn():
    model, data = moment(0)
    camera = Camera(model, CAMERA, MAX_SIZE, MAX_SIZE)
    image = camera.draw(data)
    camera.close()
    small = reference(model, data, 64, 64)
    assert image.shape == (MAX_SIZE, MAX_SIZE, 3)
    means = image.reshape(64, MAX_SIZE // 64, 64, MAX_SIZE // 64, 3).mean((1, 3))
    assert np.abs(means - small).mean() < 6, "the same picture, only finer"


@pytest.mark.parametrize(("height", "width"), [(0, 64), (64, 0), (-1, 64), (MAX_SIZE + 1, 64), (64, MAX_SIZE + 1)])
def test_an_impossible_size_is_an_error(height, width):
    model, _ = moment(0)
    with pytest.raises(RenderError, match=f"image size: got {height} x {width}, allowed 1 to {MAX_SIZE} px"):
        Camera(model, CAMERA, height, width)


def test_every_thread_draws_with_an_opengl_of_its_own():
    def draw():
        model, data = moment(0)
        camera = Camera(model, CAMERA, 32, 32)
        image = camera.draw(data)
        camera.close()
        return image

    first = draw()
    with ThreadPoolExecutor(2) as pool:
        images = [future.result() for future in [pool.submit(draw) for _ in range(4)]]
    assert all(np.array_equal(image, first) for image in (*images, draw()))


def test_closing_twice_does_no_harm():
    model, data = moment(0)
    camera = Camera(model, CAMERA, 8, 8)
    camera.draw(data)
    camera.close()
    camera.close()


@pytest.mark.slow
def test_without_opengl_the_message_names_what_to_install():
    """In a process of its own, in which no backend can be loaded."""
    program = """if True:
        import sys
        sys.modules["mujoco.egl"] = sys.modules["mujoco.osmesa"] = None
        from envs import render
        try:
            render._opengl()
        except render.RenderError as error:
            print(error)
    """
    environment = {name: value for name, value in os.environ.items() if name != "MUJOCO_GL"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "no offscreen OpenGL (egl: " in done.stdout, done.stderr
    assert "osmesa: " in done.stdout
    assert "apt-get install libegl1 " in done.stdout
