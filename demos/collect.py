"""Collection: fills a dataset with demonstrations, on all cores, the same whatever their number."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np

from demos.errors import DemoError
from demos.executors import Map, On, executor
from demos.glances import glances
from demos.human import VIDEO_FPS, human_video
from demos.processes import cores
from demos.recipe import digest
from demos.record import demonstrate, demonstration, shaken
from demos.skills import find_skill
from demos.storage import Dataset, DatasetInfo, create
from demos.tasks import TaskSet, n_goals, sample_task_set
from envs.appearance import project
from envs.nudge import FARTHEST
from envs.objects import ALL_SPLITS
from envs.render import MAX_SIZE
from envs.tabletop import CAMERAS, check_cameras


def describe(
    env_id: str,
    split: str,
    seed: int,
    n_sets: int,
    size: int,
    n_glances: int = 0,
    n_lessons: int = 0,
    nudge: int = 0,
    cameras: Sequence[str] = CAMERAS[0],
) -> DatasetInfo:
    """What a dataset of an environment holds. Arguments as in `collect`.

    Raises:
        DemoError: nobody demonstrates in that environment.
        EnvError: there are no such cameras.
    """
    skill = find_skill(env_id)
    env = gymnasium.make(env_id, image_size=size, disable_env_checker=True)
    state, action = env.observation_space["state"].shape, env.action_space.shape  # type: ignore[index]
    env.close()
    return DatasetInfo(
        env_id,
        split,
        seed,
        n_sets,
        n_goals(env_id),
        round(skill.video_time * VIDEO_FPS),
        skill.steps,
        size,
        state[0],
        action[0],  # type: ignore[index]
        skill.n_points,
        n_glances,
        n_lessons,
        told=skill.n_told,
        nudge=nudge,
        tracked=1,
        hand=CAMERAS.index(check_cameras(cameras)),
        scenes=digest(sample_task_set(seed, split, 0, env_id=env_id, nudge=nudge).robot_scenes[0]),
    )


def collect(
    folder: Path,
    *,
    env_id: str,
    split: str,
    n_sets: int,
    seed: int,
    size: int = 64,
    n_glances: int = 0,
    n_lessons: int = 0,
    nudge: int = 0,
    cameras: Sequence[str] = CAMERAS[0],
    workers: int | None = None,
    on: On = "processes",
) -> Iterator[int]:
    """Collects the sets of a dataset that are still missing; run again after a stop, it goes on.

    Args:
        folder: of the dataset.
        env_id: a registered environment.
        split: of the objects.
        n_sets: object sets, each with a human video of each of its goals and as many robot demonstrations.
        seed: of everything.
        size: side of the frames [px].
        n_glances: further images of each set, see `demos.glances`.
        n_lessons: demonstrations by the robot in the human's scene, of each task: 0 or 1.
        nudge: level of `envs.nudge.FARTHEST`: how far objects are moved while the robot is on its way.
        cameras: one of `envs.tabletop.CAMERAS`, that the robot is seen through.
        workers: processes; one for each core that this process may use when None.
        on: where demonstrations are made.

    Yields:
        The number of complete sets, at the start and after each set.

    Raises:
        DemoError: an argument out of range, the folder holds something else, a process died, or as `executor`.
        EnvError: there are no such cameras.
    """
    if n_sets < 1:
        raise DemoError(f"number of sets: got {n_sets}, allowed 1 or more")
    if workers is not None and workers < 1:
        raise DemoError(f"workers: got {workers}, allowed 1 or more")
    if split not in ALL_SPLITS:
        raise DemoError(f"split: got {split!r}, allowed {list(ALL_SPLITS)}")
    if seed < 0:
        raise DemoError(f"seed: got {seed}, allowed 0 or more")
    if size not in range(8, MAX_SIZE + 1):
        raise DemoError(f"size: got {size}, allowed 8 to {MAX_SIZE} px")
    if n_glances < 0:
        raise DemoError(f"glances: got {n_glances}, allowed 0 or more")
    if n_lessons not in (0, 1):
        raise DemoError(f"lessons: got {n_lessons}, allowed 0 or 1")
    if nudge not in range(len(FARTHEST)):
        raise DemoError(f"nudge: got {nudge}, allowed 0 to {len(FARTHEST) - 1}")
    info = describe(env_id, split, seed, n_sets, size, n_glances, n_lessons, nudge, cameras)
    with executor(on, workers or cores()) as each:
        dataset = create(folder, info)
        missing = dataset.missing()
        done = n_sets - len(missing)
        yield done
        for _ in (_gathered if on == "ray" else _written)(each, dataset, missing):
            done += 1
            yield done


def _written(each: Map, dataset: Dataset, missing: list[int]) -> Iterator[None]:
    """Every process of this machine writes its sets."""
    yield from each(partial(_collect_one, dataset.folder, dataset.info), missing)


def _gathered(each: Map, dataset: Dataset, missing: list[int]) -> Iterator[None]:
    """This process alone writes: sets share pages of the files, of which every machine would hold its own."""
    for index, arrays in zip(missing, each(partial(demonstrate_set, dataset.info), missing), strict=True):
        dataset.write_set(index, arrays)
        yield


def demonstrate_set(info: DatasetInfo, index: int) -> dict[str, np.ndarray]:
    """All demonstrations of one set, as the rows of the dataset's arrays.

    Raises:
        DemoError: the dataset is of no environment here.
    """
    if (env_id := info.env_id) is None:
        raise DemoError("demonstrations of a set: got a dataset of no environment, allowed one of a registered id")
    skill = find_skill(env_id)
    tasks = sample_task_set(info.seed, info.split, index, env_id=env_id, nudge=info.nudge)
    env = gymnasium.make(env_id, image_size=info.size, cameras=info.cameras, disable_env_checker=True)
    rng = np.random.default_rng(np.random.SeedSequence(info.seed, spawn_key=(99, index)))
    rows: dict[str, list[np.ndarray]] = defaultdict(list)
    for goal in range(info.n_goals):
        human = tasks.human_scene.with_goal(goal)
        robot = tasks.robot_scenes[0].with_goal(goal)
        episode = demonstrate(env, robot, n_steps=info.steps, disturb=shaken(rng, skill.disturbance))
        video = human_video(env_id, human, tasks.motion(goal), size=info.size)
        rows["human_frames"].append(video.frames)
        told = skill.goal_points(human)[: skill.n_told]
        rows["goal_pixels"].append(project(human.look, told * [1, 1, 0.5]).ravel())
        rows["robot_frames"].append(episode.images)
        if episode.hand_images is not None:
            rows["hand_frames"].append(episode.hand_images)
        rows["robot_states"].append(episode.states)
        rows["robot_actions"].append(episode.actions)
        rows["robot_places"].append(episode.places)
        rows["goal_points"].append(skill.goal_points(robot))
    arrays = {name: np.stack(values) for name, values in rows.items()}
    if info.lessons:
        arrays |= lessons(env, tasks, n_steps=info.steps)
    if info.glances:
        arrays |= glances(env, env_id=env_id, split=info.split, seed=info.seed, index=index, n=info.glances)
    env.close()
    return arrays


def lessons(env: gymnasium.Env, tasks: TaskSet, *, n_steps: int) -> dict[str, np.ndarray]:
    """The robot's own demonstrations where the human's are, undisturbed: the "lesson" rows of the dataset's arrays."""
    scenes = [tasks.human_scene.with_goal(goal) for goal in range(len(tasks.motion_seeds))]
    shown = [demonstration(env, scene, n_steps=n_steps) for scene in scenes]
    return {
        "lesson_frames": np.stack([one.frames[0] for one in shown]),
        "lesson_states": np.stack([one.states for one in shown]),
        "lesson_actions": np.stack([one.actions for one in shown]),
        "lesson_points": np.stack([one.points for one in shown]),
    }


def _collect_one(folder: Path, info: DatasetInfo, index: int) -> None:
    Dataset(folder, info, "r+").write_set(index, demonstrate_set(info, index))
