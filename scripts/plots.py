"""How every plot looks: one style, titles of axes with their units, lines at chance, a mark where the hint ends."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: Any = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "savefig.dpi": 120,
}
META_STEPS = "meta-training [meta-steps]"
SHARE = (-0.02, 1.02)
"""Limits of an axis of shares, which shows markers at 0 and 1 whole."""
CHANCE = 1 / 3
"""Of the right object: every set has three (`demos.tasks.N_OBJECTS`)."""


@contextmanager
def figure(width: float, height: float, columns: int = 1, sharey: bool = False) -> Iterator[tuple["Figure", Any]]:
    """A figure [inch] and its axes beside each other, and the style while they are drawn on."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(width, height), layout="constrained")
        yield drawn, drawn.subplots(1, columns, sharey=sharey, squeeze=False)[0]


def write(drawn: "Figure", path: Path) -> None:
    """Writes a PNG file into a folder that is made."""
    from daml.files import beside

    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as part:
        part.write_bytes(png(drawn))


def png(drawn: "Figure") -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png")
    return buffer.getvalue()


def chance(axes: "Axes", share: float, label: str, upright: bool = False) -> None:
    """A line at what happens by chance, on the axis of y, or an upright one on that of x."""
    draw = axes.axvline if upright else axes.axhline
    draw(share, color="0.5", linestyle=":", label=label)


def hint_end(axes: "Axes", step: int) -> None:
    """A mark at the meta-step from which on the outer loss is told no more; none where it never was, or is still."""
    if 0 < step <= axes.get_xlim()[1]:
        axes.axvline(step, color="0.3", linestyle="--", linewidth=1, label=f"the hint ends ({step})")


def success_curve(axes: "Axes", validated: Sequence[dict[str, Any]], hint_steps: int) -> None:
    """Success and right object on meta-validation tasks against meta-steps.

    Args:
        axes: to draw on.
        validated: each with "step", "val_success" and "val_nearest".
        hint_steps: when the hint ends, 0 for never told.
    """
    steps = [point["step"] for point in validated]
    for name, label in (("val_nearest", "right object"), ("val_success", "success")):
        axes.plot(steps, [point[name] for point in validated], marker="o", markersize=4, label=label)
    chance(axes, CHANCE, "chance, right object")
    hint_end(axes, hint_steps)
    axes.set(xlabel=META_STEPS, ylabel="meta-validation [share of tasks]", ylim=SHARE)
    axes.legend()


def error_curve(axes: "Axes", validated: Sequence[dict[str, Any]], hint_steps: int) -> None:
    """Error of actions on held-out sets against meta-steps, by what is shown.

    Args:
        axes: to draw on.
        validated: each with "step", "val_error" after the human's video, and more whose names begin so.
        hint_steps: when the hint ends, 0 for never told.
    """
    steps = [point["step"] for point in validated]
    for name in [name for name in validated[-1] if name.startswith("val_error")]:
        label = "human" if name == "val_error" else name.removeprefix("val_error ")
        axes.plot(steps, [point[name] for point in validated], marker="o", markersize=4, label=label)
    hint_end(axes, hint_steps)
    axes.set(xlabel=META_STEPS, ylabel="error of actions on held-out sets [scaled]")
    axes.legend()
