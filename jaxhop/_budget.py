"""How long a search may go on: the budget, and durations as people write them."""

import math
import operator
import re
from dataclasses import dataclass
from datetime import timedelta
from numbers import Real

import numpy as np

FIRST_CYCLE = 1000
"""Evaluations in the first cycle of a search that has only a target to reach."""

_UNITS = {
    "ms": 1e-3, "msec": 1e-3, "msecs": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hr": 3600.0, "hrs": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
    "w": 604800.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip

_NUMBER = r"[0-9]+\.?[0-9]*|\.[0-9]+"
_PART = re.compile(rf"({_NUMBER})\s*([a-z]+)")
_PARTS = re.compile(rf"{_PART.pattern}(?:(?:\s*,\s*|\s*){_PART.pattern})*")
_CLOCK = re.compile(r"(?:([0-9]+):(?=[0-9]+:))?([0-9]+):([0-9]+(?:\.[0-9]*)?)")

_HOW = (
    'Give seconds (`30`, `1.5`), a `timedelta`, or text such as "30s", "1h 30min", "1.5h", '
    '"500ms", "2 days" or "1:30:00".'
)


def parse_runtime(runtime: float | timedelta | str, name: str = "runtime") -> float:
    """Reads a duration.

    Args:
        runtime: a number of seconds; a `timedelta`; or text: a bare number (seconds), numbers
            with units from milliseconds to weeks (`"1h 30min"`, `"3 days, 7 hours"`), or a clock
            time, hours:minutes:seconds or minutes:seconds (`"1:30"` is one and a half minutes).
        name: what error messages call it. Default `"runtime"`.

    Returns:
        Seconds, finite and greater than 0.

    Raises:
        TypeError: if `runtime` is none of these types.
        ValueError: if the text cannot be read, or the duration is not finite and positive.

    Example:
        >>> parse_runtime("1h 30min")
        5400.0
        >>> parse_runtime("1:30")
        90.0
    """
    if isinstance(runtime, str):
        seconds = _parse_text(runtime, name)
    elif isinstance(runtime, timedelta):
        seconds = runtime.total_seconds()
    elif isinstance(runtime, np.timedelta64):
        seconds = float(runtime / np.timedelta64(1, "s"))
    elif isinstance(runtime, Real) and not isinstance(runtime, bool):
        seconds = _to_float(runtime)
    else:
        raise TypeError(f"`{name}={runtime!r}`: a duration must be given. {_HOW}")
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(
            f"`{name}={runtime!r}`: a duration must be finite and greater than 0. {_HOW}"
        )
    return seconds


def _parse_text(runtime: str, name: str) -> float:
    text = runtime.strip().lower()
    if re.fullmatch(_NUMBER, text):
        return float(text)
    if _PARTS.fullmatch(text):
        parts = _PART.findall(text)
        if all(unit in _UNITS for _, unit in parts):
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        # Only the first part may run over: "90:00" is clear, "1:75" is a slip.
        if seconds < 60 and (minutes < 60 or clock[1] is None):
            return hours * 3600 + minutes * 60 + seconds
    raise ValueError(f"`{name}={runtime!r}`: text must name a duration. {_HOW}")


def _to_float(number: Real) -> float:
    try:
        return float(number)
    except OverflowError:  # an int beyond the floats
        return math.inf


def format_seconds(seconds: float) -> str:
    """Writes a duration in at most two units.

    Args:
        seconds: the duration, 0 or more.

    Returns:
        Text such as `"51 ms"`, `"2.22 s"`, `"1 min 05 s"`, `"1 h 30 min"` or `"2 d 3 h"`.

    Example:
        >>> format_seconds(65.2)
        '1 min 05 s'
    """
    # Each limit is where rounding would carry into the next unit.
    if seconds < 0.00095:
        return f"{seconds * 1000:.1g} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    if seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    if seconds < 86370:
        hours, rest = divmod(round(seconds / 60), 60)
        return f"{hours} h {rest:02d} min"
    days, rest = divmod(round(seconds / 3600), 24)
    return f"{days} d {rest} h"


@dataclass(frozen=True)
class Budget:
    """What ends a search: time, evaluations, cost, a value reached, or no more improvement.

    Whatever is first does.

    Make one with `Budget.of`, which checks.

    Attributes:
        runtime: seconds, or None.
        evaluations: number of evaluations, or None.
        target: value that is good enough, or None.
        cost: sum of what trials cost, or None.
        patience: evaluations without an improvement, or None.
    """

    runtime: float | None = None
    evaluations: int | None = None
    target: float | None = None
    cost: float | None = None
    patience: int | None = None

    @classmethod
    def of(
        cls,
        runtime: float | timedelta | str | None = None,
        evaluations: int | None = None,
        target: float | None = None,
        cost: float | None = None,
        patience: int | None = None,
    ) -> "Budget":
        """Checks what the user gave.

        Args:
            runtime: how long to search, as `parse_runtime` reads it. Default: no limit.
            evaluations: how many evaluations in total, at least 1. Default: no limit.
            target: value at which to stop, in the units of the objective. Default: none.
            cost: what all trials together may cost, greater than 0. Default: no limit.
            patience: how many evaluations may follow the best one, at least 1. Default: no limit.

        Returns:
            The budget.

        Raises:
            TypeError: if one of them is of a wrong type.
            ValueError: if none is given, or one is out of range.

        Example:
            >>> Budget.of(runtime="1min", evaluations=1000)
            Budget(runtime=60.0, evaluations=1000)
        """
        given = (runtime, evaluations, target, cost, patience)
        if all(each is None for each in given):
            raise ValueError(
                "`runtime`, `evaluations`, `target`, `cost`, `patience`: at least one must be"
                ' given, or the search would never end. Say `runtime="30s"`, `evaluations=10_000`'
                " or `target=0.01`."
            )
        return cls(
            runtime=None if runtime is None else parse_runtime(runtime),
            evaluations=_whole("evaluations", evaluations, 10_000),
            target=None if target is None else _check_target(target),
            cost=None if cost is None else _check_cost(cost),
            patience=_whole("patience", patience, 1000),
        )

    def __repr__(self) -> str:
        given = {name: value for name, value in vars(self).items() if value is not None}
        return f"Budget({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    @property
    def measured(self) -> bool:
        """Whether it says how long the search takes at most."""
        return not (self.runtime is None and self.evaluations is None and self.cost is None)

    def progress(self, evaluations: int, elapsed: float, cost: float = 0.0) -> float:
        """How much of the budget is used.

        A target or patience alone says nothing about how long the search takes. The search then
        runs in cycles, each twice as long as the one before, and the progress is that of the
        cycle.

        Args:
            evaluations: evaluations done so far.
            elapsed: seconds since the clock started.
            cost: of all trials so far. Default 0.

        Returns:
            A number in [0, 1]: the largest of the shares of time, evaluations and cost; without
            any of these, the share of the present cycle.

        Example:
            >>> Budget.of(runtime=10, evaluations=100).progress(evaluations=20, elapsed=5.0)
            0.5
        """
        shares = []
        if self.runtime is not None:
            shares.append(elapsed / self.runtime)
        if self.evaluations is not None:
            shares.append(evaluations / self.evaluations)
        if self.cost is not None:
            shares.append(cost / self.cost)
        if not shares:
            first, length = self.cycle(evaluations)
            shares.append((evaluations - first) / length)
        return min(max(0.0, *shares), 1.0)

    def cycle(self, evaluations: int) -> tuple[int, int]:
        """The cycle of progress that a search for a target alone is in.

        Args:
            evaluations: evaluations done so far.

        Returns:
            The number of evaluations before the cycle, and its length.

        Example:
            >>> Budget.of(target=0.0).cycle(5000)
            (3000, 4000)
        """
        # Cycle k starts after FIRST_CYCLE * (2**k - 1) evaluations.
        length = FIRST_CYCLE * 2 ** ((evaluations // FIRST_CYCLE + 1).bit_length() - 1)
        return length - FIRST_CYCLE, length


def _whole(name: str, given: int | None, example: int) -> int | None:
    if given is None:
        return None
    if isinstance(given, float) and given.is_integer():
        raise TypeError(f"`{name}={given!r}`: an int must be given. Say `int({given!r})`.")
    try:
        if isinstance(given, bool):
            raise TypeError
        number = operator.index(given)
    except TypeError:
        raise TypeError(
            f"`{name}={given!r}`: an int must be given. Say `{name}={example:_}`."
        ) from None
    if number < 1:
        raise ValueError(
            f"`{name}={given!r}`: at least 1 must be given. Say `{name}={example:_}`, or leave it"
            " out and give `runtime`."
        )
    return number


def _check_cost(cost: float) -> float:
    if isinstance(cost, bool) or not isinstance(cost, Real):
        raise TypeError(f"`cost={cost!r}`: a number must be given. Say `cost=100.0`.")
    value = _to_float(cost)
    if not 0 < value < math.inf:
        raise ValueError(
            f"`cost={cost!r}`: a finite number greater than 0 must be given. Say `cost=100.0`."
        )
    return value


def _check_target(target: float) -> float:
    if isinstance(target, (bool, np.timedelta64)) or not isinstance(target, Real):
        raise TypeError(f"`target={target!r}`: a number must be given. Say `target=0.01`.")
    value = _to_float(target)
    if not math.isfinite(value):
        raise ValueError(
            f"`target={target!r}`: a finite number must be given. Say `target=0.01`, or leave "
            "it out to use the whole of `runtime` or `evaluations`."
        )
    return value
