"""`daml teach`, as somebody uses it: a browser, a mouse, a robot."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from browser import needs_browser, open_browser

from agents.errors import AgentError
from agents.handiwork import LEVEL
from agents.policies import bundled
from demos.video import read_video
from envs.acting import DIRECTIONS, VERBS
from envs.appearance import project
from envs.scene import Scene
from scripts.teach import Page, Teach, cross

LESSONS = {"reach": 3, "act": len(VERBS)}
PATIENCE = 60  # [s] for one thing on the page to happen, on a busy machine
SCREEN, SMALL = (1280, 720), (1040, 560)
"""A usual screen, and one that a slow machine draws faster [px]."""


def wait_for(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


class Student:
    """Somebody with a browser and a mouse."""

    def __init__(self, page: Page, screen: tuple[int, int]) -> None:
        self.page = page
        self.browser = open_browser(*screen)
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

    def drag(self, way: Sequence[np.ndarray], raised: float = 0.0) -> None:
        """Takes the hand along points [3] [m]; at the last one closes it and raises it so far [m]."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        points = [np.array(self.page.scene.human.rest), *way]
        self._mouse(points, down=True, up=not raised)
        if raised:
            ActionChains(self.browser).key_down(Keys.SHIFT).perform()
            self._mouse([way[-1], way[-1] + [0, 0, raised]], up=True)
            ActionChains(self.browser).key_up(Keys.SHIFT).perform()

    def _mouse(self, points: Sequence[np.ndarray], *, down: bool = False, up: bool = False) -> None:
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        actions = ActionBuilder(self.browser, duration=60)
        mouse = actions.pointer_action
        pixels = np.array([self.pixel(point) for point in points])
        mouse.move_to_location(*pixels[0].tolist())
        if down:
            mouse.pointer_down()
        for start, end in pairwise(pixels):
            for share in np.linspace(0, 1, 6)[1:]:
                mouse.move_to_location(*np.round(start + share * (end - start)).astype(int).tolist())
        mouse.pause(0.2)
        if up:
            mouse.pointer_up()
        actions.perform()

    def press(self, label: str, done: Callable[[], bool]) -> None:
        wait_for(lambda: self._buttons(label)[0].is_enabled())
        self._buttons(label)[0].click()
        wait_for(done)


def the_way(scene: Scene, thing: int, verb: str) -> tuple[list[np.ndarray], float]:
    """How somebody shows a verb with the mouse: points on the way, and how high they lift [m]."""
    on = scene.feet[thing] + [0, 0, LEVEL]
    if verb not in DIRECTIONS:
        return [on], 0.15 * (verb == "lift")
    direction = np.array([*DIRECTIONS[verb], 0.0])
    beside = on - 0.085 * direction
    nearer = np.array([0.10, 0.0, 0.0]) * (direction[0] == 0)  # around the object, not over it
    return [beside + nearer, beside, on + 0.07 * direction], 0.0


@pytest.fixture
def teach(tmp_path: Path) -> Iterator[Callable[..., Student]]:
    students: list[Student] = []

    def begin(env: str, screen: tuple[int, int] = SMALL) -> Student:
        students.append(Student(Teach(env=env, port=8123, out=tmp_path).page(), screen))
        return students[-1]

    yield begin
    for student in students:
        student.browser.quit()
        student.page.server.stop()


def test_a_page_that_cannot_be_built_leaves_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []
    server = SimpleNamespace(stop=lambda: stopped.append("server"))
    monkeypatch.setattr("viser.ViserServer", lambda **options: server)
    monkeypatch.setattr("scripts.teach.policy_for", lambda env, name: None)
    with pytest.raises(AttributeError):  # at the first thing that such a server lacks
        Teach().page()
    assert stopped == ["server"]


def test_what_a_dragged_hand_cannot_show_is_refused() -> None:
    with pytest.raises(AgentError, match="env: got 'push', allowed 'reach', 'act', or one of your own"):
        Teach(env="push").page()


def test_the_handle_is_a_cross_of_arrows() -> None:
    vertices, triangles = cross(0.06)
    assert np.abs(vertices[:, :2]).max() == pytest.approx(0.057)
    spots = {tuple(spot) for spot in vertices[:, :2].round(6) + 0.0}
    assert {(-y + 0.0, x) for x, y in spots} == spots, "the same after a quarter turn"
    assert triangles.max() == len(vertices) - 1


def lesson(student: Student, thing: int, aim: int) -> bool:
    """Shows something, lets the policy adapt and the robot act; whether it did that. The page is then ready anew."""
    page, layout = student.page, student.page.scene.layout
    verb = layout.aims.names[aim] if layout.aims else "touch"
    before, tried = page.succeeded, page.tried
    student.drag(*the_way(page.scene, thing, verb))
    wait_for(lambda: page.lesson.shown is not None)
    time.sleep(1)  # a slow browser has events left
    assert page.lesson.shown is not None
    assert page.lesson.shown.goal == layout.goal_number(thing, aim), f"shown: {page.lesson.shown.said}"
    student.press("Adapt", lambda: page.lesson.policy is not None)
    student.press("Watch", lambda: page.tried > tried and bool(student._buttons("Save")))
    print(f"{page.lesson.shown.said}: the robot {page.verdict}")
    return page.succeeded > before


def next_lesson(student: Student, *, new: bool) -> None:
    page, index = student.page, student.page.index
    student.press(*(("New objects", lambda: page.index > index) if new else ("Record", lambda: True)))
    wait_for(lambda: page.lesson.shown is None)
    time.sleep(1.5)


@pytest.mark.slow
@needs_browser
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("env", ["reach", "act"])
def test_the_robot_does_what_it_is_taught(env: str, teach: Callable[..., Student]) -> None:
    if env not in bundled():
        pytest.skip("there is no policy in the box")
    student = teach(env)
    page, right, slowest = student.page, 0, 0.0
    for number in range(LESSONS[env]):
        right += lesson(student, number % 3, number % len(VERBS) if env == "act" else 0)
        slowest = max(slowest, page.seconds)
        if number == 0:
            student.press("Save", lambda: any(page.out.glob("*.mp4")))
            assert read_video(next(page.out.glob("*.mp4"))).n_frames > 20
        next_lesson(student, new=number % 3 == 2)
    assert page.tried == LESSONS[env]
    print(f"{env}: {right} of {LESSONS[env]} done as taught; slowest adaptation {slowest:.2f} s")
    assert right >= 0.6 * LESSONS[env]


@pytest.mark.slow
@needs_browser
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_table_and_films_are_seen_at_once(teach: Callable[..., Student]) -> None:
    student = teach("reach", SCREEN)
    (picture,) = [image for image in student.browser.find_elements("tag name", "img") if image.size["height"] > 100]
    height = student.browser.execute_script("return window.innerHeight")
    assert picture.location["y"] + picture.size["height"] <= height <= SCREEN[1]
    (client,) = student.page.server.get_clients().values()
    assert client.camera.image_width + picture.size["width"] <= SCREEN[0]
    assert client.camera.image_width >= SCREEN[0] / 2
