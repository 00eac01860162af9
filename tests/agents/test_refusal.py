"""What a policy knows of a video: whether it shows its task, and which object it chooses."""

import gymnasium
import numpy as np
import pytest

from agents.choice import attention_on_objects, mass
from agents.errors import AgentError
from agents.imitation import adapt_to_video
from agents.policies import load_policy
from agents.presets import PRESETS
from agents.refusal import KNOWN, agreement, halves
from agents.statistics import auroc
from demos.human import human_video
from demos.tasks import sample_task_set
from demos.types import Video

ENV = "daml/Reach-v0"


def shown(goal: int) -> Video:
    tasks = sample_task_set(0, "test", 0)
    return human_video(ENV, tasks.human_scene.with_goal(goal), tasks.motion(goal))


def noise(seed: int) -> Video:
    rng = np.random.default_rng(seed)
    return Video(rng.integers(0, 256, (20, 64, 64, 3), dtype=np.uint8), np.arange(20) / 8)


def test_a_human_doing_the_task_is_known_and_noise_is_not() -> None:
    stored = load_policy("reach")
    known = [agreement(stored.imitator(), stored.meta, shown(goal)) for goal in range(3)]
    unknown = [agreement(stored.imitator(), stored.meta, noise(seed)) for seed in range(3)]
    assert np.mean(known) > KNOWN > max(unknown)
    assert max(known) <= 1 + 1e-6


def test_the_halves_share_no_frame_and_keep_their_order() -> None:
    frames = np.arange(16, dtype=np.uint8)[:, None, None, None].repeat(3, -1)
    one, other = halves(PRESETS["temporal"].imitator(), Video(frames, np.arange(16.0)))
    assert one.frames.ravel()[::3].tolist() == [0, 2, 4, 6, 8, 10, 12, 14]
    assert other.frames.ravel()[::3].tolist() == [1, 3, 5, 7, 9, 11, 13, 15]


def test_a_policy_without_attention_and_a_single_frame_are_refused() -> None:
    stored = load_policy("reach-paper")
    with pytest.raises(AgentError, match="attention: got a policy without one"):
        agreement(stored.imitator(), stored.meta, shown(0))
    reach = load_policy("reach")
    with pytest.raises(AgentError, match="video: got 1 frame, allowed 2 or more"):
        agreement(reach.imitator(), reach.meta, Video(np.zeros((1, 64, 64, 3), np.uint8), np.zeros(1)))


def test_the_attention_is_on_the_object_that_the_video_shows() -> None:
    stored = load_policy("reach")
    scene = sample_task_set(0, "test", 0).robot_scenes[0]
    for goal in range(3):
        policy = adapt_to_video(stored.imitator(), stored.meta, shown(goal))
        on = attention_on_objects(policy, ENV, scene)
        assert on.argmax() == goal
        assert 0.5 < on.sum() <= 1


def test_mass_is_counted_by_pixels() -> None:
    attention = np.array([[0.5, 0.1], [0.0, 0.4]])
    seen = np.full((4, 4), -1)
    seen[:2, :1], seen[2:, 2:] = 0, 1
    assert mass(attention, seen, 3) == pytest.approx([0.25, 0.4, 0])


def test_an_auroc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 30), rng.integers(0, 4, 20)
    pairs = (a[:, None] > b).mean() + (a[:, None] == b).mean() / 2
    rate, low, high = auroc(a, b)
    assert rate == pytest.approx(pairs)
    assert low < rate < high
    assert auroc(np.ones(10), np.zeros(10))[0] == 1


def test_every_environment_says_where_its_objects_are_seen() -> None:
    for env_id in ("daml/Reach-v0", "daml/Place-v0", "daml/Act-v0"):
        env = gymnasium.make(env_id, image_size=96, disable_env_checker=True)
        before, _ = env.reset(seed=3)
        seen = env.unwrapped.objects_seen()  # type: ignore[attr-defined]
        assert seen.shape == (96, 96)
        assert set(np.unique(seen)) == {-1, 0, 1, 2}, env_id
        again, _ = env.reset(seed=3)
        assert (before["image"] == again["image"]).all(), "the camera draws colours again"
        # An object farther to the right of the robot (-y) is farther to the left of the picture.
        columns = [np.argwhere(seen == number)[:, 1].mean() for number in range(3)]
        across = [y for _, y in env.unwrapped.scene.positions]  # type: ignore[attr-defined]
        assert np.argsort(columns).tolist() == np.argsort(across).tolist()
        env.close()


def test_where_a_video_tells_two_places_both_must_agree() -> None:
    stored = load_policy("sort")
    for index in range(20):
        tasks = sample_task_set(0, "test", index, env_id="daml/Sort-v0")
        scene = tasks.human_scene.with_goal(4)
        item, container = scene.tops[scene.goal], scene.rims[scene.aim]
        if np.linalg.norm(item - container) > 0.35:
            break
    video = human_video("daml/Sort-v0", scene, tasks.motion(4))
    assert agreement(stored.imitator(), stored.meta, video) > 0.6, "more than one place alone of two can have"
