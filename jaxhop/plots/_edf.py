"""Results side by side: which share of the trials came to which value."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxhop.plots import _canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result

_STEPS = 2000
_COLOURS = (
    _canvas.BLUE, _canvas.ORANGE, _canvas.GREEN, _canvas.RED, _canvas.PURPLE, _canvas.SKY,
    _canvas.BLACK,
)  # fmt: skip
_STYLES = ("-", "--", ":", "-.")


def edf(
    results: "Result | Sequence[Result] | Mapping[str, Result]", *, ax: "Axes | None" = None
) -> "Axes":
    """Draws the share of the trials that are at least as good as each value.

    This is the empirical distribution function. A curve that lies above another one belongs to the
    search, or the space, whose trials are better. Trials without a value count as never good
    enough, so that their curve ends below 1.

    Args:
        results: one result, several, or several by the names that they have in the legend.
        ax: where to draw. Default: a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if there is no result, or if some are minimised and others maximised.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import jaxhop
        >>> fn, space = lambda p: p["x"] ** 2, {"x": jaxhop.float(-1, 1)}
        >>> few, many = (jaxhop.search(fn, space, evaluations=n) for n in (32, 64))
        >>> ax = jaxhop.plots.edf({"few": few, "many": many})
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['few', 'many']
    """
    call = "jaxhop.plots.edf"
    named = _named(results)
    directions = {result.direction for result in named.values()}
    if len(directions) != 1:
        raise ValueError(
            f"`{call}`: there must be results of one direction, but got"
            f" {', '.join(sorted(directions)) or 'no result'}. Give those of one."
        )
    (direction,) = directions
    ax = _canvas.axes_for(ax, call)
    found = {
        name: (result.history["value"], result.history.usable) for name, result in named.items()
    }
    scale = _canvas.value_axis(
        ax.xaxis, np.concatenate([values[usable] for values, usable in found.values()]), direction
    )
    for number, (name, (values, usable)) in enumerate(found.items()):
        x, share = _curve(values[usable], len(values), direction, (scale.low, scale.high))
        ax.plot(
            x, share, drawstyle="steps-post" if direction == "min" else "steps-pre",
            color=_COLOURS[number % len(_COLOURS)], label=_canvas.plain(name),
            linestyle=_STYLES[number // len(_COLOURS) % len(_STYLES)],
        )  # fmt: skip
    ax.set_ylabel("share of trials at least as good")
    ax.set_ylim(-0.02, 1.02)
    ax.grid(alpha=0.3)
    if len(named) > 1:
        ax.legend(fontsize=8)
    return ax


def _named(results: "Result | Sequence[Result] | Mapping[str, Result]") -> "dict[str, Result]":
    if isinstance(results, Mapping):
        return {str(name): result for name, result in results.items()}
    if isinstance(results, Sequence):
        return {f"result {number}": result for number, result in enumerate(results)}
    return {"result": results}


def _curve(
    values: np.ndarray, total: int, direction: str, ends: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Values and shares of a curve, ascending in the values, from one end to the other."""
    ordered = np.sort(values)
    number = np.arange(1, len(ordered) + 1)
    share = (number if direction == "min" else number[::-1]) / max(1, total)
    every = np.linspace(0, len(ordered) - 1, min(len(ordered), _STEPS)).astype(int)
    worst = len(ordered) / max(1, total)
    first, last = (0.0, worst) if direction == "min" else (worst, 0.0)
    x = np.sort(np.concatenate([ordered[every], ends]))  # some may lie beyond an end
    return x, np.concatenate([[first], share[every], [last]])
