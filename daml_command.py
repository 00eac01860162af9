"""Where `daml` and `python -m daml_command` start: it looks for foreign packages under the names of ours, then runs.

A module outside the packages: `scripts` may be the foreign one, and `daml` knows nothing of commands. It imports none
of ours before it has looked.
"""

import base64
import hashlib
import sys
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution, distributions
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = ("daml", "envs", "demos", "agents", "scripts")


def main() -> None:
    """Runs `daml`, or ends with one line and exit status 2 where Python would import another's package for ours."""
    for name in OURS:
        other = elsewhere(name) or overwritten(name)
        if other:
            print(
                f"daml: error: package {name!r}: got {other}, allowed daml's own in {HERE}; "
                "take it off PYTHONPATH, or give daml an environment of its own",
                file=sys.stderr,
            )
            sys.exit(2)
    from scripts import cli

    cli.main()


def elsewhere(name: str) -> str | None:
    """The folder where Python finds a package of this name, if that is not ours."""
    spec = find_spec(name)
    folders = [Path(folder).resolve() for folder in (spec and spec.submodule_search_locations) or []]
    if folders == [HERE / name]:
        return None
    return str(folders[0]) if folders else str(spec.origin if spec else "none")


def overwritten(name: str) -> str | None:
    """The distribution that was installed over ours, if another one's `__init__.py` lies in our folder."""
    start = f"{name}/__init__.py"
    try:
        ours = _file(distribution("daml"), start)
    except PackageNotFoundError:
        return None
    # A checkout has no record of what was installed; nor does it matter to a checkout.
    if ours is None or ours.hash is None or Path(str(ours.locate())).resolve() != HERE / start:
        return None
    digest = hashlib.new(ours.hash.mode, ours.read_binary()).digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == ours.hash.value:
        return None
    others = [other.metadata["Name"] for other in distributions() if _file(other, start)]
    return next((f"{other}'s in {HERE / name}" for other in others if other != "daml"), None)


def _file(owner: Distribution, path: str) -> PackagePath | None:
    """A file that a distribution has installed."""
    return next((file for file in owner.files or [] if file.as_posix() == path), None)


if __name__ == "__main__":
    main()
