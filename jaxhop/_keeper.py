"""What a run directory holds for people to read: the best candidate, its way there, a log."""

import csv
import io
import json
import math
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxhop._budget import Budget, format_seconds
from jaxhop._history import Flat, History
from jaxhop._result import Result, cell
from jaxhop._trials import Report, Start
from jaxhop.storage import Directory, StorageError, to_plain

ARRAY = "in best.npz"
"""Key of what stands in `best.json` for an array of the other file."""

_LARGE = 2**16  # bytes of arrays that are no longer readable as text
_SECONDS = 1.0  # between two versions of the best candidate
_START = re.compile(r"^\S+ \S+ start: seed .*, Budget\(([^()]*)\)$", re.MULTILINE)
_LOG_BYTES = 2**20  # of its end, which are read


class Keeper:
    """A callback that writes `best.json` (or `best.npz`), `summary.csv` and `log`.

    Args:
        directory: where to.
        history: of the search.
        flat: turns a candidate into one value a name.

    Attributes:
        trouble: why a file could not be written, if one could not.
    """

    def __init__(self, directory: Directory, history: History, flat: Flat) -> None:
        self._directory, self._history, self._flat = directory, history, flat
        self.trouble = ""
        self._written = -math.inf
        self._pending = False

    def on_start(self, info: Start) -> None:
        """Notes that a process begins to search, and how."""
        self._log(f"start: seed {info.seed}, {info.size} coordinates, {info.budget}")
        for note in self._directory.notes:
            self._log(note)

    def goes_on(self, evaluations: int, again: int) -> None:
        """Notes what was evaluated before.

        Args:
            evaluations: how many are known.
            again: how many after these are made again.
        """
        if evaluations:
            self._log(f"goes on after {evaluations:,} evaluations")
        if again:
            self._log(f"{again:,} evaluations that followed are made again")

    def on_round(self, report: Report) -> None:
        """Writes the best candidate if it is new, once a second at most."""
        self._pending |= bool(report.improved.any())
        if not self._pending or time.monotonic() - self._written < _SECONDS:
            return
        self._written, self._pending = time.monotonic(), False
        rows = self._history.improvements
        # Of a random objective it is not the lowest value.
        known = len(rows) and self._history["value"][rows[-1]] == report.best_value
        best = self._history.params(int(rows[-1])) if known else None
        if best is not None:
            self._best(best, report.best_value, report.evaluations, report.elapsed, "")

    def on_end(self, result: Result) -> None:
        """Writes all files once more."""
        reason = result.stop_reason
        self._best(result.best, result.best_value, result.evaluations, result.seconds, reason)
        self._write("summary.csv", summary(result).encode())
        self._log(
            f"stopped by {result.stop_reason} after {result.evaluations:,} evaluations in"
            f" {format_seconds(result.seconds)}: best value {result.best_value!r}"
        )

    def _best(
        self, best: Any, value: float, evaluations: int, seconds: float, stopped: str
    ) -> None:
        written: dict[str, Any] = {
            "value": value,
            "evaluations": evaluations,
            "seconds": round(seconds, 3),
            "stopped": stopped,
        }
        arrays = [x for x in jax.tree.leaves(best) if isinstance(x, np.ndarray)]
        if sum(array.nbytes for array in arrays) <= _LARGE:
            written["params"] = to_plain(best, lossy=True)
        else:
            buffer = io.BytesIO()
            named = {f"array{number}": array for number, array in enumerate(arrays)}
            np.savez(buffer, allow_pickle=False, **named)
            self._write("best.npz", buffer.getvalue())
            places = iter(named)
            others = jax.tree.map(
                lambda leaf: {ARRAY: next(places)} if isinstance(leaf, np.ndarray) else leaf, best
            )
            written |= {"arrays": "best.npz", "params": to_plain(others, lossy=True)}
        text = json.dumps(written, indent=2, ensure_ascii=False, allow_nan=False)
        self._write("best.json", (text + "\n").encode())

    def _write(self, name: str, data: bytes) -> None:
        self._try(self._directory.write, name, data)

    def _log(self, line: str) -> None:
        self._try(self._directory.log, line, time.strftime("%Y-%m-%d %H:%M:%S"))

    def _try(self, write: Callable[..., None], *what: Any) -> None:
        """Writes, unless that has failed before."""
        if self.trouble:
            return
        try:
            write(*what)
        except StorageError as error:
            self.trouble = str(error)


def read_budget(path: Path) -> Budget | None:
    """The budget of whoever began to search last.

    Args:
        path: the directory.

    Returns:
        The budget; None if `log` does not say it.
    """
    try:
        with open(path / "log", "rb") as file:
            file.seek(max(0, (path / "log").stat().st_size - _LOG_BYTES))
            starts = _START.findall(file.read().decode("utf-8", "replace"))
        given = dict(each.split("=") for each in starts[-1].split(", "))
        whole = ("evaluations", "patience")
        numbers: dict[str, Any] = {
            name: (int if name in whole else float)(given[name]) for name in given
        }
        return Budget.of(**numbers)
    except (OSError, ValueError, TypeError, IndexError):
        return None


def summary(result: Result) -> str:
    """The improvements of a search as CSV: one row each, with its parameters.

    Args:
        result: of the search.

    Returns:
        Text with a heading.
    """
    history = result.history
    columns = {name: history[name] for name in ("evaluation", "seconds", "value", "phase")}
    names: dict[str, None] = {}
    lines = []
    for row in history.improvements.tolist():
        params = history.params(row)
        flat = {} if params is None else {f"params.{k}": v for k, v in result.flat(params).items()}
        flat = {name: leaf for name, leaf in flat.items() if np.size(leaf) <= 64}
        names |= dict.fromkeys(flat)
        lines.append({name: column[row] for name, column in columns.items()} | flat)
    text = io.StringIO()
    writer = csv.writer(text)
    heading = [*columns, *names]
    writer.writerow(heading)
    writer.writerows([cell(line.get(name)) for name in heading] for line in lines)
    return text.getvalue()
