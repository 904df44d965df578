"""Who searches in a directory: each process has a seat, and one that dies leaves it free."""

import contextlib
import os
import platform
import sqlite3
import threading
import time
import uuid
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from jaxhop.storage._database import sentences, transaction
from jaxhop.storage._errors import StorageError

SCHEMA = """
CREATE TABLE IF NOT EXISTS seat (
    number INTEGER PRIMARY KEY,
    owner TEXT, host TEXT, pid INTEGER, born TEXT,
    beat REAL, seconds REAL NOT NULL DEFAULT 0, notes TEXT
)
"""

LEASE_SECONDS = 60.0
"""A process of another machine that was not heard of for so long is taken for dead."""

_BEATS = 4  # in a lease
_LOOK_SECONDS = 0.2


class Taken(NamedTuple):
    """A seat as it was when it was taken.

    Attributes:
        number: of the seat, from 0.
        seconds: how long the search has run.
        notes: what whoever sat there last had noted, or None.
        lost: what of that is damaged.
    """

    number: int
    seconds: float
    notes: str | None
    lost: tuple[str, ...] = ()


class Seats:
    """The seats of a search, and this process's own.

    Args:
        connection: to the database.
        path: its file.
        lease: seconds after which a silent process of another machine is taken for dead. The
            clocks of the machines must differ by less.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, lease: float = LEASE_SECONDS
    ) -> None:
        self._connection, self._path, self._lease = connection, path, lease
        self._owner = uuid.uuid4().hex
        self._stop = threading.Event()
        self._beating: threading.Thread | None = None
        self.number = -1

    def take(self, alone: bool = False) -> Taken:
        """Takes the first free seat; from now on this process is known to live.

        Args:
            alone: whether nobody else may sit there. One who may be dead is waited for.

        Returns:
            The seat.

        Raises:
            StorageError: if somebody else is there and nobody may be.
        """
        begin = time.time()
        while (taken := self._taken(alone, begin)) is None:
            time.sleep(_LOOK_SECONDS)
        self.number = taken.number
        if self._beating is None:
            self._beating = threading.Thread(target=self._beat, daemon=True)
            self._beating.start()
        return taken

    def _taken(self, alone: bool, begin: float) -> Taken | None:
        with sentences(self._path), transaction(self._connection):
            rows = self._rows()
            living = {row[0]: row for row in rows if self._lives(row)}
            if alone and living:
                _, _, host, pid, _, beat, *_ = next(iter(living.values()))
                if host == this_host() or beat > begin:
                    raise StorageError(
                        f"`dir={str(self._path.parent)!r}`: process {pid} on {host.split(' ')[0]}"
                        " searches there now, and a search whose candidates come in rounds has"
                        " one process. Wait for it, or stop it, or choose another `dir`."
                    )
                return None
            number = min(set(range(len(living) + 1)) - set(living))
            self._connection.execute(
                "INSERT INTO seat (number, owner, host, pid, born, beat) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (number) DO UPDATE SET owner=excluded.owner, host=excluded.host,"
                " pid=excluded.pid, born=excluded.born, beat=excluded.beat",
                (number, self._owner, this_host(), os.getpid(), born(os.getpid()), time.time()),
            )
            seconds = max([row[6] for row in rows if isinstance(row[6], float)], default=0.0)
            notes = next((row[7] for row in rows if row[0] == number), None)
            if notes is None:
                return Taken(number, seconds, None)
            found = _unsealed(notes)
            lost = f"`{self._path}`: what process {number} had learned is damaged and left out"
            return Taken(number, seconds, found, () if found is not None else (lost,))

    def held(self) -> bool:
        """Whether the seat is still this process's own; to be asked in a transaction."""
        row = self._connection.execute(
            "SELECT owner FROM seat WHERE number=?", (self.number,)
        ).fetchone()
        return row is not None and row[0] == self._owner

    def dead(self) -> list[int]:
        """Seats that nobody living sits on."""
        return [row[0] for row in self._rows() if not self._lives(row)]

    def living(self) -> list[tuple[int, str, int]]:
        """Number, host and process of each seat on which somebody living sits."""
        return [(row[0], row[2].split(" ")[0], row[3]) for row in self._rows() if self._lives(row)]

    def note(self, seconds: float, notes: str | None = None) -> None:
        """Notes how long the search has run, and what comes after this process; in a transaction.

        Args:
            seconds: of the search.
            notes: for who sits here next. Default None: as they are.
        """
        self._connection.execute(
            "UPDATE seat SET beat=?, seconds=?, notes=COALESCE(?, notes)"
            " WHERE number=? AND owner=?",
            (time.time(), seconds, _sealed(notes), self.number, self._owner),
        )

    def leave(self) -> None:
        """Frees the seat; may be called more than once."""
        self._stop.set()
        if self._beating is not None:
            self._beating.join()
            self._beating = None
        # Who cannot write any more is found dead soon.
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("UPDATE seat SET owner=NULL WHERE owner=?", (self._owner,))

    def _rows(self) -> list[tuple]:
        return self._connection.execute(
            "SELECT number, owner, host, pid, born, beat, seconds, notes FROM seat ORDER BY number"
        ).fetchall()

    def _lives(self, row: tuple) -> bool:
        _, owner, host, pid, since, beat, *_ = row
        if not isinstance(beat, float) or not isinstance(pid, int):  # damaged
            return False
        if owner is None or owner == self._owner or time.time() - beat > self._lease:
            return owner == self._owner
        return host != this_host() or born(pid) == since

    def _beat(self) -> None:
        """Runs beside the search, which may be in one trial for hours."""
        connection = sqlite3.connect(self._path, isolation_level=None)
        with contextlib.closing(connection):
            while not self._stop.wait(self._lease / _BEATS):
                with contextlib.suppress(sqlite3.Error):
                    connection.execute(
                        "UPDATE seat SET beat=? WHERE owner=?", (time.time(), self._owner)
                    )


def _sealed(notes: str | None) -> str | None:
    """Notes with a checksum before them."""
    return None if notes is None else f"{zlib.crc32(notes.encode()):08x} {notes}"


def _unsealed(sealed: Any) -> str | None:
    """The notes again, None if they are not as they were written."""
    notes = sealed[9:] if isinstance(sealed, str) else None
    return notes if _sealed(notes) == sealed else None


def this_host() -> str:
    """What tells this machine, as it is since it was started, from all others."""
    boot, space = "", ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = str(os.stat("/proc/self/ns/pid").st_ino)  # containers number on their own
    return f"{platform.node()} {boot} {space}"


def born(pid: int) -> str | None:
    """When a process was started, in units of the system; None if there is none such.

    Numbers are used again: the time tells a process from a later one.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except OSError:
        return None
    else:
        state, *fields = text.rpartition(")")[2].split()
        return None if state in "ZX" else fields[18]
    try:  # no /proc: whether it is there is all that can be known
        os.kill(pid, 0)
    except PermissionError:
        return "?"
    except OSError:
        return None
    return "?"
