"""One-shot evaluation: watch one video of each task, then act in scenes never seen, and count.

Tasks come as whole object sets, like in meta-training: each object of a set is the goal of one task, or of one for each
aim (a verb, a container), and its tasks share their scenes. A policy that does not use the video therefore goes to the
right object in exactly one of `N_OBJECTS` cases, whatever its preference: chance is exact, not an estimate.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import gymnasium
import numpy as np

from agents.errors import AgentError
from agents.learners import Imitation, Learner, OneShotPolicy, learner
from agents.presets import Preset
from agents.statistics import wilson
from agents.view import Sizes
from agents.workers import Workers, here
from daml import MetaParams
from demos.combinations import Pairs, check_pairs, goals_of
from demos.gap import Gap
from demos.human import human_video
from demos.record import demonstration, record
from demos.skills import find_skill, id_of
from demos.tasks import N_OBJECTS, TaskSet, sample_task_set
from demos.types import Episode, Video
from envs.objects import ALL_SPLITS
from envs.scene import Aims, Layout

Shown = Callable[[TaskSet, int, gymnasium.Env], Video]
"""(task set, goal, environment) -> what is shown of the task."""


def _side(env: gymnasium.Env) -> int:
    return env.observation_space["image"].shape[0]  # type: ignore[index]


def _human(tasks: TaskSet, goal: int, env: gymnasium.Env) -> Video:
    return human_video(id_of(env), tasks.human_scene.with_goal(goal), tasks.motion(goal), size=_side(env))


def _instead(tasks: TaskSet, goal: int, env: gymnasium.Env, *, objects: int, aims: int) -> Video:
    return _human(tasks, _shifted(tasks.human_scene.layout, goal, objects, aims), env)


def _shifted(layout: Layout, goal: int, objects: int, aims: int) -> int:
    """The number of the goal with the next but so many object and aim."""
    thing, aim = layout.goal_parts(goal)
    return layout.goal_number((thing + objects) % N_OBJECTS, (aim + aims) % layout.n_aims)


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


WRONG = {"wrong": (1, 1), "wrong-object": (1, 0), "wrong-verb": (0, 1), "wrong-container": (0, 1)}
"""Videos of other goals: how many objects and how many aims further on."""
HALF_WRONG = ("wrong-object", "wrong-verb", "wrong-container")
"""Those with one part of the goal right: there are only such as have a part that an environment's goals have."""

VIDEOS: dict[str, Shown] = {
    "human": _human,
    **{name: partial(_instead, objects=objects, aims=aims) for name, (objects, aims) in WRONG.items()},
    "blank": _blank,
    "shuffled": _frames(lambda n, rng: rng.permutation(n)),
    "reversed": _frames(lambda n, rng: np.arange(n)[::-1]),
    "first": _frames(lambda n, rng: np.zeros(n, int)),
    "middle": _frames(lambda n, rng: np.full(n, n // 2)),
    "last": _frames(lambda n, rng: np.full(n, n - 1)),
    "first-half": _frames(lambda n, rng: np.arange(n) // 2),
    "second-half": _frames(lambda n, rng: n // 2 + np.arange(n) * (n - n // 2) // n),
    "robot": _robot,
    "told": _human,
}
"""What the policy is shown of a task; `agents.controls.MEANINGS` says it in words. After "told" one of ours acts as
`agents.oracle` does, and another finds the goal in `info`."""

SHOWN = (*VIDEOS, "none")
"""The same and no video at all: a policy with zero inner steps."""


def shown_in(env_id: str) -> tuple[str, ...]:
    """Those of `SHOWN` that an environment has."""
    aims = find_skill(env_id).layout.aims
    has = ("wrong-object", f"wrong-{aims.kind}") if aims else ()
    return tuple(video for video in SHOWN if video in has or video not in HALF_WRONG)


def shown_to(preset: Preset, env_id: str) -> tuple[str, ...]:
    """Those of `shown_in` that tell something of a preset: without inner steps, one that takes none anyway is what it
    always is, so that "none" would be another word for `preset.shown`. One that learns from a robot's actions can watch
    nobody else."""
    lessons = preset.imitator(preset.inner_steps).wanted.lessons
    videos = (preset.shown, "none") if lessons else shown_in(env_id)
    return tuple(video for video in videos if preset.inner_steps or video != "none")


def check_video(video: str, env_id: str, preset: Preset | None = None) -> None:
    """Checks what is shown to a policy of a preset, or to one of somebody's own.

    Raises:
        AgentError: it is none of `shown_to`, or of `VIDEOS` that the environment has.
    """
    allowed = shown_to(preset, env_id) if preset else [name for name in shown_in(env_id) if name in VIDEOS]
    if video not in allowed:
        why = ", for a policy that takes no inner step" if preset and not preset.inner_steps else ""
        raise AgentError(f"video: got {video!r}, allowed {list(allowed)} in {env_id}{why}")


@dataclass(frozen=True)
class Aimed:
    """What became of the second part of a goal, where there is one.

    aims: all that it may be.  asked: int [tasks], indices of what was asked.  did: int [tasks, trials], indices of what
    was done with whatever object was acted upon, -1 for none.  as_shown: bool [tasks, trials], whether what was done is
    what the video showed, with the object with which it was, and with no other.
    """

    aims: Aims
    asked: np.ndarray
    did: np.ndarray
    as_shown: np.ndarray

    def confusion(self) -> dict[str, dict[str, int]]:
        """Aim asked -> aim done, or "none" -> number of trials."""
        names = self.aims.names
        return {
            name: {done: int((self.did[self.asked == i] == j).sum()) for j, done in [*enumerate(names), (-1, "none")]}
            for i, name in enumerate(names)
        }

    @property
    def right(self) -> float:
        """How often what was done is what was asked."""
        return float((self.did == self.asked[:, None]).mean())

    def summary(self) -> dict[str, Any]:
        """ "aim": its kind, such as "verb"; entries with that name are about it."""
        kind = self.aims.kind
        return {
            "aim": kind,
            kind: self.right,
            f"{kind}_chance": 1 / len(self.aims.names),
            "as_shown": float(self.as_shown.mean()),
            f"{kind}s": self.confusion(),
        }


@dataclass(frozen=True)
class Report:
    """The outcome of an evaluation.

    successes, nearest: bool [tasks, trials], whether the trial succeeded, and whether the object nearest to the
    fingertip at its end was the right one.  distances: float [tasks, trials], to the goal at its end [m].  seconds: it
    took.  stages: of the task -> bool [tasks, trials], whether the trial passed it.  aimed: what became of the second
    part of the goals, where they have one.
    """

    successes: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray
    seconds: float
    stages: dict[str, np.ndarray] = field(default_factory=dict)
    aimed: Aimed | None = None

    @property
    def success(self) -> float:
        return float(self.successes.mean())

    def interval(self) -> tuple[float, float]:
        """Wilson interval of the success rate. Trials of a task share its video, so tasks are counted, not trials."""
        return wilson(self.success, len(self.successes))

    def summary(self) -> dict[str, Any]:
        low, high = self.interval()
        tasks, trials = self.successes.shape
        said = {
            "success": self.success,
            "ci_low": low,
            "ci_high": high,
            "nearest": float(self.nearest.mean()),
            "chance": 1 / N_OBJECTS,
            "tasks": tasks,
            "trials": trials,
            "seconds": round(self.seconds, 1),
        }
        if self.stages:
            said["stages"] = {name: float(passed.mean()) for name, passed in self.stages.items()}
        return said | (self.aimed.summary() if self.aimed else {})


def evaluate(
    policy: Learner | OneShotPolicy,
    *,
    env_id: str,
    split: str,
    tasks: int,
    trials: int,
    seed: int,
    video: str = "human",
    gap: Gap = Gap(),  # noqa: B008  (frozen)
    pairs: Pairs = "all",
    videos: int = 1,
    workers: Workers = here,
    progress: Callable[[int], None] = lambda tasks_done: None,
) -> Report:
    """Evaluates a policy on unseen tasks.

    Args:
        policy: `agents.learners.Imitation` of ours; or any function video -> actor, where an actor is (observation,
            info) -> action. It is called for every episode; `info` is empty, but for "told". Other processes take a
            function that can be pickled, as one of a module.
        env_id: registered id of the environment.
        split: of the objects.
        tasks: number of tasks, each with one video.
        trials: rollouts for each task, in scenes of their own.
        seed: of tasks, scenes and motions.
        video: key of `VIDEOS`.
        gap: from the videos and scenes of meta-training.
        pairs: that the tasks are of.
        videos: of each task, each in an arrangement of its own; the gradients on them are averaged. A function video ->
            actor takes one.
        workers: what runs the trials; this process, or others (`agents.workers.processes`).
        progress: called with the number of tasks done.

    Raises:
        AgentError: an argument out of range.
        DemoError: an environment that nobody demonstrates in, or a gap or pairs that it does not have.
    """
    for name, number in {"tasks": tasks, "trials": trials, "videos": videos}.items():
        if number < 1:
            raise AgentError(f"{name}: got {number}, allowed 1 or more")
    check_video(video, env_id)
    if split not in ALL_SPLITS:
        raise AgentError(f"split: got {split!r}, allowed {list(ALL_SPLITS)}")
    gap.check(env_id)
    split = gap.split(split)
    check_pairs(pairs, env_id, split)
    one = learner(policy)
    one.check(videos)
    started = time.monotonic()
    goals: list[int] = []
    jobs: list[SetTrials] = []
    while len(goals) < tasks:
        job = SetTrials(one, env_id, split, len(jobs), [], trials, seed, video, gap, videos)
        found = goals_of(env_id, pairs, job.tasks().human_scene.objects)[: tasks - len(goals)]
        goals += found
        jobs.append(replace(job, goals=found))
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
        aimed=_aimed(find_skill(env_id).layout, goals, episodes, video),
    )


def _aimed(layout: Layout, goals: list[int], episodes: list[list[Episode]], video: str) -> Aimed | None:
    """What was done in the episodes [tasks][trials] of an evaluation; `goals` [tasks]: what was asked."""
    if not layout.aims:
        return None
    shown = np.array([_shifted(layout, goal, *WRONG.get(video, (0, 0))) for goal in goals])
    return Aimed(
        aims=layout.aims,
        asked=np.array([layout.goal_parts(goal)[1] for goal in goals]),
        did=np.array([[episode.aim for episode in task] for task in episodes]),
        as_shown=np.array([[episode.goal_done for episode in task] for task in episodes]) == shown[:, None],
    )


def evaluate_preset(
    preset: Preset, meta: MetaParams, *, sizes: Sizes, env_id: str, video: str, **options: Any
) -> Report:
    """`evaluate` for a preset, with "none" as one more video. Arguments and errors as there.

    Raises:
        AgentError: `video` is none of `shown_to(preset, env_id)`.
    """
    check_video(video, env_id, preset)
    imitator = preset.imitator(0 if video == "none" else preset.inner_steps, sizes)
    shown = preset.shown if video == "none" else video
    return evaluate(Imitation(imitator, meta), env_id=env_id, video=shown, **options)


@dataclass(frozen=True)
class SetTrials:
    """What is evaluated on one object set: the goals of these numbers, each `trials` times. Fields as in `evaluate`."""

    learner: Learner
    env_id: str
    split: str
    index: int
    goals: list[int]
    trials: int
    seed: int
    video: str
    gap: Gap
    videos: int

    def tasks(self) -> TaskSet:
        """The object set, with a scene for each trial and for each further video."""
        return sample_task_set(
            self.seed,
            self.split,
            self.index,
            env_id=self.env_id,
            n_trials=self.trials + self.videos - 1,
            dials=self.gap.dials,
            distractors=self.gap.distractors,
            nudge=self.gap.nudge,
        )

    def run(self) -> list[list[Episode]]:
        """The episodes [goals][trials], without images."""
        tasks = self.tasks()
        env = gymnasium.make(
            self.env_id, image_size=self.learner.size, cameras=self.learner.cameras, disable_env_checker=True
        )
        watch = self.learner.watch_told if self.video == "told" else self.learner.watch
        results = []
        act = partial(record, env, look_once=self.learner.look_once)
        shown = [tasks, *(replace(tasks, human_scene=scene) for scene in tasks.robot_scenes[self.trials :])]
        for goal in self.goals:
            videos = [VIDEOS[self.video](one, goal, env) for one in shown]
            begin = watch(videos)
            scenes = tasks.robot_scenes[: self.trials]
            results.append([act(scene.with_goal(goal), begin()).without_images() for scene in scenes])
        env.close()
        return results
