"""`daml scene` as a user runs it."""

import gymnasium
import mujoco
import numpy as np
import pytest

from envs.errors import EnvError
from envs.render import Camera
from scripts.common import ENVIRONMENTS
from scripts.scene import Scene


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_file_is_the_scene_that_the_seed_gives(name, tmp_path, capsys):
    Scene(env=name, seed=3, split="test", out=tmp_path / "out").run()
    assert f"python -m mujoco.viewer --mjcf={tmp_path / 'out' / 'scene.xml'}" in capsys.readouterr().out
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "out" / "scene.xml"))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    env = gymnasium.make(ENVIRONMENTS[name], split="test", image_size=48, disable_env_checker=True)
    image = env.reset(seed=3)[0]["image"]
    env.close()
    camera = Camera(model, "front", 48, 48)
    assert np.array_equal(camera.draw(data), image)
    camera.close()


def test_an_unknown_environment_is_named_and_nothing_is_written(tmp_path):
    with pytest.raises(EnvError, match="env: got 'fly', allowed"):
        Scene(env="fly", out=tmp_path / "out").run()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(EnvError, match="which is there already, allowed a new folder"):
        Scene(out=tmp_path).run()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
