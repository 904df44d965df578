"""What all pictures share: the axes, the colours, and how parameters and values are labelled."""

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhop.plots._columns import Column, Table
from jaxhop.plots._scale import Scale, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result

# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY, BLACK = "#CC79A7", "#56B4E9", "#999999", "#000000"

_VECTORS = 1000  # more points than that are stored as pixels, also in PDF and SVG files


def axes_for(ax: "Axes | None", call: str, width: float = 7.0, height: float = 4.2) -> "Axes":
    """The axes that a picture is drawn into.

    Args:
        ax: those that the user gave; None for a new figure.
        call: what the user wrote, for errors.
        width: of a new figure, in inches.
        height: of a new figure, in inches.

    Returns:
        Axes.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    pyplot = package("matplotlib.pyplot", call)
    if ax is not None:
        return ax
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def package(name: str, call: str) -> Any:
    """A package that the extra `plots` brings.

    Args:
        name: of the module.
        call: what the user wrote, for errors.

    Returns:
        The module.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"`{call}`: {name.partition('.')[0]} must be installed. Run"
            " `pip install 'jaxhop[plots]'`."
        ) from error


def value_axis(axis: Any, values: np.ndarray, direction: str) -> Scale:
    """Sets the scale, the limits and the label of an axis of values.

    Args:
        axis: `ax.xaxis` or `ax.yaxis`.
        values: float64[n] that it is to show.
        direction: `"min"` or `"max"`.

    Returns:
        The scale.
    """
    scale = scale_of(values, direction)
    which = axis.axis_name
    axis.axes.set(**{f"{which}scale": "log" if scale.log else "linear"})
    axis.axes.set(**{f"{which}lim": (scale.low, scale.high)})
    axis.set_label_text(value_label(direction))
    if scale.log:
        _mark_decades(axis, scale.low, scale.high)
    if scale.beyond:
        note(axis.axes, f"{scale.beyond:,} worse value{'s' if scale.beyond > 1 else ''} not shown")
    return scale


def value_label(direction: str) -> str:
    """What is written at an axis of values.

    Args:
        direction: `"min"` or `"max"`.

    Returns:
        Text.
    """
    return f"value ({'lower' if direction == 'min' else 'higher'} is better)"


def value_colours(values: np.ndarray, direction: str) -> dict[str, Any]:
    """How values are made colours: the better, the darker.

    Args:
        values: float64[n], finite.
        direction: `"min"` or `"max"`.

    Returns:
        `cmap` and `norm`, as matplotlib takes them.
    """
    from matplotlib import colors

    scale = scale_of(values, direction)
    norm = colors.LogNorm if scale.log else colors.Normalize
    low, high = max(scale.low, float(values.min())), min(scale.high, float(values.max()))
    cmap = "viridis" if direction == "min" else "viridis_r"
    return {"cmap": cmap, "norm": norm(low, high, clip=True)}


def chosen_by_mean(result: "Result") -> bool:
    """Whether values are random, so that the best single one is a lucky one.

    Args:
        result: of a search.

    Returns:
        True if the search evaluated its finalists again.
    """
    return bool(np.any(result.history["phase"] == "confirm"))


def value_bar(ax: "Axes", colours: dict[str, Any], direction: str) -> None:
    """Draws the bar that says which colour is which value.

    Args:
        ax: beside which.
        colours: from `value_colours`.
        direction: `"min"` or `"max"`.
    """
    from matplotlib.cm import ScalarMappable

    mapped = ScalarMappable(colours["norm"], colours["cmap"])
    ax.figure.colorbar(mapped, ax=ax, pad=0.02, label=value_label(direction))


def parameter_axis(axis: Any, column: Column) -> np.ndarray:
    """Sets the scale, the limits and the labels of an axis of a parameter.

    Args:
        axis: `ax.xaxis` or `ax.yaxis`.
        column: the parameter.

    Returns:
        float64[n]: where each trial is on the axis; those without the parameter stand apart, at a
        place called "none".
    """
    which, ax = axis.axis_name, axis.axes
    heights = column.heights
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    missing = not column.known.all()
    width = (high - low) or abs(high) or 1.0
    margin = 0.6 if column.options else 0.05 * width
    apart = low - (1.0 if column.options else 0.15 * width)
    heights = np.where(column.known, heights, apart)
    begin, end = (apart if missing else low) - margin, high + margin

    def given(height: Any) -> Any:
        return 10.0**height if column.log else height

    axis.set_label_text(plain(column.name))
    ax.set(**{f"{which}scale": "log" if column.log else "linear"})
    if column.options:
        axis.set_ticks(range(len(column.options)), labels=list(map(plain, column.options)))
    elif column.log:
        _mark_decades(axis, given(low), given(high))
    if missing:
        _mark_missing(
            axis, column, given(apart), given((low + apart) / 2), given(low), given(high)
        )
    ax.set(**{f"{which}lim": (given(begin), given(end))})
    return given(heights)


def _mark_missing(
    axis: Any, column: Column, at: float, border: float, low: float, high: float
) -> None:
    """Names the place of trials without a parameter, and draws the line before the others."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    labels = [plain(option) for option in column.options]
    ticks: list[float] = [float(tick) for tick in range(len(labels))]
    if not labels:
        locator = LogLocator(numticks=6) if column.log else MaxNLocator(5)
        ticks = [tick for tick in locator.tick_values(low, high) if low <= tick <= high]
        labels = [f"{tick:.6g}" for tick in ticks]
    axis.set_ticks([at, *ticks], labels=["none", *labels])
    axis.set_minor_locator(NullLocator())
    line = axis.axes.axvline if axis.axis_name == "x" else axis.axes.axhline
    line(border, color=GREY, linewidth=0.8, linestyle=":")


def _mark_decades(axis: Any, low: float, high: float) -> None:
    """Writes numbers at a logarithmic axis that shows few powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    if high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
        axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:.6g}"))
        axis.set_minor_locator(NullLocator())


def plain(text: str) -> str:
    """Text that matplotlib takes for no formula.

    Args:
        text: of the user.

    Returns:
        Text.
    """
    return text.replace("$", r"\$")


def size_of(many: int) -> float:
    """How large a point is: the smaller, the more of them there are.

    Args:
        many: points in the picture.

    Returns:
        Area in square points, as `ax.scatter` takes it.
    """
    return float(np.clip(30_000 / max(1, many), 3, 22))


def points(ax: "Axes", x: np.ndarray, y: np.ndarray, **how: Any) -> Any:
    """Draws points: the more of them, the smaller and paler.

    Args:
        ax: where.
        x: float64[n].
        y: float64[n].
        **how: as `ax.scatter` takes it.

    Returns:
        What `ax.scatter` returns.
    """
    many = len(x)
    style = {
        "s": size_of(many),
        "alpha": float(np.clip(30 / np.sqrt(max(1, many)), 0.25, 0.9)),
        "linewidths": 0,
        "rasterized": many > _VECTORS,
    }
    return ax.scatter(x, y, **style | how)


def note_trials(ax: "Axes", table: Table, result: "Result") -> None:
    """Says how many of the trials are drawn, if not all.

    Args:
        ax: where.
        table: what is drawn.
        result: of the search.
    """
    drawn = len(table.values)
    if drawn < int(result.history.usable.sum()):
        note(ax, f"{drawn:,} of {result.evaluations:,} trials")


def note_parameters(ax: "Axes", table: Table, drawn: int) -> None:
    """Says how many of the parameters are drawn, if not all.

    Args:
        ax: where.
        table: all that there are.
        drawn: how many.
    """
    if drawn < len(table.columns):
        note(ax, f"{drawn} of {len(table.columns)} parameters")


def note(ax: "Axes", text: str) -> None:
    """Writes small print above the right end of the axes.

    Args:
        ax: where.
        text: what.
    """
    before = ax.get_title(loc="right")
    ax.set_title(f"{before}; {text}" if before else text, loc="right", fontsize=8, color="#555555")
