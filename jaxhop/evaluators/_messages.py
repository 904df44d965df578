"""What goes to a process that evaluates trials, and what comes back from it."""

import math
import pickle
from typing import Any

import cloudpickle

from jaxhop.evaluators._outcome import Outcome


class RemoteTraceback(Exception):
    """The traceback of an error in another process, as the cause of that error here."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def message(candidate: Any) -> bytes:
    """A candidate for another process.

    Args:
        candidate: what the objective is called with.

    Returns:
        The candidate, pickled.

    Example:
        >>> pickle.loads(message({"x": 0.5}))
        {'x': 0.5}
    """
    try:
        pickled = pickle.dumps(candidate, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return cloudpickle.dumps(candidate)
    # By reference it would be looked for in the other process's own main module.
    return cloudpickle.dumps(candidate) if b"__main__" in pickled else pickled


def outcome(number: int, worker: int, reply: tuple[Any, ...]) -> Outcome:
    """How a trial ended, from what another process said.

    Args:
        number: the trial's number.
        worker: which worker it was.
        reply: what `_worker.answer` gave.

    Returns:
        The outcome.

    Example:
        >>> outcome(3, 1, ("completed", 0.5, (), 0.1)).value
        0.5
    """
    if reply[0] == "failed":
        _, error, seconds = reply
        return Outcome(number, "failed", math.nan, (), seconds, worker, unpacked(error))
    status, value, curve, seconds, *cost = reply
    return Outcome(number, status, value, curve, seconds, worker, None, *cost)


def unpacked(error: tuple[bytes | None, str, str]) -> BaseException:
    """An error of another process.

    Args:
        error: what `_worker.packed` gave.

    Returns:
        The error; a RuntimeError that says what it was, if it cannot be had here. Its cause is
        its traceback there.
    """
    pickled, text, trace = error
    found: Any = None
    if pickled is not None:
        try:
            found = pickle.loads(pickled)
        except Exception:  # such as one whose constructor wants more than its arguments
            found = None
    if not isinstance(found, BaseException):
        found = RuntimeError(text)
    found.__cause__ = RemoteTraceback(trace)
    return found
