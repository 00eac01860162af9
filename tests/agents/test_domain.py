"""How far a video is from the training domain: held-out simulated clips are near, foreign ones are far."""

import numpy as np
import pytest

from agents.domain import FAR, distance, gauge, statistics, training_gauge
from agents.methods.fast import fast
from demos.human import human_video
from demos.recipe import Recipe
from demos.types import Video

ENV = "daml/Reach-v0"
IMITATOR = fast()


@pytest.fixture(scope="module")
def trained():
    return training_gauge(IMITATOR, ENV)


def simulated(index: int, goal: int = 0) -> Video:
    recipe = Recipe(ENV, 1, "test", index, goal)
    return human_video(recipe.env_id, recipe.human_scene(), recipe.motion(), size=64)


def foreign() -> dict[str, Video]:
    rng = np.random.default_rng(0)
    times = np.arange(12) / 5
    whole = simulated(0).frames[:12]
    y, x = np.mgrid[:64, :64] / 64
    waves = [np.sin(20 * (x * np.cos(t) + y * np.sin(t)))[..., None] * [90, 60, 120] + 128 for t in times]
    return {
        "noise": Video(rng.integers(0, 256, (12, 64, 64, 3), np.uint8), times),
        "black": Video(np.zeros((12, 64, 64, 3), np.uint8), times),
        "white": Video(np.full((12, 64, 64, 3), 255, np.uint8), times),
        "waves": Video(np.stack(waves).astype(np.uint8), times),
        "letterboxed": Video(np.pad(whole[:, 16:48], ((0, 0), (16, 16), (0, 0), (0, 0))), times),
    }


def test_held_out_simulated_clips_are_near(trained):
    away = [distance(trained, IMITATOR, simulated(index, index % 3)) for index in range(20)]
    assert max(away) < FAR
    assert np.median(away) < 1


@pytest.mark.parametrize("kind", foreign())
def test_foreign_clips_are_far(trained, kind):
    assert distance(trained, IMITATOR, foreign()[kind]) > FAR


def test_statistics_see_colour_contrast_edges_and_motion():
    rng = np.random.default_rng(0)
    grey = np.full((4, 64, 64, 3), 128, np.uint8)
    plain = statistics(grey)
    changed = {
        "colour": grey + np.array([40, 20, 10], np.uint8),
        "contrast": np.where(np.arange(64)[:, None] % 16 < 8, 90, 166).astype(np.uint8)[None, :, :, None] + 0 * grey,
        "edges": np.where(np.arange(64)[:, None] % 2, 120, 136).astype(np.uint8)[None, :, :, None] + 0 * grey,
        "motion": grey + (10 * np.arange(4, dtype=np.uint8))[:, None, None, None],
    }
    sizes = {"colour": slice(48), "contrast": slice(48, 64), "edges": slice(64, 80), "motion": slice(80, 96)}
    assert len(plain) == 96
    for name, frames in changed.items():
        assert np.abs(statistics(frames) - plain)[sizes[name]].min() > 0.01, name
    assert np.allclose(statistics(grey[rng.permutation(4)]), plain)


def test_the_unit_of_distance_is_what_is_usual(trained):
    away = [
        distance(trained._replace(clips=np.delete(trained.clips, number, 0)), IMITATOR, training_clip(number))
        for number in range(0, 48, 4)
    ]
    assert 0.3 < np.median(away) < 1
    assert np.mean(np.array(away) > 1) < 0.2


def training_clip(index: int) -> Video:
    recipe = Recipe(ENV, 0, "train", index, index % 3)
    return human_video(recipe.env_id, recipe.human_scene(), recipe.motion(), size=64)


def test_a_gauge_is_the_same_every_time():
    clips = np.random.default_rng(0).normal(size=(40, 96))
    first, again = gauge(clips), gauge(clips)
    assert first.usual == again.usual
    assert np.array_equal(first.spread, again.spread)
    assert gauge(clips[::-1]).usual == pytest.approx(first.usual)
