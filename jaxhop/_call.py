"""One call of a Python objective: its value checked, its estimates judged."""

import math
from collections.abc import Callable, Generator
from typing import Any

from jaxhop import _pruning
from jaxhop._pruning import PruneEvaluation, Task, Trial


class Call:
    """A Python objective as evaluators call it, in this process or another.

    The candidate is handed on as it is and not copied: it is the objective's own, to change or
    to keep. Whoever calls this makes a fresh one for every call, and keeps the point it is made
    from.

    Args:
        fn: called with a candidate; returns a number, or is a generator of estimates of it, the
            last of which is the value (or what it returns in the end, if anything). In place of
            a number it may return `{"value": number, "cost": number}`.

    Example:
        >>> call = Call(lambda params: params["x"] ** 2)
        >>> call({"x": 3})
        ('completed', 9.0, ())
    """

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self.fn = fn

    def __call__(self, candidate: Any) -> tuple[Any, ...]:
        """Evaluates one candidate.

        Args:
            candidate: what the objective is called with, or a `Task`.

        Returns:
            `"completed"` or `"pruned"`; the value, of a pruned trial its last estimate or NaN;
            the estimates; its cost, if the objective says what it is. All values are in the
            user's direction.

        Raises:
            TypeError: if the value or an estimate is no number.
            Exception: whatever the objective raises.
        """
        task = candidate if type(candidate) is Task else Task(candidate)
        trial = Trial(task)
        before = _pruning.current.set(trial)
        try:
            value = self.fn(task.candidate)
            cost = ()
            if type(value) is not float:
                value, *cost = self._value(value, trial)
        except PruneEvaluation:
            curve = tuple(trial.curve)
            return "pruned", curve[-1] if curve else float("nan"), curve
        finally:
            _pruning.current.reset(before)
        return "completed", value, tuple(trial.curve), *cost

    def _value(self, returned: Any, trial: Trial) -> tuple[float, ...]:
        """The value, and the cost if there is one."""
        if isinstance(returned, Generator):
            returned = _last(returned, trial, name(self.fn))
        if type(returned) is dict:
            return _priced(returned, name(self.fn))
        return (_pruning.number(returned, name(self.fn)),)


def _priced(returned: dict[Any, Any], source: str) -> tuple[float, float]:
    """Value and cost of a dict."""
    if set(returned) != {"value", "cost"}:
        raise TypeError(
            f"`{source}` returned a dict with the keys {list(returned)}, but they must be 'value'"
            " and 'cost'. Return such a dict, or the value alone."
        )
    value = _pruning.number(returned["value"], f'{source}["value"]')
    cost = _pruning.number(returned["cost"], f'{source}["cost"]')
    if not 0 <= cost < math.inf:
        raise ValueError(
            f"`{source}` returned the cost {cost}, but a cost must be finite and at least 0."
            " Return such a number."
        )
    return value, cost


def _last(estimates: Generator[Any, None, Any], trial: Trial, source: str) -> Any:
    """What a generator ends with; ends it early, and its trial, if an estimate says so."""
    value = None
    try:
        while True:
            value = next(estimates)
            if type(value) is dict:  # the last one, which says what all has cost
                continue
            value = _pruning.number(value, source)
            if trial.judge(value):
                raise PruneEvaluation
    except StopIteration as end:
        value = value if end.value is None else end.value
    finally:
        estimates.close()
    if value is None:
        raise TypeError(f"`{source}` is a generator that yielded nothing. Yield its value.")
    return value


def name(fn: Any) -> str:
    """What errors call an objective.

    Args:
        fn: the objective.

    Returns:
        The name of the function, or how the object is written.

    Example:
        >>> name(abs)
        'abs'
    """
    return getattr(fn, "__name__", None) or repr(fn)
