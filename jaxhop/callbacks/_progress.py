"""The live line on the terminal, and the table at the end."""

import math
import sys
from typing import Any, TextIO

from jaxhop._phases import format_phases
from jaxhop._result import Result, format_rate
from jaxhop._trials import Report, Start

_SECONDS_BETWEEN = 0.25  # a line that changes faster cannot be read

# At most 80 columns with the text that `_text` writes.
_WITH_BAR = "{percentage:3.0f}%|{bar:10}| {desc}"
# tqdm cuts a line to the width of the terminal only if there is a bar in it: one of width 0.
_WITHOUT_BAR = "{desc}{bar:0}"


class Progress:
    """One line that lives while the search runs, and a table of its phases at the end.

    The line shows the share of the budget that is used, time gone and time left, evaluations,
    evaluations a second and the best value. With a target only, nobody knows what is left, and
    the line does without.

    Args:
        show: True or False to show it or not. Default: None, only on a terminal.
        stream: where to write. Default: `sys.stderr`, as it is when the search starts.

    Example:
        >>> from jaxhop.callbacks import Callbacks
        >>> callbacks = Callbacks([Progress()])
    """

    def __init__(self, show: bool | None = None, stream: TextIO | None = None):
        self._show = show
        self._stream = stream
        self._bar: Any = None

    def on_start(self, info: Start) -> None:
        """Draws the empty line.

        Args:
            info: what is known before the first evaluation.
        """
        stream = self._stream or sys.stderr
        show = bool(stream and stream.isatty()) if self._show is None else self._show
        if not show:
            return
        from tqdm import tqdm

        self._timed = info.budget.measured
        self._report: Report | None = None
        self._drawn = 0.0
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
        if self._bar is None:
            return
        first = self._report is None
        self._report = report
        if first or report.elapsed - self._drawn >= _SECONDS_BETWEEN:
            self._draw(report)

    def on_end(self, result: Result) -> None:
        """Leaves the last line and writes the table.

        Args:
            result: what the search found.
        """
        if self._bar is None:
            return
        if self._report is not None:
            self._draw(self._report)
        stream = self._bar.fp
        self.close()
        stream.write(format_phases(result.phases) + "\n")
        stream.flush()

    def close(self) -> None:
        """Ends the line, so that what follows starts on a line of its own."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _draw(self, report: Report) -> None:
        self._drawn = report.elapsed
        self._bar.n = report.progress
        self._bar.set_description_str(_text(report, self._timed), refresh=False)
        self._bar.refresh()


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
