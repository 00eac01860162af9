"""`daml collect`: robot demonstrations and human videos of the same tasks."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from demos.processes import cores
from scripts.common import ENVIRONMENTS, as_file, console, env_id
from scripts.inputs import Cameras, Count, Env, Folder, Natural, Nudge, On, Seed, Side, Split, Within, Writable
from scripts.progress import progress_bar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agents.imitation import Imitator


@dataclass(frozen=True)
class Collect:
    """Collect demonstrations: for every object set, a human video and a robot demonstration of each goal.

    All cores work; the result depends on the seed only. A stopped collection goes on when it is started again.
    """

    stops: ClassVar[str] = "the same command goes on"

    env: Env = "reach"
    split: Split = "train"
    """Objects."""
    sets: Count = 1200
    """Object sets; each has three objects, hence three tasks, or three for each verb or container."""
    seed: Seed = 0
    """Of everything."""
    out: Folder | None = None
    """Folder of the dataset; data/ENV when not given."""
    size: Side = 64
    """Side of the square frames [px]."""
    glances: Natural = 0
    """Further images of each set through other cameras, which --preset precise learns from."""
    lessons: Annotated[int, Within(0, 1)] = 0
    """1: also the robot's own demonstrations where the human's are, which --preset mil learns from."""
    nudge: Nudge = 0
    """How far objects are moved while the robot is on its way: 1 up to 2 cm, 2 up to 4 cm."""
    cameras: Cameras = ("table",)
    workers: Count | None = None
    """Processes; one for each core when not given."""
    on: On = "processes"
    clips: Natural = 3
    """Also write this many human videos as mp4 files, to look at and to adapt to."""
    clip_size: Side = 256
    """Side of those videos [px]."""
    clip_fps: Annotated[float, Within(1, 1000)] = 20.0
    """Their frames a second."""

    @property
    def folder(self) -> Path:
        """Of the dataset."""
        return self.out or Path("data") / as_file(self.env)

    def run(self) -> None:
        from demos.collect import collect
        from demos.executors import check
        from demos.tasks import n_goals

        check(self.on, self.workers)
        Writable("folder").check("out", self.folder)
        with progress_bar("sets") as bar:
            job = bar.add_task("collecting", total=self.sets, note="")
            for done in collect(
                self.folder,
                env_id=env_id(self.env),
                split=self.split,
                n_sets=self.sets,
                seed=self.seed,
                size=self.size,
                n_glances=self.glances,
                n_lessons=self.lessons,
                nudge=self.nudge,
                cameras=self.cameras,
                workers=self.workers,
                on=self.on,
            ):
                bar.update(job, completed=done)
        console.print(f"dataset: {self.folder} ({self.sets} sets, {n_goals(env_id(self.env)) * self.sets} tasks)")
        for path in self._write_clips():
            console.print(f"clip:    {path}")

    def _write_clips(self) -> list[Path]:
        from demos.human import human_video
        from demos.tasks import n_goals, sample_task_set, task_of, write_clip_tasks
        from demos.video import write_video

        paths = []
        environment = env_id(self.env)
        for number in range(min(self.clips, n_goals(environment) * self.sets)):
            index, goal = task_of(environment, number)
            tasks = sample_task_set(self.seed, self.split, index, env_id=environment)
            scene = tasks.human_scene.with_goal(goal)
            video = human_video(environment, scene, tasks.motion(goal), size=self.clip_size, fps=self.clip_fps)
            paths.append(self.folder / "clips" / f"set{index}-goal{goal}.mp4")
            write_video(paths[-1], video.frames, self.clip_fps)
            write_clip_tasks(paths[-1], env_id=environment, seed=self.seed, split=self.split, index=index, goal=goal)
        return paths


def collect_missing(
    folders: "Mapping[str, Path]", imitators: "Sequence[Imitator]", *, sets: int, seed: int, on: On = "processes"
) -> None:
    """Collects what is missing of the datasets that policies are trained on; see `agents.datasets.collect_for`.

    Args:
        folders: by registered id of the environment.
        imitators: which share them.
        sets: of each environment.
        seed: of everything.
        on: where.
    """
    from agents.datasets import collect_for

    names = {environment: name for name, environment in ENVIRONMENTS.items()}
    with progress_bar("sets") as bar:
        for environment, folder in folders.items():
            job = bar.add_task(f"collecting {names.get(environment, environment)}", total=sets, note="")
            for done in collect_for(
                imitators, folder, env_id=environment, n_sets=sets, seed=seed, workers=cores(), on=on
            ):
                bar.update(job, completed=done)
