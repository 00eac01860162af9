"""`daml demo`: the policy in the box watches a human, does the same, and is counted."""

from dataclasses import dataclass, replace
from pathlib import Path

from demos.processes import cores
from scripts.common import console, env_id, policy_for
from scripts.inputs import Count, Env, Folder, Seed, Side
from scripts.progress import progress_bar


@dataclass(frozen=True)
class Demo:
    """Watch the policy in the box imitate: a film of one object set, and success on held-out objects.

    The film shows a task for each object of a set: left the human's video, right the robot, which has never seen these
    objects.
    """

    env: Env = "reach"
    policy: str | None = None
    """Folder of a policy; the one in the box when not given."""
    seed: Seed = 0
    """Of tasks, scenes and motions."""
    tasks: Count = 60
    """Tasks to count success on."""
    size: Side = 256
    """Side of each picture of the film [px]."""
    out: Folder = Path("demo")
    """Folder for the film."""
    quick: bool = False
    """A smoke run: few tasks."""

    def run(self) -> None:
        import numpy as np

        from agents.evaluation import evaluate
        from agents.films import FPS, film_beside_human
        from agents.imitation import adapt_to_video
        from agents.learners import Imitation
        from agents.workers import processes
        from demos.human import human_video
        from demos.tasks import N_OBJECTS, sample_task_set, task_of
        from demos.video import write_gif, write_image, write_video

        config = replace(self, tasks=3) if self.quick else self
        environment = env_id(config.env)
        stored = policy_for(config.env, config.policy)
        imitator = stored.imitator()
        tasks = sample_task_set(config.seed, "test", 0, env_id=environment)
        reels = []
        for _, goal in (task_of(environment, number) for number in range(N_OBJECTS)):
            video = human_video(environment, tasks.human_scene.with_goal(goal), tasks.motion(goal), size=imitator.size)
            policy = adapt_to_video(imitator, stored.meta, video)
            reels.append(film_beside_human(environment, tasks, goal, policy, config.size)[1])
        frames = np.concatenate(reels)
        write_video(config.out / "one-shot.mp4", frames, FPS)
        write_gif(config.out / "one-shot.gif", frames, FPS)
        write_image(config.out / "one-shot.png", np.concatenate([reel[-1] for reel in reels]))
        with progress_bar("tasks") as bar, processes(cores()) as workers:
            job = bar.add_task("evaluating on held-out objects", total=config.tasks, note="")
            report = evaluate(
                Imitation(imitator, stored.meta),
                env_id=environment,
                split="test",
                tasks=config.tasks,
                trials=1,
                seed=config.seed,
                workers=workers,
                progress=lambda done: bar.update(job, completed=done),
            )
        low, high = report.interval()
        console.print(
            f"success on held-out objects after one human video: {report.success:.2f} "
            f"(95 % interval {low:.2f} to {high:.2f}, {config.tasks} tasks; chance to pick the right object 0.33)"
        )
        console.print(f"film: {config.out / 'one-shot.mp4'} (also .gif and .png): left the human, right the robot")
