"""The human arm: it reaches where it is told, with limbs of fixed lengths."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.appearance import Dials
from envs.human import (
    FOREARM,
    HAND,
    SKIN_TONES,
    UPPER_ARM,
    HumanLook,
    add_human,
    pointing_hand,
    pose_human,
    sample_human,
)
from envs.scene import OBJECT_AREA, human_model, sample_scene

seeds = st.integers(0, 2**32 - 1)
targets = st.tuples(st.floats(*OBJECT_AREA[0]), st.floats(*OBJECT_AREA[1]), st.floats(0.02, 0.25))


def posed(look, fingertip):
    """(model, data) of the arm alone with its fingertip at `fingertip`."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    add_human(spec, look, pointing_hand)
    model = spec.compile()
    data = mujoco.MjData(model)
    pose_human(model, data, look, np.array(fingertip))
    return model, data


def joints(look, data):
    """Shoulder, elbow, wrist and fingertip, from the drawn bodies: each [3]."""

    def far_end(name, length):
        body = data.body(name)
        return body.xpos + look.scale * length * body.xmat.reshape(3, 3)[:, 0]

    assert far_end("upper_arm", UPPER_ARM) == pytest.approx(data.body("forearm").xpos, abs=1e-6), "joined at the elbow"
    assert far_end("forearm", FOREARM) == pytest.approx(far_end("hand", -HAND), abs=1e-6), "joined at the wrist"
    return data.body("upper_arm").xpos, data.body("forearm").xpos, far_end("hand", -HAND), data.body("hand").xpos


@settings(max_examples=40)
@given(seed=seeds, target=targets)
def test_the_fingertip_lands_on_the_target(seed, target):
    look = sample_human(np.random.default_rng(seed), Dials())
    _, data = posed(look, target)
    assert data.body("hand").xpos == pytest.approx(target, abs=1e-12)


@settings(max_examples=40)
@given(seed=seeds, target=targets)
def test_limbs_keep_their_lengths_and_stay_joined(seed, target):
    look = sample_human(np.random.default_rng(seed), Dials())
    _, data = posed(look, target)
    shoulder, elbow, wrist, tip = joints(look, data)
    for near, far, length in ((shoulder, elbow, UPPER_ARM), (elbow, wrist, FOREARM), (wrist, tip, HAND)):
        assert np.linalg.norm(far - near) == pytest.approx(look.scale * length, abs=1e-6)


@settings(max_examples=40)
@given(seed=seeds, target=targets)
def test_the_elbow_hangs_between_shoulder_and_wrist(seed, target):
    look = sample_human(np.random.default_rng(seed), Dials())
    _, data = posed(look, target)
    shoulder, elbow, wrist, _ = joints(look, data)
    line = wrist - shoulder
    share = (elbow - shoulder) @ line / (line @ line)
    assert 0 < share < 1
    assert elbow[2] < (shoulder + share * line)[2] + 1e-9


@settings(max_examples=40)
@given(seed=seeds, target=targets)
def test_every_bodys_axes_are_a_rotation(seed, target):
    look = sample_human(np.random.default_rng(seed), Dials())
    _, data = posed(look, target)
    for name in ("upper_arm", "forearm", "hand"):
        axes = data.body(name).xmat.reshape(3, 3)
        assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(axes) == pytest.approx(1)
        assert axes[2, 2] > 0, "the back of the hand is up"


@settings(max_examples=40)
@given(seed=seeds, target=targets)
def test_the_hand_points_away_from_the_person_and_down(seed, target):
    look = sample_human(np.random.default_rng(seed), Dials())
    _, data = posed(look, target)
    forward = data.body("hand").xmat.reshape(3, 3)[:, 0]
    assert forward[0] < 0
    assert forward[2] < -0.3
    away = np.subtract(target, look.shoulder)[:2]
    assert forward[:2] @ away == pytest.approx(np.linalg.norm(forward[:2]) * np.linalg.norm(away))


PERSON = HumanLook(1.0, SKIN_TONES[0], (0.2, 0.2, 0.8), 0.5, (1.1, 0.1, 0.35), (0.85, 0.1, 0.1))


def test_a_near_target_leaves_the_shoulder_alone():
    _, data = posed(PERSON, [0.75, 0.1, 0.1])
    shoulder, elbow, wrist, _ = joints(PERSON, data)
    assert shoulder == pytest.approx(PERSON.shoulder)
    straight = np.linalg.norm(wrist - shoulder)
    assert straight < 0.98 * (UPPER_ARM + FOREARM)
    assert np.linalg.norm(np.cross(elbow - shoulder, wrist - shoulder)) > 0.01, "the elbow is bent"


def test_a_far_target_makes_the_person_lean():
    _, data = posed(PERSON, [0.35, 0.1, 0.1])
    shoulder, _, wrist, tip = joints(PERSON, data)
    assert tip == pytest.approx([0.35, 0.1, 0.1])
    assert np.linalg.norm(wrist - shoulder) == pytest.approx(0.98 * (UPPER_ARM + FOREARM))
    lean = shoulder - PERSON.shoulder
    assert lean[0] < -0.05, "towards the table"
    to_wrist = wrist - PERSON.shoulder
    assert np.linalg.norm(np.cross(lean, to_wrist)) == pytest.approx(0, abs=1e-9), "along the line to the wrist"


def test_the_pose_is_a_continuous_function_of_the_target():
    """Leaning sets in without a jump, so a video has none."""
    xs = np.linspace(0.85, 0.35, 100)
    poses = np.array([np.concatenate(joints(PERSON, posed(PERSON, [x, 0.1, 0.1])[1])) for x in xs])
    assert np.abs(np.diff(poses, axis=0)).max() < 0.03


def test_the_drawn_index_finger_ends_at_the_fingertip():
    model, data = posed(PERSON, [0.5, 0.1, 0.1])
    mujoco.mj_forward(model, data)
    forward = data.body("hand").xmat.reshape(3, 3)[:, 0].copy()
    hit = np.zeros(1, np.int32)
    tip = data.body("hand").xpos
    assert mujoco.mj_ray(model, data, tip + 0.3 * forward, -forward, None, 1, -1, hit) == pytest.approx(0.3, abs=2e-3)
    assert model.geom_bodyid[hit[0]] == model.body("hand").id


def test_the_arm_touches_nothing():
    """It is there to be filmed: no contact, no joint, nothing for physics."""
    scene = sample_scene(np.random.default_rng(0), "train")
    model = human_model(scene)
    assert (model.nq, model.nu) == (0, 0)
    for name in ("upper_arm", "forearm", "hand"):
        geoms = model.geom_bodyid == model.body(name).id
        assert geoms.any()
        assert not model.geom_contype[geoms].any()
        assert not model.geom_conaffinity[geoms].any()


@given(seed=seeds)
def test_a_drawn_person_is_possible(seed):
    look = sample_human(np.random.default_rng(seed), Dials())
    assert all(0 <= c <= 1 for c in (*look.skin, *look.sleeve))
    assert 0.8 < look.scale < 1.2
    assert 0 <= look.sleeve_end < 1
    assert look.shoulder[0] > OBJECT_AREA[0][1] + 0.3, "behind the table, as the robot sees it"
    assert look.rest[0] > OBJECT_AREA[0][1] + 0.1, "the hand waits clear of the objects"


def test_people_differ():
    people = [sample_human(np.random.default_rng(seed), Dials()) for seed in range(40)]
    tones = {int(np.argmin([np.linalg.norm(np.subtract(p.skin, tone)) for tone in SKIN_TONES])) for p in people}
    assert tones == set(range(len(SKIN_TONES)))
    for name in ("scale", "sleeve", "sleeve_end", "shoulder", "rest"):
        assert len({getattr(person, name) for person in people}) == len(people)


def test_the_sleeve_covers_its_share_of_the_forearm():
    for sleeve_end in (0.2, 0.7):
        look = HumanLook(1.0, (1.0, 0.8, 0.7), (0.0, 0.0, 1.0), sleeve_end, PERSON.shoulder, PERSON.rest)
        model, data = posed(look, [0.6, 0.1, 0.1])
        mujoco.mj_forward(model, data)
        fore = data.body("forearm")
        along, side = fore.xmat.reshape(3, 3)[:, 0], fore.xmat.reshape(3, 3)[:, 1]
        hit = np.zeros(1, np.int32)
        for share in (0.05, sleeve_end - 0.05, sleeve_end + 0.25):
            point = fore.xpos + share * FOREARM * along
            assert mujoco.mj_ray(model, data, point + side, -side, None, 1, -1, hit) > 0
            blue = model.geom_rgba[hit[0]][2] == 1.0 and model.geom_rgba[hit[0]][0] == 0.0
            assert blue == (share < sleeve_end)
