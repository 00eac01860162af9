"""The task distribution over datasets: support = a human's video, query = frames of robot demonstrations."""

from collections.abc import Sequence
from math import nan
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils import _pytree as pytree

from daml import Example, Task
from demos.augment import augment
from demos.combinations import Pairs, fewest_goals, goals_in
from demos.errors import DemoError
from demos.rows import Rows
from demos.skills import find_skill
from demos.storage import Dataset
from demos.tasks import N_OBJECTS

INPUTS = ("image", "state", "moved", "hand")
TARGETS = ("action", "pose", "end", "shown_at", "glance_points", "glance_pixels", "glance_table")
"""What of a task is asked with, and what should come out."""
LESSON = ("lesson_frames", "lesson_states", "lesson_actions", "lesson_points")
GLANCE = ("glance_frames", "glance_points", "glance_pixels", "glance_table")


def goals_a_set(env_id: str, n_tasks: int, pairs: Pairs = "all") -> int:
    """How many goals of each set a meta-batch of `n_tasks` has: as few as can be, so that it has many sets.

    All of them, where the goals of a set are its objects. Where there are aims, one more than there are aims or
    objects, or the next number that divides `n_tasks`: some of them then share the object, and some the aim. No more
    than every set has of the pairs.

    Raises:
        DemoError: none does.
    """
    layout, most = find_skill(env_id).layout, fewest_goals(env_id, pairs)
    least = max(N_OBJECTS, layout.n_aims) + 1 if layout.aims else most
    if found := [number for number in range(least, most + 1) if n_tasks > 0 and n_tasks % number == 0]:
        return found[0]
    numbers = f"{most}" if least == most else f"one of the numbers {least} to {most}"
    raise DemoError(f"tasks in a meta-batch: got {n_tasks}, allowed a multiple of {numbers} in {env_id}")


def goals_of_ragged(least: int, n_tasks: int) -> int:
    """The same for sets of different numbers of goals, `least` in the smallest: as many of each set as it has.

    Raises:
        DemoError: no number from 2 to `least` divides `n_tasks`.
    """
    if found := [number for number in range(least, 1, -1) if n_tasks > 0 and n_tasks % number == 0]:
        return found[0]
    raise DemoError(
        f"tasks in a meta-batch: got {n_tasks}, allowed a multiple of one of the numbers 2 to {least}, the goals of "
        "the smallest set"
    )


class Wanted(NamedTuple):
    """What a policy wants of a dataset.

    frames: of a video that it watches.
    images: of a demonstration that it acts on: the first one, or the one of every step.
    states: steps of a demonstration that it imitates: the first one, where only the video tells, and later ones.
    until: share of a demonstration that the later ones are drawn from.
    pose: what it should know of the scene: the goal's points, as the simulator has them; or where the demonstration's
        fingertip ends, and nothing of any other point, as it also is where nobody knows the goal's points.
    placed: whether it cannot do without the goal's points.
    looks: images of later steps, besides the first one, in which it is asked where the places are. It acts by where
        they are by then, and looks at every step.
    hand: of so many of the later steps that it imitates, the last ones, it sees what the camera in the hand sees.
    glances: images of `demos.glances` for each task, besides its first image: it is asked where the goal is, but not to
        act.
    lessons: whether the robot shows the task (`demos.types.Demonstration`), with its actions, and not a human.
    whole: steps of whole demonstrations, to do them again; 0 for none.
    """

    frames: int
    images: Literal["first", "every"] = "every"
    states: int = 8
    until: float = 1.0
    pose: Literal["goal", "end"] = "goal"
    placed: bool = False
    looks: int = 0
    glances: int = 0
    lessons: bool = False
    whole: int = 0
    hand: int = 0

    @property
    def look_once(self) -> bool:
        """Whether all that it acts on, besides the robot's state, is the first image of an episode."""
        return self.images == "first" and not self.looks


def known_places(dataset: Dataset) -> np.ndarray:
    """Whether a dataset says of each step where the goal's points are: bool [sets, goals, steps, points]."""
    info = dataset.info
    steps = np.arange(info.steps)
    if info.tracked:
        return ~np.isnan(dataset["robot_places"]).any(-1) & (steps < dataset.lengths[..., None])[..., None]
    return np.broadcast_to((steps == 0)[:, None], (*dataset.lengths.shape, info.steps, info.points))


class SetTasks:
    """Draws meta-batches of object sets: goals of a set in the same two scenes, told apart by the video."""

    def __init__(
        self,
        dataset: Dataset,
        wanted: Wanted,
        *,
        pairs: Pairs = "all",
        augmented: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        """
        Args:
            dataset: complete.
            wanted: of it.
            pairs: goals of no other ones are drawn.
            augmented: whether sets are changed by `demos.augment`, or given as they were collected.
            device: for the tensors.

        Raises:
            DemoError: the videos are shorter, a set has fewer glances, glances are not asked for besides first images,
                there are no lessons, no images of the hand, or no goal points where it takes them; or whole
                demonstrations are wanted, and they are longer, or of another robot; or as
                `demos.combinations.goals_in`.
        """
        info = dataset.info
        if not 2 <= wanted.frames <= info.video_frames:
            raise DemoError(f"video frames: got {wanted.frames}, allowed 2 to {info.video_frames}")
        if not 0 <= wanted.glances <= info.glances:
            raise DemoError(
                f"glances of a task: got {wanted.glances}, allowed 0 to {info.glances} in {dataset.folder}; collect "
                "one with --glances, or take a preset that does without them, such as temporal"
            )
        for name in ("glances", "looks"):
            if (number := getattr(wanted, name)) and wanted.images != "first":
                raise DemoError(f"{name} of a task: got {number} with images {wanted.images!r}, allowed 'first'")
        if wanted.lessons and not info.lessons:
            raise DemoError(
                f"lessons: got none in {dataset.folder}, allowed a dataset collected with --lessons 1, or a preset "
                "that does without them, such as temporal"
            )
        if wanted.hand and not info.hand:
            raise DemoError(
                f"images of the hand: got none in {dataset.folder}, allowed a dataset collected with --cameras table "
                "hand, or a preset that does without them, such as looking"
            )
        if wanted.placed and np.isnan(dataset["goal_points"]).any():
            raise DemoError(
                f"goal points: got none in {dataset.folder}, allowed a dataset of `daml collect`; or a preset that "
                "does without them, such as temporal"
            )
        self.dataset = dataset
        self._wanted, self._augment, self._rows = wanted, augmented, Rows(dataset, torch.device(device))
        if wanted.whole and info.env_id is None:
            raise DemoError(
                f"demonstrations to do again: got those of another robot in {dataset.folder}, allowed those of an "
                "environment here, whose actions are velocities of the fingertip"
            )
        if wanted.whole and info.steps > wanted.whole:
            raise DemoError(
                f"demonstrations to do again: got {info.steps} steps in {dataset.folder}, allowed up to {wanted.whole}"
            )
        self._lengths, self._sets = dataset.lengths, info.n_sets - info.held_out
        self._known = known_places(dataset) if wanted.looks else np.empty(0, bool)
        self._pairs, self._there = pairs, (self._lengths > 0) & goals_in(dataset, pairs)

    def sample(self, n_tasks: int, rng: np.random.Generator) -> Task:
        """A batch of tasks.

        Args:
            n_tasks: as `goals_a_set` allows, or, where sets differ, `goals_of_ragged`.
            rng: source of all randomness.

        Returns:
            Task: support uint8 [tasks, video_frames, H, W, 3]; query inputs "image" uint8 [tasks, 1 or states, H, W,
            3], "state" [tasks, states, state], with looks "moved" [tasks, states, points, 3] [m], how far each of the
            goal's points has been moved by then, by others than the robot, and, if it wants the hand, "hand" uint8
            [tasks, hand, H, W, 3], what is seen from there at the last of the states; targets "action" [tasks,
            states, action], "pose" [tasks, 1, points, 3] [m], "end" [tasks, state], the demonstration's last state, and
            "shown_at" [tasks, told, 2], where the places that the video tells are in its first frame, in [0, 1].
            Looks and then glances come after the first image, so that "image" is [tasks, 1 + looks + glances, ...] and
            "pose" [tasks, 1 + looks + glances, points, 3], NaN where nobody knows; and with glances there are the
            targets "glance_points", "glance_pixels" and "glance_table", each [tasks, glances, ...] of `demos.storage`.
            With lessons the support is an Example: "image" uint8 [tasks, 1, H, W, 3] and "state" [tasks, steps, state];
            "action" [tasks, steps, action] and "pose" [tasks, 1, points, 3].
        """
        info, wanted = self.dataset.info, self._wanted
        each = self.goals_a_set(n_tasks)
        # Of few sets some are drawn twice: at other moments, in other colours.
        drawn = rng.choice(self._sets, n_tasks // each, replace=n_tasks // each > self._sets)
        goals = np.tile(np.arange(info.n_goals), (len(drawn), 1))
        if each < info.n_goals:
            goals = rng.permuted(goals, axis=1)
            none = ~self._there[drawn[:, None], goals]  # of a set that has fewer: last
            goals = np.take_along_axis(goals, none.argsort(axis=1, kind="stable"), 1)[:, :each]
        sets, goals = np.repeat(drawn, each), goals.flatten()
        lengths = self._lengths[sets, goals]
        video = _spread(rng, n_tasks, wanted.frames, info.video_frames)
        ends = np.maximum(2, (wanted.until * lengths).astype(int))
        later = rng.integers(1, ends[:, None], (n_tasks, wanted.states - 1))
        steps = np.concatenate([np.zeros((n_tasks, 1), int), later], axis=1)
        at, goal, take = sets[:, None], goals[:, None], self._rows.take
        rows = {
            "video": take("human_frames", at, goal, video),
            "shown_at": take("goal_pixels", sets, goals).unflatten(1, (-1, 2)),
            "image": take("robot_frames", at, goal, steps[:, : 1 if wanted.images == "first" else None]),
            "state": take("robot_states", at, goal, steps),
            "action": take("robot_actions", at, goal, steps),
            "pose": self._pose(sets, goals)[:, None],
            "end": take("robot_states", sets, goals, lengths - 1),
        }
        if wanted.looks:
            looks = self._looks(sets, goals, rng)
            rows["image"] = torch.cat([rows["image"], take("robot_frames", at, goal, looks)], 1)
            places, rows["moved"] = self._places(sets, goals, looks), self._moved(sets, goals, steps)
            rows["pose"] = torch.cat([rows["pose"], places], 1)
        if wanted.hand:
            rows["hand"] = take("hand_frames", at, goal, steps[:, -wanted.hand :])
        if wanted.lessons:
            rows |= {name: take(name, sets, goals) for name in LESSON}
        if wanted.glances:
            which = rng.permuted(np.tile(np.arange(info.glances), (n_tasks, 1)), axis=1)[:, : wanted.glances]
            rows |= {name: take(name, at, which) for name in GLANCE}
        if self._augment:
            # Of what nobody here knows, nobody knows what stays the same in the mirror.
            mirror = find_skill(info.env_id).mirror if info.env_id else "nothing"
            for start in range(0, n_tasks, each):
                augment({name: array[start : start + each] for name, array in rows.items()}, rng, mirror)
        if wanted.glances:
            own = rows["glance_points"][np.arange(n_tasks), :, goals]
            rows["image"] = torch.cat([rows["image"], rows["glance_frames"]], 1)
            rows["pose"] = torch.cat([rows["pose"], own], 1)
        inputs, targets = ({name: rows[name] for name in names if name in rows} for names in (INPUTS, TARGETS))
        return Task(_lesson(rows) if wanted.lessons else rows["video"], Example(inputs, targets))

    def demonstrations(self, n: int, rng: np.random.Generator) -> Task:
        """Whole demonstrations as they were collected, each with the human's video of the same task.

        Args:
            n: how many; of fewer tasks some are drawn several times.
            rng: source of all randomness.

        Returns:
            Task: support uint8 [n, video_frames, H, W, 3]; query inputs "state" [n, whole, state]; targets "action" [n,
            whole, action] and "pose" [n, points, 3] [m], the goal's points. What is shorter than `whole` steps stays
            as it ends.
        """
        there = np.argwhere(self._there[: self._sets])
        sets, goals = there[rng.choice(len(there), n, replace=n > len(there))].T
        frames = np.linspace(0, self.dataset.info.video_frames - 1, self._wanted.frames).round().astype(int)
        steps = np.minimum(np.arange(self._wanted.whole), self._lengths[sets, goals][:, None] - 1)
        at, goal, take = sets[:, None], goals[:, None], self._rows.take
        inputs = {"state": take("robot_states", at, goal, steps)}
        targets = {"action": take("robot_actions", at, goal, steps), "pose": take("goal_points", sets, goals)}
        return Task(take("human_frames", at, goal, frames), Example(inputs, targets))

    def goals_a_set(self, n_tasks: int) -> int:
        """How many goals of each set a meta-batch of `n_tasks` has.

        Raises:
            DemoError: there is no such number.
        """
        info = self.dataset.info
        if info.env_id is None or info.ragged:
            return goals_of_ragged(int(self._there[: self._sets].sum(1).min()), n_tasks)
        return goals_a_set(info.env_id, n_tasks, self._pairs)

    def _looks(self, sets: np.ndarray, goals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Steps [tasks, looks] of demonstrations, each drawn of those at which one place, drawn too, is known."""
        known = self._known[sets, goals].swapaxes(1, 2)  # [tasks, points, steps]
        which = rng.integers(known.shape[1], size=(len(sets), self._wanted.looks))
        known = known[np.arange(len(sets))[:, None], which]
        return np.where(known, rng.random(known.shape), -1).argmax(-1)

    def _places(self, sets: np.ndarray, goals: np.ndarray, steps: np.ndarray) -> torch.Tensor:
        """Where the goal's points are at steps [tasks, k]: [tasks, k, points, 3] [m], NaN where nobody knows."""
        if self.dataset.info.tracked:
            return self._rows.take("robot_places", sets[:, None], goals[:, None], steps)
        first = self._rows.take("goal_points", sets, goals)[:, None]
        return torch.where(torch.from_numpy(steps == 0)[..., None, None].to(first.device), first, nan)

    def _moved(self, sets: np.ndarray, goals: np.ndarray, steps: np.ndarray) -> torch.Tensor:
        """How far the goal's points have been moved by steps [tasks, k], by others than the robot, as far as anybody
        knows: [tasks, k, points, 3] [m]."""
        known = np.where(self._known[sets, goals], np.arange(self.dataset.info.steps)[:, None], 0)
        last = np.take_along_axis(np.maximum.accumulate(known, 1), steps[..., None], 1)  # [tasks, k, points]
        now = [self._places(sets, goals, last[..., i])[..., i, :] for i in range(last.shape[-1])]
        return torch.stack(now, 2) - self._places(sets, goals, np.zeros_like(steps[:, :1]))

    def _pose(self, sets: np.ndarray, goals: np.ndarray) -> torch.Tensor:
        """What a policy should know of the scenes of tasks: [tasks, points, 3] [m], NaN where that is not told."""
        points = self._rows.take("goal_points", sets, goals)
        if self._wanted.pose == "end":
            points.fill_(nan)
        if fingertip := list(self.dataset.info.fingertip):
            ends = self._rows.take("robot_states", sets, goals, self._lengths[sets, goals] - 1)[:, fingertip]
            points[:, 0] = torch.where(points[:, 0].isnan(), ends, points[:, 0])
        return points


def _lesson(tensors: dict[str, torch.Tensor]) -> Example:
    """The robot's own demonstrations as supports."""
    frames, states, actions, points = (tensors[name] for name in LESSON)
    return Example({"image": frames[:, None], "state": states}, {"action": actions, "pose": points[:, None]})


class MixedTasks:
    """Draws meta-batches over several environments, as many tasks of each."""

    def __init__(self, parts: Sequence[SetTasks]) -> None:
        """
        Args:
            parts: one for each environment.
        """
        self._parts = tuple(parts)

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """What is drawn from, of each environment."""
        return tuple(part.dataset for part in self._parts)

    def sample(self, n_tasks: int, rng: np.random.Generator) -> Task:
        """A batch of tasks, as of `SetTasks.sample`; NaN where an environment has fewer numbers than another.

        Args:
            n_tasks: a multiple of the environments, and for each of them as many as `goals_a_set` allows.
            rng: source of all randomness.

        Raises:
            DemoError: another number of tasks.
        """
        if n_tasks % len(self._parts):
            raise DemoError(f"tasks in a meta-batch: got {n_tasks}, allowed a multiple of {len(self._parts)}")
        return _together([part.sample(n_tasks // len(self._parts), rng) for part in self._parts])

    def demonstrations(self, n: int, rng: np.random.Generator) -> Task:
        """Whole demonstrations, as of `SetTasks.demonstrations`, as many of each environment, or one more; NaN where an
        environment has fewer numbers than another."""
        shares = np.array_split(np.arange(n), len(self._parts))
        return _together(
            [part.demonstrations(len(share), rng) for part, share in zip(self._parts, shares, strict=True)]
        )


def _together(parts: Sequence[Task]) -> Task:
    """The tasks of several batches as one."""
    return pytree.tree_map(lambda *leaves: _concatenated(leaves), *parts)


def _concatenated(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Tensors one after the other; the shorter ones of floats are continued with NaN, along every other axis."""
    longest = torch.tensor([part.shape[1:] for part in parts]).amax(0)
    missing = [(longest - torch.tensor(part.shape[1:])).flip(0).tolist() for part in parts]
    ends = [[count for n in axes for count in (0, n)] for axes in missing]
    return torch.cat([F.pad(part, end, value=nan) if any(end) else part for part, end in zip(parts, ends, strict=True)])


def _spread(rng: np.random.Generator, n: int, k: int, length: int) -> np.ndarray:
    """n times k increasing frame numbers that cover a video of `length` frames, jittered: int [n, k]."""
    centres = (np.arange(k) + 0.5) * length / k
    jitter = rng.uniform(-0.5, 0.5, (n, k)) * length / k
    return np.clip(centres + jitter, 0, length - 1).astype(int)
