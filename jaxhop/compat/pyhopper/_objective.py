"""PyHopper's objectives as jaxhop calls them."""

import math
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from jaxhop import _call, _noisy, _pruning


class Objective:
    """An objective with its named arguments; a class, so that it can be sent to workers.

    Args:
        fn: called with a candidate and the named arguments.
        named: these.
        nan: whether its value may be NaN.

    Example:
        >>> Objective(lambda params, n: params["x"] * n, {"n": 2}, False)({"x": 3})
        6.0
    """

    def __init__(self, fn: Callable[..., Any], named: dict[str, Any], nan: bool) -> None:
        self._fn = partial(fn, **named)
        self._nan = nan
        self.__name__ = _call.name(fn)

    def __call__(self, candidate: Any) -> Any:
        """Evaluates a candidate.

        Args:
            candidate: a candidate.

        Returns:
            Its value, or a generator of estimates.

        Raises:
            ValueError: if it is NaN but must not.
            TypeError: if it is no number.
        """
        returned = self._fn(candidate)
        if isinstance(returned, Generator):
            return self._estimates(returned)
        return self._checked(returned)

    def _estimates(self, given: Generator[Any, None, Any]) -> Generator[Any, None, None]:
        """The same estimates; the last one is the value."""
        estimate = math.inf
        try:
            for estimate in given:
                yield estimate
        finally:
            given.close()
        self._checked(estimate)

    def _checked(self, returned: Any) -> float:
        value = _pruning.number(returned, self.__name__)
        if math.isnan(value) and not self._nan:
            raise ValueError(
                f"`{self.__name__}` returned NaN. Say `ignore_nans=True` to have such candidates"
                " passed over."
            )
        return value


def wrap_n_times(
    func: Callable[..., Any],
    n: int,
    yield_after: int | None = 0,
    reduction: str | Callable[[list[float]], float] = "mean",
    pass_index_arg: bool = False,
) -> Callable[..., Any]:
    """An objective that evaluates a noisy one several times; see `jaxhop.wrap_n_times`.

    Args:
        func: called with a candidate, and the named arguments if the search has any.
        n: how many times.
        yield_after: so many calls give no estimate for pruners. None: only the last gives one.
        reduction: `"mean"`, `"median"`, or a function of a list of floats.
        pass_index_arg: whether func is called as `func(candidate, index)`.

    Returns:
        A generator function of a candidate.

    Raises:
        ValueError: if a number is out of range, or the reduction is not known.
        TypeError: if an argument is of a wrong type.

    Example:
        >>> list(wrap_n_times(lambda params, i: params["x"] + i, 3, pass_index_arg=True)({"x": 1}))
        [1.0, 1.5, 2.0]
    """
    settings = {
        "reduction": "median" if reduction == "med" else reduction,
        "yield_after": n - 1 if yield_after is None else yield_after,
        "pass_index": pass_index_arg,
    }
    _noisy.wrap_n_times(func, n, **settings)  # refuses what is wrong before the search begins
    return partial(_n_times, func, n, settings)


def _n_times(fn: Any, n: int, settings: dict[str, Any], candidate: Any, **named: Any) -> Any:
    return _noisy.wrap_n_times(partial(fn, **named), n, **settings)(candidate)
