"""Robot environments, and the human who demonstrates in them. Importing this package registers the environments."""

import os

import gymnasium

from envs.errors import RenderError

try:
    import mujoco  # noqa: F401  (it reads MUJOCO_GL, and loads the backend of that name)
except ImportError:  # of MuJoCo itself
    raise
except Exception as error:
    if "MUJOCO_GL" not in os.environ:
        raise
    raise RenderError(
        f"MUJOCO_GL: got {os.environ['MUJOCO_GL']!r} ({error}), "
        "allowed 'egl', 'osmesa' or 'glfw', installed, or nothing"
    ) from error

gymnasium.register(id="daml/Reach-v0", entry_point="envs.reaching:ReachEnv")
gymnasium.register(id="daml/Push-v0", entry_point="envs.pushing:PushEnv")
gymnasium.register(id="daml/Place-v0", entry_point="envs.placing:PlaceEnv")
gymnasium.register(id="daml/PickPlace-v0", entry_point="envs.pick_place:PickPlaceEnv")
gymnasium.register(id="daml/Act-v0", entry_point="envs.acting:ActEnv")
gymnasium.register(id="daml/Sort-v0", entry_point="envs.sorting:SortEnv")
