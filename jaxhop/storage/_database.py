"""One SQLite file: how it is opened and written to, and what its errors mean."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from jaxhop.storage._errors import StorageError, StorageFull

APPLICATION = 0x6A686F70  # "jhop": tells our files from others
VERSION = 1
_WAIT_SECONDS = 30.0  # for another process to finish its transaction
_LOG_PAGES = 4000  # of the write-ahead log, before they are written back, which takes the disk
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "ceph", "afs"}
_NETWORK |= {"fuse.sshfs", "fuse.glusterfs", "glusterfs", "9p", "fuse.s3fs", "fuse.gcsfuse"}


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Opens a database, and makes it if it is not there.

    On a disk of this machine it keeps a write-ahead log, so that readers and writers do not wait
    for each other. That needs memory shared between the processes, which a network file system
    cannot give: there the database uses a rollback journal and the locks of the file system.

    Args:
        path: the file.
        schema: statements that make the tables; they must not mind if these are there.

    Returns:
        The connection; transactions are begun explicitly.

    Raises:
        StorageError: if it cannot be opened or written to, is damaged, or is not ours.
    """
    with sentences(path):
        new = not path.exists()
        connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            if not new:
                _check(connection, path)
            connection.execute(f"PRAGMA journal_mode={'DELETE' if on_network(path) else 'WAL'}")
            # Without waiting for the disk at each commit: a crash of the machine can lose the
            # last ones, a crash of the process none.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            with transaction(connection):
                connection.execute(f"PRAGMA application_id={APPLICATION}")
                connection.execute(f"PRAGMA user_version={VERSION}")
                for statement in schema.split(";"):
                    connection.execute(statement)
        except BaseException:
            connection.close()
            raise
    return connection


def read(path: Path) -> sqlite3.Connection:
    """Opens a database to read it, while others write to it or not.

    Args:
        path: the file, which must be there.

    Returns:
        The connection.

    Raises:
        StorageError: if it cannot be read, is damaged, or is not ours.
    """
    with sentences(path):
        if not path.exists():
            raise StorageError(
                f"`{path}` is missing, and with it the record of the evaluations. Put it back."
            )
        way = "immutable=1" if _is_still(path) else "mode=ro"
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{way}", timeout=_WAIT_SECONDS, uri=True
        )
        try:
            _check(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All statements inside count, or none; nobody else writes meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Says in a sentence what SQLite and the system say in theirs.

    Raises:
        StorageError: for whatever is wrong with the file.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _said(path, str(error)) from None
    except OSError as error:
        raise StorageError(f"`{path}`: {error.strerror or error}. Choose another `dir`.") from None


def _is_still(path: Path) -> bool:
    """Whether nobody writes: whoever does keeps a write-ahead log beside the file.

    Then no lock is needed to read, and no file is made for one.
    """
    with open(path, "rb") as file:
        modes = file.read(20)[18:]
    return modes == b"\2\2" and not path.with_name(f"{path.name}-wal").exists()


def _said(path: Path, text: str) -> StorageError:
    low = text.lower()
    if "full" in low:
        return StorageFull(f"`{path}`: the disk is full. Make room, then start the search again.")
    if "i/o error" in low:
        return StorageFull(
            f"`{path}`: the disk takes no more ({text}). Make room or choose another `dir`, then"
            " start the search again."
        )
    if "locked" in low or "locking" in low:
        return StorageError(
            f"`{path}`: another process has kept it locked for {_WAIT_SECONDS:.0f} s, or the file"
            " system knows no locks. Choose a `dir` on another file system."
        )
    if "readonly" in low or "unable to open" in low:
        return StorageError(f"`{path}`: it cannot be written to ({text}). Choose another `dir`.")
    return StorageError(
        f"`{path}` is damaged ({text}). Put a copy of it in its place, or say `overwrite=True` to"
        " start anew."
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION:
        raise StorageError(f"`{path}` was not written by jaxhop. Choose another `dir`.")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StorageError(
            f"`{path}` has version {version}, and this jaxhop reads up to {VERSION}. Install the"
            " newer jaxhop that wrote it."
        )
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def on_network(path: Path, mounts: str = "/proc/self/mounts") -> bool:
    """Whether a file is on a network file system, as far as this system says so.

    Args:
        path: the file, there or not.
        mounts: where the system lists what is mounted.

    Returns:
        True if it is one whose name is known.

    Example:
        >>> on_network(Path("/"))
        False
    """
    try:
        lines = Path(mounts).read_text().splitlines()
    except OSError:
        return False
    place = os.path.realpath(path)
    kind, length = "", -1
    for line in lines:
        _, point, system, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= length:
            kind, length = system, len(point)
    return kind in _NETWORK
