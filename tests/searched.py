"""What the tests of run directories share: searches that are stopped, and what was found."""

import contextlib
from typing import Any

import numpy as np

import jaxhop


class Stopped(Exception):
    """What an objective raises in place of a machine that is taken away."""


class Counted:
    """An objective that counts its calls, and fails at the one that it is told to.

    Args:
        fn: what is counted.
        fail_at: which of its calls is not to end, from 0.
    """

    def __init__(self, fn: Any, fail_at: int | None = None) -> None:
        self.fn, self.fail_at, self.calls = fn, fail_at, 0
        self.__name__ = "loss"

    def __call__(self, params: Any) -> Any:
        """Calls the function."""
        if self.calls == self.fail_at:
            raise Stopped
        self.calls += 1
        return self.fn(params)


class StopAt:
    """A callback that asks to stop after so many evaluations."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.seen: list[int] = []

    def on_trial(self, trial: Any) -> bool:
        """Asks when it is time."""
        self.seen.append(trial.number)
        return trial.number + 1 >= self.number


def table(result: jaxhop.Result, params: bool = True) -> dict[str, Any]:
    """What must be equal, whenever a search was stopped."""
    history = result.history
    columns = ("evaluation", "value", "phase", "step", "temperature", "accepted", "status", "cost")
    found: dict[str, Any] = {name: history[name] for name in columns}
    found |= {"stored": history.stored, "improvements": history.improvements}
    found["params"] = [history.params(int(row)) for row in history.stored if params]
    found |= {"best": result.best, "best_value": result.best_value}
    found |= {"evaluations": result.evaluations, "stop_reason": result.stop_reason}
    found["phases"] = [(one.name, one.evaluations, one.best_value) for one in result.phases]
    return found


def assert_same(one: jaxhop.Result, other: jaxhop.Result, but: tuple[str, ...] = ()) -> None:
    """Two searches found the same, bit for bit."""
    first, second = (table(each, "params" not in but) for each in (one, other))
    for name in first:
        if name not in but:
            assert_equal(first[name], second[name], name)


def assert_equal(one: Any, other: Any, name: str = "") -> None:
    """Two candidates are the same, of whatever they are made."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one:
            assert_equal(one[key], other[key], f"{name}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), name
        for at, (each, its) in enumerate(zip(one, other, strict=True)):
            assert_equal(each, its, f"{name}[{at}]")
    else:
        assert type(one) is type(other), name
        np.testing.assert_array_equal(one, other, err_msg=name)


def stopped_at(fn: Any, fail_at: int, space: Any, **settings: Any) -> None:
    """Begins a search, or goes on with it, until so many calls of the objective have ended."""
    with contextlib.suppress(Stopped):
        jaxhop.search(Counted(fn, fail_at), space, **settings)
