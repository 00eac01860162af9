"""The films and pictures of all tasks in the pages: `python -m examples.films --out docs/pictures`.

Each row is a task: left one human's video, right the robot in another arrangement. It acts by the policy in the box
after that video, or, where there is none, by the expert. The rows of a picture are tasks of one set: the scenes stay,
and the video alone tells what to do.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from agents.policies import bundled, load_policy
from demos.human import human_video
from demos.recipe import Recipe
from demos.record import expert
from demos.recorder import record_robot
from demos.skills import find_skill
from demos.tasks import N_OBJECTS
from demos.video import labelled_rows, side_by_side, write_gif, write_image
from envs.scene import Scene

TASKS = {"reach": "Reach", "push": "Push", "place": "Place", "pick-place": "PickPlace", "act": "Act", "sort": "Sort"}
"""Name of a policy in the box -> of an environment."""
MOMENTS = 4
"""Of each film, in a picture."""


@dataclass(frozen=True)
class Films:
    """Films a task of every environment in one file, and draws a picture of some tasks of each."""

    out: Path = Path("films")
    """Folder for tasks.gif and a picture of every environment."""
    envs: tuple[str, ...] = tuple(TASKS)
    """Which of them."""
    seed: int = 1
    """Of scenes and motions."""
    size: int = 128
    """Side of each film [px]."""
    fps: float = 5.0
    """Frames a second."""

    def run(self) -> None:
        films: list[np.ndarray] = []
        labels: list[str] = []
        for name in self.envs:
            rows = [self.row(name, goal) for goal in goals(f"daml/{TASKS[name]}-v0")]
            stills = [np.concatenate([moments(shown), gap(self.size), moments(done)], 1) for shown, done, _ in rows]
            picture = labelled_rows([still[None] for still in stills], [words for *_, words in rows], 150)[0]
            write_image(self.out / f"{name.replace('-', '_')}.png", picture)
            shown, done, words = rows[0]
            heads = None if films else ["one human video", "the robot"]
            films.append(side_by_side([shown, done], self.size, heads))
            labels.append(f"{TASKS[name]}\n{words}")
        write_gif(self.out / "tasks.gif", labelled_rows(films, labels, 150), self.fps)

    def row(self, name: str, goal: int) -> tuple[np.ndarray, np.ndarray, str]:
        """The human's film, the robot's, and what they are of."""
        recipe = Recipe(f"daml/{TASKS[name]}-v0", self.seed, "test", 0, goal)
        stored = load_policy(name) if name in bundled() else None
        side = stored.imitator().size if stored else 64
        scene = recipe.human_scene()
        shown = human_video(recipe.env_id, scene, recipe.motion(), size=self.size, fps=self.fps).frames
        if stored:
            actor = stored.adapt(human_video(recipe.env_id, scene, recipe.motion(), size=side)).actor()
        else:
            actor = expert(recipe.env_id)
        recording, film = record_robot(recipe, actor, size=side, film_size=self.size)
        every = round(recording.info.fps / self.fps)
        who, end = "policy" if stored else "expert", "success" if recording.info.success else "failed"
        return shown, film[::every], f"{what(scene)}\n{who}: {end}"


def goals(env_id: str) -> list[int]:
    """One task for each verb or container with an object each, or else for each object."""
    layout = find_skill(env_id).layout
    if layout.n_aims == 1:
        return list(range(N_OBJECTS))
    return [layout.goal_number(aim % N_OBJECTS, aim) for aim in range(layout.n_aims)]


def what(scene: Scene) -> str:
    """The goal in a line or two: the object, with the verb or the container."""
    aims, thing = scene.layout.aims, scene.objects[scene.goal].in_words
    if not aims:
        return thing
    if scene.containers:
        return f"{thing}\ninto {scene.containers[scene.aim].in_words}"
    return f"{aims.names[scene.aim]}\n{thing}"


def moments(film: np.ndarray) -> np.ndarray:
    """Some frames of a film [T, side, side, 3], evenly spaced and with both ends, beside each other."""
    return np.concatenate(film[np.linspace(0, len(film) - 1, MOMENTS).round().astype(int)], axis=1)


def gap(size: int) -> np.ndarray:
    """White between two films."""
    return np.full((size, 10, 3), 255, np.uint8)


if __name__ == "__main__":
    tyro.cli(Films).run()
