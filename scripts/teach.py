"""`daml teach`: show a robot what to do with the mouse, in the browser, and watch it do that."""

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

    from agents.drag import Shown
    from agents.imitation import Policy
    from agents.policies import StoredPolicy
    from demos.types import Video
    from envs.scene import Scene

HOST = "127.0.0.1"
FILM_SIZE = 256
PANEL = 540
"""Width of the part of the page with both films [px]: they and the table are seen at once on a screen of 1280 x 720."""
AWAY = 1.45
"""Distance of the page's camera from the table, in that of the policy's camera."""
LIGHT = 0.3
"""Strength of the light from all around: stronger, it pales the objects' colours."""
DISC = 0.06
"""Radius of what the mouse takes hold of [m]."""
LABELS = ("what you showed", "what the robot does")


@dataclass(frozen=True)
class Teach:
    """A page in the browser: drag a hand, and the robot does the same, among the same objects elsewhere.

    In reach the hand points at an object. In act it touches, pushes and lifts: the page says how. What was dragged is
    filmed by the renderer of all human videos; the policy sees nothing else. The page is for this machine only
    (127.0.0.1).
    """

    stops: ClassVar[str] = "the films that were saved are in --out"

    env: str = "reach"
    """Environment that a hand can show: reach, act, or MODULE:ID of your own (docs/your_own_task.md)."""
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
            AgentError: an environment that cannot be shown by dragging a hand.
        """
        import viser

        from agents.errors import AgentError
        from agents.teach import can_be_taught
        from demos.skills import find_skill

        environment = env_id(self.env)
        if not can_be_taught(find_skill(environment).layout):
            raise AgentError(
                f"env: got {self.env!r}, allowed 'reach', 'act', or one of your own in which a hand points and nothing "
                "is moved"
            )
        stored = policy_for(self.env, self.policy)
        server = viser.ViserServer(host=HOST, port=self.port, label="daml teach", verbose=False)
        try:
            return Page(server, stored, environment, self.seed, self.out)
        except BaseException:
            server.stop()
            raise


@dataclass
class Lesson:
    """What has been shown and learned in one scene so far.

    shown: what the person did.  video: of that, as the policy sees it.  film: the same for people, uint8 [T, FILM_SIZE,
    FILM_SIZE, 3].  done: the same of the robot.
    """

    shown: "Shown | None" = None
    video: "Video | None" = None
    film: "np.ndarray | None" = None
    policy: "Policy | None" = None
    done: "np.ndarray | None" = None


@dataclass
class Page:
    """The page: a scene in 3D, a hand to drag, buttons in the order in which they are pressed.

    tried, succeeded: rollouts so far.  seconds: that the last adaptation took.  verdict: on the last rollout.
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
    verdict: str = ""
    lesson: Lesson = field(default_factory=Lesson)

    def __post_init__(self) -> None:
        import numpy as np

        from demos.types import Video
        from envs.appearance import CAMERA_FOVY, CAMERA_POSITION, CAMERA_TARGET

        # One action after the other, and none of them in the thread that moves the hand.
        self._worker = ThreadPoolExecutor(1)
        self._deeds = 0  # of the person: buttons pressed, ways dragged
        server, camera = self.server, self.server.initial_camera
        # As the policy's camera sees it, from further away: the waiting hand is in the picture, too.
        camera.position = CAMERA_TARGET + AWAY * (CAMERA_POSITION - CAMERA_TARGET)
        camera.look_at = CAMERA_TARGET
        camera.fov = np.radians(CAMERA_FOVY)
        server.gui.configure_theme(control_layout="fixed", show_logo=False, show_share_button=False)
        server.gui.main_panel.set_width(PANEL)
        self.status = server.gui.add_markdown("")
        self._blank = np.full((1, FILM_SIZE, FILM_SIZE, 3), 40, np.uint8)
        self._films = server.gui.add_image(self._blank[0])
        self.buttons = {
            "Record": self._button("Record", self.record, "Put the hand back, and show it anew"),
            "Adapt": self._button("Adapt", self.adapt, "One gradient step on what was shown"),
            "Watch": self._button("Watch", self.watch, "The robot acts, the objects shuffled"),
            "Save": self._button("Save", self.save, "What was shown beside what was done, as mp4"),
            "New objects": self._button("New objects", self.new_scene, "Other objects, another table"),
        }
        self.new_scene()
        # The first gradient of a process takes seconds: now, while nobody waits for it.
        self._worker.submit(self.stored.adapt, Video(np.repeat(self._blank, 2, 0), np.arange(2.0)))

    def _button(self, label: str, action: Callable[[], None], hint: str) -> Any:
        button = self.server.gui.add_button(label, hint=hint)

        @button.on_click
        def _(event: Any) -> None:
            button.disabled = True  # until it is its turn again
            self._deeds += 1
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

    def _play(self, shown: "np.ndarray", done: "np.ndarray") -> None:
        """Plays both films [T, FILM_SIZE, FILM_SIZE, 3] beside each other, until the person does something else."""
        from agents.films import FPS
        from demos.video import side_by_side

        deeds = self._deeds
        for frame in side_by_side([shown, done], FILM_SIZE, LABELS):
            if deeds != self._deeds:
                return
            self._films.image = frame
            time.sleep(1 / FPS)

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
        from agents.drag import Drag
        from demos.video import side_by_side

        self.lesson = Lesson()
        self._drag = Drag.begun(self.scene)
        self._put()
        self._films.image = side_by_side([self._blank, self._blank], FILM_SIZE, LABELS)[0]
        self._say(self._hand.hint)

    def adapt(self) -> None:
        """Adapts to what was shown."""
        from agents.verdict import seen

        assert self.lesson.video is not None
        started = time.perf_counter()
        self.lesson.policy = self.stored.adapt(self.lesson.video)
        self.seconds = time.perf_counter() - started
        saw = seen(self.lesson.policy, self.environment, self._next_scene())
        self._say(f"Adapted in {self.seconds:.2f} s. {saw} **Watch** the robot.", "Watch", "Record")

    def watch(self) -> None:
        """Lets the robot act among the same objects in other places, and counts."""
        from agents.films import film
        from agents.verdict import verdict

        lesson = self.lesson
        assert lesson.shown is not None
        assert lesson.shown.goal is not None
        assert lesson.policy is not None
        assert lesson.film is not None
        self._say("The robot is at work.")
        scene = self._next_scene().with_goal(lesson.shown.goal)
        episode, lesson.done = film(self.environment, scene, lesson.policy, FILM_SIZE)
        self._play(lesson.film, lesson.done)
        self.succeeded += episode.success
        self.tried += 1
        self.verdict = verdict(scene, episode)
        self._say(
            f"The robot **{self.verdict}**. Done as shown so far: {self.succeeded} of {self.tried}. **Watch** again "
            "elsewhere, **Record** anew, or **Save**.",
            *("Watch", "Record", "Save"),
        )

    def save(self) -> None:
        """Writes what was shown beside what was done."""
        from agents.films import FPS
        from demos.video import side_by_side, write_video

        assert self.lesson.film is not None
        assert self.lesson.done is not None
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / time.strftime("taught-%Y%m%d-%H%M%S.mp4")
        write_video(path, side_by_side([self.lesson.film, self.lesson.done], FILM_SIZE, LABELS), FPS)
        self._say(f"Saved `{path}`.", "Watch", "Record")

    def _next_scene(self) -> "Scene":
        """Where the robot acts the next time."""
        return self._elsewhere[self.tried % len(self._elsewhere)]

    def _build(self) -> None:
        """The scene in 3D, and what the mouse takes hold of: arrows on a disc, which no object looks like."""
        from mjviser import ViserMujocoScene

        from agents.teach import dragged_hand

        scene = self.server.scene
        scene.reset()
        self._hand = dragged_hand(self.environment, self.scene)
        self._view = ViserMujocoScene(self.server, plainly_coloured(self._hand.model), 1)
        self._view.camera_tracking_enabled = False
        scene.configure_environment_map(environment_intensity=LIGHT)
        self._handle = scene.add_frame("/handle", show_axes=False)
        disc = scene.add_cylinder("/handle/disc", DISC, 0.001, (20, 20, 20), opacity=0.35, cast_shadow=False)
        arrows = scene.add_mesh_simple(
            "/handle/arrows", *cross(DISC), color=(255, 255, 255), side="double", cast_shadow=False
        )
        for part in (disc, arrows):
            part.on_drag("left")(self._dragged)
            part.on_drag("left", modifier="shift")(self._dragged)

    async def _dragged(self, event: Any) -> None:
        """The mouse has moved with the handle: the hand goes where it points.

        What follows before it is learned goes on with the same drag, also the one after another key was pressed.
        """
        import numpy as np

        if self.lesson.policy is not None:
            return
        eye = np.array(event.client.camera.position)
        drag = self._hand.follow(self._drag, eye, np.array(event.end_position) - eye, event.modifier == "shift")
        if drag is not self._drag:
            self._drag = drag
            self._deeds += 1
            self._put()
            self.status.content = f"You show: **{self._hand.shown(drag).said}**. {self._hand.hint}"
        if event.phase == "end":
            self._worker.submit(self._try, self._filmed)

    def _filmed(self) -> None:
        """Films what was dragged."""
        from agents.films import FPS
        from agents.teach import film_shown

        drag = self._drag
        shown = self._hand.shown(drag)
        if self.lesson.policy is not None:
            return
        if shown.goal is None:
            self.lesson = Lesson()
            self._say(f"That shows **{shown.said}**. Drag on, or **Record** anew. {self._hand.hint}", "Record")
            return
        video = film_shown(self.scene, shown, self.stored.imitator().size)
        film = film_shown(self.scene, shown, FILM_SIZE, FPS).frames
        if drag is not self._drag:
            return
        self.lesson = Lesson(shown, video, film)
        self._say(f"You showed: **{shown.said}**. **Adapt** to it, or drag on.", "Adapt", "Record")
        self._play(film, self._blank)

    def _put(self) -> None:
        """Puts the hand, and what it has moved, where the drag has taken them."""
        shown = self._hand.shown(self._drag)
        moment = shown.motion(shown.length)
        self._hand.put(moment)
        self._handle.position = moment.hand
        self._view.update_from_mjdata(self._hand.data)


def cross(size: float) -> "tuple[np.ndarray, np.ndarray]":
    """Four arrows from the middle, a little above a plane, as on the cursor that moves things.

    Args:
        size: how far from the middle they end [m].

    Returns:
        Vertices [n, 3] [m], and triangles [m, 3].
    """
    import numpy as np

    shaft = [(0.0, -0.07), (0.6, -0.07), (0.6, 0.07), (0.0, 0.07)]
    arrow = np.array([(*xy, 0.05) for xy in (*shaft, (0.55, -0.25), (0.95, 0.0), (0.55, 0.25))])
    turns = [np.array([(c, -s, 0), (s, c, 0), (0, 0, 1)]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    triangles = np.array([(0, 1, 2), (0, 2, 3), (4, 5, 6)])
    return size * np.concatenate([arrow @ turn.T for turn in turns]), np.concatenate(
        [triangles + len(arrow) * number for number in range(len(turns))]
    )


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
