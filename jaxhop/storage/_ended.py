"""The trials that have ended, for those who do not take part: read, or given more parameters."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxhop.space import Store
from jaxhop.storage._database import connect, read, sentences, transaction
from jaxhop.storage._errors import StorageError
from jaxhop.storage._ledger import KEPT
from jaxhop.storage._packing import Packing
from jaxhop.storage._plain import from_plain
from jaxhop.storage._seats import SCHEMA as SEATS
from jaxhop.storage._seats import Seats
from jaxhop.storage._trial_rows import COLUMNS, Past, past, total, whole
from jaxhop.storage._trial_rows import SCHEMA as TRIALS


def read_trials(path: Path, like: Any, store: Store | None) -> tuple[Past, float, tuple[str, ...]]:
    """The trials that have ended, of a search that is over or goes on.

    Args:
        path: the database.
        like: shapes and dtypes of a point; None to read no points.
        store: takes the values of parameters that live in Python; None to leave them out.

    Returns:
        The trials in the order in which they ended, how many seconds the search took, and what is
        damaged.

    Raises:
        StorageError: if it cannot be read.

    Example:
        >>> import tempfile, numpy as np
        >>> from jaxhop.storage import Ledger
        >>> with tempfile.TemporaryDirectory() as place:
        ...     path, like = Path(place, "trials.sqlite"), (np.float32(0),)
        ...     Ledger(path, like, Store()).close()
        ...     past, seconds, notes = read_trials(path, like, store=None)
        >>> past.value.shape, seconds, notes  # of a search that has just begun
        ((0,), 0.0, ())
    """
    connection = read(path)
    try:
        with sentences(path):
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM trial WHERE ended IS NOT NULL ORDER BY ended"
            ).fetchall()
            seconds = connection.execute("SELECT MAX(seconds) FROM trial").fetchone()[0] or 0.0
            seconds = seconds if isinstance(seconds, float) else 0.0
            kept = connection.execute("SELECT handle, data FROM kept").fetchall()
    finally:
        connection.close()
    found = [row for row in rows if whole(row)]
    notes = ()
    if lost := len(rows) - len(found):
        notes = (f"`{path}`: {lost:,} of {len(rows):,} trials are damaged and left out",)
    for handle, data in kept if store is not None else ():
        assert store is not None
        store.put(handle, from_plain(json.loads(data)))
    if like is None:
        found = [(*row[:2], None, *row[3:]) for row in found]
    return past(found, Packing(() if like is None else like)), seconds, notes


def convert_trials(
    path: Path, size: int, changed: Callable[[bytes], tuple[bytes, bytes, str]]
) -> None:
    """Changes the points of all trials that have ended, or of none; the others are forgotten.

    They count as made before the first round.

    Args:
        path: the database.
        size: bytes of a point of before; points of another size have been changed already.
        changed: from a point to its new key, the new point, and its text.

    Raises:
        StorageError: if a process searches there, the database cannot be used, or points are
            missing: of wide candidates in rounds not all are kept.

    Example:
        >>> import tempfile, numpy as np
        >>> from jaxhop._row import Row
        >>> from jaxhop.evaluators import Outcome
        >>> from jaxhop.storage import Ledger
        >>> row = Row((np.float32(0.5),), {"x": 0.5}, b"key", 1, 0.5, 0, 0, True, 0.0)
        >>> end = Outcome(0, "completed", 1.5, (), 0.1, 0, None)
        >>> def with_y(point):  # which was a constant 2 before
        ...     return b"key", point + np.float32(2).tobytes(), '{"x": 0.5, "y": 2.0}'
        >>> with tempfile.TemporaryDirectory() as place:
        ...     path = Path(place, "trials.sqlite")
        ...     ledger = Ledger(path, row.point, Store())
        ...     (claimed,), others = ledger.claim([row], seconds=0.0, memo={})
        ...     counts = ledger.finish([(claimed, end, "completed", True)], seconds=0.1)
        ...     ledger.close()
        ...     convert_trials(path, 4, with_y)
        ...     read_trials(path, (np.float32(0), np.float32(0)), None)[0].texts
        ['{"x": 0.5, "y": 2.0}']
    """
    connection = connect(path, f"{TRIALS};{KEPT};{SEATS}")
    seats = Seats(connection, path)
    try:
        seats.take(alone=True)
        with sentences(path), transaction(connection):
            connection.execute("DELETE FROM trial WHERE ended IS NULL")
            rows = connection.execute(f"SELECT {COLUMNS} FROM trial").fetchall()
            for row in filter(whole, rows):  # who reads them tells of the others
                number, _, point, _, phase, temperature, _, *others, _ = row
                if point is None:
                    raise StorageError(
                        f"`{path}`: not all of the wide candidates are kept, so they cannot get"
                        " more parameters. Choose another directory, and give"
                        " `observed=jaxhop.load(dir)`."
                    )
                if len(point) != size:
                    continue
                key, point, text = changed(point)
                columns = (key, point, text, phase, temperature, 0, *others)
                connection.execute(
                    "UPDATE trial SET key=?, point=?, params=?, turn=0, sum=? WHERE id=?",
                    (key, point, text, total(columns), number),
                )
            # What was learned of fewer parameters is learned anew.
            connection.execute("UPDATE seat SET notes=NULL")
    finally:
        seats.leave()
        connection.close()
