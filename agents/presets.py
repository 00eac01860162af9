"""The policies that can be meta-trained, by name, and how."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from agents.baselines import contextual, first_order_fast, handwritten_loss, linear_loss, recurrent, temporal_loss
from agents.errors import AgentError
from agents.fast import fast
from agents.imitation import Imitator
from agents.mil import mil
from agents.paper import paper
from agents.precise import precise
from daml import MapTasks, loop_tasks, vmap_tasks


def all_at_once(device: str) -> MapTasks:
    """One vmap over the tasks of a meta-batch, on any device."""
    return vmap_tasks


def in_a_loop_on_cpu(device: str) -> MapTasks:
    """One task after the other on a CPU, where that is faster if each has its own convolutions; elsewhere at once."""
    return loop_tasks if device == "cpu" else vmap_tasks


@dataclass(frozen=True)
class Preset:
    """A kind of policy and its meta-training.

    imitator: number of inner steps, sizes -> imitator.  inner_steps: of meta-training.  steps: meta-steps.  tasks: in a
    meta-batch.  learning_rate: of Adam, at its highest.  hint: weight of the hint.  hint_steps: after which it is gone.
    max_norm: bound on the meta-gradient's norm.  shown: what it is evaluated on, of `agents.evaluation.VIDEOS`.
    map_tasks: type of device -> how tasks are mapped there; it changes the time of a meta-step, not its result.
    """

    imitator: Callable[..., Imitator]
    inner_steps: int
    steps: int
    tasks: int
    learning_rate: float
    hint: float
    hint_steps: int
    max_norm: float
    shown: str = "human"
    map_tasks: Callable[[str], MapTasks] = all_at_once


FAST = Preset(fast, inner_steps=1, steps=3600, tasks=24, learning_rate=2e-3, hint=1.0, hint_steps=300, max_norm=10.0)
_UNHINTED = replace(FAST, hint=0.0, hint_steps=0)

PRESETS: dict[str, Preset] = {
    "fast": FAST,
    "precise": replace(FAST, imitator=precise, steps=6000),
    "paper": Preset(
        paper,
        inner_steps=1,
        steps=30_000,
        tasks=15,
        learning_rate=1e-3,
        hint=0.0,
        hint_steps=0,
        max_norm=10.0,
        map_tasks=in_a_loop_on_cpu,
    ),
    "oracle": replace(FAST, shown="told"),
    "no-hint": _UNHINTED,
    "first-order": replace(FAST, imitator=first_order_fast),
    "temporal": replace(_UNHINTED, imitator=temporal_loss),
    "linear": replace(_UNHINTED, imitator=linear_loss),
    "hand-written": replace(_UNHINTED, imitator=handwritten_loss),
    "mil": replace(_UNHINTED, imitator=mil, shown="robot"),
    "cloning": replace(_UNHINTED, inner_steps=0),
    "contextual": replace(_UNHINTED, imitator=contextual, inner_steps=0),
    "lstm": replace(_UNHINTED, imitator=recurrent, inner_steps=0),
}
"""The method (fast, paper), and what it is compared with: see `agents.baselines`."""


def find_preset(name: str) -> Preset:
    """The preset of a name.

    Raises:
        AgentError: there is none.
    """
    if name not in PRESETS:
        raise AgentError(f"preset: got {name!r}, allowed {list(PRESETS)}")
    return PRESETS[name]
