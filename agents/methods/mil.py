"""MIL: the same policy, adapted to a demonstration by the robot itself, with its actions.

phi = theta - rates * d/dtheta L_imitation(theta, robot's demonstration)     one step of the loss of the outer loop

What no video of a human tells is told here, so that it is a ceiling for what does without. Source: Finn et al. 2017b,
arXiv 1709.04905.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils import _pytree as pytree

from agents.errors import AgentError
from agents.imitation import Imitator, device_of
from agents.methods import head
from agents.view import OURS, REACHING, Sizes, Units, View, scaled_state, scaled_targets
from daml import Example, MetaParams, Params, Task, adapt, gradient_descent
from demos.types import Demonstration, Video
from demos.video import resize


def adapt_head(inner_steps: int, meta: MetaParams, lesson: Example) -> head.Adapted:
    """Steps of behaviour cloning on a demonstration: a `View` in, "action" and "pose" out."""

    def inner(theta: Params, lesson: Example) -> Tensor:
        outputs = head.predict(head.adapted(theta, meta, lesson.inputs), lesson.inputs)
        return head.imitation(outputs, lesson.targets)["loss"]

    rule = gradient_descent(meta["rates"], clip=head.CLIP)
    return head.adapted(adapt(meta["theta"], lesson, loss=inner, rule=rule, n_steps=inner_steps), meta, lesson.inputs)


def encode(meta: MetaParams, tasks: Task, *, units: Units = OURS) -> Task:
    """Perceives the first image of every demonstration, shown and asked for."""
    shown, asked = (Example(_view(meta, each.inputs, units), scaled_targets(each.targets, units)) for each in tasks)
    return Task(shown, asked)


def _view(meta: MetaParams, inputs: dict[str, Tensor], units: Units) -> View:
    """Of "image" uint8 [tasks, 1, H, W, 3] and "state" [tasks, m, state]."""
    image = inputs["image"]
    seen = head.perceive(meta, image.flatten(0, 1))
    state = scaled_state(inputs["state"], units)
    return View(pytree.tree_map(lambda leaf: leaf.unflatten(0, image.shape[:2]), seen), state)


def study(imitator: Imitator, meta: MetaParams, video: Video) -> Example:
    """A demonstration as the learner adapts on it: its first image, and all its states and actions.

    Raises:
        AgentError: a video without actions.
    """
    if not isinstance(video, Demonstration):
        raise AgentError("video: got one without actions, allowed the robot's own demonstration: MIL adapts on actions")
    device, sizes = device_of(meta), imitator.sizes
    image = torch.tensor(resize(video.frames[:1], imitator.size), device=device)
    state, action, points = (
        F.pad(torch.tensor(array, dtype=torch.float32, device=device), missing, value=torch.nan)
        for array, missing in (
            (video.states, (0, sizes.state - video.states.shape[-1])),
            (video.actions, (0, sizes.action - video.actions.shape[-1])),
            (video.points, (0, 0, 0, sizes.points - len(video.points))),
        )
    )
    seen = View(imitator.perceive(meta, image), scaled_state(state, sizes.units))
    return Example(seen, scaled_targets({"action": action, "pose": points[None]}, sizes.units))


def mil(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The baseline; with zero inner steps it is the policy without adaptation."""
    usual = head.with_head(partial(head.without_learned_loss, sizes), partial(adapt_head, inner_steps), sizes)
    return usual._replace(
        learner=usual.learner._replace(encode=partial(encode, units=sizes.units)),
        support=study,
        wanted=usual.wanted._replace(lessons=True),
    )
