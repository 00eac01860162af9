"""What is installed: a wheel holds all that the commands need; a foreign package under one of our names is named."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daml_command import OURS

ROOT = Path(__file__).parents[1]
INSTALLED = ("-c", "from daml_command import main; main()")
"""As the installed command starts."""


def daml(
    folder: Path, path: list[Path], *words: object, start: tuple[str, ...] = INSTALLED
) -> subprocess.CompletedProcess:
    """The command, outside the checkout, with these folders searched first for packages."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, *start, *map(str, words)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def sources() -> Iterator[Path]:
    """What a wheel has to hold, relative to the checkout."""
    files = [
        Path("daml_command.py"),
        *(path.relative_to(ROOT) for name in OURS for path in (ROOT / name).rglob("*.py")),
    ]
    yield from files
    yield from (path.relative_to(ROOT) for path in (ROOT / "agents/bundled").rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: what an earlier build left in the checkout would be packed, too."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in OURS:
        shutil.copytree(ROOT / name, folder / "copy" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("daml_command.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "copy")
    pip(["wheel", "--no-deps", "--wheel-dir", folder, folder / "copy"])
    (built,) = folder.glob("daml-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the wheel was installed; what it needs is in the environment already."""
    folder = tmp_path_factory.mktemp("installed")
    pip(["install", "--no-deps", "--no-index", "--target", folder, wheel])
    return folder


def pip(words: list[str | Path]) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "--quiet", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_the_policies_in_the_box(wheel: Path) -> None:
    packed = {Path(name) for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == set(sources())
    assert {path.name for path in packed} >= {"config.json", "README.md"}


@pytest.mark.slow
def test_a_wheel_says_its_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
    (licence,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/LICENSE"))
    assert "License-Expression: MIT\n" in metadata
    assert "Project-URL: Paper, https://arxiv.org/abs/1802.01557\n" in metadata
    assert licence == (ROOT / "LICENSE").read_text()


def test_metadata_citation_and_changelog_name_one_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M) == [version]
    assert re.findall(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.M)[0] == version


@pytest.mark.slow
def test_the_demo_runs_from_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    done = daml(tmp_path, [installed], "demo", "--quick", "--out", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "demo").glob("*.mp4"))


@pytest.mark.slow
def test_a_package_installed_over_ours_is_named(installed: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    shutil.copytree(installed, both)
    record = both / "other_agents-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: other-agents\nVersion: 1.0\n")
    (record / "RECORD").write_text("agents/__init__.py,,\n")
    assert daml(tmp_path, [both], "--help").returncode == 0, "it was installed first: ours lies over it"
    (both / "agents/__init__.py").write_text("import other_library\n")
    done = daml(tmp_path, [both], "demo", "--quick")
    assert done.returncode == 2
    assert done.stderr.startswith(f"daml: error: package 'agents': got other-agents's in {both / 'agents'}, allowed ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    ("form", "start"), [("package", INSTALLED), ("module", INSTALLED), ("package", ("-m", "daml_command"))], ids=str
)
def test_a_foreign_package_found_first_is_named(tmp_path: Path, name: str, form: str, start: tuple[str, ...]) -> None:
    place = tmp_path / (f"{name}/__init__.py" if form == "package" else f"{name}.py")
    place.parent.mkdir(exist_ok=True)
    place.write_text("import openai\n")
    done = daml(tmp_path / "..", [tmp_path, ROOT], "demo", "--quick", start=start)
    found = place.parent if form == "package" else place
    assert done.returncode == 2
    assert done.stderr.startswith(f"daml: error: package '{name}': got {found}, allowed daml's own in {ROOT}; ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", OURS)
def test_a_folder_that_is_no_package_does_no_harm(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    done = daml(tmp_path / "..", [tmp_path, ROOT], "--help")
    assert done.returncode == 0, done.stderr
    assert "one video of a human" in done.stdout
