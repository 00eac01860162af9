"""Every number and every place that a command is given is checked before work, with one line for what is wrong."""

import dataclasses
import math
import re
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from command_line import LEAVES, Leaf, refused

from demos import combinations
from envs.objects import ALL_SPLITS
from envs.render import MAX_SIZE
from scripts import cli
from scripts.inputs import File, InputError, Pairs, Side, Split, Within, Writable, check, rules

OUTPUTS = ("out", "json", "sheet", "demos")
"""What the options are called that say where to write."""


def kinds(hint: Any) -> set[type]:
    """All types in a type."""
    parts = {kind for part in get_args(hint) for kind in kinds(part)}
    return parts | ({hint} if isinstance(hint, type) else set())


def options(*of: type) -> list[tuple[Leaf, str, Any]]:
    """(command, field, annotated type) of every field with a value of these types."""
    found = [(leaf, *item) for leaf in LEAVES for item in get_type_hints(leaf.kind, include_extras=True).items()]
    fields = {leaf.kind: {field.name for field in dataclasses.fields(leaf.kind)} for leaf in LEAVES}
    return [(leaf, name, hint) for leaf, name, hint in found if name in fields[leaf.kind] and kinds(hint) & set(of)]


NUMBERS, PLACES = options(int, float), [option for option in options(Path) if option[1] in OUTPUTS]


def name_of(value: Any) -> str:
    return " ".join(value.words[:2]) if isinstance(value, Leaf) else value if isinstance(value, str) else ""


def outside(hint: Any) -> list[float]:
    """Numbers that a type does not take."""
    (rule,) = rules(hint)
    one = 0 if rule.between else 1
    bad = [rule.low - one] + ([rule.high + one] if rule.high < math.inf else [])
    return bad + ([math.nan, math.inf, -math.inf] if float in kinds(hint) else [])


def innermost(command: Any) -> Any:
    """The command inside of a command of several."""
    inside = [
        value for each in dataclasses.fields(command) if dataclasses.is_dataclass(value := getattr(command, each.name))
    ]
    return innermost(inside[0]) if inside else command


def words_for(leaf: Leaf, name: str, value: Any) -> list[str]:
    return [*leaf.words, f"--{name.replace('_', '-')}={value}"]


def test_there_are_commands_numbers_and_places_to_check() -> None:
    assert len(LEAVES) > 18
    assert len(NUMBERS) > 60
    assert len(PLACES) > 15


@pytest.mark.parametrize(("leaf", "name", "hint"), NUMBERS, ids=name_of)
def test_every_number_of_every_command_has_a_range_and_is_refused_outside(leaf: Leaf, name: str, hint: Any) -> None:
    assert [rule for rule in rules(hint) if isinstance(rule, Within)], "a number that takes anything"
    for value in outside(hint):
        command = cli.parse(words_for(leaf, name, value))
        with pytest.raises(InputError, match=f"^{name.replace('_', '-')}: got .*, allowed "):
            check(command)


@pytest.mark.parametrize(("leaf", "name", "hint"), [n for n in NUMBERS if n[1] == "seed"], ids=name_of)
def test_every_seed_goes_from_nought_to_the_largest_that_torch_takes(leaf: Leaf, name: str, hint: Any) -> None:
    for value in (0, 2**63 - 1):
        check(cli.parse(words_for(leaf, name, value)))
    for value in (-1, 2**63, 10**30):
        with pytest.raises(InputError, match=f"^seed: got {value}, allowed 0 to 9223372036854775807$"):
            check(cli.parse(words_for(leaf, name, value)))


@pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
def test_the_defaults_are_allowed(leaf: Leaf) -> None:
    check(cli.parse(leaf.words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "--seed", -1], "seed: got -1, allowed 0 to 9223372036854775807"),
        (["train", "--steps", 0], "steps: got 0, allowed 1 or more"),
        (["fewshot", "--ways", 1], "ways: got 1, allowed 2 or more"),
        (["fewshot", "--shots", 0], "shots: got 0, allowed 1 or more"),
        (["fewshot", "--episodes", 0], "episodes: got 0, allowed 1 or more"),
        (["sinusoid", "--points", 0], "points: got 0, allowed 1 or more"),
        (["sinusoid", "--hidden", 0], "hidden: got 0, allowed 1 or more"),
        (["sinusoid", "--rate", 1], "rate: got 1.0, allowed more than 0 and less than 1"),
        (["teach", "--port", 99999999], "port: got 99999999, allowed 0 to 65535"),
        (["bench", "core", "--tasks", 4, 0], "tasks: got 0, allowed 1 or more"),
        (["collect", "--clip-fps", "nan"], "clip-fps: got nan, allowed 1 to 1000"),
        (["evaluate", "--policy", "push", "--env", "reach"], "policy push: got one for push, allowed one for reach"),
        (["compare", "--a", "reach", "--b", "place"], "policy place: got one for place, allowed one for reach"),
        (["report", "reach", "nowhere"], "policy: got nowhere"),
        (["sinusoid", "--method", "pretrain", "--rule", "lstm"], "rule: got lstm with --method pretrain, allowed grad"),
        (["methods", "--presets"], "presets: got none, allowed one or more"),
        (["compare", "--a", "--b", "reach"], "a: got none, allowed one or more"),
        (["compare", "--a", "reach", "--b", "reach", "--video", "mirror"], "video: got 'mirror', allowed ['human'"),
        (["evaluate", "--policy", "./mine:watch"], "'./mine': got no name of a module, allowed MODULE:NAME"),
        (["evaluate", "--policy", ":watch"], "'': got no name of a module, allowed MODULE:NAME"),
        (["record", "--policy", "runs/mine"], "policy: got runs/mine with --by expert, allowed with --by policy"),
        (["record", "--by", "human", "--trial", 3], "trial: got it with --by human, allowed for a robot"),
        (["train", "--data", "nowhere", "--sets", 50], "sets: got it with --data, where it does nothing"),
        (["train", "--env", "none", "--eval-tasks", 5], "eval-tasks: got it with --env none, where it does nothing"),
        (["evaluate", "--pairs", "seen"], "pairs: got 'seen', allowed 'all' in daml/Reach-v0"),
        (["evaluate", "--data", "nowhere", "--pairs", "seen"], "pairs: got it with --data, allowed --policy, --seed"),
        (["train", "--pairs", "seen"], "pairs: got 'seen', allowed 'all' in daml/Reach-v0"),
        (["train", "--env", "act", "--pairs", "seen", "--preset", "paper"], "tasks in a meta-batch: got 15, allowed a"),
        (["fewshot", "--shots", 6], "images for episodes: got 400 classes of at least 20 images; allowed: 5 classes"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_bad_values_are_named_before_work(words, said, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    assert refused(words, tmp_path, monkeypatch, capsys).startswith(said)


@pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
def test_where_there_should_be_several_there_is_one(leaf: Leaf) -> None:
    command = innermost(cli.parse(leaf.words))
    for each in dataclasses.fields(command):
        if isinstance(value := getattr(command, each.name), tuple) and each.default != ():
            assert value
            with pytest.raises(InputError, match=f"^{each.name.replace('_', '-')}: got none, allowed one or more$"):
                check(dataclasses.replace(command, **{each.name: ()}))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "--taks", "3"], r"option: got '--taks', allowed --env, .*; did you mean --tasks\?"),
        (["train", "--step", "3"], r"option: got '--step', .*; did you mean --steps\?"),
        (["evalute"], r"command: got 'evalute', allowed demo, .*; did you mean evaluate\?"),
        (["evaluate", "--tasks", "x"], r"Error parsing --tasks: invalid literal .* 'x'"),
        (["sinusoid", "--rule", "none"], r"invalid choice 'none' for argument '--rule'. .*gradient.*lstm.*"),
        (["evaluate", "--seed"], r"Missing value for argument '--seed'.*"),
        (["adapt"], r"Missing from daml adapt: --video PATH .*"),
        (
            ["sweep", "gaps", "--taks", "3"],
            r"option: got '--taks', allowed --env, .*; did you mean --tasks\?",
        ),
        (
            ["report", "reach", "--polices", "x"],
            r"option: got '--polices', allowed --tasks, --seed, --out, --on, --quick",
        ),
        (["collect", "--split", "foo"], r"invalid choice 'foo' for argument '--split'. .*'test-shapes'.*"),
        ([], r"Expected one of {demo, .*"),
        (["evaluate", "--policy", "[/b]\033[1m\n"], r"policy: got \[/b\]\?\[1m .*"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_cannot_be_parsed_is_one_line_with_the_near_one(words, said, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    assert re.fullmatch(said, refused(words, tmp_path, monkeypatch, capsys))


def test_every_place_to_write_is_known_as_one() -> None:
    for leaf, name, hint in options(Path):
        found = [rule for rule in rules(hint) if isinstance(rule, Writable)]
        assert len(found) == (name in OUTPUTS), f"{leaf.words}: {name}"


@pytest.mark.parametrize(("leaf", "name", "hint"), PLACES, ids=name_of)
@pytest.mark.parametrize("kind", ["something else", "below a file", "/proc"])
def test_every_place_is_tried_before_work(leaf, name, hint, kind, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    (rule,) = rules(hint)
    place = tmp_path / "there"
    if kind == "/proc":
        place = Path("/proc/nowhere/out")
    elif kind == "something else" and rule.what == "file":
        place.mkdir()
    else:
        place.write_text("precious")
        place = place if kind == "something else" else place / "in" / "it"
    said = refused(words_for(leaf, name, place), tmp_path, monkeypatch, capsys)
    assert said.startswith(f"{name}: got {place}")
    assert f"allowed a {rule.what}" in said


def test_trying_a_place_leaves_no_trace(tmp_path: Path) -> None:
    Writable("folder").check("out", tmp_path / "a" / "b")
    Writable("file").check("json", tmp_path / "c" / "d.json")
    assert not list(tmp_path.iterdir())
    (tmp_path / "d.json").write_text("old")
    Writable("file").check("json", tmp_path / "d.json")
    assert (tmp_path / "d.json").read_text() == "old"


def test_objects_are_those_that_there_are() -> None:
    assert get_args(Split) == ALL_SPLITS
    assert get_args(Pairs) == get_args(combinations.Pairs)


def test_pictures_are_no_larger_than_the_renderer_draws() -> None:
    (rule,) = rules(Side)
    assert (rule.low, rule.high) == (8, MAX_SIZE)
    assert [rule.what for rule in rules(File | None)] == ["file"]


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if "on" in get_type_hints(leaf.kind)], ids=name_of)
def test_ray_is_named_where_it_is_asked_for_and_is_not_there(leaf: Leaf, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(sys.modules, "ray", None)
    said = refused([*leaf.words, "--on", "ray"], tmp_path, monkeypatch, capsys)
    assert said == "library ray: got none, allowed an installed one: pip install 'daml[ray]'"


@pytest.mark.parametrize("command", ["collect", "evaluate"])
def test_processes_are_counted_where_there_are_some(command: str, tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    said = refused([command, "--on", "here", "--workers", "2"], tmp_path, monkeypatch, capsys)
    assert said == "workers: got 2 on here, allowed none there; only processes are counted"
