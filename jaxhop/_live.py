"""How searches stand, read again and again from their directories while they may be going on."""

import os
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from jaxhop import _shown
from jaxhop._budget import Budget, format_seconds
from jaxhop._keeper import read_budget
from jaxhop._load import load
from jaxhop._result import Result, format_rate
from jaxhop.storage import Process, read_processes, read_settings

DEPTH = 3
"""How many folders deep searches are looked for."""

_FILES = ("space.json", "trials.sqlite", "trials.sqlite-wal", "best.json", "log")
_ENDED_EARLY = ("interrupted", "preempted", "disk")
_SHARE = 10  # of the time, one in so many parts may go to reading a directory
_RECENT_SECONDS = 60.0  # in which the rate is measured
_PARAMS, _IMPROVEMENTS, _POINTS = 100, 10, 400
_TEXT = 200  # characters of a value
_DECADES = 100.0  # a curve over a larger ratio is drawn on a logarithmic scale


@dataclass(frozen=True, kw_only=True)
class View:
    """What people see of a search.

    Attributes:
        name: of its directory, seen from the folder that is watched.
        state: `"starting"` (nothing is written yet), `"running"`, `"finished"`, `"interrupted"`
            (it can go on), `"killed"`, `"unreadable"` or `"removed"`.
        best: its best value as text; empty if there is none yet.
        direction: `"min"` or `"max"`; empty if nobody knows.
        facts: labels and texts.
        params: names and texts of the best parameters, the first 100.
        hidden: how many more there are.
        improvements: the newest ones, newest first: evaluation, time and value as text.
        curve: best value so far over the number of evaluations, up to 800 points.
        log: whether it is to be drawn on a logarithmic scale.
        notes: what is wrong.
    """

    name: str
    state: str = "starting"
    best: str = ""
    direction: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    hidden: int = 0
    improvements: tuple[tuple[str, str, str], ...] = ()
    curve: tuple[tuple[int, float], ...] = ()
    log: bool = False
    notes: tuple[str, ...] = ()


class Folder:
    """A run directory, or a folder that holds several, up to three folders deep.

    Args:
        path: the folder.

    Raises:
        ValueError: if there is none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        if not self._path.is_dir():
            raise ValueError(
                f"`{self._path}`: there is no such directory. Give that of a search, or one that"
                " holds several."
            )
        self._followed: dict[Path, _Followed] = {}

    @property
    def single(self) -> bool:
        """Whether it is a run directory itself, or was one when it was looked at."""
        return self._path in self._followed

    def look(self) -> list[View]:
        """All searches in it, those that were removed meanwhile included.

        Returns:
            A view each, by name.
        """
        for path in _directories(self._path):
            if path not in self._followed:
                own = path == self._path
                name = path.resolve().name if own else str(path.relative_to(self._path))
                self._followed[path] = _Followed(path, _shown.plain(name, _TEXT))
        return [self._followed[path].look() for path in sorted(self._followed)]


class _Followed:
    """One run directory, which is read no more often than it changes and is quick to read."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._view = View(name=name)
        self._stamp: Any = None
        self._due = 0.0

    def look(self) -> View:
        stamp, now = _stamp(self._path), time.monotonic()
        still = stamp == self._stamp and self._view.state != "running"
        if still or now < self._due:
            return self._view
        self._view, self._stamp = self._seen(), stamp
        self._due = now + _SHARE * (time.monotonic() - now)
        return self._view

    def _seen(self) -> View:
        if not any((self._path / name).exists() for name in _FILES[:2]):
            return replace(self._view, state="removed", notes=("the directory was removed",))
        try:
            return _read(self._path, self._view.name)
        except (
            Exception
        ) as error:  # it may be half written, or whatever else; it is only looked at
            text = _shown.plain(str(error) or type(error).__name__, 5 * _TEXT)
            return replace(self._view, state="unreadable", notes=(text,))


def line(view: View) -> str:
    """A view on one line, for logs.

    Args:
        view: the view.

    Returns:
        Text without control characters.

    Example:
        >>> facts = (("evaluations", "20, 5/s"), ("phase", "explore"))
        >>> line(View(name="lr", state="running", best="0.5", direction="min", facts=facts))
        'lr: running, best 0.5 (min), evaluations 20, 5/s, phase explore'
    """
    best = [f"best {view.best} ({view.direction})"] if view.best else []
    facts = [f"{name} {text}" for name, text in view.facts]
    return f"{view.name}: " + ", ".join([view.state, *best, *facts, *view.notes])


def _directories(folder: Path) -> list[Path]:
    """Run directories in a folder, or the folder itself; links are not followed."""
    found = []
    for place, folders, files in os.walk(folder):
        if _FILES[0] in files or _FILES[1] in files:
            found.append(Path(place))
            folders.clear()
        elif len(Path(place).relative_to(folder).parts) >= DEPTH:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
    return found


def _stamp(path: Path) -> tuple[Any, ...]:
    """What changes when somebody writes."""
    stamps = []
    for name in _FILES:
        try:
            status = (path / name).stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(stamps)


def _read(path: Path, name: str) -> View:
    database = path / "trials.sqlite"
    if not database.exists() or not database.stat().st_size:
        return View(name=name, direction=read_settings(path)["direction"])
    processes = read_processes(database)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = load(path)
    notes = tuple(_shown.plain(str(each.message), 5 * _TEXT) for each in caught)
    curve = _curve(result)
    values = [value for _, value in curve]
    state, params = _state(result, processes), []
    if _shown.has_best(result):
        params = list(result.flat(result.best).items())
    return View(
        name=name,
        state=state,
        best=repr(float(result.best_value)) if _shown.has_best(result) else "",
        direction=result.direction,
        facts=tuple(_facts(result, state, processes, read_budget(path))),
        params=tuple(
            (_shown.plain(key, _TEXT), _shown.short(value, _TEXT))
            for key, value in params[:_PARAMS]
        ),
        hidden=max(0, len(params) - _PARAMS),
        improvements=tuple(_improvements(result)),
        curve=curve,
        log=bool(values) and min(values) > 0 and max(values) > _DECADES * min(values),
        notes=notes,
    )


def _state(result: Result, processes: tuple[Process, ...]) -> str:
    if processes:
        return "running"
    if result.stop_reason == "unfinished":
        return "killed"
    return "interrupted" if result.stop_reason in _ENDED_EARLY else "finished"


def _facts(
    result: Result, state: str, processes: tuple[Process, ...], budget: Budget | None
) -> list[tuple[str, str]]:
    history, running = result.history, state == "running"
    rate = _rate(result) if running else format_rate(result.evaluations, result.seconds)
    facts = [("evaluations", f"{result.evaluations:,}, {rate}")]
    used = format_seconds(result.seconds)
    if budget is not None:
        share = budget.progress(
            result.evaluations, result.seconds, float(np.nansum(history["cost"]))
        )
        if running and budget.measured and share > 0:
            left = result.seconds * (1 - share) / share
            used += f", about {format_seconds(left)} left"
        facts.append(("budget", f"{share:.0%} of " * budget.measured + _given(budget)))
    facts.insert(1, ("time", used))
    if not running:
        reason = "a kill or a crash" if state == "killed" else result.stop_reason
        facts.append(("ended by", reason))
    elif len(history):
        heat = float(history["temperature"][-1])
        facts.append(("phase", f"{history['phase'][-1]}, temperature {heat:.3g}"))
    if processes:
        listed = ", ".join(f"{each.pid} on {_shown.plain(each.host, 40)}" for each in processes)
        under_way = sum(each.under_way for each in processes)
        facts.append(("processes", f"{len(processes)} ({_shown.plain(listed, _TEXT)})"))
        if under_way:
            facts.append(("under way", f"{under_way:,}"))
    workers = len(np.unique(history["worker"]))
    if workers > 1:
        facts.append(("workers", f"{workers}" + " in each" * (len(processes) > 1)))
    names, counts = np.unique(history["status"], return_counts=True)
    others = [f"{n:,} {s}" for s, n in zip(names, counts, strict=True) if s != "completed"]
    if others and len(history) == result.evaluations:
        facts.append(("not completed", ", ".join(others)))
    return facts


def _given(budget: Budget) -> str:
    runtime = [] if budget.runtime is None else [f"runtime {format_seconds(budget.runtime)}"]
    others = {name: value for name, value in vars(budget).items() if name != "runtime"}
    return ", ".join(runtime + [f"{n} {v:,}" for n, v in others.items() if v is not None])


def _rate(result: Result) -> str:
    """Evaluations a second, of the last minute."""
    history = result.history
    seconds, numbers = history["seconds"], history["evaluation"]
    if not len(seconds):
        return format_rate(0, 0)
    at = int(np.searchsorted(seconds, seconds[-1] - _RECENT_SECONDS)) - 1
    if at < 0:
        return format_rate(result.evaluations, result.seconds)
    return format_rate(result.evaluations - 1 - numbers[at], result.seconds - seconds[at])


def _improvements(result: Result) -> list[tuple[str, str, str]]:
    history = result.history
    rows = history.improvements[: -_IMPROVEMENTS - 1 : -1]
    columns = (history[name][rows].tolist() for name in ("evaluation", "seconds", "value"))
    return [
        (f"{number + 1:,}", format_seconds(seconds), f"{value:.6g}")
        for number, seconds, value in zip(*columns, strict=True)
    ]


def _curve(result: Result) -> tuple[tuple[int, float], ...]:
    """The steps of the best value so far; of very many only some."""
    best, numbers = result.history.best(), result.history["evaluation"]
    known = np.flatnonzero(np.isfinite(best))
    if not len(known):
        return ()
    best, numbers = best[known], numbers[known]
    rows = np.flatnonzero(np.diff(best, prepend=np.nan) != 0)
    if len(rows) > _POINTS:
        even = np.linspace(0, len(best) - 1, _POINTS)
        early = np.geomspace(1, len(best), _POINTS) - 1
        rows = np.unique(np.concatenate([even, early]).astype(np.int64))
    points = list(zip((numbers[rows] + 1).tolist(), best[rows].tolist(), strict=True))
    return (*points, (result.evaluations, float(best[-1])))
