"""What the environments share: a robot at a table, seen by a camera, moved by fingertip velocities.

A task is a subclass that says what it measures and when it has succeeded, and nothing else.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

from envs.appearance import CAMERA, Dials
from envs.errors import EnvError
from envs.mjcf import write_mjcf
from envs.nudge import FARTHEST, NEAR
from envs.objects import ALL_SPLITS
from envs.render import MAX_SIZE, Camera
from envs.robot import (
    BEHIND_EYE,
    EYE,
    EYE_NEAR,
    FINGERS,
    FINGERTIP,
    GRIPPER_OPENING,
    JOINT_LIMITS,
    N_JOINTS,
    FingertipController,
    arm_model,
)
from envs.scene import Layout, Scene, robot_model, robot_spec, sample_scene

CAMERAS = (("table",), ("table", "hand"))
"""What an environment can be seen through: the camera across the table, or that one and the one in the hand."""
CONTROL_PERIOD = 0.1
"""Time of one `step` [s]."""
MAX_SPEED = 0.4
"""Fingertip speed along an axis at action 1 [m/s]."""
WORKSPACE = (np.array([0.25, -0.35, 0.02]), np.array([0.75, 0.35, 0.45]))
"""Lowest and highest commanded fingertip position [m]."""
GRIP_WORKSPACE = (np.array([0.25, -0.35, 0.006]), WORKSPACE[1])
"""The same for fingers that go down around what stands on the table [m]."""

IN_HAND = "image_hand"
"""Name of what the camera in the hand sees, in an observation."""

LEFT_ALONE = 0.01
"""How far from where it stands an object may be to count as left alone [m]."""

_MARGIN = 0.15  # [m], servo lag and contacts carry the fingertip a little past the commanded position


def check_cameras(cameras: Sequence[str]) -> tuple[str, ...]:
    """The cameras as one of `CAMERAS`, which JSON may hold as a list.

    Raises:
        EnvError: they are none of them.
    """
    if not isinstance(cameras, tuple | list) or tuple(cameras) not in CAMERAS:
        raise EnvError(f"cameras: got {cameras!r}, allowed {' or '.join(map(str, CAMERAS))}")
    return tuple(cameras)


def images_of(cameras: Sequence[str]) -> tuple[str, ...]:
    """Names of the images in an observation, one of each camera."""
    return ("image", IN_HAND)[: len(cameras)]


def camera_in_hand(model: mujoco.MjModel, height: int, width: int) -> Camera:
    """Draws what the camera in the hand sees; arguments and errors as of `Camera`."""
    return Camera(model, EYE, height, width, near=EYE_NEAR, hidden=[BEHIND_EYE])


def held(flags: np.ndarray, duration: float) -> bool:
    """Whether something is so now and has been for `duration` [s]: `flags` bool [t], one every `CONTROL_PERIOD`."""
    needed = round(duration / CONTROL_PERIOD)
    return len(flags) >= needed and bool(np.all(flags[-needed:]))


class TabletopEnv(gymnasium.Env[dict[str, np.ndarray], np.ndarray], ABC):
    """A 7-joint arm among several objects on a table.

    Observation: "image" uint8 [H, W, 3]; "state" float32 [10]: fingertip position (3) [m], joint angles (7) [rad]; and
    with the camera in the hand "image_hand" uint8 [H, W, 3].
    Velocities are left out: a cloned policy would copy its own last action from them.
    Action: float32 [3] in [-1, 1]: fingertip velocity in units of `MAX_SPEED`.
    Reward: minus info["distance"].  The episode is truncated after `time_limit`; it never terminates.
    info: at least "goal_points" [k, 3]: what a policy should know of the initial scene [m]; "places" [k, 3]: the same
    of `standing`; "fingertip" [3] [m]; "distance" [m]; "nearest": index of the object that was acted upon;
    "is_success".

    scene: as it was drawn.  standing: the same with the objects where nobody but the robot has moved them since: where
    they were nudged to, once they were (`envs.nudge`). What is measured from where things stood at first is measured
    from there.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  (Gymnasium declares it so)
        "render_modes": ["rgb_array"],
        "render_fps": round(1 / CONTROL_PERIOD),
    }
    layout: ClassVar[Layout]
    """What is on the table."""
    time_limit: ClassVar[float]
    """Time of one episode [s]."""
    workspace: ClassVar[tuple[np.ndarray, np.ndarray]] = WORKSPACE
    n_actions: ClassVar[int] = 3
    state_names: ClassVar[tuple[str, ...]] = (
        *(f"fingertip_{axis}" for axis in "xyz"),
        *(f"joint{i + 1}" for i in range(N_JOINTS)),
    )
    """What the numbers of "state" are."""
    action_names: ClassVar[tuple[str, ...]] = tuple(f"fingertip_velocity_{axis}" for axis in "xyz")
    """What the numbers of an action are."""

    def __init__(
        self,
        split: str = "train",
        image_size: int | tuple[int, int] = 64,
        n_objects: int = 3,
        dials: Dials | Mapping[str, float] | None = None,
        nudge: int = 0,
        render_mode: str | None = None,
        render_size: int | None = None,
        cameras: Sequence[str] = CAMERAS[0],
    ) -> None:
        """
        Args:
            split: one of `envs.objects.ALL_SPLITS`: which objects.
            image_size: of the observation [px]: a side, or (height, width).
            n_objects: on the table.
            dials: how far the look may vary; also by name, as JSON holds them.
            nudge: level of `envs.nudge.FARTHEST`: how far objects are moved while the robot is on its way.
            render_mode: None or "rgb_array".
            render_size: side of what `render` returns, of each camera [px]; the observation's size when None.
            cameras: one of `CAMERAS`.

        Raises:
            EnvError: an argument outside what is allowed.
        """
        if split not in ALL_SPLITS:
            raise EnvError(f"split: got {split!r}, allowed {list(ALL_SPLITS)}")
        if render_mode not in (None, "rgb_array"):
            raise EnvError(f"render_mode: got {render_mode!r}, allowed None or 'rgb_array'")
        if n_objects not in range(1, self.layout.most + 1):
            raise EnvError(f"n_objects: got {n_objects}, allowed 1 to {self.layout.most}")
        if nudge not in range(len(FARTHEST)):
            raise EnvError(f"nudge: got {nudge}, allowed 0 to {len(FARTHEST) - 1}")
        if render_size is not None and render_size not in range(8, MAX_SIZE + 1):
            raise EnvError(f"render_size: got {render_size}, allowed 8 to {MAX_SIZE} px")
        sides = tuple(image_size) if isinstance(image_size, tuple | list) else (image_size, image_size)
        if len(sides) != 2 or any(side not in range(8, MAX_SIZE + 1) for side in sides):
            raise EnvError(f"image_size: got {image_size!r}, allowed 8 to {MAX_SIZE} px a side")
        height, width = sides
        self.render_mode = render_mode
        self._split, self._size, self._n_objects = split, (height, width), n_objects
        self._dials, self._nudge = Dials.of(dials), nudge
        low, high = self._state_range()
        self._seen_through = check_cameras(cameras)
        images = {name: spaces.Box(0, 255, (height, width, 3), np.uint8) for name in images_of(self._seen_through)}
        state = spaces.Box(low.astype(np.float32), high.astype(np.float32))
        self.observation_space: spaces.Dict = spaces.Dict(images | {"state": state})  # type: ignore[assignment]
        self.action_space = spaces.Box(-1.0, 1.0, (self.n_actions,), np.float32)
        self._render_size = (render_size, render_size) if render_size else self._size
        self._cameras: dict[str, Camera] = {}
        self._film_cameras: dict[str, Camera] = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: of the scene that is drawn.
            options: {"scene": Scene} starts in that scene instead; {"look_once": True} gives the images of this moment
                in every later observation, too: who looks no more need not wait for more to be drawn.

        Raises:
            EnvError: that is no scene, or one of another task.
        """
        super().reset(seed=seed)
        options = options or {}
        scene = options.get("scene")
        if scene is None:
            scene = sample_scene(
                self.np_random,
                self._split,
                layout=self.layout,
                n_objects=self._n_objects,
                dials=self._dials,
                nudge=self._nudge,
            )
        elif not isinstance(scene, Scene):
            raise EnvError(f"options['scene']: got {type(scene).__name__}, allowed envs.scene.Scene")
        elif scene.layout != self.layout:
            raise EnvError(
                f"options['scene']: got a scene of another task, allowed one of {type(self).__name__}.layout"
            )
        self.close()
        self.scene: Scene = scene
        self.standing: Scene = scene
        self._model = robot_model(scene)
        self._data = mujoco.MjData(self._model)
        self._joints = [self._model.joint(f"joint{i + 1}").qposadr[0] for i in range(N_JOINTS)]
        angles = self._controller.start(np.array(scene.start))
        self._data.qpos[self._joints] = self._data.ctrl[:N_JOINTS] = angles
        mujoco.mj_forward(self._model, self._data)
        self._bodies = [self._model.body(f"object{i}").id for i in range(len(scene.objects))]
        self._begin()
        self._cameras = self._new_cameras(*self._size)
        self._first_images = self._images() if options.get("look_once") else None
        self._progress: list[Any] = []
        self._steps = 0
        return self._observation(), self._info() | {"is_success": False}

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Does `action` [n_actions] for `CONTROL_PERIOD`.

        Raises:
            EnvError: not reset yet, or closed; or the action is not so many finite numbers.
        """
        self._check_open("step")
        action = np.asarray(action, float)
        if action.shape != (self.n_actions,) or not np.isfinite(action).all():
            raise EnvError(f"action: got {action}, allowed {self.n_actions} finite numbers in [-1, 1]")
        if self._is_due():
            self._move_objects()
        self._command(np.clip(action, -1, 1))
        self._simulate(CONTROL_PERIOD)
        self._steps += 1
        info = self._info()
        self._progress.append(self._measure(info))
        info["is_success"] = self._is_success(np.array(self._progress))
        truncated = self._steps >= round(self.time_limit / CONTROL_PERIOD)
        return self._observation(), -info["distance"], False, truncated, info

    def render(self) -> np.ndarray | None:
        """The observation's images beside each other, at `render_size`, when render_mode is "rgb_array"."""
        if self.render_mode is None or not self._cameras:
            return None
        if not self._film_cameras:
            self._film_cameras = self._new_cameras(*self._render_size)
        return np.concatenate([camera.draw(self._data) for camera in self._film_cameras.values()], axis=1)

    def objects_seen(self) -> np.ndarray:
        """Which object is at every pixel of "image": int [H, W], -1 for none. No policy is given it.

        Raises:
            EnvError: not reset yet, or closed.
        """
        self._check_open("objects_seen")
        seen = self._cameras["image"].segment(self._data)
        return np.select([seen == body for body in self._bodies], range(len(self._bodies)), -1)

    def left_alone(self) -> np.ndarray:
        """Which objects are where they stood at first, or where a nudge has put them: bool [n].

        Raises:
            EnvError: not reset yet, or closed.
        """
        self._check_open("left_alone")
        return np.linalg.norm(self._centres() - self.standing.feet, axis=1) <= LEFT_ALONE

    def save(self, folder: Path) -> Path:
        """Writes the scene in its present state into a new folder as MJCF with its textures; returns the XML file.

        Raises:
            EnvError: not reset yet, or there is something at `folder` already.
        """
        self._check_open("save")
        return write_mjcf(folder, robot_spec(self.standing), self._data)

    def close(self) -> None:
        for camera in (*self._cameras.values(), *self._film_cameras.values()):
            camera.close()
        self._cameras, self._film_cameras = {}, {}

    def _check_open(self, what: str) -> None:
        """
        Raises:
            EnvError: not reset yet, or closed.
        """
        if not self._cameras:
            raise EnvError(f"{what}: got an environment that was not reset or is closed, allowed after reset")

    @cached_property
    def _controller(self) -> FingertipController:
        """Made by the first reset: who only asks for spaces needs none."""
        return FingertipController(arm_model(), *self.workspace, yaw=self.layout.hand_yaw)

    def _new_cameras(self, height: int, width: int) -> dict[str, Camera]:
        """One for each image of the observation, by its name."""
        cameras = {"image": Camera(self._model, CAMERA, height, width)}
        if "hand" in self._seen_through:
            cameras[IN_HAND] = camera_in_hand(self._model, height, width)
        return cameras

    @abstractmethod
    def _info(self) -> dict[str, Any]:
        """All of info but "is_success"."""

    @abstractmethod
    def _measure(self, info: dict[str, Any]) -> Any:
        """What success depends on, of the present step: the same shape every time."""

    @abstractmethod
    def _is_success(self, progress: np.ndarray) -> bool:
        """Success from what was measured after each step so far, [t, ...]."""

    def _begin(self) -> None:
        """Brings what else there is into its first state; the arm is there already."""

    def _command(self, action: np.ndarray) -> None:
        """Sets the servos' targets for an action in [-1, 1]."""
        self._data.ctrl[:N_JOINTS] = self._controller.step(MAX_SPEED * action[:3], CONTROL_PERIOD)

    def _simulate(self, duration: float) -> None:
        mujoco.mj_step(self._model, self._data, nstep=round(duration / self.layout.timestep))
        mujoco.mj_forward(self._model, self._data)

    def _is_due(self) -> bool:
        """Whether the scene's nudge has not come yet and comes now."""
        nudge = self.standing.nudge
        if nudge is None:
            return False
        tops = np.concatenate([self.scene.tops, self.scene.nudged.tops])
        near = np.linalg.norm(tops - self._fingertip(), axis=1).min() <= NEAR
        return bool(near or self._steps * CONTROL_PERIOD >= nudge.time)

    def _move_objects(self) -> None:
        """Does the scene's nudge: in no time, as nothing touches the objects but the table."""
        assert self.scene.nudge is not None
        for i, shift in enumerate(self.scene.nudge.shifts):
            body = self._model.body(f"object{i}")
            if body.jntnum[0]:
                self._data.joint(body.jntadr[0]).qpos[:2] += shift
            else:
                self._model.body_pos[body.id, :2] += shift
        mujoco.mj_forward(self._model, self._data)
        self.standing = self.scene.nudged

    def _state_range(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest state."""
        low, high = self.workspace
        return (
            np.concatenate([low - _MARGIN, JOINT_LIMITS[:, 0] - 0.05]),
            np.concatenate([high + _MARGIN, JOINT_LIMITS[:, 1] + 0.05]),
        )

    def _state(self) -> np.ndarray:
        return np.concatenate([self._fingertip(), self._data.qpos[self._joints]])

    def _fingertip(self) -> np.ndarray:
        """[3] [m]."""
        return self._data.site(FINGERTIP).xpos.copy()

    def _centres(self) -> np.ndarray:
        """[n, 3] present position of the middle of every object's underside [m]."""
        return self._data.xpos[self._bodies].copy()

    def _observation(self) -> dict[str, np.ndarray]:
        space = self.observation_space["state"]
        assert isinstance(space, spaces.Box)
        state = np.clip(self._state(), space.low, space.high, dtype="f4")
        if self._first_images is None:
            images = self._images()
        else:
            images = {name: image.copy() for name, image in self._first_images.items()}
        return images | {"state": state}

    def _images(self) -> dict[str, np.ndarray]:
        return {name: camera.draw(self._data) for name, camera in self._cameras.items()}


class GripperEnv(TabletopEnv):
    """The same arm with a gripper that opens and closes.

    Observation: "state" float32 [11]: the 10 of `TabletopEnv` and the distance between the fingers [m].
    Action: float32 [4]: the 3 of `TabletopEnv`, and where the fingers shall be: -1 closed to 1 wide open. What is
    between them stops them: they press with at most their rated force.
    info: "opening" [m] besides.
    """

    workspace = GRIP_WORKSPACE
    n_actions = 4
    state_names = (*TabletopEnv.state_names, "finger_opening")
    action_names = (*TabletopEnv.action_names, "finger_opening_wanted")

    def _begin(self) -> None:
        self._fingers = [int(self._model.joint(name).qposadr[0]) for name in FINGERS]
        self._finger_bodies = {self._model.body(name).id for name in FINGERS}
        self._data.qpos[self._fingers] = self._data.ctrl[N_JOINTS:] = self.scene.opening / 2
        mujoco.mj_forward(self._model, self._data)

    def _command(self, action: np.ndarray) -> None:
        super()._command(action)
        self._data.ctrl[N_JOINTS:] = GRIPPER_OPENING / 2 * (action[3] + 1) / 2

    def _state_range(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = super()._state_range()
        return np.append(low, -0.01), np.append(high, GRIPPER_OPENING + 0.01)

    def _state(self) -> np.ndarray:
        return np.append(super()._state(), self._opening())

    def _opening(self) -> float:
        """Distance between the fingers [m]."""
        return float(self._data.qpos[self._fingers].sum())

    def _touching(self, body: int) -> int:
        """How many fingers touch a body."""
        pairs = self._model.geom_bodyid[self._data.contact.geom]  # [contacts, 2]
        others = {int(pair[1 - side]) for pair in pairs for side in (0, 1) if pair[side] == body}
        return len(others & self._finger_bodies)
