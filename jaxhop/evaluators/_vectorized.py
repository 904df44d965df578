"""Evaluation of a whole population by one call of the objective."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxhop._call import name
from jaxhop.evaluators._outcome import Outcome


class Vectorized:
    """Calls `fn(stacked) -> values` with all candidates that were submitted.

    Args:
        fn: the objective. It gets the candidates' structure with a leading axis in each array,
            and returns one value for each.
        slots: candidates at once.

    Example:
        >>> evaluator = Vectorized(lambda params: params["x"] ** 2, slots=2)
        >>> for number, x in enumerate([1.0, 2.0]):
        ...     evaluator.submit(number, {"x": x})
        >>> [outcome.value for outcome in evaluator.wait(1.0)]
        [1.0, 4.0]
    """

    def __init__(self, fn: Callable[[Any], Any], slots: int) -> None:
        self.slots = slots
        self._fn = fn
        self._waiting: list[tuple[int, Any]] = []

    def submit(self, number: int, candidate: Any) -> None:
        """Adds a candidate to those that are evaluated next; see `Evaluator`."""
        self._waiting.append((number, candidate))

    def wait(self, seconds: float) -> list[Outcome]:
        """Evaluates all that were submitted; see `Evaluator`."""
        del seconds
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return []
        numbers = [number for number, _ in waiting]
        begin = time.perf_counter()
        try:
            returned = self._fn(stacked([candidate for _, candidate in waiting]))
            values = _values(returned, len(waiting), self._fn)
        except Exception as error:
            each = (time.perf_counter() - begin) / len(waiting)
            return [Outcome(n, "failed", np.nan, (), each, 0, error) for n in numbers]
        each = (time.perf_counter() - begin) / len(waiting)
        return [
            Outcome(number, "completed", value, (), each, 0, None)
            for number, value in zip(numbers, values.tolist(), strict=True)
        ]

    def stop(self, grace: float) -> list[Outcome]:
        """Nothing is ever under way; what was submitted is evaluated if there is time."""
        return self.wait(grace) if grace > 0 else []

    def close(self) -> None:
        """Nothing is left behind."""


def stacked(candidates: Sequence[Any]) -> Any:
    """Candidates of one structure as one, with a leading axis in each leaf.

    Args:
        candidates: candidates on the host.

    Returns:
        Their structure with arrays; leaves that are no numbers are arrays of objects.

    Raises:
        ValueError: if the structures differ.
    """
    leaves, structures = zip(
        *(jax.tree.flatten(candidate) for candidate in candidates), strict=True
    )
    if len(set(structures)) > 1:
        raise ValueError(
            "`vectorized=True`: all candidates must have one structure, but options of a choice"
            " have parameters of their own here. Put these beside the choice, or leave"
            " vectorized=True out."
        )
    columns = [_column(column) for column in zip(*leaves, strict=True)]
    return jax.tree.unflatten(structures[0], columns)


def _column(leaves: Sequence[Any]) -> np.ndarray:
    if all(isinstance(leaf, bool | int | float | np.ndarray | np.generic) for leaf in leaves):
        return np.stack([np.asarray(leaf) for leaf in leaves])
    column = np.empty(len(leaves), object)
    column[:] = leaves
    return column


def _values(returned: Any, number: int, fn: Any) -> np.ndarray:
    """The values that an objective returned, as float64[number]."""
    given = returned
    for step in ("detach", "cpu"):  # NumPy takes no tensor that has a gradient or is elsewhere
        given = getattr(given, step)() if hasattr(given, step) else given
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    if values.shape not in ((number,), (number, 1)):
        got = f"an array of shape {np.shape(given)}" if hasattr(given, "shape") else repr(returned)
        raise TypeError(
            f"`{name(fn)}` must return one real number for each of the {number} candidates"
            f" (vectorized=True), but it returned {got}. Return an array of shape ({number},)."
        )
    return values.reshape(number)
