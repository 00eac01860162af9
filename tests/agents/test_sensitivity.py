"""Where a learned loss looks in a video: at what its gradient hangs on, and at nothing else."""

import numpy as np
import pytest
import torch

from agents.errors import AgentError
from agents.policies import bundled, load_policy
from agents.presets import PRESETS
from agents.sensitivity import CELLS, loss_gradient, loss_looks
from demos.human import human_video
from demos.tasks import sample_task_set
from demos.types import Video


def noise(size: int = 64) -> Video:
    frames = np.random.default_rng(0).integers(0, 256, (8, size, size, 3), np.uint8)
    return Video(frames, np.arange(8.0))


LEARNED = [name for name, preset in PRESETS.items() if preset.imitator(1).learned_loss]


@pytest.mark.parametrize("preset", LEARNED)
def test_every_method_with_a_learned_loss_has_a_map(preset: str) -> None:
    imitator = PRESETS[preset].imitator(1)
    meta = imitator.learner.init(torch.Generator().manual_seed(0))
    shares = loss_gradient(imitator, meta, noise(imitator.size))
    assert shares.shape == (imitator.wanted.frames, CELLS, CELLS)
    assert (shares.min() >= 0, shares.max()) == (True, 1)


@pytest.mark.parametrize("preset", ["pointer", "attention", "hand-written", "mil"])
def test_others_say_that_they_have_none(preset: str) -> None:
    imitator = PRESETS[preset].imitator(PRESETS[preset].inner_steps)
    with pytest.raises(AgentError, match="learned loss: got a method without one"):
        loss_gradient(imitator, imitator.learner.init(torch.Generator()), noise())


def test_it_is_the_loss_of_the_first_inner_step() -> None:
    imitator = PRESETS["temporal"].imitator(1)
    meta = imitator.learner.init(torch.Generator().manual_seed(0))
    assert imitator.learned_loss is not None
    view = imitator.support(imitator, meta, noise())
    gradient = torch.func.grad(lambda theta: imitator.learned_loss(meta | {"theta": theta}, view))(meta["theta"])  # type: ignore[misc]
    head = imitator.learner.adapt(meta, view).head
    for name, value in meta["theta"].items():
        torch.testing.assert_close(head[name], value - meta["rates"][name] * gradient[name].clamp(-10, 10))


@pytest.mark.skipif("reach" not in bundled(), reason="there is no policy in the box")
def test_on_reach_it_is_at_the_goal_in_the_first_frame_and_at_the_hand_in_the_last() -> None:
    stored = load_policy("reach")
    tasks = sample_task_set(1, "test", 0)
    video = human_video("daml/Reach-v0", tasks.human_scene.with_goal(2), tasks.motion(2))
    shares = loss_gradient(stored.imitator(), stored.meta, video)
    frames = shares.sum((1, 2))
    assert frames[[0, -2, -1]].sum() > 0.7 * frames.sum(), "what is there at first, and where the hand comes to rest"
    drawn = loss_looks(stored.imitator(), stored.meta, video, 64)
    brightest = np.unravel_index((drawn[..., 0].astype(int) - drawn[..., 1:].max(-1)).argmax(), drawn.shape[:3])
    assert (brightest[1] // 4, brightest[2] // 4) == np.unravel_index(shares[brightest[0]].argmax(), (CELLS, CELLS))
