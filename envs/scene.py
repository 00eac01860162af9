"""Scenes: everything that is decided before a demonstration starts, as data, and the models built from it."""

from dataclasses import dataclass, replace

import mujoco
import numpy as np

from envs.appearance import Appearance, Dials, add_surroundings, sample_appearance
from envs.errors import EnvError
from envs.human import HumanLook, add_human, sample_human
from envs.objects import ObjectSpec, add_object, sample_set
from envs.robot import add_robot

OBJECT_AREA = ((0.40, 0.64), (-0.23, 0.23))
"""Where objects stand: x range, y range [m], in the robot's frame."""

SPACING = 0.13
"""Least distance between the centres of two objects [m]."""

START_AREA = ((0.30, 0.36), (-0.18, 0.18), (0.20, 0.30))
"""Where the robot's fingertip starts: x, y, z range [m]."""

TIMESTEP = 0.01
"""Of the physics [s]."""


@dataclass(frozen=True)
class Scene:
    """One arrangement of objects on a table, seen in one light by one camera, and which of them is the goal.

    objects: n of them.  positions: n pairs (x, y) [m].  yaws: n [rad].  goal: index of the goal object.
    look: table, light, camera.  human: who demonstrates.  start: [3] where the robot's fingertip starts [m].
    """

    objects: tuple[ObjectSpec, ...]
    positions: tuple[tuple[float, float], ...]
    yaws: tuple[float, ...]
    goal: int
    look: Appearance
    human: HumanLook
    start: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not 0 <= self.goal < len(self.objects):
            raise EnvError(f"goal: got {self.goal}, allowed 0 to {len(self.objects) - 1}")

    @property
    def tops(self) -> np.ndarray:
        """[n, 3] the top centre of every object [m]."""
        return np.array([(*xy, thing.height) for xy, thing in zip(self.positions, self.objects, strict=True)])

    def with_goal(self, goal: int) -> "Scene":
        """The same scene with another goal."""
        return replace(self, goal=goal)


def sample_scene(
    rng: np.random.Generator,
    split: str,
    *,
    n_objects: int = 3,
    dials: Dials | None = None,
    objects: tuple[ObjectSpec, ...] | None = None,
) -> Scene:
    """Draws a scene.

    Args:
        rng: source of all randomness.
        split: which objects: "train", "val" or "test".
        n_objects: how many.
        dials: how far the look may vary.
        objects: use these instead of drawing a set (the human's and the robot's scene of a task share them).
    """
    look = sample_appearance(rng, dials or Dials())
    things = objects or sample_set(rng, split, n_objects, look.table_rgb)
    return Scene(
        objects=things,
        positions=_sample_positions(rng, len(things)),
        yaws=tuple(float(a) for a in rng.uniform(-np.pi, np.pi, len(things))),
        goal=int(rng.integers(len(things))),
        look=look,
        human=sample_human(rng),
        start=tuple(float(rng.uniform(*axis)) for axis in START_AREA),  # type: ignore[arg-type]
    )


def _sample_positions(rng: np.random.Generator, n: int) -> tuple[tuple[float, float], ...]:
    """`n` points of `OBJECT_AREA` at least `SPACING` apart, by rejection of whole arrangements (no bias by order)."""
    (x0, x1), (y0, y1) = OBJECT_AREA
    for _ in range(10_000):
        points = rng.uniform((x0, y0), (x1, y1), (n, 2))
        gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)[~np.eye(n, dtype=bool)]
        if not gaps.size or gaps.min() >= SPACING:
            return tuple((float(x), float(y)) for x, y in points)
    raise EnvError(f"number of objects: got {n}, which do not fit on the table {SPACING} m apart")


def robot_model(scene: Scene) -> mujoco.MjModel:
    """The scene with the robot in it."""
    spec = _empty(scene)
    add_robot(spec)
    return spec.compile()


def human_model(scene: Scene) -> mujoco.MjModel:
    """The same scene with the human's arm instead of the robot."""
    spec = _empty(scene)
    add_human(spec, scene.human)
    return spec.compile()


def _empty(scene: Scene) -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = TIMESTEP
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Multisampling and shadows cost two to six times the frame rate on a CPU, a shadow map 40 ms a model; curves of
    # this many facets look round at the sizes a policy sees.
    spec.visual.quality.offsamples = spec.visual.quality.shadowsize = 0
    spec.visual.quality.numslices, spec.visual.quality.numstacks = 16, 10
    spec.visual.map.znear, spec.visual.map.zfar = 0.05, 20.0
    add_surroundings(spec, scene.look)
    for i, (thing, position, yaw) in enumerate(zip(scene.objects, scene.positions, scene.yaws, strict=True)):
        add_object(spec, f"object{i}", thing, np.array(position), yaw)
    return spec
