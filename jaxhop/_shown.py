"""Results as text of 80 columns, and as plain JSON; arrays as a few numbers."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxhop._budget import format_seconds
from jaxhop._result import Result

WIDTH = 80
"""Columns of a terminal of which one can be sure."""

ELEMENTS = 64
"""Elements of an array that are told one by one, at most; of longer ones there is `summary`."""

_LINES = 20  # parameters that are listed
_CELL = 16  # columns of a cell of a table


def status(result: Result) -> str:
    """What ended a search, how long it took, and what it found.

    Args:
        result: the result.

    Returns:
        Some lines of text, without a newline at the end.
    """
    ended = f"ended by {result.stop_reason}"
    if result.stop_reason == "unfinished":
        ended = "unfinished, or still going"
    lines = [f"{result.evaluations:,} evaluations in {format_seconds(result.seconds)}, {ended}"]
    if not has_best(result):
        return "\n".join([*lines, "no evaluation has a finite value yet"])
    lines.append(f"best value {result.best_value!r} ({result.direction})")
    flat = result.flat(result.best)
    wide = min(40, max(map(len, flat), default=0))
    lines += [f"  {_tail(n, wide):{wide}}  {short(flat[n], WIDTH)}" for n in list(flat)[:_LINES]]
    if len(flat) > _LINES:
        lines.append(f"  and {len(flat) - _LINES:,} more")
    return "\n".join(plain(line) for line in lines)


def top(result: Result, k: int) -> str:
    """A table of the best candidates.

    Args:
        result: the result.
        k: how many.

    Returns:
        Some lines of text; those parameters that fit.
    """
    found = [(value, result.flat(candidate)) for value, candidate in result.top(k)]
    names = list(dict.fromkeys(name for _, flat in found for name in flat))
    columns = [["value", *(f"{value:.6g}" for value, _ in found)]]
    room = WIDTH - max(map(len, columns[0]))
    for name in names:
        cells = [short(flat[name], _CELL) if name in flat else "" for _, flat in found]
        column = [_tail(name, _CELL), *cells]
        room -= 2 + max(map(len, column))
        if room < 0:
            break
        columns.append(column)
    widths = [max(map(len, column)) for column in columns]
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]
    hidden = len(names) + 1 - len(columns)
    return "\n".join([*rows, *([f"and {hidden:,} more columns"] if hidden else [])])


def has_best(result: Result) -> bool:
    """Whether any evaluation had a finite value.

    Args:
        result: the result.

    Returns:
        Whether there is a best candidate.
    """
    return result.best is not None and math.isfinite(result.best_value)


def short(value: Any, width: int) -> str:
    """A value in a few characters.

    Args:
        value: any value of a candidate.
        width: so many at most.

    Returns:
        Text on one line.

    Example:
        >>> short(np.zeros((64, 32), np.float32), 20), short(0.30000000004, 20)
        ('float32[64, 32]', '0.3')
    """
    if isinstance(value, np.ndarray):
        text = f"{value.dtype}{list(value.shape)}"
    else:
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return plain(text, width)


def plain(text: str, width: int = WIDTH) -> str:
    r"""Text that a terminal takes for nothing but text.

    Args:
        text: any text.
        width: what is longer is cut.

    Returns:
        One line without control characters.

    Example:
        >>> print(plain("red: \x1b[31m"), plain("much too long", 8))
        red: \x1b[31m much ...
    """
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def to_json(value: Any) -> Any:
    """A candidate, or any other value, as JSON can say it.

    Args:
        value: any pytree.

    Returns:
        Dicts, lists and scalars: arrays as lists, NaN and infinity as None, and objects that JSON
        does not know by their names.

    Example:
        >>> to_json({"w": np.ones(2), "layers": (1, 2), "gain": float("nan"), "act": np.tanh})
        {'w': [1.0, 1.0], 'layers': [1, 2], 'gain': None, 'act': 'tanh'}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist()) if value.dtype != object else str(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(entry) for key, entry in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return to_json(value._asdict())  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: to_json(getattr(value, field.name)) for field in fields}
    return getattr(value, "__name__", None) or str(value)


def export(result: Result) -> str:
    """The best candidate and the history as JSON.

    Args:
        result: the result.

    Returns:
        One object, with a line for each evaluation that was kept.
    """
    best = has_best(result)
    head = {
        "direction": result.direction,
        "stop_reason": result.stop_reason,
        "evaluations": result.evaluations,
        "seconds": result.seconds,
        "best_value": result.best_value if best else None,
        "best": to_json(result.best) if best else None,
    }
    lines = [f" {json.dumps(name)}: {dumps(value)}," for name, value in head.items()]
    rows = ",\n".join(f"  {dumps(row)}" for row in _rows(result.history.to_dict(result.flat)))
    return "\n".join(["{", *lines, ' "history": [', rows, " ]", "}"])


def dumps(value: Any, indent: int | None = None) -> str:
    """The JSON text of a value.

    Args:
        value: any pytree.
        indent: as for `json.dumps`.

    Returns:
        Text without a newline at the end.
    """
    return json.dumps(to_json(value), indent=indent, allow_nan=False)


def _tail(name: str, width: int) -> str:
    """A name of which the end says most."""
    name = plain(name, len(name) * 10)
    return name if len(name) <= width else f"...{name[3 - width :]}"


def _rows(table: Mapping[str, Sequence[Any] | np.ndarray]) -> list[dict[str, Any]]:
    """The rows of a table, without the parameters that were not kept."""
    columns = [c.tolist() if isinstance(c, np.ndarray) else c for c in table.values()]
    rows = (zip(table, row, strict=True) for row in zip(*columns, strict=True))
    return [{n: v for n, v in row if v is not None or not n.startswith("params.")} for row in rows]


def summary(array: np.ndarray) -> dict[str, float]:
    """What is said of an array that is not written out.

    Args:
        array: of any shape.

    Returns:
        Mean, standard deviation, smallest and largest element; nothing of an empty array, or of
        one that has no numbers.

    Example:
        >>> summary(np.array([[1.0, 2.0], [3.0, 6.0]]))
        {'mean': 3.0, 'std': 1.8708286933869707, 'min': 1.0, 'max': 6.0}
    """
    if not array.size or array.dtype.kind not in "biuf":
        return {}
    numbers = array.astype(np.float64)
    found = {"mean": numbers.mean(), "std": numbers.std(), "min": numbers.min()}
    return {name: float(value) for name, value in {**found, "max": numbers.max()}.items()}
