"""The nouns that the search hands to its host side: phases, the start and the reports."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhop._budget import Budget

if TYPE_CHECKING:
    from jaxhop.space import Space

PHASES = ("initial", "explore", "anneal", "confirm")
"""Names of the phases; a report holds positions in this tuple.

initial: points the user gave, and the middle of the space; explore: candidates from anywhere;
anneal: moves away from good candidates; confirm: finalists of a noisy objective once more.
"""

STATUSES = ("completed", "pruned", "timeout", "lost", "failed", "partial")
"""How a trial can end; a report holds positions in this tuple.

completed: with a value, be it NaN; pruned: given up early; timeout: took too long; lost: its
process died twice; failed: the objective raised an error; partial: with a value of a low fidelity,
which cannot be the best.
"""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What is known before the first evaluation.

    Attributes:
        budget: what will end the search.
        direction: `"min"` or `"max"`.
        seed: the seed of the search.
        size: number of coordinates of the space.
        space: the space.
        decode: from `points` of a report, or some rows of these, to a list of candidates.
        goes_on: whether the search goes on with what its directory holds. Default False.
        notes: what the user should know, a line each.

    Example:
        >>> import jaxhop
        >>> class Greeting:
        ...     def on_start(self, info):
        ...         print(f"{info.size} coordinates, {info.direction}, seed {info.seed}")
        >>> result = jaxhop.search(
        ...     lambda params: params["x"] ** 2, {"x": jaxhop.float(-1, 1)}, evaluations=4,
        ...     backend="python", callbacks=[Greeting()],
        ... )
        1 coordinates, min, seed 0
    """

    budget: Budget
    direction: str
    seed: int
    size: int
    space: "Space"
    decode: Callable[[tuple[np.ndarray, ...]], list[Any]]
    goes_on: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What one visit of the host hands out: the n evaluations since the visit before.

    Everything is numpy. Row i is evaluation `first + i`.

    Attributes:
        first: number of evaluations before these.
        values: float64[n], as the objective gave them, NaN and infinities included.
        phase: int8[n], positions in `PHASES`.
        step: int64[n], number of the round.
        seconds: float64[n], since the clock started.
        temperature: float32[n], in (0, 1], with which the candidate was made.
        accepted: bool[n], whether the search went on from the candidate.
        improved: bool[n], whether the candidate was the best so far when it was evaluated.
        status: int8[n], positions in `STATUSES`. Default: all completed.
        duration: float32[n], seconds that the objective took; NaN where nobody measured.
        worker: int16[n], which worker evaluated it.
        cost: float64[n], what the objective says that it cost; NaN where it says nothing.
        kept: int64[m], ascending: rows whose parameters came along (the improvements; all rows
            of small spaces).
        points: parameters of the kept rows: one array [m, ...] per column of the space.
        best_value: best value so far; NaN as long as there is none.
        elapsed: seconds since the clock started.
        progress: share of the budget that is used, in [0, 1].

    Example:
        >>> report = Report(
        ...     first=0, values=np.array([2.0, 1.0]), phase=np.zeros(2, np.int8),
        ...     step=np.zeros(2, np.int64), seconds=np.array([0.1, 0.1]),
        ...     temperature=np.ones(2, np.float32), accepted=np.ones(2, bool),
        ...     improved=np.ones(2, bool), best_value=1.0, elapsed=0.2, progress=0.25,
        ... )
        >>> report.evaluations, round(report.remaining, 6)
        (2, 0.6)
    """

    first: int
    values: np.ndarray
    phase: np.ndarray
    step: np.ndarray
    seconds: np.ndarray
    temperature: np.ndarray
    accepted: np.ndarray
    improved: np.ndarray
    status: np.ndarray = field(default_factory=lambda: np.empty(0, np.int8))
    duration: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    worker: np.ndarray = field(default_factory=lambda: np.empty(0, np.int16))
    cost: np.ndarray = field(default_factory=lambda: np.empty(0, np.float64))
    kept: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    points: tuple[np.ndarray, ...] = ()
    best_value: float
    elapsed: float
    progress: float

    def __post_init__(self) -> None:
        rows = len(self.values)
        defaults = {"status": 0, "duration": np.nan, "worker": 0, "cost": np.nan}
        for name, default in defaults.items():
            column = getattr(self, name)
            if not len(column):
                object.__setattr__(self, name, np.full(rows, default, column.dtype))

    @property
    def evaluations(self) -> int:
        """Number of evaluations after these."""
        return self.first + len(self.values)

    @property
    def remaining(self) -> float:
        """Seconds left at the present pace; infinite as long as there is no progress."""
        if self.progress <= 0:
            return math.inf
        return self.elapsed * (1 - self.progress) / self.progress


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One evaluation, as callbacks get it.

    Attributes:
        number: how many evaluations came before it.
        params: the candidate, in the user's structure.
        value: as the objective gave it; NaN if it has none.
        status: one of `STATUSES`.
        phase: one of `PHASES`.
        seconds: since the clock started, when it was finished.
        duration: seconds that the objective took; NaN where nobody measured.
        worker: which worker evaluated it.
        improved: whether it was the best so far.
        best_value: best value so far, this one included; NaN as long as there is none.

    Example:
        >>> Trial(
        ...     number=0, params={"x": 0.5}, value=2.0, status="completed", phase="initial",
        ...     seconds=0.1, duration=0.1, worker=0, improved=True, best_value=2.0,
        ... ).params
        {'x': 0.5}
    """

    number: int
    params: Any
    value: float
    status: str
    phase: str
    seconds: float
    duration: float
    worker: int
    improved: bool
    best_value: float


def trials(report: Report, candidates: Sequence[Any], before: float) -> Iterator[Trial]:
    """The evaluations of a report one by one, those whose parameters came along.

    Args:
        report: the report.
        candidates: the candidates of its kept rows.
        before: best value before the report; NaN as long as there was none.

    Yields:
        One trial for each kept row.
    """
    best = np.full(len(report.values), before)
    for row in np.flatnonzero(report.improved):
        best[row:] = report.values[row]
    for row, params in zip(report.kept.tolist(), candidates, strict=True):
        yield Trial(
            number=report.first + row,
            params=params,
            value=float(report.values[row]),
            status=STATUSES[report.status[row]],
            phase=PHASES[report.phase[row]],
            seconds=float(report.seconds[row]),
            duration=float(report.duration[row]),
            worker=int(report.worker[row]),
            improved=bool(report.improved[row]),
            best_value=float(best[row]),
        )


def some_trials(
    report: Report,
    rows: np.ndarray,
    decode: Callable[[tuple[np.ndarray, ...]], list[Any]],
    before: float,
) -> Iterator[Trial]:
    """Some of the evaluations whose parameters came along with a report.

    Args:
        report: the report.
        rows: int64[m], ascending positions among its kept rows.
        decode: from points to candidates.
        before: best value before the report; NaN as long as there was none.

    Returns:
        One trial for each of these rows.
    """
    points = tuple(column[rows] for column in report.points)
    chosen = replace(report, kept=report.kept[rows], points=points)
    return trials(chosen, decode(points) if len(rows) else [], before)
