"""What each worker did when."""

from typing import TYPE_CHECKING

import numpy as np

from jaxhop._trials import STATUSES
from jaxhop.plots import _canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result

_GAP = 1 / 2000  # of the whole time: what is closer together is drawn as one bar
_COLOURS = dict(
    zip(
        STATUSES,
        (_canvas.BLUE, _canvas.SKY, _canvas.ORANGE, _canvas.BLACK, _canvas.RED, _canvas.GREEN),
        strict=True,
    )
)
_APART = 200  # bars of a worker that can be told apart
_NAMED = 24  # workers whose names have room


def timeline(result: "Result", *, ax: "Axes | None" = None) -> "Axes":
    """Draws a row a worker, with a bar for each of its trials in the colour of how it ended.

    Beside each worker is the share of the time that it was busy. Bars that no picture could tell
    apart are drawn as one.

    Args:
        result: of the search of a Python objective, whose trials are timed one by one.
        ax: where to draw. Default: a new figure.

    Returns:
        The axes.

    Raises:
        ValueError: if nobody measured how long the trials took.
        ImportError: if matplotlib is not installed.

    Example:
        >>> import jaxhop
        >>> result = jaxhop.search(
        ...     lambda p: p["x"] ** 2, {"x": jaxhop.float(-1, 1)}, evaluations=20,
        ...     backend="python",
        ... )
        >>> jaxhop.plots.timeline(result).get_xlabel()
        'time (seconds)'
    """
    call = "jaxhop.plots.timeline"
    record = result.history
    duration = record["duration"].astype(np.float64)
    timed = np.isfinite(duration)
    if not timed.any():
        raise ValueError(
            f"`{call}`: trials must be timed one by one, and those of a JAX objective run all at"
            " once. Draw `jaxhop.plots.history(result, x='seconds')`."
        )
    end, duration = record["seconds"][timed], duration[timed]
    worker, status = record["worker"][timed], record["status"][timed]
    begin = np.maximum(end - duration, 0.0)
    workers = np.unique(worker).tolist()
    ax = _canvas.axes_for(ax, call, 7.5, 1.3 + min(0.32 * len(workers), 7.0))
    span = max(result.seconds, float(end.max())) or 1.0
    for ending in STATUSES:
        drawn = False
        for row, one in enumerate(workers):
            mine = (worker == one) & (status == ending)
            if mine.any():
                bars = _bars(begin[mine], end[mine], span)
                label = None if drawn else f"{ending} ({np.sum(status == ending):,})"
                ax.broken_barh(
                    bars, (row - 0.4, 0.8), facecolors=_COLOURS[ending], label=label,
                    edgecolor="white", linewidth=0.3 if len(bars) <= _APART else 0.0,
                    rasterized=len(bars) > _APART,
                )  # fmt: skip
                drawn = True
    busy = [_busy(begin[worker == one], end[worker == one]) / span for one in workers]
    every = -(-len(workers) // _NAMED)
    ax.set_yticks(
        range(0, len(workers), every),
        labels=[f"{one} ({share:.0%} busy)" for one, share in zip(workers, busy, strict=True)][
            ::every
        ],
    )
    ax.set(xlabel="time (seconds)", ylabel="worker", xlim=(0, span * 1.01))
    ax.set_ylim(len(workers) - 0.4, -0.6)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=8, frameon=False)
    if len(record) < result.evaluations:
        ax.set_title(f"{len(record):,} of {result.evaluations:,} trials", loc="left", fontsize=8)
    return ax


def _bars(begin: np.ndarray, end: np.ndarray, span: float) -> list[tuple[float, float]]:
    """Begin and length of what is drawn: each trial, as long as there is room."""
    if len(begin) <= _APART:
        return list(zip(begin.tolist(), (end - begin).tolist(), strict=True))
    return _merged(begin, end, span * _GAP)


def _merged(begin: np.ndarray, end: np.ndarray, gap: float) -> list[tuple[float, float]]:
    """Bars as begin and length.

    There is one for those no farther apart than the gap,
    which is how long a bar is at least.
    """
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate(end[order])
    end = np.maximum(end, begin + gap)
    first = np.concatenate([[True], begin[1:] > end[:-1] + gap])
    last = np.append(np.flatnonzero(first)[1:] - 1, len(begin) - 1)
    return list(zip(begin[first].tolist(), (end[last] - begin[first]).tolist(), strict=True))


def _busy(begin: np.ndarray, end: np.ndarray) -> float:
    """Seconds in which at least one of the trials was going on."""
    return sum(length for _, length in _merged(begin, end, 0.0))
