"""Comparisons of runs: ranks, rank tests, values at equal time, shares of targets reached."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.extras import require

Line = dict[str, Any]

FLOOR = 1e-8
"""Distances to the optimum up to it are equal: COCO's last target, and near what float32 holds."""

LEVEL = 0.05
TARGETS = 50


def gap(value: float, optimum: float | None, floor: float = FLOOR) -> float:
    """Distance to the optimum, at least the floor; the value itself where no optimum is known.

    Example:
        >>> gap(3.5, 3.0), gap(3.0, 3.0), gap(-80.0, None)
        (0.5, 1e-08, -80.0)
    """
    return value if optimum is None else max(value - optimum, floor)


def ranks(runs: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
    """Mean rank of each rival over the seeds that all have; equal values share their ranks.

    Args:
        runs: values, the lower the better, by rival and seed.

    Returns:
        Ranks from 1, the best.

    Example:
        >>> ranks({"a": {0: 1.0, 1: 1.0}, "b": {0: 2.0, 1: 1.0}})
        {'a': 1.25, 'b': 1.75}
    """
    seeds = sorted(set.intersection(*(set(own) for own in runs.values())))
    values = np.array([[own[seed] for seed in seeds] for own in runs.values()])
    lower = (values[None] < values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)
    return dict(zip(runs, (lower + (equal + 1) / 2).mean(axis=1).tolist(), strict=True))


def verdict(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Who wins by the two-sided test of Mann and Whitney at 5 %.

    Four runs against four are the fewest that can differ so.

    Args:
        ours: values, the lower the better.
        theirs: likewise.

    Returns:
        `"win"`, `"tie"` or `"loss"`, as we see it.

    Example:
        >>> verdict([1, 2, 3, 4], [5, 6, 7, 8]), verdict([1, 2], [5, 6])
        ('win', 'tie')
    """
    if len(set(ours) | set(theirs)) == 1:
        return "tie"
    test = require("scipy.stats").mannwhitneyu(ours, theirs)
    if not test.pvalue < LEVEL:
        return "tie"
    return "win" if test.statistic < len(ours) * len(theirs) / 2 else "loss"


def value_at(line: Line, seconds: float, compile_seconds: float) -> float:
    """The best value of a run at a time, compilation included.

    Args:
        line: of `benchmarks.suite`.
        seconds: since the beginning.
        compile_seconds: how long the run compiled, or would have as the first of its form.

    Returns:
        The value; infinite if there was none yet.
    """
    times = [entry[1] + compile_seconds for entry in line["curve"]]
    place = bisect_right(times, seconds)
    return line["curve"][place - 1][2] if place else float("inf")


def value_after(line: Line, evaluations: float) -> float:
    """The best value of a run after so many evaluations; that of its first ones before these."""
    place = bisect_right([entry[0] for entry in line["curve"]], evaluations)
    return line["curve"][max(place - 1, 0)][2]


def targets(lines: Sequence[Line]) -> np.ndarray:
    """Distances to aim at on one problem, from its first values to the best of anybody.

    Args:
        lines: all runs on the problem.

    Returns:
        `TARGETS` distances in equal steps of their logarithms, falling.
    """
    first = np.median([gap(line["curve"][0][2], line["optimum"]) for line in lines])
    best = min(gap(line["best"], line["optimum"]) for line in lines)
    return np.geomspace(first, best, TARGETS + 1)[1:]


def reached(line: Line, aims: np.ndarray) -> np.ndarray:
    """After how many evaluations a run reached each target, infinite where it did not."""
    gaps = np.array([gap(entry[2], line["optimum"]) for entry in line["curve"]])
    counts = np.array([entry[0] for entry in line["curve"]], float)
    place = np.array([np.argmax(gaps <= aim * (1 + 1e-9)) for aim in aims])
    return np.where(gaps[place] <= aims * (1 + 1e-9), counts[place], np.inf)
