"""A video in memory is what it says: uint8 frames, times that increase from 0, and nobody can change them."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demos.errors import DemoError, VideoError
from demos.types import Video


def blank(n: int) -> np.ndarray:
    return np.zeros((n, 4, 6, 3), np.uint8)


def test_a_video_knows_its_length_duration_and_rate() -> None:
    video = Video(blank(5), np.arange(5) / 10)
    assert video.n_frames == 5
    assert video.duration == pytest.approx(0.4)
    assert video.fps == pytest.approx(10)


def test_a_single_frame_has_no_rate() -> None:
    assert Video(blank(1), np.zeros(1)).fps == 0


@given(st.lists(st.floats(1e-3, 10), min_size=1, max_size=20))
def test_the_mean_rate_is_intervals_over_duration(gaps: list[float]) -> None:
    times = np.concatenate([[0], np.cumsum(gaps)])
    video = Video(blank(len(times)), times)
    assert video.fps * video.duration == pytest.approx(len(gaps))


def test_neither_the_fields_nor_the_arrays_can_be_changed() -> None:
    video = Video(blank(2), np.array([0, 1.0]))
    with pytest.raises(FrozenInstanceError):
        video.frames = blank(2)  # type: ignore[misc]
    for array in (video.frames, video.times):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_video_does_not_change_with_the_arrays_it_was_made_of() -> None:
    frames, times = blank(2), np.array([0, 1.0])
    video = Video(frames, times)
    frames[0], times[1] = 7, 9.0
    assert not video.frames.any()
    assert video.duration == 1.0


def test_a_part_of_a_video_shares_its_memory_with_no_writer() -> None:
    whole = Video(blank(3), np.arange(3.0))
    part = Video(whole.frames[1:], whole.times[1:] - 1)
    assert not part.frames.flags.writeable


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 4, 4, 3)),
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((2, 4, 4, 4), np.uint8),
        np.zeros((2, 0, 4, 3), np.uint8),
        np.zeros((0, 4, 4, 3), np.uint8),
    ],
)
def test_frames_of_another_type_or_shape_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(VideoError, match=r"frames: got .*, allowed uint8"):
        Video(frames, np.arange(len(frames)))


@pytest.mark.parametrize("times", [[0, 1], [0, 1, 2, 3], [[0, 1, 2]]])
def test_each_frame_has_one_time(times: list) -> None:
    with pytest.raises(VideoError, match="times: got"):
        Video(blank(3), np.array(times, float))


@pytest.mark.parametrize("times", [[1, 2, 3], [0, 2, 1], [0, 1, 1], [0, 1, np.nan], [0, 1, np.inf], [np.nan, 1, 2]])
def test_times_increase_strictly_from_zero(times: list) -> None:
    with pytest.raises(VideoError, match="increase strictly from 0"):
        Video(blank(3), np.array(times, float))


def test_errors_of_videos_are_errors_of_demonstrations_and_values() -> None:
    assert issubclass(VideoError, DemoError)
    assert issubclass(DemoError, ValueError)
