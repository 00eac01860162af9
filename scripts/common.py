"""What the commands share: environment names, devices, the console, the machine."""

import ctypes
import math
import os
import platform
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from demos.processes import cores

if TYPE_CHECKING:
    from agents.evaluation import Report
    from agents.policies import StoredPolicy

ENVIRONMENTS = {
    "reach": "daml/Reach-v0",
    "push": "daml/Push-v0",
    "place": "daml/Place-v0",
    "pick-place": "daml/PickPlace-v0",
    "act": "daml/Act-v0",
    "sort": "daml/Sort-v0",
}
"""Short names, as the commands take them -> registered ids. A task of somebody's own is called "module:id"."""

ALL = "all"
"""The name of a policy for all environments of `TOGETHER`."""
TOGETHER = ("reach", "push", "place", "pick-place")
"""Environments that one policy can be for: in each of them the video tells one thing, which object."""

NONE = "none"
"""The name of no environment: of a policy for a robot of which there are only data."""

console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
"""Prints what it is given: a path may hold what looks like markup, and a line in a pipe is one line."""


def env_id(name: str) -> str:
    """The registered id of a short name; "module:id" is one, as `gymnasium.make` takes it.

    Raises:
        EnvError: there is none.
        DemoError, ModuleError: there is no such module, or it registers no such task.
    """
    from envs.errors import EnvError

    if ":" in name:
        from demos.skills import find_skill

        find_skill(name)
        return name
    if name not in ENVIRONMENTS:
        raise EnvError(f"env: got {name!r}, allowed {list(ENVIRONMENTS)}, or MODULE:ID of a task of your own")
    return ENVIRONMENTS[name]


def as_file(name: str) -> str:
    """The name of an environment or a preset as a part of a file's name: one with a module has signs that not every
    file system takes."""
    return re.sub("[:/]", "-", name)


def env_names(name: str) -> list[str]:
    """Short names of the environments of a policy: those of `TOGETHER`, or one.

    Raises:
        EnvError: there is none of that name.
    """
    if name != ALL:
        env_id(name)
    return list(TOGETHER) if name == ALL else [name]


def env_ids(name: str) -> list[str]:
    """Registered ids of the environments of a policy.

    Raises:
        EnvError: there is none of that name.
    """
    return [env_id(each) for each in env_names(name)]


def data_folders(name: str, folder: Path) -> dict[str, Path]:
    """Registered id of each environment of a policy -> the folder of its dataset: the folder, or one inside it where
    there are several.

    Raises:
        EnvError: there is no environment of that name.
    """
    return {env_id(each): folder / each if name == ALL else folder for each in env_names(name)}


def find_policy(name: str) -> "StoredPolicy":
    """`agents.policies.load_policy`, which is imported late: with it comes torch."""
    from agents.policies import load_policy

    return load_policy(name)


def policy_for(env: str, name: str | None) -> "StoredPolicy":
    """The policy that acts in an environment; the one in the box when it has no name.

    Raises:
        AgentError: there is none, or it is for other environments.
        EnvError: there is no such environment.
    """
    from agents.errors import AgentError

    env_id(env)
    stored = find_policy(name or env)
    if stored.config.env == NONE:
        raise AgentError(
            f"policy {name}: got one trained on data alone, allowed one for {env}; or `daml evaluate --data`"
        )
    if env not in (meant := env_names(stored.config.env)):
        raise AgentError(f"policy {name}: got one for {stored.config.env}, allowed one for {env}; or --env {meant[0]}")
    return stored


def evaluation_of(
    env: str, name: str | None, video: str, size: int | None = None, preset: str | None = None
) -> "Callable[..., Report]":
    """`agents.evaluation.evaluate_preset` of the policy that acts in an environment, with all but its options given; or
    `evaluate` of one's own, which is named as `scripts.imports.named` takes it.

    Args:
        env: short name of the environment.
        name: of the policy; the one in the box when None.
        video: what it is shown.
        size: side of the images of a policy of one's own [px].
        preset: that it acts as; its own when None.

    Raises:
        AgentError, EnvError: as `policy_for`, a size for a policy that has one, a preset for one that has none or of
            other parameters, or a video that it cannot be shown.
        InputError: nothing has that name.
    """
    from agents.errors import AgentError
    from agents.evaluation import check_video, evaluate, evaluate_preset
    from agents.learners import SIZE, OneShot
    from scripts.imports import NamedPolicy, is_named

    environment = env_id(env)
    if name is not None and is_named(name):
        check_video(video, environment)
        if preset is not None:
            raise AgentError(f"preset: got {preset!r}, allowed none for a policy of your own")
        return partial(evaluate, OneShot(NamedPolicy(name), size or SIZE), env_id=environment, video=video)
    stored = policy_for(env, name)
    if preset is not None:
        stored = stored.acting_as(preset)
    check_video(video, environment, stored.preset)
    if size not in (None, own := stored.imitator().size):
        raise AgentError(f"size: got {size}, allowed {own} for this policy, which was trained on that")
    sizes = stored.config.sizes
    return partial(evaluate_preset, stored.preset, stored.meta, sizes=sizes, env_id=environment, video=video)


def write_json(path: Path, value: Any) -> None:
    """`daml.files.write_json`, which is imported late: with it comes torch."""
    from daml import files

    files.write_json(path, value)


def between(low: float, high: float) -> str:
    """An interval in words; of a single unit it is not known."""
    return f"[{low:.3f}, {high:.3f}]" if math.isfinite(low) and math.isfinite(high) else "[unknown]"


def find_device(name: str) -> Literal["cpu", "cuda"]:
    """ "auto" is the GPU where there is one.

    Raises:
        AgentError: an unknown device, or "cuda" without a GPU.
    """
    import torch

    from agents.errors import AgentError

    if name not in ("auto", "cpu", "cuda"):
        raise AgentError(f"device: got {name!r}, allowed 'auto', 'cpu' or 'cuda'")
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise AgentError("device: got 'cuda', allowed 'cpu' here: torch sees no GPU")
    return "cuda" if has_gpu and name != "cpu" else "cpu"


def machine(device: str = "cpu") -> str:
    """What this runs on, for reports."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    there = os.cpu_count() or 1
    return f"{there if cores() == there else f'{cores()} of {there}'} CPU cores ({model})"


def ready_to_train() -> None:
    """Sets this process up for meta-steps, before torch is imported.

    Threads that wait actively stay in step when other programs want the cores; torch reads that when it is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "active")
    keep_memory()


def keep_memory() -> None:
    """Lets glibc keep large blocks for the next operation, instead of giving them back and having them zeroed again.

    Activations of tens of megabytes come and go in every operation; it saves a tenth of a meta-step.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        m_trim_threshold, m_mmap_threshold = -1, -3  # of malloc.h
        libc.mallopt(m_mmap_threshold, 2**25)  # the most that it takes
        libc.mallopt(m_trim_threshold, 2**31 - 1)
