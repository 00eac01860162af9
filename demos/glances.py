"""Glances: single images of a set's objects in further scenes, through further cameras, and where everything is.

The camera is never quite in the same place, and a policy that must meet something within a centimetre has to learn from
the image where it is. A demonstration shows one camera and takes a second to collect; a glance takes a thirtieth of it.
"""

from dataclasses import replace

import gymnasium
import numpy as np

from demos.skills import find_skill
from demos.tasks import n_goals, sample_task_set
from envs.appearance import CAMERA_FOVY, CAMERA_POSITION, CAMERA_TARGET, Appearance, project

TABLE_POINTS = np.array([[0.3, -0.3, 0.0], [0.3, 0.3, 0.0], [0.75, -0.3, 0.0], [0.75, 0.3, 0.0]])
"""Corners of the part of the table that objects stand on: where they appear says where the camera is [m]."""


def glances(env: gymnasium.Env, *, env_id: str, split: str, seed: int, index: int, n: int) -> dict[str, np.ndarray]:
    """Images of one set as the robot first sees it, in `n` scenes besides the one of its demonstrations.

    Args:
        env: an environment of `env_id`, which gives the images' size.
        env_id: registered id.
        split: of the objects.
        seed: of the dataset.
        index: of the set.
        n: scenes, 1 or more.

    Returns:
        "glance_frames", "glance_points", "glance_pixels" and "glance_table" of `demos.storage`, without the sets' axis.
    """
    skill = find_skill(env_id)
    scenes = sample_task_set(seed, split, index, env_id=env_id, n_trials=1 + n).robot_scenes[1:]
    goals = range(n_goals(env_id))
    points = np.stack([[skill.goal_points(scene.with_goal(goal)) for goal in goals] for scene in scenes])
    # What is seen of an object is its side: half as high as its top.
    pixels = [project(scene.look, at * [1, 1, 0.5]) for scene, at in zip(scenes, points, strict=True)]
    return {
        "glance_frames": np.stack([env.reset(options={"scene": scene.with_goal(0)})[0]["image"] for scene in scenes]),
        "glance_points": points,
        "glance_pixels": np.stack(pixels),
        "glance_table": np.stack([_displaced(scene.look) for scene in scenes]),
    }


def _displaced(look: Appearance) -> np.ndarray:
    """[4, 2], how far from where the usual camera sees them the points of the table appear."""
    usual = replace(look, camera_position=tuple(CAMERA_POSITION), camera_target=tuple(CAMERA_TARGET), fovy=CAMERA_FOVY)
    return project(look, TABLE_POINTS) - project(usual, TABLE_POINTS)
