"""`daml bench`: how fast the hot paths are, beside their floors. Ratios are of runs that take turns."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Annotated

from tyro.conf import subcommand

from scripts.bench_core import BenchCore
from scripts.bench_teaching import BenchTeaching
from scripts.common import console, env_id, machine


@dataclass(frozen=True)
class BenchRender:
    """Drawing for collection, and whole demonstrations with physics and experts, in frames a second.

    They take turns with a bare mujoco.Renderer loop on the same scene, in one process on one core.
    """

    env: str = "reach"
    """Environment."""
    size: int = 64
    """Side of the frames [px]."""
    rounds: int = 7
    """Times that the contestants take turns; medians are reported."""
    json: Path | None = None
    """Write the result here."""

    def run(self) -> None:
        from agents.errors import AgentError
        from agents.policies import write_text

        if self.rounds < 1:
            raise AgentError(f"rounds: got {self.rounds}, allowed 1 or more")
        result = bench_render(env_id(self.env), self.size, self.rounds)
        console.print(f"{self.size} x {self.size} px, one process, {machine()}")
        for name, rate in result.items():
            console.print(f"{name:34s} {rate:8.0f} frames/s {100 * rate / result['bare mujoco.Renderer']:5.0f} %")
        if self.json:
            self.json.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.json, dumps({"machine": machine(), "size": self.size} | result, indent=2) + "\n")


@dataclass(frozen=True)
class Bench:
    """Measure the hot paths, each beside its floor or its peers."""

    what: (
        Annotated[BenchRender, subcommand("render")]
        | Annotated[BenchCore, subcommand("core")]
        | Annotated[BenchTeaching, subcommand("teaching")]
    )

    def run(self) -> None:
        self.what.run()


def bench_render(env_name: str, size: int, rounds: int) -> dict[str, float]:
    """Median frames a second of a bare renderer, of ours, and of a collected set."""
    os.environ.setdefault("MUJOCO_GL", "egl")  # for the bare one; read when mujoco is imported
    import mujoco
    import numpy as np

    from demos.collect import STEPS, demonstrate_set, one_thread
    from demos.human import VIDEO_FPS, VIDEO_TIME
    from demos.storage import DatasetInfo
    from demos.tasks import N_OBJECTS, sample_task_set
    from envs.appearance import CAMERA
    from envs.render import Camera
    from envs.robot import HOME, N_JOINTS
    from envs.scene import robot_model

    one_thread()
    n_frames = 300
    video_frames = round(VIDEO_TIME * VIDEO_FPS)
    info = DatasetInfo(env_name, "train", 0, 1, N_OBJECTS, video_frames, STEPS, size)
    model = robot_model(sample_task_set(0, "train", 0).robot_scenes[0])
    data = mujoco.MjData(model)
    data.qpos[:N_JOINTS] = HOME
    mujoco.mj_forward(model, data)
    camera = Camera(model, CAMERA, size, size)
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

    def collect() -> int:
        demonstrate_set(info, 0)
        return N_OBJECTS * (video_frames + STEPS)

    contestants: dict[str, Callable[[], int]] = {
        "bare mujoco.Renderer": draw_bare,
        "rendering for collection": draw_ours,
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
    return {name: float(np.median(values)) for name, values in rates.items()}
