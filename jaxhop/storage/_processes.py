"""Which processes search in a directory, for those who only look at it."""

from pathlib import Path
from typing import NamedTuple

from jaxhop.storage._database import read, sentences
from jaxhop.storage._seats import Seats


class Process(NamedTuple):
    """A process that searches.

    Attributes:
        host: name of its machine.
        pid: its number there.
        under_way: trials that it evaluates now; of a JAX objective nobody knows.

    Example:
        >>> Process("node7", 4711, under_way=2)
        Process(host='node7', pid=4711, under_way=2)
    """

    host: str
    pid: int
    under_way: int


def read_processes(path: Path) -> tuple[Process, ...]:
    """The processes that search now. Nothing is written.

    Args:
        path: the database.

    Returns:
        One entry a process, in the order of their seats; empty if nobody searches.

    Raises:
        StorageError: if the database cannot be read.

    Example:
        >>> import os, tempfile
        >>> from jaxhop.storage import Blocks
        >>> with tempfile.TemporaryDirectory() as place:
        ...     path = Path(place, "trials.sqlite")
        ...     blocks = Blocks(path, like=())
        ...     [process.pid == os.getpid() for process in read_processes(path)]
        ...     blocks.close()
        ...     read_processes(path)
        [True]
        ()
    """
    connection = read(path)
    try:
        with sentences(path):
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
            if ("seat",) not in tables:  # it is being made
                return ()
            counts = {}
            if ("trial",) in tables:
                statement = "SELECT seat, COUNT(*) FROM trial WHERE ended IS NULL GROUP BY seat"
                counts = dict(connection.execute(statement).fetchall())
            living = Seats(connection, path).living()
    finally:
        connection.close()
    return tuple(Process(host, pid, counts.get(seat, 0)) for seat, host, pid in living)
