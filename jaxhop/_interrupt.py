"""Ctrl-C and requests to go: once asks the search to end, a second Ctrl-C ends it."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

GRACE_SECONDS = 10.0
"""Schedulers kill what has not gone 30 seconds (Slurm, Kubernetes) after they asked, or later."""

_MEANINGS = {signal.SIGINT: "interrupted", signal.SIGTERM: "preempted"}


class Expired(BaseException):
    """Ends an objective that runs in this process when its time of grace is over."""


class Interrupt:
    """Catches SIGINT and SIGTERM while it is entered; a second SIGINT raises KeyboardInterrupt.

    SIGTERM is what schedulers send before they take a machine away. The handlers that were there
    before are put back on leaving, however that happens. Off the main thread no handler can be
    installed, and none is.

    Args:
        grace: seconds after a SIGTERM when `Expired` is raised in what runs `breakable`.

    Attributes:
        asked: `"interrupted"` or `"preempted"`, by the signal that came first; empty if none did.

    Example:
        >>> with Interrupt() as interrupt:
        ...     interrupt.asked
        ''
    """

    def __init__(self, grace: float = GRACE_SECONDS) -> None:
        self.asked = ""
        self._grace = grace
        self._timer: threading.Timer | None = None
        self._over = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            for number in _MEANINGS:
                before = signal.getsignal(number)
                # None: somebody installed a handler from C that Python could not put back.
                if before is not None:
                    self._before[number] = before
                    signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self._over and _breakable:
            raise Expired
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.asked:
            self.asked = _MEANINGS[signal.Signals(number)]
            if self.asked == "preempted":
                self._timer = threading.Timer(self._grace, self._expire)
                self._timer.daemon = True
                self._timer.start()

    def _expire(self) -> None:
        self._over = True
        # Only a signal reaches the main thread wherever it is.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Ctrl-C has to wait for the end of what runs in it, such as XLA's compiler.

    That cannot be stopped anyway, and what is raised in the midst of it lets the process crash
    when it ends (jaxlib 0.10.2). A handler that is not Python's own stays in charge.

    Raises:
        KeyboardInterrupt: at the end, if it was asked for.

    Example:
        >>> with postponed():
        ...     pass
    """
    own = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not own or threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked:
        raise KeyboardInterrupt


_breakable: list[None] = []


@contextlib.contextmanager
def breakable() -> Iterator[None]:
    """What runs in it may be ended by `Expired`; nothing else ever is."""
    _breakable.append(None)
    try:
        yield
    finally:
        _breakable.pop()
