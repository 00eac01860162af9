"""Scenes in the form of MIL's, for tests: written into archives, or folders."""

import io
import tarfile
from pathlib import Path

import numpy as np

ARM = """
<mujoco model="arm">
  <compiler inertiafromgeom="true" angle="radian"/>
  <default>
    <joint armature="1" damping="1" limited="true" type="hinge" axis="0 0 1"/>
    <geom contype="0" conaffinity="0"/>
  </default>
  <option integrator="RK4" timestep="0.01"/>
  <worldbody>
    <body name="body0" pos="0 0 .01">
      <geom type="capsule" fromto="0 0 0 .1 0 0" size=".01" rgba="0 .4 .6 1"/>
      <joint name="joint0" range="-3.14 3.14"/>
      <body name="body1" pos=".1 0 0">
        <geom type="capsule" fromto="0 0 0 .1 0 0" size=".01" rgba="0 .4 .6 1"/>
        <joint name="joint1" range="-3 3"/>
        <body name="fingertip" pos=".11 0 0"><geom type="sphere" size=".01" rgba="0 1 0 1"/></body>
      </body>
    </body>
    {boxes}
  </worldbody>
  <actuator>
    <motor joint="joint0" ctrlrange="-1 1" ctrllimited="true" gear="200"/>
    <motor joint="joint1" ctrlrange="-1 1" ctrllimited="true" gear="200"/>
  </actuator>
</mujoco>
"""
BOX = '<body name="{name}" pos="{pos}"><geom type="box" size=".03 .03 .03" density="0.00001" rgba="{rgba}"/></body>'
NAMES = ("target", "cube_0", "cube_1")


def texts(n_sets: int, n_conditions: int, seed: int = 0) -> dict[str, str]:
    """Name -> text of all scenes of a split."""
    rng = np.random.default_rng(seed)
    found = {}
    for number in range(n_sets):
        colours = np.c_[rng.uniform(0.1, 1, (3, 3)), np.ones(3)]
        for condition in range(n_conditions):
            angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi / 3 * np.arange(3)
            places = np.c_[rng.uniform(0.1, 0.2, (3, 1)) * np.c_[np.cos(angles), np.sin(angles)], np.full(3, 0.01)]
            for goal in range(3):
                order = [goal, *(other for other in range(3) if other != goal)]
                boxes = "".join(
                    BOX.format(name=name, pos=words(places[box]), rgba=words(colours[box]))
                    for name, box in zip(NAMES, order, strict=True)
                )
                found[f"task_{3 * number + goal}_cond_{condition}.xml"] = ARM.format(boxes=boxes)
    return found


def words(numbers: np.ndarray) -> str:
    """Numbers as MJCF has them."""
    return " ".join(map(str, numbers.tolist()))


def write_archives(root: Path, n_sets: int = 2, n_conditions: int = 2) -> Path:
    """Both splits as archives in a folder."""
    for seed, split in enumerate(("train", "test")):
        write_archive(root, split, texts(n_sets, n_conditions, seed))
    return root


def write_archive(root: Path, split: str, files: dict[str, str]) -> None:
    """One split as an archive."""
    with tarfile.open(root / f"{split}.tar.xz", "w:xz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"sim_vision_reach_{split}_xmls/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
