"""Minari's ids: it lists a dataset only while the id says where it lies below Minari's root, folder by folder."""

import json
from pathlib import Path

from daml.files import beside
from demos.errors import DemoError
from demos.manifest import ALLOWED, METADATA, check_sum, checksum, line, own_file, read_manifest, write_info


def minari_id(folder: Path) -> str:
    """The id of a recording in a folder: its name behind that of the folder of recordings.

    Minari takes letters, digits, "-" and "_", and two or more of them before the name: where they are too few one more
    folder comes before, and where they are others none, so that the folder of recordings itself is Minari's root.

    Raises:
        DemoError: the recording's own folder has a name that Minari takes for no dataset.
    """
    parts = folder.resolve().parts[1:]
    for number in (*range(2, len(parts) + 1), 1):
        if _is_id(found := "/".join(parts[-number:])):
            return found
    raise DemoError(
        f"{folder}: got the name {folder.name!r}, allowed NAME-vNUMBER of letters, digits, '-' and '_', or Minari "
        "fails on all that lies beside; rename the folder"
    )


def check_id(folder: Path, said: str) -> None:
    """Refuses a recording that Minari does not find where it lies, whatever Minari's root is.

    Raises:
        DemoError: says what to do.
    """
    wanted, names = minari_id(folder), said.split("/")
    if not _is_id(said) or list(folder.resolve().parts[-len(names) :]) != names:
        raise DemoError(
            f"{folder}: got the Minari id {said!r}, allowed {wanted!r}, or Minari does not list it; "
            "`daml dataset rename` gives it that one"
        )


def _is_id(text: str) -> bool:
    from minari.dataset.minari_dataset import parse_dataset_id

    try:
        parse_dataset_id(text)
    except (ValueError, TypeError):  # TypeError: without a version
        return False
    return True


def rename(folder: Path) -> bool:
    """Gives a recording the id of where it lies; it can be stopped, and begun again.

    Returns:
        Whether it had another one.

    Raises:
        DemoError: a recording that is damaged, or as in `minari_id`.
    """
    info, sums = read_manifest(folder)
    path, wanted = own_file(folder, METADATA), minari_id(folder)
    try:
        said = json.loads(path.read_text())
        before, said["dataset_id"] = said["dataset_id"], wanted
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DemoError(f"{path}: got no description ({line(error)}), allowed {ALLOWED}") from error
    with beside(path) as part:
        part.write_text(json.dumps(said))
        if (new := checksum(part)) != sums[METADATA]:  # the same: it was stopped between the two files
            check_sum(folder, METADATA, sums)
            write_info(folder, info, sums | {METADATA: new})
    return before != wanted
