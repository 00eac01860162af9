"""The `replay` baseline: a demonstration is found again and done again, at another place; nothing is learned from the
video.

    embedding = the feature that is seen, in each frame of a video, where the proposal of the `pointer` says
    memory = `KEPT` demonstrations of the meta-training data: the embedding of the human's video of the same task,
             where the fingertip went, the actions, and the places that the task was about
    found  = the demonstration whose video's embedding is most like that of the shown video
    moved  = found, where its places are the ones at which the `pointer` looks in the robot's first image
    act:     straight to where `moved` comes near its place; from there the actions of `moved`, step by step, with a
             correction towards the fingertip's place in that step

It is meta-trained as the `pointer` is, whose head does not act. The parts are those of MT3: retrieval, alignment by
what is seen now, interaction replayed open loop. There a pose of the object aligns; here the place that the attention
finds, without a turn. The demonstrations in memory were disturbed while they were collected, as all of the data are.

Source: Dreczkowski et al. 2025, arXiv 2511.10110 (MT3).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from agents import proposal
from agents.imitation import MEMORY, Demonstrations, Imitator, Look, Policy
from agents.meta_net import CHANNELS
from agents.methods import head
from agents.methods.pointer import pointer
from agents.view import REACHING, Sizes, View
from daml import MetaParams, Params
from demos.record import Actor
from envs.tabletop import CONTROL_PERIOD, MAX_SPEED

KEPT = 512
"""Demonstrations in memory."""
STEPS = 64
"""Longest demonstration [control periods]."""
APPROACH = 0.1
"""Replay begins where the demonstration first was this near to its place, seen from above [m]."""
THERE = 0.02
"""As near as the fingertip comes to where replay begins, before it does [m]."""
GAIN = 0.5
"""Share of what is missing that is corrected in each step, as the experts do."""

Recall = Callable[[Params, Tensor], int]
"""(memory, embedding of a video) -> number of a demonstration."""


class Recalling(NamedTuple):
    """adapted: as of the `pointer`.  embedding: [embedding], of the video.  memory: of all demonstrations."""

    adapted: head.Adapted
    embedding: Tensor
    memory: Params


def init(usual: Imitator, generator: torch.Generator) -> MetaParams:
    """Those of the `pointer`, and an empty memory."""
    sizes = usual.sizes
    empty: Params = {
        "embedding": torch.zeros(KEPT, sizes.told * usual.wanted.frames * CHANNELS),
        "fingertip": torch.zeros(KEPT, STEPS, 3),
        "action": torch.zeros(KEPT, STEPS, sizes.action),
        "points": torch.zeros(KEPT, sizes.points, 3),
    }
    return {**usual.learner.init(generator), MEMORY: empty}


@torch.no_grad()
def remember(meta: MetaParams, demonstrations: Demonstrations, rng: np.random.Generator) -> MetaParams:
    """The meta-parameters with `KEPT` demonstrations in memory [m]; NaN where an environment has no such number."""
    drawn = demonstrations.demonstrations(KEPT, rng)
    full: Params = {
        "embedding": torch.stack([embed(meta["psi"], head.perceive(meta, one).features) for one in drawn.support]),
        "fingertip": drawn.query.inputs["state"][..., :3].contiguous(),
        "action": drawn.query.targets["action"],
        "points": drawn.query.targets["pose"],
    }
    return {**meta, MEMORY: full}


def embed(psi: Params, features: Tensor) -> Tensor:
    """Features of a video [frames, CHANNELS, h, w] -> unit vector [told * frames * CHANNELS]: what is seen in each
    frame where the video tells a place."""
    where = proposal.propose(psi, features).where.exp()
    return F.normalize(torch.einsum("pc,tkc->ptk", where, features.flatten(-2)).flatten(), dim=0)


def watch(usual: Imitator, inner_steps: int, meta: MetaParams, video: View) -> Recalling:
    """What the `pointer` makes of a video, and what it is compared by: with zero inner steps nothing."""
    embedding = embed(meta["psi"], video.seen.features)
    return Recalling(usual.learner.adapt(meta, video), embedding * (inner_steps > 0), meta[MEMORY])


def predict(recalling: Recalling, inputs: View) -> dict[str, Tensor]:
    """As of the `pointer`."""
    return head.predict(recalling.adapted, inputs)


def nearest(memory: Params, embedding: Tensor) -> int:
    """The demonstration whose video is most like the one that is shown."""
    return int((memory["embedding"] @ embedding).argmax())


def any_one(memory: Params, embedding: Tensor) -> int:
    """The control: instead of that demonstration always the same other one, drawn at random."""
    others = torch.randperm(KEPT, generator=torch.Generator().manual_seed(0))
    return int(others[nearest(memory, embedding)])


def moved(fingertip: np.ndarray, points: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, int]:
    """A demonstration's way [steps, 3], moved so that its points [points, 3] lie at places [points, 3] [m]: in each
    step by as much as the point that is nearest then. Also the step from which it is to be replayed."""
    across = np.linalg.norm((fingertip[:, None] - points)[..., :2], axis=-1)
    far = np.where(np.isnan(across), np.inf, across)  # [steps, points]; not all environments have as many points
    way = fingertip + (places - points)[far.argmin(1)]
    return way, int((far.min(1) < APPROACH).argmax())


def follow(way: np.ndarray, actions: np.ndarray, start: int) -> Callable[[np.ndarray], np.ndarray]:
    """Fingertip [3] [m] -> action: straight to step `start` of a way [steps, 3] [m], then what was done there [steps,
    action], one step after the other; at the end the last step again and again."""
    step: list[int] = []

    def act(fingertip: np.ndarray) -> np.ndarray:
        missing = way[start] - fingertip
        if not step and np.linalg.norm(missing) > THERE:
            return towards(missing, actions[start])
        step[:] = [min(step[0] + 1, len(way) - 1) if step else start]
        velocity, others = np.split(actions[step[0]], [3])
        correction = correct(way[step[0]] - fingertip)
        return np.append(velocity + correction, others)

    return act


def correct(missing: np.ndarray) -> np.ndarray:
    """The velocity [3] that makes up for a share of what is missing [3] [m], in units of the action."""
    return GAIN * missing / (MAX_SPEED * CONTROL_PERIOD)


def towards(missing: np.ndarray, action: np.ndarray) -> np.ndarray:
    """An action with another velocity: along the straight way that is missing [3] [m], at most at full speed."""
    velocity = correct(missing)
    return np.append(velocity / max(1.0, np.abs(velocity).max()), action[3:])


def acts(recall: Recall, policy: Policy, look: Look) -> Actor:
    """Who finds a demonstration when an episode begins, and does it again where the image says."""
    begun: list[Callable[[np.ndarray], np.ndarray]] = []

    def begin(seen: Any, state: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        memory = policy.adapted.memory
        number = recall(memory, policy.adapted.embedding)
        fingertip, action, points = (memory[name][number].cpu().numpy() for name in ("fingertip", "action", "points"))
        pose = policy.imitator.sizes.units.point.from_unit(policy.outputs(seen, state)["pose"][0])
        way, start = moved(fingertip, points, pose.cpu().numpy())
        return follow(way, np.nan_to_num(action), start)

    def act(observation: dict[str, np.ndarray], info: dict[str, Any]) -> np.ndarray:
        state = observation["state"]
        if not begun:
            begun.append(begin(look(observation, info), state))
        return np.clip(begun[0](state[:3]), -1, 1).astype(np.float32)

    return act


def replay(inner_steps: int = 1, sizes: Sizes = REACHING, recall: Recall = nearest) -> Imitator:
    """The baseline; with zero inner steps the video neither finds nor aligns."""
    usual = pointer(inner_steps, sizes)
    adapt = partial(watch, usual, inner_steps)
    return usual._replace(
        learner=usual.learner._replace(init=partial(init, usual), adapt=adapt, predict=predict),
        wanted=usual.wanted._replace(whole=STEPS, placed=True),
        acts=partial(acts, recall),
        remember=remember,
    )
