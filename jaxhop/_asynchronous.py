"""The loop for Python objectives: candidates go out, outcomes come back in any order."""

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import numpy as np

from jaxhop._asking import Asker, Row, stacked
from jaxhop._budget import Budget
from jaxhop._pruning import Judge
from jaxhop._trials import STATUSES, Report
from jaxhop.evaluators import Evaluator, Outcome
from jaxhop.pruners import Pruner

_VISIT_SECONDS = 0.2  # a person sees five visits a second as live
_ALWAYS = 300  # a search of so few evaluations always thinks about each
_SHARE = 0.1  # a longer one while thinking costs at most that share of a trial
_THOUGHT = 0.01  # seconds that a thought is believed to take until one was measured
_BLOCK = 32  # candidates that are asked for at once, at most
_PER_TOLD = 64  # one more of them for so many evaluations
_RECENT = 8
_WITH_VALUE = tuple(map(STATUSES.index, ("completed", "partial", "failed")))
_CAUTION = 1.15  # a trial may take so much longer than the longest of the last ones


class Ended(NamedTuple):
    """How a run ended.

    Attributes:
        stop_reason: why.
        best: the row of the best candidate, or None.
        best_value: its value, in the user's direction.
        evaluations: how many trials ended.
        error: what the last trial that failed raised, or None.
        seconds: how long it took.
    """

    stop_reason: str
    best: Row | None
    best_value: float
    evaluations: int
    error: BaseException | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the loop goes by.

    Attributes:
        budget: what ends the search.
        sign: 1 to minimise, -1 to maximise.
        screen: whether to think about candidates; None to decide by what it costs.
        on_error: `"raise"`, `"skip"`, or the value of a trial that failed.
        pruner: what ends trials early, or None.
        each: whether a report is wanted for each trial.
    """

    budget: Budget
    sign: int
    screen: bool | None
    on_error: str | float
    pruner: Pruner | None
    each: bool


def run_trials(
    asker: Asker,
    first: Sequence[Row],
    evaluator: Evaluator,
    rules: Rules,
    asked: Callable[[], bool],
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[Report | Ended, None, None]:
    """Evaluates candidates until the budget is used up, or somebody asks to stop.

    Args:
        asker: where further candidates come from.
        first: the candidates to begin with.
        evaluator: what evaluates them.
        rules: what the loop goes by.
        asked: whether somebody asked to stop.
        clock: seconds from any start.

    Yields:
        A report a few times a second, or a trial if the rules say so, and how it ended at last.

    Raises:
        Exception: what the objective raised, if the rules say so.
    """
    trials = _Trials(asker, first, evaluator, rules, clock)
    while True:
        reason = trials.reason(asked())
        if not reason:
            trials.submit()
            reason = "exhausted" if trials.idle and trials.exhausted else ""
        if reason:
            trials.finish(reason)
        else:
            trials.wait()
        if (report := trials.report(bool(reason))) is not None:
            yield report
        if reason:
            yield trials.ended(reason)
            return


@dataclass(slots=True)
class _Columns:
    """The trials that ended since the last report."""

    rows: list[Row] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    duration: list[float] = field(default_factory=list)
    worker: list[int] = field(default_factory=list)
    improved: list[bool] = field(default_factory=list)


class _Trials:
    """What is under way, what came back, and what the search knows by now."""

    def __init__(
        self,
        asker: Asker,
        first: Sequence[Row],
        evaluator: Evaluator,
        rules: Rules,
        clock: Callable[[], float],
    ) -> None:
        self._asker, self._evaluator, self._rules, self._clock = asker, evaluator, rules, clock
        self._queue = deque(first)
        self._pending: dict[int, Row] = {}
        self._new = _Columns()
        self._told = 0  # rows of `_new` that the asker knows
        self._accepted: list[np.ndarray] = []
        self._submitted = self._finished = self._reported = 0
        self._best: Row | None = None
        self._lowest = math.inf
        target = rules.budget.target
        self._target = -math.inf if target is None else rules.sign * target
        self._durations: deque[float] = deque(maxlen=_RECENT)
        self._thoughts: deque[float] = deque(maxlen=_RECENT)
        self._judge = None if rules.pruner is None else Judge(rules.pruner, rules.sign)
        self._error: BaseException | None = None
        self.exhausted = False
        self._begin = self._visited = clock()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._pending

    def reason(self, asked: bool) -> str:
        """Why the search ends now; empty if it goes on."""
        budget = self._rules.budget
        if asked and self._submitted:
            return "interrupted"
        if self._lowest <= self._target:
            return "target"
        if self.idle and budget.evaluations is not None and self._finished >= budget.evaluations:
            return "evaluations"
        if budget.runtime is not None and self._submitted:
            elapsed = self._clock() - self._begin
            if elapsed >= budget.runtime or (self.idle and not self._fits(elapsed)):
                return "runtime"
        return ""

    def submit(self) -> None:
        """Hands out candidates as long as there is room for them."""
        rules, evaluator = self._rules, self._evaluator
        budget = rules.budget
        while len(self._pending) < evaluator.slots and not self.exhausted:
            if budget.evaluations is not None and self._submitted >= budget.evaluations:
                return
            if self._submitted and not self._fits(self._clock() - self._begin):
                return
            if not self._queue:
                if not self._ask(evaluator.slots - len(self._pending)):
                    return
                continue  # that took time
            row = self._queue.popleft()
            number, self._submitted = self._submitted, self._submitted + 1
            self._pending[number] = row
            candidate, row.candidate = row.candidate, None  # the objective may change its own
            if self._judge is not None:
                candidate = self._judge.task(candidate)
            evaluator.submit(number, candidate)

    def wait(self) -> None:
        """Takes in what ended, if anything does before the next visit is due."""
        seconds = _VISIT_SECONDS
        if self._rules.budget.runtime is not None:
            left = self._rules.budget.runtime - (self._clock() - self._begin)
            seconds = min(seconds, max(left, 0.0))
        if self._pending:
            self._record(self._evaluator.wait(seconds))

    def finish(self, reason: str) -> None:
        """Lets what is under way end, where there is time for it."""
        grace = math.inf if reason == "interrupted" else 0.0
        if self._pending:
            self._record(self._evaluator.stop(grace))
        for number in list(self._pending):  # stopped: neither finished nor lost to anybody's fault
            self._record([Outcome(number, "timeout", math.nan, (), math.nan, 0, None)])

    def report(self, last: bool) -> Report | None:
        """What ended since the last report, if it is time for one."""
        new, elapsed = self._new, self._clock() - self._begin
        due = last or self._rules.each or elapsed - self._visited >= _VISIT_SECONDS
        if not new.rows or not due:
            return None
        self._tell()
        self._visited = elapsed
        first, self._reported = self._reported, self._finished
        best = self._rules.sign * self._lowest if self._best is not None else math.nan
        report = Report(
            first=first,
            values=np.array(new.values),
            phase=np.array([row.phase for row in new.rows], np.int8),
            step=np.array([row.turn for row in new.rows], np.int64),
            seconds=np.array(new.seconds),
            temperature=np.array([row.temperature for row in new.rows], np.float32),
            accepted=np.concatenate(self._accepted),
            improved=np.array(new.improved),
            status=np.array(new.status, np.int8),
            duration=np.array(new.duration, np.float32),
            worker=np.array(new.worker, np.int16),
            kept=np.arange(len(new.rows)),
            points=tuple(jax.tree.leaves(stacked([row.point for row in new.rows]))),
            best_value=best,
            elapsed=elapsed,
            progress=self._progress(elapsed),
        )
        self._new, self._told, self._accepted = _Columns(), 0, []
        return report

    def ended(self, reason: str) -> Ended:
        """How it ended."""
        value = self._rules.sign * self._lowest
        seconds = self._clock() - self._begin
        return Ended(reason, self._best, value, self._finished, self._error, seconds)

    def _progress(self, elapsed: float) -> float:
        return self._rules.budget.progress(self._finished, elapsed)

    def _fits(self, elapsed: float) -> bool:
        """Whether a trial that begins now will end in time."""
        runtime = self._rules.budget.runtime
        if runtime is None:
            return True
        expected = _CAUTION * max(self._durations, default=0.0)
        return elapsed + expected < runtime

    def _ask(self, free: int) -> bool:
        """Fills the queue; False if nothing is left."""
        self._tell()
        elapsed = self._clock() - self._begin
        screen = self._screens()
        block = min(_BLOCK, 2 ** ((self._finished // _PER_TOLD).bit_length()) if not screen else 1)
        budget = self._rules.budget.evaluations
        if budget is not None:
            block = min(block, budget - self._submitted)
        wanted = max(1, free, block)
        rows = self._asker.more(self._progress(elapsed), wanted, screen)
        if screen:
            self._thoughts.append((self._clock() - self._begin - elapsed) / max(len(rows), 1))
        self._queue.extend(rows)
        self.exhausted = not rows
        return bool(rows)

    def _screens(self) -> bool:
        """Whether thinking about candidates is worth its time."""
        rules, budget = self._rules, self._rules.budget
        if rules.screen is not None:
            return rules.screen
        trial = float(np.mean(self._durations)) if self._durations else math.inf
        expected = math.inf if budget.evaluations is None else budget.evaluations
        if budget.runtime is not None:
            pace = trial / self._evaluator.slots
            expected = min(expected, budget.runtime / pace if pace else math.inf)
        if expected <= _ALWAYS:
            return True
        # The median, since now and then something is compiled.
        thought = float(np.median(self._thoughts)) if self._thoughts else _THOUGHT
        return thought <= _SHARE * trial

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        new, rules = self._new, self._rules
        for outcome in outcomes:
            row = self._pending.pop(outcome.number)
            value, status = outcome.value, STATUSES.index(outcome.status)
            if outcome.status == "failed":
                if rules.on_error == "raise":
                    assert outcome.error is not None
                    raise outcome.error
                self._error = outcome.error
                value = math.nan if isinstance(rules.on_error, str) else rules.on_error
            if not math.isnan(outcome.seconds):
                self._durations.append(outcome.seconds)
            if self._judge is not None:
                self._judge.tell(outcome.status, value, outcome.curve)
            inner = rules.sign * value
            improved = status == 0 and row.full and -math.inf < inner < self._lowest
            if improved:
                self._lowest, self._best = inner, row
            if status == 0 and not row.full:
                status = STATUSES.index("partial")
            new.rows.append(row)
            new.values.append(value)
            new.status.append(status)
            new.seconds.append(self._clock() - self._begin)
            new.duration.append(outcome.seconds)
            new.worker.append(outcome.worker)
            new.improved.append(improved)
            self._finished += 1
        if outcomes:
            self.exhausted = False  # they may show the algorithm where else to go

    def _tell(self) -> None:
        """Tells the asker of what it does not know yet."""
        new, first = self._new, self._told
        if len(new.rows) == first:
            return
        status, values = np.array(new.status[first:]), np.array(new.values[first:])
        told = np.isin(status, _WITH_VALUE)
        usable = np.where(told & np.isfinite(values), self._rules.sign * values, np.inf)
        self._accepted.append(self._asker.tell(new.rows[first:], usable))
        self._told = len(new.rows)
