"""The policies that can be meta-trained, by name, and how."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from agents.errors import AgentError
from agents.imitation import Imitator
from agents.methods.ablations import blind, first_order_fast, handwritten_loss, linear_loss
from agents.methods.anil import anil
from agents.methods.attention import attention
from agents.methods.both import both
from agents.methods.conditioning import contextual, recurrent
from agents.methods.contrastive import contrastive
from agents.methods.fast import fast
from agents.methods.handed import handed
from agents.methods.looking import looking, looking_both, looking_temporal
from agents.methods.mil import mil
from agents.methods.paper import paper, seeing, small
from agents.methods.pointer import pointer
from agents.methods.precise import precise, precise_temporal
from agents.methods.replay import any_one, replay
from agents.methods.temporal import final_pose, temporal
from daml import MapTasks, loop_tasks, vmap_tasks
from daml.modules import import_named, split_name


def all_at_once(device: str) -> MapTasks:
    """One vmap over the tasks of a meta-batch, on any device."""
    return vmap_tasks


def in_a_loop_on_cpu(device: str) -> MapTasks:
    """One task after the other on a CPU, where that is faster if each has large activations of its own; elsewhere at
    once."""
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


TEMPORAL = Preset(
    temporal, inner_steps=1, steps=3600, tasks=24, learning_rate=2e-3, hint=1.0, hint_steps=1000, max_norm=10.0
)
PRECISE = replace(TEMPORAL, imitator=precise, steps=6000)
_UNHINTED = replace(TEMPORAL, hint=0.0, hint_steps=0)
PAPER = Preset(
    paper,
    inner_steps=1,
    steps=30_000,
    tasks=15,
    learning_rate=1e-3,
    hint=0.0,
    hint_steps=0,
    max_norm=10.0,
    map_tasks=in_a_loop_on_cpu,
)
SMALL = replace(PAPER, imitator=small, steps=6000, hint=1.0, hint_steps=1500)

PRESETS: dict[str, Preset] = {
    "temporal": TEMPORAL,
    "temporal-2": replace(TEMPORAL, inner_steps=2),
    "temporal-5": replace(TEMPORAL, inner_steps=5),
    "anil": replace(TEMPORAL, imitator=anil),
    "final-pose": replace(TEMPORAL, imitator=final_pose),
    "fast": replace(TEMPORAL, imitator=fast),
    "both": replace(TEMPORAL, imitator=both),
    "precise": PRECISE,
    "precise-temporal": replace(PRECISE, imitator=precise_temporal),
    "looking": replace(PRECISE, imitator=looking),
    "handed": replace(PRECISE, imitator=handed),
    "looking-both": replace(PRECISE, imitator=looking_both),
    "looking-temporal": replace(TEMPORAL, imitator=looking_temporal),
    "paper": PAPER,
    "paper-small": SMALL,
    "paper-seeing": replace(SMALL, imitator=seeing),
    "oracle": replace(TEMPORAL, shown="told"),
    "pointer": replace(TEMPORAL, imitator=pointer),
    "attention": replace(TEMPORAL, imitator=attention, inner_steps=0, map_tasks=in_a_loop_on_cpu),
    "contrastive": replace(TEMPORAL, imitator=contrastive, inner_steps=0, map_tasks=in_a_loop_on_cpu),
    "replay": replace(TEMPORAL, imitator=replay),
    "replay-any": replace(TEMPORAL, imitator=partial(replay, recall=any_one)),
    "contextual": replace(TEMPORAL, imitator=contextual, inner_steps=0),
    "lstm": replace(TEMPORAL, imitator=recurrent, inner_steps=0),
    "mil": replace(_UNHINTED, imitator=mil, shown="robot"),
    "cloning": replace(_UNHINTED, inner_steps=0),
    "unasked": _UNHINTED,
    "blind": replace(TEMPORAL, imitator=blind),
    "no-hint": replace(_UNHINTED, imitator=fast),
    "first-order": replace(TEMPORAL, imitator=first_order_fast),
    "linear": replace(TEMPORAL, imitator=linear_loss),
    "hand-written": replace(_UNHINTED, imitator=handwritten_loss),
}
"""The method and its variants, and what it is compared with: see `agents.methods`."""


def find_preset(name: str, named_in: Path | None = None) -> Preset:
    """The preset of a name.

    Args:
        name: key of `PRESETS`, or "module:name" of somebody's own.
        named_in: the folder of the file that names it; None when no file does.

    Raises:
        AgentError: there is none.
        ModuleError: as `daml.modules.import_named`.
    """
    module, own = split_name(name)
    found = getattr(import_named(module, named_in), own, None) if module else PRESETS.get(name)
    if not isinstance(found, Preset):
        raise AgentError(f"preset: got {name!r}, allowed {list(PRESETS)}, or MODULE:NAME of a Preset of your own")
    return found
