"""The objects: splits that can be relied on, and sets whose members can be told apart."""

import hashlib
import itertools

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.errors import EnvError
from envs.objects import (
    COLOURS,
    MIN_CONTRAST,
    RADIUS_RANGE,
    SHAPES,
    SPLITS,
    ObjectSpec,
    add_object,
    kinds,
    mean_colour,
    sample_object,
    sample_set,
)
from envs.render import Camera
from envs.textures import PATTERNS, SIZE, pattern_image

GREY = (0.5, 0.5, 0.5)
CHECKSUMS = {
    "train": "4198f38a89fbc71d",
    "val": "2476cbd400ed1c3e",
    "test": "ab3a2774dd6cc354",
}
"""Of the sorted kinds. A change makes every trained policy's held-out results worthless: change SPLIT_SEED with it."""
seeds = st.integers(0, 2**32 - 1)


def lab(rgb):
    """sRGB to CIELAB, written out from the standard (IEC 61966-2-1, CIE 15) independently of the code under test."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    fx, fy, fz = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def test_the_splits_are_disjoint():
    for one, other in itertools.combinations(SPLITS, 2):
        assert not set(kinds(one)) & set(kinds(other))


def test_the_splits_cover_everything_once():
    everything = [kind for split in SPLITS for kind in kinds(split)]
    assert len(everything) == len(SHAPES) * len(COLOURS) * len(PATTERNS)
    assert set(everything) == set(itertools.product(SHAPES, COLOURS, PATTERNS))


def test_the_splits_have_their_shares():
    assert sum(SPLITS.values()) == pytest.approx(1)
    total = sum(len(kinds(split)) for split in SPLITS)
    assert {split: len(kinds(split)) / total for split in SPLITS} == pytest.approx(SPLITS, abs=0.002)


@pytest.mark.parametrize("split", SPLITS)
def test_the_splits_never_change(split):
    text = "\n".join("/".join(kind) for kind in sorted(kinds(split)))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == CHECKSUMS[split]


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_has_every_shape_colour_and_pattern(split):
    shapes, colours, patterns = map(set, zip(*kinds(split), strict=True))
    assert (shapes, colours, patterns) == (set(SHAPES), set(COLOURS), set(PATTERNS))


def test_an_unknown_split_is_an_error():
    with pytest.raises(EnvError, match=r"split: got 'validation', allowed \['train', 'val', 'test'"):
        kinds("validation")


@given(seed=seeds, split=st.sampled_from(list(SPLITS)))
def test_a_drawn_object_is_of_its_split_and_size(seed, split):
    thing = sample_object(np.random.default_rng(seed), split)
    assert thing.kind in kinds(split)
    assert RADIUS_RANGE[0] <= thing.radius <= RADIUS_RANGE[1]
    assert all(0 <= c <= 1 for c in (*thing.rgb, *thing.rgb2))
    assert 0.01 < thing.height < 0.12


@given(
    seed=seeds, split=st.sampled_from(list(SPLITS)), n=st.integers(1, 5), background=st.tuples(*[st.floats(0, 1)] * 3)
)
def test_the_objects_of_a_set_can_be_told_apart(seed, split, n, background):
    things = sample_set(np.random.default_rng(seed), split, n, background)
    assert len(things) == n
    colours = [lab(background), *(lab(mean_colour(thing)) for thing in things)]
    gaps = [np.linalg.norm(a - b) for a, b in itertools.combinations(colours, 2)]
    assert min(gaps) >= MIN_CONTRAST - 0.05


def test_a_set_is_decided_by_its_generator():
    one, same, other = (sample_set(np.random.default_rng(seed), "train", 3, GREY) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_hues_are_what_their_names_say():
    rng = np.random.default_rng(0)
    strongest = {"red": 0, "green": 1, "blue": 2}
    for _ in range(300):
        thing = sample_object(rng, "train")
        if thing.colour in strongest:
            assert np.argmax(thing.rgb) == strongest[thing.colour]
        if thing.colour == "white":
            assert np.ptp(thing.rgb) < 1e-9
            assert min(thing.rgb) > 0.75
        if thing.colour == "black":
            assert max(thing.rgb) < 0.15


def stood(shape, pattern="plain", yaw=0.0, radius=0.04, rgb=(0.9, 0.1, 0.1)):
    """One object at the origin under a camera that looks straight down: (model, data)."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.worldbody.add_camera(name="above", pos=[0, 0, 0.6], fovy=20)
    spec.worldbody.add_light(type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, dir=[0, 0, -1])
    thing = ObjectSpec(shape, "red", pattern, radius, rgb, (1.0, 1.0, 1.0), 0)
    add_object(spec, "thing", thing, np.zeros(2), yaw)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return thing, model, data


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_stands_on_the_table_at_its_height(shape):
    """Rays from above and below find the top at `height` and the bottom at zero."""
    thing, model, data = stood(shape)
    hit = np.zeros(1, np.int32)
    grid = np.stack(np.meshgrid(*[np.linspace(-0.06, 0.06, 61)] * 2), -1).reshape(-1, 2)
    down = [mujoco.mj_ray(model, data, [x, y, 1.0], [0.0, 0, -1], None, 1, -1, hit) for x, y in grid]
    up = [mujoco.mj_ray(model, data, [x, y, -1.0], [0.0, 0, 1], None, 1, -1, hit) for x, y in grid]
    assert 1 - min(d for d in down if d >= 0) == pytest.approx(thing.height, abs=1e-3)
    assert min(d for d in up if d >= 0) - 1 == pytest.approx(0, abs=1e-3)
    # It is as wide as it says, give or take the family's proportions.
    reach = np.abs(grid[np.array(down) >= 0]).max()
    assert 0.8 * thing.radius < reach <= 1.35 * thing.radius


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_drawn_in_its_colour(shape):
    _, model, data = stood(shape)
    camera = Camera(model, "above", 48, 48)
    image = camera.draw(data).astype(int)
    camera.close()
    middle = image[16:32, 16:32].reshape(-1, 3)
    red = (middle[:, 0] > 60) & (middle[:, 0] > 3 * middle[:, 1])
    assert red.mean() > 0.5
    assert (image[:3].max(), image[:, :3].max()) == (0, 0), "nothing else is in the picture"


@pytest.mark.parametrize("pattern", sorted(set(PATTERNS) - {"plain"}))
def test_a_pattern_is_seen_on_an_object(pattern):
    _, model, data = stood("cube", pattern)
    camera = Camera(model, "above", 64, 64)
    image = camera.draw(data).astype(int)
    camera.close()
    green = image[26:38, 26:38, 1]
    assert np.ptp(green) > 60


def test_yaw_turns_the_object():
    _, model, data = stood("brick", yaw=np.pi / 2)
    hit = np.zeros(1, np.int32)
    # The brick is longer along its own x axis, which now points along the world's y axis.
    assert mujoco.mj_ray(model, data, [0, 0.045, 1.0], [0.0, 0, -1], None, 1, -1, hit) > 0
    assert mujoco.mj_ray(model, data, [0.045, 0, 1.0], [0.0, 0, -1], None, 1, -1, hit) < 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_mixes_its_two_colours(pattern):
    image = pattern_image(pattern, (1, 0, 0), (0, 0, 1), 3)
    assert image.shape == (SIZE, SIZE, 3)
    assert image.dtype == np.uint8
    assert (image[..., 1] == 0).all()
    assert (abs(image[..., 0].astype(int) + image[..., 2] - 255) <= 1).all(), "a mixture of red and blue"
    if pattern == "plain":
        assert (image == [255, 0, 0]).all()
    else:
        assert image[..., 0].min() < 30
        assert image[..., 0].max() > 225


def test_a_pattern_is_decided_by_its_seed():
    one, same, other = (pattern_image("clouds", (1, 0, 0), (0, 0, 1), seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_an_unknown_pattern_is_an_error():
    with pytest.raises(EnvError, match=r"texture pattern: got 'paisley', allowed .*'checker'"):
        pattern_image("paisley", GREY, GREY, 0)
