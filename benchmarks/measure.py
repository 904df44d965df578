"""Wall time, processor time and peak memory of a stretch of code (Unix)."""

import resource
import sys
import time
from pathlib import Path
from typing import Self

_MB = 2**20
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Meter:
    """Measures what happens inside its `with` block.

    Attributes:
        seconds: wall time.
        cpu_seconds: time of all threads of this process on processors.
        peak_mb: most memory of this process in the block, above what it held before. Where the
            kernel does not let a process reset its peak, this is how far the block raised the
            peak of the whole process, which can be less.

    Example:
        >>> with Meter() as meter:
        ...     total = sum(range(1000))
        >>> meter.seconds > 0
        True
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0

    def __enter__(self) -> Self:
        self._before = _reset_peak()
        self._cpu = time.process_time()
        self._wall = time.perf_counter()
        return self

    def __exit__(self, *failure: object) -> None:
        self.seconds = time.perf_counter() - self._wall
        self.cpu_seconds = time.process_time() - self._cpu
        self.peak_mb = max(_peak() - self._before, 0) / _MB


def _reset_peak() -> int:
    """Set the peak back to what is held now, if possible; return the level to count from."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return _peak()
    return _status_bytes("VmRSS")


def _peak() -> int:
    if _STATUS.exists():
        return _status_bytes("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status_bytes(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
