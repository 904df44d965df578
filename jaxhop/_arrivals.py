"""Trials of a Python objective that ended since the last report."""

from dataclasses import dataclass, field

import jax
import numpy as np

from jaxhop._asking import stacked
from jaxhop._row import Row
from jaxhop._trials import STATUSES, Report
from jaxhop.evaluators import Outcome


@dataclass(slots=True)
class Arrivals:
    """One column for each thing that is known of a trial, and a row for each trial.

    Attributes:
        rows: what was evaluated.
        values: in the user's direction.
        status: index into `STATUSES`.
        seconds: since the search began.
        duration: seconds spent in the objective.
        worker: which worker evaluated it.
        cost: in units of the user's own.
        improved: whether it was the best so far.
    """

    rows: list[Row] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    duration: list[float] = field(default_factory=list)
    worker: list[int] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    improved: list[bool] = field(default_factory=list)

    def add(
        self, row: Row, outcome: Outcome, value: float, seconds: float, improved: bool
    ) -> None:
        """Adds a trial.

        Args:
            row: what was evaluated.
            outcome: how it ended.
            value: that counts.
            seconds: since the search began.
            improved: whether it is the best so far.
        """
        self.rows.append(row)
        self.values.append(value)
        self.status.append(STATUSES.index(outcome.status))
        self.seconds.append(seconds)
        self.duration.append(outcome.seconds)
        self.worker.append(outcome.worker)
        self.cost.append(outcome.cost)
        self.improved.append(improved)

    def report(
        self, first: int, accepted: np.ndarray, best_value: float, elapsed: float, progress: float
    ) -> Report:
        """All of them as a report.

        Args:
            first: number of the first one.
            accepted: bool[trials], of the algorithm.
            best_value: of the search so far.
            elapsed: seconds since it began.
            progress: used share of the budget.

        Returns:
            The report.
        """
        return Report(
            first=first,
            values=np.array(self.values),
            phase=np.array([row.phase for row in self.rows], np.int8),
            step=np.array([row.turn for row in self.rows], np.int64),
            seconds=np.array(self.seconds),
            temperature=np.array([row.temperature for row in self.rows], np.float32),
            accepted=accepted,
            improved=np.array(self.improved),
            status=np.array(self.status, np.int8),
            duration=np.array(self.duration, np.float32),
            worker=np.array(self.worker, np.int16),
            cost=np.array(self.cost),
            kept=np.arange(len(self.rows)),
            points=tuple(jax.tree.leaves(stacked([row.point for row in self.rows]))),
            best_value=best_value,
            elapsed=elapsed,
            progress=progress,
        )
