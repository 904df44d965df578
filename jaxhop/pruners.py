"""Pruners: rules that end a trial early, by comparing its estimates with those of others.

A pruner is pure: `update` adds a finished trial to its state, and `limits` says how bad the
first, second, ... estimate of the next trials may be. Only the limits travel to where a trial
runs. All values are in the minimised sense: lower is better.
"""

import abc
import operator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

_MEMORY = 100  # trials that are compared with
_LENGTH = 10_000  # estimates of a trial that are


class Curves(NamedTuple):
    """What a pruner remembers of finished trials.

    Attributes:
        estimates: float64[trials, n + 1], their first n estimates, oldest trial first. What a
            trial did not come to is its value, or +inf if it was pruned; so is the last column.
        longest: the most estimates of any trial that came to its end.

    Example:
        >>> curves = MedianPruner().update(Curves(np.empty((0, 1)), 0), (5.0, 2.0), 1.0)
        >>> curves.estimates, curves.longest
        (array([[5., 2., 1.]]), 2)
    """

    estimates: np.ndarray
    longest: int


class Pruner(abc.ABC):
    """What ends trials early; give one as `pruner=` to `jaxhop.search`.

    The last estimate of a trial never ends it, as far as one can know: estimates later than, or
    level with, the last one of the longest trial so far have no limit. A trial that was pruned
    counts as worse than all others from there on, so that the share of trials that are pruned
    is what was asked for, however many estimates they give.

    Example:
        >>> class Above(Pruner):  # a pruner of your own needs `_limits` only
        ...     def _limits(self, estimates, values):
        ...         return np.full(estimates.shape[1], 10.0)
        >>> state = Above().update(Above().init(), (5.0, 2.0), 1.0)
        >>> Above().limits(state), Above().prunes(state, (11.0,)), Above().prunes(state, (9.0,))
        (array([10.]), True, False)
    """

    def init(self) -> Curves:
        """The state before the first trial.

        Returns:
            A state; a tuple of an array and a number, never changed in place.
        """
        return Curves(np.empty((0, 1)), 0)

    def update(self, state: Curves, curve: tuple[float, ...], value: float) -> Curves:
        """The state with one more finished trial.

        Args:
            state: the state before.
            curve: the trial's estimates; NaN counts as +inf.
            value: the trial's value; +inf or NaN if it was pruned or has none.

        Returns:
            A new state.
        """
        own = np.append(np.asarray(curve, np.float64)[:_LENGTH], value)
        own[~(own < np.inf)] = np.inf
        longest = max(state.longest, len(own) - 1) if own[-1] < np.inf else state.longest
        width = max(len(own), state.estimates.shape[1])
        rows = [_widened(some, width) for some in (state.estimates, own[None])]
        return Curves(self._kept(np.concatenate(rows)), longest)

    def limits(self, state: Curves) -> np.ndarray:
        """How bad the estimates of a trial may be.

        Args:
            state: what is known of finished trials.

        Returns:
            float64[n]: what the first, second, ... estimate may be at most. +inf where there is
            no limit; there is none for later estimates.
        """
        return self._limits(
            state.estimates[:, : max(state.longest - 1, 0)], state.estimates[:, -1]
        )

    def prunes(self, state: Curves, curve: tuple[float, ...]) -> bool:
        """Whether a trial that runs should end.

        Args:
            state: what is known of finished trials.
            curve: its estimates so far, the last of which decides.

        Returns:
            Whether it is beyond its limit.
        """
        limits = self.limits(state)
        return 0 < len(curve) <= len(limits) and not curve[-1] <= limits[len(curve) - 1]

    def _kept(self, estimates: np.ndarray) -> np.ndarray:
        """The trials that are remembered."""
        return estimates[-_MEMORY:]

    @abc.abstractmethod
    def _limits(self, estimates: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The limits, one for each column of the estimates; there may be no trials."""


@dataclass(frozen=True)
class QuantilePruner(Pruner):
    """Ends the worst trials: those of an estimate among the worst share `q` at its place.

    Compared are the latest 100 trials.

    Args:
        q: share of the trials that are ended, in (0, 1).
        warmup: so many trials finish before the first one is ended. Default 5.

    Raises:
        ValueError: if a number is out of range.
        TypeError: if it is no number.

    Example:
        >>> pruner = QuantilePruner(0.5, warmup=3)
        >>> state = pruner.init()
        >>> for curve in [(5.0, 1.0), (6.0, 2.0), (7.0, 3.0)]:
        ...     state = pruner.update(state, curve, curve[-1])
        >>> pruner.prunes(state, (6.0,)), pruner.prunes(state, (6.5,))
        (False, True)
    """

    q: float
    warmup: int = 5

    def __post_init__(self) -> None:
        try:
            q = float(self.q)
        except (TypeError, ValueError):
            raise TypeError(
                f"`{self!r}`: `q` must be a number. Give a share, such as 0.5."
            ) from None
        if not 0 < q < 1:
            raise ValueError(
                f"`{self!r}`: `0 < q < 1` must hold. Give a share of the trials: 0.5 for half."
            )
        object.__setattr__(self, "q", q)
        object.__setattr__(self, "warmup", _whole(self, "warmup", 0))

    def _limits(self, estimates: np.ndarray, values: np.ndarray) -> np.ndarray:
        if len(values) < max(self.warmup, 1):
            return np.full(estimates.shape[1], np.inf)
        return np.quantile(estimates, 1 - self.q, axis=0, method="higher")


class MedianPruner(QuantilePruner):
    """Ends trials with an estimate worse than the median at its place.

    Compared are the latest 100 trials.

    Args:
        warmup: so many trials finish before the first one is ended. Default 5.

    Example:
        >>> MedianPruner()
        MedianPruner(warmup=5)
    """

    def __init__(self, warmup: int = 5) -> None:
        object.__setattr__(self, "warmup", warmup)
        super().__init__(0.5, warmup)

    def __repr__(self) -> str:
        return f"MedianPruner(warmup={self.warmup!r})"


@dataclass(frozen=True)
class TopKPruner(Pruner):
    """Ends trials with an estimate worse than those of all the k best trials at its place.

    Args:
        k: how many; so many trials finish before the first one is ended.

    Raises:
        ValueError: if k is less than 1.
        TypeError: if it is no integer.

    Example:
        >>> pruner = TopKPruner(2)
        >>> state = pruner.init()
        >>> for curve in [(5.0, 1.0), (6.0, 2.0), (7.0, 3.0)]:
        ...     state = pruner.update(state, curve, curve[-1])
        >>> pruner.prunes(state, (6.0,)), pruner.prunes(state, (6.5,))
        (False, True)
    """

    k: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", _whole(self, "k", 1))

    def _kept(self, estimates: np.ndarray) -> np.ndarray:
        values = estimates[:, -1]
        best = np.argsort(values, kind="stable")[: self.k]
        return estimates[best[values[best] < np.inf]]

    def _limits(self, estimates: np.ndarray, values: np.ndarray) -> np.ndarray:
        if len(values) < self.k:
            return np.full(estimates.shape[1], np.inf)
        return estimates.max(axis=0)


@dataclass(frozen=True)
class SuccessiveHalvingPruner(Pruner):
    """Lets one trial in `eta` go on at the first estimate, and again after eta times as many.

    Compared are the latest 100 trials, at the estimates number `first`, `first * eta`,
    `first * eta**2` and so on, with those of them that got there. (Asynchronous successive
    halving, Li et al. 2020.)

    Args:
        eta: one in so many goes on, at least 2. Default 3.
        first: number of the estimate that is looked at first, counted from 1. Default 1.

    Raises:
        ValueError: if a number is out of range.
        TypeError: if it is no integer.

    Example:
        >>> pruner = SuccessiveHalvingPruner(eta=2)
        >>> state = pruner.init()
        >>> for curve in [(5.0, 1.0), (6.0, 2.0), (7.0, 3.0)]:
        ...     state = pruner.update(state, curve, curve[-1])
        >>> pruner.prunes(state, (6.0,)), pruner.prunes(state, (6.5,))
        (False, True)
    """

    eta: int = 3
    first: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "eta", _whole(self, "eta", 2))
        object.__setattr__(self, "first", _whole(self, "first", 1))

    def _limits(self, estimates: np.ndarray, values: np.ndarray) -> np.ndarray:
        limits = np.full(estimates.shape[1], np.inf)
        rung = self.first
        while rung <= len(limits):
            there = np.sort(estimates[:, rung - 1][estimates[:, rung - 1] < np.inf])
            # The trial itself is one more; fewer than eta are no field to pick one from.
            if len(there) + 1 >= self.eta:
                limits[rung - 1] = there[(len(there) + 1) // self.eta - 1]
            rung *= self.eta
        return limits


def _widened(estimates: np.ndarray, width: int) -> np.ndarray:
    """Rows of so many columns; what each trial ended with stands in those that are new."""
    missing = width - estimates.shape[1]
    return np.concatenate([estimates, np.repeat(estimates[:, -1:], missing, axis=1)], axis=1)


def _whole(pruner: Pruner, what: str, least: int) -> int:
    value = getattr(pruner, what)
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"`{pruner!r}`: `{what}` must be an integer. Give one.") from None
    if value < least:
        raise ValueError(f"`{pruner!r}`: `{what} >= {least}` must hold. Give {least} or more.")
    return value
