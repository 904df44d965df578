"""A noisy objective evaluated several times with the same candidate."""

import copy
import operator
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from jaxhop import _call, _pruning

_REDUCTIONS = {"mean": np.mean, "median": np.median}


class NTimes:
    """What `wrap_n_times` returns; a class, so that it can be sent to workers."""

    def __init__(
        self, fn: Callable[..., Any], n: int, reduction: Any, yield_after: int, with_index: bool
    ) -> None:
        self.fn = fn
        self.n = n
        self.reduction = reduction
        self.yield_after = yield_after
        self.with_index = with_index
        self.__name__ = _call.name(fn)

    def __call__(self, candidate: Any) -> Generator[float, None, None]:
        """Yields the reduction of the values so far."""
        values: list[float] = []
        for index in range(self.n):
            # The objective may change what it gets; the last call may have the original.
            own = copy.deepcopy(candidate) if index < self.n - 1 else candidate
            returned = self.fn(own, index) if self.with_index else self.fn(own)
            values.append(_pruning.number(returned, self.__name__))
            if index >= self.yield_after:
                yield _pruning.number(self.reduction(values), f"reduction={self.reduction!r}")


def wrap_n_times(
    fn: Callable[..., Any],
    n: int,
    reduction: str | Callable[[list[float]], float] = "mean",
    yield_after: int = 0,
    pass_index: bool = False,
) -> NTimes:
    """An objective that evaluates a noisy one several times.

    It yields the reduction of the values so far after each call, so that a pruner can end a bad
    candidate before all calls were made.

    Args:
        fn: called with a candidate, a copy of its own each time; returns a number.
        n: how many times, at least 1.
        reduction: `"mean"`, `"median"`, or a function of a list of floats. Default `"mean"`.
        yield_after: so many calls give no estimate; less than n. Default 0: all give one.
        pass_index: whether fn is called as `fn(candidate, index)`, index counting the calls
            from 0: a seed, for example. Default False.

    Returns:
        A generator function of a candidate.

    Raises:
        ValueError: if a number is out of range, or the reduction is not known.
        TypeError: if an argument is of a wrong type.

    Example:
        >>> noisy = wrap_n_times(lambda params, i: params["x"] + i, 3, pass_index=True)
        >>> list(noisy({"x": 1}))
        [1.0, 1.5, 2.0]
    """
    subject = f"wrap_n_times(..., n={n!r}, reduction={reduction!r}, yield_after={yield_after!r})"
    if not callable(fn):
        raise TypeError(f"`{subject}`: `fn` must be a function, but got {fn!r}. Give one.")
    try:
        n, yield_after = operator.index(n), operator.index(yield_after)
    except TypeError:
        raise TypeError(f"`{subject}`: `n` and `yield_after` must be integers.") from None
    if n < 1:
        raise ValueError(f"`{subject}`: `n >= 1` must hold. Give the number of calls.")
    if not 0 <= yield_after < n:
        raise ValueError(f"`{subject}`: `0 <= yield_after < n` must hold. Give at most {n - 1}.")
    if not callable(reduction) and reduction not in _REDUCTIONS:
        raise ValueError(f'`{subject}`: give "mean", "median" or a function as `reduction`.')
    reduce = reduction if callable(reduction) else _REDUCTIONS[reduction]
    return NTimes(fn, n, reduce, yield_after, bool(pass_index))
