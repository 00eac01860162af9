"""Scripted controllers that solve the environments from what `info` tells.

Each is a function of the present alone, with no phase kept from step to step, and as far as possible of the robot's
state and of where things stood before it touched them only: a policy that is cloned from it sees no more.
"""

from typing import Any

import numpy as np

from envs.acting import DIRECTIONS, PUSH_DISTANCE, VERBS
from envs.placing import grip_height
from envs.pushing import LINE
from envs.tabletop import CONTROL_PERIOD, MAX_SPEED

_GAIN = 0.5 / CONTROL_PERIOD  # [1/s]: half of the remaining way in each step
_GLIDE = 0.6  # the fingertip descends along a cone of this slope, so that it passes over other objects
_CLEARANCE = 0.12  # [m] the highest that the cone rises above the goal

_BEHIND = 0.09  # [m] from an object's centre to where its push starts: clear of the largest, with room for errors
_PUSH_HEIGHT = 0.018  # [m] of the fingertips: low, so that nothing tips over, and above the table
_TOO_HIGH = 0.01  # [m] above that, fingers could slide over what they push: they come down first
_BEYOND = 0.03  # [m] over the line that the fingertips go, so that what hangs at their side is over it, too
_SWERVED = 0.03  # [m] that an object may be off its lane before the fingers follow it
_PUSH_OPENING = 0.0  # action of the gripper: half open, so that two fingers hold what they push on its course

_DROP = 0.015  # [m] of air between an item and the rim when the hand opens
_LOOSE = 0.006  # [m] that the fingers are further apart than the item is wide when it has left them
_LIFT = 0.06  # [m] that an item is lifted before it goes sideways at full speed
_STEEP = 3.0  # slope of the cone on which open fingers come down around an item
_OPEN = 0.066  # [m] less than this, the fingers are about to close
_ASTRAY = 0.006  # [m] from where an item stood to where the fingers would miss it
_AFAR = 0.10  # [m] from an item where fingers that come closed open: so far that they are open before they come down
_SHUT = 0.03  # [m] less than this, nothing is between the fingers
_ABOVE = 0.03  # [m] over where they grasp, at least, closed fingers open

_ONTO = 0.005  # [m] above an object's top where the fingertips touch it
_BESIDE = 0.085  # [m] from an object's middle to where closed fingers come down to push it
_SHOVE_HEIGHT = 0.023  # [m] of the fingertips when they push: the palm passes over all that stands around
_SHOVE = 0.065  # [m] beyond where an object's middle was that the fingertips go; half the object is ahead of them
_GENTLE = 0.05  # [m] of the way that is left at most: what is pushed faster than that tips over
_OFF_COURSE = 0.02  # [m] that an object may swerve before the fingers follow it
_RAISE = 0.10  # [m] that an item is lifted


def reach_expert(info: dict[str, Any]) -> np.ndarray:
    """The action [3] in [-1, 1] that goes on towards the goal: above it first, then down onto it.

    Args:
        info: of `ReachEnv`, with "goal" and "fingertip" [3] [m].
    """
    return toward(glide(info["goal"] - info["fingertip"]))


def push_expert(info: dict[str, Any]) -> np.ndarray:
    """The action [4] in [-1, 1] that gets behind the goal object from above, and then pushes it along its lane.

    It goes by where the object stood, unless that has swerved out of the lane or was left behind.

    Args:
        info: of `PushEnv`, with "places" [1, 3], "fingertip" [3] and "item" [3] [m].
    """
    x, y, _ = info["places"][0]
    tip, item = info["fingertip"], info["item"]
    lost = item[1] < min(tip[1], LINE)
    if lost or abs(item[0] - x) > _SWERVED:
        x, y, _ = item
    way = np.array([x, y - _BEHIND, _PUSH_HEIGHT]) - tip
    in_lane = not lost and abs(way[0]) < 0.04 and way[1] < 0.03 and abs(way[2]) < 0.05
    if in_lane:
        way[1] = (LINE + _BEYOND - tip[1]) * np.clip(2 + way[2] / _TOO_HIGH, 0, 1)
    return np.append(toward(way if in_lane else glide(way)), np.float32(_PUSH_OPENING))


def place_expert(info: dict[str, Any]) -> np.ndarray:
    """The action [4] in [-1, 1] that brings the item over the goal container, opens the hand and rises.

    Args:
        info: of `PlaceEnv`, with "places" [1, 3], "fingertip" [3], "opening", "width" and "height" [m].
    """
    return _deliver(info, info["places"][0] + _up(grip_height(info["height"]) + _DROP))


def pick_place_expert(info: dict[str, Any]) -> np.ndarray:
    """The action [4] in [-1, 1] that grasps the goal item, carries it over its container, opens the hand and rises.

    It goes to where the item stood, unless that was pushed away.

    Args:
        info: of `PickPlaceEnv` or `SortEnv`, with "places" [2, 3], "fingertip" [3], "item" [3], "opening", "width",
            "grasped" and "placed".
    """
    (x, y, top), container = info["places"]
    tip, item = info["fingertip"], info["item"]
    height = grip_height(top)
    falling = _is_released(info, container) and _is_over(item, container)
    if info["placed"] or info["grasped"] or falling:
        action = _deliver(info, container + _up(height + _DROP))
        # Straight up first: what is carried must not sweep the others away.
        action[:2] *= np.clip((tip[2] - height) / _LIFT, 0, 1)
        return action
    if np.hypot(*(item[:2] - [x, y])) > _ASTRAY:
        x, y = item[:2]
    return _take(np.array([x, y, height]) - tip, info["opening"])


def act_expert(info: dict[str, Any]) -> np.ndarray:
    """The action [4] in [-1, 1] that does what is asked to the goal object: touches, pushes or lifts it.

    Args:
        info: of `ActEnv`, with "asked", "places" [1, 3], "fingertip" [3], "item" [3], "opening" and "fingers".
    """
    verb = VERBS[info["asked"]]
    if verb == "touch":
        return np.append(toward(steep(info["places"][0] + _up(_ONTO) - info["fingertip"])), np.float32(-1))
    return _lift(info) if verb == "lift" else _shove(info, np.array([*DIRECTIONS[verb], 0.0]))


def _shove(info: dict[str, Any], direction: np.ndarray) -> np.ndarray:
    """The action [4] that comes down beside the goal object with closed fingers and pushes it in a direction [3].

    It goes by where the object stood, unless that has swerved or was left behind.
    """
    first = info["places"][0] * [1, 1, 0]
    moved, tip = info["item"] * [1, 1, 0] - first, info["fingertip"] - first
    ahead, far = moved @ direction, tip @ direction
    off_course = moved - ahead * direction
    lost = ahead < min(far, PUSH_DISTANCE)
    start = moved if lost else off_course * (np.linalg.norm(off_course) > _OFF_COURSE)
    way = start - _BESIDE * direction + _up(_SHOVE_HEIGHT) - tip
    on_course = np.linalg.norm(way[:2] - way @ direction * direction[:2]) < 0.03 and way @ direction < 0.02
    if lost or not on_course or abs(way[2]) > 0.05:
        return np.append(toward(steep(way)), np.float32(-1))
    # Fingers that are too high could slide over what they push: they come down first.
    left = min(_SHOVE - far, _GENTLE) * np.clip(2 + way[2] / _TOO_HIGH, 0, 1)
    way += (left - way @ direction) * direction
    return np.append(toward(way), np.float32(-1))


def _lift(info: dict[str, Any]) -> np.ndarray:
    """The action [4] that grasps the goal object, lifts it straight up, and holds it there.

    It goes to where the object stood, unless that was pushed away.
    """
    x, y, top = info["places"][0]
    item = info["item"]
    if np.hypot(*(item[:2] - [x, y])) > _ASTRAY:
        x, y = item[:2]
    way = np.array([x, y, grip_height(top)]) - info["fingertip"]
    if info["fingers"] == 2:
        return np.append(toward(way + _up(_RAISE)), np.float32(-1))
    return _take(way, info["opening"])


def _take(way: np.ndarray, opening: float) -> np.ndarray:
    """The action [4] of fingers that come closed, open above an item, a way [3] [m] from here, come down around it and
    close on it there.

    So the fingers tell whether the hand has been to the item, and open again when they closed on nothing.
    """
    off = float(np.hypot(*way[:2]))
    if off > _AFAR:
        return np.append(toward(steep(way)), np.float32(-1))
    if opening < _SHUT or (opening < _OPEN and way[2] < -_ABOVE):
        return np.append(toward(steep(way) + _up(_CLEARANCE)), np.float32(1))
    closing = opening < _OPEN and off < 0.025 and abs(way[2]) < 0.025
    there = off < 0.012 and abs(way[2]) < 0.012
    return np.append(toward(steep(way)), np.float32(-1 if there or closing else 1))


def _deliver(info: dict[str, Any], over: np.ndarray) -> np.ndarray:
    """The action [4] of a hand that brings what it holds to `over` [3] [m] from above, opens there, and then rises."""
    way = over - info["fingertip"]
    there = np.hypot(*way[:2]) < 0.025 and abs(way[2]) < 0.03
    released = _is_released(info, over)
    if not released:
        way = glide(way)
    elif info["opening"] > info["width"] + 3 * _LOOSE:
        way[2] += _CLEARANCE
    return np.append(toward(way), np.float32(1 if there or released else -1))


def _is_released(info: dict[str, Any], container: np.ndarray) -> bool:
    """Whether the fingers have let go over a container [3] [m]."""
    return _is_over(info["fingertip"], container) and bool(info["opening"] > info["width"] + _LOOSE)


def _is_over(point: np.ndarray, container: np.ndarray) -> bool:
    """Whether a point [3] is over a container [3] [m], or in it."""
    return bool(np.hypot(*(container - point)[:2]) < 0.06)


def glide(way: np.ndarray) -> np.ndarray:
    """The way [3] to a point along a cone above it [m]."""
    return way + _up(min(_GLIDE * np.hypot(*way[:2]), _CLEARANCE))


def steep(way: np.ndarray) -> np.ndarray:
    """The way [3] to a point along a steep cone above it, which passes over what stands around [m]."""
    return way + _up(min(_STEEP * max(0.0, float(np.hypot(*way[:2])) - 0.008), _CLEARANCE))


def _up(height: float) -> np.ndarray:
    return np.array([0.0, 0.0, height])


def toward(way: np.ndarray) -> np.ndarray:
    """The action [3] that goes a way [3] [m] in a straight line."""
    velocity = _GAIN * way / MAX_SPEED
    return (velocity / max(1.0, np.abs(velocity).max())).astype(np.float32)
