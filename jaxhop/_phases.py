"""The phases of a search, summed up."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxhop._budget import format_seconds
from jaxhop._trials import PHASES, Report


class Phase(NamedTuple):
    """One line of the table of phases.

    Attributes:
        name: one of `PHASES`.
        evaluations: number of evaluations in the phase.
        best_value: best value of the phase; NaN if it has no finite one.
        seconds: time spent in the phase.
    """

    name: str
    evaluations: int
    best_value: float
    seconds: float


class PhaseTable:
    """Sums up a search by phase, report by report, so that it is exact for any length.

    Args:
        direction: `"min"` or `"max"`.

    Example:
        >>> table = PhaseTable("min")
        >>> table.add(Report(
        ...     first=0, values=np.array([2.0, np.nan]), phase=np.array([0, 1], np.int8),
        ...     step=np.arange(2), seconds=np.array([0.5, 0.75]), temperature=np.ones(2),
        ...     accepted=np.ones(2, bool), improved=np.array([True, False]),
        ...     best_value=2.0, elapsed=1.0, progress=0.5,
        ... ))
        >>> table.phases()[0], table.nan_share
        (Phase(name='initial', evaluations=1, best_value=2.0, seconds=0.5), 0.5)
    """

    def __init__(self, direction: str):
        self._better = np.fmin if direction == "min" else np.fmax
        self._evaluations = np.zeros(len(PHASES), np.int64)
        self._best = np.full(len(PHASES), np.nan)
        self._seconds = np.zeros(len(PHASES))
        self._clock = 0.0  # time of the row added last
        self._not_finite = 0

    def add(self, report: Report) -> None:
        """Adds the evaluations of a report.

        Args:
            report: the report that follows the one added last.
        """
        completed = report.status == 0
        finite = np.isfinite(report.values)
        self._not_finite += int(np.sum(completed & ~finite))
        values = np.where(completed & finite, report.values, np.nan)
        # A row took the time since the row before; what came in together took none but the first.
        taken = np.diff(report.seconds, prepend=self._clock)
        self._clock = float(report.seconds[-1]) if len(report.seconds) else self._clock
        size = len(PHASES)
        self._evaluations += np.bincount(report.phase, minlength=size)
        self._seconds += np.bincount(report.phase, weights=taken, minlength=size)
        self._better.at(self._best, report.phase, values)

    def recall(self, report: Report, state: dict[str, Any] | None) -> None:
        """Goes on from what was before.

        Args:
            report: the evaluations of before, or those of them that were kept.
            state: of a table that had all; None if the report has.
        """
        if state is None:
            self.add(report)
            return
        self._evaluations[:] = state["evaluations"]
        self._best[:] = [np.nan if best is None else best for best in state["best"]]
        self._seconds[:] = state["seconds"]
        self._clock, self._not_finite = state["clock"], state["not_finite"]

    @property
    def evaluations(self) -> int:
        """How many were added."""
        return int(self._evaluations.sum())

    @property
    def state(self) -> dict[str, Any]:
        """What it knows, as JSON takes it."""
        return {
            "evaluations": self._evaluations.tolist(),
            "best": [None if np.isnan(best) else best for best in self._best.tolist()],
            "seconds": self._seconds.tolist(),
            "clock": self._clock,
            "not_finite": self._not_finite,
        }

    @property
    def nan_share(self) -> float:
        """Share of the evaluations that were NaN or infinite."""
        return self._not_finite / max(1, self.evaluations)

    def phases(self) -> tuple[Phase, ...]:
        """The phases that had evaluations, in order.

        Returns:
            One `Phase` each.
        """
        columns = (self._evaluations.tolist(), self._best.tolist(), self._seconds.tolist())
        lines = (Phase(*line) for line in zip(PHASES, *columns, strict=True))
        return tuple(line for line in lines if line.evaluations)


def format_phases(phases: Sequence[Phase]) -> str:
    """Writes the table of phases.

    Args:
        phases: its lines.

    Returns:
        Text of one line a phase under a heading, without a newline at the end.

    Example:
        >>> print(format_phases([Phase("explore", 1000, 0.5, 2.0)]))
        phase      evaluations    best value          time
        explore          1,000           0.5           2 s
    """
    lines = [f"{'phase':8}{'evaluations':>14}{'best value':>14}{'time':>14}"]
    for name, evaluations, best_value, seconds in phases:
        time = format_seconds(seconds)
        lines.append(f"{name:8}{evaluations:>14,}{best_value:>14.6g}{time:>14}")
    return "\n".join(lines)
