"""MIL's reaching for the methods of this project: what they are fed, and how their trials are counted.

A task is shown by one demonstration, with its torques or as frames alone, and then tried in other scenes with the same
boxes. The three tasks of a set share the demonstration's scene and the trial's: nothing but what is shown tells them
apart. The policy sees a scene once, before it moves; from there on it goes by the arm's state.

Source: Finn et al. 2017b, arXiv 1709.04905, section 6.1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils import _pytree as pytree

from agents import meta_net
from agents.imitation import Imitator
from agents.presets import PRESETS, Preset
from agents.statistics import wilson
from agents.view import STATE_SCALE, Sizes, View
from daml import Example, MetaLearner, MetaParams, Task
from daml.meta_step import task_at
from demos.augment import recolour
from demos.mil_reach import Act, Demos, in_frame, trial
from envs.mil_reach import REACH, STEPS, SUCCESS_DISTANCE, MilReach, is_success
from envs.mil_scenes import N_BOXES, Scenes

SIZES = Sizes(state=10, action=2, points=1)
SIZE = 64
"""Side that frames are enlarged to [px]: boxes are then as large as other tasks' objects."""
TORQUE = 0.2
"""Torque of an action of one: about the largest of a demonstration."""
MOVING, STILL = 20, 12
"""Steps of a demonstration that are imitated in a meta-step: the first ones, while it moves, and as many later ones."""
HINT, HINT_STEPS = 1.0, 1000
"""Weight and end of the warm-up, while any policy that is shown something is also asked where in the demonstration's
own scene it would go."""
METHODS = {
    "mil": "mil",
    "video": "temporal",
    "contextual": "contextual",
    "lstm": "lstm",
    "attention": "attention",
    "cloning": "cloning",
}
"""How a policy learns from a demonstration -> its preset. mil: one step of behaviour cloning on its torques.  video:
one step of a loss that is learned, on its frames alone.  contextual, lstm, attention: nothing adapts, frames are an
input.  cloning: it is shown nothing."""
WITH_TORQUES = ("mil",)


def preset_of(method: str) -> Preset:
    """The preset of a method, whose imitator is for this task."""
    preset = PRESETS[METHODS[method]]

    def imitator(inner_steps: int, sizes: Sizes) -> Imitator:
        usual = preset.imitator(inner_steps, sizes)
        return usual._replace(perceive=perceive, learner=usual.learner._replace(encode=encode))

    hinted = preset if method == "cloning" else replace(preset, hint=HINT, hint_steps=HINT_STEPS)
    return replace(hinted, imitator=imitator)


def perceive(meta: MetaParams, images: Tensor) -> meta_net.Seen:
    """uint8 [n, side, side, 3] -> what the shared trunk sees of them at `SIZE`."""
    large = F.interpolate(images.permute(0, 3, 1, 2).float(), (SIZE, SIZE), mode="bilinear")
    return meta_net.perceive(meta["trunk"], large.permute(0, 2, 3, 1))


def encode(meta: MetaParams, tasks: Task) -> Task:
    """Perceives every image of a meta-batch at once; a support with torques stays an `Example`."""
    support, asked = tasks.support, tasks.query.inputs
    lesson = isinstance(support, Example)
    frames = support.inputs["image"] if lesson else support
    n_tasks, n_shown, n_asked = len(frames), frames.shape[1], asked["image"].shape[1]
    seen = perceive(meta, torch.cat([frames.flatten(0, 1), asked["image"].flatten(0, 1)]))
    shown, query = (
        pytree.tree_map(lambda leaf, part=part, n=n: leaf[part].unflatten(0, (n_tasks, n)), seen)
        for part, n in ((slice(n_tasks * n_shown), n_shown), (slice(n_tasks * n_shown, None), n_asked))
    )
    blind = torch.zeros_like(asked["state"][:, :1]).expand(-1, n_shown, -1)
    view = View(shown, support.inputs["state"] if lesson else blind)
    return Task(
        Example(view, support.targets) if lesson else view, Example(View(query, asked["state"]), tasks.query.targets)
    )


def scaled(states: np.ndarray) -> np.ndarray:
    """Observations [..., 10] -> ten numbers of about unit size, float32."""
    q, speed, tip, velocity = states[..., :2], states[..., 2:4], states[..., 4:6], states[..., 7:9]
    turn = q[..., :1]
    parts = (tip / STATE_SCALE[:2], turn / 2, np.sin(turn), np.cos(turn), q[..., 1:] - 1.5, speed / 5, velocity / 0.3)
    return np.concatenate(parts, -1).astype(np.float32)


def poses(places: np.ndarray) -> np.ndarray:
    """Places of the fingertip [..., 3] [m], which lie in a plane, as `scaled` has them."""
    return (places * [1, 1, 0] / STATE_SCALE[:3]).astype(np.float32)


@dataclass(frozen=True)
class ReachTasks:
    """Draws meta-batches of whole sets.

    with_torques: whether a task is shown with them, or as frames alone.
    """

    scenes: Scenes
    demos: Demos
    with_torques: bool

    def sample(self, n_tasks: int, rng: np.random.Generator) -> Task:
        """A batch of tasks, a multiple of N_BOXES: a condition of each set to demonstrate in and another to act in."""
        n_sets, n_conditions = self.demos.frames.shape[:2]
        sets = rng.choice(n_sets, n_tasks // N_BOXES, replace=n_tasks // N_BOXES > n_sets)
        pairs = np.array([rng.permutation(n_conditions)[:2] for _ in sets])
        still = [rng.choice(np.arange(MOVING, STEPS), STILL, replace=False) for _ in sets]
        steps = np.array([np.append(np.arange(MOVING), later) for later in still])
        parts = [
            self.task(number, goal, shown, np.array([asked]), chosen)
            for number, (shown, asked), chosen in zip(sets, pairs, steps, strict=True)
            for goal in range(N_BOXES)
        ]
        batch = pytree.tree_map(lambda *leaves: torch.from_numpy(np.stack(leaves)), *parts)
        frames = (batch.support.inputs["image"] if self.with_torques else batch.support), batch.query.inputs["image"]
        for start in range(0, len(parts), N_BOXES):
            rows = [array[start : start + N_BOXES] for array in frames]
            for row, recoloured in zip(rows, recolour(rng, *rows), strict=True):
                row[:] = recoloured
        return batch

    def task(self, number: int, goal: int, shown: int, asked: np.ndarray, steps: np.ndarray) -> Task:
        """One task, as arrays.

        Args:
            number, goal: set and box.
            shown: condition of the demonstration.
            asked: conditions [n] of the query; its states and torques are the first one's.
            steps: of the query's demonstration.
        """
        frames, states, torques = (array[number, :, goal] for array in self.demos)
        where = in_frame(self.scenes.places[number, shown, goal]).astype(np.float32)
        lesson = Example(
            {"image": frames[shown, :1], "state": scaled(states[shown])},
            {"action": torques[shown] / np.float32(TORQUE), "pose": poses(states[shown, -1:, None, 4:7])},
        )
        image, first = frames[asked, 0], asked[0]
        targets = {
            "action": torques[first, steps] / np.float32(TORQUE),
            "pose": poses(states[first, -1:, None, 4:7]),
            "shown_at": where[None],
        }
        query = Example({"image": image, "state": scaled(states[first, steps])}, targets)
        return Task(lesson if self.with_torques else frames[shown].copy(), query)


@dataclass(frozen=True)
class Trials:
    """What came out: of tasks, each tried in all conditions.

    success, nearest: bool [tasks, conditions], the latter whether the box nearest to the fingertip at the end was the
    goal.  distance: [tasks, conditions], of the goal from the arm's base [m].  shown: int [tasks], the condition of the
    demonstration, or -1.
    """

    success: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    shown: np.ndarray

    def summary(self) -> dict[str, Any]:
        """Rates over all trials, over those whose goal can be reached, over those whose goal the fingertip can touch,
        and over those in other scenes than the demonstration's; each with a 95 % interval over tasks."""
        other = np.arange(self.success.shape[1]) != self.shown[:, None]
        everywhere = np.ones_like(other)
        return {
            "success": _rate(self.success, everywhere),
            "nearest": _rate(self.nearest, everywhere),
            "success, goal in reach": _rate(self.success, self.distance <= REACH + SUCCESS_DISTANCE),
            "success, goal can be touched": _rate(self.success, self.distance <= REACH),
            "success, other scenes": _rate(self.success, other),
        }


def _rate(outcomes: np.ndarray, counted: np.ndarray) -> dict[str, Any]:
    """Of the outcomes [tasks, conditions] that are counted; its interval is over tasks, whose trials are alike."""
    rate = float(outcomes[counted].mean())
    return {"rate": rate, "ci95": wilson(rate, len(outcomes)), "trials": int(counted.sum())}


ActorOf = Callable[[int, int], Sequence[Act]]
"""(set, goal) -> who acts in each of its conditions."""


def count(scenes: Scenes, actors: ActorOf, shown: np.ndarray | None = None) -> Trials:
    """Tries every task in every condition.

    Args:
        scenes: of the tasks.
        actors: who acts; one after the other.
        shown: [sets, N_BOXES], conditions of the demonstrations.
    """
    arm, success, nearest = MilReach(scenes), [], []
    for number, goal in np.ndindex(len(scenes.places), N_BOXES):
        for places, act in zip(scenes.places[number], actors(number, goal), strict=True):
            tips = trial(arm, act)[0][:, 4:7]
            success.append(is_success(tips, places[goal]))
            nearest.append(int(np.linalg.norm(tips[-1] - places, axis=-1).argmin()) == goal)
    lead = (len(scenes.places) * N_BOXES, scenes.places.shape[1])
    distance = np.linalg.norm(scenes.places[..., :2], axis=-1).swapaxes(1, 2).reshape(lead)
    conditions = np.full(lead[0], -1) if shown is None else shown.flatten()
    return Trials(np.reshape(success, lead), np.reshape(nearest, lead), distance, conditions)


def evaluate(learner: MetaLearner, meta: MetaParams, tasks: ReachTasks, seed: int) -> Trials:
    """Adapts to one demonstration of every task, in a condition drawn by the seed, and tries it in all conditions."""
    n_sets, n_conditions = tasks.demos.frames.shape[:2]
    shown = np.random.default_rng(seed).integers(n_conditions, size=(n_sets, N_BOXES))

    def actors(number: int, goal: int) -> Sequence[Act]:
        return _actors(learner, meta, tasks, number, goal, int(shown[number, goal]))

    return count(tasks.scenes, actors, shown)


@torch.no_grad()
def _actors(
    learner: MetaLearner, meta: MetaParams, tasks: ReachTasks, number: int, goal: int, shown: int
) -> Sequence[Act]:
    """One actor for each condition, adapted to the demonstration in one of them."""
    n_conditions = tasks.demos.frames.shape[1]
    arrays = tasks.task(number, goal, shown, np.arange(n_conditions), np.zeros(1, int))
    one = pytree.tree_map(lambda leaf: torch.from_numpy(leaf[None]), arrays)
    support, query = task_at(learner.encode(meta, one), 0)
    adapted = learner.adapt(meta, support)
    return [
        partial(_act, learner, adapted, pytree.tree_map(lambda leaf, at=at: leaf[at : at + 1], query.inputs.seen))
        for at in range(n_conditions)
    ]


@torch.no_grad()
def _act(learner: MetaLearner, adapted: Any, seen: Any, observation: np.ndarray) -> np.ndarray:
    state = torch.from_numpy(scaled(observation)[None])
    return TORQUE * learner.predict(adapted, View(seen, state))["action"][0].numpy().astype(float)
