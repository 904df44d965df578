"""The one bridge between host and device: rounds go down, reports come up."""

import math
import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhop import _hosts
from jaxhop._budget import Budget
from jaxhop._carry import Carry, Controls, Records
from jaxhop._history import POINT_BYTES_KEPT
from jaxhop._rounds import Rounds
from jaxhop._trials import PHASES, Report

_VISIT_SECONDS = 0.2  # a person sees five visits a second as live
_GROWTH = 16  # a dispatch has at most so many times the steps of the one before
_CAUTION = 1.15  # a step may take so much longer than the slowest of the last ones


class Program(NamedTuple):
    """The compiled rounds, ready to run.

    Attributes:
        rounds: what was compiled.
        run: `run(carry, controls) -> (carry, records)`.
        carry: where to start.
        given: how many candidates the user and the space gave.
        several: whether several processes take part.
        place: puts an array where those of the carry are.
    """

    rounds: Rounds
    run: Callable[[Carry, Controls], tuple[Carry, Records]]
    carry: Carry
    given: int
    several: bool
    place: Callable[[Any], Any]


class Last(NamedTuple):
    """How a run ended.

    Attributes:
        stop_reason: why.
        carry: where it stood.
        seconds: how long it took.
    """

    stop_reason: str
    carry: Carry
    seconds: float


class Stand(NamedTuple):
    """Where a search stands at a visit, beside its carry.

    Attributes:
        evaluations: told so far.
        rounds: told so far.
        lowest: lowest value so far, as it is minimised.
        seconds: since the search began.
    """

    evaluations: int = 0
    rounds: int = 0
    lowest: float = math.inf
    seconds: float = 0.0


_BEGIN = Stand()


class _Decision(NamedTuple):
    """What the host decides at a visit; process 0's counts for all."""

    steps: float
    start: float
    rate: float
    left: float
    flush: float
    stop: float


_REASONS = (
    "",
    "runtime",
    "evaluations",
    "target",
    "patience",
    "interrupted",
    "preempted",
    "disk",
)
_FOREVER = 2**30


class _Pace:
    """How long steps and the ends of rounds take, for plans that hold."""

    def __init__(self) -> None:
        self._steps: list[float] = []
        self._end = 0.0
        self._last = 0

    def learn(self, seconds: float, steps: int, rounds: int) -> None:
        """Takes in one dispatch."""
        self._last = steps
        if not steps:
            return
        if rounds and rounds < steps and self._steps:
            self._end = max(0.5 * self._end, (seconds - steps * min(self._steps)) / rounds)
        if not rounds or rounds >= steps or not self._steps:
            self._steps = [*self._steps[-3:], seconds / steps]

    def steps(self, remaining: float) -> int:
        """How many steps to run next, if so many seconds remain; 0 if none would be in time."""
        if not self._steps:
            return 1
        slow = _CAUTION * max(self._steps)
        fit = (remaining - self._end) / slow if math.isfinite(remaining) else math.inf
        return int(min(max(1, _VISIT_SECONDS / slow), _GROWTH * max(self._last, 1), fit))


def run(
    program: Program,
    budget: Budget,
    sign: int,
    asked: Callable[[], str],
    stand: Stand = _BEGIN,
    save: Callable[[Carry, Stand, bool], None] = lambda carry, stand, last: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[Report | Last, None, None]:
    """Runs rounds until the budget is used up, or somebody asks to stop.

    Args:
        program: the compiled rounds.
        budget: what ends the search.
        sign: 1 to minimise, -1 to maximise.
        asked: why to stop, if somebody asked for it; looked at on every visit.
        stand: where the search stands that the program's carry comes from.
        save: `save(carry, stand, last)` is called when a visit has been reported, and before the
            last round is cut short: a search that goes on makes it whole.
        clock: seconds from any start.

    Yields:
        A report a visit, and how it ended at last.
    """
    carry, pace, estimated = program.carry, _Pace(), program.rounds.estimated
    # Values are float32: one of 0.1 reaches a target of 0.1, here as on the devices.
    target = -math.inf if budget.target is None else sign * float(np.float32(budget.target))
    evaluations, rounds, lowest, _ = stand
    reached, first = _reached(carry, lowest, target, estimated), not evaluations
    # The clock starts when all processes are there.
    _hosts.agree(_Decision(0, 0, 0, 0, 0, 0), program.several)
    begin = clock() - stand.seconds
    visited = begin + stand.seconds
    saved = True
    while True:
        elapsed = clock() - begin
        # Whoever asks before anything was evaluated still gets a result.
        why = "" if first else asked()
        if budget.patience is not None and int(carry.since) >= budget.patience:
            why = why or "patience"
        decision = _decide(budget, pace, evaluations, elapsed, reached, why)
        first = False
        decision = _hosts.agree(decision, program.several)
        if decision.stop and not saved:
            save(carry, Stand(evaluations, rounds, lowest, elapsed), True)
        if decision.stop and not (decision.flush and int(carry.done) > 0):
            yield Last(_REASONS[int(decision.stop)], carry, clock() - begin)
            return
        controls = Controls(
            steps=np.int32(decision.steps),
            left=np.int32(decision.left),
            start=np.float32(decision.start),
            rate=np.float32(decision.rate),
            target=np.float32(target),
            patience=np.int32(min(budget.patience or _FOREVER, _FOREVER)),
            flush=np.bool_(decision.flush),
        )
        started = clock()
        carry, records = program.run(carry, controls)
        records = jax.device_get(records)
        now = clock()
        pace.learn(now - started, int(records.steps), int(records.rounds))
        saved = bool(decision.stop)  # as it was before the round was cut short
        if not int(records.rounds):
            save(carry, Stand(evaluations, rounds, lowest, now - begin), False)
            continue
        own = float(jax.device_get(carry.state.best_value)) if estimated else None
        span = (visited - begin, now - begin)
        visited = now
        report = _report(
            program, carry.state, records, evaluations, rounds, lowest, own, span, budget, sign
        )
        evaluations = report.evaluations
        rounds += int(records.rounds)
        lowest = min(lowest, float(np.min(_inner(report.values, sign))))
        reached = (lowest if own is None else own) <= target
        yield report
        if not saved:
            save(carry, Stand(evaluations, rounds, lowest, now - begin), False)


def _reached(carry: Carry, lowest: float, target: float, estimated: bool) -> bool:
    """Whether a search that goes on has nothing left to reach."""
    return (float(jax.device_get(carry.state.best_value)) if estimated else lowest) <= target


def _decide(
    budget: Budget, pace: _Pace, evaluations: int, elapsed: float, reached: bool, asked: str
) -> _Decision:
    """What to do next, from what is known now."""
    remaining = math.inf if budget.runtime is None else budget.runtime - elapsed
    left = math.inf if budget.evaluations is None else budget.evaluations - evaluations
    steps = pace.steps(remaining)
    if asked:
        stop = asked
    elif reached:
        stop = "target"
    elif left <= 0:
        stop = "evaluations"
    elif steps < 1 or remaining <= 0:
        stop = "runtime"
    else:
        stop = ""
    start, rate = 0.0, 0.0
    if budget.evaluations is not None:
        rate = 1 / budget.evaluations
    if budget.runtime is not None and elapsed / budget.runtime >= evaluations * rate:
        share = elapsed / budget.runtime
        rate = share / evaluations if evaluations else 0.0  # the pace is not known at first
        start = share - evaluations * rate
    if budget.runtime is None and budget.evaluations is None:
        first, length = budget.cycle(evaluations)
        start, rate = -first / length, 1 / length
        left = first + length - evaluations
    return _Decision(
        steps=0 if stop else steps,
        start=start,
        rate=rate,
        left=min(left, _FOREVER),
        flush=bool(stop),
        stop=_REASONS.index(stop),
    )


def _report(
    program: Program,
    state: Any,
    records: Any,  # `Records`, of NumPy arrays
    first: int,
    first_round: int,
    lowest: float,
    own: float | None,
    span: tuple[float, float],
    budget: Budget,
    sign: int,
) -> Report:
    """What the host makes of the records of one dispatch."""
    rows, rounds = int(records.rows), int(records.rounds)
    widths = records.widths[:rounds]
    values = sign * records.values[:rows].astype(np.float64)
    so_far = np.minimum.accumulate(np.concatenate([[lowest], _inner(values, sign)]))
    phase = np.repeat(records.phases[:rounds], widths).astype(np.int8)
    phase[phase < 0] = PHASES.index("explore")  # an algorithm that says nothing of its phases
    phase[: max(0, program.given - first)] = PHASES.index("initial")
    if program.rounds.every_point:
        kept, points = np.arange(rows), records.points
    else:
        kept = records.trail_rows[: int(records.improvements)].astype(np.int64)
        points = records.trail
    improved = so_far[1:] < so_far[:-1]
    if not program.rounds.every_point:
        # The parameters of wide spaces come along for the best of a round only.
        improved &= np.isin(np.arange(rows), kept)
    if program.rounds.no_trail:
        # Points that no history has room for are in the result alone.
        kept = kept[: program.rounds.point_bytes <= POINT_BYTES_KEPT]
        best_point = jax.device_get(state.best) if len(kept) else ()
        points = jax.tree.map(lambda leaf: leaf[None], best_point)
    best = so_far[-1] if own is None else own
    return Report(
        first=first,
        values=values,
        phase=phase,
        step=np.repeat(first_round + np.arange(rounds), widths),
        seconds=span[0] + (span[1] - span[0]) * np.arange(1, rows + 1) / rows,
        temperature=np.repeat(records.temperatures[:rounds], widths),
        accepted=records.accepted[:rows],
        improved=improved,
        kept=kept,
        points=tuple(leaf[: len(kept)] for leaf in jax.tree.leaves(points)),
        best_value=sign * best if math.isfinite(best) else math.nan,
        elapsed=span[1],
        progress=budget.progress(first + rows, span[1]),
    )


def _inner(values: np.ndarray, sign: int) -> np.ndarray:
    """Values as they are minimised; those that cannot win are infinite."""
    return np.where(np.isfinite(values), sign * values, np.inf)
