"""The commands with a task and a preset of one's own, which lie where the commands run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import LEAVES, Leaf, refused

from scripts.common import as_file, env_id

ROOT = Path(__file__).parents[2]
TASK, PRESET = "mine.circle:Circle-v0", "mine.my_loss:ends"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples in a package of their own."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(ROOT / "examples", folder / "mine", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def daml(place: Path, *words: object) -> str:
    """What a command says, as the script of that name runs it: Python does not look in the folder by itself."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from daml_command import main; main()"
    # -P keeps the folder out for us, and would keep the commands from looking there, too.
    code = "import sys; sys.path[:] = [p for p in sys.path if p]; " + code
    called = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(called, cwd=place, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "--env", "nothing_like_it:Own-v0"], "module nothing_like_it: got none that can be imported"),
        (["evaluate", "--env", "examples.circle:Square-v0"], "environment: got 'examples.circle:Square-v0', allowed"),
        (["evaluate", "--env", "Circle-v0"], "env: got 'Circle-v0', allowed ['reach', "),
        (["evaluate", "--env", "examples.circle:Circle-v0"], "policy: got examples.circle:Circle-v0"),
        (["evaluate", "--env", "examples.circle:Circle-v0", "--policy", "reach"], "policy reach: got one for reach"),
        (["train", "--preset", "examples.my_loss:begins"], "preset: got 'examples.my_loss:begins', allowed"),
        (["train", "--preset", "nothing_like_it:mine"], "module nothing_like_it: got none that can be imported"),
        (["methods", "--presets", "temporal", "examples.my_loss:begins"], "preset: got 'examples.my_loss:begins'"),
        (["teach", "--env", "push"], "env: got 'push', allowed 'reach', 'act', or one of your own"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_before_work(words, said, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    assert refused(words, tmp_path, monkeypatch, capsys).startswith(said)


@pytest.mark.parametrize(
    "leaf", [leaf for leaf in LEAVES if "env" in leaf.kind.__dataclass_fields__], ids=lambda leaf: " ".join(leaf.words)
)
def test_every_command_that_takes_an_environment_says_that_it_takes_ones_own(leaf: Leaf, capsys) -> None:  # type: ignore[no-untyped-def]
    from scripts import cli

    with pytest.raises(SystemExit):
        cli.parse([*leaf.words, "--help"])
    assert "MODULE:ID" in capsys.readouterr().out


def test_names_make_files_that_differ_where_the_names_do() -> None:
    assert as_file("pick-place") == "pick-place"
    assert as_file("a.b:ns/Own-v0") == "a.b-ns-Own-v0"
    assert env_id("examples.circle:Circle-v0") == "examples.circle:Circle-v0"


@pytest.mark.slow
def test_a_task_goes_through_every_command(place: Path) -> None:
    said = daml(place, "collect", "--env", TASK, "--sets", 2, "--clips", 2, "--size", 16, "--workers", 2)
    assert "clip:    data/mine.circle-Circle-v0/clips/set0-goal1.mp4" in said
    daml(place, "train", "--env", TASK, "--preset", PRESET, "--quick")
    run = place / "runs" / "mine.circle-Circle-v0"
    config = json.loads((run / "policy" / "config.json").read_text())
    assert (config["env"], config["preset"]) == (TASK, PRESET)
    policy = ("--env", TASK, "--policy", run)
    said = daml(place, "evaluate", *policy, "--tasks", 4, "--trials", 1, "--workers", 2)
    assert "stages: reached " in said
    for by in ("expert", "human"):
        daml(place, "record", "--env", TASK, "--by", by, "--episodes", 1, "--size", 64)
    daml(place, "record", *policy, "--by", "policy", "--episodes", 1, "--size", 64)
    assert "3 episodes" in daml(place, "dataset", "list")
    assert "3 episodes are whole" in daml(place, "dataset", "verify")
    assert "3 of 3 exact" in daml(place, "replay", "recordings")
    assert "exported 2 episodes" in daml(place, "dataset", "export")
    clip = place / "data" / "mine.circle-Circle-v0" / "clips" / "set0-goal0.mp4"
    daml(place, "adapt", *policy, "--video", clip)
    assert "success" in json.loads((place / "adapted" / "result.json").read_text())
    daml(place, "report", run, "--quick")
    daml(place, "sweep", "controls", *policy, "--quick")
    assert (place / "sweeps" / "controls-mine.circle-Circle-v0.json").exists()
    daml(place, "compare", "--a", run, "--b", run, "--env", TASK, "--tasks", 3)
    daml(place, "scene", "--env", TASK)
    daml(place, "bench", "experts", "--env", TASK, "--seeds", 2)


@pytest.mark.slow
def test_a_preset_is_compared_with_the_method(place: Path) -> None:
    said = daml(place, "methods", "--presets", "temporal", PRESET, "--seeds", 1, "--quick")
    assert f"| reach | `{PRESET}` | 1 (" in said
    assert (place / "methods" / "reach-mine.my_loss-ends-0" / "run.json").exists()
    again = daml(place, "methods", "--presets", "temporal", PRESET, "--seeds", 1, "--quick")
    assert "training" not in again or "meta-training" not in again
