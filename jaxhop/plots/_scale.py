"""The axis of the values: linear or logarithmic, and not ruled by the few worst of them."""

from typing import NamedTuple

import numpy as np

_DECADES = 100.0  # from this ratio on a linear axis hides all but the worst values
_SHARE = 0.9  # of the values are always shown
_MARGIN = 0.05


class Scale(NamedTuple):
    """What an axis of values shows.

    Attributes:
        log: whether it is logarithmic.
        low: where it begins.
        high: where it ends.
        beyond: how many of the values are worse than what it shows.
    """

    log: bool
    low: float
    high: float
    beyond: int


def scale_of(values: np.ndarray, direction: str) -> Scale:
    """The scale on which values are told apart.

    Nine tenths of the values are shown at least, and all the good ones. Of the others those are
    not that are farther from these than these are wide, such as penalties.

    Args:
        values: float64[n]; what is not finite does not count.
        direction: `"min"` or `"max"`.

    Returns:
        The scale; from 0 to 1 if there is no value.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Scale(False, 0.0, 1.0, 0)
    log = bool(finite.min() > 0 and finite.max() >= _DECADES * finite.min())
    heights = np.log10(finite) if log else finite
    low, high = float(heights.min()), float(heights.max())
    if direction == "min":
        worst = float(np.quantile(heights, _SHARE))
        high = min(high, 2 * worst - low) if worst > low else high
    else:
        worst = float(np.quantile(heights, 1 - _SHARE))
        low = max(low, 2 * worst - high) if worst < high else low
    beyond = int(np.sum((heights < low) | (heights > high)))
    margin = _MARGIN * (high - low) or _MARGIN * abs(high) or _MARGIN
    low, high = low - margin, high + margin
    return Scale(log, *((10**low, 10**high) if log else (low, high)), beyond)
