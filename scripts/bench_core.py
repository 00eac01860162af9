"""`daml bench core`: meta-steps per second, ours and others', on the same mathematics."""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import plots
from scripts.common import console, find_device, write_json
from scripts.inputs import Count, Device, Folder, Natural

if TYPE_CHECKING:
    import torch

    from daml import MetaLearner, MetaParams, Params, Task

RATE = 0.01
"""Inner step size, the same for all; constant, because the others cannot learn it."""

TOLERANCE = 1e-5
"""Largest difference of loss and meta-gradient between two implementations of the same mathematics."""


@dataclass(frozen=True)
class BenchCore:
    """Second-order MAML on sinusoids, 1-40-40-1, 5 points shown and 10 asked for: meta-gradients per second.

    The implementations are checked to give the same loss and meta-gradient, and timed in turns in one process.
    torchopt and higher take part where they are installed: pip install '.[bench]'.
    """

    tasks: tuple[Count, ...] = (4, 25)
    """Meta-batch sizes."""
    inner_steps: tuple[Natural, ...] = (1, 5)
    """Numbers of inner steps."""
    rounds: Count = 15
    """Turns each implementation gets; the median is reported."""
    device: Device = "cpu"
    """Where."""
    compile: bool = True
    """Also time ours compiled; it takes a minute for every row of the table."""
    out: Folder = Path("runs/bench_core")
    """Folder for results.json and speed.png."""

    def run(self) -> None:
        """Checks, times, prints a table, draws it."""
        settled = replace(self, device=find_device(self.device))
        peak = peak_flops(settled.device)
        rows = [bench_row(settled, n, k, peak) for n in self.tasks for k in self.inner_steps]
        results = {"device": device_name(settled.device), "peak_gflops": peak / 1e9, "rows": rows}
        write_json(self.out / "results.json", results)
        draw(rows, self.out / "speed.png")
        console.print(f"{self.out}/results.json, speed.png")


@dataclass(frozen=True)
class Problem:
    """One meta-gradient to compute.

    theta: initial weights, leaves.
    tasks: the meta-batch.
    n_steps: inner steps.
    loss: (outputs, targets) -> scalar, inner and outer.
    """

    theta: Params
    tasks: Task
    n_steps: int
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


MetaGradient = Callable[[Problem], tuple["torch.Tensor", "Params"]]
"""Problem -> loss, gradient by name."""


def make_problem(n_tasks: int, n_steps: int, points: int, device: str) -> Problem:
    """Sinusoids, and initial weights."""
    import numpy as np
    import torch

    from daml.tasks.sinusoid import FAMILIES, Sinusoids, init_meta_net, mse

    curves = Sinusoids(FAMILIES["standard"], n_support=points)
    tasks = torch.utils._pytree.tree_map(lambda leaf: leaf.to(device), curves.sample(n_tasks, np.random.default_rng(0)))
    theta = init_meta_net(torch.Generator().manual_seed(0), 1)
    theta = {name: tensor.to(device).requires_grad_() for name, tensor in theta.items()}
    return Problem(theta, tasks, n_steps, mse)


def ours(problem: Problem, objective: Callable | None = None, map_tasks: Callable | None = None):
    """This package."""
    from daml import meta_grad, meta_loss, vmap_tasks

    learner, outer_loss = parts(problem)
    gradients, metrics = meta_grad(
        {"theta": problem.theta},
        problem.tasks,
        learner=learner,
        outer_loss=outer_loss,
        map_tasks=map_tasks or vmap_tasks,
        objective=objective or meta_loss,
    )
    return metrics["loss"], gradients["theta"]


def compiled_ours(problem: Problem) -> MetaGradient:
    """This package, compiled: the learner and the loss have to be the same objects at every call."""
    from daml import compiled, meta_grad

    learner, outer_loss = parts(problem)
    objective = compiled()

    def run(problem: Problem):
        meta = {"theta": problem.theta}
        gradients, metrics = meta_grad(meta, problem.tasks, learner=learner, outer_loss=outer_loss, objective=objective)
        return metrics["loss"], gradients["theta"]

    return run


def parts(problem: Problem) -> tuple[MetaLearner, Callable]:
    """The learner and the outer loss of a problem."""
    from daml import MetaLearner, adapt, gradient_descent, supervised
    from daml.tasks.sinusoid import meta_net

    inner, rule, n_steps, loss = (
        supervised(meta_net, problem.loss),
        gradient_descent(RATE),
        problem.n_steps,
        problem.loss,
    )

    def adapt_to(meta: MetaParams, support):
        return adapt(meta["theta"], support, loss=inner, rule=rule, n_steps=n_steps)

    def init(generator: torch.Generator) -> MetaParams:
        return {"theta": problem.theta}

    return MetaLearner(init, adapt_to, meta_net), lambda outputs, targets: {"loss": loss(outputs, targets)}


def plain_loop(problem: Problem):
    """The loop everybody writes first: task by task, step by step, parameter by parameter."""
    import torch

    from daml.tasks.sinusoid import meta_net

    theta, (support, query), losses = problem.theta, problem.tasks, []
    for task in range(len(query.inputs)):
        phi = dict(theta)
        for _ in range(problem.n_steps):
            loss = problem.loss(meta_net(phi, support.inputs[task]), support.targets[task])
            gradients = torch.autograd.grad(loss, list(phi.values()), create_graph=True)
            phi = {name: phi[name] - RATE * g for name, g in zip(phi, gradients, strict=True)}
        losses.append(problem.loss(meta_net(phi, query.inputs[task]), query.targets[task]))
    return finish(torch.stack(losses).mean(), theta)


def finish(loss, theta: Params):
    """Loss and its gradient by name."""
    import torch

    gradients = torch.autograd.grad(loss, list(theta.values()))
    return loss.detach(), dict(zip(theta, gradients, strict=True))


def as_module(theta: Params):
    """The same network as a torch module, for the libraries that patch modules."""
    import torch

    net = torch.nn.Sequential(
        torch.nn.Linear(1, 40), torch.nn.ReLU(), torch.nn.Linear(40, 40), torch.nn.ReLU(), torch.nn.Linear(40, 1)
    ).to(theta["w1"].device)
    linears = [module for module in net if isinstance(module, torch.nn.Linear)]
    with torch.no_grad():
        for layer, linear in enumerate(linears, start=1):
            linear.weight.copy_(theta[f"w{layer}"].T)
            linear.bias.copy_(theta[f"b{layer}"])
    return net


def by_name(gradients) -> Params:
    """Gradients of the module's parameters under our names and in our layout."""
    named: Params = {}
    for layer, (weight, bias) in enumerate(zip(gradients[::2], gradients[1::2], strict=True), start=1):
        named |= {f"w{layer}": weight.T, f"b{layer}": bias}
    return named


def with_higher(problem: Problem):
    """The library `higher`."""
    import torch

    higher = importlib.import_module("higher")
    net, (support, query), losses = as_module(problem.theta), problem.tasks, []
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    for task in range(len(query.inputs)):
        with higher.innerloop_ctx(net, optimizer, copy_initial_weights=False) as (functional, differentiable):
            for _ in range(problem.n_steps):
                differentiable.step(problem.loss(functional(support.inputs[task]), support.targets[task]))
            losses.append(problem.loss(functional(query.inputs[task]), query.targets[task]))
    loss = torch.stack(losses).mean()
    return loss.detach(), by_name(torch.autograd.grad(loss, list(net.parameters())))


def with_torchopt(problem: Problem):
    """The library `torchopt`."""
    import torch

    torchopt = importlib.import_module("torchopt")
    net, (support, query), losses = as_module(problem.theta), problem.tasks, []
    leaves = list(net.parameters())
    optimizer = torchopt.MetaSGD(net, lr=RATE)
    start = torchopt.extract_state_dict(net), torchopt.extract_state_dict(optimizer)
    for task in range(len(query.inputs)):
        for _ in range(problem.n_steps):
            optimizer.step(problem.loss(net(support.inputs[task]), support.targets[task]))
        losses.append(problem.loss(net(query.inputs[task]), query.targets[task]))
        torchopt.recover_state_dict(net, start[0])
        torchopt.recover_state_dict(optimizer, start[1])
    loss = torch.stack(losses).mean()
    return loss.detach(), by_name(torch.autograd.grad(loss, leaves))


def implementations(config: BenchCore, problem: Problem) -> dict[str, MetaGradient]:
    """Those that can run here."""
    from daml import loop_tasks

    found: dict[str, MetaGradient] = {"daml": ours, "daml, tasks in a loop": partial(ours, map_tasks=loop_tasks)}
    if config.compile:
        found["daml, compiled"] = compiled_ours(problem)
    found["plain loop"] = plain_loop
    for name, run in (("higher", with_higher), ("torchopt", with_torchopt)):
        if importlib.util.find_spec(name):
            found[name] = run
    return found


def timed(found: dict[str, MetaGradient], problem: Problem, rounds: int) -> dict[str, float]:
    """Median seconds of a meta-gradient by each, taken in turns, after a check that all compute the same."""
    import torch

    loss, gradients = plain_loop(problem)
    for name, run in found.items():
        for _ in range(2):
            other_loss, other = run(problem)
        torch.testing.assert_close(other_loss, loss, atol=TOLERANCE, rtol=TOLERANCE, msg=f"loss of {name}")
        torch.testing.assert_close(other, gradients, atol=TOLERANCE, rtol=TOLERANCE)
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, run in found.items():
            start = time.perf_counter()
            run(problem)
            if loss.is_cuda:
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def bench_row(config: BenchCore, n_tasks: int, n_steps: int, peak: float) -> dict:
    """One line of the table, printed as soon as it is known."""
    problem = make_problem(n_tasks, n_steps, 5, config.device)
    seconds = timed(implementations(config, problem), problem, config.rounds)
    floor = count_flops(problem) / peak
    console.print(f"{n_tasks} tasks, {n_steps} inner steps; floor of its matrix products {1e3 * floor:.3f} ms")
    for name, value in seconds.items():
        console.print(f"  {name:<24}{1e3 * value:9.2f} ms  {seconds['plain loop'] / value:6.1f} x the plain loop")
    return {"tasks": n_tasks, "inner_steps": n_steps, "floor_seconds": floor, "seconds": seconds}


def count_flops(problem: Problem) -> int:
    """Floating-point operations of the matrix products of one meta-gradient."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        plain_loop(problem)
    return counter.get_total_flops()


def peak_flops(device: str) -> float:
    """What this machine reaches in a large matrix product [operations / s]."""
    import torch

    n = 4096 if device == "cuda" else 1024
    a = torch.ones(n, n, device=device)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        product = a @ a
        float(product[0, 0])  # waits for the device
        seconds.append(time.perf_counter() - start)
    return 2 * n**3 / min(seconds)


def device_name(device: str) -> str:
    """The device in words."""
    import platform

    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def draw(rows: list[dict], path: Path) -> None:
    """Milliseconds of a meta-gradient, on a logarithmic scale."""
    import numpy as np

    names = list(rows[0]["seconds"])
    places, width = np.arange(len(rows)), 0.8 / len(names)
    problems = [f"{row['tasks']} tasks\n{row['inner_steps']} inner steps" for row in rows]
    with plots.figure(9, 4) as (figure, (axis,)):
        for index, name in enumerate(names):
            axis.bar(places + index * width, [1e3 * row["seconds"][name] for row in rows], width, label=name)
        axis.set_xticks(places + 0.4 - width / 2, problems)
        axis.set(xlabel="meta-batch", ylabel="one meta-gradient [ms]", yscale="log")
        axis.legend()
        plots.write(figure, path)
