"""Few-shot classification: episodes over classes of images, and the convolutional network that learns from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from daml.adapt import trajectory
from daml.errors import MetaLearningError
from daml.folders import visible
from daml.losses import supervised
from daml.lstm import init_lstm, lstm_rule
from daml.rules import gradient_descent
from daml.tasks.glyphs import glyphs
from daml.types import Example, MetaLearner, MetaParams, Params, Rule, Task

Classes = list[np.ndarray]
"""One array of images for each class: uint8 [examples, height, width, channels]."""


@dataclass(frozen=True)
class Episodes:
    """The task distribution: tell `ways` unseen classes apart from `shots` examples of each.

    Attributes:
        classes: the images.
        ways: classes in an episode.
        shots: labelled examples of each.
        n_query: examples of each to classify.
    """

    classes: Classes
    ways: int = 5
    shots: int = 1
    n_query: int = 5

    def __post_init__(self) -> None:
        needed, least = self.shots + self.n_query, min(map(len, self.classes), default=0)
        if len(self.classes) < self.ways or least < needed:
            got = f"{len(self.classes)} classes of at least {least} images"
            raise MetaLearningError("images for episodes", got, f"{self.ways} classes of {needed} or more")

    def sample(self, n_tasks: int, rng: np.random.Generator) -> Task:
        """Support and query: Example(images [n_tasks, images, H, W, C] in 0..1, labels [n_tasks, images])."""
        episodes = np.stack([self._episode(rng) for _ in range(n_tasks)])  # [tasks, examples, ways, H, W, C]
        return Task(self._examples(episodes[:, : self.shots]), self._examples(episodes[:, self.shots :]))

    def _episode(self, rng: np.random.Generator) -> np.ndarray:
        chosen = [self.classes[index] for index in rng.choice(len(self.classes), self.ways, replace=False)]
        n = self.shots + self.n_query
        return np.stack([images[rng.choice(len(images), n, replace=False)] for images in chosen], axis=1)

    def _examples(self, images: np.ndarray) -> Example:
        n_tasks, n_examples, ways = images.shape[:3]
        labels = torch.arange(ways).repeat(n_examples).expand(n_tasks, -1)
        return Example(pixels(images.reshape(n_tasks, n_examples * ways, *images.shape[3:])), labels)


@dataclass(frozen=True)
class AllClasses:
    """Ordinary classification of all classes at once, as tasks without adaptation: what `finetune` pretrains on."""

    classes: Classes
    n_images: int = 100

    def sample(self, n_tasks: int, rng: np.random.Generator) -> Task:
        """Query: Example(images [n_tasks, n_images, H, W, C], class numbers); the support is one of its images."""
        labels = rng.integers(len(self.classes), size=(n_tasks, self.n_images))
        images = np.stack([[rng.choice(self.classes[label]) for label in row] for row in labels])
        return Task(pixels(images[:, :1]), Example(pixels(images), torch.from_numpy(labels)))


def pixels(images: np.ndarray) -> Tensor:
    """uint8 -> float32 in 0..1."""
    return torch.from_numpy(images.astype(np.float32) / 255)


STRIDE, LAYERS = 2, 4


def init_conv4(generator: torch.Generator, side: int, channels: int, n_filters: int, ways: int) -> Params:
    """Weights of four convolutions and a linear layer that starts at zero."""
    params: Params = {}
    for layer in range(1, LAYERS + 1):
        n_in = 9 * (channels if layer == 1 else n_filters)
        params[f"w{layer}"] = torch.randn(n_in, n_filters, generator=generator) * math.sqrt(2 / n_in)
        params[f"scale{layer}"] = torch.ones(n_filters)
        params[f"offset{layer}"] = torch.zeros(n_filters)
    params["w"] = torch.zeros(feature_size(side, n_filters), ways)
    params["b"] = torch.zeros(ways)
    return params


def feature_size(side: int, n_filters: int) -> int:
    """Number of features of an image of this side."""
    for _ in range(LAYERS):
        side = math.ceil(side / STRIDE)
    return side * side * n_filters


def conv4(params: Params, images: Tensor) -> Tensor:
    """Images [n, H, W, C] -> logits [n, ways]."""
    return features(params, images) @ params["w"] + params["b"]


def features(params: Params, images: Tensor) -> Tensor:
    """Images [n, H, W, C] -> [n, features]."""
    x = images
    for layer in range(1, LAYERS + 1):
        x = patches(x) @ params[f"w{layer}"]  # [n, H / 2, W / 2, filters]
        x = torch.relu(normalised(x) * params[f"scale{layer}"] + params[f"offset{layer}"])
    return x.flatten(1)


def patches(x: Tensor) -> Tensor:
    """The 3 x 3 neighbourhood of every second pixel: [n, H, W, C] -> [n, ceil(H / 2), ceil(W / 2), 9 C].

    A convolution is this and a matrix product. With weights that differ from task to task, `torch.func.vmap` makes that
    one batched product, where torch's own convolution would become a slow grouped one.
    """
    height, width = x.shape[1:3]
    x = torch.nn.functional.pad(x, (0, 0, 1, 1, 1, 1))
    shifted = [x[:, i : i + height : STRIDE, j : j + width : STRIDE] for i in range(3) for j in range(3)]
    return torch.cat(shifted, dim=-1)


def normalised(x: Tensor) -> Tensor:
    """Layer norm: every image by its own mean and variance, so that no image of a batch tells about another.

    Batch norm would let the query images of an episode see each other (transductive), which the published numbers do.
    """
    variance, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True, correction=0)
    return (x - mean) * torch.rsqrt(variance + 1e-5)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log-probability of the labels; written out, as it is differentiated twice under vmap."""
    return -logits.log_softmax(dim=-1).gather(-1, labels[..., None]).mean()


def outer_loss(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Cross-entropy averaged over the inner steps but the zeroth, and the accuracy after the last.

    Args:
        logits: [inner steps + 1, images, ways].
        labels: [images].

    Source: Antoniou et al. 2019, arXiv 1810.09502, section 4 (multi-step loss).
    """
    steps = logits[1:] if len(logits) > 1 else logits
    loss = cross_entropy(steps, labels.expand(len(steps), -1))
    return {"loss": loss, "accuracy": accuracy_of(logits, labels)[-1]}


def accuracy_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Fraction of images classified right after every number of steps: [steps + 1]."""
    return (logits.argmax(dim=-1) == labels).float().mean(dim=-1)


def gradient_rule(meta: MetaParams) -> Rule:
    """Gradient descent with learned rates, differentiated twice."""
    return gradient_descent(meta["rule"])


def recurrent_rule(meta: MetaParams) -> Rule:
    """The LSTM, differentiated exactly. Its paper ignores second derivatives; the features need them."""
    return lstm_rule(meta["rule"])


RULES = {"gradient": gradient_rule, "lstm": recurrent_rule}


def make_learner(
    *, rule: str, n_steps: int, side: int, channels: int, ways: int, n_filters: int = 32, rate: float = 0.1
) -> MetaLearner:
    """Conv-4, adapted on the labels of the support; `predict` gives the logits after every number of inner steps.

    Args:
        rule: a key of RULES.
        n_steps: inner steps.
        side, channels: of the images.
        ways: classes in an episode.
        n_filters: of every convolution.
        rate: what the learned rates, or the LSTM's input gate, start at.
    """

    def init(generator: torch.Generator) -> MetaParams:
        theta = init_conv4(generator, side, channels, n_filters, ways)
        rates = {name: torch.tensor(rate) for name in theta}
        return {"theta": theta, "rule": init_lstm(generator, rate=rate) if rule == "lstm" else rates}

    def adapt_to(meta: MetaParams, support: Example) -> list[Params]:
        loss = supervised(conv4, cross_entropy)
        return trajectory(meta["theta"], support, loss=loss, rule=RULES[rule](meta), n_steps=n_steps)

    def predict(passed: list[Params], images: Tensor) -> Tensor:
        return torch.stack([conv4(params, images) for params in passed])

    return MetaLearner(init, adapt_to, predict)


def pretraining(learner: MetaLearner, n_classes: int) -> MetaLearner:
    """The same network as an ordinary classifier of `n_classes`: no adaptation, a wider last layer of its own."""

    def init(generator: torch.Generator) -> MetaParams:
        meta = learner.init(generator)
        n_features = len(meta["theta"]["w"])
        return meta | {"classifier": {"w": torch.zeros(n_features, n_classes), "b": torch.zeros(n_classes)}}

    def adapt_to(meta: MetaParams, support: Tensor) -> Params:
        return meta["theta"] | meta["classifier"]

    def predict(params: Params, images: Tensor) -> Tensor:
        return conv4(params, images)[None]

    return MetaLearner(init, adapt_to, predict)


def load_classes(data: str, split: str, root: Path | None, seed: int = 0) -> Classes:
    """The images of one split.

    Args:
        data: "glyphs", or "omniglot" or "miniimagenet" in the published folders under `root`.
        split: "train", "validation" or "test".
        root: the folder of the data.
        seed: of the glyphs.

    Raises:
        MetaLearningError: the folder is missing or laid out otherwise; the message says how it should be.
    """
    if data == "glyphs":
        return list(glyphs(split, N_GLYPHS[split], 20, seed))
    if root is None:
        raise MetaLearningError(f"folder of {data}", "none", LAYOUTS[data])
    return (omniglot if data == "omniglot" else miniimagenet)(Path(root), split)


N_GLYPHS = {"train": 1000, "validation": 100, "test": 400}
"""Classes in every split."""

LAYOUTS = {
    "omniglot": "ROOT/images_background/ALPHABET/CHARACTER/*.png and ROOT/images_evaluation/ALPHABET/CHARACTER/*.png",
    "miniimagenet": "ROOT/train/CLASS/*.jpg, ROOT/val/CLASS/*.jpg and ROOT/test/CLASS/*.jpg",
}
"""The folders as they are published."""

HELD_BACK = 5
"""Every fifth class of Omniglot's background set is for validation; its evaluation set is the test."""


def omniglot(root: Path, split: str) -> Classes:
    """Omniglot, 28 x 28, ink is 255; training classes also rotated by quarter turns, as classes of their own."""
    half = root / ("images_evaluation" if split == "test" else "images_background")
    folders = folders_in(half, "*/*", "omniglot")
    if split != "test":
        folders = [f for i, f in enumerate(folders) if (i % HELD_BACK == 0) == (split == "validation")]
    classes = [255 - read_images(folder, "*.png", 28, "L", "omniglot") for folder in folders]
    turns = range(4 if split == "train" else 1)
    return [np.rot90(images, turn, axes=(1, 2)) for images in classes for turn in turns]


def miniimagenet(root: Path, split: str) -> Classes:
    """mini-ImageNet, 84 x 84 in colour, split by folders."""
    folders = folders_in(root / {"validation": "val"}.get(split, split), "*", "miniimagenet")
    return [read_images(folder, "*.jpg", 84, "RGB", "miniimagenet") for folder in folders]


def folders_in(root: Path, pattern: str, data: str) -> list[Path]:
    """The folders of the classes, sorted."""
    folders = [path for path in visible(root, pattern) if path.is_dir()]
    if not folders:
        raise MetaLearningError(f"folder of {data}", f"no classes in {root}", LAYOUTS[data])
    return folders


def read_images(folder: Path, pattern: str, side: int, mode: str, data: str) -> np.ndarray:
    """All images of a folder: uint8 [images, side, side, channels]."""
    from PIL import Image, UnidentifiedImageError

    paths = visible(folder, pattern)
    if not paths:
        raise MetaLearningError(f"folder of {data}", f"no {pattern} in {folder}", LAYOUTS[data])
    images = []
    for path in paths:
        try:
            with Image.open(path) as image:
                images.append(np.asarray(image.convert(mode).resize((side, side), Image.Resampling.BILINEAR)))
        except (OSError, UnidentifiedImageError) as error:
            raise MetaLearningError(f"image {path}", error, "a readable image") from error
    return np.stack(images).reshape(len(images), side, side, -1)
