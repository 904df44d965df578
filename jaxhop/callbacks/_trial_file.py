"""A file that gets a line for each trial, as soon as it has ended."""

import abc
import contextlib
import math
import os
import warnings
from pathlib import Path
from typing import TextIO

import numpy as np

from jaxhop import _hosts
from jaxhop._trials import Report, Start, Trial, some_trials
from jaxhop.callbacks._thinning import Thinning

_ALL = 100_000  # trials are written before fewer are: some 30 MB
_AT_ONCE = 10_000  # trials of one report, so that none takes long to write

FIELDS = (
    "number",
    "value",
    "status",
    "phase",
    "seconds",
    "duration",
    "worker",
    "improved",
    "best_value",
)
"""What is written of each trial before its parameters, as in `jaxhop.Trial`."""


class TrialFile(abc.ABC):
    """A callback that writes trials to a file, which must not be there before.

    The file of a search that goes on is carried on.

    Args:
        path: the file.

    Raises:
        TypeError: if it is no path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise TypeError(
                f'`{type(self).__name__}({path!r})`: a path must be given, such as "trials.jsonl".'
            )
        self._path = Path(path)
        self._file: TextIO | None = None

    @abc.abstractmethod
    def _begin(self, info: Start) -> str:
        """The text that a new file begins with: nothing, or a line."""

    @abc.abstractmethod
    def _line(self, trial: Trial) -> str:
        """A trial as one line of text."""

    @abc.abstractmethod
    def _read(self, line: str) -> tuple[int, float]:
        """Number of the trial on a line, and best value by then.

        Raises:
            ValueError: if it is no such line.
        """

    def on_start(self, info: Start) -> None:
        """Opens the file.

        Args:
            info: what is known before the first evaluation.

        Raises:
            FileExistsError: if there is a file that this search did not write.
            OSError: if it cannot be written to.
        """
        if not _hosts.is_first():
            return
        self._info = info
        self._chosen = Thinning(_ALL, _AT_ONCE)
        self._last, self._before = -1, math.nan
        beginning = self._begin(info)
        if self._path.exists():
            self._carry_on(beginning)
            self._file = open(self._path, "a", encoding="utf-8", newline="")
        else:
            self._file = open(self._path, "x", encoding="utf-8", newline="")
            self._write([beginning])

    def on_round(self, report: Report) -> None:
        """Writes the trials that ended, those whose parameters came along.

        Args:
            report: the evaluations since the last one.
        """
        if self._file is None:
            return
        before, self._before = self._before, report.best_value
        rows = np.flatnonzero(report.first + report.kept > self._last)
        numbers = report.first + report.kept[rows]
        rows = rows[self._chosen(numbers, report.improved[report.kept[rows]])]
        if len(rows):
            chosen = some_trials(report, rows, self._info.decode, before)
            self._write([self._line(trial) for trial in chosen])

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, lines: list[str]) -> None:
        assert self._file is not None
        try:
            self._file.writelines(lines)
            self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            warnings.warn(
                f"`{self._path}`: {error.strerror or error}. The search goes on, and writes no"
                " more trials to it.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _carry_on(self, beginning: str) -> None:
        """Takes up where the file ends, and cuts off half a line that may be there."""
        subject = f"`{type(self).__name__}({str(self._path)!r})`"
        if not self._info.goes_on:
            raise FileExistsError(
                f"{subject}: the file is there already, and the search begins anew. Delete the"
                " file, or choose another."
            )
        with open(self._path, "r+b") as file:
            end, first, last = 0, b"", b""
            for line in file:
                if line.endswith(b"\n"):
                    end, first, last = end + len(line), first or line, line
            try:
                if beginning and first.decode() != beginning:
                    raise ValueError
                if not beginning or first is not last:
                    self._last, self._before = self._read(last.decode())
            except ValueError:
                raise FileExistsError(
                    f"{subject}: the file is there, and was not written by this search. Delete"
                    " the file, or choose another."
                ) from None
            file.truncate(end)
