"""Policies on disk: a folder with parameters (safetensors), configuration (JSON) and a card (Markdown)."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from agents.errors import AgentError
from agents.imitation import Imitator, Policy, adapt_to_video
from agents.presets import Preset, find_preset
from agents.view import Sizes
from daml import MetaParams, load, save
from demos.types import Video

BUNDLED = Path(__file__).parent / "bundled"
"""The policies in the box, one folder for each environment."""


@dataclass(frozen=True)
class PolicyConfig:
    """What a policy is and where it comes from.

    env: short name of the environment, or "all".  preset: key of `PRESETS`.  sizes: of the environment.
    seed, steps, sets: of its meta-training. command: that trains it. minutes: it took, on machine. results:
    evaluations, by video; of all environments by "environment: video".
    """

    env: str
    preset: str
    sizes: Sizes
    seed: int
    steps: int
    sets: int
    command: str
    minutes: float
    machine: str
    results: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredPolicy:
    """A meta-trained policy, before it has watched a video."""

    meta: MetaParams
    config: PolicyConfig

    @property
    def preset(self) -> Preset:
        """How it was meta-trained."""
        return find_preset(self.config.preset)

    def imitator(self) -> Imitator:
        """What feeds it."""
        return self.preset.imitator(self.preset.inner_steps, self.config.sizes)

    def adapt(self, video: Video) -> Policy:
        """The one-shot moment: see `adapt_to_video`."""
        return adapt_to_video(self.imitator(), self.meta, video)


def save_policy(folder: Path, meta: MetaParams, config: PolicyConfig) -> None:
    """Writes a policy's folder; each file is written beside and renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "policy.safetensors", {g: {n: t.detach().cpu() for n, t in p.items()} for g, p in meta.items()}, {})
    write_text(folder / "config.json", json.dumps(asdict(config), indent=2) + "\n")
    write_text(folder / "README.md", card(config))


def load_policy(where: str | Path, device: torch.device | str = "cpu") -> StoredPolicy:
    """Reads a policy.

    Args:
        where: its folder, or the name of an environment with a policy in the box.
        device: for its parameters.

    Raises:
        AgentError: no policy there, or it does not fit this version.
    """
    folder = BUNDLED / where if (BUNDLED / where / "config.json").exists() else Path(where)
    try:
        said = json.loads((folder / "config.json").read_text())
        config = PolicyConfig(**said | {"sizes": Sizes(*said["sizes"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AgentError(
            f"policy: got {where} ({error}), allowed a folder that `daml train` wrote or {bundled()}"
        ) from error
    expected = find_preset(config.preset).imitator(1, config.sizes).learner.init(torch.Generator())
    tensors, _ = load(folder / "policy.safetensors")
    if _shapes(tensors) != _shapes(expected):
        raise AgentError(
            f"policy {folder}: got parameters of another version of the preset {config.preset!r}, allowed this one's"
        )
    meta = {group: {name: tensors[group][name].to(device) for name in params} for group, params in expected.items()}
    return StoredPolicy(meta, config)


def bundled() -> list[str]:
    """Environments with a policy in the box."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/config.json"))


def card(config: PolicyConfig) -> str:
    """The model card."""
    lines = [
        f"# {config.env}, preset `{config.preset}`",
        "",
        "A policy that watches one video of a human and does the same with a robot (DAML, arXiv 1802.01557).",
        "",
        f"- Trained by: `{config.command}` (seed {config.seed}, {config.sets} object sets, {config.steps} meta-steps)",
        f"- Time: {config.minutes:.0f} minutes, collection included, on {config.machine}",
        "- For: simulated research on one-shot imitation. It knows the simulated tables, arms and objects of this",
        "  repository, and nothing else.",
        "",
    ]
    if config.results:
        lines += [
            "| video | success | 95 % interval | nearest is right | tasks x trials | seed |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {video} | {r['success']:.3f} | {r['ci_low']:.3f} to {r['ci_high']:.3f} | {r['nearest']:.3f} "
            f"| {r['tasks']} x {r['trials']} | {r['seed']} |"
            for video, r in config.results.items()
        ]
    return "\n".join(lines) + "\n"


def write_text(path: Path, text: str) -> None:
    """Writes a file beside its place and renames it: it is there whole or not at all."""
    partial = path.with_name(f".{path.name}.tmp")
    partial.write_text(text)
    partial.replace(path)


def _shapes(meta: dict[str, Any]) -> dict[str, dict[str, tuple[int, ...]]]:
    return {group: {name: tuple(t.shape) for name, t in params.items()} for group, params in meta.items()}
