"""MIL's simulated reaching: a torque-driven arm of two joints in the plane, seen from above, among three boxes.

It is its authors' environment: their scenes, physics, camera, observation and count of successes. The boxes touch
nothing; the arm moves alike in all scenes.

Source: Finn et al. 2017b, arXiv 1709.04905, section 6.1, and the authors' published evaluation for what the paper
leaves open: the state is observed before each action, and a trial counts if any of its last observations is near the
goal.
"""

import mujoco
import numpy as np

from envs.mil_scenes import BODIES, Scenes
from envs.render import Camera

PHYSICS_STEPS = 5
"""Of the scene's time step, in a control step."""
STEPS = 50
"""Control steps of a trial."""
LAST = 10
"""Observations at the end of a trial that count."""
SUCCESS_DISTANCE = 0.05
"""Fingertip to goal [m]."""
LINKS = (0.1, 0.11)
"""Length of upper arm, and of forearm with fingertip [m]."""
REACH = sum(LINKS)
"""How far from the origin the fingertip can get [m]."""
HEIGHT, WIDTH = 64, 80
"""Of an image [px]."""
CAMERA_HEIGHT, FIELD = 0.8, 45.0
"""Of the camera above the origin [m], and its vertical field of view [degree]."""
FINER = 2
"""Times finer that images are drawn before they are reduced to their size, as the authors' were."""


def is_success(fingertips: np.ndarray, goal: np.ndarray) -> bool:
    """Whether the fingertip was near the goal in any of the last observations.

    Args:
        fingertips: [steps, 3], before each action [m].
        goal: [3] [m].
    """
    return bool((np.linalg.norm(fingertips[-LAST:] - goal, axis=-1) <= SUCCESS_DISTANCE).any())


class MilReach:
    """The arm, with the boxes of one scene at a time."""

    def __init__(self, scenes: Scenes) -> None:
        spec = mujoco.MjSpec.from_string(scenes.model)
        # A free camera of azimuth 90 and elevation -90: x is to the right and y upwards in the image.
        spec.worldbody.add_camera(name="above", pos=[0, 0, CAMERA_HEIGHT], fovy=FIELD)
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._scenes = scenes
        self._boxes = [self._model.body(name).id for name in BODIES]
        self._camera: Camera | None = None
        self.reset()

    def put(self, number: int, condition: int) -> None:
        """Shows the boxes of a set's condition."""
        self._model.body_pos[self._boxes] = self._scenes.places[number, condition]
        self._model.geom_rgba[self._model.body_geomadr[self._boxes]] = self._scenes.colours[number]
        mujoco.mj_forward(self._model, self._data)

    def reset(self, joints: np.ndarray | None = None) -> np.ndarray:
        """The arm at rest with these joint angles [2] [rad], or stretched along x as every trial begins.

        Returns:
            The first observation, see `step`.
        """
        mujoco.mj_resetData(self._model, self._data)
        self._data.qpos[:] = 0 if joints is None else joints
        mujoco.mj_forward(self._model, self._data)
        return self._observe(np.zeros(3))

    def step(self, torques: np.ndarray) -> np.ndarray:
        """One control step with torques [2], of which what is beyond [-1, 1] is cut off.

        Returns:
            float [10]: joint angles (2) [rad], joint velocities (2) [rad/s], fingertip (3) [m], and its mean velocity
            in the last step (3) [m/s].
        """
        before = self._fingertip()
        self._data.ctrl[:] = np.clip(torques, -1, 1)
        mujoco.mj_step(self._model, self._data, PHYSICS_STEPS)
        mujoco.mj_forward(self._model, self._data)
        return self._observe((self._fingertip() - before) / (PHYSICS_STEPS * self._model.opt.timestep))

    def image(self) -> np.ndarray:
        """uint8 [HEIGHT, WIDTH, 3] of the present state.

        Raises:
            RenderError: no OpenGL context.
        """
        if self._camera is None:
            self._camera = Camera(self._model, "above", FINER * HEIGHT, FINER * WIDTH)
        fine = self._camera.draw(self._data).reshape(HEIGHT, FINER, WIDTH, FINER, 3)
        return fine.mean((1, 3)).round().astype(np.uint8)

    def close(self) -> None:
        """Frees what draws."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def _fingertip(self) -> np.ndarray:
        return self._data.body("fingertip").xpos.copy()

    def _observe(self, velocity: np.ndarray) -> np.ndarray:
        return np.concatenate([self._data.qpos, self._data.qvel, self._fingertip(), velocity])


def pixels(places: np.ndarray) -> np.ndarray:
    """Where places [..., 3] [m] are in the image, as (x, y) [px] from its upper left corner: [..., 2]."""
    scale = HEIGHT / 2 / np.tan(np.radians(FIELD) / 2) / (CAMERA_HEIGHT - places[..., 2:])  # [px / m]
    return np.array([WIDTH, HEIGHT]) / 2 + places[..., :2] * scale * [1, -1]
