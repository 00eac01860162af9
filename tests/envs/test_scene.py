"""Scenes: where things stand, what they share, and how they look on which dial."""

import itertools
from dataclasses import asdict, replace

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.appearance import CAMERA, TABLE_CENTRE, TABLE_HALF_SIZE, Dials, add_surroundings, project, sample_appearance
from envs.errors import EnvError
from envs.objects import SPLITS
from envs.render import Camera
from envs.scene import OBJECT_AREA, SPACING, START_AREA, Layout, human_model, robot_model, sample_scene, scattered

seeds = st.integers(0, 2**32 - 1)
STILL = Dials(table=0, light=0, view=0)


@given(seed=seeds, n=st.integers(1, 5), split=st.sampled_from(list(SPLITS)))
def test_objects_stand_apart_and_inside_their_area(seed, n, split):
    scene = sample_scene(np.random.default_rng(seed), split, n_objects=n)
    assert len(scene.objects) == len(scene.positions) == len(scene.yaws) == n
    for position in scene.positions:
        for value, (low, high) in zip(position, OBJECT_AREA, strict=True):
            assert low <= value <= high
    for one, other in itertools.combinations(scene.positions, 2):
        assert np.hypot(*np.subtract(one, other)) >= SPACING
    for value, (low, high) in zip(scene.start, START_AREA, strict=True):
        assert low <= value <= high
    assert 0 <= scene.goal < n


def test_positions_fill_the_area_whatever_their_order():
    """No place is left out, and the first object of an arrangement has no other places than the last."""
    scenes = [sample_scene(np.random.default_rng(seed), "train") for seed in range(300)]
    positions = np.array([scene.positions for scene in scenes])
    for axis, (low, high) in enumerate(OBJECT_AREA):
        values = (positions[..., axis] - low) / (high - low)
        assert values.min() < 0.02
        assert values.max() > 0.98
        assert values.mean(0) == pytest.approx([0.5] * 3, abs=0.08)
    assert np.bincount([scene.goal for scene in scenes], minlength=3).min() > 60


def test_too_many_objects_are_an_error():
    with pytest.raises(EnvError, match=f"number of objects: got 30, which do not fit .* {SPACING} m apart"):
        scattered(np.random.default_rng(0), 30)


def test_a_scene_is_decided_by_its_generator():
    one, same, other = (sample_scene(np.random.default_rng(seed), "train") for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_given_objects_are_used_in_their_order():
    first = sample_scene(np.random.default_rng(0), "train")
    second = sample_scene(np.random.default_rng(1), "train", like=first)
    assert second.objects == first.objects
    assert second.positions != first.positions
    assert second.look != first.look


def test_another_goal_changes_nothing_else():
    scene = sample_scene(np.random.default_rng(0), "train")
    for goal in range(3):
        other = scene.with_goal(goal)
        assert other.goal == goal
        assert replace(other, goal=scene.goal) == scene


@pytest.mark.parametrize("goal", [-1, 3])
def test_a_goal_that_is_not_there_is_an_error(goal):
    scene = sample_scene(np.random.default_rng(0), "train")
    with pytest.raises(EnvError, match=f"goal: got {goal}, allowed 0 to 2"):
        scene.with_goal(goal)


def test_tops_are_where_rays_from_above_hit():
    for seed in range(5):
        scene = sample_scene(np.random.default_rng(seed), "train")
        model = human_model(scene)
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        hit = np.zeros(1, np.int32)
        for i, top in enumerate(scene.tops):
            assert top[:2] == pytest.approx(scene.positions[i])
            depth = mujoco.mj_ray(model, data, top + np.array([0.0, 0.0, 1.0]), [0.0, 0, -1], None, 1, -1, hit)
            assert depth == pytest.approx(1, abs=1e-6)
            assert model.geom_bodyid[hit[0]] == model.body(f"object{i}").id


@pytest.mark.parametrize("build", [robot_model, human_model])
def test_both_embodiments_act_in_the_same_scene(build):
    """Everything but the arm is the same in both models."""
    scene = sample_scene(np.random.default_rng(4), "train")
    model, bare = build(scene), mujoco.MjSpec()
    add_surroundings(bare, scene.look)
    bare = bare.compile()
    for name in ("table", "floor"):
        assert np.array_equal(model.geom(name).pos, bare.geom(name).pos)
        assert np.array_equal(model.geom(name).rgba, bare.geom(name).rgba)
    across = bare.camera(0).name  # the robot has one in its hand besides
    assert np.array_equal(model.camera(across).pos, bare.camera(across).pos)
    assert np.array_equal(model.camera(across).quat, bare.camera(across).quat)
    assert np.array_equal(model.light_dir, bare.light_dir)
    for i, position in enumerate(scene.positions):
        assert model.body(f"object{i}").pos[:2] == pytest.approx(position)


@pytest.mark.parametrize("build", [robot_model, human_model])
def test_a_model_that_is_changed_is_nobody_elses(build):
    """Tasks of a set have one scene, which is compiled once; a nudge moves fixed objects by changing the model."""
    scene = sample_scene(np.random.default_rng(4), "train")
    one, other = build(scene), build(scene.with_goal(2))
    assert np.array_equal(one.body_pos, other.body_pos)
    one.body_pos[:] += 1
    assert not np.array_equal(one.body_pos, other.body_pos)
    assert np.array_equal(build(scene).body_pos, other.body_pos)


def test_a_layout_that_could_change_is_refused():
    with pytest.raises(EnvError, match=r"layout: got an unhashable type: 'list', allowed tuples"):
        Layout(start_area=[(0.3, 0.4), (0.0, 0.1), (0.2, 0.3)])


def test_a_scene_that_could_change_is_refused():
    scene = sample_scene(np.random.default_rng(0), "train")
    with pytest.raises(EnvError, match=r"scene: got an unhashable type: 'list', allowed tuples"):
        replace(scene, positions=[list(pair) for pair in scene.positions])


def test_positions_are_numbers_whatever_an_arrangement_makes():
    layout = Layout(most=2, arrange=lambda rng, n: np.array([[0.5, 0.1 * i] for i in range(n)]))
    scene = sample_scene(np.random.default_rng(0), "train", layout=layout, n_objects=2)
    assert scene.positions == ((0.5, 0.0), (0.5, 0.1))
    assert hash(scene) == hash(replace(scene))


def test_the_objects_stand_on_the_table():
    for (low, high), centre, half in zip(OBJECT_AREA, TABLE_CENTRE, TABLE_HALF_SIZE, strict=True):
        assert centre - half < low - 0.05
        assert high + 0.05 < centre + half


def picture(look, extra=None, size=120):
    """The surroundings alone, with `extra` added to the spec, seen by the look's camera."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.visual.map.znear, spec.visual.map.zfar = 0.05, 20.0
    spec.visual.quality.offsamples = 0
    add_surroundings(spec, look)
    if extra:
        extra(spec)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = Camera(model, CAMERA, size, size)
    image = camera.draw(data)
    camera.close()
    return image


def test_dials_at_zero_give_one_look_for_all_seeds():
    looks = [sample_appearance(np.random.default_rng(seed), STILL) for seed in range(8)]
    images = [picture(look) for look in looks]
    assert all(np.array_equal(image, images[0]) for image in images)
    assert len({replace(look, table_seed=0) for look in looks}) == 1


@pytest.mark.parametrize(
    ("dial", "moves"),
    [
        ("table", {"table_pattern", "table_rgb", "table_rgb2", "floor_rgb"}),
        ("light", {"light_from", "diffuse", "ambient"}),
        ("view", {"camera_position", "camera_target", "fovy"}),
    ],
)
def test_a_dial_moves_its_own_things_only(dial, moves):
    dials = replace(STILL, **{dial: 1.0})
    nominal = asdict(sample_appearance(np.random.default_rng(0), STILL))
    looks = [asdict(sample_appearance(np.random.default_rng(seed), dials)) for seed in range(20)]
    moved = {name for look in looks for name in look if look[name] != nominal[name]}
    assert moved - {"table_seed"} == moves


@pytest.mark.parametrize(("dial", "name"), [("light", "diffuse"), ("view", "camera_position"), ("view", "fovy")])
def test_a_dial_at_two_moves_twice_as_far(dial, name):
    nominal, once, twice = (
        np.array(getattr(sample_appearance(np.random.default_rng(3), replace(STILL, **{dial: value})), name))
        for value in (0.0, 1.0, 2.0)
    )
    assert np.abs(once - nominal).min() > 0
    assert twice - nominal == pytest.approx(2 * (once - nominal))


@pytest.mark.parametrize("value", [-0.1, 3.1, float("nan"), float("inf")])
@pytest.mark.parametrize("dial", ["table", "light", "view", "person", "side", "style"])
def test_a_dial_out_of_range_is_an_error(dial, value):
    with pytest.raises(EnvError, match=f"dial '{dial}': got {value}, allowed 0 to 3"):
        Dials(**{dial: value})


@given(seed=seeds, dial=st.floats(0, 3))
def test_a_look_is_possible_at_every_dial(seed, dial):
    look = sample_appearance(np.random.default_rng(seed), Dials(dial, dial, dial))
    for colour in (look.table_rgb, look.table_rgb2, look.floor_rgb):
        assert all(0 <= c <= 1 for c in colour)
    assert np.linalg.norm(look.light_from) == pytest.approx(1)
    assert look.light_from[2] > 0, "light comes from above"
    assert look.diffuse > 0
    assert look.ambient > 0
    assert 20 < look.fovy < 60


@settings(max_examples=15)
@given(
    seed=seeds,
    x=st.floats(*OBJECT_AREA[0]),
    y=st.floats(*OBJECT_AREA[1]),
    z=st.floats(0.02, 0.2),
    dial=st.sampled_from([0.0, 1.0, 2.0]),
)
def test_a_thing_is_drawn_where_it_projects_to(seed, x, y, z, dial):
    look = sample_appearance(np.random.default_rng(seed), Dials(dial, dial, dial))
    size, point = 240, np.array([x, y, z])

    def ball(spec):
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_SPHERE,
            size=[0.008, 0, 0],
            pos=point,
            rgba=[1, 0, 1, 1],
            contype=0,
            conaffinity=0,
        )

    changed = (picture(look, size=size) != picture(look, ball, size)).any(-1)
    rows, columns = np.nonzero(changed)
    centre = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
    assert changed.sum() > 5
    assert centre == pytest.approx(size * project(look, point), abs=0.75)


def test_many_points_project_as_one_by_one():
    look = sample_appearance(np.random.default_rng(0), Dials())
    points = np.random.default_rng(1).uniform((0.3, -0.3, 0), (0.7, 0.3, 0.3), (4, 5, 3))
    together = project(look, points)
    assert together.shape == (4, 5, 2)
    assert together == pytest.approx(np.array([[project(look, point) for point in row] for row in points]))


def test_the_cameras_target_is_in_the_middle():
    look = sample_appearance(np.random.default_rng(0), Dials())
    assert project(look, np.array(look.camera_target)) == pytest.approx([0.5, 0.5])


@given(seed=seeds)
def test_every_object_is_in_the_picture(seed):
    scene = sample_scene(np.random.default_rng(seed), "train")
    assert ((project(scene.look, scene.tops) > 0.02) & (project(scene.look, scene.tops) < 0.98)).all()
