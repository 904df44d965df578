"""What the loop of a Python objective goes by, and how it ends."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jaxhop._budget import Budget
from jaxhop._interrupt import GRACE_SECONDS
from jaxhop._row import Row
from jaxhop._trials import STATUSES
from jaxhop.pruners import Pruner

_WITH_VALUE = tuple(map(STATUSES.index, ("completed", "partial", "failed")))


class Ended(NamedTuple):
    """How a run ended.

    Attributes:
        stop_reason: why.
        best: the row of the best candidate, or None.
        best_value: its value, in the user's direction.
        evaluations: how many trials ended.
        error: what the last trial that failed raised, or None.
        seconds: how long it took.
        trouble: why what was found could not be written down, if it could not.
    """

    stop_reason: str
    best: Row | None
    best_value: float
    evaluations: int
    error: BaseException | None
    seconds: float
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the loop goes by.

    Attributes:
        budget: what ends the search.
        sign: 1 to minimise, -1 to maximise.
        screen: whether to think about candidates; None to decide by what it costs.
        on_error: `"raise"`, `"skip"`, or the value of a trial that failed.
        pruner: what ends trials early, or None.
        each: whether a report is wanted for each trial.
        own: how many trials this process may begin, or None.
        grace: seconds that running trials have when the process is asked to go.
    """

    budget: Budget
    sign: int
    screen: bool | None
    on_error: str | float
    pruner: Pruner | None
    each: bool
    own: int | None = None
    grace: float = GRACE_SECONDS


def minimised(status: np.ndarray, values: np.ndarray, sign: int) -> np.ndarray:
    """Values as askers are told them.

    Args:
        status: int8[n], how the trials ended.
        values: float64[n], in the user's direction.
        sign: 1 to minimise, -1 to maximise.

    Returns:
        float64[n], infinite where there is no value.
    """
    told = np.isin(status, _WITH_VALUE) & np.isfinite(values)
    return np.where(told, sign * values, np.inf)
