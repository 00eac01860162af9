"""Rendering beside what else a process does: forks, vector environments, Triton. Each case in a process of its own."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFUSED = "RenderError process: got a fork of one that has rendered, allowed a new one"

ASYNC = """if True:
    import sys, gymnasium, envs
    from envs.errors import RenderError
    alone = gymnasium.make("daml/Reach-v0")
    expected, _ = alone.reset(seed=3)
    vector = gymnasium.make_vec(
        "daml/Reach-v0", num_envs=2, vectorization_mode="async", vector_kwargs={"context": sys.argv[1]}
    )
    try:
        vector.reset_async(seed=[3, 4])
        observation, _ = vector.reset_wait(timeout=30)
        print("same image", (observation["image"][0] == expected["image"]).all())
    except RenderError as error:
        print("RenderError", error)
    vector.close()
    alone.reset()
    print("the parent renders on")
"""
INHERITED = """if True:
    import multiprocessing, gymnasium, envs
    from envs.errors import RenderError
    env = gymnasium.make("daml/Reach-v0")
    env.reset(seed=0)
    def child():
        for act in (lambda: env.step(env.action_space.sample()), env.reset):
            try:
                act()
            except RenderError as error:
                print("RenderError", error, flush=True)
        env.close()
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    print("exit", process.exitcode)
    process.kill()
"""
FIRST_IN_FORK = """if True:
    import gymnasium, envs
    vector = gymnasium.make_vec(
        "daml/Reach-v0", num_envs=2, vectorization_mode="async", vector_kwargs={"context": "fork"}
    )
    print(vector.reset(seed=0)[0]["image"].shape)
    vector.close()
"""
FIRST_RENDER = """if True:
    import mujoco
    from envs.render import Camera
    model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><camera name='c'/></worldbody></mujoco>")
    print("before")
    Camera(model, "c", 8, 8)
    print("after")
"""
IMPORT = """if True:
    import os, sys
    os.environ |= {"MUJOCO_GL": word for word in sys.argv[1:]}
    try:
        import envs
    except Exception as error:
        print(type(error).__name__, error)
"""
WARNS = """if True:
    import os, sys, types, warnings
    import mujoco
    from envs import render
    kind = UserWarning if sys.argv[1] == "UserWarning" else type(sys.argv[1], (UserWarning,), {})
    class GLContext:
        def __init__(self, width, height):
            warnings.warn("broken", kind)
        def make_current(self):
            pass
    sys.modules["mujoco.glfw"] = types.SimpleNamespace(GLContext=GLContext)
    os.environ["MUJOCO_GL"] = "glfw"
    try:
        render._opengl()
        print("made")
    except render.RenderError as error:
        print(error)
"""
TRITON = """import sys
print("triton", {"mujoco.egl", "mujoco.osmesa"} & set(sys.modules))
"""
GRADIENT = """if True:
    import sys, mujoco
    from envs.render import Camera
    model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><camera name='c'/></worldbody></mujoco>")
    Camera(model, "c", 8, 8).draw(mujoco.MjData(model))
    assert "torch" not in sys.modules
    import torch
    print(torch.func.grad(torch.sum)(torch.zeros(1)))
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]).step()
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="Triton is not installed (PyTorch's CPU build); scripts/stock_smoke.sh runs this with it",
)


def run(program: str, *words: str, path: Path = ROOT) -> subprocess.CompletedProcess:
    """A program in a process of its own, which may hang for a minute and no longer. path: of modules to find first."""
    environment = {name: value for name, value in os.environ.items() if name != "MUJOCO_GL"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (path, ROOT)))
    command = [sys.executable, "-W", "ignore", "-c", program, *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@needs_fork
def test_a_forked_vector_environment_is_refused_after_a_render() -> None:
    done = run(ASYNC, "fork")
    assert REFUSED in done.stdout, done.stderr
    assert 'context="spawn"' in done.stdout
    assert done.stdout.endswith("the parent renders on\n"), done.stderr


def test_a_spawned_vector_environment_renders_the_same() -> None:
    done = run(ASYNC, "spawn")
    assert done.stdout == "same image True\nthe parent renders on\n", done.stderr


@needs_fork
def test_a_forked_vector_environment_renders_if_nothing_else_has() -> None:
    done = run(FIRST_IN_FORK)
    assert done.stdout == "(2, 64, 64, 3)\n", done.stderr


@needs_fork
def test_a_camera_taken_into_a_fork_is_refused() -> None:
    done = run(INHERITED)
    assert done.stdout.count(REFUSED) == 2, done.stderr
    assert done.stdout.endswith("exit 0\n"), done.stderr


def test_triton_is_loaded_before_the_first_context(tmp_path: Path) -> None:
    (tmp_path / "triton.py").write_text(TRITON)
    done = run(FIRST_RENDER, path=tmp_path)
    assert done.stdout == "before\ntriton set()\nafter\n", done.stderr


@pytest.mark.parametrize(
    ("gl", "fault", "said"),
    [
        ("egl", "AttributeError", "RenderError MUJOCO_GL: got 'egl' (broken), allowed 'egl', 'osmesa' or 'glfw'"),
        ("egl", "ImportError", "ImportError broken"),
        (None, "AttributeError", "AttributeError broken"),
    ],
)
def test_only_what_the_chosen_backend_does_is_laid_to_it(gl: str | None, fault: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mujoco.py").write_text(f"raise {fault}('broken')\n")
    done = run(IMPORT, *([gl] if gl else []), path=tmp_path)
    assert done.stdout.startswith(said), done.stderr


@pytest.mark.parametrize(
    ("name", "said"), [("UserWarning", "made"), ("GLFWError", "no offscreen OpenGL (glfw: broken)")]
)
def test_a_warning_is_an_error_only_of_glfw(name: str, said: str) -> None:
    done = run(WARNS, name)
    assert done.stdout.startswith(said), done.stderr


@needs_triton
def test_gradients_and_optimisers_work_after_a_render() -> None:
    done = run(GRADIENT)
    assert (done.returncode, done.stdout) == (0, "tensor([1.])\n"), done.stderr
