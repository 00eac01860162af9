"""`daml teach`, as somebody uses it: a browser, a mouse, a robot."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from browser import needs_browser, open_browser

from agents.errors import AgentError
from agents.policies import bundled
from demos.video import read_video
from envs.appearance import project
from scripts.teach import Page, Teach

LESSONS = 10
PATIENCE = 60  # [s] for one thing on the page to happen, on a busy machine


def wait_for(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


class Student:
    """Somebody with a browser and a mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.browser = open_browser(820, 520)
        self.browser.get(f"http://127.0.0.1:{page.server.get_port()}")
        wait_for(lambda: any(client.camera.image_width for client in page.server.get_clients().values()))
        wait_for(lambda: bool(self._buttons("New objects")))
        time.sleep(3)  # until the scene is drawn

    def _buttons(self, label: str) -> list[Any]:
        return [b for b in self.browser.find_elements("tag name", "button") if b.text.strip() == label]

    def pixel(self, point: np.ndarray) -> tuple[int, int]:
        """Where a point [3] [m] is on the page."""
        (client,) = self.page.server.get_clients().values()
        camera = client.camera
        look = replace(
            self.page.scene.look,
            camera_position=tuple(camera.position),
            camera_target=tuple(camera.look_at),
            fovy=float(np.degrees(camera.fov)),
        )
        x, y = project(look, point)
        return round(camera.image_width / 2 + (x - 0.5) * camera.image_height), round(y * camera.image_height)

    def drag(self, goal: int) -> None:
        """Takes the ball to an object."""
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        start = np.array(self.pixel(np.array(self.page.scene.human.rest)))
        end = np.array(self.pixel(self.page.scene.tops[goal] * [1, 1, 0.7]))
        actions = ActionBuilder(self.browser, duration=60)
        mouse = actions.pointer_action
        mouse.move_to_location(*start.tolist())
        mouse.pointer_down()
        for share in np.linspace(0, 1, 15)[1:]:
            mouse.move_to_location(*np.round(start + share * (end - start)).astype(int).tolist())
        mouse.pause(0.2)
        mouse.pointer_up()
        actions.perform()

    def press(self, label: str, done: Callable[[], bool]) -> None:
        wait_for(lambda: self._buttons(label)[0].is_enabled())
        self._buttons(label)[0].click()
        wait_for(done)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page = Teach(port=8123, out=tmp_path_factory.mktemp("taught")).page()
    yield page
    page.server.stop()


@pytest.fixture(scope="module")
def student(page: Page) -> Iterator[Student]:
    student = Student(page)
    yield student
    student.browser.quit()


def test_a_page_that_cannot_be_built_leaves_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []
    server = SimpleNamespace(stop=lambda: stopped.append("server"))
    monkeypatch.setattr("viser.ViserServer", lambda **options: server)
    monkeypatch.setattr("scripts.teach.policy_for", lambda env, name: None)
    with pytest.raises(AttributeError):  # at the first thing that such a server lacks
        Teach().page()
    assert stopped == ["server"]


def test_only_reaching_is_taught_by_dragging() -> None:
    with pytest.raises(AgentError, match="env: got 'push', allowed 'reach'"):
        Teach(env="push").page()


@pytest.mark.slow
@pytest.mark.skipif("reach" not in bundled(), reason="there is no policy in the box")
@needs_browser
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_robot_reaches_the_objects_that_it_is_taught(student: Student) -> None:
    page = student.page
    right, slowest = 0, 0.0
    for number in range(LESSONS):
        goal, before = number % 3, page.succeeded
        student.drag(goal)
        wait_for(lambda: page.lesson.shown is not None)
        assert page.lesson.goal == goal, "the hand ends where the mouse took it"
        student.press("Adapt", lambda: page.lesson.policy is not None)
        slowest = max(slowest, page.seconds)
        tried = page.tried
        student.press("Watch", lambda tried=tried: page.tried > tried)
        right += page.succeeded - before
        if number == 0:
            student.press("Save", lambda: any(Path(page.out).glob("*.mp4")))
            assert read_video(next(Path(page.out).glob("*.mp4"))).n_frames > 20
        again, label = (page.index, "New objects") if goal == 2 else (0, "Record")
        student.press(label, lambda again=again, goal=goal: page.index > again or goal != 2)
        wait_for(lambda: page.lesson.shown is None)
        time.sleep(1.5)
    assert page.tried == LESSONS
    print(f"{right} of {LESSONS} taught objects reached; slowest adaptation {slowest:.2f} s")
    assert right >= 0.8 * LESSONS
