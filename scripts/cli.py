"""The `daml` command: one subcommand a script."""

import contextlib
import difflib
import io
import itertools
import re
import sys
from importlib.metadata import version
from typing import Annotated, Any, get_args

import tyro
from tyro.conf import subcommand

from scripts import (
    adapt,
    bench,
    collect,
    compare,
    conditions,
    dataset,
    demo,
    evaluate,
    fewshot,
    importing,
    methods,
    mil_reach,
    record,
    replay,
    report,
    runs,
    scene,
    sinusoid,
    sweep,
    teach,
    train,
)
from scripts.endings import ending, stopping
from scripts.inputs import InputError, check, inputs, is_option

Command = (
    Annotated[demo.Demo, subcommand("demo")]
    | Annotated[evaluate.Evaluate, subcommand("evaluate")]
    | Annotated[compare.Compare, subcommand("compare")]
    | Annotated[methods.Methods, subcommand("methods")]
    | Annotated[conditions.Conditions, subcommand("conditions")]
    | Annotated[report.Report, subcommand("report")]
    | Annotated[sweep.Sweep, subcommand("sweep")]
    | Annotated[teach.Teach, subcommand("teach")]
    | Annotated[adapt.Adapt, subcommand("adapt")]
    | Annotated[train.Train, subcommand("train")]
    | Annotated[collect.Collect, subcommand("collect")]
    | Annotated[importing.Import, subcommand("import")]
    | Annotated[record.Record, subcommand("record")]
    | Annotated[replay.Replay, subcommand("replay")]
    | Annotated[dataset.Dataset, subcommand("dataset")]
    | Annotated[scene.Scene, subcommand("scene")]
    | Annotated[sinusoid.Sinusoid, subcommand("sinusoid")]
    | Annotated[fewshot.Fewshot, subcommand("fewshot")]
    | Annotated[mil_reach.MilReach, subcommand("mil-reach")]
    | Annotated[bench.Bench, subcommand("bench")]
)

CONFIG = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes)
DESCRIPTION = "One-shot imitation from human video: a robot watches one video of a human, and does it too."


def main() -> None:
    """Runs a command. Bad input ends in one line on stderr and exit status 2."""
    with ending():
        words = sys.argv[1:]
        if words == ["--version"]:
            print(f"daml {version('daml')}")
            return
        command = parse(words)
        with stopping(command):
            check(command)
            modules_from_here()
            command.run()


def modules_from_here() -> None:
    """Lets a task or a preset of somebody's own be named that lies below this folder: what is installed comes first.

    Not where Python was told to keep out of it (`python -P`, PYTHONSAFEPATH).
    """
    if not sys.flags.safe_path and "" not in sys.path:
        sys.path.append("")


def parse(words: list[str]) -> Any:
    """The command that words call for; to go on with a run, its own settings are the defaults.

    Raises:
        InputError: there is no such command, option or value.
    """
    names = [hint.__metadata__[0].name for hint in get_args(Command)]
    if words and not words[0].startswith("-") and words[0] not in names:
        raise InputError(f"command: got {words[0]!r}, allowed {', '.join(names)}{near(words[0], names)}")
    command = _parse(Command, words)
    begun = runs.begun(command)
    return command if begun is None else _parse(type(command), words[1:], default=begun)


def near(word: str, words: list[str]) -> str:
    """The word that was meant, perhaps."""
    found = difflib.get_close_matches(word, words, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _parse(kind: Any, words: list[str], **options: Any) -> Any:
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            command, unknown = tyro.cli(
                kind,
                args=words,
                prog="daml",
                description=DESCRIPTION,
                config=CONFIG,
                return_unknown_args=True,
                **options,
            )
        except SystemExit as end:
            if not end.code:
                raise
            raise InputError(unboxed(said.getvalue())) from None
    if unknown:
        known = [f"--{name}" for name, hint, *_ in inputs(command) if is_option(hint)]
        raise InputError(f"option: got {unknown[0]!r}, allowed {', '.join(known)}{near(unknown[0], known)}")
    return command


def unboxed(text: str) -> str:
    """What is wrong, in the box that the parser draws around it: the lines under its title, up to the next rule."""

    def is_rule(line: str) -> bool:
        return not line.strip("─-╰╯")

    lines = [line.strip("│| ") for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()[1:]]
    return " ".join(itertools.takewhile(lambda line: not is_rule(line), itertools.dropwhile(is_rule, lines)))
