"""Trials that end early: what their objective says of them, and what the search makes of it."""

import contextvars
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxhop.pruners import Pruner


class PruneEvaluation(Exception):
    """Raised by an objective to end its trial early; the trial counts as pruned.

    Example:
        >>> def objective(params):
        ...     if params["layers"] > 100:
        ...         raise PruneEvaluation
        ...     return params["layers"] / 100
    """


class Task(NamedTuple):
    """A candidate, and how bad the estimates of its value may be.

    Attributes:
        candidate: what the objective is called with.
        limits: what the first, second, ... estimate times `sign` may be at most; further ones
            have no limit.
        sign: 1 to minimise, -1 to maximise.
    """

    candidate: Any
    limits: Sequence[float] | np.ndarray = ()
    sign: int = 1


class Trial:
    """A trial that runs.

    Args:
        task: gives the limits, and the sign.

    Attributes:
        curve: the estimates so far, in the user's direction.

    Example:
        >>> trial = Trial(Task({"x": 1.0}, limits=[-0.5], sign=-1))
        >>> trial.judge(0.4), trial.judge(0.1), trial.curve
        (True, False, [0.4, 0.1])
    """

    __slots__ = ("_limits", "_sign", "curve")

    def __init__(self, task: Task) -> None:
        _, self._limits, self._sign = task
        self.curve: list[float] = []

    def judge(self, estimate: float) -> bool:
        """Adds an estimate.

        Args:
            estimate: what the objective's value may come to, in the user's direction.

        Returns:
            Whether the trial should end: the estimate is beyond its limit, or NaN where there
            is one.
        """
        place = len(self.curve)
        self.curve.append(estimate)
        if place >= len(self._limits):
            return False
        limit = float(self._limits[place])
        return limit < math.inf and not self._sign * estimate <= limit


class Judge:
    """What a search keeps of its pruner: the state, and the limits for the next trials.

    Args:
        pruner: the rule.
        sign: 1 to minimise, -1 to maximise.

    Attributes:
        state: what the pruner knows of finished trials.

    Example:
        >>> from jaxhop.pruners import TopKPruner
        >>> judge = Judge(TopKPruner(1), sign=1)
        >>> judge.tell("completed", 1.0, (2.0, 1.0))
        >>> judge.task({"x": 1.0}).limits.tolist()
        [2.0]
    """

    def __init__(self, pruner: Pruner, sign: int) -> None:
        self._pruner, self._sign = pruner, sign
        self.state = pruner.init()
        self._limits: np.ndarray | None = None

    def task(self, candidate: Any) -> Task:
        """What `Call` is called with.

        Args:
            candidate: what the objective is called with.

        Returns:
            The candidate with the limits of now.
        """
        if self._limits is None:
            self._limits = self._pruner.limits(self.state)
        return Task(candidate, self._limits, self._sign)

    def tell(self, status: str, value: float, curve: Sequence[float]) -> None:
        """Takes in a finished trial; only completed and pruned ones say something.

        Args:
            status: how it ended.
            value: its value, in the user's direction.
            curve: its estimates, likewise.
        """
        if status not in ("completed", "pruned"):
            return
        end = self._sign * value if status == "completed" else math.inf
        own = tuple([self._sign * estimate for estimate in curve])
        self.state = self._pruner.update(self.state, own, end)
        self._limits = None


current: contextvars.ContextVar[Trial | None] = contextvars.ContextVar("trial", default=None)
"""The trial that runs in this thread."""


def should_prune(value: float) -> bool:
    """Whether the objective that calls this should give up its trial.

    For objectives that are no generators. One that is told so ends with
    `raise jaxhop.PruneEvaluation`, after it has cleaned up what it must; if it goes on, nothing
    happens. Call it in the thread that the objective was called in.

    Args:
        value: an estimate of what the objective will return, in the direction of the search.

    Returns:
        What the pruner of the search says of it; False without one, and outside of a search.

    Raises:
        TypeError: if the estimate is no number.

    Example:
        >>> should_prune(0.3)
        False
    """
    trial = current.get()
    return False if trial is None else trial.judge(number(value, "should_prune(value)"))


def number(value: Any, source: str) -> float:
    """One number as a Python float.

    Args:
        value: an int, a float, or whatever holds exactly one number: arrays and tensors of one
            element, decimals, fractions.
        source: what it comes from, for the error.

    Returns:
        The number; NaN and infinities are passed on.

    Raises:
        TypeError: if it is no number.

    Example:
        >>> import numpy as np
        >>> number(np.float32(0.5), "f"), number(np.array([2]), "f")
        (0.5, 2.0)
    """
    plain = value
    try:
        if hasattr(value, "item"):
            plain = value.item()
        if not isinstance(plain, str | bytes | bytearray):
            return float(plain)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    text = repr(value)
    text = text if len(text) <= 200 else text[:197] + "..."
    hint = "Is a `return` missing?" if value is None else "Reduce it to one number."
    raise TypeError(f"`{source}` must give one real number, but it gave {text}. {hint}")
