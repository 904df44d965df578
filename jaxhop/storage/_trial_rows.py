"""A trial as a row of a table: what is written of it, and how it is read and checked again."""

import math
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhop._row import Row
from jaxhop._trials import PHASES, STATUSES
from jaxhop.evaluators import Outcome
from jaxhop.storage._errors import StorageError
from jaxhop.storage._packing import Packing

SCHEMA = """
CREATE TABLE IF NOT EXISTS trial (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    seat INTEGER NOT NULL, ended INTEGER UNIQUE, by INTEGER,
    key BLOB NOT NULL, point BLOB, params TEXT,
    phase TEXT, temperature REAL, turn INTEGER, place INTEGER, whole INTEGER, progress REAL,
    status TEXT, value REAL, cost REAL, seconds REAL, duration REAL, worker INTEGER, curve BLOB,
    sum INTEGER
)
"""

ASKED = "key, point, params, phase, temperature, turn, place, whole, progress"
"""Columns that are written before a trial, in the order of `asked`."""

ENDED = "status, value, cost, seconds, duration, worker, curve"
"""Columns that are written after it, in the order of `ended`."""

COLUMNS = f"id, {ASKED}, {ENDED}, sum"
"""Columns that `Past` is made of."""

_ID, _SUM = 0, 17


class Past(NamedTuple):
    """Trials, a column each for what is known of them.

    Attributes:
        ids: of the rows.
        keys: of their candidates.
        texts: their candidates as JSON; None where these were too large.
        points: their stacked points, of those that were kept.
        kept: int64[m], which these are.
        phase: int8[n].
        temperature: float32[n].
        turn: int64[n].
        place: int64[n].
        full: bool[n].
        progress: float64[n], of their round.
        status: int8[n].
        value: float64[n].
        cost: float64[n].
        seconds: float64[n].
        duration: float32[n].
        worker: int16[n].
        curves: the estimates of each.

    Example:
        >>> packing = Packing((np.float32(0),))
        >>> row = Row((np.float32(0.5),), {"x": 0.5}, b"key", 1, 0.5, 0, 0, True, 0.0)
        >>> end = Outcome(0, "completed", 1.5, (), 0.1, 0, None)
        >>> columns = (*asked(row, packing.pack(row.point)), *ended(end, end.status, 0.1))
        >>> trials = past([(1, *columns, total(columns))], packing)
        >>> trials.value, trials.points, trials.outcome(0).status
        (array([1.5]), (array([0.5], dtype=float32),), 'completed')
    """

    ids: list[int]
    keys: list[bytes]
    texts: list[str | None]
    points: Any
    kept: np.ndarray
    phase: np.ndarray
    temperature: np.ndarray
    turn: np.ndarray
    place: np.ndarray
    full: np.ndarray
    progress: np.ndarray
    status: np.ndarray
    value: np.ndarray
    cost: np.ndarray
    seconds: np.ndarray
    duration: np.ndarray
    worker: np.ndarray
    curves: list[tuple[float, ...]]

    def row(self, at: int) -> Row:
        """One of them as a candidate, which is still to be made from its point."""
        where = int(np.searchsorted(self.kept, at))
        return Row(
            point=jax.tree.map(lambda column: column[where], self.points),
            candidate=None,
            key=self.keys[at],
            phase=int(self.phase[at]),
            temperature=float(self.temperature[at]),
            turn=int(self.turn[at]),
            index=int(self.place[at]),
            full=bool(self.full[at]),
            progress=float(self.progress[at]),
            id=self.ids[at],
            text=self.texts[at],
        )

    def outcome(self, at: int) -> Outcome:
        """How one of them ended."""
        return Outcome(
            number=-1,
            status=STATUSES[self.status[at]],
            value=float(self.value[at]),
            curve=self.curves[at],
            seconds=float(self.duration[at]),
            worker=int(self.worker[at]),
            error=None,
            cost=float(self.cost[at]),
        )


def asked(row: Row, point: bytes | None) -> tuple:
    """What is written of a trial before it; see `ASKED`."""
    return (
        row.key,
        point,
        row.text,
        PHASES[row.phase],
        float(row.temperature) + 0.0,  # SQLite has no -0.0
        int(row.turn),
        int(row.index),
        int(row.full),
        float(row.progress) + 0.0,
    )


def ended(outcome: Outcome, status: str, seconds: float) -> tuple:
    """What is written of a trial after it; see `ENDED`. A column has no NaN: it is NULL there."""
    numbers = (outcome.value, outcome.cost, seconds, outcome.seconds)
    plain = (None if math.isnan(each) else float(each) + 0.0 for each in numbers)
    curve = np.asarray(outcome.curve, np.float64).tobytes()
    return status, *plain, int(outcome.worker), curve


UNKNOWN = (None,) * len(ENDED.split(","))
"""What stands in the columns of `ENDED` before the trial has."""


def total(columns: Sequence[Any]) -> int:
    """A checksum of what is written of a trial.

    Args:
        columns: those of `ASKED`, then those of `ENDED`.

    Returns:
        32 bits.
    """
    key, point, text, *others, curve = columns
    found = zlib.crc32(repr(others).encode(), zlib.crc32(key))
    for part in (point, text and text.encode(), curve):
        found = zlib.crc32(part or b"", found)
    return found


def whole(row: tuple) -> bool:
    """Whether a row of `COLUMNS` is as it was written."""
    try:
        return total(row[1:_SUM]) == row[_SUM]
    except (TypeError, AttributeError, UnicodeError):  # not even its types are
        return False


def past(rows: Sequence[tuple], packing: Packing) -> Past:
    """Rows of `COLUMNS` as arrays.

    Args:
        rows: the rows.
        packing: of their points.

    Returns:
        The columns.

    Raises:
        StorageError: if they are not of this space.
    """
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * (_SUM + 1)
    _, keys, points, texts, phase, heat, turn, place, full, progress = columns[:10]
    status, value, cost, seconds, duration, worker, curves = columns[10:_SUM]
    kept = np.array([at for at, point in enumerate(points) if point is not None], np.int64)
    try:
        unpacked = packing.unpack([points[at] for at in kept])
    except ValueError as error:
        raise StorageError(f"The trials are of another space: {error}") from None
    return Past(
        ids=list(columns[_ID]),
        keys=list(keys),
        texts=list(texts),
        points=unpacked,
        kept=kept,
        phase=_positions(PHASES, phase),
        temperature=_numbers(heat).astype(np.float32),
        turn=np.array(turn, np.int64),
        place=np.array(place, np.int64),
        full=np.array(full, bool),
        progress=_numbers(progress),
        status=_positions(STATUSES, status),
        value=_numbers(value),
        cost=_numbers(cost),
        seconds=_numbers(seconds),
        duration=_numbers(duration).astype(np.float32),
        worker=np.array([each or 0 for each in worker], np.int16),
        curves=[tuple(np.frombuffer(each or b"", np.float64).tolist()) for each in curves],
    )


def _positions(names: tuple[str, ...], found: Sequence[str | None]) -> np.ndarray:
    places = {None: 0} | {name: at for at, name in enumerate(names)}
    return np.array([places[name] for name in found], np.int8)


def _numbers(found: Sequence[float | None]) -> np.ndarray:
    return np.array(found, np.float64)  # None is NaN
