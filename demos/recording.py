"""Recordings: everything about one episode, from which it can be shown, learned from and done again."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from demos.errors import DemoError
from demos.recipe import Recipe, digest
from demos.skills import short_name
from demos.tasks import N_OBJECTS
from demos.types import freeze
from envs.appearance import Dials
from envs.errors import EnvError
from envs.scene import Scene
from envs.tabletop import CAMERAS, images_of

FORMAT = 1
"""Version of `RecordingInfo`."""
ACTORS = ("expert", "human", "policy")
MAX_STEPS = 100_000
"""Longest recording [steps]."""


@dataclass(frozen=True)
class RecordingInfo:
    """What a recording is.

    recipe: of its scene.  by: who acted.  policy: which one, when it was a policy.  task: in words.  scene: digest of
    the scene.  steps: actions, or frames after the first one.  fps: steps a second.  size: height and width of the
    images [px].  success, distance: at the end, distance [m]; None for a human.  mujoco: version that computed it.
    cameras: as `check_cameras_of`.
    """

    recipe: Recipe
    by: str
    policy: str | None
    task: str
    scene: str
    steps: int
    fps: float
    size: tuple[int, int]
    success: bool | None
    distance: float | None
    mujoco: str
    format: int = FORMAT
    cameras: tuple[str, ...] = CAMERAS[0]

    def __post_init__(self) -> None:
        if self.by not in ACTORS:
            raise DemoError(f"by: got {self.by!r}, allowed {list(ACTORS)}")
        if not 1 <= self.steps <= MAX_STEPS:
            raise DemoError(f"steps: got {self.steps}, allowed 1 to {MAX_STEPS}")
        if not 0 < self.fps < 1e4:
            raise DemoError(f"fps: got {self.fps}, allowed more than 0")
        check_cameras_of(self.by, self.cameras)

    @property
    def name(self) -> str:
        """The folder's name."""
        return folder_name(self.recipe, self.by)

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images in an observation, one of each camera."""
        return images_of(self.cameras)

    def said(self) -> dict[str, Any]:
        """As JSON holds it. What is seen through the usual camera is said as it was before there was another one."""
        said = asdict(self) | {"recipe": self.recipe.said()}
        return {name: value for name, value in said.items() if name != "cameras" or value != CAMERAS[0]}


@dataclass(frozen=True)
class Recording:
    """One episode.

    observations: of a robot `RecordingInfo.images` uint8 [T + 1, H, W, 3] and "state" float32 [T + 1, n], before each
    action and at the end; of a human "image" and "time" float32 [T + 1, 1] [s].  actions: float32 [T, m]; m = 0 for a
    human.  rewards: float64 [T].  terminations, truncations: bool [T].
    """

    info: RecordingInfo
    observations: dict[str, np.ndarray]
    actions: np.ndarray
    rewards: np.ndarray
    terminations: np.ndarray
    truncations: np.ndarray

    def __post_init__(self) -> None:
        steps = self.info.steps
        for name, array in self.observations.items():
            _check(name, array, steps + 1)
        for name in ("actions", "rewards", "terminations", "truncations"):
            _check(name, getattr(self, name), steps)
        for name in self.info.images:
            image = self.observations.get(name)
            if image is None or image.dtype != np.uint8 or image.shape[1:] != (*self.info.size, 3):
                raise DemoError(f"images: got {_what(image)}, allowed uint8 {(steps + 1, *self.info.size, 3)}")
        names = [*self.info.images, "time" if self.info.by == "human" else "state"]
        if set(self.observations) != set(names):
            raise DemoError(f"observations: got {sorted(self.observations)}, allowed {names}")
        arrays = ("actions", "rewards", "terminations", "truncations")
        freeze(self, **{name: getattr(self, name) for name in arrays})
        for array in self.observations.values():
            array.flags.writeable = False

    @property
    def images(self) -> np.ndarray:
        """uint8 [T + 1, H, W, 3]."""
        return self.observations["image"]


def check_cameras_of(by: str, cameras: tuple[str, ...]) -> None:
    """Refuses cameras that one of `ACTORS` is not seen through.

    Raises:
        DemoError: they are not of `envs.tabletop.CAMERAS`; or a human has one in the hand.
    """
    allowed = CAMERAS[:1] if by == "human" else CAMERAS
    if cameras not in allowed:
        raise DemoError(f"cameras: got {cameras}, allowed {' or '.join(map(str, allowed))} for a recording by {by}")


def folder_name(recipe: Recipe, by: str) -> str:
    """Of a recording: a valid Minari dataset name, with the environment's version as its own."""
    r = recipe
    number = r.env_id.rpartition("-v")[2]
    nudge = f"-nudge{r.nudge}" if r.nudge else ""
    scene = f"seed{r.seed}-{r.split}{r.index}-goal{r.goal}-trial{r.trial}{nudge}"
    name = short_name(r.env_id).lower().replace(".", "-")  # Minari allows no dot
    return f"{name}-{by}-{scene}-v{number}"


def env_arguments(info: RecordingInfo) -> dict[str, Any]:
    """What its environment is made with, as JSON holds it: scenes that are drawn in it are of the recording's kind."""
    size, dials = list(info.size), asdict(Dials())
    nudge = {"nudge": info.recipe.nudge} if info.recipe.nudge else {}
    cameras = {"cameras": list(info.cameras)} if info.cameras != CAMERAS[0] else {}
    return {"split": info.recipe.split, "image_size": size, "n_objects": N_OBJECTS, "dials": dials} | nudge | cameras


def check_scene(info: RecordingInfo) -> Scene:
    """Draws the scene of a recording again.

    Raises:
        DemoError: it is another one than was recorded: the environment or the sampling has changed since.
    """
    try:
        scene = info.recipe.human_scene() if info.by == "human" else info.recipe.robot_scene()
    except EnvError as error:
        raise DemoError(f"scene of {info.name}: {error}") from error
    if digest(scene) != info.scene:
        raise DemoError(
            f"scene of {info.name}: got another one than was recorded (checksum {digest(scene)[:8]}), allowed "
            f"{info.scene[:8]}; it was recorded by another version of {info.recipe.env_id}, record it again"
        )
    return scene


def _check(name: str, array: np.ndarray, length: int) -> None:
    if not isinstance(array, np.ndarray) or not array.ndim or len(array) != length:
        raise DemoError(f"{name}: got {_what(array)}, allowed {length} rows")
    if array.dtype.kind not in "fub" or not np.isfinite(array).all():
        raise DemoError(f"{name}: got {array.dtype} with numbers that are not finite, allowed finite numbers")


def _what(array: Any) -> str:
    return f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
