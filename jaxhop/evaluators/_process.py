"""One worker process, from its start to its end."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

_SCRIPT = str(Path(__file__).with_name("_worker.py"))


class Process:
    """A process that evaluates candidates, in a process group of its own.

    Args:
        payload: file descriptor of a file with `sys.path`, `sys.argv` and the call, pickled.
        environment: variables that are set there on top of this process's.

    Attributes:
        connection: to the process; at its end when the process is.
    """

    def __init__(self, payload: int, environment: Mapping[str, str]) -> None:
        self.connection, theirs = Pipe()
        read, self._lifeline = os.pipe()
        ends = (theirs.fileno(), read, payload)
        try:
            # -P: modules beside the script are none of the user's.
            self._popen = subprocess.Popen(
                [sys.executable, "-P", _SCRIPT, *map(str, ends)],
                stdin=subprocess.DEVNULL,
                pass_fds=ends,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        except BaseException:
            self._hang_up()
            raise
        finally:
            theirs.close()
            os.close(read)

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        return self._popen.pid

    def send(self, message: bytes) -> None:
        """Sends a pickled candidate; an empty message asks the process to end.

        A process that is gone takes none: its connection is at its end then.
        """
        with contextlib.suppress(OSError):
            self.connection.send_bytes(message)

    def receive(self) -> tuple[Any, ...]:
        """What the process said.

        Raises:
            EOFError: if it is gone.
        """
        try:
            return pickle.loads(self.connection.recv_bytes())
        except OSError:
            raise EOFError from None

    def kill(self) -> int:
        """Kills the process and what it started, if it was not yet.

        Returns:
            Its exit status; a negative one is the signal that ended it.
        """
        status = self._popen.returncode
        if status is None:
            # Until it is waited for nobody else can have this number.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            status = self._popen.wait()
            self._hang_up()
        return status

    def _hang_up(self) -> None:
        self.connection.close()
        os.close(self._lifeline)


def describe(status: int) -> str:
    """How a process ended, in words.

    Args:
        status: its exit status, as `Process.kill` returns it.

    Returns:
        The words.

    Example:
        >>> describe(3), describe(-9)
        ('exited with status 3', 'was ended by SIGKILL')
    """
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
