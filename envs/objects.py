"""The objects: families of shapes, colours and textures, split into disjoint kinds for meta-training and meta-testing.

A *kind* is a combination (shape, colour name, texture). Every kind belongs to exactly one split, by a permutation fixed
by `SPLIT_SEED`, so an object of the meta-test split differs from every meta-training object in at least one of the
three. Size, exact shade, second colour and yaw are drawn anew for each object.

Two more splits are further from meta-training: known shapes with textures, and shapes with textures, that no object of
meta-training has.
"""

import itertools
from dataclasses import dataclass
from functools import cache, cached_property

import mujoco
import numpy as np

from envs.errors import EnvError
from envs.shapes import CONTAINERS, NOVEL_CONTAINERS, NOVEL_SHAPES, SHAPES, Part, rotation, side, top
from envs.textures import NOVEL_PATTERNS, PATTERNS, RGB, add_material, pattern_image

SPLIT_SEED = 20180205
SPLITS = {"train": 0.7, "val": 0.1, "test": 0.2}
"""Meta-training, meta-validation and meta-test share of the kinds."""
NOVEL_SPLITS = ("test-textures", "test-shapes")
"""Known shapes with textures, and shapes with textures, of no object of the splits above."""
ALL_SPLITS = (*SPLITS, *NOVEL_SPLITS)
"""All that can be asked for."""

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.00, 0.85, 0.80),
    "orange": (0.07, 0.90, 0.95),
    "yellow": (0.15, 0.85, 0.95),
    "lime": (0.24, 0.80, 0.85),
    "green": (0.36, 0.80, 0.55),
    "teal": (0.48, 0.85, 0.65),
    "cyan": (0.53, 0.70, 0.95),
    "azure": (0.58, 0.85, 0.90),
    "blue": (0.64, 0.85, 0.75),
    "violet": (0.74, 0.70, 0.75),
    "magenta": (0.83, 0.75, 0.80),
    "pink": (0.93, 0.50, 0.95),
    "white": (0.00, 0.00, 0.95),
    "black": (0.00, 0.00, 0.10),
}
"""Name -> hue, saturation, value at the centre of the shade; hues wrap at 1."""

MIN_CONTRAST = 35.0
"""Least CIELAB distance between the mean colours of two objects of one set; about 2.3 is just noticeable."""

RADIUS_RANGE = (0.034, 0.044)
"""Half the width of an object on the table [m]."""

_DENSITY = 400.0  # [kg/m^3], between wood and plastic


@dataclass(frozen=True)
class ObjectSpec:
    """One object: what it looks like and how large it is.

    shape, colour, pattern: its kind.  radius: half its width [m].  rgb, rgb2: its two colours.  seed: of its texture.
    """

    shape: str
    colour: str
    pattern: str
    radius: float
    rgb: RGB
    rgb2: RGB
    seed: int

    @property
    def kind(self) -> tuple[str, str, str]:
        return self.shape, self.colour, self.pattern

    @property
    def name(self) -> str:
        """Colour and shape, as `named_object` takes them."""
        return f"{self.colour}-{self.shape}"

    @property
    def in_words(self) -> str:
        """Colour, pattern and shape."""
        return f"{self.colour} {self.pattern} {self.shape}"

    @cached_property
    def height(self) -> float:
        """Height of its top above the table [m]."""
        return max(top(part) for part in self.parts) * self.radius

    @cached_property
    def width(self) -> float:
        """Its extent along y, where a gripper holds it, at yaw 0 [m]."""
        return 2 * max(side(part) for part in self.parts) * self.radius

    @cached_property
    def parts(self) -> list[Part]:
        """Its primitives, in units of its radius."""
        return (SHAPES | CONTAINERS | NOVEL_SHAPES | NOVEL_CONTAINERS)[self.shape]()


@dataclass(frozen=True)
class Family:
    """Objects that serve one purpose.

    shapes: their names.  radius: range of half their width [m].  catalogue: all shapes that were split together.
    novel: names of the shapes of the split "test-shapes".
    """

    shapes: tuple[str, ...]
    radius: tuple[float, float] = RADIUS_RANGE
    catalogue: tuple[str, ...] = tuple(SHAPES)
    novel: tuple[str, ...] = tuple(NOVEL_SHAPES)


OBJECTS = Family(tuple(SHAPES))
"""What a fingertip can touch."""
ITEMS = Family(("cube", "brick", "can", "mug"), radius=(0.030, 0.0345))
"""What a gripper can hold: no wider than 0.06 m where it is held."""
OPEN_CONTAINERS = Family(
    tuple(CONTAINERS), radius=(0.056, 0.066), catalogue=tuple(CONTAINERS), novel=tuple(NOVEL_CONTAINERS)
)
"""What an item can be placed in."""


@cache
def kinds(split: str, family: Family = OBJECTS) -> tuple[tuple[str, str, str], ...]:
    """All (shape, colour, pattern) of a split of a family.

    Families of one catalogue share its permutation: a kind is in the same split in all of them.

    Raises:
        EnvError: an unknown split.
    """
    if split not in ALL_SPLITS:
        raise EnvError(f"split: got {split!r}, allowed {list(ALL_SPLITS)}")
    if split in NOVEL_SPLITS:
        shapes = family.shapes if split == "test-textures" else family.novel
        return tuple(itertools.product(shapes, COLOURS, NOVEL_PATTERNS))
    everything = list(itertools.product(family.catalogue, COLOURS, PATTERNS))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(everything))
    ends = np.round(np.cumsum(list(SPLITS.values())) * len(order)).astype(int)
    last = ends[list(SPLITS).index(split)]
    first = last - round(SPLITS[split] * len(order))
    return tuple(everything[i] for i in order[first:last] if everything[i][0] in family.shapes)


def sample_object(rng: np.random.Generator, split: str, family: Family = OBJECTS) -> ObjectSpec:
    """Draws one object of a split."""
    pool = kinds(split, family)
    shape, colour, pattern = pool[rng.integers(len(pool))]
    second = list(COLOURS)[rng.integers(len(COLOURS))]
    return ObjectSpec(
        shape=shape,
        colour=colour,
        pattern=pattern,
        radius=float(rng.uniform(*family.radius)),
        rgb=_shade(rng, colour),
        rgb2=_shade(rng, second),
        seed=int(rng.integers(2**31)),
    )


def named_object(rng: np.random.Generator, name: str, family: Family = OBJECTS) -> ObjectSpec:
    """Draws an object of one colour by its name, such as "red-cube".

    Raises:
        EnvError: no such colour, or no such shape in the family.
    """
    colour, _, shape = name.partition("-")
    if colour not in COLOURS or shape not in family.shapes:
        raise EnvError(
            f"object: got {name!r}, allowed COLOUR-SHAPE, such as red-{family.shapes[0]}, of the colours "
            f"{', '.join(COLOURS)} and the shapes {', '.join(family.shapes)}"
        )
    shade = _shade(rng, colour)
    return ObjectSpec(shape, colour, "plain", float(rng.uniform(*family.radius)), shade, shade, seed=0)


def sample_set(
    rng: np.random.Generator, split: str, n: int, *backgrounds: RGB, family: Family = OBJECTS
) -> tuple[ObjectSpec, ...]:
    """Draws `n` objects that differ from each other and from the backgrounds by `MIN_CONTRAST`."""
    chosen: list[ObjectSpec] = []
    seen = [_lab(background) for background in backgrounds]
    while len(chosen) < n:
        candidate = sample_object(rng, split, family)
        lab = _lab(mean_colour(candidate))
        if all(np.linalg.norm(lab - other) >= MIN_CONTRAST for other in seen):
            chosen.append(candidate)
            seen.append(lab)
    return tuple(chosen)


def mean_colour(spec: ObjectSpec) -> RGB:
    """The colour of an object seen from afar."""
    r, g, b = pattern_image(spec.pattern, spec.rgb, spec.rgb2, spec.seed).mean((0, 1)) / 255
    return float(r), float(g), float(b)


def add_object(spec: mujoco.MjSpec, name: str, thing: ObjectSpec, position: np.ndarray, yaw: float) -> mujoco.MjsBody:
    """Stands an object on the table, fixed in place unless the returned body is given a joint.

    Args:
        spec: the scene.
        name: of the body.
        thing: the object.
        position: [2] of its centre on the table, or [3] of the middle of its underside [m].
        yaw: about the vertical [rad].
    """
    half = yaw / 2
    position = np.resize([*position, 0.0], 3)
    body = spec.worldbody.add_body(name=name, pos=position, quat=[np.cos(half), 0, 0, np.sin(half)])
    material = add_material(spec, name, pattern_image(thing.pattern, thing.rgb, thing.rgb2, thing.seed), repeat=0)
    for part in thing.parts:
        size = np.zeros(3)
        size[: len(part.size)] = np.multiply(part.size, thing.radius)
        body.add_geom(
            type=part.geom,
            size=size,
            pos=np.multiply(part.centre, thing.radius),
            quat=rotation(part),
            material=material,
            density=_DENSITY,
            contype=1,
            conaffinity=1,
        )
    return body


def _shade(rng: np.random.Generator, colour: str) -> RGB:
    hue, saturation, value = COLOURS[colour]
    return _hsv_to_rgb(
        (hue + rng.uniform(-0.015, 0.015)) % 1,
        np.clip(saturation * rng.uniform(0.85, 1.1), 0, 1),
        np.clip(value * rng.uniform(0.85, 1.05), 0, 1),
    )


def _hsv_to_rgb(hue: float, saturation: float, value: float) -> RGB:
    k = (np.array([5, 3, 1]) + 6 * hue) % 6
    r, g, b = value - value * saturation * np.clip(np.minimum(k, 4 - k), 0, 1)
    return float(r), float(g), float(b)


def _lab(rgb: RGB) -> np.ndarray:
    """sRGB to CIELAB (D65 white)."""
    c = np.asarray(rgb)
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ linear / np.array([0.9505, 1.0, 1.089])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])
