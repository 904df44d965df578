"""The two pictures that matter most, in one figure: what `result.plot()` draws."""

import os
from typing import TYPE_CHECKING

from jaxhop.plots import _canvas
from jaxhop.plots._history import history
from jaxhop.plots._slice import slice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result


def overview(result: "Result", path: str | os.PathLike[str] | None = None) -> "tuple[Axes, ...]":
    """Draws how the values came, and below it the values over the parameters.

    Args:
        result: of a search.
        path: where to write them. Default: they are not written.

    Returns:
        The axes of both; of the first alone, where no parameter is a number or an option.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if matplotlib does not know the format that the path's ending names.
        OSError: if the file cannot be written.

    Example:
        >>> import jaxhop
        >>> space = {"x": jaxhop.float(-1, 1)}
        >>> result = jaxhop.search(lambda p: p["x"] ** 2, space, evaluations=64)
        >>> [ax.get_xlabel() for ax in overview(result)]
        ['evaluation', 'x']
    """
    call = "result.plot"
    pyplot = _canvas.package("matplotlib.pyplot", call)
    figure = pyplot.figure(figsize=(9, 9), layout="constrained")
    below = figure.add_subplot(2, 1, 2)
    try:
        panels = slice(result, ax=below)
    except ValueError:  # there is no parameter to draw
        below.remove()
        figure.set_size_inches(7, 4.2)
        axes = (history(result, ax=figure.add_subplot()),)
    else:
        axes = history(result, ax=figure.add_subplot(2, 1, 1)), panels
    if path is not None:
        figure.savefig(path)
    return axes
