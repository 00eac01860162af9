"""The `paper` preset: the published network and loss, literally; all parameters adapt, convolutions included.

    image -> 5 convolutions with layer norm, strides 2 2 2 1 1 -> spatial soft-argmax -> keypoints
    pose = linear(keypoints)                            the gripper's final pose
    keypoints, pose, robot state, bias transform -> 3 fully connected -> mixture density over actions
    L_psi = |conv1d(conv1d(conv1d(hidden activations along the video)))|^2, scaled, one step, clipped

Source: Yu et al. 2018, arXiv 1802.01557: temporal adaptation loss, strides, predicted pose, mixture density, bias
transform. Where the paper leaves a number open, it is that of the authors' published simulation code for MIL: 5 x 5
kernels, 16 channels, kernels of 10 and 32 channels in time, step 0.01, clip 10, loss scale 50^2, a first fully
connected layer of its own for the video, whose robot state is zeroed.

`paper` is that, with one tap more in time, so that lengths stay. `small` is what learns on a CPU: the same network and
loss on smaller and fewer images, of the first part of a demonstration, with learned inner rates. Its outer loss weighs
the pose more, which is the simulator's goal, and has one question while the learned loss warms up: where in the first
frame of the video does the adapted policy's first feature map see the goal? `seeing` is `small`, and its learned loss
also sees where the feature maps look.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.adap_net import LOG_SCALE
from agents.imitation import Imitator, encode
from agents.layers import conv1d, conv2d, grid, init_conv, init_linear, linear
from agents.meta_net import BIAS_TRANSFORM
from agents.methods.head import with_question
from agents.view import REACHING, Sizes, View, known
from daml import MetaLearner, MetaParams, OuterLoss, Params, adapt, gradient_descent, learned
from demos.distribution import Wanted

STRIDES = (2, 2, 2, 1, 1)
CHANNELS = 16
KERNEL = 5
HIDDEN = 200
MIXTURES = 20
TIME_KERNEL = 10
TIME_CHANNELS = 32
LOSS_SCALE = 50.0**2
RATE = 0.01
CLIP = 10.0
POSE_WEIGHT = 0.1
SMALL_POSE_WEIGHT = 1.0
EARLY = 0.6
"""Of a demonstration, that `small` imitates: late images tell by themselves what the robot is about to do."""


Watch = Callable[[Params, View], Tensor]
"""(theta, video) -> what the learned loss looks at, [frames, ...]."""


class Mixture(NamedTuple):
    """A mixture of diagonal Gaussians over actions: log_weight [n, k], mean and log_std [n, k, action]."""

    log_weight: Tensor
    mean: Tensor
    log_std: Tensor


class Adapted(NamedTuple):
    """theta: the whole policy, adapted.  log_asked: [1, cells], where it sees the goal in the video's first frame."""

    theta: Params
    log_asked: Tensor


def init(sizes: Sizes, generator: torch.Generator) -> MetaParams:
    """Meta-parameters: theta (the whole policy) and psi (the learned loss). The inner rate is not learned."""
    return {"theta": init_policy(generator, sizes), "psi": init_loss(generator)}


def init_small(sizes: Sizes, generator: torch.Generator, *, watched: int = HIDDEN) -> MetaParams:
    """The same, with inner rates that are learned, one for each tensor of theta; watched: numbers that psi looks at."""
    theta = init_policy(generator, sizes)
    rates = {name: torch.tensor(RATE) for name in theta}
    return {"theta": theta, "psi": init_loss(generator, watched), "rates": rates}


def init_policy(generator: torch.Generator, sizes: Sizes) -> Params:
    """theta: the whole policy."""
    params: Params = {}
    for i in range(len(STRIDES)):
        init_conv(params, f"conv{i}", 3 if i == 0 else CHANNELS, CHANNELS, (KERNEL, KERNEL), generator)
        params[f"norm{i}.w"], params[f"norm{i}.b"] = torch.ones(CHANNELS, 1, 1), torch.zeros(CHANNELS, 1, 1)
    params["bias_transform"] = torch.zeros(BIAS_TRANSFORM)
    init_linear(params, "pose", 2 * CHANNELS, 3 * sizes.points, generator, gain=0.1)
    for first in ("act1", "watch1"):
        init_linear(params, first, 2 * CHANNELS + 3 * sizes.points + sizes.state + BIAS_TRANSFORM, HIDDEN, generator)
    init_linear(params, "fc2", HIDDEN, HIDDEN, generator)
    init_linear(params, "fc3", HIDDEN, MIXTURES * (1 + 2 * sizes.action), generator, gain=0.1)
    return params


def init_loss(generator: torch.Generator, inputs: int = HIDDEN) -> Params:
    """psi: the learned loss over so many numbers of each frame."""
    params: Params = {}
    # Odd kernels keep the length: one tap more than the published ten.
    init_conv(params, "time1", inputs, TIME_CHANNELS, (TIME_KERNEL + 1,), generator)
    init_conv(params, "time2", TIME_CHANNELS, TIME_CHANNELS, (TIME_KERNEL + 1,), generator)
    init_conv(params, "time3", TIME_CHANNELS, TIME_CHANNELS, (1,), generator, gain=0.1)
    return params


def perceive(_: MetaParams, images: Tensor) -> Tensor:
    """uint8 [n, H, W, 3] -> images in [-1, 1] [n, 3, H, W]: nothing is shared."""
    return (images.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()


def convolve(theta: Params, images: Tensor) -> Tensor:
    """[n, 3, H, W] -> feature maps [n, CHANNELS, H / 8, W / 8]."""
    x = images
    for i, stride in enumerate(STRIDES):
        x = conv2d(theta, f"conv{i}", x, stride)
        x = F.layer_norm(x, x.shape[1:]) * theta[f"norm{i}.w"] + theta[f"norm{i}.b"]
        x = F.relu(x)
    return x


def keypoints(maps: Tensor) -> Tensor:
    """[n, CHANNELS, h, w] -> [n, 2 * CHANNELS]: the expected position in each feature map (Levine et al. 2016)."""
    height, width = maps.shape[-2:]
    return (maps.flatten(-2).softmax(-1) @ grid(height, width, like=maps)).flatten(-2)


def hidden(theta: Params, maps: Tensor, state: Tensor, first: str) -> tuple[Tensor, Tensor]:
    """The policy from its feature maps to its last hidden layer, through the first layer for acting ("act1") or
    watching ("watch1").

    Returns:
        Hidden activations [n, HIDDEN] and the predicted poses [n, 3 * places].
    """
    points = keypoints(maps)
    pose = linear(theta, "pose", points)
    constant = theta["bias_transform"].expand(len(points), -1)
    x = F.relu(linear(theta, first, torch.cat([points, pose, state, constant], -1)))
    return F.relu(linear(theta, "fc2", x)), pose


def watch(theta: Params, video: View) -> Tensor:
    """What the learned loss looks at: hidden activations [frames, HIDDEN]."""
    return hidden(theta, convolve(theta, video.seen), video.state, "watch1")[0]


def watch_seeing(theta: Params, video: View) -> Tensor:
    """The same, and where each feature map sees something, how clearly, and how much the first one would look there in
    the first frame: [frames, HIDDEN + 4 * CHANNELS]."""
    maps = convolve(theta, video.seen)
    cells = maps.flatten(-2)
    attention = cells.softmax(-1)
    looks = torch.einsum("tkc,c->tk", attention, cells[0, 0].log_softmax(-1)) / LOG_SCALE
    activations = hidden(theta, maps, video.state, "watch1")[0]
    return torch.cat([activations, keypoints(maps), (attention * cells).sum(-1), looks], -1)


def temporal_loss(psi: Params, activations: Tensor) -> Tensor:
    """Activations along the video [frames, inputs] -> scalar."""
    x = F.relu(conv1d(psi, "time1", activations.T[None]))
    x = F.relu(conv1d(psi, "time2", x))
    return LOSS_SCALE * conv1d(psi, "time3", x).square().mean()


def adapt_all(inner_steps: int, meta: MetaParams, video: View, *, watch: Watch = watch) -> Adapted:
    """Steps of the learned loss on the frames of a video, on every parameter of the policy."""
    inner = learned(watch, temporal_loss, meta["psi"])
    rule = gradient_descent(meta.get("rates", RATE), clip=CLIP)
    theta = adapt(meta["theta"], video, loss=inner, rule=rule, n_steps=inner_steps)
    return Adapted(theta, convolve(theta, video.seen[:1])[0, :1].flatten(1).log_softmax(1))


def value(meta: MetaParams, video: View, *, watch: Watch = watch) -> Tensor:
    """The learned loss of the policy that has not adapted yet."""
    return temporal_loss(meta["psi"], watch(meta["theta"], video))


def predict(adapted: Adapted, inputs: View) -> dict[str, Tensor]:
    """The most likely component's mean as the action, the mixture for the outer loss, and the final pose."""
    x, pose = hidden(adapted.theta, convolve(adapted.theta, inputs.seen), inputs.state, "act1")
    mixture = linear(adapted.theta, "fc3", x)
    logits, mean, log_std = mixture[:, :MIXTURES], *mixture[:, MIXTURES:].chunk(2, -1)
    mean, log_std = mean.unflatten(-1, (MIXTURES, -1)), log_std.unflatten(-1, (MIXTURES, -1)).clamp(-4, 2)
    best = F.one_hot(logits.argmax(-1), MIXTURES).to(mean)
    action = torch.einsum("nk,nka->na", best, mean)
    return {
        "action": action,
        "pose": pose.unflatten(-1, (-1, 3)),
        "log_weight": F.log_softmax(logits, -1),
        "mean": mean,
        "log_std": log_std,
        "log_asked": adapted.log_asked,
    }


def outer_loss(hint: float, pose_weight: float = POSE_WEIGHT) -> OuterLoss:
    """Negative log-likelihood of the demonstrated actions, and the squared error of the final pose; while `hint` > 0
    also where in the video's first frame the goal is."""

    def loss(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> dict[str, Tensor]:
        mixture = Mixture(outputs["log_weight"], outputs["mean"], outputs["log_std"])
        cloning = -log_likelihood(mixture, targets["action"]).mean()
        goal, has_point = known(targets["pose"])
        pose = ((outputs["pose"] - goal).square() * has_point).sum(-1).mean()
        scalars = {"loss": cloning + pose_weight * pose, "cloning": cloning, "pose": pose}
        return with_question(hint, scalars, outputs, targets)

    return loss


def log_likelihood(mixture: Mixture, action: Tensor) -> Tensor:
    """Log density of actions [n, action], of those of their numbers that are known, under a mixture: [n]."""
    action, has_action = known(action)
    z = (action[:, None] - mixture.mean) * (-mixture.log_std).exp()
    log_2pi = torch.log(torch.tensor(2 * torch.pi, dtype=z.dtype, device=z.device))
    component = -((0.5 * z.square() + mixture.log_std + 0.5 * log_2pi) * has_action[:, None]).sum(-1)
    return (mixture.log_weight + component).logsumexp(-1)


def paper(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The method as published; with zero inner steps it is the policy without adaptation."""
    return Imitator(
        learner=MetaLearner(
            partial(init, sizes), partial(adapt_all, inner_steps), predict, partial(encode, perceive, units=sizes.units)
        ),
        perceive=perceive,
        sizes=sizes,
        outer_loss=outer_loss,
        wanted=Wanted(frames=20, states=8, pose="end"),
        size=100,
        learned_loss=value,
    )


def small(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """The method at a size that a CPU trains."""
    usual = paper(inner_steps, sizes)
    return usual._replace(
        learner=usual.learner._replace(init=partial(init_small, sizes)),
        outer_loss=partial(outer_loss, pose_weight=SMALL_POSE_WEIGHT),
        wanted=Wanted(frames=10, states=4, until=EARLY),
        size=64,
    )


def seeing(inner_steps: int = 1, sizes: Sizes = REACHING) -> Imitator:
    """`small`, whose learned loss also sees where the feature maps look."""
    usual = small(inner_steps, sizes)
    learner = usual.learner._replace(
        init=partial(init_small, sizes, watched=HIDDEN + 4 * CHANNELS),
        adapt=partial(adapt_all, inner_steps, watch=watch_seeing),
    )
    return usual._replace(learner=learner, learned_loss=partial(value, watch=watch_seeing))
