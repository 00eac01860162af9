"""`daml record`: episodes of the expert, the human or a policy, kept with all that is needed to do them again."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from scripts.common import console, env_id, policy_for
from scripts.inputs import Cameras, Count, Env, Folder, InputError, Natural, Nudge, Seed, Side, Split
from scripts.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from demos.recipe import Recipe
    from demos.record import Actor
    from demos.recording import Recording

SIZE = 64
"""Side of the images that an expert or a human is recorded with [px]."""
HUMAN_FPS = 20.0
"""Frames a second of a human's recording."""


@dataclass(frozen=True)
class Record:
    """Record episodes: of the scripted expert, of the human, or of a policy after one human video.

    Each episode is a folder: the episode in Minari's format (data/), the same as a film (episode.mp4) and what it is
    (recording.json). A stopped command goes on when it is started again. `daml replay` does an episode again,
    `daml dataset` lists, checks and exports them, and `daml adapt` takes the film of a human.
    """

    stops: ClassVar[str] = "the same command goes on"

    env: Env = "reach"
    by: Literal["expert", "human", "policy"] = "expert"
    """Who does it."""
    policy: str | None = None
    """Folder of a policy, for `--by policy`; the one in the box when not given."""
    split: Split = "test"
    """Objects."""
    episodes: Count = 3
    """How many: one for each task of a set, then the next set."""
    trial: Natural = 0
    """Number of the robot's scene of each task: other positions, light and camera."""
    nudge: Nudge = 0
    """How far objects are moved while the robot is on its way: 1 up to 2 cm, 2 up to 4 cm."""
    cameras: Cameras = ("table",)
    seed: Seed = 0
    """Of objects, scenes and motions."""
    size: Side = 256
    """Side of the film, of each camera [px]."""
    out: Folder = Path("recordings")
    """Folder for the episodes."""

    def run(self) -> None:
        from demos.episodes import write_recording
        from demos.errors import DemoError
        from demos.manifest import read_info
        from demos.recipe import Recipe
        from demos.recording import check_cameras_of, folder_name
        from demos.tasks import task_of

        if self.policy is not None and self.by != "policy":
            raise InputError(f"policy: got {self.policy} with --by {self.by}, allowed with --by policy")
        if self.by == "human" and (self.trial or self.nudge):
            name = "trial" if self.trial else "nudge"
            raise InputError(f"{name}: got it with --by human, allowed for a robot: it is of the robot's scene")
        check_cameras_of(self.by, self.cameras)
        environment = env_id(self.env)
        recipes = [
            Recipe(environment, self.seed, self.split, *task_of(environment, number), self.trial, self.nudge)
            for number in range(self.episodes)
        ]
        make_actor, side = self._actor()
        there, won = 0, []
        with progress_bar("episodes") as bar:
            job = bar.add_task(f"recording the {self.by}", total=self.episodes, note="")
            for recipe in recipes:
                folder = self.out / folder_name(recipe, self.by)
                if folder.exists():
                    info, there = read_info(folder), there + 1
                    if info.policy != self.policy_name:
                        raise DemoError(
                            f"recording {folder}: got one of the policy {info.policy}, allowed {self.policy_name}; "
                            "choose another --out"
                        )
                    if info.cameras != self.cameras:
                        raise DemoError(
                            f"recording {folder}: got one through the cameras {info.cameras}, allowed {self.cameras}; "
                            "choose another --out"
                        )
                else:
                    recording, film = self._record(recipe, make_actor, side)
                    write_recording(self.out, recording, film)
                    info = recording.info
                won.append(info.success)
                bar.advance(job)
        console.print(f"recorded {self.episodes - there} episodes in {self.out}, {there} were there already")
        if self.by != "human":
            console.print(f"success: {sum(map(bool, won))} of {self.episodes}")

    @property
    def policy_name(self) -> str | None:
        """Which policy acts, when one does."""
        return (self.policy or self.env) if self.by == "policy" else None

    def _record(
        self, recipe: "Recipe", make_actor: "Callable[[Recipe], Actor]", side: int
    ) -> "tuple[Recording, np.ndarray]":
        from demos.recorder import record_human, record_robot

        if self.by == "human":
            return record_human(recipe, size=side, fps=HUMAN_FPS, film_size=self.size)
        return record_robot(
            recipe,
            make_actor(recipe),
            by=self.by,
            policy=self.policy_name,
            size=side,
            film_size=self.size,
            cameras=self.cameras,
        )

    def _actor(self) -> "tuple[Callable[[Recipe], Actor], int]":
        """Who acts, and the side of the images that it wants [px]."""
        from demos.record import expert

        if self.policy_name is None:
            return lambda recipe: expert(recipe.env_id), SIZE
        from agents.errors import AgentError
        from demos.human import human_video

        stored = policy_for(self.env, self.policy)
        imitator = stored.imitator()
        if not {*imitator.cameras} <= {*self.cameras}:
            raise AgentError(
                f"cameras: got {self.cameras}, allowed {imitator.cameras}, through which the policy {self.policy_name} "
                "looks"
            )

        def imitate(recipe: "Recipe") -> "Actor":
            video = human_video(recipe.env_id, recipe.human_scene(), recipe.motion(), size=imitator.size)
            return stored.adapt(video).actor()

        return imitate, imitator.size
