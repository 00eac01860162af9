"""`daml teach`: show a robot what to do with the mouse, in the browser, and watch it do that."""

import asyncio
import copy
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from scripts.common import console, env_id, policy_for
from scripts.inputs import Folder, Seed, Within

if TYPE_CHECKING:
    import mujoco
    import numpy as np
    import viser

    from agents.imitation import Policy
    from agents.policies import StoredPolicy
    from agents.teach import Drag
    from demos.types import Video

HOST = "127.0.0.1"
FILM_SIZE = 256
AWAY = 1.3
"""Distance of the page's camera from the table, in that of the policy's camera."""
GRIP = 0.022
"""Radius of the ball that the mouse takes hold of [m]."""


@dataclass(frozen=True)
class Teach:
    """A page in the browser: drag the hand to an object, and the robot does it too, among the same objects elsewhere.

    The drag is filmed by the renderer of all human videos; the policy sees nothing else. The page is for this machine
    only (127.0.0.1).
    """

    stops: ClassVar[str] = "the films that were saved are in --out"

    env: str = "reach"
    """Environment that a pointing hand shows: reach, or MODULE:ID of your own (docs/your_own_task.md)."""
    policy: str | None = None
    """Folder of a policy; the one in the box when not given."""
    seed: Seed = 0
    """Of the scenes."""
    port: Annotated[int, Within(0, 65535)] = 8080
    """Of the page."""
    out: Folder = Path("taught")
    """Folder of the films."""

    def run(self) -> None:
        page = self.page()
        console.print(f"open http://{HOST}:{page.server.get_port()} in a browser; stop with Ctrl+C")
        try:
            while True:
                time.sleep(1)
        finally:
            page.server.stop()

    def page(self) -> "Page":
        """Starts the page.

        Raises:
            AgentError: an environment that cannot be shown by dragging a fingertip.
        """
        import viser

        from agents.errors import AgentError
        from agents.teach import can_be_dragged
        from demos.skills import find_skill

        environment = env_id(self.env)
        if not can_be_dragged(find_skill(environment).layout):
            raise AgentError(f"env: got {self.env!r}, allowed 'reach': a pointing hand can be dragged, and no other")
        stored = policy_for(self.env, self.policy)
        server = viser.ViserServer(host=HOST, port=self.port, label="daml teach", verbose=False)
        try:
            return Page(server, stored, environment, self.seed, self.out)
        except BaseException:
            server.stop()
            raise


@dataclass
class Lesson:
    """What has been shown and learned in one scene so far. goal: the object that was shown."""

    drag: "Drag | None" = None
    goal: int = 0
    shown: "Video | None" = None
    policy: "Policy | None" = None
    done: "np.ndarray | None" = None


@dataclass
class Page:
    """The page: a scene in 3D, a hand to drag, buttons in the order in which they are pressed.

    tried, succeeded: rollouts so far.  seconds: that the last adaptation took.
    """

    server: "viser.ViserServer"
    stored: "StoredPolicy"
    environment: str
    seed: int
    out: Path
    index: int = -1
    tried: int = 0
    succeeded: int = 0
    seconds: float = 0.0
    lesson: Lesson = field(default_factory=Lesson)

    def __post_init__(self) -> None:
        import numpy as np

        from demos.types import Video
        from envs.appearance import CAMERA_FOVY, CAMERA_POSITION, CAMERA_TARGET

        # One action after the other, and none of them in the thread that moves the hand.
        self._worker = ThreadPoolExecutor(1)
        server, camera = self.server, self.server.initial_camera
        # As the policy's camera sees it, from further away: the waiting hand is in the picture, too.
        camera.position = CAMERA_TARGET + AWAY * (CAMERA_POSITION - CAMERA_TARGET)
        camera.look_at = CAMERA_TARGET
        camera.fov = np.radians(CAMERA_FOVY)
        server.gui.configure_theme(control_layout="fixed", show_logo=False, show_share_button=False)
        self.status = server.gui.add_markdown("")
        self.buttons = {
            "Record": self._button("Record", self.record, "Put the hand back, and show it anew"),
            "Adapt": self._button("Adapt", self.adapt, "One gradient step on what was shown"),
            "Watch": self._button("Watch", self.watch, "The robot acts, the objects shuffled"),
            "Save": self._button("Save", self.save, "What was shown beside what was done, as mp4"),
            "New objects": self._button("New objects", self.new_scene, "Other objects, another table"),
        }
        blank = np.full((FILM_SIZE, FILM_SIZE, 3), 40, np.uint8)
        self.shown = server.gui.add_image(blank, label="what you showed")
        self.done = server.gui.add_image(blank, label="what the robot does")
        self.score = server.gui.add_markdown("")
        self.new_scene()
        # The first gradient of a process takes seconds: now, while nobody waits for it.
        self._worker.submit(self.stored.adapt, Video(np.stack([blank, blank]), np.arange(2.0)))

    def _button(self, label: str, action: Callable[[], None], hint: str) -> Any:
        button = self.server.gui.add_button(label, hint=hint)

        @button.on_click
        def _(event: Any) -> None:
            button.disabled = True  # until it is its turn again
            self._worker.submit(self._try, action)

        return button

    def _try(self, action: Callable[[], None]) -> None:
        """Does something; what goes wrong is said on the page, and the page goes on."""
        try:
            action()
        except Exception as error:
            self._say(f"That went wrong: {error}", "Record")
            raise

    def _say(self, text: str, *enabled: str) -> None:
        self.status.content = text
        for name, button in self.buttons.items():
            button.disabled = name not in (*enabled, "New objects")

    def new_scene(self) -> None:
        """Draws other objects of the meta-test split, and starts a lesson."""
        from demos.tasks import sample_task_set

        self.index += 1
        tasks = sample_task_set(self.seed, "test", self.index, env_id=self.environment, n_trials=8)
        self.scene, self._elsewhere = tasks.human_scene, list(tasks.robot_scenes)
        self._build()
        self.record()

    def record(self) -> None:
        """Puts the hand back and waits for a drag."""
        import numpy as np

        self.lesson = Lesson()
        self._moments: list[tuple[float, np.ndarray]] = []
        self._put(np.array(self.scene.human.rest))
        self._say("**Drag the orange ball** to one of the objects, and let go.")

    def adapt(self) -> None:
        """Adapts to what was shown."""
        assert self.lesson.shown is not None
        started = time.perf_counter()
        self.lesson.policy = self.stored.adapt(self.lesson.shown)
        self.seconds = time.perf_counter() - started
        self._say(f"Adapted in {self.seconds:.2f} s. **Watch** the robot.", "Watch", "Record")

    def watch(self) -> None:
        """Lets the robot act among the same objects in other places, and counts."""
        from agents.films import FPS, film

        assert self.lesson.policy is not None
        self._say("The robot is at work.")
        elsewhere = self._elsewhere[self.tried % len(self._elsewhere)]
        episode, frames = film(self.environment, elsewhere.with_goal(self.lesson.goal), self.lesson.policy, FILM_SIZE)
        self.lesson.done = frames
        for frame in frames:
            self.done.image = frame
            time.sleep(1 / FPS)
        self.tried += 1
        self.succeeded += episode.success
        self.score.content = f"**{self.succeeded} of {self.tried}** succeeded"
        outcome = "It did it." if episode.success else f"It ended {100 * episode.distance:.0f} cm away."
        self._say(f"{outcome} **Watch** again elsewhere, **Record** anew, or **Save**.", "Watch", "Record", "Save")

    def save(self) -> None:
        """Writes what was shown beside what was done."""
        from agents.films import FPS
        from agents.teach import film_drag
        from demos.video import side_by_side, write_video

        assert self.lesson.drag is not None
        assert self.lesson.done is not None
        shown = film_drag(self.scene, self.lesson.drag, FILM_SIZE, FPS).frames
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / time.strftime("taught-%Y%m%d-%H%M%S.mp4")
        write_video(path, side_by_side([shown, self.lesson.done], FILM_SIZE, ["shown by hand", "the robot"]), FPS)
        self._say(f"Saved `{path}`.", "Watch", "Record")

    def _build(self) -> None:
        """The scene in 3D, and the ball."""
        from mjviser import ViserMujocoScene

        from agents.teach import HandModel

        self.server.scene.reset()
        self._hand: HandModel = HandModel(self.scene)
        self._view = ViserMujocoScene(self.server, plainly_coloured(self._hand.model), 1)
        self._view.camera_tracking_enabled = False
        self._ball = self.server.scene.add_icosphere("/ball", radius=GRIP, color=(255, 140, 0), opacity=0.6)
        self._ball.on_drag(self._dragged)

    async def _dragged(self, event: Any) -> None:
        """The mouse has moved with the ball: the hand goes where it points."""
        import numpy as np

        if self.lesson.shown is not None:
            return
        eye = np.array(event.client.camera.position)
        point = self._hand.pointed_at(eye, np.array(event.end_position) - eye)
        if point is not None:
            self._put(point)
            now = time.monotonic()
            if not self._moments or now > self._moments[-1][0]:
                self._moments.append((now, point))
        if event.phase == "end":
            await asyncio.get_running_loop().run_in_executor(self._worker, self._try, self._filmed)

    def _filmed(self) -> None:
        """Films what was dragged."""
        import numpy as np

        from agents.errors import AgentError
        from agents.teach import Drag, film_drag, taught_object

        try:
            drag = Drag(np.array([t for t, _ in self._moments]), np.array([p for _, p in self._moments]))
        except AgentError:
            self.record()
            return
        video = film_drag(self.scene, drag, self.stored.imitator().size)
        self.lesson = Lesson(drag, taught_object(self.scene, drag), video)
        self.shown.image = film_drag(self.scene, drag, FILM_SIZE, 1.0).frames[-1]
        self._say(f"Recorded {drag.times[-1] - drag.times[0]:.1f} s. **Adapt** to it.", "Adapt", "Record")

    def _put(self, fingertip: "np.ndarray") -> None:
        self._hand.put(fingertip)
        self._ball.position = fingertip
        self._view.update_from_mjdata(self._hand.data)


def plainly_coloured(model: "mujoco.MjModel") -> "mujoco.MjModel":
    """A copy of a model whose textures are their mean colour: the page draws no textures on primitives."""
    import mujoco

    model = copy.copy(model)
    for geom, material in enumerate(model.geom_matid):
        texture = model.mat_texid[material, mujoco.mjtTextureRole.mjTEXROLE_RGB] if material >= 0 else -1
        if texture >= 0:
            start = model.tex_adr[texture]
            texels = model.tex_data[start : start + model.tex_width[texture] * model.tex_height[texture] * 3]
            model.geom_rgba[geom, :3] = texels.reshape(-1, 3).mean(0) / 255
            model.geom_matid[geom] = -1
    return model
