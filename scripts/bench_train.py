"""`daml bench train`: meta-steps a second of a preset, where their time goes, and how near the floor they are."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scripts.bench_core import peak_flops
from scripts.collect import collect_missing
from scripts.common import console, data_folders, env_ids, find_device, machine, ready_to_train, write_json
from scripts.inputs import Count, Device, File

if TYPE_CHECKING:
    from agents.imitation import Imitator
    from agents.presets import Preset
    from daml import MapTasks, Team, TrainState
    from demos.distribution import MixedTasks

WARM_UP = 3
"""Meta-steps before any is timed."""


@dataclass(frozen=True)
class BenchTrain:
    """Meta-steps a second of a preset, as `daml train` takes them, and the milliseconds of their parts.

    drawing: of the tasks, with augmentation. perceiving: what all tasks share. inner: adaptation. outer: prediction
    and loss. backward: the gradient through all of these. adding up: over the processes, if torchrun has started
    several, with waiting for the slowest. optimiser: clipping, checks and the step. The floor is the time that the
    step's convolutions and matrix products would take at the speed of one large matrix product, which takes turns with
    the meta-steps.
    """

    env: str = "reach"
    """Environment, or MODULE:ID of your own; all is a meta-batch over all of the project's own."""
    preset: str = "temporal"
    """Kind of policy."""
    data: Path | None = None
    """A dataset (`daml collect`); a small one is collected when not given, by one process for all on its machine."""
    map_tasks: Literal["vmap", "loop"] | None = None
    """All tasks at once, or one after the other; as the preset does it when not given."""
    rounds: Count = 15
    """Meta-steps that are timed; medians are reported."""
    device: Device = "auto"
    """Where; auto is the GPU where there is one."""
    json: File | None = None
    """Write the result here."""

    def run(self) -> None:
        ready_to_train()
        from agents.datasets import check_batch
        from agents.presets import find_preset
        from daml import joined

        check_batch(find_preset(self.preset), env_ids(self.env))
        with joined(device := find_device(self.device)) as team:
            result = measure(self, device, team)
        if team.leads:
            show(result)
            if self.json:
                write_json(self.json, result)


def measure(config: BenchTrain, device: str, team: Team) -> dict[str, Any]:
    """Times meta-steps from fresh meta-parameters, and counts the operations of one."""
    import torch

    from agents.datasets import common_sizes, open_datasets, task_distribution
    from agents.presets import find_preset
    from agents.training import new_state
    from daml import loop_tasks, vmap_tasks

    preset = find_preset(config.preset)
    team.share(preset.tasks)
    ways: dict[str, MapTasks] = {"vmap": vmap_tasks, "loop": loop_tasks}
    map_tasks = ways[config.map_tasks] if config.map_tasks else preset.map_tasks(device)
    with found_or_collected(config, preset, team) as folder:
        datasets = open_datasets(data_folders(config.env, folder))
        sizes = common_sizes(datasets)
        work = Work(
            new_state(preset, sizes, 0, device),
            task_distribution(preset, sizes, datasets, device),
            preset.imitator(preset.inner_steps, sizes),
            map_tasks,
            preset.tasks,
            preset.max_norm,
        )
        flop = count_flop(work)
        milliseconds, peak = timed(work, config.rounds, device, team)
    seconds = milliseconds["meta-step"] / 1e3
    return {
        "machine": machine(device),
        "env": config.env,
        "preset": config.preset,
        "map_tasks": config.map_tasks or "preset",
        "tasks": preset.tasks,
        "processes": team.size,
        "threads": torch.get_num_threads(),
        "milliseconds": milliseconds,
        "steps_per_second": 1 / seconds,
        "gflop": flop / 1e9,
        "gflops": flop / seconds / 1e9,
        "peak_gflops": peak / 1e9,
        "floor_milliseconds": 1e3 * flop / peak,
        "share_of_peak": flop / seconds / peak,
    }


@contextmanager
def found_or_collected(config: BenchTrain, preset: Preset, team: Team) -> Iterator[Path]:
    """The data, or a folder in which the process that leads collects a few sets for all of them, and which goes."""
    import torch

    from demos.tasks import N_OBJECTS

    if config.data:
        yield config.data
        return
    number = torch.tensor([secrets.randbits(62) if team.leads else 0])
    team.add_up(number)  # now all of them know it
    folder = Path(tempfile.gettempdir()) / f"daml-bench-{int(number):x}"
    try:
        with team.leader_first():
            if team.leads:
                folder.mkdir(mode=0o700)
                folders, imitators = data_folders(config.env, folder), [preset.imitator(preset.inner_steps)]
                collect_missing(folders, imitators, sets=preset.tasks // N_OBJECTS, seed=0)
        yield folder
    finally:
        if team.leads:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Work:
    """What a meta-step takes; see `daml.fit`."""

    state: TrainState
    tasks: MixedTasks
    imitator: Imitator
    map_tasks: MapTasks
    n_tasks: int
    max_norm: float


class Clock:
    """Seconds in named functions."""

    def __init__(self, wait: Callable[[], object]) -> None:
        """
        Args:
            wait: returns when the device has done all that it was given.
        """
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._wait = wait

    def timed(self, name: str, function: Callable) -> Callable:
        """The same function, whose time is added under that name."""

        def run(*args: Any, **options: Any) -> Any:
            self._wait()
            started = time.perf_counter()
            result = function(*args, **options)
            self._wait()
            self.seconds[name] += time.perf_counter() - started
            return result

        return run


def count_flop(work: Work) -> int:
    """Floating-point operations of the convolutions and matrix products of a meta-step's gradient."""
    import numpy as np
    from torch.utils.flop_counter import FlopCounterMode

    from daml import meta_grad

    batch = work.tasks.sample(work.n_tasks, np.random.default_rng(0))
    with FlopCounterMode(display=False) as counter:
        meta_grad(
            work.state.meta,
            batch,
            learner=work.imitator.learner,
            outer_loss=work.imitator.outer_loss(0.0),
            map_tasks=work.map_tasks,
        )
    return counter.get_total_flops()


def timed(work: Work, rounds: int, device: str, team: Team) -> tuple[dict[str, float], float]:
    """Median milliseconds of a meta-step and its parts; and the operations a second of one large matrix product, by
    all processes together, which takes turns with the steps."""
    import numpy as np
    import torch

    steps, peaks = [], []
    for index in range(WARM_UP + rounds):
        peak = torch.tensor(peak_flops(device), dtype=torch.float64)
        team.add_up(peak)
        peaks.append(float(peak))
        steps.append(timed_step(work, index, device, team))
    medians = {name: float(np.median([step[name] for step in steps[WARM_UP:]])) for name in steps[0]}
    return {name: 1e3 * seconds for name, seconds in medians.items()}, float(np.median(peaks))


def timed_step(work: Work, index: int, device: str, team: Team) -> dict[str, float]:
    """Takes one meta-step; seconds of its parts, and of the whole."""
    import numpy as np
    import torch

    from agents.precision import mixed
    from daml import meta_step

    clock = Clock(torch.cuda.synchronize if device == "cuda" else lambda: None)
    learner = mixed(work.imitator.learner)
    batch = clock.timed("drawing", work.tasks.sample)(work.n_tasks, np.random.default_rng([0, index]))
    clock.timed("meta-step", meta_step)(
        work.state,
        batch,
        learner=learner._replace(
            encode=clock.timed("perceiving", learner.encode),
            adapt=clock.timed("inner", learner.adapt),
            predict=clock.timed("outer", learner.predict),
        ),
        outer_loss=clock.timed("outer", work.imitator.outer_loss(0.0)),
        map_tasks=work.map_tasks,
        max_norm=work.max_norm,
        gradient=clock.timed("gradient", replace(team, add_up=clock.timed("adding up", team.add_up)).gradient),
    )
    spent = clock.seconds
    parts = {name: spent[name] for name in ("drawing", "perceiving", "inner", "outer")}
    parts["backward"] = spent["gradient"] - sum(spent[name] for name in ("perceiving", "inner", "outer", "adding up"))
    parts["adding up"] = spent["adding up"]
    parts["optimiser"] = spent["meta-step"] - spent["gradient"]
    return parts | {"meta-step": spent["drawing"] + spent["meta-step"]}


def show(result: dict[str, Any]) -> None:
    """The table, for the terminal."""
    mapped = {"preset": "as the preset has it"}.get(result["map_tasks"], f"by {result['map_tasks']}")
    console.print(
        f"{result['preset']} on {result['env']}, {result['tasks']} tasks, mapped {mapped}; processes: "
        f"{result['processes']}, threads of each: {result['threads']}; {result['machine']}"
    )
    whole = result["milliseconds"]["meta-step"]
    for name, value in result["milliseconds"].items():
        console.print(f"{name:12s} {value:9.2f} ms {100 * value / whole:5.0f} %")
    console.print(
        f"{result['steps_per_second']:.2f} meta-steps/s; {result['gflop']:.2f} GFLOP each at {result['gflops']:.0f} "
        f"GFLOP/s, {100 * result['share_of_peak']:.0f} % of the {result['peak_gflops']:.0f} GFLOP/s of a matrix "
        f"product, whose floor is {result['floor_milliseconds']:.1f} ms"
    )
