"""Recordings: what was recorded is what is read, by us and by Minari alone, and done again it comes out the same."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path

import gymnasium
import h5py
import minari
import numpy as np
import pytest

from demos import episodes
from demos.episodes import find_recordings, read_recording, write_recording
from demos.errors import DemoError
from demos.manifest import DATA, FILM, INFO, MAX_BYTES, METADATA, checksum, checksum_of, read_info
from demos.naming import rename
from demos.recipe import Recipe, digest
from demos.record import expert
from demos.recorder import record_human, record_robot
from demos.recording import Recording, check_scene, folder_name
from demos.replay import JOINTS, replay
from demos.verify import verify
from demos.video import read_video
from envs.appearance import Dials
from envs.objects import kinds
from envs.scene import Scene

RECIPE = Recipe("daml/Reach-v0", seed=3, split="test", index=2, goal=1)
ROOT = Path(__file__).parents[2]


def reach(recipe=RECIPE, size=32):
    return record_robot(recipe, expert(recipe.env_id), by="expert", size=size, film_size=64)


@pytest.fixture(scope="module")
def robot():
    """A recording of the expert, and its film."""
    return reach()


@pytest.fixture(scope="module")
def human():
    return record_human(RECIPE, size=32, fps=10.0, film_size=64)


@pytest.fixture(scope="module")
def stored(robot, human, tmp_path_factory):
    """A folder with both."""
    root = tmp_path_factory.mktemp("alone") / "recordings"  # Minari looks at all that lies beside it
    root.mkdir()
    for recording, film in (robot, human):
        write_recording(root, recording, film)
    return root


@pytest.fixture
def folder(robot, tmp_path):
    """A fresh folder of the robot's."""
    return write_recording(tmp_path, *robot)


def same(a: Recording, b: Recording) -> bool:
    arrays = ("actions", "rewards", "terminations", "truncations")
    return (
        a.info == b.info
        and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in arrays)
        and a.observations.keys() == b.observations.keys()
        and all(np.array_equal(a.observations[name], b.observations[name]) for name in a.observations)
        and all(getattr(a, name).dtype == getattr(b, name).dtype for name in arrays)
    )


def sign(folder):
    """Makes the checksums of a changed recording right, as somebody would who means it."""
    said = json.loads((folder / INFO).read_text())
    said.pop("checksum")
    said["files"] = {name: checksum(folder / name) for name in MAX_BYTES}
    (folder / INFO).write_text(json.dumps(said | {"checksum": checksum_of(said)}))


def say(folder, **changes):
    """Changes what recording.json says, with a right checksum."""
    said = json.loads((folder / INFO).read_text()) | changes
    said.pop("checksum")
    (folder / INFO).write_text(json.dumps(said | {"checksum": checksum_of(said)}))


# --- recipes ---------------------------------------------------------------------------------------------------------


def test_a_recipe_gives_the_same_scene_every_time_and_another_one_for_another_number():
    first = digest(RECIPE.robot_scene())
    assert digest(RECIPE.robot_scene()) == first
    others = [replace(RECIPE, **{name: 0}) for name in ("seed", "index", "goal")]
    others += [replace(RECIPE, trial=1), replace(RECIPE, split="val"), replace(RECIPE, nudge=1)]
    digests = {digest(recipe.robot_scene()) for recipe in others}
    assert len(digests) == len(others)
    assert first not in digests


def test_every_trial_has_its_own_scene_and_the_same_human():
    recipes = [replace(RECIPE, trial=trial) for trial in range(3)]
    assert len({digest(recipe.robot_scene()) for recipe in recipes}) == 3
    assert len({digest(recipe.human_scene()) for recipe in recipes}) == 1
    assert len({recipe.motion().integers(2**31) for recipe in recipes}) == 1


def test_a_digest_sees_the_sixth_digit_and_nothing_behind_it():
    scene = RECIPE.robot_scene()
    x, y = scene.positions[0]
    assert digest(replace(scene, positions=((x * (1 + 1e-13), y), *scene.positions[1:]))) == digest(scene)
    assert digest(replace(scene, positions=((x * (1 + 1e-4), y), *scene.positions[1:]))) != digest(scene)


def test_a_digest_is_the_same_when_a_scene_learns_to_say_more():
    @dataclass(frozen=True)
    class Later(Scene):
        wind: float = 0.0

    scene = RECIPE.robot_scene()
    later = Later(**{field.name: getattr(scene, field.name) for field in fields(scene)})
    assert digest(later) == digest(scene)
    assert digest(replace(later, wind=0.1)) != digest(scene)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seed": -1}, "seed: got -1"),
        ({"seed": True}, "seed: got True"),
        ({"index": 2**31}, "index: got"),
        ({"goal": 3}, "goal: got 3, allowed 0 to 2"),
        ({"goal": 15, "env_id": "daml/Act-v0"}, "goal: got 15, allowed 0 to 14"),
        ({"trial": 10**6}, "trial: got"),
        ({"nudge": 3}, "nudge: got 3, allowed 0 to 2"),
        ({"split": "../val"}, "split: got '../val'"),
        ({"split": ["val"]}, "split: got"),
        ({"env_id": "daml/Reach-v7"}, "environment version: got 'daml/Reach-v7', allowed daml/Reach-v0"),
        ({"env_id": "CartPole-v1"}, "environment: got 'CartPole-v1', allowed"),
        ({"env_id": "daml/../../Reach-v0"}, "environment: got"),
        ({"env_id": None}, "environment: got None"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(change, what):
    with pytest.raises(DemoError) as caught:
        replace(RECIPE, **change)
    assert str(caught.value).startswith(what)
    assert "allowed" in str(caught.value)


# --- what is recorded ------------------------------------------------------------------------------------------------


def test_a_recording_holds_the_whole_episode(robot):
    recording, film = robot
    env = gymnasium.make(RECIPE.env_id, disable_env_checker=True)
    assert recording.info.steps == len(recording.actions) == 30
    assert recording.images.shape == (31, 32, 32, 3)
    assert recording.observations["state"].shape == (31, *env.observation_space["state"].shape)
    assert recording.actions.shape == (30, *env.action_space.shape)
    assert recording.truncations.tolist() == [False] * 29 + [True]
    assert film.shape == (31, 64, 64, 3)
    assert recording.info.success
    assert recording.info.task.startswith("Reach: the ")
    env.close()


def test_a_recording_cannot_be_changed(robot):
    recording, _ = robot
    for array in (recording.actions, recording.rewards, recording.images):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_human_has_frames_and_times_and_no_actions(human):
    recording, film = human
    assert recording.images.shape == (25, 32, 32, 3)
    assert np.allclose(recording.observations["time"][:, 0], np.arange(25) / 10)
    assert recording.actions.shape == (24, 0)
    assert recording.info.success is None
    assert film.shape == (25, 64, 64, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"actions": np.zeros((29, 3), np.float32)},
        {"actions": np.full((30, 3), np.nan, np.float32)},
        {"rewards": np.array([object()] * 30)},
        {"observations": {}},
        {"observations": {"image": np.zeros((31, 32, 32, 3), np.uint8)}},
        {"observations": {"image": np.zeros((31, 32, 32, 3)), "state": np.zeros((31, 10), np.float32)}},
    ],
)
def test_a_recording_whose_parts_do_not_fit_is_refused(robot, change):
    with pytest.raises(DemoError, match="allowed"):
        replace(robot[0], **change)


def test_a_recipe_without_a_nudge_says_nothing_of_one() -> None:
    assert "nudge" not in RECIPE.said()
    assert Recipe(**RECIPE.said()) == RECIPE
    assert Recipe(**replace(RECIPE, nudge=2).said()) == replace(RECIPE, nudge=2)


# --- on disk ---------------------------------------------------------------------------------------------------------


def test_what_is_read_is_what_was_written(stored, robot, human):
    for recording, _ in (robot, human):
        folder = stored / recording.info.name
        assert same(read_recording(folder), recording)
        assert read_info(folder) == verify(folder) == recording.info
    assert len(find_recordings(stored)) == 2


def test_minari_alone_reads_an_episode(stored, robot):
    """In a process that has nothing of ours on its path."""
    program = (
        "import sys, minari, numpy as np\n"
        "assert not {'demos', 'envs', 'torch'} & set(sys.modules)\n"
        "for name in minari.list_local_datasets():\n"
        "    dataset = minari.load_dataset(name)\n"
        "    (episode,) = dataset.iterate_episodes()\n"
        "    print(dataset.spec.dataset_id, dataset.total_steps, episode.observations['image'].sum(),\n"
        "          episode.actions.astype(float).sum())\n"
    )
    environment = {"PATH": os.environ["PATH"], "MINARI_DATASETS_PATH": str(stored.parent)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, env=environment, cwd="/", check=True
    )
    recording, _ = robot
    by_name = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    steps, pixels, actions = by_name[f"{stored.name}/{recording.info.name}"]
    assert len(by_name) == 2
    assert int(steps) == 30
    assert int(pixels) == recording.images.sum()
    assert float(actions) == pytest.approx(recording.actions.astype(float).sum())


def test_minari_recovers_the_environment(stored, robot):
    dataset = minari.MinariDataset(stored / robot[0].info.name / "data")
    env = dataset.recover_environment(disable_env_checker=True)
    assert env.spec.id == RECIPE.env_id
    assert env.observation_space["image"].shape == (32, 32, 3)
    assert (env.unwrapped._split, env.unwrapped._dials) == (RECIPE.split, Dials())
    env.reset(seed=0)
    made, drawn = env.unwrapped.scene, RECIPE.robot_scene()
    assert {thing.kind for thing in made.objects} <= set(kinds(RECIPE.split))
    assert len(made.objects) == len(drawn.objects)
    env.close()


def test_the_film_can_be_watched(stored, robot):
    video = read_video(stored / robot[0].info.name / FILM)
    assert video.n_frames == 31
    assert video.fps == pytest.approx(10)
    assert np.abs(video.frames.astype(int) - robot[1]).mean() < 1


def test_the_same_episode_is_written_to_the_same_bytes(folder, tmp_path):
    again = write_recording(tmp_path / "again" / tmp_path.name, *reach())
    for name in (*MAX_BYTES, INFO):
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_nothing_is_written_over(folder, robot, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(DemoError, match="there already"):
        write_recording(tmp_path, *robot)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_writing_that_fails_leaves_nothing(robot, tmp_path, monkeypatch):
    monkeypatch.setattr(episodes, "write_video", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_recording(tmp_path, *robot)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_no_recording_and_goes(robot, tmp_path):
    left = tmp_path / f".{robot[0].info.name}.123.part"
    (left / "data").mkdir(parents=True)
    (left / INFO).write_text("{}")
    with pytest.raises(DemoError, match="got none"):
        find_recordings(tmp_path)
    folder = write_recording(tmp_path, *robot)
    assert list(tmp_path.iterdir()) == [folder]


def test_links_are_not_followed(robot, tmp_path):
    folder = write_recording(tmp_path / "elsewhere", *robot)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / folder.name).symlink_to(folder)
    with pytest.raises(DemoError, match="recordings: got none in"):
        find_recordings(tmp_path / "here")


def test_names_tell_episodes_apart(monkeypatch):
    recipes = [RECIPE, replace(RECIPE, goal=0), replace(RECIPE, trial=1), replace(RECIPE, seed=30, index=0)]
    recipes += [replace(RECIPE, nudge=level) for level in (1, 2)]
    names = {folder_name(recipe, by) for recipe in recipes for by in ("expert", "policy")}
    assert len(names) == 12
    monkeypatch.setattr("demos.recording.short_name", lambda env_id: "My.Task")
    names.add(folder_name(RECIPE, "expert"))
    assert all(minari.dataset.minari_dataset.parse_dataset_id(name)[2] == 0 for name in names)


# --- where Minari looks ----------------------------------------------------------------------------------------------


def listed(root, monkeypatch):
    """Ids of what Minari finds in a folder."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    return set(minari.list_local_datasets())


@pytest.fixture
def moved(robot, tmp_path):
    """A recording whose folder of recordings was renamed."""
    folder = write_recording(tmp_path / "alone" / "before", *robot)
    folder.parent.rename(folder.parent.with_name("after"))
    return tmp_path / "alone" / "after" / folder.name


def test_a_renamed_folder_is_hidden_from_minari_and_verify_says_so(moved, monkeypatch):
    with pytest.warns(UserWarning, match="does not match id"):
        assert listed(moved.parents[1], monkeypatch) == set()
    refused(moved, rf"got the Minari id 'before/{moved.name}', allowed 'after/{moved.name}'.*daml dataset rename")


def test_after_rename_minari_lists_and_reads_it_again(moved, robot, monkeypatch):
    assert rename(moved)
    assert verify(moved) == robot[0].info
    assert same(read_recording(moved), robot[0])
    assert listed(moved.parents[1], monkeypatch) == {f"after/{moved.name}"}
    assert minari.load_dataset(f"after/{moved.name}").total_steps == 30
    before = (moved / INFO).read_bytes()
    assert not rename(moved), "a second time there is nothing to do"
    assert (moved / INFO).read_bytes() == before


def test_a_rename_that_was_stopped_between_its_files_goes_on(moved, robot, monkeypatch):
    old = (moved / METADATA).read_bytes()
    rename(moved)
    (moved / METADATA).write_bytes(old)
    refused(moved, "metadata.json: got a wrong checksum")
    assert rename(moved)
    assert verify(moved) == robot[0].info


@pytest.mark.parametrize("name", [DATA, FILM])
def test_a_rename_makes_nothing_whole_that_is_damaged(moved, name):
    (moved / name).write_bytes(b"")
    rename(moved)
    refused(moved, "got a wrong checksum")


def test_a_damaged_description_is_not_renamed(moved):
    text = (moved / METADATA).read_text()
    (moved / METADATA).write_text(text.replace('"total_steps": 30', '"total_steps": 31'))
    with pytest.raises(DemoError, match="wrong checksum"):
        rename(moved)


@pytest.mark.parametrize(
    ("place", "root", "wanted"),
    [
        ("some/recordings", "some", "recordings/{}"),
        ("some/r", "", "some/r/{}"),  # Minari wants two letters before the name
        ("some/my recordings", "some/my recordings", "{}"),
        ("some/v1.2", "some/v1.2", "{}"),
    ],
)
def test_minari_finds_recordings_in_a_folder_of_any_name(robot, tmp_path, place, root, wanted, monkeypatch):
    folder = write_recording(tmp_path / "alone" / place, *robot)
    assert verify(folder) == robot[0].info
    assert listed(tmp_path / "alone" / root, monkeypatch) == {wanted.format(folder.name)}


def test_an_episodes_folder_that_minari_takes_for_no_dataset_is_named(folder):
    other = folder.rename(folder.with_name("first try"))
    for look in (verify, rename):
        with pytest.raises(DemoError, match="got the name 'first try', allowed NAME-vNUMBER"):
            look(other)


# --- done again ------------------------------------------------------------------------------------------------------


def test_a_replay_is_exact(stored, robot, human):
    for recording, film in (robot, human):
        deviation, again = replay(read_recording(stored / recording.info.name), film_size=64)
        assert deviation.exact
        assert np.array_equal(again, film)
        assert deviation.success == recording.info.success


def test_a_nudge_is_recorded_and_done_again_exactly(tmp_path):
    nudged = replace(RECIPE, env_id="daml/Push-v0", nudge=2)
    recording, film = reach(nudged)
    folder = write_recording(tmp_path / "alone" / "recordings", recording, film)
    assert "-nudge2-" in folder.name
    assert verify(folder).recipe == nudged
    deviation, again = replay(read_recording(folder), film_size=64)
    assert deviation.exact
    assert np.array_equal(again, film)
    still, _ = replay(
        replace(recording, info=replace(recording.info, recipe=replace(nudged, nudge=0), scene=plain(nudged))), 64
    )
    assert still.pixels > 50, "without the nudge it is another film"
    assert minari.MinariDataset(folder / "data").recover_environment(disable_env_checker=True).unwrapped._nudge == 2


def plain(recipe):
    return digest(replace(recipe, nudge=0).robot_scene())


def test_a_replay_of_other_actions_deviates_in_the_right_units(robot):
    recording, _ = robot
    actions = recording.actions.copy()
    actions[:5] = -actions[:5]
    deviation, _ = replay(replace(recording, actions=actions), film_size=32)
    state = recording.observations["state"]
    assert deviation.metres > 0.1
    assert deviation.radians > 0.1
    assert deviation.pixels > 100
    assert not deviation.success
    moved = state.copy()
    moved[5, 0] += 0.25
    moved[6, JOINTS.stop - 1] += 0.5
    shifted = replace(recording, observations=recording.observations | {"state": moved})
    deviation, _ = replay(shifted, film_size=32)
    assert deviation.metres == pytest.approx(0.25, rel=1e-5)
    assert deviation.radians == pytest.approx(0.5, rel=1e-5)
    assert not deviation.exact


def test_a_scene_that_the_code_draws_differently_is_refused(folder, robot):
    say(folder, scene="0" * 64)
    info = read_info(folder)
    with pytest.raises(DemoError, match=r"got another one than was recorded .* another version of daml/Reach-v0"):
        check_scene(info)
    with pytest.raises(DemoError, match="got another one"):
        replay(read_recording(folder), film_size=32)


def test_a_recording_of_another_version_of_the_environment_is_refused(folder):
    said = json.loads((folder / INFO).read_text())
    say(folder, recipe=said["recipe"] | {"env_id": "daml/Reach-v1"})
    for read in (read_info, read_recording, verify):
        with pytest.raises(DemoError, match="version: got 'daml/Reach-v1', allowed daml/Reach-v0; record it again"):
            read(folder)


# --- what is no whole recording --------------------------------------------------------------------------------------


def refused(folder, match):
    with pytest.raises(DemoError, match=match) as caught:
        verify(folder)
    assert "\n" not in str(caught.value)
    assert "allowed" in str(caught.value)


@pytest.mark.parametrize("name", MAX_BYTES)
@pytest.mark.parametrize("damage", ["bit", "cut", "gone", "link", "folder"])
def test_a_damaged_file_is_named(folder, name, damage, tmp_path):
    path = folder / name
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "bit":
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[:-1])
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "folder":
        path.mkdir()
    refused(folder, f"{name}: got")


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "null", "{}", '{"checksum": 1}', "[" * 50_000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_a_description_that_is_none_is_refused(folder, text):
    (folder / INFO).write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(folder, "recording.json: got")


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 10**9},
        {"steps": "30"},
        {"steps": 29},
        {"size": [32]},
        {"size": [32, -1]},
        {"size": [64, 64]},
        {"fps": 0},
        {"by": "nobody"},
        {"by": "human"},
        {"format": 2},
        {"recipe": {}},
        {"recipe": None},
        {"more": 1},
        {"success": "yes"},
        {"files": {"../../evil": "0"}},
        {"files": []},
    ],
)
def test_a_description_of_something_else_is_refused_even_with_a_right_checksum(folder, change):
    say(folder, **change)
    refused(folder, "got")


def edit(folder, change):
    """Changes the HDF5 file, and signs it."""
    with h5py.File(folder / DATA, "r+") as file:
        change(file["episode_0"])
    sign(folder)


def swap(name, **arguments):
    def change(group):
        del group[name]
        group.create_dataset(name, **arguments)

    return change


def link(name, to):
    def change(group):
        del group[name]
        group[name] = to

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        # A file of some kilobytes that would unpack to terabytes of zeros.
        (
            swap(
                "observations/image", shape=(10**6, 1000, 1000, 3), dtype="u1", chunks=(1, 100, 100, 3), compression=9
            ),
            "GiB",
        ),
        (swap("rewards", shape=(10**9,), dtype="f8", chunks=(1000,), fillvalue=1.0), "GiB"),
        (swap("rewards", shape=(30,), dtype="f8", external=[("/etc/passwd", 0, 240)]), "strange"),
        (link("rewards", h5py.ExternalLink("/etc/passwd", "/")), "got no episode_0/rewards"),
        (link("rewards", h5py.SoftLink("/episode_0/actions")), "got no episode_0/rewards"),
        (swap("rewards", data=np.array([b"x"] * 30)), "strange"),
        (swap("rewards", data=["text"] * 30, dtype=h5py.string_dtype()), "strange"),
        (swap("actions", data=np.zeros((31, 3), np.float32)), "actions: got .* allowed 30 rows"),
        (swap("actions", data=np.full((30, 3), np.inf, np.float32)), "not finite"),
        (swap("actions", data=np.full((30, 3), 5, np.float32)), "actions outside"),
        (swap("actions", data=np.float32(1)), "actions: got"),
        (lambda group: group.file.pop("episode_0"), "got no episode_0"),
    ],
)
def test_data_with_a_trick_are_refused_even_with_a_right_checksum(folder, change, match):
    edit(folder, change)
    assert (folder / DATA).stat().st_size < 2**20
    refused(folder, match)
