"""Few-shot classification: glyphs, episodes, the network, and the published folders."""

import numpy as np
import pytest
import torch
from PIL import Image

from daml import Example, MetaLearningError, TrainState, loop_tasks, meta_grad, meta_step
from daml.tasks.fewshot import (
    AllClasses,
    Episodes,
    accuracy_of,
    conv4,
    cross_entropy,
    features,
    init_conv4,
    load_classes,
    make_learner,
    normalised,
    outer_loss,
    patches,
    pretraining,
)
from daml.tasks.glyphs import SIDE, Hand, glyphs


def rng():
    return np.random.default_rng(0)


def numbered_classes(n_classes=7, n_examples=9):
    """Images that say which they are: the first pixel is the class, the second the example."""
    images = np.zeros((n_classes, n_examples, 4, 4, 1), dtype=np.uint8)
    images[:, :, 0, 0, 0] = np.arange(n_classes)[:, None]
    images[:, :, 0, 1, 0] = np.arange(n_examples)
    return list(images)


def test_glyphs_are_the_same_for_a_seed_and_others_for_another_seed_or_split():
    drawn = glyphs("train", 3, 2, seed=1)
    assert drawn.shape == (3, 2, SIDE, SIDE, 1)
    assert drawn.dtype == np.uint8
    assert np.array_equal(drawn, glyphs("train", 3, 2, seed=1))
    others = [glyphs("train", 3, 2, seed=2), glyphs("test", 3, 2, seed=1), glyphs("validation", 3, 2, seed=1)]
    assert not any(np.array_equal(drawn[i, 0], other[i, 0]) for other in others for i in range(3))


def test_more_classes_begin_with_the_same_ones():
    assert np.array_equal(glyphs("train", 2, 2, seed=1), glyphs("train", 5, 2, seed=1)[:2])


def test_a_steady_hand_draws_the_same_character_again():
    steady = Hand(wobble=0, angle=0, scale=0, shear=0, shift=0, radius=(0.03, 0.03))
    one, two = glyphs("train", 1, 2, seed=0, hand=steady)[0]
    assert np.array_equal(one, two)
    one, two = glyphs("train", 1, 2, seed=0)[0]
    assert not np.array_equal(one, two)


def test_every_glyph_has_ink_inside_the_image_and_no_flood():
    coverage = glyphs("train", 60, 5, seed=3).mean(axis=(2, 3, 4)) / 255
    assert coverage.min() > 0.01
    assert coverage.max() < 0.4


def test_an_episode_has_each_way_in_order_and_no_image_twice():
    tasks = Episodes(numbered_classes(), ways=3, shots=2, n_query=4).sample(5, rng())
    assert tasks.support.inputs.shape == (5, 6, 4, 4, 1)
    assert tasks.query.inputs.shape == (5, 12, 4, 4, 1)
    for task in range(5):
        images = torch.cat([tasks.support.inputs[task], tasks.query.inputs[task]])
        labels = torch.cat([tasks.support.targets[task], tasks.query.targets[task]])
        classes = (images[:, 0, 0, 0] * 255).round().long().tolist()
        examples = (images[:, 0, 1, 0] * 255).round().long().tolist()
        assert len(set(zip(labels.tolist(), classes, strict=True))) == 3
        assert len(set(classes)) == 3
        assert len(set(zip(classes, examples, strict=True))) == len(images)
    assert tasks.support.targets[0].bincount().tolist() == [2, 2, 2]


def test_too_few_classes_or_images_are_an_error():
    with pytest.raises(MetaLearningError, match="got 7 classes of at least 9 images; allowed: 5 classes of 21"):
        Episodes(numbered_classes(), shots=1, n_query=20)
    with pytest.raises(MetaLearningError, match="allowed: 8 classes"):
        Episodes(numbered_classes(), ways=8)
    with pytest.raises(MetaLearningError, match="got 0 classes"):
        Episodes([])


@pytest.mark.parametrize("side", [4, 7, 28])
def test_patches_and_a_product_are_a_strided_convolution(side):
    x, w = torch.randn(2, side, side, 3).double(), torch.randn(5, 3, 3, 3).double()
    expected = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), w, stride=2, padding=1).permute(0, 2, 3, 1)
    torch.testing.assert_close(patches(x) @ w.permute(2, 3, 1, 0).reshape(27, 5), expected)


def test_no_image_of_a_batch_tells_about_another():
    params = init_conv4(torch.Generator().manual_seed(0), 28, 1, 8, 5)
    images = torch.rand(4, 28, 28, 1)
    alone = torch.cat([features(params, image[None]) for image in images])
    torch.testing.assert_close(features(params, images), alone)
    changed = images.clone()
    changed[3] = 0
    assert torch.equal(features(params, images)[:3], features(params, changed)[:3])


def test_the_norm_is_layer_norm():
    x = torch.randn(3, 5, 5, 4)
    torch.testing.assert_close(normalised(x), torch.nn.functional.layer_norm(x, (5, 5, 4)), atol=1e-5, rtol=1e-5)


def test_cross_entropy_is_torchs():
    logits, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    torch.testing.assert_close(cross_entropy(logits, labels), torch.nn.functional.cross_entropy(logits, labels))


def test_the_outer_loss_averages_the_steps_but_the_zeroth():
    logits, labels = torch.randn(4, 6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    expected = torch.stack([torch.nn.functional.cross_entropy(step, labels) for step in logits[1:]]).mean()
    torch.testing.assert_close(outer_loss(logits, labels)["loss"], expected)
    sure = torch.nn.functional.one_hot(labels, 5).float()[None]
    assert outer_loss(sure, labels)["accuracy"] == 1
    assert accuracy_of(sure, (labels + 1) % 5).tolist() == [0]


@pytest.mark.parametrize("rule", ["gradient", "lstm"])
def test_vmap_equals_loop_and_every_group_is_trained(rule):
    learner = make_learner(rule=rule, n_steps=2, side=28, channels=1, ways=5, n_filters=4)
    meta = learner.init(torch.Generator().manual_seed(0))
    for params in meta.values():
        for tensor in params.values():
            tensor.requires_grad_()
    tasks = Episodes(list(glyphs("train", 8, 6, seed=0)), n_query=3).sample(2, rng())
    vmapped, metrics = meta_grad(meta, tasks, learner=learner, outer_loss=outer_loss)
    looped, same = meta_grad(meta, tasks, learner=learner, outer_loss=outer_loss, map_tasks=loop_tasks)
    torch.testing.assert_close(vmapped, looped, rtol=2e-3, atol=2e-5)
    torch.testing.assert_close(metrics, same)
    assert all(any(gradient.abs().max() > 0 for gradient in params.values()) for params in vmapped.values())


def test_inner_steps_fit_the_support():
    learner = make_learner(rule="gradient", n_steps=8, side=28, channels=1, ways=5, n_filters=8)
    meta = learner.init(torch.Generator().manual_seed(0))
    support = Episodes(list(glyphs("train", 8, 6, seed=0)), n_query=1).sample(1, rng()).support
    support = Example(support.inputs[0], support.targets[0])
    logits = learner.predict(learner.adapt(meta, support), support.inputs)
    assert accuracy_of(logits, support.targets)[-1] == 1


def test_pretraining_learns_all_classes_and_leaves_the_few_shot_layer_alone():
    classes = list(glyphs("train", 6, 10, seed=0))
    learner = pretraining(make_learner(rule="gradient", n_steps=1, side=28, channels=1, ways=5, n_filters=8), 6)
    meta = learner.init(torch.Generator().manual_seed(0))
    learned = [*meta["theta"].values(), *meta["classifier"].values()]
    state = TrainState(meta, torch.optim.Adam(learned, lr=0.01))
    accuracies = [
        meta_step(
            state, AllClasses(classes).sample(1, np.random.default_rng(step)), learner=learner, outer_loss=outer_loss
        )
        for step in range(25)
    ]
    assert accuracies[-1]["accuracy"] > 0.8 > 0.5 > accuracies[0]["accuracy"]
    assert torch.equal(meta["theta"]["w"], torch.zeros_like(meta["theta"]["w"]))


def test_conv4_gives_one_logit_a_way_for_any_side():
    for side in (28, 84):
        params = init_conv4(torch.Generator().manual_seed(0), side, 3, 4, 5)
        assert conv4(params, torch.rand(2, side, side, 3)).shape == (2, 5)


@pytest.fixture
def omniglot_root(tmp_path):
    for half in ("images_background", "images_evaluation"):
        for character in range(6):
            folder = tmp_path / half / "Alphabet" / f"character{character:02}"
            folder.mkdir(parents=True)
            for example in range(2):
                picture = np.full((105, 105), True)
                picture[:50, :50] = False
                Image.fromarray(picture).save(folder / f"{character:04}_{example:02}.png")
    return tmp_path


@pytest.fixture
def miniimagenet_root(tmp_path):
    for split, n_classes in (("train", 3), ("val", 2), ("test", 4)):
        for index in range(n_classes):
            folder = tmp_path / split / f"n{index:08}"
            folder.mkdir(parents=True)
            Image.fromarray(np.full((84, 84, 3), 40 * index, dtype=np.uint8)).save(folder / "a.jpg")
    return tmp_path


def test_omniglot_is_read_as_published_with_rotations_in_training_only(omniglot_root):
    train, validation, test = (load_classes("omniglot", s, omniglot_root) for s in ("train", "validation", "test"))
    assert [len(split) for split in (train, validation, test)] == [4 * 4, 2, 6]
    assert train[0].shape == (2, 28, 28, 1)
    # Ink, which is black in the files, is bright here; each class turns by a quarter.
    corners = [
        (images[0, 0, 0, 0], images[0, -1, 0, 0], images[0, -1, -1, 0], images[0, 0, -1, 0]) for images in train[:4]
    ]
    assert corners == [(255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255)]


def test_miniimagenet_is_read_as_published(miniimagenet_root):
    splits = [load_classes("miniimagenet", s, miniimagenet_root) for s in ("train", "validation", "test")]
    assert [len(split) for split in splits] == [3, 2, 4]
    assert splits[0][1].shape == (1, 84, 84, 3)
    assert abs(int(splits[0][1].mean()) - 40) <= 1


def test_what_an_operating_system_leaves_in_a_folder_is_not_read(omniglot_root, miniimagenet_root):
    # Both data sets lie in one folder here.
    names = ("omniglot", "miniimagenet")
    before = [load_classes(name, split, omniglot_root) for name in names for split in ("train", "test")]
    for folder in [omniglot_root, *omniglot_root.rglob("*")]:
        if folder.is_dir():
            (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
            (folder / ".hidden" / ".hidden").mkdir(parents=True)
        else:
            folder.with_name(f"._{folder.name}").write_bytes(b"\0\5\x16\7")
    after = [load_classes(name, split, omniglot_root) for name in names for split in ("train", "test")]
    for old, new in zip(before, after, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))


@pytest.mark.parametrize("data", ["omniglot", "miniimagenet"])
def test_a_missing_or_wrong_folder_is_told_the_layout(tmp_path, data):
    layout = {"omniglot": "ROOT/images_background/ALPHABET", "miniimagenet": "ROOT/train/CLASS"}[data]
    (tmp_path / "something").mkdir()
    for root in (None, tmp_path, tmp_path / "missing"):
        with pytest.raises(MetaLearningError, match=f"folder of {data}: got .*; allowed: .*{layout}"):
            load_classes(data, "train", root)


def test_an_empty_class_and_a_broken_image_are_named(miniimagenet_root):
    image = miniimagenet_root / "train" / "n00000001" / "a.jpg"
    image.write_bytes(image.read_bytes()[:100])
    with pytest.raises(MetaLearningError, match=f"image {image}"):
        load_classes("miniimagenet", "train", miniimagenet_root)
    image.unlink()
    with pytest.raises(MetaLearningError, match=r"no \*.jpg in .*n00000001"):
        load_classes("miniimagenet", "train", miniimagenet_root)
