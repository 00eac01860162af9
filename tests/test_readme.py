"""The README is a contract: its commands exist and take the options that it gives them."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import tyro

from scripts.cli import CONFIG, Command

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A command within prose may be broken over two lines; one in a block of its own may not.
IN_PROSE, IN_A_BLOCK = re.compile(r"`daml ([^`#]*[^`# ])"), re.compile(r"^ {4}daml ([^`\n#]*[^`\n# ])", re.M)
COMMANDS = sorted(
    {
        found.replace("\n", " ")
        for page in PAGES
        for written in (IN_PROSE, IN_A_BLOCK)
        for found in written.findall(page.read_text())
    }
)
NAMES = {hint.__metadata__[0].name for hint in get_args(Command)}


def options(line: str) -> list[str]:
    """The words of a command up to the prose behind it; of alternatives `a|b` the first."""
    return [word.split("|")[0] for word in shlex.split(re.split(r" {3,}", line)[0])]


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_parses(line: str) -> None:
    words = options(line)
    if words == ["--version"]:
        return
    if len(words) == 1:  # the name of a command, as prose speaks of it
        assert words[0] in NAMES
        return
    tyro.cli(Command, args=words, config=CONFIG, prog="daml")


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 8


def test_the_page_of_commands_has_every_command() -> None:
    page = (ROOT / "docs/commands.md").read_text()
    for name in NAMES:
        assert f"| `daml {name}" in page


def headings(page: Path) -> set[str]:
    """What a link can lead to inside a page: its headings, as they are in an address."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not heading or heading in headings(there), f"{target}#{heading}"


@pytest.mark.slow
def test_the_python_example_imitates(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "success: True\n"), done.stderr
    assert (tmp_path / "rollout.mp4").stat().st_size > 1000
