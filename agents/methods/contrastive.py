"""The `contrastive` baseline: `attention`, and a contrast between the videos of a meta-batch in its outer loss.

    a[i], b[i] = mean token of every other frame of video i, from the first and from the second on, at unit length
    contrast[i] = -log softmax_j(a[i] . b[j] / TEMPERATURE)[i]                            InfoNCE
    loss = that of `attention` + WEIGHT * contrast

The others of a meta-batch are among them the other goals of the video's own set, in the same scene and with the same
arm: what tells these apart is what is done. The two halves are of one video, as a goal is shown once in the data, and
the robot's images, of which a policy sees the first, do not show it. So they agree in more than the goal, and the hand
alone can tell them from others: a weaker lesson than two videos of a task would give. Videos are compared within one
process: several, which share a meta-batch, compare fewer.

Source: van den Oord et al. 2018, arXiv 1807.03748 (InfoNCE); between frames of one video as in Mandi et al. 2022,
arXiv 2110.10078 (MOSAIC).
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.imitation import Imitator
from agents.methods import head
from agents.methods.attention import attention, watch
from agents.view import REACHING, Sizes
from daml import Example, MetaParams, OuterLoss, Params, Task

WEIGHT = 0.1
TEMPERATURE = 0.1


def embedding(psi: Params, features: Tensor) -> Tensor:
    """Features of a video [frames, CHANNELS, h, w] -> unit vector [WIDTH]."""
    return F.normalize(watch(psi, features).mean(0), dim=0)


def contrast(psi: Params, features: Tensor) -> Tensor:
    """Features of videos [tasks, frames, CHANNELS, h, w] -> how badly each one's halves find each other, [tasks]."""
    one, other = (torch.stack([embedding(psi, video[start::2]) for video in features]) for start in (0, 1))
    return -(one @ other.mT / TEMPERATURE).log_softmax(-1).diagonal()


def encode_all(encode: Callable[[MetaParams, Task], Task], meta: MetaParams, tasks: Task) -> Task:
    """The tasks as of `attention`, which `encode` is; each with its contrast to the others, which only here meet, as a
    target."""
    seen = encode(meta, tasks)
    targets = seen.query.targets | {"contrast": contrast(meta["psi"], seen.support.seen.features)}
    return Task(seen.support, Example(seen.query.inputs, targets))


def outer_loss(hint: float) -> OuterLoss:
    """That of the other methods, and the contrast."""
    usual = head.outer_loss(hint)

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        scalars = usual(outputs, targets)
        far = targets["contrast"]
        return scalars | {"loss": scalars["loss"] + WEIGHT * far, "contrast": far}

    return loss


def contrastive(inner_steps: int = 0, sizes: Sizes = REACHING) -> Imitator:
    """The baseline."""
    usual = attention(inner_steps, sizes)
    return usual._replace(
        learner=usual.learner._replace(encode=partial(encode_all, usual.learner.encode)), outer_loss=outer_loss
    )
