"""`daml collect` puts each environment's demonstrations into a folder of its own."""

from pathlib import Path

from scripts.collect import Collect


def test_a_dataset_is_called_as_its_environment_where_nothing_else_is_said() -> None:
    assert Collect(env="push").folder == Path("data/push")
    assert Collect().folder == Path("data/reach")
    assert Collect(env="push", out=Path("elsewhere")).folder == Path("elsewhere")
