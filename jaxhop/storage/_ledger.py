"""The trials of a Python objective, a row each, shared by all processes of a search."""

import contextlib
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxhop._row import Row
from jaxhop.evaluators import Outcome
from jaxhop.space import Store
from jaxhop.storage._database import connect, sentences, transaction
from jaxhop.storage._errors import StorageError
from jaxhop.storage._packing import Packing
from jaxhop.storage._plain import from_plain, to_plain
from jaxhop.storage._seats import SCHEMA as SEATS
from jaxhop.storage._seats import Seats
from jaxhop.storage._trial_rows import (
    ASKED,
    COLUMNS,
    ENDED,
    UNKNOWN,
    Past,
    asked,
    ended,
    past,
    total,
    whole,
)
from jaxhop.storage._trial_rows import SCHEMA as TRIALS

KEPT = "CREATE TABLE IF NOT EXISTS kept (handle BLOB PRIMARY KEY, data TEXT NOT NULL)"
"""Values of parameters that live in Python."""

_POINT_BYTES = 2**16  # of those that come in rounds, wider ones are kept if they are the best
_READABLE_BYTES = 4096  # candidates of wider points are not written as text, too
_SUM = COLUMNS.count(",")
_NEXT = "(SELECT COALESCE(MAX(ended), -1) + 1 FROM trial)"
_LOOK_SECONDS = 1.0  # between looks for the trials of the dead


class Ledger:
    """What was asked for and what came of it, on disk before anything follows from it.

    Args:
        path: the database.
        like: shapes and dtypes of a point.
        store: the values of parameters that live in Python.
        evaluations: how many there may be in all, or None.
        count_in_flight: whether trials under way anywhere count as evaluations.
        rounds: whether candidates come in rounds: then they are written when they have ended, and
            one process searches.
        readable: from a row to its candidate as people know it. Default: it has it.
        twice: whether equal candidates may be evaluated more than once.

    Attributes:
        lasting: True; see `Book`.
        ended: trials that ended, of all processes.
        seconds: how long the search had run before.
        notes: what was found damaged.
        memo: what the seat's last owner had noted.
        seat: number of this process's seat.

    Raises:
        StorageError: if the database cannot be used.

    Example:
        >>> import tempfile, numpy as np
        >>> row = Row((np.float32(0.5),), {"x": 0.5}, b"key", 1, 0.5, 0, 0, True, 0.0)
        >>> end = Outcome(0, "completed", 1.5, (), 0.1, 0, None)
        >>> with tempfile.TemporaryDirectory() as place:
        ...     ledger = Ledger(Path(place, "trials.sqlite"), row.point, Store())
        ...     (claimed,), others = ledger.claim([row], seconds=0.0, memo={})
        ...     ledger.finish([(claimed, end, "completed", True)], seconds=0.1)
        ...     ledger.past().value
        ...     ledger.close()
        [True]
        array([1.5])
    """

    lasting = True

    def __init__(
        self,
        path: Path,
        like: Any,
        store: Store,
        *,
        evaluations: int | None = None,
        count_in_flight: bool = True,
        rounds: bool = False,
        readable: Callable[[Row], Any] = lambda row: row.candidate,
        twice: bool = False,
    ) -> None:
        self._path, self._store, self._rounds, self._twice = path, store, rounds, twice
        self._packing, self._readable = Packing(like), readable
        self._evaluations, self._count_in_flight = evaluations, count_in_flight
        self._connection = connect(path, f"{TRIALS};{KEPT};{SEATS}")
        self._execute = self._connection.execute
        self._seats = Seats(self._connection, path)
        try:
            taken = self._seats.take(alone=rounds)
        except BaseException:
            self._connection.close()
            raise
        last = self._execute(
            "SELECT COALESCE(MAX(seconds), 0) FROM trial WHERE typeof(seconds) = 'real'"
        ).fetchone()[0]
        self.seat, self.seconds = taken.number, max(taken.seconds, last)
        self.memo: dict[str, Any] = {} if taken.notes is None else json.loads(taken.notes)
        self._by = time.time_ns() // 1000 * 1024 + taken.number  # tells who ended a trial
        self.notes: tuple[str, ...] = taken.lost
        self._version = -1
        self._seen = self._claimed = -1  # the last trial of others that ended, that was claimed
        self._saved, self._loaded = 0, -1  # values of the store
        self._looked = -math.inf
        self.ended = self._open = self._mine = 0

    def past(self) -> Past:
        """All trials that have ended by now; later ones come as `news`.

        A trial whose row is damaged is left out, and counts as not evaluated.

        Returns:
            The trials, in the order in which they ended.
        """
        with sentences(self._path), transaction(self._connection):
            self._load()
            rows = self._execute(
                f"SELECT {COLUMNS}, ended FROM trial WHERE ended IS NOT NULL ORDER BY ended"
            ).fetchall()
            rows = self._sound(rows)
            self._seen = rows[-1][-1] if rows else -1
            self._count()
        return past([row[:-1] for row in rows], self._packing)

    @property
    def others(self) -> int:
        """Trials under way in other processes, if these count."""
        return self._open - self._mine if self._count_in_flight else 0

    def own(self) -> list[Row]:
        """Trials that were under way when this seat's last owner went; they are taken over."""
        with sentences(self._path), transaction(self._connection):
            return self._taken_over([self.seat])

    def orphans(self) -> list[Row]:
        """Trials of processes that died, which are taken over; looked for now and then."""
        now = time.monotonic()
        if self._open == self._mine or now - self._looked < _LOOK_SECONDS:
            return []
        self._looked = now
        with sentences(self._path), transaction(self._connection):
            return self._taken_over(self._seats.dead())

    def claim(
        self, rows: Sequence[Row], seconds: float, memo: dict[str, Any]
    ) -> tuple[list[Row], list[bytes]]:
        """Writes down what will be evaluated, before it is.

        Args:
            rows: the candidates.
            seconds: how long the search has run.
            memo: what whoever goes on in this seat's place must know.

        Returns:
            Those that may be evaluated: the budget is not used up, and nobody else evaluates them;
            and the keys of what others have claimed since the last time.
        """
        if self._packing.size <= _READABLE_BYTES:
            for row in rows:
                row.text = json.dumps(to_plain(self._readable(row), lossy=True), allow_nan=False)
        if self._rounds:
            return list(rows), []
        with sentences(self._path), transaction(self._connection):
            self._demand_seat()
            claims = self._execute(
                "SELECT id, key FROM trial WHERE id > ? AND seat != ?", (self._claimed, self.seat)
            ).fetchall()
            self._claimed = max([self._claimed, *(number for number, _ in claims)])
            taken = [key for _, key in claims]
            if taken:
                self._count()
            known = set() if self._twice else set(taken)
            chosen = [row for row in rows if row.key not in known]
            if self._evaluations is not None:
                chosen = chosen[
                    : max(0, self._evaluations - self.ended - self.others - self._mine)
                ]
            self._save()
            for row in chosen:
                before = asked(row, self._packing.pack(row.point))
                found = self._execute(
                    f"INSERT INTO trial (seat, sum, {ASKED}) VALUES ({', '.join('?' * 11)})",
                    (self.seat, total((*before, *UNKNOWN)), *before),
                )
                row.id = self._claimed = found.lastrowid or -1
            self._seats.note(seconds, json.dumps(memo))
        self._open += len(chosen)
        self._mine += len(chosen)
        return chosen, taken

    def finish(self, ends: Sequence[tuple[Row, Outcome, str, bool]], seconds: float) -> list[bool]:
        """Writes down what came of trials.

        Args:
            ends: each with its outcome, its status, and whether it is the best so far.
            seconds: how long the search has run.

        Returns:
            Whether each counts: one that was taken over and has ended elsewhere does not.
        """
        counts: list[bool] = []
        several = transaction(self._connection) if len(ends) > 1 else contextlib.nullcontext()
        with sentences(self._path), several:
            for row, outcome, status, best in ends:
                point: bytes | None = self._packing.pack(row.point)
                if self._rounds and not best and self._packing.size > _POINT_BYTES:
                    point = None
                before, after = asked(row, point), ended(outcome, status, seconds)
                columns = (self._by, *after, total((*before, *after)))
                if self._rounds:
                    found = self._execute(
                        f"INSERT INTO trial (ended, by, {ENDED}, sum, seat, {ASKED})"
                        f" VALUES ({_NEXT}, {', '.join('?' * 19)})",
                        (*columns, self.seat, *before),
                    )
                else:
                    found = self._execute(
                        f"UPDATE trial SET ended={_NEXT}, by=?, status=?, value=?, cost=?,"
                        " seconds=?, duration=?, worker=?, curve=?, sum=?"
                        " WHERE id=? AND ended IS NULL",
                        (*columns, row.id),
                    )
                counts.append(found.rowcount == 1)
        self.ended += sum(counts)
        if not self._rounds:
            self._open -= len(counts)
            self._mine -= len(counts)
        return counts

    def news(self) -> Past | None:
        """What ended in other processes since the last time, if anything did."""
        if self._rounds:
            return None
        with sentences(self._path):
            version = self._execute("PRAGMA data_version").fetchone()[0]
            if version == self._version:
                return None
            self._version = version
            with transaction(self._connection):
                self._load()
                rows = self._execute(
                    f"SELECT {COLUMNS}, ended FROM trial WHERE ended > ? AND by != ?"
                    " ORDER BY ended",
                    (self._seen, self._by),
                ).fetchall()
                self._count()
        if not rows:
            return None
        self._seen = rows[-1][-1]
        return past([row[:-1] for row in rows], self._packing)

    def close(self) -> None:
        """Leaves the seat; may be called more than once."""
        self._seats.leave()
        self._connection.close()

    def _demand_seat(self) -> None:
        if not self._seats.held():
            raise StorageError(
                f"`dir={str(self._path.parent)!r}`: this process was silent for so long that"
                " another one has taken over its trials. Start it again to take part."
            )

    def _count(self) -> None:
        self.ended = self._execute("SELECT COUNT(ended) FROM trial").fetchone()[0]
        self._open, self._mine = self._execute(
            "SELECT COUNT(*), COALESCE(SUM(seat = ?), 0) FROM trial WHERE ended IS NULL",
            (self.seat,),
        ).fetchone()

    def _taken_over(self, seats: list[int]) -> list[Row]:
        where = f"ended IS NULL AND seat IN ({', '.join(map(str, seats))})"
        rows = self._execute(f"SELECT {COLUMNS} FROM trial WHERE {where} ORDER BY id").fetchall()
        rows = self._sound(rows)
        self._execute(f"UPDATE trial SET seat=? WHERE {where}", (self.seat,))
        self._load()
        self._count()
        found = past(rows, self._packing)
        return [found.row(at) for at in range(len(rows))]

    def _sound(self, rows: list[tuple]) -> list[tuple]:
        """Rows that are as they were written; the others are deleted, and evaluated again."""
        broken = [row[0] for row in rows if not whole(row[: _SUM + 1])]
        if not broken:
            return rows
        self.notes = (
            *self.notes,
            f"`{self._path}`: {len(broken):,} of {len(rows):,} trials are damaged, and count as"
            " not evaluated",
        )
        for number in broken:
            self._execute("DELETE FROM trial WHERE id=?", (number,))
        return [row for row in rows if row[0] not in set(broken)]

    def _save(self) -> None:
        """Writes the values that are new in the store."""
        for handle in list(self._store.values)[self._saved :]:
            data = json.dumps(to_plain(self._store.get(handle)), allow_nan=False)
            self._execute("INSERT OR IGNORE INTO kept VALUES (?, ?)", (handle, data))
        self._saved = len(self._store.values)

    def _load(self) -> None:
        """Takes in the values that others wrote."""
        rows = self._execute(
            "SELECT rowid, handle, data FROM kept WHERE rowid > ? ORDER BY rowid", (self._loaded,)
        ).fetchall()
        for number, handle, data in rows:
            self._loaded = number
            if handle not in self._store:
                self._store.put(handle, from_plain(json.loads(data)))
        if rows:
            self._saved = len(self._store.values)
