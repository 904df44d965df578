"""Evaluation in this process, one trial at a time."""

import math
import time
from collections.abc import Callable
from typing import Any

from jaxhop._interrupt import Expired, breakable
from jaxhop.evaluators._outcome import Outcome


class Inline:
    """Calls the objective when it is waited for.

    Args:
        call: `call(candidate) -> (status, value, curve)`, and its cost if it has one.

    Example:
        >>> evaluator = Inline(lambda params: ("completed", params["x"] ** 2, ()))
        >>> evaluator.submit(0, {"x": 3.0})
        >>> [outcome.value for outcome in evaluator.wait(1.0)]
        [9.0]
    """

    def __init__(self, call: Callable[[Any], tuple[Any, ...]]) -> None:
        self.slots = 1
        self._call = call
        self._waiting: tuple[int, Any] | None = None

    def submit(self, number: int, candidate: Any) -> None:
        """Takes a trial; see `Evaluator`."""
        self._waiting = number, candidate

    def wait(self, seconds: float) -> list[Outcome]:
        """Evaluates what was submitted; see `Evaluator`."""
        del seconds
        if self._waiting is None:
            return []
        number, candidate = self._waiting
        self._waiting = None
        begin = time.perf_counter()
        try:
            with breakable():
                status, value, curve, *cost = self._call(candidate)
        except Expired:
            return []
        except Exception as error:
            elapsed = time.perf_counter() - begin
            return [Outcome(number, "failed", math.nan, (), elapsed, 0, error)]
        elapsed = time.perf_counter() - begin
        return [Outcome(number, status, value, curve, elapsed, 0, None, *cost)]

    def stop(self, grace: float) -> list[Outcome]:
        """Nothing runs between two calls, and what was submitted is given up."""
        del grace
        self._waiting = None
        return []

    def close(self) -> None:
        """Nothing is left behind."""
