"""The live line on the terminal, or lines in a log, and the table at the end."""

import math
import sys
from typing import Any, TextIO

from jaxhop._phases import format_phases
from jaxhop._result import Result, format_rate
from jaxhop._trials import Report, Start

_SECONDS_BETWEEN = 0.25  # a line that changes faster cannot be read
_SECONDS_BETWEEN_LINES = 10.0  # a log is read later, and whole

# At most 80 columns with the text that `_text` writes.
_WITH_BAR = "{percentage:3.0f}%|{bar:10}| {desc}"
# tqdm cuts a line to the width of the terminal only if there is a bar in it: one of width 0.
_WITHOUT_BAR = "{desc}{bar:0}"


class Progress:
    """One line that lives while the search runs, and a table of its phases at the end.

    Where output goes to a file or a pipe, a line is written every ten seconds instead.

    The line shows the share of the budget that is used, time gone and time left, evaluations,
    evaluations a second and the best value. With a target only, nobody knows what is left, and
    the line does without.

    Args:
        show: True or False to show it or not. Default: None, only on a terminal or in a notebook.
        stream: where to write. Default: `sys.stderr`, as it is when the search starts.

    Example:
        >>> from jaxhop.callbacks import Callbacks
        >>> callbacks = Callbacks([Progress()])
    """

    def __init__(self, show: bool | None = None, stream: TextIO | None = None):
        self._show = show
        self._stream = stream
        self._bar: Any = None
        self._log: TextIO | None = None

    def on_start(self, info: Start) -> None:
        """Draws the empty line; in a log there is nothing to say yet.

        Args:
            info: what is known before the first evaluation.
        """
        stream = self._stream or sys.stderr
        live = bool(stream) and _lives(stream)
        if not (live if self._show is None else self._show):
            return
        self._timed = info.budget.measured
        self._report: Report | None = None
        self._drawn = 0.0
        if not live:
            self._log = stream
            return
        from tqdm import tqdm

        self._bar = tqdm(
            total=1.0,
            desc="starting",
            file=stream,
            dynamic_ncols=True,
            bar_format=_WITH_BAR if self._timed else _WITHOUT_BAR,
        )

    def on_round(self, report: Report) -> None:
        """Draws the line anew, a few times a second at most.

        Args:
            report: where the search stands.
        """
        if self._bar is None and self._log is None:
            return
        first = self._report is None
        self._report = report
        between = _SECONDS_BETWEEN if self._log is None else _SECONDS_BETWEEN_LINES
        if first or report.elapsed - self._drawn >= between:
            self._draw(report)

    def on_end(self, result: Result) -> None:
        """Leaves the last line and writes the table.

        Args:
            result: what the search found.
        """
        stream = self._log if self._bar is None else self._bar.fp
        if stream is None:
            return
        if self._report is not None and (self._log is None or self._report.elapsed > self._drawn):
            self._draw(self._report)
        self.close()
        stream.write(format_phases(result.phases) + "\n")
        stream.flush()

    def close(self) -> None:
        """Ends the line, so that what follows starts on a line of its own."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._log = None

    def _draw(self, report: Report) -> None:
        self._drawn = report.elapsed
        if self._log is not None:
            share = f"{report.progress:4.0%} | " if self._timed else ""
            self._log.write(f"{share}{_text(report, self._timed)}\n")
            self._log.flush()
            return
        self._bar.n = report.progress
        self._bar.set_description_str(_text(report, self._timed), refresh=False)
        self._bar.refresh()


def _lives(stream: TextIO) -> bool:
    """Whether what was written can be written over: on a terminal, and in a notebook."""
    return stream.isatty() or type(stream).__module__.startswith("ipykernel.")


def _text(report: Report, timed: bool) -> str:
    clock = _clock(report.elapsed) + (f"<{_clock(report.remaining)}" if timed else "")
    rate = format_rate(report.evaluations, report.elapsed)
    best = "-" if math.isnan(report.best_value) else f"{report.best_value:.4g}"
    return f"{clock} | {_count(report.evaluations)} evals, {rate} | best {best}"


def _clock(seconds: float) -> str:
    """Minutes and seconds; from 100 hours on days and hours, to stay short."""
    if math.isinf(seconds):
        return "?"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 100:
        return f"{hours // 24}d {hours % 24:02d}h"
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute:02d}:{second:02d}"


def _count(evaluations: int) -> str:
    """All digits as long as there are at most seven."""
    return f"{evaluations:,}" if evaluations < 10**7 else f"{evaluations / 1e6:,.1f}M"
