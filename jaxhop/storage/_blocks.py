"""The evaluations of a JAX objective: a block of columns for each visit of the host."""

import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxhop._trials import Report
from jaxhop.storage._database import connect, read, sentences, transaction
from jaxhop.storage._packing import Packing
from jaxhop.storage._seats import SCHEMA as SEATS
from jaxhop.storage._seats import Seats

SCHEMA = """
CREATE TABLE IF NOT EXISTS block (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
    rows INTEGER NOT NULL, columns BLOB NOT NULL,
    kept BLOB NOT NULL, points BLOB NOT NULL,
    phases TEXT NOT NULL, seconds REAL NOT NULL, sum INTEGER NOT NULL
)
"""
_COLUMNS = {
    "number": np.int64,
    "values": np.float64,
    "phase": np.int8,
    "step": np.int64,
    "seconds": np.float64,
    "temperature": np.float32,
    "accepted": np.bool_,
    "improved": np.bool_,
}
_ALL = 17  # all of the first 2**17 evaluations are kept: more than a history holds
_POINT_BYTES = 2**16  # a wider point is in the checkpoints and in `best.npz` alone
_ALL_BYTES = 2**23  # of points; when there are more, only those of improvements are kept


class Written(NamedTuple):
    """Blocks that were read.

    Attributes:
        numbers: int64[n], which evaluations were kept.
        columns: values, phase, step, seconds, temperature, accepted and improved of these.
        kept: int64[m], rows of them with a point.
        points: stacked points.
        phases: the table of phases, which knows of all evaluations; None if there are none.
        evaluations: how many were made by the end of these.
        in_all: how many were made by the end of all blocks, those after these included.
        seconds: how long they took.
        notes: what was found damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     Blocks(Path(place, "trials.sqlite"), like=()).close()
        ...     written = read_blocks(Path(place, "trials.sqlite"), like=None)
        >>> written.evaluations, written.notes  # of a search that has just begun
        (0, ())
    """

    numbers: np.ndarray
    columns: dict[str, np.ndarray]
    kept: np.ndarray
    points: Any
    phases: dict[str, Any] | None
    evaluations: int
    in_all: int
    seconds: float
    notes: tuple[str, ...]


class Blocks:
    """Writes reports, one transaction each.

    All of the first 131,072 evaluations are kept; after that every improvement, and of the others
    every 2nd, then, with each doubling of their number, every 4th, 8th and so on. Points are kept
    of all of these up to 8 MiB, and then of the improvements; wider ones than 64 KiB never.

    Args:
        path: the database.
        like: shapes and dtypes of a point.

    Raises:
        StorageError: if it cannot be used, or another process searches.

    Example:
        >>> import tempfile
        >>> report = Report(
        ...     first=0, values=np.array([2.0, 1.0]), phase=np.ones(2, np.int8),
        ...     step=np.zeros(2, np.int64), seconds=np.zeros(2), temperature=np.ones(2),
        ...     accepted=np.ones(2, bool), improved=np.ones(2, bool), kept=np.array([1]),
        ...     points=(np.array([0.5], np.float32),), best_value=1.0, elapsed=0.1, progress=0.5,
        ... )
        >>> with tempfile.TemporaryDirectory() as place:
        ...     blocks = Blocks(Path(place, "trials.sqlite"), like=(np.float32(0),))
        ...     blocks.write(report, phases={})
        ...     blocks.close()
        ...     written = read_blocks(Path(place, "trials.sqlite"), like=(np.float32(0),))
        >>> written.columns["values"], written.kept, written.points
        (array([2., 1.]), array([1]), (array([0.5], dtype=float32),))
    """

    def __init__(self, path: Path, like: Any) -> None:
        self._path, self._packing = path, Packing(like)
        self._connection = connect(path, f"{SCHEMA};{SEATS}")
        self._seats = Seats(self._connection, path)
        try:
            self._seats.take(alone=True)
        except BaseException:
            self._connection.close()
            raise
        with sentences(path):
            self._room = _ALL_BYTES - self._execute(
                "SELECT COALESCE(SUM(LENGTH(points)), 0) FROM block"
            )
            self._last: int = self._execute("SELECT COALESCE(MAX(last), 0) FROM block")

    def write(self, report: Report, phases: dict[str, Any]) -> None:
        """Writes the evaluations of a visit, over those of the same numbers.

        A search that goes on from a checkpoint makes what came after it once more.

        Args:
            report: the evaluations.
            phases: the table of phases after them.
        """
        packed = _packed(report, self._packing, self._room > 0)
        self._room -= len(packed[3])
        row = (report.first, report.evaluations, *packed, json.dumps(phases), report.elapsed)
        with sentences(self._path), transaction(self._connection):
            if report.first < self._last:
                self._make_way(report.first, report.evaluations)
            self._insert(row)
            self._seats.note(report.elapsed)
        self._last = max(self._last, report.evaluations)

    def close(self) -> None:
        """Leaves the seat; may be called more than once."""
        self._seats.leave()
        self._connection.close()

    def _execute(self, statement: str, *values: Any) -> Any:
        return self._connection.execute(statement, values).fetchone()[0]

    def _make_way(self, first: int, last: int) -> None:
        """Cuts blocks that hold some of these evaluations."""
        rows = self._connection.execute(
            "SELECT first, last, rows, columns, kept, points, phases, seconds FROM block"
            " WHERE first < ? AND last > ?",
            (last, first),
        ).fetchall()
        for row in rows:
            self._connection.execute("DELETE FROM block WHERE first=?", (row[0],))
            for part in ((row[0], first), (last, row[1])):
                if part[0] < part[1]:
                    self._insert((*part, *_cut(row, *part, self._packing.size), *row[6:]))

    def _insert(self, row: tuple) -> None:
        self._connection.execute(
            f"INSERT INTO block VALUES ({', '.join('?' * 9)})", (*row, _sum(row))
        )


def read_blocks(path: Path, like: Any, until: int | None = None) -> Written:
    """The evaluations that were written.

    Args:
        path: the database.
        like: shapes and dtypes of a point; None to read no points.
        until: how many to read. Default: all.

    Returns:
        What was kept of them.

    Raises:
        StorageError: if the database cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     Blocks(Path(place, "trials.sqlite"), like=()).close()
        ...     written = read_blocks(Path(place, "trials.sqlite"), like=None, until=64)
        >>> written.notes[0][-50:]
        'the record of 64 evaluations is damaged or missing'
    """
    packing, connection = Packing(() if like is None else like), read(path)
    try:
        with sentences(path):
            rows = connection.execute(
                "SELECT first, last, rows, columns, kept, points, phases, seconds, sum FROM block"
                " ORDER BY first"
            ).fetchall()
    finally:
        connection.close()
    sound = [row for row in rows if _whole(row)]
    whole = [row for row in sound if until is None or row[0] < until]
    cuts: list[Any] = [
        row if until is None or row[1] <= until
        else (row[0], until, *_cut(row, row[0], until, packing.size), *row[6:])
        for row in whole
    ]  # fmt: skip
    known = sum(row[1] - row[0] for row in cuts)
    last = cuts[-1][1] if cuts else 0
    expected = until if until is not None else last
    notes = ()
    if known != expected or (until is None and len(whole) < len(rows)):
        lost = f"{expected - known:,} " if expected > known else "the last "
        notes = (f"`{path}`: the record of {lost}evaluations is damaged or missing",)
    blocks = [_unpacked(row[3], row[2]) for row in cuts]
    offsets = np.cumsum([0, *(row[2] for row in cuts)])[:-1]
    kept = [np.frombuffer(row[4], np.int64) + at for row, at in zip(cuts, offsets, strict=True)]
    points, each = b"".join(row[5] for row in cuts), max(packing.size, 1)
    if like is None:
        kept, points = [], b""
    columns = {
        name: np.concatenate([block[name] for block in blocks] or [np.empty(0, dtype)])
        for name, dtype in _COLUMNS.items()
    }
    return Written(
        numbers=columns.pop("number"),
        columns=columns,
        kept=np.concatenate(kept or [np.empty(0, np.int64)]),
        points=packing.unpack([points[at : at + each] for at in range(0, len(points), each)]),
        phases=json.loads(cuts[-1][6]) if cuts else None,
        evaluations=last,
        in_all=sound[-1][1] if sound else 0,
        seconds=cuts[-1][7] if cuts else 0.0,
        notes=notes,
    )


def _packed(report: Report, packing: Packing, all_points: bool) -> tuple[int, bytes, bytes, bytes]:
    """Number of rows, columns, which rows have points, and the points."""
    numbers = np.arange(report.first, report.evaluations)
    chosen = report.improved.copy()
    low, end = report.first, report.evaluations
    while low < end:  # numbers of as many bits have one stride
        high = min(end, 1 << low.bit_length()) if low else min(end, 1)
        stride = 1 << max(low.bit_length() - _ALL, 0)
        chosen[low - report.first + -low % stride : high - report.first : stride] = True
        low = high
    columns = {"number": numbers} | {
        name: getattr(report, name) for name in _COLUMNS if name != "number"
    }
    few = np.flatnonzero(chosen)
    data = b"".join(columns[name][few].astype(dtype).tobytes() for name, dtype in _COLUMNS.items())
    pointed = chosen[report.kept]
    if not all_points:
        pointed &= report.improved[report.kept]
    if packing.size > _POINT_BYTES:
        pointed[:] = False
    rows = (np.cumsum(chosen) - 1)[report.kept[pointed]]
    at = np.flatnonzero(pointed)
    stacked = [np.ascontiguousarray(column[at]) for column in report.points]
    bytes_each = [column.view(np.uint8).reshape(len(at), -1) for column in stacked if len(at)]
    points = np.concatenate(bytes_each, axis=1).tobytes() if len(at) else b""
    return int(chosen.sum()), data, rows.astype(np.int64).tobytes(), points


def _unpacked(data: bytes, rows: int) -> dict[str, np.ndarray]:
    found, at = {}, 0
    for name, dtype in _COLUMNS.items():
        found[name] = np.frombuffer(data, dtype, rows, at)
        at += rows * np.dtype(dtype).itemsize
    return found


def _cut(row: tuple, first: int, last: int, size: int) -> tuple[int, bytes, bytes, bytes]:
    """A part of a block: number of rows, columns, which rows have points, and the points."""
    columns = _unpacked(row[3], row[2])
    inside = (columns["number"] >= first) & (columns["number"] < last)
    kept = np.frombuffer(row[4], np.int64)
    pointed = np.flatnonzero(inside[kept])
    data = b"".join(columns[name][inside].tobytes() for name in _COLUMNS)
    rows = (np.cumsum(inside) - 1)[kept[pointed]].astype(np.int64)
    points = b"".join(row[5][at * size : (at + 1) * size] for at in pointed)
    return int(inside.sum()), data, rows.tobytes(), points


def _sum(row: tuple) -> int:
    first, last, rows, columns, kept, points, phases, seconds = row[:8]
    found = zlib.crc32(repr((first, last, rows, phases, seconds)).encode())
    for part in (columns, kept, points):
        found = zlib.crc32(part, found)
    return found


def _whole(row: tuple) -> bool:
    try:
        return _sum(row) == row[8]
    except TypeError:  # not even its types are
        return False
