"""The values over two parameters."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhop.plots import _canvas
from jaxhop.plots._columns import Column, read
from jaxhop.plots._relevance import most_relevant
from jaxhop.plots._scale import Scale, scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result

_ROWS = 2000  # trials that the surface is made from
_GRID = 60  # points of it along a number
_WIDTH = 0.05  # of the kernel, in ranges of the parameter
_NEAR = 0.15  # farther than that from any trial nothing is drawn


def contour(
    result: "Result",
    x: str | None = None,
    y: str | None = None,
    *,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws the values over two parameters as a surface, and the trials that it is made from.

    The surface is a mean of the trials around, weighed by a normal kernel with a twentieth of the
    range as deviation (the Nadaraya-Watson estimate; of logarithms, where the colours are
    logarithmic); it ends where no trial is near. It knows nothing of the other parameters, so
    this is the landscape as the search saw it. Over options there is a strip for each. Trials
    that lack one of the two parameters are left out; of more than 2,000 the best 200 and others
    are taken.

    Args:
        result: of a search.
        x: name as in `result.flat(result.best)`; of an array `"w mean"` or `"w std"`. Default: of
            the two parameters that say most about the values, the first.
        y: likewise. Default: the other one.
        ax: where to draw. Default: a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if there are no two such parameters, or nothing to draw.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import jaxhop
        >>> space = {"x": jaxhop.float(-1, 1), "y": jaxhop.float(-1, 1)}
        >>> result = jaxhop.search(lambda p: p["x"] ** 2 + p["y"] ** 2, space, evaluations=100)
        >>> ax = jaxhop.plots.contour(result, "y", "x")
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('y', 'x')
    """
    call = "jaxhop.plots.contour"
    table = read(result, call, _ROWS)
    names = [name for name in (x, y) if name is not None]
    given = table.named(names, call)
    others = [column for column in table.columns if column.name not in names]
    whole = [column for column in others if column.known.all()]
    others = whole if len(whole) + len(given) >= 2 else others
    given += most_relevant(table._replace(columns=others), 2 - len(given))
    if len({column.name for column in given}) < 2:
        raise ValueError(
            f"`{call}`: there must be two parameters of which several values were tried, but there"
            f" is {given[0].name!r}. Draw `jaxhop.plots.slice(result)`."
        )
    across, up = given if x is not None or y is None else given[::-1]
    both = across.known & up.known
    if not both.any():
        raise ValueError(
            f"`{call}`: {across.name!r} and {up.name!r} must be parameters of one trial, but they"
            " belong to different options. Choose another one."
        )
    across, up = (column._replace(numbers=column.numbers[both]) for column in (across, up))
    values = table.values[both]
    ax = _canvas.axes_for(ax, call, 6.4, 4.8)

    at_x = _canvas.parameter_axis(ax.xaxis, across)
    at_y = _canvas.parameter_axis(ax.yaxis, up)
    scale = scale_of(values, result.direction)
    colours = _canvas.value_colours(values, result.direction)
    lattice = _lattice(across), _lattice(up)
    surface = _surface(across, up, lattice, values, scale)
    _draw(ax, (across, up), lattice, surface, colours)
    ax.scatter(
        at_x, at_y, c=values, **colours, s=float(np.clip(4000 / len(values), 4, 20)),
        linewidths=0.3 if len(values) <= 300 else 0, edgecolors="white",
        rasterized=len(values) > 300,
    )  # fmt: skip
    best = np.argmin(values) if result.direction == "min" else np.argmax(values)
    ax.plot(
        at_x[best], at_y[best], "*", color=_canvas.RED, markersize=13, markeredgecolor="white",
        label="best single value" if _canvas.chosen_by_mean(result) else "best",
    )  # fmt: skip
    ax.legend(loc="best", fontsize=8)
    _canvas.note_trials(ax, table._replace(values=values), result)
    _canvas.value_bar(ax, colours, result.direction)
    return ax


def _lattice(column: Column) -> np.ndarray:
    """Where the surface is computed along a parameter, in heights."""
    if column.options:
        return np.arange(len(column.options), dtype=float)
    return np.linspace(column.heights.min(), column.heights.max(), _GRID)


def _surface(
    across: Column,
    up: Column,
    lattice: tuple[np.ndarray, np.ndarray],
    values: np.ndarray,
    scale: Scale,
) -> np.ndarray:
    """Weighted means, float64[up, across]; NaN where no trial is near."""
    heights = np.clip(values, scale.low, scale.high)
    heights = np.log10(heights) if scale.log else heights
    apart_x, apart_y = (
        _distances(column, places) for column, places in zip((across, up), lattice, strict=True)
    )
    squared_y, squared_x = apart_y**2, apart_x**2
    # Normal kernels are products, so that no array over trials and both axes is made.
    weight_y, weight_x = (np.exp(-d / (2 * _WIDTH**2)) for d in (squared_y, squared_x))
    total = weight_y @ weight_x.T
    weighted = (weight_y * heights) @ weight_x.T
    with np.errstate(invalid="ignore", divide="ignore"):
        means = weighted / total
    means[total < np.exp(-((_NEAR / _WIDTH) ** 2) / 2)] = np.nan
    return 10**means if scale.log else means


def _distances(column: Column, places: np.ndarray) -> np.ndarray:
    """From each place to each trial, in ranges; options are infinitely far from each other."""
    away = np.abs(places[:, None] - column.heights[None, :])
    if column.options:
        return np.where(away > 0, np.inf, 0.0)
    span = column.heights.max() - column.heights.min()
    return away / (span or 1.0)


def _draw(
    ax: "Axes",
    columns: tuple[Column, Column],
    lattice: tuple[np.ndarray, np.ndarray],
    surface: np.ndarray,
    colours: dict[str, Any],
) -> None:
    norm = colours["norm"]
    surface = np.clip(surface, norm.vmin, norm.vmax)
    x, y = (
        10**places if column.log else places
        for column, places in zip(columns, lattice, strict=True)
    )
    if any(column.options for column in columns):
        ax.pcolormesh(x, y, surface, shading="nearest", alpha=0.8, rasterized=True, **colours)
        return
    levels = norm.inverse(np.linspace(0, 1, 13))
    levels[[0, -1]] = norm.vmin, norm.vmax  # so that rounding leaves no holes
    ax.contourf(x, y, surface, levels=levels, alpha=0.85, **colours)
