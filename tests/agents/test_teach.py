"""A dragged hand: where it points, and the film of it."""

import numpy as np
import pytest

from agents.errors import AgentError
from agents.teach import ABOVE, AREA, REST, WAIT, Drag, HandModel, film_drag, taught_object
from demos.tasks import sample_task_set
from envs.appearance import CAMERA_POSITION

SCENE = sample_task_set(0, "test", 0).human_scene


def to_object(goal: int, seconds: float = 1.5) -> Drag:
    share = np.linspace(0, 1, 12)[:, None]
    return Drag(10 + seconds * share[:, 0], np.array(SCENE.human.rest) * (1 - share) + SCENE.tops[goal] * share)


@pytest.mark.parametrize("goal", range(3))
def test_the_fingertip_is_on_what_is_pointed_at(goal: int) -> None:
    hand = HandModel(SCENE)
    top = SCENE.tops[goal]
    point = hand.pointed_at(CAMERA_POSITION, top * [1, 1, 0.8] - CAMERA_POSITION)
    assert point is not None
    assert np.linalg.norm(point[:2] - top[:2]) < 0.06
    assert point[2] > 0.02 + ABOVE, "on the object, not on the table behind it"


def test_the_hand_itself_is_not_in_the_way() -> None:
    hand = HandModel(SCENE)
    spot = np.array([0.75, 0.1, 0.0])
    for _ in range(2):
        point = hand.pointed_at(CAMERA_POSITION, spot - CAMERA_POSITION)
        assert point == pytest.approx(np.add(spot, [0, 0, ABOVE]), abs=1e-3)
        hand.put(np.add(spot, [0, 0, 0.05]))


@pytest.mark.parametrize("aside", [[0.5, 0.6, 0.0], [-3.0, 0.0, 0.0], [0.5, 0.0, 3.0]], ids=["beside", "far", "sky"])
def test_beyond_the_table_there_is_nothing_to_point_at(aside: list[float]) -> None:
    assert AREA[1][1] < 0.6
    assert HandModel(SCENE).pointed_at(CAMERA_POSITION, np.array(aside) - CAMERA_POSITION) is None


def test_a_film_shows_the_wait_the_drag_and_the_rest() -> None:
    drag = to_object(1, seconds=1.0)
    video = film_drag(SCENE, drag, size=48, fps=20)
    assert video.n_frames == pytest.approx(20 * (1 + WAIT + REST), abs=1)
    same = [np.array_equal(one, other) for one, other in zip(video.frames, video.frames[1:], strict=False)]
    assert all(same[: int(20 * WAIT) - 1])
    assert not any(same[int(20 * WAIT) : 18])
    assert all(same[-int(20 * REST) + 2 :])


def test_of_a_long_drag_only_the_end_is_filmed() -> None:
    video = film_drag(SCENE, to_object(0, seconds=300.0), size=16, fps=1)
    assert video.duration < 60


@pytest.mark.parametrize("goal", range(3))
def test_what_is_taught_is_what_the_hand_ends_at(goal: int) -> None:
    assert taught_object(SCENE, to_object(goal)) == goal


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.0], [1.0, 0.5]], ids=str)
def test_a_drag_takes_time(times: list[float]) -> None:
    with pytest.raises(AgentError, match="allowed 2 or more, in the order of their time"):
        Drag(np.array(times), np.zeros((len(times), 3)))
