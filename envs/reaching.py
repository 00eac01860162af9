"""`daml/Reach-v0`: bring the fingertips to one of several objects on a table and hold them there.

The observation does not say which object is the goal: that is what the human's video is for.
"""

from typing import Any

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

from envs.appearance import CAMERA, Dials
from envs.errors import EnvError
from envs.objects import SPLITS
from envs.render import MAX_SIZE, Camera
from envs.robot import FINGERTIP, JOINT_LIMITS, N_JOINTS, FingertipController
from envs.scene import TIMESTEP, Scene, robot_model, sample_scene

SUCCESS_DISTANCE = 0.05
"""Success needs the fingertip this near to the top centre of the goal object [m]..."""
HOLD_TIME = 0.5
"""...for this long without a break [s]."""

CONTROL_PERIOD = 0.1
"""Time of one `step` [s]."""
TIME_LIMIT = 3.0
"""Time of one episode [s]."""
MAX_SPEED = 0.4
"""Fingertip speed along an axis at action 1 [m/s]."""

WORKSPACE = (np.array([0.25, -0.35, 0.02]), np.array([0.75, 0.35, 0.45]))
"""Lowest and highest commanded fingertip position [m]."""


def is_success(distances: np.ndarray) -> bool:
    """Whether the fingertip is, now, at the goal and has been for `HOLD_TIME`.

    Args:
        distances: [t] fingertip to goal after each step so far [m], one every `CONTROL_PERIOD`.
    """
    needed = round(HOLD_TIME / CONTROL_PERIOD)
    return len(distances) >= needed and bool(np.all(np.asarray(distances[-needed:]) <= SUCCESS_DISTANCE))


def nearest_object(fingertip: np.ndarray, tops: np.ndarray) -> int:
    """Index of the object whose top is nearest to the fingertip: `fingertip` [3], `tops` [n, 3] [m]."""
    return int(np.argmin(np.linalg.norm(tops - fingertip, axis=-1)))


class ReachEnv(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """Reaching with a 7-joint arm among several objects.

    Observation: "image" uint8 [H, W, 3]; "state" float32 [10]: fingertip position (3) [m], joint angles (7) [rad].
    Velocities are left out: a cloned policy would copy its own last action from them.
    Action: float32 [3] in [-1, 1]: fingertip velocity in units of `MAX_SPEED`.
    Reward: minus the distance to the goal [m].  The episode is truncated after `TIME_LIMIT`; it never terminates.
    info: "goal" [3], "objects" [n, 3] (tops), "fingertip" [3] [m], "distance" [m], "nearest", "is_success".
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  (Gymnasium declares it so)
        "render_modes": ["rgb_array"],
        "render_fps": round(1 / CONTROL_PERIOD),
    }

    def __init__(
        self,
        split: str = "train",
        image_size: int | tuple[int, int] = 64,
        n_objects: int = 3,
        dials: Dials | None = None,
        render_mode: str | None = None,
        render_size: int | None = None,
    ) -> None:
        """
        Args:
            split: objects of "train", "val" or "test".
            image_size: of the observation [px]: a side, or (height, width).
            n_objects: on the table.
            dials: how far the look may vary.
            render_mode: None or "rgb_array".
            render_size: side of what `render` returns [px]; the observation's size when None.

        Raises:
            EnvError: an argument outside what is allowed.
        """
        if split not in SPLITS:
            raise EnvError(f"split: got {split!r}, allowed {list(SPLITS)}")
        if render_mode not in (None, "rgb_array"):
            raise EnvError(f"render_mode: got {render_mode!r}, allowed None or 'rgb_array'")
        if n_objects not in range(1, 6):
            raise EnvError(f"n_objects: got {n_objects}, allowed 1 to 5")
        if render_size is not None and render_size not in range(8, MAX_SIZE + 1):
            raise EnvError(f"render_size: got {render_size}, allowed 8 to {MAX_SIZE} px")
        sides = tuple(image_size) if isinstance(image_size, tuple | list) else (image_size, image_size)
        if len(sides) != 2 or any(side not in range(8, MAX_SIZE + 1) for side in sides):
            raise EnvError(f"image_size: got {image_size!r}, allowed 8 to {MAX_SIZE} px a side")
        height, width = sides
        self.render_mode = render_mode
        self._split, self._size, self._n_objects, self._dials = split, (height, width), n_objects, dials or Dials()
        low, high = WORKSPACE
        margin = 0.15  # [m], servo lag and contacts carry the fingertip a little past the commanded position
        self.observation_space: spaces.Dict = spaces.Dict(  # type: ignore[assignment]
            {
                "image": spaces.Box(0, 255, (height, width, 3), np.uint8),
                "state": spaces.Box(
                    np.concatenate([low - margin, JOINT_LIMITS[:, 0] - 0.05]).astype(np.float32),
                    np.concatenate([high + margin, JOINT_LIMITS[:, 1] + 0.05]).astype(np.float32),
                ),
            }
        )
        self.action_space = spaces.Box(-1.0, 1.0, (3,), np.float32)
        self._render_size = (render_size, render_size) if render_size else self._size
        self._camera: Camera | None = None
        self._film_camera: Camera | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: of the scene that is drawn.
            options: {"scene": Scene} starts in that scene instead.
        """
        super().reset(seed=seed)
        scene = (options or {}).get("scene")
        if scene is None:
            scene = sample_scene(self.np_random, self._split, n_objects=self._n_objects, dials=self._dials)
        elif not isinstance(scene, Scene):
            raise EnvError(f"options['scene']: got {type(scene).__name__}, allowed envs.scene.Scene")
        self.close()
        self.scene: Scene = scene
        self._model = robot_model(scene)
        self._data = mujoco.MjData(self._model)
        self._controller = FingertipController(self._model, *WORKSPACE)
        self._data.qpos[:N_JOINTS] = self._data.ctrl[:N_JOINTS] = self._controller.start(np.array(scene.start))
        mujoco.mj_forward(self._model, self._data)
        self._camera = Camera(self._model, CAMERA, *self._size)
        self._tops = scene.tops
        self._distances: list[float] = []
        self._steps = 0
        return self._observation(), self._info()

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Moves the fingertip at `action` [3] for `CONTROL_PERIOD`."""
        if self._camera is None:
            raise EnvError("step: got an environment that was not reset or is closed, allowed after reset")
        action = np.asarray(action, float)
        if action.shape != (3,) or not np.isfinite(action).all():
            raise EnvError(f"action: got {action}, allowed 3 finite numbers in [-1, 1]")
        velocity = MAX_SPEED * np.clip(action, -1, 1)
        self._data.ctrl[:N_JOINTS] = self._controller.step(velocity, CONTROL_PERIOD)
        mujoco.mj_step(self._model, self._data, nstep=round(CONTROL_PERIOD / TIMESTEP))
        mujoco.mj_forward(self._model, self._data)
        self._steps += 1
        info = self._info()
        self._distances.append(info["distance"])
        info["is_success"] = is_success(np.array(self._distances))
        truncated = self._steps >= round(TIME_LIMIT / CONTROL_PERIOD)
        return self._observation(), -info["distance"], False, truncated, info

    def render(self) -> np.ndarray | None:
        """What the observation shows, at `render_size`, when render_mode is "rgb_array"."""
        if self.render_mode is None or self._camera is None:
            return None
        if self._film_camera is None:
            self._film_camera = Camera(self._model, CAMERA, *self._render_size)
        return self._film_camera.draw(self._data)

    def close(self) -> None:
        for camera in (self._camera, self._film_camera):
            if camera is not None:
                camera.close()
        self._camera = self._film_camera = None

    def _observation(self) -> dict[str, np.ndarray]:
        assert self._camera is not None
        state = np.concatenate([self._data.site(FINGERTIP).xpos, self._data.qpos[:N_JOINTS]])
        space = self.observation_space["state"]
        assert isinstance(space, spaces.Box)
        return {"image": self._camera.draw(self._data), "state": np.clip(state, space.low, space.high, dtype="f4")}

    def _info(self) -> dict[str, Any]:
        fingertip = self._data.site(FINGERTIP).xpos.copy()
        goal = self._tops[self.scene.goal]
        return {
            "goal": goal.copy(),
            "objects": self._tops.copy(),
            "fingertip": fingertip,
            "distance": float(np.linalg.norm(fingertip - goal)),
            "nearest": nearest_object(fingertip, self._tops),
            "is_success": False,
        }
