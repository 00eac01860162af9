"""Imports go one way: daml and envs know nothing of ours, demos know both, agents know demos, scripts know all.

What is outside the packages, `examples`, knows what the scripts know, and none of ours knows it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "daml": set(),
    "envs": set(),
    "demos": {"envs", "daml"},
    "agents": {"daml", "demos", "envs"},
    "scripts": {"daml", "envs", "demos", "agents"},
    "examples": {"daml", "envs", "demos", "agents"},
}
"""Package -> what of ours it may import besides itself."""
OURS = {*MAY_IMPORT, "tests", "daml_command"}


def imported(source: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, top-level name) of every import anywhere in a source text; a relative one counts as `package`'s own.

    `importlib.import_module` and `__import__` of a constant name count, too.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, package if node.level else str(node.module).split(".")[0]
        elif isinstance(node, ast.Call) and node.args:
            function, first = node.func, node.args[0]
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in ("import_module", "__import__") and isinstance(first, ast.Constant):
                yield node.lineno, str(first.value).split(".")[0]


def violations(source: str, package: str) -> list[tuple[int, str]]:
    """The imports of a source text that its package may not make."""
    forbidden = OURS - MAY_IMPORT[package] - {package}
    return [(line, name) for line, name in imported(source, package) if name in forbidden]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_one_way(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, f"{package} has no files"
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files
        for line, name in violations(path.read_text(), package)
    ]
    assert not found, f"{package} may import {sorted(MAY_IMPORT[package])}: {found}"


def test_every_package_of_the_project_has_its_place():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests"} == set(MAY_IMPORT)


def test_the_layers_have_no_cycle():
    for package, below in MAY_IMPORT.items():
        assert package not in below
        for other in below:
            assert MAY_IMPORT[other] < below, f"{package} knows {other} but not all that it knows"


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("daml", "import envs"),
        ("daml", "import torch, demos.types"),
        ("envs", "from daml import adapt"),
        ("envs", "from demos.types import Video"),
        ("demos", "import agents.presets as p"),
        ("agents", "from scripts.train import main"),
        ("agents", "import tests.envs"),
        ("agents", "from daml_command import main"),
        ("scripts", "from tests import conftest"),
        ("scripts", "import examples.circle"),
        ("examples", "from scripts.common import env_id"),
        ("envs", "def f():\n    from demos import human"),
        ("daml", "class A:\n    def f(self):\n        import envs.scene"),
        ("daml", "if TYPE_CHECKING:\n    from envs.scene import Scene"),
        ("daml", "try:\n    import envs\nexcept ImportError:\n    pass"),
        ("envs", "import importlib\nimportlib.import_module('demos.human')"),
        ("envs", "__import__('daml')"),
    ],
)
def test_a_planted_violation_is_found(package, source):
    assert len(violations(source, package)) == 1


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("daml", "import torch\nfrom daml.adapt import adapt\nfrom . import rules\nfrom .rules import x"),
        ("envs", "import mujoco\nfrom envs.scene import Scene"),
        ("demos", "from daml import Task\nimport envs.scene"),
        ("agents", "from demos.types import Video\nimport daml, envs"),
        ("scripts", "from agents import presets\nfrom demos import types\nimport daml\nimport envs"),
        ("examples", "from agents.presets import TEMPORAL\nfrom demos.skills import register_task"),
        ("daml", "import damlenvs, envsdaml"),
        ("daml", "'import envs'  # import envs"),
        ("envs", "importlib.import_module(f'mujoco.{backend}')"),
    ],
)
def test_what_is_allowed_is_let_through(package, source):
    assert violations(source, package) == []
