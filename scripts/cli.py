"""The `daml` command: one subcommand a script."""

import sys
from typing import Annotated

import tyro
from tyro.conf import subcommand

from scripts import (
    adapt,
    bench,
    collect,
    compare,
    dataset,
    demo,
    evaluate,
    fewshot,
    methods,
    record,
    replay,
    report,
    scene,
    sinusoid,
    sweep,
    teach,
    train,
)

Command = (
    Annotated[demo.Demo, subcommand("demo")]
    | Annotated[evaluate.Evaluate, subcommand("evaluate")]
    | Annotated[compare.Compare, subcommand("compare")]
    | Annotated[methods.Methods, subcommand("methods")]
    | Annotated[report.Report, subcommand("report")]
    | Annotated[sweep.Sweep, subcommand("sweep")]
    | Annotated[teach.Teach, subcommand("teach")]
    | Annotated[adapt.Adapt, subcommand("adapt")]
    | Annotated[train.Train, subcommand("train")]
    | Annotated[collect.Collect, subcommand("collect")]
    | Annotated[record.Record, subcommand("record")]
    | Annotated[replay.Replay, subcommand("replay")]
    | Annotated[dataset.Dataset, subcommand("dataset")]
    | Annotated[scene.Scene, subcommand("scene")]
    | Annotated[sinusoid.Sinusoid, subcommand("sinusoid")]
    | Annotated[fewshot.Fewshot, subcommand("fewshot")]
    | Annotated[bench.Bench, subcommand("bench")]
)


CONFIG = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes)


def main() -> None:
    """Runs a command. Bad input ends in one line on stderr and exit status 2."""
    command = tyro.cli(
        Command,
        prog="daml",
        description="One-shot imitation from human video: a robot watches one video of a human, and does it too.",
        config=CONFIG,
    )
    try:
        command.run()
    except KeyboardInterrupt:
        print("\ndaml: stopped; nothing is lost, the same command goes on (train: with --resume)", file=sys.stderr)
        sys.exit(130)
    except _errors() as error:
        print(f"daml: error: {error}", file=sys.stderr)
        sys.exit(2)


def _errors() -> tuple[type[Exception], ...]:
    """The error families of the packages; imported late, so that `--help` comes at once."""
    from agents.errors import AgentError
    from daml import DamlError
    from demos.errors import DemoError
    from envs.errors import EnvError, RenderError

    return AgentError, DamlError, DemoError, EnvError, RenderError
