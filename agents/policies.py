"""Policies on disk: a folder with parameters, configuration and a card, as the tools of the Hugging Face Hub expect it.

model.safetensors   parameters; policy.safetensors in the folders of earlier versions
config.json         `PolicyConfig`
README.md           the card
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from agents.cards import card
from agents.errors import AgentError
from agents.imitation import Imitator, Policy, adapt_to_video
from agents.presets import Preset, find_preset
from agents.view import Sizes, sizes_from
from daml import MetaParams, load, save
from daml.files import write_json, write_text
from demos.combinations import Pairs
from demos.skills import find_skill
from demos.types import Video

BUNDLED = Path(__file__).parent / "bundled"
"""The policies in the box, one folder for each environment."""
WEIGHTS = "model.safetensors"
OLD_WEIGHTS = "policy.safetensors"
CONFIG = "config.json"
CARD = "README.md"


@dataclass(frozen=True)
class PolicyConfig:
    """What a policy is and where it comes from.

    env: short name of the environment, "module:id" of somebody's own, "all", or "none" of data alone.
    preset: as `find_preset` takes it.  sizes: of the environment.
    seed, steps, sets: of its meta-training. command: that trains it. minutes: it took, on machine. results:
    evaluations, by `row_of`.  pairs: that it was meta-trained on.
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
    pairs: Pairs = "all"

    def where(self, row: str) -> tuple[str, str]:
        """Environment and video of a row of results: the inverse of `row_of`."""
        env, colon, video = row.partition(": ")
        return (env, video) if colon else (self.env, row)


def row_of(policy: str, env: str, video: str) -> str:
    """Key of a policy's results: the video, and in which environment, if the policy is for several."""
    return video if policy == env else f"{env}: {video}"


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

    def acting_as(self, preset: str) -> "StoredPolicy":
        """The same parameters as a policy of another preset, as `find_preset` takes it: one that looks once as one with
        its eyes open, or the other way round.

        Raises:
            AgentError: there is no such preset, or it has other parameters.
            ModuleError: as `find_preset`.
        """
        other = replace(self, config=replace(self.config, preset=preset))
        if shapes(other.imitator().learner.init(torch.Generator())) != shapes(self.meta):
            raise AgentError(
                f"preset: got {preset!r} for a policy of {self.config.preset!r}, allowed one with the same parameters"
            )
        return other

    def adapt(self, video: Video) -> Policy:
        """The one-shot moment: see `adapt_to_video`."""
        return adapt_to_video(self.imitator(), self.meta, video)


def save_policy(folder: Path, meta: MetaParams, config: PolicyConfig) -> None:
    """Writes a policy's folder; each file is written beside and renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / WEIGHTS, {g: {n: t.detach().cpu() for n, t in p.items()} for g, p in meta.items()}, {})
    write_json(folder / CONFIG, asdict(config))
    write_text(folder / CARD, card(config))
    (folder / OLD_WEIGHTS).unlink(missing_ok=True)


def weights(folder: Path) -> Path:
    """The file of a policy's parameters, by whichever name it has."""
    old = folder / OLD_WEIGHTS
    return old if old.exists() and not (folder / WEIGHTS).exists() else folder / WEIGHTS


def load_policy(where: str | Path, device: torch.device | str = "cpu") -> StoredPolicy:
    """Reads a policy.

    Args:
        where: its folder, its run's folder, or the name of an environment with a policy in the box.
        device: for its parameters.

    Raises:
        AgentError: no policy there, or it does not fit this version.
        CheckpointError: its parameters are missing or damaged.
        ModuleError: it names a module, as `find_preset` takes it, that cannot be imported, or lies in that folder.
    """
    given = BUNDLED / where if (BUNDLED / where / CONFIG).exists() else Path(where)
    folder = given / "policy" if (given / "policy" / CONFIG).exists() else given
    try:
        said = json.loads((folder / CONFIG).read_text())
        config = PolicyConfig(**said | {"sizes": sizes_from(said["sizes"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AgentError(
            f"policy: got {where} ({error}), allowed a folder that `daml train` wrote or {bundled()}"
        ) from error
    if ":" in config.env:
        find_skill(config.env, named_in=given)
    expected = find_preset(config.preset, named_in=given).imitator(1, config.sizes).learner.init(torch.Generator())
    tensors, _ = load(weights(folder))
    if shapes(tensors) != shapes(expected):
        raise AgentError(
            f"policy {folder}: got parameters of another version of the preset {config.preset!r}, allowed this one's"
        )
    meta = {group: {name: tensors[group][name].to(device) for name in params} for group, params in expected.items()}
    return StoredPolicy(meta, config)


def bundled() -> list[str]:
    """Environments with a policy in the box."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG}"))


def shapes(meta: dict[str, Any]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Of each parameter, by group and name."""
    return {group: {name: tuple(t.shape) for name, t in params.items()} for group, params in meta.items()}
