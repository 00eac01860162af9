"""`examples.films`: the films and pictures of the pages."""

from pathlib import Path

import pytest
from PIL import Image

from demos.video import read_video
from examples.films import MOMENTS, TASKS, Films, goals
from scripts.common import ENVIRONMENTS


def test_there_is_a_film_of_every_environment() -> None:
    assert {name: f"daml/{task}-v0" for name, task in TASKS.items()} == ENVIRONMENTS


def test_every_verb_and_every_object_has_its_row() -> None:
    assert [divmod(goal, 5) for goal in goals("daml/Act-v0")] == [(0, 0), (1, 1), (2, 2), (0, 3), (1, 4)]
    assert goals("daml/Reach-v0") == [0, 1, 2]


@pytest.mark.slow
def test_films_and_pictures_have_a_row_for_each_task(tmp_path: Path) -> None:
    Films(tmp_path, envs=("reach", "sort"), size=32).run()
    for name in ("reach", "sort"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.height == 3 * 32
            assert picture.width > 2 * MOMENTS * 32
    film = read_video(tmp_path / "tasks.gif")
    assert film.frames.shape[1] == 16 + 2 * 32, "a row each, and one line above"
    assert film.n_frames > 10
