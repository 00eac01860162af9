"""Folders are read without what is hidden in them."""

from daml.folders import visible


def test_hidden_files_and_what_hidden_folders_hold_are_not_found(tmp_path):
    root = tmp_path / ".data"
    for name in ("b/2.png", "b/._2.png", "a/1.png", ".a/1.png", ".DS_Store", "a/.b/3.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    assert visible(root) == [root / "a", root / "b"]
    assert visible(root, "*/*.png") == [root / "a" / "1.png", root / "b" / "2.png"]
    assert visible(root, "*/*/*") == []
    assert visible(root / "missing") == visible(root / "a" / "1.png") == []
