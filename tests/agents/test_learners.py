"""The policies as meta-learners: the mathematics that must hold whatever they have learned."""

import pytest
import torch
from random_tasks import N_TASKS, QUERY, VIDEO, some_meta, some_tasks, tasks_for

from agents import meta_net, proposal
from agents.methods import head, paper, pointer
from agents.presets import PRESETS, find_preset
from agents.view import REACHING, Sizes, View
from daml import Example, MetaParams, Params, Task, TrainState, loop_tasks, meta_grad, meta_step, vmap_tasks
from daml.meta_step import task_at

METHODS = (
    "fast",
    "temporal",
    "temporal-5",
    "anil",
    "both",
    "looking",
    "looking-both",
    "handed",
    "pointer",
    "replay",
    "paper",
    "paper-small",
    "paper-seeing",
    "blind",
    "linear",
    "first-order",
    "examples.my_loss:ends",
)
"""Presets that adapt by steps."""
LEARNED = tuple(preset for preset in METHODS if preset != "first-order")


@pytest.mark.parametrize("preset", [*PRESETS, "examples.my_loss:ends"])
def test_vmap_and_loop_give_the_same_meta_gradient(preset: str) -> None:
    imitator, meta = find_preset(preset).imitator(1), some_meta(preset)
    encoded = imitator.learner.encode(meta, tasks_for(imitator))
    encoded = torch.utils._pytree.tree_map(lambda leaf: leaf.detach().double(), encoded)
    meta = {g: {n: t.detach().double().requires_grad_() for n, t in params.items()} for g, params in meta.items()}
    learner = imitator.learner._replace(encode=lambda meta, tasks: tasks)
    options = {"learner": learner, "outer_loss": imitator.outer_loss(1.0)}
    mapped, _ = meta_grad(meta, encoded, map_tasks=vmap_tasks, **options)
    looped, _ = meta_grad(meta, encoded, map_tasks=loop_tasks, **options)
    for group, gradients in mapped.items():
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, looped[group][name], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("preset", LEARNED)
def test_the_learned_loss_gets_a_gradient_without_a_hint_and_without_labels(preset: str) -> None:
    imitator, meta = find_preset(preset).imitator(1), some_meta(preset)
    gradients, _ = meta_grad(meta, tasks_for(imitator), learner=imitator.learner, outer_loss=imitator.outer_loss(0.0))
    assert all(gradient.abs().sum() > 0 for gradient in gradients["psi"].values())


def test_the_first_order_method_never_trains_its_learned_loss() -> None:
    imitator, meta = PRESETS["first-order"].imitator(1), some_meta("first-order")
    gradients, _ = meta_grad(meta, some_tasks(), learner=imitator.learner, outer_loss=imitator.outer_loss(0.0))
    assert not any(gradient.any() for gradient in gradients["psi"].values())
    assert all(gradient.any() for gradient in gradients["trunk"].values() if gradient.numel())


@pytest.mark.parametrize("preset", ["attention", "contrastive", "contextual", "lstm"])
def test_a_baseline_that_does_not_adapt_trains_what_watches_the_video(preset: str) -> None:
    imitator, meta = find_preset(preset).imitator(0), some_meta(preset)
    gradients, _ = meta_grad(meta, some_tasks(), learner=imitator.learner, outer_loss=imitator.outer_loss(0.0))
    assert all(gradient.any() for gradient in gradients["psi"].values())


@pytest.mark.parametrize("inner_steps", [1, 2])
def test_of_anil_only_last_layers_adapt(inner_steps: int) -> None:
    learner, meta = PRESETS["anil"].imitator(inner_steps).learner, some_meta("anil")
    adapted = learner.adapt(meta, task_at(learner.encode(meta, some_tasks()), 0).support).head
    changed = {name for name, tensor in meta["theta"].items() if not torch.equal(adapted[name], tensor)}
    assert changed == {"query", "fc3.w", "fc3.b"} == meta["rates"].keys()


@pytest.mark.parametrize("preset", METHODS)
def test_without_inner_steps_the_video_does_not_matter(preset: str) -> None:
    imitator, meta = find_preset(preset).imitator(0), some_meta(preset)
    tasks = tasks_for(imitator)
    actions = []
    for video in (tasks.support, tasks.support.flip(0)):
        encoded = imitator.learner.encode(meta, tasks._replace(support=video))
        one = Task(*torch.utils._pytree.tree_map(lambda leaf: leaf[0], encoded))
        actions.append(imitator.learner.predict(imitator.learner.adapt(meta, one.support), one.query.inputs)["action"])
    assert torch.equal(*actions)


@pytest.mark.parametrize("preset", sorted(PRESETS.keys() - {"cloning"}))
def test_with_an_inner_step_the_video_matters(preset: str) -> None:
    imitator, meta = find_preset(preset).imitator(1), some_meta(preset)
    tasks = tasks_for(imitator)
    encoded = imitator.learner.encode(meta, tasks)
    first, other = (torch.utils._pytree.tree_map(lambda leaf, i=i: leaf[i], encoded) for i in (0, 1))
    actions = [
        imitator.learner.predict(imitator.learner.adapt(meta, task.support), first.query.inputs)["action"]
        for task in (first, other)
    ]
    assert not torch.allclose(*actions, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_what_an_environment_has_not_changes_no_gradient(preset: str) -> None:
    """NaN in a target is as if the policy had been right about that number."""
    sizes = Sizes(state=11, action=4, points=2)
    tasks = some_tasks()
    nan = torch.full((N_TASKS, QUERY, 1), torch.nan)
    inputs = tasks.query.inputs | {"state": torch.cat([tasks.query.inputs["state"], nan], -1)}
    targets = tasks.query.targets | {"action": torch.cat([tasks.query.targets["action"], nan], -1)}
    targets["pose"] = torch.cat([tasks.query.targets["pose"], torch.full((N_TASKS, 1, 1, 3), torch.nan)], 2)

    def gradients(inner_steps: int) -> MetaParams:
        imitator = find_preset(preset).imitator(inner_steps, sizes)
        meta = some_meta(preset, sizes=sizes)
        partly = Task(tasks.support, Example(inputs, targets))
        return meta_grad(meta, partly, learner=imitator.learner, outer_loss=imitator.outer_loss(0.0))[0]

    for params in gradients(1).values():
        assert all(gradient.isfinite().all() for gradient in params.values())
    last = gradients(0)["theta"]["fc3.b"]
    # Of the action's numbers; of the paper's first component.
    means = {"fast": last, "paper": last[paper.MIXTURES :]}[preset][:4]
    assert means[:3].all()
    assert not means[3].any()


def test_meta_gradients_of_the_paper_preset_equal_finite_differences() -> None:
    imitator = PRESETS["paper"].imitator(1)
    meta = {g: {n: t.detach().double() for n, t in params.items()} for g, params in some_meta("paper").items()}
    encoded = imitator.learner.encode(meta, some_tasks())
    task = torch.utils._pytree.tree_map(lambda leaf: leaf[0].double(), encoded)

    def loss(moved: MetaParams) -> torch.Tensor:
        adapted = imitator.learner.adapt(moved, task.support)
        return imitator.outer_loss(0.0)(imitator.learner.predict(adapted, task.query.inputs), task.query.targets)[
            "loss"
        ]

    for group, name in (("theta", "conv1.w"), ("theta", "watch1.w"), ("psi", "time1.w"), ("psi", "time3.w")):
        assert_derivative(loss, meta, group, name)


def test_meta_gradients_of_the_fast_preset_equal_finite_differences() -> None:
    sizes = Sizes(state=REACHING.state, action=3, points=2)
    imitator = PRESETS["fast"].imitator(1, sizes)
    meta = imitator.learner.init(torch.Generator().manual_seed(0))
    meta = {g: {n: t.double() for n, t in params.items()} for g, params in meta.items()}
    tasks = some_tasks()
    generator = torch.Generator().manual_seed(0)  # a draw that has no ReLU at its kink

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def seen(images: int) -> meta_net.Seen:
        return meta_net.Seen(
            normal(images, meta_net.CHANNELS, 8, 8), normal(images, 2, 3, 8, 8), normal(images, 1, 64).log_softmax(-1)
        )

    view = View(seen(VIDEO), torch.zeros(VIDEO, REACHING.state).double())
    asked = View(seen(1), normal(QUERY, REACHING.state))
    targets = {name: value[0].double() for name, value in tasks.query.targets.items()} | {"pose": normal(1, 2, 3)}

    def loss(moved: MetaParams) -> torch.Tensor:
        adapted = imitator.learner.adapt(moved, view)
        return imitator.outer_loss(1.0)(imitator.learner.predict(adapted, asked), targets)["loss"]

    for group, name in (
        ("theta", "query"),
        ("theta", "fc1.w"),
        ("psi", "space1.w"),
        ("psi", "time1.w"),
        ("rates", "query"),
    ):
        assert_derivative(loss, meta, group, name)


def assert_derivative(loss, meta: MetaParams, group: str, name: str, step: float = 1e-6) -> None:
    """The derivative along a random direction, by autograd and by central differences."""
    tensor = meta[group][name]
    direction = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(3), dtype=tensor.dtype)

    def along(distance: float | torch.Tensor) -> torch.Tensor:
        return loss({**meta, group: {**meta[group], name: tensor + distance * direction}})

    zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (exact,) = torch.autograd.grad(along(zero), zero)
    numeric = (along(step) - along(-step)) / (2 * step)
    assert exact != 0
    torch.testing.assert_close(exact, numeric.detach(), rtol=1e-4, atol=1e-7)


def test_every_task_of_a_batch_contributes() -> None:
    imitator, meta = PRESETS["fast"].imitator(1), some_meta("fast")
    options = {"learner": imitator.learner, "outer_loss": imitator.outer_loss(0.0)}
    reference = meta_grad(meta, some_tasks(), **options)[0]["psi"]["space1.w"]
    for task in range(N_TASKS):
        changed = some_tasks()
        changed.support[task] = 255 - changed.support[task]
        assert not torch.allclose(meta_grad(meta, changed, **options)[0]["psi"]["space1.w"], reference)


def test_a_meta_step_with_the_fused_optimiser_equals_the_plain_one() -> None:
    """Gradients of convolutions come with channels last; a fused optimiser walks them in memory order."""
    stepped = []
    for fused in (False, True):
        imitator, meta = PRESETS["fast"].imitator(1), some_meta("fast")
        tensors = [tensor for params in meta.values() for tensor in params.values()]
        state = TrainState(meta, torch.optim.Adam(tensors, lr=1e-3, fused=fused))
        meta_step(state, some_tasks(), learner=imitator.learner, outer_loss=imitator.outer_loss(1.0))
        stepped.append(state.meta["trunk"]["conv1.w"].detach())
    torch.testing.assert_close(*stepped, rtol=1e-4, atol=1e-6)


def alone(features: torch.Tensor, points: torch.Tensor) -> meta_net.Seen:
    """What is seen where the video tells the only place: features and points [n, 3, h, w]."""
    return meta_net.Seen(features, points[:, None], torch.zeros(len(points), 0, points[0, 0].numel()))


def test_the_query_moves_towards_the_feature_that_the_loss_points_at() -> None:
    """Closed form: with a proposal at one cell, the step is rate * temperature * (feature there - mean feature)."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, meta_net.CHANNELS, 4, 4, generator=generator)
    head = meta_net.init_head(generator, REACHING)
    head["query"] = torch.zeros(meta_net.CHANNELS)
    view = View(alone(features, torch.zeros(1, 3, 4, 4)), torch.zeros(1, REACHING.state))

    def loss(query: torch.Tensor) -> torch.Tensor:
        return -meta_net.act({**head, "query": query}, view).log_attention[0, 0, 5]

    step = -torch.func.grad(loss)(head["query"])
    cells = features[0].flatten(1)
    torch.testing.assert_close(step, meta_net.TEMPERATURE * (cells[:, 5] - cells.mean(1)))


def attending(features: torch.Tensor, points: torch.Tensor) -> meta_net.Activations:
    """What the policy computes with a query along the first channel: [1, CHANNELS, h, w] and [1, 3, h, w]."""
    head = meta_net.init_head(torch.Generator().manual_seed(0), REACHING)
    head["query"] = torch.eye(meta_net.CHANNELS)[0]
    return meta_net.act(head, View(alone(features, points), torch.zeros(2, REACHING.state)))


def test_the_pose_never_lies_between_two_objects() -> None:
    features, points = torch.zeros(1, meta_net.CHANNELS, 12, 12), torch.zeros(1, 3, 12, 12)
    features[0, 0, 1, 1], points[0, :, 1, 1] = 1.2, 3.0  # a little more like the query
    features[0, 0, 9, 9], points[0, :, 9, 9] = 1.1, -3.0
    seen = attending(features, points)
    near = seen.log_attention.exp().unflatten(-1, (12, 12))[0, 0, :5, :5]
    assert seen.pose[0, 0, 0].item() == pytest.approx(3.0 * (near[1, 1] / near.sum()).item(), rel=1e-5)
    assert seen.pose[0, 0, 0] > 1


def test_one_image_serves_all_states() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, meta_net.CHANNELS, 4, 4, generator=generator)
    points = torch.randn(1, 3, 4, 4, generator=generator)
    one, two = attending(features, points), attending(features.expand(2, -1, -1, -1), points.expand(2, -1, -1, -1))
    torch.testing.assert_close(one.action, two.action)
    assert one.pose.shape == (1, 1, 3)


def test_the_density_of_poses_is_the_mixture_of_gaussians() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(1, 5, generator=generator).log_softmax(-1)
    means, pose = torch.randn(1, 5, 3, generator=generator), torch.randn(1, 3, generator=generator)
    spread = torch.tensor(0.4)
    gaussians = torch.distributions.Normal(means, spread).log_prob(pose[:, None]).sum(-1)
    expected = (weights + gaussians).logsumexp(-1) + 1.5 * torch.log(torch.tensor(2 * torch.pi))
    torch.testing.assert_close(meta_net.log_density(weights, means, spread.log(), pose), expected)


def test_mass_around_a_point_is_spread_over_the_nearest_cells() -> None:
    log_map = torch.full((16,), 1 / 16).log()
    assert head.log_mass_around(torch.tensor([0.4, 0.6]), log_map).exp().item() == pytest.approx(1 / 16, rel=1e-4)
    peaked = torch.full((16,), 1e-9)
    peaked[2 * 4 + 1] = 1.0  # row 2, column 1
    at_centre = torch.tensor([1.5 / 4, 2.5 / 4])
    assert head.log_mass_around(at_centre, peaked.log()).exp().item() == pytest.approx(1.0, rel=1e-3)
    assert head.log_mass_around(torch.tensor([0.9, 0.1]), peaked.log()).exp().item() < 1e-3


def test_the_mixture_density_integrates_to_one() -> None:
    mixture = paper.Mixture(
        torch.log(torch.tensor([[0.3, 0.7]])), torch.tensor([[[0.0] * 3, [0.5] * 3]]), torch.full((1, 2, 3), -0.5)
    )
    axis = torch.linspace(-4, 4, 61)
    points = torch.cartesian_prod(axis, axis, axis)
    density = paper.log_likelihood(paper.Mixture(*(t.expand(len(points), *t.shape[1:]) for t in mixture)), points).exp()
    assert density.sum().item() * (axis[1] - axis[0]).item() ** 3 == pytest.approx(1.0, abs=1e-3)


def test_the_pointer_does_what_the_gradient_step_of_the_spatial_loss_does() -> None:
    """The closed form of one step on the cross-entropy between proposal and attention: same query, same outputs."""
    meta = some_meta("pointer")
    encoded = PRESETS["pointer"].imitator(1).learner.encode(meta, some_tasks())
    meta = {g: {n: t.detach().double() for n, t in params.items()} for g, params in meta.items()}
    video = torch.utils._pytree.tree_map(lambda leaf: leaf[0].double(), encoded.support)

    def spatial(psi: Params, theta: Params, video: View, seen: meta_net.Activations) -> torch.Tensor:
        return proposal.spatial_loss(proposal.propose(psi, video.seen.features), seen.log_told)

    for inner_steps in (0, 1, 3):
        stepped = head.adapt_head(spatial, inner_steps, meta, video)
        read = pointer.read_out(inner_steps, meta, video)
        assert torch.equal(read.head["fc1.w"], meta["theta"]["fc1.w"])
        for name, tensor in read.head.items():
            torch.testing.assert_close(tensor, stepped.head[name], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(read.log_asked, stepped.log_asked)


def test_the_question_is_asked_of_the_adapted_policy_and_only_while_there_is_a_hint() -> None:
    for preset in METHODS:
        imitator, meta = find_preset(preset).imitator(1), some_meta(preset)
        options = {"tasks": tasks_for(imitator), "learner": imitator.learner}
        plain, silent = meta_grad(meta, outer_loss=imitator.outer_loss(0.0), **options)
        asked, scalars = meta_grad(meta, outer_loss=imitator.outer_loss(2.0), **options)
        assert "asked" not in silent
        torch.testing.assert_close(scalars["loss"], silent["loss"] + 2 * scalars["asked"])
        if preset != "first-order":  # the question teaches the learned loss, through the gradient step
            assert not all(torch.equal(plain["psi"][name], asked["psi"][name]) for name in plain["psi"])
