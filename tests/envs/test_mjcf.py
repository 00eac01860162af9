"""A scene on disk is the scene: MuJoCo alone reads the same model, and draws the same image."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
from env_experts import EXPERTS, IDS, make

from envs.appearance import CAMERA
from envs.errors import EnvError
from envs.render import Camera

SIZE = 96
TEXTS = {"nkey", "npaths", "nnames", "nnames_map", "nbuffer"}
"""Sizes that the keyframe and the files' names change."""


def drawn(path: Path) -> np.ndarray:
    """What the scene's camera sees of a file's model in its keyframe."""
    model = mujoco.MjModel.from_xml_path(str(path))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("start").id)
    mujoco.mj_forward(model, data)
    camera = Camera(model, CAMERA, SIZE, SIZE)
    image = camera.draw(data)
    camera.close()
    return image


@pytest.fixture(params=IDS)
def env(request):
    env = make(request.param, image_size=SIZE)
    yield env
    env.close()


@pytest.mark.parametrize("seed", [0, 3])
def test_a_file_shows_what_the_environment_shows(env, tmp_path, seed):
    observation, _ = env.reset(seed=seed)
    assert np.array_equal(drawn(env.save(tmp_path / f"scene{seed}")), observation["image"])


def test_a_scene_can_be_written_in_the_middle_of_an_episode(env, tmp_path):
    _, info = env.reset(seed=1)
    for _ in range(12):
        observation, _, _, _, info = env.step(EXPERTS[env.spec.id](info))
    assert np.array_equal(drawn(env.save(tmp_path / "scene")), observation["image"])


def test_a_file_holds_the_same_model(env, tmp_path):
    env.reset(seed=3)
    model, read = env._model, mujoco.MjModel.from_xml_path(str(env.save(tmp_path / "scene")))
    sizes = [name for name in dir(model) if name.startswith("n") and isinstance(getattr(model, name), int)]
    assert {"nq", "nv", "nu", "nbody", "ngeom", "ntex", "nmat", "ncam", "nlight", "neq", "nexclude"} <= set(sizes)
    different = {name for name in sizes if getattr(model, name) != getattr(read, name)}
    assert different <= TEXTS
    for name in ("body_mass", "body_inertia", "geom_size", "geom_friction", "jnt_range", "dof_damping", "tex_data"):
        assert np.array_equal(getattr(model, name), getattr(read, name)), name
    assert (model.opt.timestep, model.opt.cone, model.opt.impratio) == (
        read.opt.timestep,
        read.opt.cone,
        read.opt.impratio,
    )
    assert model.opt.disableflags == read.opt.disableflags


def test_a_model_of_a_file_moves_as_the_environment_does(env, tmp_path):
    env.reset(seed=3)
    read = mujoco.MjModel.from_xml_path(str(env.save(tmp_path / "scene")))
    data = mujoco.MjData(read)
    mujoco.mj_resetDataKeyframe(read, data, 0)
    mujoco.mj_step(read, data, 50)
    own = mujoco.MjData(env._model)
    own.qpos[:], own.ctrl[:] = env._data.qpos, env._data.ctrl
    mujoco.mj_step(env._model, own, 50)
    assert np.abs(data.qpos - own.qpos).max() < 1e-6  # [m], [rad]


def test_the_textures_lie_beside_the_file(env, tmp_path):
    env.reset(seed=3)
    folder = env.save(tmp_path / "scene").parent
    pictures = {f"{env._model.texture(i).name}.png" for i in range(env._model.ntex)}
    assert {path.name for path in folder.iterdir()} == {"scene.xml", *pictures}
    assert [path.name for path in tmp_path.iterdir()] == ["scene"]


def test_a_folder_that_is_there_and_an_environment_that_was_not_reset_are_refused(env, tmp_path):
    with pytest.raises(EnvError, match="save: got an environment that was not reset"):
        env.save(tmp_path / "scene")
    env.reset(seed=3)
    with pytest.raises(EnvError, match=r"out: got .*, which is there already, allowed a new folder"):
        env.save(tmp_path)
    assert list(tmp_path.iterdir()) == []
