"""Ctrl-C and requests to go: once asks the search to end, a second Ctrl-C ends it."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_MEANINGS = {signal.SIGINT: "interrupted", signal.SIGTERM: "preempted"}


class Interrupt:
    """Catches SIGINT and SIGTERM while it is entered; a second SIGINT raises KeyboardInterrupt.

    SIGTERM is what schedulers send before they take a machine away. The handlers that were there
    before are put back on leaving, however that happens. Off the main thread no handler can be
    installed, and none is.

    Attributes:
        asked: `"interrupted"` or `"preempted"`, by the signal that came first; empty if none did.

    Example:
        >>> with Interrupt() as interrupt:
        ...     interrupt.asked
        ''
    """

    def __init__(self) -> None:
        self.asked = ""
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
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = self.asked or _MEANINGS[signal.Signals(number)]
