"""What runs in a worker process: one candidate after another.

The process runs this file by its path. It imports the standard library only, and the objective
brings the rest along: so the environment is in force before any framework is imported.
"""

import contextlib
import mmap
import os
import pickle
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

_LOOK_SECONDS = 0.5


def answer(call: Callable[[Any], Any], message: bytes) -> tuple[Any, ...]:
    """What goes back for one candidate.

    Args:
        call: `call(candidate) -> (status, value, curve)`, and its cost if it has one.
        message: the candidate, pickled.

    Returns:
        Status, value, curve, seconds, and the cost if there is one; or `"failed"`, the packed
        error, seconds.

    Example:
        >>> answer(lambda x: ("completed", x * 2.0, ()), pickle.dumps(3))[:3]
        ('completed', 6.0, ())
    """
    begin = time.perf_counter()
    try:
        candidate = pickle.loads(message)
        begin = time.perf_counter()
        status, value, curve, *cost = call(candidate)
        return status, value, curve, time.perf_counter() - begin, *cost
    except BaseException as error:  # what ends a process in it would look like its death
        return "failed", packed(error), time.perf_counter() - begin


def packed(error: BaseException) -> tuple[bytes | None, str, str]:
    """An error in a form that reaches another process whatever it is.

    Args:
        error: the error; it was raised.

    Returns:
        The error pickled if that is possible, its type and text, its traceback.
    """
    import cloudpickle

    try:
        pickled = cloudpickle.dumps(error)
    except Exception:
        pickled = None
    text = "".join(traceback.format_exception_only(error)).strip()
    return pickled, text, "".join(traceback.format_exception(error))


def main(connection: Connection, lifeline: int, payload: int) -> None:
    """Evaluates what comes in until an empty message does.

    Args:
        connection: to the parent.
        lifeline: file descriptor of a pipe that ends when the parent does.
        payload: file descriptor of a file with `sys.path`, `sys.argv` and the call, pickled.
    """
    # A handler rather than SIG_IGN, which processes that the objective starts would inherit.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.siginterrupt(signal.SIGINT, False)
    _die_with(os.getppid(), lifeline)
    # Nobody else may hold this end, or the parent would not see that this process is gone.
    os.set_inheritable(connection.fileno(), False)
    os.register_at_fork(after_in_child=connection.close)
    try:
        with mmap.mmap(payload, 0, access=mmap.ACCESS_READ) as stream:
            sys.path[:], sys.argv[:] = pickle.load(stream)
            call = pickle.load(stream)
        os.close(payload)
    except BaseException as error:
        connection.send_bytes(pickle.dumps(("unusable", packed(error))))
        return
    connection.send_bytes(pickle.dumps(("ready",)))
    while message := connection.recv_bytes():
        reply = answer(call, message)
        for stream in (sys.stdout, sys.stderr):  # a kill would lose what was printed
            with contextlib.suppress(Exception):
                stream.flush()
        connection.send_bytes(pickle.dumps(reply))


def _die_with(parent: int, lifeline: int) -> None:
    """Kills this process group, and so all that the objective started, when the parent ends."""
    import fcntl  # not everywhere, and other systems use `answer` too

    os.set_inheritable(lifeline, False)
    if hasattr(fcntl, "F_SETSIG"):
        # On Linux the kernel does it, even if the objective never lets a thread run.
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)

    def watch() -> None:
        # The pipe alone would not do: a fork of the parent may hold its other end.
        while not select.select([lifeline], [], [], _LOOK_SECONDS)[0]:
            if os.getppid() != parent:
                break
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    _connection, _lifeline, _payload = map(int, sys.argv[1:])
    # A global, so that it is open until exit handlers have run.
    parent_connection = Connection(_connection)
    # The parent may be gone in the middle of anything.
    with contextlib.suppress(EOFError, OSError):
        main(parent_connection, _lifeline, _payload)
