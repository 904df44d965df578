"""What one benchmark run found and cost, and how its improvements are recorded."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.instance import Instance
from benchmarks.measure import Meter

Curve = list[tuple[int, float, float]]
"""Improvements as (evaluations so far, seconds since the search began, best value so far)."""

CURVE_POINTS = 200

CPU_LIMIT = 600.0
"""Processor seconds after which a run is stopped."""


class Spent(BaseException):
    """Ends a search from inside its objective; rivals that catch exceptions let it pass."""


@dataclass(frozen=True)
class Run:
    """What one search found, and what it cost.

    Attributes:
        curve: how the best value fell, thinned to about 200 points.
        best: the best value; of a noisy problem that of the answer, judged afterwards.
        evaluations: how often the objective was evaluated.
        seconds: wall time of the search without compilation.
        cpu_seconds: processor time of the whole call, compilation included.
        peak_mb: most memory in the call above what the process held before.
        compile_seconds: wall time spent on compilation, 0 for rivals that do not compile.
        extra: figures that the problem adds about the best candidate.
        stopped: whether it was ended by `CPU_LIMIT`.
    """

    curve: Curve
    best: float
    evaluations: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    compile_seconds: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)
    stopped: bool = False


def thin(curve: Curve, points: int = CURVE_POINTS) -> Curve:
    """Keep the last improvement in each of `points` equal steps of log(evaluations).

    Args:
        curve: improvements in order.
        points: how many steps the curve is cut into.

    Returns:
        At most `points` + 1 of the entries; the last one always stays.
    """
    if not curve:
        return curve
    step = math.log(curve[-1][0] + 1) / points
    return list({int(math.log(entry[0]) / step): entry for entry in curve}.values())


class Recorder:
    """Counts the evaluations of a host objective, keeps its improvements and ends the search.

    Args:
        fn: takes a flat vector, returns a number.
        evaluations: how many there may be; a call beyond them raises `Spent`.
        seconds: how long the search may take, likewise.
    """

    def __init__(
        self,
        fn: Callable[[np.ndarray], float],
        evaluations: int | None = None,
        seconds: float | None = None,
    ) -> None:
        self._fn = fn
        self._limit = math.inf if evaluations is None else evaluations
        self._end = math.inf if seconds is None else seconds
        self._start, self._cpu = time.perf_counter(), time.process_time()
        self.curve: Curve = []
        self.best = math.inf
        self.best_point: np.ndarray | None = None
        self.evaluations = 0
        self.stopped = False

    def __call__(self, x: np.ndarray) -> float:
        """Evaluate one candidate."""
        if self.evaluations >= self._limit or self.seconds >= self._end:
            raise Spent
        if time.process_time() - self._cpu > CPU_LIMIT:
            self.stopped = True
            raise Spent
        value = self._fn(x)
        self.evaluations += 1
        if value < self.best:
            self.best, self.best_point = value, np.array(x)
            self.curve.append((self.evaluations, self.seconds, value))
        return value

    @property
    def left(self) -> float:
        """How many evaluations may still come."""
        return self._limit - self.evaluations

    @property
    def seconds(self) -> float:
        """Seconds since this recorder was made."""
        return time.perf_counter() - self._start

    def run(self, instance: Instance, meter: Meter) -> Run:
        """Sum the search up."""
        assert self.best_point is not None
        return Run(
            curve=thin(self.curve),
            best=instance.judge([self.best_point]) if instance.judge else self.best,
            evaluations=self.evaluations,
            seconds=meter.seconds,
            cpu_seconds=meter.cpu_seconds,
            peak_mb=meter.peak_mb,
            extra=instance.extra(instance.unflatten(self.best_point)),
            stopped=self.stopped,
        )
