"""Modules by name: a mistake is one line, and code comes from nowhere but where Python itself looks."""

import sys

import pytest

from daml import ModuleError
from daml.modules import import_named, split_name


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder where Python looks, forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path, code):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)


def test_a_name_has_a_module_or_none():
    assert split_name("a.b:ns/Name-v0") == ("a.b", "ns/Name-v0")
    assert split_name("ns/Name-v0") == ("", "ns/Name-v0")


def test_a_module_is_imported_once(here):
    write(here / "one_of_mine.py", "ran = []")
    import_named("one_of_mine").ran.append(1)
    assert import_named("one_of_mine").ran == [1]


def test_a_module_in_a_package_is_the_one_that_is_named(here):
    write(here / "box_of_mine" / "__init__.py", "what = 'package'")
    write(here / "box_of_mine" / "part.py", "what = 'part'")
    assert import_named("box_of_mine.part").what == "part"


@pytest.mark.parametrize(
    ("name", "code", "what"),
    [
        ("none_of_mine", None, "ModuleNotFoundError: No module named 'none_of_mine'"),
        ("sys.none_of_mine", None, "'sys' is not a package"),
        ("bad_of_mine", "import nothing_like_it", "No module named 'nothing_like_it'"),
        ("bad_of_mine", "from sys import nothing_like_it", "ImportError: cannot import name 'nothing_like_it'"),
        ("bad_of_mine", "def\n", r"SyntaxError: invalid syntax \(bad_of_mine.py, line 1\)"),
    ],
)
def test_what_cannot_be_imported_is_one_line(here, name, code, what):
    if code is not None:
        write(here / "bad_of_mine.py", code)
    with pytest.raises(ModuleError, match=f"^module {name}: got none that can be imported .*{what}") as caught:
        import_named(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "..up", "a-b", "a b", "a.", "../a", "/tmp/a", "a.py/b"])
def test_what_is_no_name_is_an_error(name):
    with pytest.raises(ModuleError, match=r"^module: got .*; allowed: a name as `import` takes it"):
        import_named(name)


def test_a_fault_in_a_module_keeps_its_traceback(here):
    write(here / "faulty_of_mine.py", "1 / 0")
    with pytest.raises(ZeroDivisionError):
        import_named("faulty_of_mine")


EVIL = "import pathlib; pathlib.Path(r'{0}').touch()"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("given/evil_one.py", "evil_one"),
        ("given/evil_two/__init__.py", "evil_two.part"),
        ("given/evil_three/part.py", "evil_three.part"),
        ("given/deep/down/evil_four.py", "given.deep.down.evil_four"),
        ("given/__init__.py", "given.part"),
    ],
)
def test_nothing_runs_that_lies_in_the_folder_that_names_it(here, monkeypatch, code, name):
    """Wherever Python would find it: the folder, or one around it, may be where a command runs."""
    monkeypatch.syspath_prepend(here / "given")
    ran = here / "ran"
    write(here / code, EVIL.format(ran))
    with pytest.raises(ModuleError, match=r"which lies in .*given; allowed: one outside the folder"):
        import_named(name, named_in=here / "given")
    assert not ran.exists()
    monkeypatch.chdir(here / "given")
    with pytest.raises(ModuleError, match="which lies in"):
        import_named(name, named_in=here / "given" / "." / ".." / "given")
    assert not ran.exists()


def test_a_file_may_name_what_lies_elsewhere_or_has_been_imported(here):
    write(here / "mine_to_name.py", "what = 1")
    assert import_named("mine_to_name", named_in=here / "given").what == 1
    write(here / "given" / "loaded_before.py", "what = 2")
    (here / "given" / "__init__.py").touch()
    assert import_named("given.loaded_before").what == 2
    assert import_named("given.loaded_before", named_in=here / "given").what == 2
    assert import_named("json", named_in=here)
