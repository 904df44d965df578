"""What one benchmark run found and cost, and how its improvements are recorded."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.measure import Meter
from benchmarks.problems import Instance

Curve = list[tuple[int, float, float]]
"""Improvements as (evaluations so far, seconds since the search began, best value so far)."""

CURVE_POINTS = 200


@dataclass(frozen=True)
class Run:
    """What one search found, and what it cost.

    Attributes:
        curve: how the best value fell, thinned to about 200 points.
        best: the best value.
        evaluations: how often the objective was evaluated.
        seconds: wall time of the search without compilation.
        cpu_seconds: processor time of the whole call, compilation included.
        peak_mb: most memory in the call above what the process held before.
        compile_seconds: wall time spent on compilation, 0 for rivals that do not compile.
        extra: figures that the problem adds about the best candidate.
    """

    curve: Curve
    best: float
    evaluations: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    compile_seconds: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)


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
    """Counts the evaluations of a host objective and keeps its improvements.

    Args:
        fn: takes a flat vector, returns a number.
    """

    def __init__(self, fn: Callable[[np.ndarray], float]) -> None:
        self._fn = fn
        self._start = time.perf_counter()
        self.curve: Curve = []
        self.best = math.inf
        self.best_point: np.ndarray | None = None
        self.evaluations = 0

    def __call__(self, x: np.ndarray) -> float:
        """Evaluate one candidate."""
        value = self._fn(x)
        self.evaluations += 1
        if value < self.best:
            self.best, self.best_point = value, np.array(x)
            self.curve.append((self.evaluations, self.seconds, value))
        return value

    @property
    def seconds(self) -> float:
        """Seconds since this recorder was made."""
        return time.perf_counter() - self._start

    def run(self, instance: Instance, meter: Meter) -> Run:
        """Sum the search up."""
        assert self.best_point is not None
        return Run(
            curve=thin(self.curve),
            best=self.best,
            evaluations=self.evaluations,
            seconds=meter.seconds,
            cpu_seconds=meter.cpu_seconds,
            peak_mb=meter.peak_mb,
            extra=instance.extra(instance.unflatten(self.best_point)),
        )
