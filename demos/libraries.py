"""Libraries that are needed for some things alone, and are not installed with everything else."""

import importlib
from typing import Any

from demos.errors import DemoError


def library(name: str, extra: str = "import") -> Any:
    """Imports a library. extra: that it is installed with.

    Raises:
        DemoError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise DemoError(
            f"library {name.partition('.')[0]}: got none, allowed an installed one: pip install 'daml[{extra}]'"
        ) from error
