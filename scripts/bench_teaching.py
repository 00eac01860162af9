"""`daml bench teaching`: the first loop that everybody writes for DAML, and this package, to the same loss."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import plots
from scripts.bench_core import TOLERANCE, device_name
from scripts.common import console, write_json
from scripts.inputs import Count, Folder, Seed

if TYPE_CHECKING:
    import torch

    from daml import MetaLearner, MetaParams, Task, TrainState

HIDDEN, INNER_STEPS, RATE = 32, 5, 0.01
"""Of the teaching example: units, inner steps, inner step size."""
CURVES, LEARNING_RATE = 2, 1e-3
"""One curve of each phase in an iteration; Adam's step size."""
OUR_CURVES, OUR_STEPS = 64, 600
"""With all curves mapped at once, more of them cost little and let the optimiser take longer steps; these fall along a
cosine over so many meta-steps."""
MATRIX_RATE, VECTOR_RATE, BETAS = 0.04, 0.02, (0.9, 0.99)
"""Step sizes of Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) for matrices, and of Adam for the
rest."""
WINDOW = 50
"""Iterations over which a loss is averaged."""


@dataclass(frozen=True)
class BenchTeaching:
    """The teaching example: two curves opposite in phase, no labels, five inner steps of a learned loss, L1.

    Measures what its loop takes for an iteration, its loss after --iterations of them, and the time in which this
    package gets to that loss. Both compute the same meta-gradient, which is checked first. The loss after so many
    iterations is found by the same iterations compiled: the loop itself would take forty minutes.
    """

    iterations: Count = 100_000
    """Of the loop."""
    timed: Count = 200
    """Iterations of the loop that are timed."""
    points: Count = 10
    """Points shown of each curve."""
    seed: Seed = 0
    """Of initial weights and curves."""
    out: Folder = Path("runs/bench_teaching")
    """Folder for results.json and teaching.png."""

    def run(self) -> None:
        """Checks, times, prints, draws."""
        check(self)
        iteration = time_of_iteration(self)
        console.print(f"the loop: {1e3 * iteration:.1f} ms an iteration, {iteration * self.iterations:.0f} s for all")
        reference = curve(self)
        target = statistics.mean(reference[-10 * WINDOW :])
        console.print(f"its loss after {self.iterations} iterations: {target:.4f}")
        seconds, losses = reach(self, target)
        ratio = iteration * self.iterations / seconds[-1]
        reached = losses[-1] <= target
        console.print(
            f"daml: {losses[-1]:.4f} after {seconds[-1]:.1f} s, {len(losses)} meta-steps: 1/{ratio:.0f} of the time"
        )
        results = {
            "device": device_name("cpu"),
            "loop_iteration_seconds": iteration,
            "loop_seconds": iteration * self.iterations,
            "target": target,
            "seconds": seconds[-1],
            "meta_steps": len(losses),
            "reached": reached,
            "ratio": ratio,
        }
        write_json(self.out / "results.json", results)
        draw(self, iteration, reference, seconds, losses)
        console.print(f"{self.out}/results.json, teaching.png")


def curves(config: BenchTeaching, n_tasks: int, step: int) -> Task:
    """Curves whose x tell the phase, as in the teaching example; the labels of the support are not used."""
    import numpy as np

    from daml.tasks.sinusoid import FAMILIES, Sinusoids

    distribution = Sinusoids(FAMILIES["two-phase"], n_support=config.points, leak=True)
    return distribution.sample(n_tasks, np.random.default_rng([config.seed, step]))


def make_learner(learned_rates: bool) -> MetaLearner:
    """meta_net, adapted on adap_net over its activations at the x shown."""
    import torch

    from daml import MetaLearner, adapt, gradient_descent, learned
    from daml.tasks.sinusoid import activations, adap_net, init_adap_net, init_meta_net, meta_net

    def init(generator: torch.Generator) -> MetaParams:
        theta = init_meta_net(generator, 1, HIDDEN)
        rates = {name: torch.tensor(RATE) for name in theta} if learned_rates else {}
        return {"theta": theta, "psi": init_adap_net(generator, HIDDEN, HIDDEN), "rates": rates}

    def adapt_to(meta: MetaParams, support):
        rule = gradient_descent(meta["rates"] or RATE)
        loss = learned(activations, adap_net, meta["psi"])
        return adapt(meta["theta"], support.inputs, loss=loss, rule=rule, n_steps=INNER_STEPS)

    return MetaLearner(init, adapt_to, meta_net)


def outer_loss(outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Mean absolute error on the query."""
    from daml.tasks.sinusoid import l1

    return {"loss": l1(outputs, targets)}


def new_state(config: BenchTeaching, learner: MetaLearner) -> TrainState:
    """Initial weights, and Adam over them as in the loop."""
    import torch

    from daml import TrainState

    meta = learner.init(torch.Generator().manual_seed(config.seed))
    return TrainState(
        meta, torch.optim.Adam([t for params in meta.values() for t in params.values()], lr=LEARNING_RATE)
    )


def plain_loss(meta: MetaParams, tasks: Task) -> torch.Tensor:
    """The outer loss as the loop computes it: curve by curve, step by step, parameter by parameter."""
    import torch

    from daml.tasks.sinusoid import activations, adap_net, l1, meta_net

    losses = []
    for task in range(len(tasks.query.inputs)):
        phi = dict(meta["theta"])
        for _ in range(INNER_STEPS):
            loss = adap_net(meta["psi"], activations(phi, tasks.support.inputs[task]))
            gradients = torch.autograd.grad(loss, list(phi.values()), create_graph=True)
            phi = {name: phi[name] - RATE * g for name, g in zip(phi, gradients, strict=True)}
        losses.append(l1(meta_net(phi, tasks.query.inputs[task]), tasks.query.targets[task]))
    return torch.stack(losses).mean()


def check(config: BenchTeaching) -> None:
    """Loss and meta-gradient of the loop and of this package are the same."""
    import torch

    from daml import meta_grad

    learner = make_learner(learned_rates=False)
    meta, tasks = new_state(config, learner).meta, curves(config, CURVES, 0)
    gradients, metrics = meta_grad(meta, tasks, learner=learner, outer_loss=outer_loss)
    loss = plain_loss(meta, tasks)
    loss.backward()
    torch.testing.assert_close(metrics["loss"], loss.detach(), atol=TOLERANCE, rtol=TOLERANCE)
    for group in ("theta", "psi"):
        expected = {name: tensor.grad for name, tensor in meta[group].items()}
        torch.testing.assert_close(gradients[group], expected, atol=TOLERANCE, rtol=TOLERANCE)


def time_of_iteration(config: BenchTeaching) -> float:
    """Median seconds of one iteration of the loop: curves, loss, gradient, Adam."""
    state, seconds = new_state(config, make_learner(learned_rates=False)), []
    for step in range(config.timed):
        start = time.perf_counter()
        loss = plain_loss(state.meta, curves(config, CURVES, step))
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def curve(config: BenchTeaching) -> list[float]:
    """The loss of every iteration of the loop, by the same iterations compiled."""
    from daml import compiled, meta_step
    from scripts.progress import progress_bar

    learner = make_learner(learned_rates=False)
    state, objective, losses = new_state(config, learner), compiled(), []
    with progress_bar("iterations") as bar:
        job = bar.add_task("the loop's iterations, compiled", total=config.iterations, note="")
        for step in range(config.iterations):
            tasks = curves(config, CURVES, step)
            metrics = meta_step(state, tasks, learner=learner, outer_loss=outer_loss, objective=objective)
            losses.append(float(metrics["loss"]))
            if step % 100 == 0:
                bar.update(job, completed=step)
    return losses


def reach(config: BenchTeaching, target: float) -> tuple[list[float], list[float]]:
    """Meta-steps of this package until the averaged loss is at the target: seconds and averaged loss after each."""
    import torch

    from daml import meta_grad
    from daml.meta_step import named_tensors

    learner = make_learner(learned_rates=True)
    seconds: list[float] = []
    averages: list[float] = []
    losses: list[float] = []
    start = time.perf_counter()
    meta = learner.init(torch.Generator().manual_seed(config.seed))
    tensors = [tensor.requires_grad_() for params in meta.values() for tensor in params.values()]
    matrices = [tensor for tensor in tensors if tensor.ndim == 2 and min(tensor.shape) > 1]
    rest = [tensor for tensor in tensors if all(tensor is not matrix for matrix in matrices)]
    muon = torch.optim.Muon(matrices, lr=MATRIX_RATE, weight_decay=0)
    adam = torch.optim.Adam(rest, lr=VECTOR_RATE, betas=BETAS)
    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, rate_at) for optimizer in (muon, adam)]
    while len(losses) < WINDOW or (averages[-1] > target and len(losses) < 2 * OUR_STEPS):
        tasks = curves(config, OUR_CURVES, len(losses))
        gradients, metrics = meta_grad(meta, tasks, learner=learner, outer_loss=outer_loss)
        for (group, name), gradient in named_tensors(gradients):
            meta[group][name].grad = gradient
        torch.nn.utils.clip_grad_norm_(tensors, 1.0)
        for optimizer, schedule in zip((muon, adam), schedules, strict=True):
            optimizer.step()
            schedule.step()
        losses.append(float(metrics["loss"]))
        averages.append(statistics.mean(losses[-WINDOW:]))
        seconds.append(time.perf_counter() - start)
    return seconds, averages


def rate_at(step: int) -> float:
    """Share of the learning rate."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, step / OUR_STEPS))) + 1e-3


def draw(
    config: BenchTeaching, iteration: float, reference: list[float], seconds: list[float], losses: list[float]
) -> None:
    """Loss against time, both on logarithmic scales."""
    import numpy as np

    blocks = np.array(reference[: len(reference) // WINDOW * WINDOW]).reshape(-1, WINDOW).mean(1)
    with plots.figure(6, 3.6) as (figure, (axis,)):
        axis.plot(iteration * WINDOW * np.arange(1, len(blocks) + 1), blocks, label="plain loop")
        axis.plot(seconds, losses, label="daml")
        axis.set(xlabel="time [s]", ylabel="L1 on the query [no unit]", xscale="log", yscale="log")
        axis.legend()
        plots.write(figure, config.out / "teaching.png")
