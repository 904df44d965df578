"""What evaluators have in common: how a trial ended, and what the loop asks of them."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


class Outcome(NamedTuple):
    """How a trial ended.

    Attributes:
        number: the trial's number.
        status: `"completed"`, `"pruned"`, `"timeout"`, `"lost"` (its process died twice) or
            `"failed"` (the objective raised an error).
        value: in the user's direction; NaN unless completed, of pruned trials the last estimate.
        curve: the estimates on the way.
        seconds: spent in the objective.
        worker: which worker evaluated it; 0 in this process.
        error: what the objective raised, if it failed.
        cost: what it cost, in units of the user's own; NaN where nobody says so.

    Example:
        >>> Outcome(7, "completed", 0.5, (), 0.1, 0, None).value
        0.5
    """

    number: int
    status: str
    value: float
    curve: tuple[float, ...]
    seconds: float
    worker: int
    error: BaseException | None
    cost: float = math.nan


class Evaluator(Protocol):
    """What turns candidates into outcomes, in any order.

    Attributes:
        slots: how many trials run at once.

    Example:
        >>> from jaxhop.evaluators import Inline
        >>> evaluator: Evaluator = Inline(lambda params: ("completed", params["x"] ** 2, ()))
        >>> evaluator.submit(0, {"x": 3.0})
        >>> [outcome.value for outcome in evaluator.wait(1.0)]
        [9.0]
        >>> evaluator.close()
    """

    slots: int

    def submit(self, number: int, candidate: Any) -> None:
        """Takes a trial; only called while fewer than `slots` are pending.

        Args:
            number: the trial's number.
            candidate: what the objective is called with.
        """
        ...

    def wait(self, seconds: float) -> list[Outcome]:
        """Waits until at least one trial ends.

        Args:
            seconds: how long at most. In this process it takes as long as the objective does.

        Returns:
            The trials that ended; none if the time is over.
        """
        ...

    def stop(self, grace: float) -> list[Outcome]:
        """Lets running trials end, and kills those that do not.

        Args:
            grace: how many seconds they have, at most; may be infinite.

        Returns:
            Those that ended in time. Nothing may be submitted any more.
        """
        ...

    def close(self) -> None:
        """Leaves nothing behind; may be called more than once."""
        ...


def ended(
    wait: Callable[[float], list[Outcome]], under_way: Callable[[], bool], grace: float
) -> list[Outcome]:
    """Trials that end in a time of grace.

    Args:
        wait: of the evaluator.
        under_way: whether any trial is left.
        grace: seconds, infinite to wait for all.

    Returns:
        Their outcomes.
    """
    until = time.monotonic() + grace
    outcomes: list[Outcome] = []
    while under_way() and (left := until - time.monotonic()) > 0:
        outcomes += wait(left)
    return outcomes
