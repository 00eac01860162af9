"""One-shot evaluation: watch one video of each task, then act in scenes never seen, and count.

Tasks come as whole object sets, like in meta-training: each object of a set is the goal of one task, and its tasks
share their scenes. A policy that does not use the video therefore goes to the right object in exactly one of
`N_OBJECTS` cases, whatever its preference: chance is exact, not an estimate.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium
import numpy as np

import envs  # noqa: F401  (registers the environments)
from agents import oracle
from agents.errors import AgentError
from agents.imitation import Imitator, Policy, adapt_to_videos
from agents.presets import Preset
from agents.statistics import wilson
from agents.view import Sizes
from agents.workers import Workers, here
from daml import MetaParams
from demos.gap import Gap
from demos.human import human_video
from demos.record import demonstration, record
from demos.tasks import N_OBJECTS, TaskSet, sample_task_set
from demos.types import Episode, Video
from envs.objects import ALL_SPLITS

Shown = Callable[[TaskSet, int, gymnasium.Env], Video]
"""(task set, goal, environment) -> what is shown of the task."""


def _side(env: gymnasium.Env) -> int:
    return env.observation_space["image"].shape[0]  # type: ignore[index]


def _human(tasks: TaskSet, goal: int, env: gymnasium.Env) -> Video:
    return human_video(tasks.human_scene.with_goal(goal), tasks.motion(goal), size=_side(env))


def _wrong(tasks: TaskSet, goal: int, env: gymnasium.Env) -> Video:
    return _human(tasks, (goal + 1) % N_OBJECTS, env)


def _blank(tasks: TaskSet, goal: int, env: gymnasium.Env) -> Video:
    video = _human(tasks, goal, env)
    return Video(np.full_like(video.frames, 128), video.times)


def _robot(tasks: TaskSet, goal: int, env: gymnasium.Env) -> Video:
    return demonstration(env, tasks.human_scene.with_goal(goal))


def _frames(order: Callable[[int, np.random.Generator], np.ndarray]) -> Shown:
    """The human's video with other frames in its places: `order` says which, from their number."""

    def shown(tasks: TaskSet, goal: int, env: gymnasium.Env) -> Video:
        video = _human(tasks, goal, env)
        # Not the motion's own random numbers, so that the order says nothing of it.
        rng = np.random.default_rng([tasks.motion_seeds[goal], 1])
        return Video(video.frames[order(video.n_frames, rng)], video.times)

    return shown


VIDEOS: dict[str, Shown] = {
    "human": _human,
    "wrong": _wrong,
    "blank": _blank,
    "shuffled": _frames(lambda n, rng: rng.permutation(n)),
    "reversed": _frames(lambda n, rng: np.arange(n)[::-1]),
    "first": _frames(lambda n, rng: np.zeros(n, int)),
    "middle": _frames(lambda n, rng: np.full(n, n // 2)),
    "last": _frames(lambda n, rng: np.full(n, n - 1)),
    "robot": _robot,
    "told": _human,
}
"""What the policy is shown of a task: a human doing it; a human doing another task of the set; grey frames; the right
video with its frames shuffled, or reversed, or standing still at the first, the middle or the last one; the robot's own
expert doing it, where the human would have; the right video, and where the goal is as well (`agents.oracle`)."""

SHOWN = (*VIDEOS, "none")
"""The same and no video at all: a policy with zero inner steps."""


@dataclass(frozen=True)
class Report:
    """The outcome of an evaluation.

    successes, nearest: bool [tasks, trials], whether the trial succeeded, and whether the object nearest to the
    fingertip at its end was the right one.  distances: float [tasks, trials], to the goal at its end [m].  seconds: it
    took.  stages: of the task -> bool [tasks, trials], whether the trial passed it.
    """

    successes: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray
    seconds: float
    stages: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def success(self) -> float:
        return float(self.successes.mean())

    def interval(self) -> tuple[float, float]:
        """Wilson interval of the success rate. Trials of a task share its video, so tasks are counted, not trials."""
        return wilson(self.success, len(self.successes))

    def summary(self) -> dict[str, Any]:
        low, high = self.interval()
        tasks, trials = self.successes.shape
        return {
            "success": self.success,
            "ci_low": low,
            "ci_high": high,
            "nearest": float(self.nearest.mean()),
            "chance": 1 / N_OBJECTS,
            "tasks": tasks,
            "trials": trials,
            "seconds": round(self.seconds, 1),
        } | ({"stages": {name: float(passed.mean()) for name, passed in self.stages.items()}} if self.stages else {})


def evaluate(
    imitator: Imitator,
    meta: MetaParams,
    *,
    env_id: str,
    split: str,
    tasks: int,
    trials: int,
    seed: int,
    video: str = "human",
    gap: Gap = Gap(),  # noqa: B008  (frozen)
    videos: int = 1,
    workers: Workers = here,
    progress: Callable[[int], None] = lambda tasks_done: None,
) -> Report:
    """Evaluates a policy on unseen tasks.

    Args:
        imitator, meta: the policy.
        env_id: registered id of the environment.
        split: of the objects.
        tasks: number of tasks, each with one video.
        trials: rollouts for each task, in scenes of their own.
        seed: of tasks, scenes and motions.
        video: key of `VIDEOS`.
        gap: from the videos and scenes of meta-training.
        videos: of each task, each in an arrangement of its own; the gradients on them are averaged.
        workers: what runs the trials; this process, or others (`agents.workers.processes`).
        progress: called with the number of tasks done.

    Raises:
        AgentError: an argument out of range.
        DemoError: a gap that this environment does not have.
    """
    for name, number in {"tasks": tasks, "trials": trials, "videos": videos}.items():
        if number < 1:
            raise AgentError(f"{name}: got {number}, allowed 1 or more")
    if video not in VIDEOS:
        raise AgentError(f"video: got {video!r}, allowed {list(VIDEOS)}")
    if split not in ALL_SPLITS:
        raise AgentError(f"split: got {split!r}, allowed {list(ALL_SPLITS)}")
    gap.check(env_id)
    split = gap.split(split)
    started = time.monotonic()
    frozen = {group: {name: t.detach().cpu() for name, t in params.items()} for group, params in meta.items()}
    jobs = [
        SetTrials(
            imitator, frozen, env_id, split, index, min(N_OBJECTS, tasks - first), trials, seed, video, gap, videos
        )
        for index, first in enumerate(range(0, tasks, N_OBJECTS))
    ]
    episodes: list[list[Episode]] = []
    for result in workers(jobs):
        episodes += result
        progress(len(episodes))
    return Report(
        successes=np.array([[episode.success for episode in task] for task in episodes]),
        nearest=np.array([[episode.right_object for episode in task] for task in episodes]),
        distances=np.array([[episode.distance for episode in task] for task in episodes]),
        seconds=time.monotonic() - started,
        stages={
            name: np.array([[episode.stages[name] for episode in task] for task in episodes])
            for name in episodes[0][0].stages
        },
    )


def evaluate_preset(preset: Preset, meta: MetaParams, *, sizes: Sizes, video: str, **options: Any) -> Report:
    """`evaluate` for a preset, with "none" as one more video. Arguments and errors as there.

    Raises:
        AgentError: `video` is none of `SHOWN`.
    """
    if video not in SHOWN:
        raise AgentError(f"video: got {video!r}, allowed {list(SHOWN)}")
    imitator = preset.imitator(0 if video == "none" else preset.inner_steps, sizes)
    return evaluate(imitator, meta, video=preset.shown if video == "none" else video, **options)


@dataclass(frozen=True)
class SetTrials:
    """What is evaluated on one object set: `goals` of its tasks, each `trials` times. Fields as in `evaluate`."""

    imitator: Imitator
    meta: MetaParams
    env_id: str
    split: str
    index: int
    goals: int
    trials: int
    seed: int
    video: str
    gap: Gap
    videos: int

    def run(self) -> list[list[Episode]]:
        """The episodes [goals][trials]."""
        tasks = sample_task_set(
            self.seed,
            self.split,
            self.index,
            env_id=self.env_id,
            n_trials=self.trials + self.videos - 1,
            dials=self.gap.dials,
            distractors=self.gap.distractors,
        )
        env = gymnasium.make(self.env_id, image_size=self.imitator.size, disable_env_checker=True)
        results = []
        shown = [tasks, *(replace(tasks, human_scene=scene) for scene in tasks.robot_scenes[self.trials :])]
        for goal in range(self.goals):
            videos = [VIDEOS[self.video](one, goal, env) for one in shown]
            policy = adapt_to_videos(self.imitator, self.meta, videos)
            make_actor = oracle.told if self.video == "told" else Policy.actor
            scenes = tasks.robot_scenes[: self.trials]
            results.append([record(env, scene.with_goal(goal), make_actor(policy)) for scene in scenes])
        env.close()
        return results
