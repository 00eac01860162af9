"""`daml scene`: a scene as MJCF, for MuJoCo's own viewer and for other programs."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from scripts.common import console, env_id
from scripts.inputs import Env, Folder, Seed, Split


@dataclass(frozen=True)
class Scene:
    """Write a scene as MJCF: scene.xml, which MuJoCo's own viewer opens, and its textures as pictures beside it.

    It is the scene that the environment's `reset(seed)` starts with; the keyframe "start" is the robot's first posture.
    """

    env: Env = "reach"
    split: Split = "train"
    """Objects."""
    seed: Seed = 0
    """Of the scene."""
    out: Folder = Path("scene")
    """New folder."""

    def run(self) -> None:
        import gymnasium

        with closing(gymnasium.make(env_id(self.env), split=self.split, disable_env_checker=True)) as env:
            env.reset(seed=self.seed)
            path = env.unwrapped.save(self.out)  # type: ignore[attr-defined]
        console.print(f"wrote {path}")
        console.print(f"look at it: python -m mujoco.viewer --mjcf={path}")
