"""What this package promises about itself: it is small, and it knows nothing of robots."""

import ast
import sys
from pathlib import Path

import daml

FOLDER = Path(daml.__file__).parent
CORE = ("adapt.py", "rules.py", "losses.py", "meta_step.py")
ALLOWED = {"daml", "torch", "numpy", "safetensors", "PIL"} | set(sys.stdlib_module_names)


def trees():
    return {path: ast.parse(path.read_text()) for path in sorted(FOLDER.rglob("*.py"))}


def test_the_core_stays_under_400_lines():
    assert sum(len((FOLDER / name).read_text().splitlines()) for name in CORE) < 400


def test_no_function_is_longer_than_60_lines_without_its_docstring():
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                docstring = len((ast.get_docstring(node) or "").splitlines())
                assert node.end_lineno - node.lineno - docstring < 60, f"{path.name}: {node.name}"


def test_only_torch_numpy_pillow_safetensors_and_the_standard_library_are_imported():
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"relative import in {path.name}"
                modules = [node.module]
            else:
                continue
            assert {module.split(".")[0] for module in modules} <= ALLOWED, path.name


def test_every_public_name_exists():
    assert sorted(daml.__all__) == daml.__all__
    assert all(hasattr(daml, name) for name in daml.__all__)
