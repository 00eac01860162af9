"""`daml bench`: how fast the hot paths are, beside their floors. Ratios are of runs that take turns."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from tyro.conf import subcommand

from demos.processes import cores
from scripts.bench_core import BenchCore
from scripts.bench_refusal import BenchRefusal
from scripts.bench_teaching import BenchTeaching
from scripts.bench_train import BenchTrain
from scripts.common import ENVIRONMENTS, console, env_id, machine, write_json
from scripts.inputs import Count, Env, File, Nudge, On, Side

if TYPE_CHECKING:
    from agents.workers import Workers

BLOCK = 25
"""Episodes of an expert in one process."""


@dataclass(frozen=True)
class BenchRender:
    """Drawing for collection, and whole demonstrations with physics and experts, in frames a second.

    They take turns with a bare mujoco.Renderer loop on the same scene, in one process on one core.
    """

    env: Env = "reach"
    size: Side = 64
    """Side of the frames [px]."""
    rounds: Count = 7
    """Times that the contestants take turns; medians are reported."""
    json: File | None = None
    """Write the result here."""

    def run(self) -> None:
        # For the bare one, which takes a window's otherwise; read when mujoco is first imported.
        os.environ.setdefault("MUJOCO_GL", "egl")
        result = bench_render(env_id(self.env), self.size, self.rounds)
        console.print(f"{self.size} x {self.size} px, one process, {machine()}")
        for name, rate in result.items():
            console.print(f"{name:34s} {rate:8.0f} frames/s {100 * rate / result['bare mujoco.Renderer']:5.0f} %")
        if self.json:
            write_json(self.json, {"machine": machine(), "size": self.size} | result)


@dataclass(frozen=True)
class BenchExperts:
    """How often the scripted experts succeed, with 95 % Wilson intervals: alone, and disturbed as in collection."""

    seeds: Count = 200
    """Episodes of each environment, with seeds 0, 1, ..."""
    env: str | None = None
    """Environment, or MODULE:ID of your own; all of the project's own when not given."""
    on: On = "processes"
    nudge: Nudge = 0
    """How far objects are moved while the robot is on its way: 1 up to 2 cm, 2 up to 4 cm."""
    json: File | None = None
    """Write the result here."""

    def run(self) -> None:
        from agents.workers import workers_on

        results = {}
        with workers_on(self.on, cores()) as workers:
            for name in [self.env] if self.env else ENVIRONMENTS:
                results[name] = bench_expert(env_id(name), self.seeds, self.nudge, workers)
                for how in ("alone", "disturbed"):
                    rate, low, high = results[name][how]
                    console.print(f"{name:10s} {how:9s} {rate:6.3f} (95 % interval {low:.3f} to {high:.3f})")
                console.print(f"{name:10s} {results[name]['frames per CPU second']:.0f} frames a CPU second")
        if self.json:
            write_json(self.json, {"machine": machine(), "seeds": self.seeds, "nudge": self.nudge} | results)


@dataclass(frozen=True)
class Bench:
    """Measure the hot paths, each beside its floor or its peers."""

    what: (
        Annotated[BenchRender, subcommand("render")]
        | Annotated[BenchExperts, subcommand("experts")]
        | Annotated[BenchCore, subcommand("core")]
        | Annotated[BenchTeaching, subcommand("teaching")]
        | Annotated[BenchRefusal, subcommand("refusal")]
        | Annotated[BenchTrain, subcommand("train")]
    )

    def run(self) -> None:
        self.what.run()


def bench_render(env_name: str, size: int, rounds: int) -> dict[str, float]:
    """Median frames a second of a bare renderer, of ours, of both cameras together, and of a collected set."""
    import mujoco
    import numpy as np

    from demos.collect import demonstrate_set, describe
    from demos.processes import one_thread
    from demos.tasks import sample_task_set
    from envs.appearance import CAMERA
    from envs.render import Camera
    from envs.robot import HOME
    from envs.scene import robot_model
    from envs.tabletop import camera_in_hand

    one_thread()
    n_frames = 300
    info = describe(env_name, "train", 0, 1, size)
    model = robot_model(sample_task_set(0, "train", 0, env_id=env_name).robot_scenes[0])
    data = mujoco.MjData(model)
    for i, angle in enumerate(HOME):
        data.joint(f"joint{i + 1}").qpos = angle
    mujoco.mj_forward(model, data)
    camera, eye = Camera(model, CAMERA, size, size), camera_in_hand(model, size, size)
    bare = mujoco.Renderer(model, size, size)
    for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
        bare.scene.flags[flag] = 0

    def draw_bare() -> int:
        for _ in range(n_frames):
            bare.update_scene(data, CAMERA)
            bare.render()
        return n_frames

    def draw_ours() -> int:
        for _ in range(n_frames):
            camera.draw(data)
        return n_frames

    def draw_both() -> int:
        for _ in range(n_frames):
            camera.draw(data)
            eye.draw(data)
        return n_frames

    def collect() -> int:
        demonstrate_set(info, 0)
        return info.n_goals * (info.video_frames + info.steps)

    contestants: dict[str, Callable[[], int]] = {
        "bare mujoco.Renderer": draw_bare,
        "rendering for collection": draw_ours,
        "the same, and the hand's camera": draw_both,
        "collection, physics and experts": collect,
    }
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            frames = contestant()
            rates[name].append(frames / (time.perf_counter() - started))
    bare.close()
    camera.close()
    eye.close()
    return {name: float(np.median(values)) for name, values in rates.items()}


def bench_expert(env_name: str, seeds: int, nudge: int, workers: "Workers") -> dict[str, Any]:
    """Success of an environment's expert with its interval, and frames a CPU second of whole episodes at 64 px.

    nudge: level of `envs.nudge.FARTHEST`.  workers: what runs the episodes; see `agents.workers`.
    """
    from agents.statistics import wilson
    from demos.skills import find_skill

    strengths = {"alone": 0.0, "disturbed": find_skill(env_name).disturbance}
    blocks = [range(first, min(first + BLOCK, seeds)) for first in range(0, seeds, BLOCK)]
    jobs = [Episodes(env_name, strength, nudge, block) for strength in strengths.values() for block in blocks]
    done = list(workers(jobs))
    result: dict[str, Any] = {}
    for number, how in enumerate(strengths):
        wins = sum(each.wins for each in done[number * len(blocks) : (number + 1) * len(blocks)])
        result[how] = (wins / seeds, *wilson(wins / seeds, seeds))
    result["frames per CPU second"] = sum(each.frames for each in done) / sum(each.seconds for each in done)
    return result


class Counts(NamedTuple):
    """Of some episodes. wins: that succeeded.  frames: of all.  seconds: of the CPU."""

    wins: int
    frames: int
    seconds: float


@dataclass(frozen=True)
class Episodes:
    """An expert's episodes. strength: of what disturbs it.  nudge: level.  seeds: of each of them."""

    env_id: str
    strength: float
    nudge: int
    seeds: range

    def run(self) -> Counts:
        import gymnasium
        import numpy as np

        from demos.processes import one_thread
        from demos.record import demonstrate, shaken
        from demos.skills import find_skill
        from envs.scene import sample_scene

        one_thread()
        layout = find_skill(self.env_id).layout
        env = gymnasium.make(self.env_id, image_size=64, disable_env_checker=True)
        wins, frames, started = 0, 0, time.process_time()
        for seed in self.seeds:
            rng = np.random.default_rng(seed)
            scene = sample_scene(rng, "train", layout=layout, nudge=self.nudge)
            episode = demonstrate(env, scene, disturb=shaken(rng, self.strength))
            wins += bool(episode.success)
            frames += len(episode.images)
        seconds = time.process_time() - started
        env.close()
        return Counts(wins, frames, seconds)
