"""The README is a contract: its commands exist and take the options that it gives them."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import tyro

from scripts.cli import CONFIG, Command

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = sorted(
    {found for page in PAGES for found in re.findall(r"(?:`|^ {4})daml ([^`\n#]*[^`\n# ])", page.read_text(), re.M)}
)


def options(line: str) -> list[str]:
    """The words of a command up to the prose behind it; of alternatives `a|b` the first."""
    return [word.split("|")[0] for word in shlex.split(re.split(r" {3,}", line)[0])]


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_parses(line: str) -> None:
    words = options(line)
    if words in (["bench"], ["--version"]):
        return
    tyro.cli(Command, args=words, config=CONFIG, prog="daml")


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_python_example_imports_what_exists() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    imports = [node for node in ast.parse(example).body if isinstance(node, ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "README", "exec"), {})
    assert len(imports) >= 4
