"""Who demonstrates MIL's reaching: inverse kinematics of the two joints, and critically damped motion to there."""

import numpy as np

from envs.mil_reach import LINKS

FREQUENCY = 6.0
"""Of the critically damped motion [rad/s]: it is there after one second."""
INERTIA, DAMPING, GEAR = 1.0, 1.0, 200.0
"""Of a joint: the armature [kg m^2], beside which the links weigh nothing; [N m s/rad]; and its motor's [N m]."""
BEND = (0.05, 3.0)
"""Range of the elbow [rad]: not quite straight, and up to its limit."""


def expert(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Torques [2] in [-1, 1] that bring the fingertip to a goal, or as near as it can get, and hold it there.

    Args:
        observation: as of `envs.mil_reach.MilReach`.
        goal: [2 or more], (x, y) [m].
    """
    joints, speed = observation[:2], observation[2:4]
    acceleration = FREQUENCY**2 * (joints_at(goal) - joints) - 2 * FREQUENCY * speed
    return np.clip((INERTIA * acceleration + DAMPING * speed) / GEAR, -1, 1)


def joints_at(goal: np.ndarray) -> np.ndarray:
    """Joint angles [2] [rad] with the fingertip at a goal (x, y) [m], or as near as it can get, with the elbow bent to
    the left: one way to each goal, so that it can be learned."""
    upper, fore = LINKS
    x, y = goal[:2]
    cosine = (x**2 + y**2 - upper**2 - fore**2) / (2 * upper * fore)
    elbow = np.clip(np.arccos(np.clip(cosine, -1, 1)), *BEND)
    shoulder = np.arctan2(y, x) - np.arctan2(fore * np.sin(elbow), upper + fore * np.cos(elbow))
    return np.array([(shoulder + np.pi) % (2 * np.pi) - np.pi, elbow])
