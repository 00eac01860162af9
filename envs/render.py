"""Offscreen rendering: one OpenGL context a thread, a light one a model.

`mujoco.Renderer` makes a new OpenGL context for every model (over 0.1 s). Scenes here are many and small, so the OpenGL
context is kept for the thread and only MuJoCo's own context (a few ms) is made anew.
"""

import importlib
import os
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import mujoco
import numpy as np

from envs.errors import RenderError

MAX_SIZE = 1280
"""Largest image side [px]."""

DEBIAN_PACKAGES = "libegl1 libgl1-mesa-dri libopengl0"


_thread = threading.local()
_rendered_in: set[int] = set()
"""Of this process and those that it was forked from, the ones that have made a context."""


def _opengl() -> Any:
    """The thread's own OpenGL context; in no two threads may one be current."""
    _refuse_in_fork()
    if not hasattr(_thread, "context"):
        _thread.context = _new_opengl()
    return _thread.context


def _new_opengl() -> Any:
    """A current OpenGL context: MUJOCO_GL's backend when it is set, else EGL, else OSMesa."""
    wanted = os.environ.get("MUJOCO_GL", "").lower()
    backends = [wanted] if wanted in ("egl", "osmesa", "glfw") else ["egl", "osmesa"]
    _load_triton()
    failures = []
    for backend in backends:
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                context = importlib.import_module(f"mujoco.{backend}").GLContext(MAX_SIZE, MAX_SIZE)
                context.make_current()
            # GLFW tells its errors as warnings; others' warnings mean no harm.
            if errors := [each.message for each in said if each.category.__name__ == "GLFWError"]:
                raise RenderError(str(errors[0]))
            _rendered_in.add(os.getpid())
            return context
        except Exception as error:
            failures.append(f"{backend}: {error or type(error).__name__}")
    raise RenderError(
        f"no offscreen OpenGL ({'; '.join(failures)}); on Debian or Ubuntu: apt-get install {DEBIAN_PACKAGES}"
    )


def _load_triton() -> None:
    """Loads Triton, if it is installed: PyTorch from PyPI brings it, the CPU build does not.

    Triton and Mesa's software renderer each bring an LLVM. Loaded after Mesa's, Triton's ends the process in a
    segmentation fault; loaded before, both work. PyTorch loads it late, with the first optimiser or `torch.func.grad`.
    """
    with suppress(ImportError):
        importlib.import_module("triton")


def _refuse_in_fork() -> None:
    """OpenGL waits for ever in a fork: the renderer's threads stayed behind.

    Raises:
        RenderError: this is a fork of a process that had rendered.
    """
    if _rendered_in - {os.getpid()}:
        raise RenderError(
            "process: got a fork of one that has rendered, allowed a new one; "
            'pass context="spawn" (AsyncVectorEnv, make_vec) or use multiprocessing.get_context("spawn")'
        )


class Camera:
    """Draws one model through one fixed camera, in the thread that made it."""

    def __init__(
        self,
        model: mujoco.MjModel,
        camera: str,
        height: int,
        width: int,
        near: float | None = None,
        hidden: Sequence[int] = (),
    ) -> None:
        """
        Args:
            model: what to draw; its offscreen size is set to the image's.
            camera: name of a camera of the model.
            height, width: of the image [px].
            near: what is nearer to the camera is not drawn [m]; as the model says when None.
            hidden: groups of geoms that are not drawn.

        Raises:
            RenderError: no OpenGL context, a fork of a process that had rendered, or too large an image.
        """
        if not (0 < height <= MAX_SIZE and 0 < width <= MAX_SIZE):
            raise RenderError(f"image size: got {height} x {width}, allowed 1 to {MAX_SIZE} px a side")
        self._opengl = _opengl()
        self._opengl.make_current()
        self._model = model
        self._near = model.vis.map.znear if near is None else near / model.stat.extent
        # The offscreen buffer is cleared for every image: no larger than needed.
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        self._scene = mujoco.MjvScene(model, maxgeom=200)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = 0
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view.fixedcamid = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        self._option = mujoco.MjvOption()
        self._option.geomgroup[list(hidden)] = 0
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), np.uint8)

    def segment(self, data: mujoco.MjData) -> np.ndarray:
        """The body that is seen at every pixel: int [height, width], ids of the model, -1 for none.

        Raises:
            RenderError: in a fork of the process that made the camera.
        """
        flags = (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR)
        for flag in flags:
            self._scene.flags[flag] = 1
        colours = self.draw(data).astype(int)
        for flag in flags:
            self._scene.flags[flag] = 0
        # A pixel is 1 + the number of the drawn geom, red the lowest byte; 0 is the background.
        drawn = self._scene.geoms[: self._scene.ngeom]
        bodies = [self._model.geom_bodyid[g.objid] if g.objtype == mujoco.mjtObj.mjOBJ_GEOM else -1 for g in drawn]
        return np.array([-1, *bodies])[colours @ [1, 2**8, 2**16]]

    def draw(self, data: mujoco.MjData) -> np.ndarray:
        """A new image, uint8 [height, width, 3], of the model's present state.

        Raises:
            RenderError: in a fork of the process that made the camera.
        """
        _refuse_in_fork()
        self._model.vis.map.znear = self._near  # another camera of the same model may have another
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, self._view, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene
        )
        # Every time: another camera, or another OpenGL user of the thread, may have drawn in between.
        self._opengl.make_current()
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        mujoco.mjr_render(self._rect, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._rect, self._context)
        return self._pixels[::-1].copy()  # OpenGL's rows run upwards

    def close(self) -> None:
        """Frees the model's textures and meshes."""
        if self._context is not None:
            self._opengl.make_current()  # else it would free another context's textures
            self._context.free()
            self._context = None
