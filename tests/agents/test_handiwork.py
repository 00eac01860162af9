"""What a dragged hand does to objects: it touches, pushes and lifts, and each is the verb of the environment."""

import numpy as np
import pytest

from agents.drag import Drag
from agents.handiwork import HIGHEST, LEVEL, WorkingHand, under
from agents.teach import film_shown
from demos.tasks import sample_task_set
from envs.acting import DIRECTIONS, VERBS
from envs.appearance import CAMERA_POSITION

SCENE = sample_task_set(0, "test", 0, env_id="daml/Act-v0").human_scene
HAND = WorkingHand(SCENE, 3.25)
NEARER = np.array([0.1, 0.0, 0.0])


def to(drag: Drag, point: np.ndarray, *, grasping: bool = False, moments: int = 6) -> Drag:
    """The mouse goes straight on to where a point [3] [m] is seen."""
    start = drag.points[-1]
    for share in np.linspace(0, 1, moments + 1)[1:]:
        there = start + share * (point - start)
        drag = HAND.follow(drag, CAMERA_POSITION, there - CAMERA_POSITION, grasping)
    return drag


def on(thing: int) -> np.ndarray:
    return SCENE.feet[thing] + [0, 0, LEVEL]


def through(thing: int, direction: np.ndarray, far: float = 0.07, aside: float = 0.0, moments: int = 6) -> Drag:
    """Around an object to its other side, and through it so far beyond its middle [m]."""
    way, side = np.array([*direction, 0.0]), aside * np.array([*direction[::-1], 0.0])
    beside = on(thing) - 0.085 * way + side
    nearer = NEARER * (direction[0] == 0)
    drag = to(to(Drag.begun(SCENE), beside + nearer), beside, moments=moments)
    return to(drag, on(thing) + far * way + side, moments=moments)


def lifted(thing: int, height: float, off: tuple[float, float] = (0.0, 0.0)) -> Drag:
    drag = to(Drag.begun(SCENE), on(thing) + np.array([*off, 0.0]))
    return to(drag, drag.points[-1] + [0, 0, height], grasping=True)


def number(thing: int, verb: str) -> int:
    return SCENE.layout.goal_number(thing, VERBS.index(verb))


@pytest.mark.parametrize("thing", range(3))
@pytest.mark.parametrize("off", [(0.0, 0.0), (0.025, 0.0), (0.0, -0.015), (0.0, 0.015)], ids=str)
def test_a_hand_that_stays_on_an_object_touches_it(thing: int, off: tuple[float, float]) -> None:
    shown = HAND.shown(to(Drag.begun(SCENE), on(thing) + np.array([*off, 0.0])))
    assert shown.goal == number(thing, "touch"), shown.said
    assert not shown.motion(shown.length).things


@pytest.mark.parametrize("thing", range(3))
@pytest.mark.parametrize("verb", DIRECTIONS)
@pytest.mark.parametrize(("aside", "moments"), [(0.0, 6), (0.02, 6), (-0.02, 1)])
def test_a_hand_that_goes_through_an_object_pushes_it(thing: int, verb: str, aside: float, moments: int) -> None:
    shown = HAND.shown(through(thing, np.array(DIRECTIONS[verb]), aside=aside, moments=moments))
    assert shown.goal == number(thing, verb), shown.said


def test_the_object_goes_with_the_hand_that_pushes_it() -> None:
    shown = HAND.shown(through(0, np.array([0.0, 1.0])))
    ends = [shown.motion(time) for time in np.linspace(0, shown.length, 40)]
    far = np.array([moment.things["object0"] - SCENE.feet[0] for moment in ends])
    gaps = np.array([moment.things["object0"][1] - moment.hand[1] for moment in ends])
    assert (np.diff(far[:, 1]) >= 0).all()
    assert far[-1] == pytest.approx([0.0, far[-1, 1], 0.0])
    pushed = far[:, 1] > 0
    assert gaps[pushed] == pytest.approx(gaps[-1])
    assert gaps[-1] > SCENE.objects[0].radius, "beside it, not in it"


def test_a_push_too_short_is_no_verb_and_says_so() -> None:
    shown = HAND.shown(through(0, np.array([0.0, 1.0]), far=0.85 * SCENE.objects[0].radius))
    assert shown.goal is None
    assert "of 7 that count" in shown.said


def test_a_push_towards_the_person_is_no_verb_and_says_so() -> None:
    shown = HAND.shown(through(0, np.array([1.0, 0.0])))
    assert shown.goal is None
    assert "towards you" in shown.said


@pytest.mark.parametrize("thing", range(3))
@pytest.mark.parametrize("off", [(0.0, 0.0), (0.02, -0.02)], ids=str)
def test_a_hand_that_closes_on_an_object_lifts_it(thing: int, off: tuple[float, float]) -> None:
    shown = HAND.shown(lifted(thing, 0.14, off))
    assert shown.goal == number(thing, "lift"), shown.said
    moment = shown.motion(shown.length)
    assert moment.things[f"object{thing}"] - SCENE.feet[thing] == pytest.approx([0, 0, 0.14], abs=0.01)
    assert moment.opening == pytest.approx(SCENE.objects[thing].width)


def test_a_lift_has_its_limits() -> None:
    assert HAND.shown(lifted(0, 0.03)).goal is None
    shown = HAND.shown(lifted(0, 2.0))
    assert shown.motion(shown.length).things["object0"][2] == pytest.approx(HIGHEST)


def test_a_hand_that_closes_on_nothing_goes_on_until_it_comes_to_something() -> None:
    beside = on(0) + NEARER
    assert under(SCENE, beside) is None
    drag = to(Drag.begun(SCENE), beside)
    holding = to(drag, on(0), grasping=True).holding
    assert holding[-1]
    assert not any(holding[: len(drag.holding) + 3])


def test_what_is_on_the_way_is_passed_over() -> None:
    drag = to(to(to(Drag.begun(SCENE), on(0)), on(1)), on(2))
    assert HAND.shown(drag).goal == number(2, "touch")


def test_a_hand_on_the_table_has_shown_nothing() -> None:
    for drag in (Drag.begun(SCENE), to(Drag.begun(SCENE), on(0) + NEARER)):
        assert HAND.shown(drag).goal is None
        assert HAND.shown(drag).said == "nothing yet"


def test_beyond_the_table_the_hand_does_not_follow() -> None:
    drag = Drag.begun(SCENE)
    for aside in ([0.5, 0.6, 0.0], [0.5, 0.0, 3.0]):
        assert HAND.follow(drag, CAMERA_POSITION, np.array(aside) - CAMERA_POSITION, grasping=False) is drag


@pytest.mark.parametrize("drag", [through(1, np.array([0.0, -1.0])), lifted(1, 0.15)], ids=["push", "lift"])
def test_a_film_is_as_long_as_those_of_meta_training_and_moves_that_object_alone(drag: Drag) -> None:
    shown = HAND.shown(drag)
    video = film_shown(SCENE, shown, size=32, fps=8)
    assert video.n_frames == 26
    HAND.put(shown.motion(shown.length))
    feet = np.array([HAND.data.body(f"object{i}").xpos for i in range(3)])
    assert list(np.linalg.norm(feet - SCENE.feet, axis=1) > 0.05) == [False, True, False]
    HAND.put(HAND.shown(Drag.begun(SCENE)).motion(0.0))
    assert HAND.data.body("object1").xpos == pytest.approx(SCENE.feet[1]), "put back"
