"""Folders that somebody else filled: what an operating system leaves there is not part of them."""

from pathlib import Path


def visible(folder: Path, pattern: str = "*") -> list[Path]:
    """What is in a folder, sorted, without what is hidden: names that begin with a dot, such as `._a.png`.

    Args:
        folder: to look into; it may be hidden itself.
        pattern: as `Path.glob` takes it; nothing in a hidden folder is found either.
    """
    found = folder.glob(pattern)
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
