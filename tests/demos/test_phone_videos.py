"""What a phone films: large, lying on its side, at a changing frame rate, in H.264 or HEVC."""

import mujoco
import numpy as np
import pytest
from video_files import encode

from agents.policies import bundled, load_policy
from demos.human import human_video
from demos.motions import reach_motion
from demos.recipe import Recipe
from demos.recorder import record_robot
from demos.types import Video
from demos.video import read_times, read_video, resample, resize
from envs.appearance import CAMERA
from envs.human import pose_human
from envs.render import Camera
from envs.scene import human_model

RECIPE = Recipe("daml/Reach-v0", seed=0, split="test", index=0, goal=1)
WIDTH, HEIGHT = 1280, 720
CODECS = ("libx264", "libx265")


def filmed(recipe: Recipe, width: int = WIDTH, height: int = HEIGHT) -> Video:
    """The human of a recipe, filmed in the format of a phone at 15 to 40 frames a second."""
    scene = recipe.human_scene()
    motion = reach_motion(scene, recipe.motion())
    stamps = np.cumsum([0, *np.random.default_rng(recipe.goal).integers(25, 66, 54)])
    stamps = stamps[stamps < 2500]
    model = human_model(scene)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = Camera(model, CAMERA, height, height)
    frames = []
    for stamp in stamps:
        pose_human(model, data, scene.human, motion(stamp / 1000).hand)
        frames.append(camera.draw(data))
    camera.close()
    # What is to the left and right of the square picture is as wide as needed, and plain.
    sides = (width - height) // 2
    return Video(np.pad(np.stack(frames), ((0, 0), (0, 0), (sides, sides), (0, 0)), mode="edge"), stamps / 1000)


def phone_file(path, video: Video, codec: str):
    """The same held upright: stored lying on its side, with a note which way is up."""
    lying = np.ascontiguousarray(np.rot90(video.frames, -1, axes=(1, 2)))
    return encode(path, lying, codec=codec, rotation=90, stamps=np.rint(video.times * 1000).astype(int))


@pytest.mark.parametrize("codec", CODECS)
def test_a_phones_file_gives_the_frames_that_were_filmed(tmp_path, codec):
    native = filmed(RECIPE, 320, 180)
    path = phone_file(tmp_path / "a.mp4", native, codec)
    assert np.allclose(read_times(path), native.times, atol=1e-6)
    for fit in ("crop", "letterbox"):
        seen = read_video(path, n_frames=8, size=64, fit=fit)
        expected = resample(native, 8)
        assert np.allclose(seen.times, expected.times)
        assert np.abs(seen.frames.astype(int) - resize(expected.frames, 64, fit)).mean() < 3


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
def test_a_phones_file_in_720p_is_to_the_policy_what_a_rendered_video_is(tmp_path, codec):
    native = filmed(RECIPE)
    seen = read_video(phone_file(tmp_path / "a.mp4", native, codec), n_frames=8, size=64).frames
    assert np.abs(seen.astype(int) - resize(resample(native, 8).frames, 64)).mean() < 2
    rendered = human_video(RECIPE.env_id, RECIPE.human_scene(), RECIPE.motion(), size=64, fps=40)
    others = human_video(RECIPE.env_id, RECIPE.human_scene().with_goal(2), RECIPE.motion(), size=64, fps=40)
    away, wrong = (np.abs(seen.astype(int) - resample(video, 8).frames).mean() for video in (rendered, others))
    assert away < 6, "the renderer draws hard edges at 64 px, and 720p is averaged"
    assert away < wrong


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
def test_the_action_is_found_in_a_large_clip(tmp_path, codec):
    """4K; only what is between start and end, and no more of it than the policy watches, is ever in memory."""
    shades = np.linspace(0, 255, 12).astype(np.uint8)
    frames = np.broadcast_to(shades[:, None, None, None], (12, 2160, 3840, 3))
    path = encode(tmp_path / "a.mp4", frames, codec=codec, rate=2)
    seen = read_video(path, n_frames=4, size=64, start=2.0, end=4.0)
    assert np.abs(seen.frames.mean((1, 2, 3)) - shades[[5, 6, 7, 8]]).max() < 12
    assert len(read_times(path, start=2.0, end=4.0)) == 5


@pytest.mark.skipif("reach" not in bundled(), reason="there is no policy in the box")
@pytest.mark.slow
def test_after_a_phones_file_the_policy_succeeds_as_after_a_rendered_video(tmp_path):
    stored = load_policy("reach")
    size = stored.imitator().size
    won = {"phone": 0, "rendered": 0}
    for number in range(6):
        recipe = Recipe("daml/Reach-v0", 0, "test", *divmod(number, 3))
        path = phone_file(tmp_path / f"{number}.mov", filmed(recipe), CODECS[number % 2])
        videos = {
            "phone": read_video(path, size=size),
            "rendered": human_video(recipe.env_id, recipe.human_scene(), recipe.motion(), size=size),
        }
        for name, video in videos.items():
            actor = stored.adapt(video).actor()
            won[name] += bool(record_robot(recipe, actor, size=size, film_size=32)[0].info.success)
    assert won["rendered"] >= 4
    assert abs(won["phone"] - won["rendered"]) <= 1
