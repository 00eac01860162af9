"""`daml report`: a page that stands alone, and agrees with its JSON."""

import html
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import needs_browser, open_browser

from agents.attention import attention_map, has_attention, overlay
from agents.controls import MEANINGS, PREDICTIONS
from agents.evaluation import SHOWN
from agents.imitation import adapt_to_video
from agents.policies import PolicyConfig, bundled, load_policy, save_policy
from agents.presets import PRESETS
from agents.view import REACHING
from demos.human import human_video
from demos.tasks import sample_task_set
from demos.types import Video
from scripts.inputs import InputError
from scripts.report import ROWS, Report, learning_curve, predicted

ROOT = Path(__file__).parents[2]
box = pytest.mark.skipif("reach" not in bundled(), reason="there is no policy in the box")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    Report(("reach",), quick=True, out=folder).run()
    return folder


def test_every_control_has_a_meaning() -> None:
    assert set(MEANINGS) == set(PREDICTIONS) == set(SHOWN)


def test_a_prediction_is_of_the_right_object_alone() -> None:
    assert (predicted("blank"), predicted("wrong"), predicted("wrong-verb")) == (
        "1/3, exactly",
        "nearly never",
        "nearly always",
    )


def test_the_page_of_the_controls_says_what_each_is_and_what_is_predicted() -> None:
    rows = (ROOT / "docs" / "controls.md").read_text().splitlines()
    for name, meaning in MEANINGS.items():
        (row,) = [row for row in rows if row.startswith(f"| `{name}` | {meaning}")]
        assert row.endswith(f"| {PREDICTIONS[name]} |")


@pytest.mark.parametrize("preset", ["temporal", "fast", "lstm", "attention", "paper"])
def test_where_a_policy_looks_is_known_of_all_but_the_papers(preset: str) -> None:
    imitator = PRESETS[preset].imitator(PRESETS[preset].inner_steps)
    video = Video(np.zeros((8, 64, 64, 3), np.uint8), np.arange(8.0))
    policy = adapt_to_video(imitator, imitator.learner.init(torch.Generator().manual_seed(0)), video)
    assert has_attention(policy) == (preset != "paper")


def test_a_curve_is_what_the_log_says(tmp_path: Path) -> None:
    assert learning_curve(str(tmp_path)) == []
    records = [
        {"step": 1, "loss": 2.0},
        {"step": 2, "seconds": 3.0, "val_success": 0.5, "val_nearest": 0.6, "loss": 1.0},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    expected = [{"step": 2, "seconds": 3.0, "val_success": 0.5, "val_nearest": 0.6}]
    assert learning_curve(str(tmp_path)) == learning_curve(str(tmp_path / "policy")) == expected


def test_a_policy_in_the_box_has_no_curve_of_what_lies_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.jsonl").write_text(
        json.dumps({"step": 1, "seconds": 1, "val_success": 1, "val_nearest": 1}) + "\n"
    )
    assert learning_curve(".") != []
    assert learning_curve("reach") == []


@pytest.mark.parametrize(("env", "preset"), [("none", "temporal"), ("reach", "mil")])
def test_a_policy_that_no_page_can_be_made_of_is_refused_first(
    env: str, preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = PRESETS[preset].imitator(1).learner.init(torch.Generator())
    save_policy(tmp_path / "policy", meta, PolicyConfig(env, preset, REACHING, 0, 1, 1, "daml train", 0.1, "a test"))
    monkeypatch.setattr(Report, "_evaluate", None)
    with pytest.raises(InputError, match="got one that watches no human in a simulator"):
        Report(policies=("reach", str(tmp_path / "policy")), out=tmp_path / "report").run()


@box
def test_attention_is_on_the_goal_after_the_video_and_drawn_there() -> None:
    stored = load_policy("reach")
    tasks = sample_task_set(7, "test", 1)
    policy = stored.adapt(human_video("daml/Reach-v0", tasks.human_scene.with_goal(1), tasks.motion(1)))
    image = human_video("daml/Reach-v0", tasks.human_scene, tasks.motion(1)).frames[0]
    attention = attention_map(policy, image, np.zeros(10, np.float32))
    assert attention.shape == (16, 16)
    assert attention.sum() == pytest.approx(1, abs=1e-4)
    drawn = overlay(image, attention, 128)
    red = drawn[..., 0].astype(int) - drawn[..., 1:].max(-1)
    row, column = np.unravel_index(red.argmax(), red.shape)
    assert (row // 8, column // 8) == np.unravel_index(attention.argmax(), attention.shape)


@box
@pytest.mark.slow
def test_every_number_on_the_page_is_in_the_json(report: Path) -> None:
    said = json.loads((report / "report.json").read_text())
    page = (report / "report.html").read_text()
    (policy,) = said["policies"].values()
    assert {"human", "nudge=2"} <= set(policy["rows"])
    for name, row in policy["rows"].items():
        line = f"<td>{html.escape(ROWS[name])}</td><td class='n'>{row['success']:.3f}</td>"
        assert line in page
        assert f"{row['ci_low']:.3f} to {row['ci_high']:.3f}" in page
    shown = policy["films"]["successes"] + policy["films"]["failures"]
    assert page.count("<video") == len(shown) > 0
    for name, row in policy["rows"].items():
        assert f"<td class='n'>{row['nearest']:.3f}</td><td class='i'>{predicted(name)}</td>" in page
    assert "<h3>Where the policy looks</h3><figure><img alt='looks'" in page
    assert "<h3>Where the learned loss looks in the human's video</h3><figure><img alt='loss'" in page
    scene = sample_task_set(1, "test", 0).human_scene
    assert all(thing.in_words in page for thing in scene.objects)
    assert not re.search(r"(src|href)='(?!data:)", page), "nothing is fetched from elsewhere"
    assert said["versions"]["torch"]


@box
@needs_browser
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_page_looks_right_in_a_browser(report: Path) -> None:
    browser = open_browser(1100, 1400)
    try:
        browser.get(f"file://{report / 'report.html'}")
        films = browser.find_elements("tag name", "video")
        browser.execute_script("document.querySelectorAll('video').forEach(film => film.play())")
        end = time.monotonic() + 30
        playing = "return [...document.querySelectorAll('video')].every(film => film.currentTime > 0.2 && !film.error)"
        while not browser.execute_script(playing):
            assert time.monotonic() < end, "the films do not play"
            time.sleep(0.1)
        assert films[0].size["width"] > 200
        loaded = "return [...document.images].every(image => image.complete && image.naturalWidth > 100)"
        assert browser.execute_script(loaded)
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        wide = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, "nothing sticks out to the right"
    finally:
        browser.quit()
