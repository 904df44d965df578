"""Ctrl-C: once asks the search to end, twice ends it."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """Catches the first SIGINT while it is entered; the second one raises KeyboardInterrupt.

    The handler that was there before is put back on leaving, however that happens. Off the main
    thread no handler can be installed, and none is.

    Attributes:
        asked: whether there was a SIGINT.

    Example:
        >>> with Interrupt() as interrupt:
        ...     interrupt.asked
        False
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._installed = False

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGINT)
            # None: somebody installed a handler from C that Python could not put back.
            if self._before is not None:
                signal.signal(signal.SIGINT, self._handle)
                self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
