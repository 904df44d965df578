"""Values over one parameter at a time."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxhop.plots import _canvas
from jaxhop.plots._columns import read
from jaxhop.plots._relevance import most_relevant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result

_PANELS = 6
_SPREAD = 0.5  # of the distance between two options
_GOLDEN = 0.618034  # multiples of it are evenly spread, in any number
_ROW = 3  # panels side by side


def slice(
    result: "Result",
    params: str | Sequence[str] | None = None,
    *,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws the values over each parameter, a panel each; later trials are darker.

    Trials without a parameter, because it belongs to another option, are in a strip of their own.

    Args:
        result: of a search.
        params: names as in `result.flat(result.best)`, such as `"opt.lr"`; of an array `"w mean"`
            or `"w std"`. Default: all, or the 6 that say most about the values.
        ax: where to draw; several panels divide it up. Default: a new figure.

    Returns:
        The axes. Of several panels they are the frame; the panels are its `child_axes`.

    Raises:
        ValueError: if there is no such parameter, or nothing to draw.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import jaxhop
        >>> space = {"x": jaxhop.float(-1, 1)}
        >>> result = jaxhop.search(lambda p: p["x"] ** 2, space, evaluations=64)
        >>> jaxhop.plots.slice(result, "x").get_xlabel()
        'x'
    """
    call = "jaxhop.plots.slice"
    table = read(result, call)
    if params is None:
        columns = most_relevant(table, _PANELS)
    else:
        columns = table.named([params] if isinstance(params, str) else params, call)
    wide, high = min(_ROW, len(columns)), math.ceil(len(columns) / _ROW)
    if ax is not None:
        place = ax
    else:
        place = _canvas.axes_for(None, call, 2.2 + 2.6 * wide, 0.6 + 2.7 * high)
    panels = [place] if len(columns) == 1 else _divided(place, len(columns), wide, high)
    for number, (panel, column) in enumerate(zip(panels, columns, strict=True)):
        _canvas.value_axis(panel.yaxis, table.values, result.direction)
        x = _canvas.parameter_axis(panel.xaxis, column)
        if column.options:  # spread out, so that trials do not hide each other
            x = x + _SPREAD * (np.arange(len(x)) * _GOLDEN % 1 - 0.5)
        drawn = _canvas.points(panel, x, table.values, c=table.evaluation, cmap="viridis_r")
        if number % wide:
            panel.set_ylabel("")
            panel.tick_params(labelleft=False)
        if number:  # they would all say the same
            panel.set_title("", loc="right")
        if len(column.options) > 3 or any(len(text) > 8 for text in column.options):
            panel.tick_params(axis="x", labelrotation=35)
    bar = place.figure.colorbar(drawn, ax=place, label="evaluation", pad=0.02)
    bar.solids.set_alpha(1)  # pyright: ignore[reportOptionalMemberAccess]
    _canvas.note_trials(panels[0], table, result)
    if params is None:
        _canvas.note_parameters(panels[0], table, len(columns))
    return place


def _divided(ax: "Axes", count: int, wide: int, high: int) -> list["Axes"]:
    """Panels inside of axes, row by row."""
    ax.set_axis_off()
    across, down = 0.06 / wide, 0.3 / high
    width, height = (1 + across) / wide - across, (1 + down) / high - down
    panels = []
    for number in range(count):
        row, column = divmod(number, wide)
        bounds = (column * (width + across), 1 - height - row * (height + down), width, height)
        panels.append(ax.inset_axes(bounds))
    return panels
