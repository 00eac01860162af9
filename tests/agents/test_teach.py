"""A dragged hand that points: where it points, and the film of it."""

import numpy as np
import pytest

from agents.drag import AREA, WAIT, Drag, travelled
from agents.handiwork import WorkingHand
from agents.teach import ABOVE, SHORTEST, STAY, PointingHand, can_be_taught, dragged_hand, film_shown
from demos.tasks import sample_task_set
from envs.acting import ACTING
from envs.appearance import CAMERA_POSITION
from envs.pick_place import PICKING
from envs.pushing import PUSHING
from envs.reaching import REACHING
from examples.circle import CIRCLING

SCENE = sample_task_set(0, "test", 0).human_scene


def dragged(*points: np.ndarray) -> Drag:
    """Along points on the table, as seen from the camera."""
    hand, drag = PointingHand(SCENE, 2.5), Drag.begun(SCENE)
    for point in points:
        drag = hand.follow(drag, CAMERA_POSITION, point - CAMERA_POSITION, grasping=False)
    return drag


@pytest.mark.parametrize("goal", range(3))
def test_the_fingertip_is_on_what_is_pointed_at(goal: int) -> None:
    top = SCENE.tops[goal]
    point = dragged(top * [1, 1, 0.8]).points[-1]
    assert np.linalg.norm(point[:2] - top[:2]) < 0.06
    assert point[2] > 0.02 + ABOVE, "on the object, not on the table behind it"


def test_the_hand_itself_is_not_in_the_way() -> None:
    hand, drag = PointingHand(SCENE, 2.5), Drag.begun(SCENE)
    spot = np.array([0.75, 0.1, 0.0])
    for _ in range(2):
        drag = hand.follow(drag, CAMERA_POSITION, spot - CAMERA_POSITION, grasping=False)
        assert drag.points[-1] == pytest.approx(np.add(spot, [0, 0, ABOVE]), abs=1e-3)
        shown = hand.shown(drag)
        hand.put(shown.motion(shown.length))
    assert len(drag.points) == 3


@pytest.mark.parametrize("aside", [[0.5, 0.6, 0.0], [-3.0, 0.0, 0.0], [0.5, 0.0, 3.0]], ids=["beside", "far", "sky"])
def test_beyond_the_table_there_is_nothing_to_point_at(aside: list[float]) -> None:
    assert AREA[1][1] < 0.6
    assert len(dragged(np.array(aside)).points) == 1


@pytest.mark.parametrize("goal", range(3))
def test_what_is_shown_is_what_the_hand_ends_at(goal: int) -> None:
    shown = PointingHand(SCENE, 2.5).shown(dragged(SCENE.tops[(goal + 1) % 3], SCENE.tops[goal]))
    assert shown.goal == goal
    assert SCENE.objects[goal].shape in shown.said


def test_a_hand_that_waits_shows_nothing() -> None:
    assert PointingHand(SCENE, 2.5).shown(Drag.begun(SCENE)).goal is None


def test_a_film_shows_the_wait_the_way_and_the_rest_however_long_the_drag_took() -> None:
    shown = PointingHand(SCENE, 2.5).shown(dragged(*[SCENE.tops[1]] * 50))
    video = film_shown(SCENE, shown, size=48, fps=20)
    assert video.duration == pytest.approx(2.5, abs=0.1)
    same = [np.array_equal(one, other) for one, other in zip(video.frames, video.frames[1:], strict=False)]
    assert all(same[: int(20 * WAIT) - 1])
    assert not any(same[int(20 * WAIT) + 3 : int(20 * (WAIT + SHORTEST)) - 3])
    assert all(same[-int(20 * STAY) + 1 :])


def test_a_share_of_a_way_is_by_length_not_by_moments() -> None:
    path = np.array([[0.0, 0.0], [0.1, 0.0], [0.1, 0.0], [0.1, 0.0], [0.1, 0.3]])
    assert travelled(path, 0.5) == pytest.approx([0.1, 0.1])
    assert travelled(path, np.array([0.0, 1.0])) == pytest.approx(path[[0, -1]])


def test_what_can_be_taught() -> None:
    assert all(can_be_taught(layout) for layout in (REACHING, ACTING, CIRCLING))
    assert not any(can_be_taught(layout) for layout in (PUSHING, PICKING))


def test_each_task_has_its_hand() -> None:
    pointing, working = (
        dragged_hand(env_id, sample_task_set(0, "test", 0, env_id=env_id).human_scene)
        for env_id in ("daml/Reach-v0", "daml/Act-v0")
    )
    assert isinstance(pointing, PointingHand)
    assert isinstance(working, WorkingHand)
    assert (pointing.length, working.length) == (2.5, 3.25), "as long as the videos of meta-training"
