"""All parameters at once: one line a trial."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxhop.plots import _canvas
from jaxhop.plots._columns import Column, read
from jaxhop.plots._relevance import most_relevant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result

_AXES = 8
_LINES = 1000
_MISSING = -0.14  # height of trials that lack a parameter


def parallel_coordinates(
    result: "Result",
    params: Sequence[str] | None = None,
    *,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws one line a trial across all parameters; better trials are darker and lie on top.

    Of more than 1,000 trials the best 100 are drawn and others evenly spaced in time. Lines of
    trials that lack a parameter, because it belongs to another option, go below its axis.

    Args:
        result: of a search.
        params: names as in `result.flat(result.best)`; of an array `"w mean"` or `"w std"`.
            Default: all, or the 8 that say most about the values.
        ax: where to draw. Default: a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if there is no such parameter, or nothing to draw.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import jaxhop
        >>> space = {"x": jaxhop.float(-1, 1), "kind": jaxhop.choice("a", "b")}
        >>> result = jaxhop.search(
        ...     lambda p: p["x"] ** 2, space, evaluations=32, backend="python"
        ... )
        >>> ax = jaxhop.plots.parallel_coordinates(result)
        >>> [label.get_text() for label in ax.get_xticklabels()]
        ['kind', 'x']
    """
    call = "jaxhop.plots.parallel_coordinates"
    table = read(result, call, _LINES)
    columns = most_relevant(table, _AXES) if params is None else table.named(params, call)
    ax = _canvas.axes_for(ax, call, max(5.0, 1.6 + 1.1 * len(columns)), 4.2)
    from matplotlib.collections import LineCollection

    heights = np.stack([_heights(column) for column in columns], axis=1)
    order = np.argsort(table.values)  # ascending: the last is drawn on top
    order = order[::-1] if result.direction == "min" else order
    places = np.broadcast_to(np.arange(len(columns)), heights.shape)
    colours = _canvas.value_colours(table.values, result.direction)
    lines = LineCollection(
        list(np.stack([places, heights], axis=2)[order]),
        array=table.values[order],
        linewidths=float(np.clip(150 / len(order), 0.5, 1.5)),
        alpha=float(np.clip(100 / len(order), 0.35, 0.9)),
        rasterized=len(order) > 200,
        **colours,
    )
    ax.add_collection(lines)
    missing = any(not column.known.all() for column in columns)
    for place, column in enumerate(columns):
        _draw_axis(ax, place, column)
    ax.set_xlim(-0.25, len(columns) - 1 + 0.5)
    ax.set_ylim(_MISSING - 0.06 if missing else -0.04, 1.04)
    ax.set_xticks(range(len(columns)), labels=[_canvas.plain(column.name) for column in columns])
    if len(columns) > 4:
        ax.tick_params(axis="x", labelrotation=20)
    ax.tick_params(axis="x", length=0)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    _canvas.note_trials(ax, table, result)
    if params is None:
        _canvas.note_parameters(ax, table, len(columns))
    _canvas.value_bar(ax, colours, result.direction)
    return ax


def _ends(column: Column) -> tuple[float, float]:
    return float(np.nanmin(column.heights)), float(np.nanmax(column.heights))


def _heights(column: Column) -> np.ndarray:
    """Where the lines cross an axis, from 0 to 1."""
    low, high = _ends(column)
    return np.where(column.known, (column.heights - low) / (high - low), _MISSING)


def _draw_axis(ax: "Axes", place: int, column: Column) -> None:
    """One axis with its ends, or its options, written at it."""
    ax.plot([place, place], [0, 1], color=_canvas.BLACK, linewidth=1)
    low, high = _ends(column)
    labels: list[tuple[float, str]] = [
        ((at - low) / (high - low), _canvas.plain(text)) for at, text in enumerate(column.options)
    ]
    if not labels:
        whole = bool(np.all(column.numbers[column.known] % 1 == 0))
        marks = np.array([low, high] if whole else [low, (low + high) / 2, high])
        given = 10**marks if column.log else marks
        texts = [f"{number:.{6 if whole else 3}g}" for number in given]
        labels = list(zip(np.linspace(0, 1, len(marks)).tolist(), texts, strict=True))
    if not column.known.all():
        labels.append((_MISSING, "none"))
    for at, text in labels:
        box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
        ax.text(place + 0.04, at, text, fontsize=8, va="center", bbox=box)
