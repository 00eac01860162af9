"""Scenes: everything that is decided before a demonstration starts, as data, and the models built from it.

A `Layout` says what a task puts on the table and where; a `Scene` is one draw from it.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache

import mujoco
import numpy as np

from envs.appearance import Appearance, Dials, add_surroundings, sample_appearance
from envs.errors import EnvError
from envs.human import Hand as HumanHand
from envs.human import HumanLook, add_human, pointing_hand, sample_human
from envs.nudge import Nudge, sample_nudge
from envs.objects import OBJECTS, Family, ObjectSpec, add_object, mean_colour, named_object, sample_set
from envs.robot import Hand, add_robot, closed_hand

OBJECT_AREA = ((0.40, 0.64), (-0.23, 0.23))
"""Where objects stand: x range, y range [m], in the robot's frame."""

SPACING = 0.13
"""Least distance between the centres of two objects [m]."""

START_AREA = ((0.30, 0.36), (-0.18, 0.18), (0.20, 0.30))
"""Where the robot's fingertip starts: x, y, z range [m]."""

Positions = tuple[tuple[float, float], ...]
"""(x, y) of each object [m]."""
Arrange = Callable[[np.random.Generator, int], Positions]
"""(source of randomness, number of objects) -> where they stand."""


def scattered(rng: np.random.Generator, n: int) -> Positions:
    """Objects anywhere in `OBJECT_AREA`, `SPACING` apart."""
    return spread(rng, n, OBJECT_AREA, SPACING)


def spread(rng: np.random.Generator, n: int, area: tuple, spacing: float) -> Positions:
    """`n` points of an area at least `spacing` apart [m], by rejection of whole arrangements (no bias by order).

    Raises:
        EnvError: they do not fit there.
    """
    (x0, x1), (y0, y1) = area
    for _ in range(10_000):
        points = rng.uniform((x0, y0), (x1, y1), (n, 2))
        gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)[~np.eye(n, dtype=bool)]
        if not gaps.size or gaps.min() >= spacing:
            return tuple((float(x), float(y)) for x, y in points)
    raise EnvError(f"number of objects: got {n}, which do not fit on the table {spacing} m apart")


def staggered(rng: np.random.Generator, n: int, low: float, high: float, gap: float) -> np.ndarray:
    """`n` ascending numbers between `low` and `high`, at least `gap` apart; the slack is shared out evenly at random.

    Raises:
        EnvError: they do not fit.
    """
    slack = high - low - (n - 1) * gap
    if slack < 0:
        raise EnvError(f"number of objects: got {n}, allowed as many as lanes of {gap} m fit on the table")
    return low + gap * np.arange(n) + np.sort(rng.uniform(0, slack, n))


def _check_constant(name: str, value: object) -> None:
    """What is compiled once must not change afterwards.

    Raises:
        EnvError: it could.
    """
    try:
        hash(value)
    except TypeError as error:
        raise EnvError(f"{name}: got an {error}, allowed tuples, frozen dataclasses and functions") from None


def _nothing(spec: mujoco.MjSpec) -> None:
    pass


_FRICTION = (0.5, 0.01, 0.001)  # sliding, twisting [m], rolling [m] of a wooden block on a wooden table


@dataclass(frozen=True)
class Aims:
    """The second part of a goal, besides its object: one of several.

    kind: in a word, "verb" (what is done to the object) or "container" (what it is put into).  names: of each.
    """

    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """What a task puts on the table, and how.

    family: of the objects, one of which is the goal.  most: objects at most.  arrange: draws their positions.
    turn: their largest yaw to either side [rad].  movable: whether they can be moved; else they are fixed to the table.
    start_area: where the robot's fingertip starts, x, y, z range [m].  fingers, opening: the robot's, and how far they
    are open at the start, range [m]; None is closed for good.  hand_yaw: of the robot's hand [rad].  human_hand: the
    human's.
    extra: one more thing, of this family, movable unless `extra_area` says where it is fixed, x, y range [m].
    containers: of this family, one for each aim, fixed where `arrange_containers` draws; none when None.
    marks: what is painted on the table.  timestep: of the physics [s].
    aims: what a goal says besides its object; None where that is always the same.
    """

    family: Family = OBJECTS
    most: int = 5
    arrange: Arrange = scattered
    turn: float = np.pi
    movable: bool = False
    start_area: tuple[tuple[float, float], ...] = START_AREA
    fingers: Hand = closed_hand
    opening: tuple[float, float] | None = None
    hand_yaw: float = 0.0
    human_hand: HumanHand = pointing_hand
    extra: Family | None = None
    extra_area: tuple[tuple[float, float], ...] | None = None
    containers: Family | None = None
    arrange_containers: Arrange = scattered
    marks: Callable[[mujoco.MjSpec], None] = _nothing
    timestep: float = 0.01
    aims: Aims | None = None

    def __post_init__(self) -> None:
        _check_constant("layout", self)

    @property
    def n_aims(self) -> int:
        """How many goals each object is in, 1 or more."""
        return len(self.aims.names) if self.aims else 1

    def goal_number(self, thing: int, aim: int) -> int:
        """The number of a goal: by object, and for each object by aim."""
        return thing * self.n_aims + aim

    def goal_parts(self, number: int) -> tuple[int, int]:
        """(object, aim) of a goal's number; the aim is 0 where there are none."""
        return divmod(number, self.n_aims)


REACHING = Layout()
"""Objects that stand still, and a hand that stays closed."""


@dataclass(frozen=True)
class Scene:
    """One arrangement of objects on a table, seen in one light by one camera, and what is to be done to which of them.

    objects: n of them.  positions: n pairs (x, y) [m].  yaws: n [rad].  goal: index of the goal object.
    look: table, light, camera.  human: who demonstrates.  start: [3] where the robot's fingertip starts [m].
    opening: between its fingers at the start [m].  extra: one more thing, at extra_position [m].  layout: of the task.
    aim: index of the goal's second part, of `Layout.aims`.  containers: one for each aim, at container_positions [m].
    nudge: how the objects are moved while the robot is on its way; None where they are not.
    """

    objects: tuple[ObjectSpec, ...]
    positions: tuple[tuple[float, float], ...]
    yaws: tuple[float, ...]
    goal: int
    look: Appearance
    human: HumanLook
    start: tuple[float, float, float]
    opening: float = 0.0
    extra: ObjectSpec | None = None
    extra_position: tuple[float, float] = (0.0, 0.0)
    layout: Layout = REACHING
    aim: int = 0
    containers: tuple[ObjectSpec, ...] = ()
    container_positions: Positions = ()
    nudge: Nudge | None = None

    def __post_init__(self) -> None:
        _check_constant("scene", self)
        if not 0 <= self.goal < len(self.objects):
            raise EnvError(f"goal: got {self.goal}, allowed 0 to {len(self.objects) - 1}")
        if not 0 <= self.aim < self.layout.n_aims:
            raise EnvError(f"aim: got {self.aim}, allowed 0 to {self.layout.n_aims - 1}")

    @property
    def nudged(self) -> "Scene":
        """The same scene once its nudge has moved the objects; itself where there is none."""
        if self.nudge is None:
            return self
        pairs = zip(self.positions, self.nudge.shifts, strict=True)
        return replace(self, positions=tuple((x + along, y + across) for (x, y), (along, across) in pairs), nudge=None)

    @property
    def feet(self) -> np.ndarray:
        """[n, 3] the middle of every object's underside [m]."""
        return np.array([(*xy, 0.0) for xy in self.positions])

    @property
    def tops(self) -> np.ndarray:
        """[n, 3] the top centre of every object [m]."""
        return _tops(self.positions, self.objects)

    @property
    def rims(self) -> np.ndarray:
        """[aims, 3] the middle of every container at the height of its rim [m]."""
        return _tops(self.container_positions, self.containers)

    def with_goal(self, number: int) -> "Scene":
        """The same scene with another goal: an object and, where there are aims, one of them.

        Args:
            number: of the goal, as `Layout.goal_parts` takes it; the object's index where there are no aims.
        """
        goal, aim = self.layout.goal_parts(number)
        return replace(self, goal=goal, aim=aim)


def _tops(positions: Positions, things: tuple[ObjectSpec, ...]) -> np.ndarray:
    return np.array([(*xy, thing.height) for xy, thing in zip(positions, things, strict=True)])


def sample_scene(
    rng: np.random.Generator,
    split: str,
    *,
    layout: Layout = REACHING,
    n_objects: int = 3,
    dials: Dials | None = None,
    like: Scene | None = None,
    nudge: int = 0,
) -> Scene:
    """Draws a scene.

    Args:
        rng: source of all randomness.
        split: which objects: one of `envs.objects.ALL_SPLITS`.
        layout: of the task.
        n_objects: how many.
        dials: how far the look may vary.
        like: take its objects instead of drawing some (the human's and the robot's scene of a task share them).
        nudge: level of `envs.nudge.FARTHEST`; all else is drawn alike whatever it is.
    """
    dials = dials or Dials()
    look = sample_appearance(rng, dials)
    things = like.objects if like else sample_set(rng, split, n_objects, look.table_rgb, family=layout.family)
    scene = Scene(
        objects=things,
        positions=_pairs(layout.arrange(rng, len(things))),
        yaws=tuple(float(a) for a in rng.uniform(-layout.turn, layout.turn, len(things))),
        goal=int(rng.integers(len(things))),
        look=look,
        human=sample_human(rng, dials),
        start=tuple(float(rng.uniform(*axis)) for axis in layout.start_area),  # type: ignore[arg-type]
        layout=layout,
    )
    if layout.opening:
        scene = replace(scene, opening=float(rng.uniform(*layout.opening)))
    colours = [look.table_rgb, *(mean_colour(thing) for thing in things)]
    if layout.extra:
        (extra,) = (like.extra,) if like else sample_set(rng, split, 1, *colours, family=layout.extra)
        area = layout.extra_area
        x, y = (float(rng.uniform(*axis)) for axis in area) if area else scene.start[:2]
        scene = replace(scene, extra=extra, extra_position=(x, y))
    if layout.containers:
        n = layout.n_aims
        containers = like.containers if like else sample_set(rng, split, n, *colours, family=layout.containers)
        scene = replace(scene, containers=containers, container_positions=_pairs(layout.arrange_containers(rng, n)))
    if layout.aims:
        scene = replace(scene, aim=int(rng.integers(layout.n_aims)))
    if nudge:
        fixed = [*scene.container_positions, *([scene.extra_position] if layout.extra_area else [])]
        stand = np.array(scene.positions), np.reshape(fixed, (-1, 2))
        scene = replace(scene, nudge=sample_nudge(rng.spawn(1)[0], nudge, *stand))
    return scene


def _pairs(positions: Positions) -> Positions:
    """Numbers of Python, whatever an arrangement of somebody's own made."""
    return tuple((float(x), float(y)) for x, y in positions)


def scene_with(rng: np.random.Generator, names: tuple[str, ...], like: Scene) -> Scene:
    """Draws a scene of the same task with objects of these names, such as "red-cube".

    Raises:
        EnvError: none or too many of them, or a name that there is not.
    """
    layout = like.layout
    if not 1 <= len(names) <= layout.most:
        raise EnvError(f"objects: got {len(names)}, allowed 1 to {layout.most} of them")
    things = tuple(named_object(rng, name, layout.family) for name in names)
    return sample_scene(rng, "test", layout=layout, like=replace(like, objects=things, goal=0))


def robot_model(scene: Scene) -> mujoco.MjModel:
    """The scene with the robot in it; what is movable has a free joint."""
    return copy(_compiled(robot_spec, _without_goal(scene)))


def robot_spec(scene: Scene) -> mujoco.MjSpec:
    """What `robot_model` is compiled from."""
    spec = _empty(scene)
    add_robot(spec, scene.layout.fingers)
    for body in _movable(spec, scene):
        body.add_freejoint()
        for geom in body.geoms:
            geom.friction, geom.condim = _FRICTION, 4
    return spec


def human_model(scene: Scene) -> mujoco.MjModel:
    """The same scene with the human's arm instead of the robot; what is movable is moved by hand (mocap bodies)."""
    return copy(_compiled(_human_spec, _without_goal(scene)))


def _human_spec(scene: Scene) -> mujoco.MjSpec:
    """What `human_model` is compiled from."""
    spec = _empty(scene)
    add_human(spec, scene.human, scene.layout.human_hand)
    for body in _movable(spec, scene):
        body.mocap = True
    return spec


def _without_goal(scene: Scene) -> Scene:
    """What the scenes of all tasks of a set have in common: nothing that is seen or simulated depends on the goal."""
    return replace(scene, goal=0, aim=0)


@lru_cache(maxsize=4)  # a set's human and robot, and as many trials again
def _compiled(spec: Callable[[Scene], mujoco.MjSpec], scene: Scene) -> mujoco.MjModel:
    """The model of a scene, which takes 15 times as long to compile as to copy. Never written to."""
    return spec(scene).compile()


def _empty(scene: Scene) -> mujoco.MjSpec:
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = scene.layout.timestep
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    if scene.layout.movable:
        # What lies still is not simulated until something touches it: half of the physics' time. What is fixed could
        # no more be moved by hand.
        spec.option.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP.value
    if scene.layout.movable or scene.layout.extra:
        # Without these a held item slowly slips out from between the fingers.
        spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        spec.option.impratio = 10
        # With several contacts from one convex collision, MuJoCo 4.0 now and then finds none between a cylinder and a
        # finger, and the other finger throws it.
        spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_MULTICCD.value
    # Multisampling and shadows cost two to six times the frame rate on a CPU, a shadow map 40 ms a model; curves of
    # this many facets look round at the sizes a policy sees. A side of a box is one quad: with 16 of them, MuJoCo's
    # default, an image of containers takes 1.5 times as long, and differs by 0.3 of 255 in the mean.
    spec.visual.quality.offsamples = spec.visual.quality.shadowsize = 0
    spec.visual.quality.numslices, spec.visual.quality.numstacks = 16, 10
    spec.visual.quality.numquads = 1
    spec.visual.map.znear, spec.visual.map.zfar = 0.05, 20.0
    add_surroundings(spec, scene.look)
    scene.layout.marks(spec)
    for i, (thing, position, yaw) in enumerate(zip(scene.objects, scene.positions, scene.yaws, strict=True)):
        add_object(spec, f"object{i}", thing, np.array(position), yaw)
    if scene.extra:
        add_object(spec, "extra", scene.extra, np.array(scene.extra_position), 0.0)
    for i, (thing, position) in enumerate(zip(scene.containers, scene.container_positions, strict=True)):
        add_object(spec, f"container{i}", thing, np.array(position), 0.0)
    return spec


def _movable(spec: mujoco.MjSpec, scene: Scene) -> list[mujoco.MjsBody]:
    names = [f"object{i}" for i in range(len(scene.objects))] if scene.layout.movable else []
    if scene.extra and not scene.layout.extra_area:
        names.append("extra")
    return [spec.body(name) for name in names]
