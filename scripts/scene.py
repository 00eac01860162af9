"""`daml scene`: a scene as MJCF, for MuJoCo's own viewer and for other programs."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts.common import console, env_id


@dataclass(frozen=True)
class Scene:
    """Write a scene as MJCF: scene.xml, which MuJoCo's own viewer opens, and its textures as pictures beside it.

    It is the scene that the environment's `reset(seed)` starts with; the keyframe "start" is the robot's first posture.
    """

    env: str = "reach"
    """Environment."""
    split: Literal["train", "val", "test", "test-textures", "test-shapes"] = "train"
    """Objects."""
    seed: int = 0
    """Of the scene."""
    out: Path = Path("scene")
    """New folder."""

    def run(self) -> None:
        import gymnasium

        from demos.recipe import MOST
        from envs.errors import EnvError

        if not 0 <= self.seed <= MOST["seed"]:
            raise EnvError(f"seed: got {self.seed}, allowed 0 to {MOST['seed']}")
        with closing(gymnasium.make(env_id(self.env), split=self.split, disable_env_checker=True)) as env:
            env.reset(seed=self.seed)
            path = env.unwrapped.save(self.out)  # type: ignore[attr-defined]
        console.print(f"wrote {path}", markup=False, soft_wrap=True)
        console.print(f"look at it: python -m mujoco.viewer --mjcf={path}", markup=False, soft_wrap=True)
