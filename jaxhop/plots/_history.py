"""How the values came: one point a trial, and the best so far."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from jaxhop._trials import PHASES
from jaxhop.plots import _canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result

_POINTS = 20_000  # points drawn: more of them only fill the same picture
_MARKS = 1000  # marks of trials without a value
COLOURS = dict(
    zip(PHASES, (_canvas.BLACK, _canvas.SKY, _canvas.ORANGE, _canvas.PURPLE), strict=True)
)
_TEMPERATURE = "temperature (dotted)"


def history(
    result: "Result",
    *,
    x: Literal["evaluation", "seconds"] = "evaluation",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws every value in the colour of its phase, the best so far, and the temperature.

    Of more than 20,000 points some are drawn, all improvements among them. Trials without a value
    are marks at the bottom. Values that are far worse than the others are left out and counted.
    Where values are random, the dashed line is the best mean, which single values may undercut.

    Args:
        result: of a search.
        x: what to draw over: number of the evaluation, or seconds since the clock started.
            Default: `"evaluation"`.
        ax: where to draw. Default: a new figure. The temperature has axes of its own over these.

    Returns:
        The axes.

    Raises:
        ValueError: if `x` is something else.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import jaxhop
        >>> space = {"x": jaxhop.float(-1, 1)}
        >>> result = jaxhop.search(lambda p: p["x"] ** 2, space, evaluations=64)
        >>> ax = jaxhop.plots.history(result)
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('evaluation', 'value (lower is better)')
    """
    ax = _canvas.axes_for(ax, "jaxhop.plots.history")
    from matplotlib.collections import PathCollection

    if x not in ("evaluation", "seconds"):
        raise ValueError(
            f"`history(x={x!r})`: `x` must be 'evaluation' or 'seconds'. Give one of them."
        )
    record = result.history
    place, values, usable = record[x], record["value"], record.usable
    _canvas.value_axis(ax.yaxis, values[usable], result.direction)
    ax.set_xlabel("evaluation" if x == "evaluation" else "time (seconds)")
    shown = thinned(np.flatnonzero(usable), record.improvements, _POINTS)
    phases, size = record["phase"], _canvas.size_of(len(shown))
    for phase in PHASES:
        rows = shown[phases[shown] == phase]
        if len(rows):
            _canvas.points(
                ax, place[rows], values[rows], color=COLOURS[phase], label=phase, s=size
            )
    random = _canvas.chosen_by_mean(result)
    if usable.any():
        label = "best single value so far" if random else "best so far"
        ax.step(place, record.best(), where="post", color=_canvas.BLUE, linewidth=1.6, label=label)
    if random:
        ax.axhline(
            result.best_value, color=_canvas.BLUE, linestyle="--", label="best mean, confirmed"
        )
    _mark_failures(ax, place[~usable])
    _draw_temperature(ax, place, record["temperature"])
    corner = "upper right" if result.direction == "min" else "lower right"
    legend = ax.legend(loc=corner, fontsize=8, framealpha=0.8)
    for handle in filter(None, legend.legend_handles):
        handle.set_alpha(1)
        if isinstance(handle, PathCollection):
            handle.set_sizes([20])
    return ax


def thinned(rows: np.ndarray, improvements: np.ndarray, most: int) -> np.ndarray:
    """Rows that are drawn where all would only fill the same picture.

    Args:
        rows: int64[n], ascending.
        improvements: int64[m], rows that are to be among them.
        most: rows that are not thinned, and improvements that are kept; the latest.

    Returns:
        Rows, ascending.
    """
    if len(rows) <= most:
        return rows
    spaced = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
    return np.union1d(spaced, np.intersect1d(improvements[-most:], rows))


def _mark_failures(ax: "Axes", place: np.ndarray) -> None:
    if not len(place):
        return
    spaced = place[np.linspace(0, len(place) - 1, min(len(place), _MARKS)).astype(int)]
    ax.plot(
        spaced, np.full(len(spaced), 0.02), "x" if len(place) <= 100 else "|",
        color=_canvas.RED, markersize=5, alpha=float(np.clip(60 / len(spaced), 0.1, 1)),
        transform=ax.get_xaxis_transform(), label=f"no value that counts ({len(place):,})",
    )  # fmt: skip


def _draw_temperature(ax: "Axes", place: np.ndarray, temperature: np.ndarray) -> None:
    if not len(place) or temperature.min() == temperature.max():
        return
    over = ax.twinx()
    every = np.linspace(0, len(place) - 1, min(len(place), 1000)).astype(int)
    over.plot(
        place[every], temperature[every], color=_canvas.GREY, linewidth=0.9, linestyle=":",
    )  # fmt: skip
    over.set_yscale("log")
    over.set_ylabel(_TEMPERATURE, color="#666666")
    over.tick_params(axis="y", colors="#666666")
    # Values lie over the temperature, and its axes must not hide them.
    ax.set_zorder(over.get_zorder() + 1)
    ax.patch.set_visible(False)
