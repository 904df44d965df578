"""A permutation as a tour over points."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhop.plots import _canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result


def tour(
    result: "Result",
    points: Any,
    param: str | None = None,
    *,
    closed: bool = True,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draws the best permutation as a line from point to point; the first point is marked.

    Args:
        result: of a search.
        points: float[n, 2], x and y of the points that the permutation orders, in any unit, the
            same for both.
        param: name of the permutation, as in `result.flat(result.best)`. Default: the only array
            of whole numbers that orders n points.
        closed: whether the tour goes back to its first point. Default True.
        ax: where to draw. Default: a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if the points have another shape, or no parameter orders them.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import jax.numpy as jnp, jaxhop
        >>> cities = jnp.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
        >>> def length(params):
        ...     stops = cities[params["order"]]
        ...     return jnp.linalg.norm(stops - jnp.roll(stops, 1, 0), axis=1).sum()
        >>> result = jaxhop.search(length, {"order": jaxhop.permutation(4)}, evaluations=50)
        >>> ax = jaxhop.plots.tour(result, cities)
        >>> ax.get_title()
        'value 4 (lower is better)'
    """
    call = "jaxhop.plots.tour"
    places = np.asarray(points)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ValueError(
            f"`{call}`: `points` must have the shape (n, 2), but has {places.shape}. Give x and y"
            " of each point."
        )
    order = _order(result, len(places), param, call)
    stops = places[np.append(order, order[:1])] if closed else places[order]
    ax = _canvas.axes_for(ax, call, 6.0, 6.0)
    many = len(places) > 1000
    ax.plot(
        *stops.T, "-o", color=_canvas.BLUE, markerfacecolor=_canvas.BLACK,
        markeredgewidth=0, markersize=float(np.clip(60 / np.sqrt(len(places)), 0.5, 5)),
        linewidth=0.6 if many else 1.2, rasterized=many,
    )  # fmt: skip
    ax.plot(*stops[0], "s", color=_canvas.RED, markersize=7, label="first")
    ax.set_aspect("equal")
    ax.set(xlabel="x", ylabel="y")
    ax.set_title(
        _canvas.value_label(result.direction).replace("value", f"value {result.best_value:.6g}")
    )
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)
    return ax


def _order(result: "Result", size: int, param: str | None, call: str) -> np.ndarray:
    flat = {} if result.best is None else result.flat(result.best)
    fits = {
        name: np.asarray(value)
        for name, value in flat.items()
        if isinstance(value, np.ndarray)
        and np.array_equal(np.sort(value, axis=None), np.arange(size))
    }
    names = [param] if param is not None else list(fits)
    if len(names) != 1 or names[0] not in fits:
        wanted = "one parameter" if param is None else repr(param)
        raise ValueError(
            f"`{call}`: {wanted} must order the {size} points, but those that do are"
            f" {', '.join(map(repr, fits)) or 'none'}. Give `param=` one of them, or the points of"
            " the search."
        )
    return fits[names[0]]
