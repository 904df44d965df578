"""A search as one run of a library that keeps track of runs."""

import abc
import contextlib
import importlib
import importlib.metadata
import math
import platform
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from jaxhop import _hosts
from jaxhop._result import Result
from jaxhop._shown import plain
from jaxhop._trials import Report, Start, some_trials
from jaxhop.callbacks._thinning import Thinning
from jaxhop.callbacks._values import scalars
from jaxhop.space import Permutation, Space

_SECONDS = 0.25  # between two writes: nobody sees more than four a second as live
_POINTS = 2000  # of the time gone, one part in so many lies between two points at least
_SHARE = 10  # of the time, one part in so many may go to writing
_TRIALS, _AT_ONCE = 1000, 250  # as `Thinning` takes them
_NAMES = 100  # values of a candidate: nobody looks at more curves
_TEXT = 250  # characters: as long as a parameter of MLflow could ever be
_PACKAGES = ("jaxhop", "jax", "numpy")
_ASKED = ("interrupted", "preempted")


class Tracker(abc.ABC):
    """What trackers have in common: what is written, and when.

    A tracker writes a point a report, but no more than four a second, and fewer as the search gets
    longer: `best_value`, `temperature`, `evaluations_per_second`, and `median_value` where not
    every trial has a point of its own. Trials have one with `value` and `params/<name>`: the first
    1,000 (250 of a report at most), then every 2nd, 4th and so on, and those that were the best so
    far. The step of a point is the number of its last evaluation, from 0.

    A failure to write ends the run that is written, with a warning, and not the search.
    """

    _on, _broken = False, False

    @abc.abstractmethod
    def _open(self, settings: dict[str, Any]) -> None:
        """Begins a run, or takes one that is there.

        Args:
            settings: numbers and texts that say what is searched and how.
        """

    @abc.abstractmethod
    def _log(self, points: dict[int, dict[str, Any]]) -> None:
        """Writes points of curves.

        Args:
            points: by step, ascending: numbers, and texts of options, by name.
        """

    @abc.abstractmethod
    def _end(self, summary: dict[str, Any], result: Result) -> None:
        """Writes what was found.

        Args:
            summary: numbers and texts by name; the best parameters are `best/<name>`.
            result: all of it.
        """

    @abc.abstractmethod
    def _close(self, state: str) -> None:
        """Ends the run, if this callback began it.

        Args:
            state: `"finished"`; `"killed"`: somebody asked the search to stop; or `"failed"`.
        """

    def on_start(self, info: Start) -> None:
        """Begins a run.

        Args:
            info: what is known before the first evaluation.
        """
        if not _hosts.is_first():
            return
        self._info = info
        self._orders = _orders(info.space)
        self._chosen = Thinning(_TRIALS, _AT_ONCE)
        self._points: dict[int, dict[str, Any]] = {}
        self._report: Report | None = None  # the last one that was not written
        self._before = math.nan
        self._evaluations, self._since, self._due = -1, 0.0, 0.0
        self._state, self._broken = "", False
        self._on = True
        self._open(_settings(info))

    def on_round(self, report: Report) -> None:
        """Takes in a report, and writes it if it is time.

        Args:
            report: the evaluations since the last one.
        """
        if not self._on or self._broken or not len(report.values):
            return
        if self._evaluations < 0:
            self._evaluations = report.first  # of a search that goes on there may be some
        self._report = report
        self._add(report)
        self._before = report.best_value
        if report.elapsed >= self._due:
            self._write()

    def on_end(self, result: Result) -> None:
        """Writes what was found.

        Args:
            result: what the search returns.
        """
        if not self._on:
            return
        self._write()
        found = {
            "best_value": result.best_value,
            "stop_reason": result.stop_reason,
            "evaluations": result.evaluations,
            "seconds": result.seconds,
            "compile_seconds": result.compile_seconds,
            "nan_share": result.nan_share,
        }
        best = {} if result.best is None else self._flat(result.best)
        self._try(self._end, found | scalars(best, "best/"), result)
        self._state = "killed" if result.stop_reason in _ASKED else "finished"

    def close(self) -> None:
        """Ends the run, as what it is: finished, killed or failed."""
        if not self._on:
            return
        if not self._state:
            # Whatever ends a search without a result is being raised now.
            self._state = "failed" if isinstance(sys.exception(), Exception) else "killed"
            self._write()
        self._on = False
        if not self._broken:
            self._try(self._close, self._state)
        else:
            with contextlib.suppress(Exception):
                self._close(self._state)

    def _add(self, report: Report) -> None:
        """Makes points of some trials of a report."""
        rows = self._chosen(report.first + report.kept, report.improved[report.kept])
        for trial in some_trials(report, rows, self._info.decode, self._before):
            values = {"value": trial.value, "best_value": trial.best_value}
            self._points[trial.number] = values | scalars(self._flat(trial.params), "params/")
        self._thinned = len(rows) < len(report.values)

    def _write(self) -> None:
        """Writes the points of trials, and one of where the search stands."""
        if self._report is None:
            return
        report, self._report = self._report, None
        elapsed, evaluations = report.elapsed, report.evaluations
        stand = {"best_value": report.best_value, "temperature": float(report.temperature[-1])}
        finite = report.values[np.isfinite(report.values)]
        if self._thinned and len(finite):
            stand["median_value"] = float(np.median(finite))
        if elapsed > self._since:
            rate = (evaluations - self._evaluations) / (elapsed - self._since)
            stand["evaluations_per_second"] = rate
        self._evaluations, self._since = evaluations, elapsed
        points, self._points = self._points, {}
        points[evaluations - 1] = points.get(evaluations - 1, {}) | stand
        began = time.perf_counter()
        self._try(self._log, dict(sorted(points.items())))
        took = time.perf_counter() - began
        self._due = elapsed + max(_SECONDS, elapsed / _POINTS, _SHARE * took)

    def _flat(self, candidate: Any) -> dict[str, Any]:
        """The first values of a candidate by name, but for orders: all of one have one mean."""
        flat = self._info.space.flat(candidate)
        names = [name for name in flat if name not in self._orders]
        return {name: flat[name] for name in names[:_NAMES]}

    def _try(self, write: Callable[..., None], *what: Any) -> None:
        """Writes, unless that has failed before."""
        if self._broken:
            return
        try:
            write(*what)
        except Exception as error:
            self._broken = True
            text = plain(str(error) or type(error).__name__)
            warnings.warn(
                f"`{type(self).__name__}`: the run can be written no more ({text}). The search"
                " goes on without it.",
                RuntimeWarning,
                stacklevel=2,
            )


def check_run(tracker: str, run: Any, settings: dict[str, Any]) -> None:
    """Checks that there is a run, or settings of a new one, or neither.

    Args:
        tracker: who asks.
        run: that was given, or None.
        settings: of a new one.

    Raises:
        ValueError: if there are both.
    """
    if run is not None and settings:
        raise ValueError(
            f"`{tracker}(run=..., {', '.join(settings)}=...)`: settings are for a new run. Leave"
            " out one of the two."
        )


def package(name: str, tracker: str, extra: str) -> Any:
    """A library, or an error that says how to get it.

    Args:
        name: of the module.
        tracker: who asks.
        extra: of jaxhop that has it.

    Returns:
        The module.

    Raises:
        ImportError: if it is not installed.

    Example:
        >>> package("math", "Sums", "sums").pi > 3
        True
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f'`{tracker}()`: {name} is not installed. Run `pip install "jaxhop[{extra}]"`.'
        ) from error


def _orders(space: Space) -> set[str]:
    named = space.named_parameters().items()
    return {name for name, own in named if any(isinstance(each, Permutation) for each in own)}


def _settings(info: Start) -> dict[str, Any]:
    """What is searched and how, as numbers and texts."""
    budget = asdict(info.budget)
    spaces = list(info.space.named_parameters().items())
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    versions["python"] = platform.python_version()
    found: dict[str, Any] = {
        "direction": info.direction,
        "seed": info.seed,
        "coordinates": info.size,
        **{f"budget/{name}": limit for name, limit in budget.items() if limit is not None},
        **{f"space/{name}": " or ".join(map(repr, own)) for name, own in spaces[:_NAMES]},
        **{f"versions/{name}": version for name, version in versions.items()},
    }
    if info.notes:
        found["notes"] = " ".join(info.notes)
    return {name: plain(x, _TEXT) if isinstance(x, str) else x for name, x in found.items()}
