"""Results that are made up, the same for ever, so that their pictures are."""

import functools
from typing import Any

import numpy as np

import jaxhop
from jaxhop._history import History
from jaxhop._phases import PhaseTable
from jaxhop._result import Result
from jaxhop._trials import Report

SPACE = {
    "opt": jaxhop.choice(
        {"kind": "sgd", "lr": jaxhop.float(1e-5, 1e-1, log=True), "momentum": jaxhop.float(0, 1)},
        {"kind": "adam", "lr": jaxhop.float(1e-5, 1e-1, log=True)},
    ),
    "layers": jaxhop.int(1, 8),
    "units": jaxhop.int(16, 1024, power_of=2),
    "activation": jaxhop.choice("relu", "tanh", "gelu"),
    "bias": jaxhop.float(-1, 1, shape=(3,)),
    "idle": jaxhop.float(0, 1),
}


def to_python(point: tuple[np.ndarray, ...]) -> dict[str, Any]:
    numbers = point[0]
    option = {"kind": "adam", "lr": 10.0 ** float(numbers[0])}
    if numbers[1] < 0.5:
        option = {**option, "kind": "sgd", "momentum": float(numbers[2])}
    return {
        "opt": option,
        "layers": int(numbers[3]),
        "units": 2 ** int(numbers[4]),
        "activation": ("relu", "tanh", "gelu")[int(numbers[5])],
        "bias": numbers[6:9].astype(np.float32),
        "idle": float(numbers[9]),
    }


@functools.cache
def made(
    n: int = 200,
    direction: str = "min",
    failed: float = 0.05,
    noise: float = 0.02,
    workers: int = 4,
    confirmed: int = 0,
    timed: bool = True,
    seed: int = 0,
) -> Result:
    """The result of a search for good settings, that narrows down over time.

    Args:
        n: number of trials.
        direction: `"min"` or `"max"`.
        failed: share of the trials that have no value.
        noise: of the values.
        workers: how many.
        confirmed: how many of the last trials belong to phase confirm.
        timed: whether durations are known.
        seed: of all that is random.
    """
    rng = np.random.default_rng(seed)
    progress = np.linspace(0, 1, n)
    uniform = rng.random((n, 10))
    centre = np.array([0.5, 0.9, 0.5, 0.4, 0.7, 0.5, 0.5, 0.6, 0.4, 0.5])
    width = np.where(progress < 0.25, 1.0, 0.9 * 0.02**progress)[:, None]
    mixed = np.clip(centre * (1 - width) + uniform * width, 0, 0.999)
    low = np.array([-5.0, 0, 0, 1, 4, 0, -1, -1, -1, 0])
    high = np.array([-1.0, 1, 1, 9, 11, 3, 1, 1, 1, 1])
    numbers = low + mixed * (high - low)
    numbers[:, 9] = uniform[:, 9]
    loss = (
        0.05 + 0.3 * (numbers[:, 0] + 3) ** 2 + 0.02 * (numbers[:, 3] - 4) ** 2
        + np.where(numbers[:, 1] < 0.5, 0.2 + 0.5 * (numbers[:, 2] - 0.7) ** 2, 0)
        + 0.1 * (numbers[:, 5] >= 2) + noise * rng.normal(size=n) + noise
    )  # fmt: skip
    values = np.abs(loss) if direction == "min" else 1 - loss / 4
    bad = rng.random(n) < failed
    values = np.where(bad, np.nan, values)
    status = np.where(bad & (rng.random(n) < 0.5), 4, 0).astype(np.int8)
    pruned = ~bad & (rng.random(n) < failed)
    status = np.where(pruned, 1, status).astype(np.int8)
    worker = (np.arange(n) % workers).astype(np.int16)
    duration = np.where(pruned, 0.3, 1.0) * rng.uniform(0.5, 1.5, n)
    ends = np.zeros(n)
    for one in range(workers):
        ends[worker == one] = np.cumsum(duration[worker == one] * 1.1)
    order = np.argsort(ends, kind="stable")
    phase = np.where(progress < 0.25, 1, 2).astype(np.int8)
    phase[0] = 0
    if confirmed:
        phase[-confirmed:] = 3
    values, numbers, status = values[order], numbers[order], status[order]
    counted = np.where(status == 0, values, np.nan)
    better = np.fmin if direction == "min" else np.fmax
    best = better.accumulate(counted)
    improved = ~np.isnan(best) & (np.diff(best, prepend=np.nan) != 0)
    report = Report(
        first=0, values=values, phase=phase, step=np.arange(n) // workers,
        seconds=ends[order],
        temperature=np.float32(1e-3) ** np.maximum(0, progress - 0.25).astype(np.float32),
        accepted=np.ones(n, bool), improved=improved, status=status,
        duration=(duration[order] if timed else np.full(n, np.nan)).astype(np.float32),
        worker=worker[order], kept=np.arange(n), points=(numbers,),
        best_value=float(best[-1]), elapsed=float(ends.max()), progress=1.0,
    )  # fmt: skip
    history, table = History(direction, to_python), PhaseTable(direction)
    history.append(report)
    table.add(report)
    space = jaxhop.Space(SPACE)
    row = int(np.flatnonzero(improved)[-1])
    return Result(
        best=to_python((numbers[row],)), best_value=float(best[-1]), history=history,
        stop_reason="evaluations", evaluations=n, seconds=float(ends.max()), compile_seconds=0.5,
        nan_share=table.nan_share, phases=table.phases(), direction=direction, seed=seed,
        flat=space.flat, space=space, finished=1.7e9,
    )  # fmt: skip


def toured(n: int = 60) -> tuple[Result, np.ndarray]:
    """A tour around n points, and the points."""
    rng = np.random.default_rng(0)
    points = rng.random((n, 2))
    angle = np.arctan2(*(points - 0.5).T)
    order = np.argsort(angle)
    space = jaxhop.Space({"order": jaxhop.permutation(n)})
    report = Report(
        first=0, values=np.array([5.25]), phase=np.ones(1, np.int8), step=np.zeros(1, np.int64),
        seconds=np.ones(1), temperature=np.ones(1, np.float32), accepted=np.ones(1, bool),
        improved=np.ones(1, bool), kept=np.arange(1), points=(order[None],),
        best_value=5.25, elapsed=1.0, progress=1.0,
    )  # fmt: skip
    history = History("min", lambda point: {"order": point[0]})
    history.append(report)
    result = Result(
        best={"order": order}, best_value=5.25, history=history, stop_reason="evaluations",
        evaluations=1, seconds=1.0, compile_seconds=0.0, nan_share=0.0, phases=(),
        direction="min", seed=0, flat=space.flat, space=space, finished=1.7e9,
    )  # fmt: skip
    return result, points
