"""The loop for Python objectives: candidates go out, outcomes come back in any order."""

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence

import numpy as np

from jaxhop._arrivals import Arrivals
from jaxhop._asker import Asker
from jaxhop._book import Book, Unwritten
from jaxhop._pruning import Judge
from jaxhop._row import Row
from jaxhop._rules import Ended, Rules, minimised
from jaxhop._trials import STATUSES, Report
from jaxhop.evaluators import Evaluator, Outcome
from jaxhop.storage import Past, StorageFull

_VISIT_SECONDS = 0.2  # a person sees five visits a second as live
_ALWAYS = 300  # a search of so few evaluations always thinks about each
_SHARE = 0.1  # a longer one while thinking costs at most that share of a trial
_THOUGHT = 0.01  # seconds that a thought is believed to take until one was measured
_BLOCK = 32  # candidates that are asked for at once, at most
_PER_TOLD = 64  # one more of them for so many evaluations
_RECENT = 8
_CAUTION = 1.15  # a trial may take so much longer than the longest of the last ones
_IDLE_SECONDS = 0.02  # between looks at what other processes do


def run_trials(
    asker: Asker,
    first: Sequence[Row],
    evaluator: Evaluator,
    rules: Rules,
    asked: Callable[[], str],
    book: Book | None = None,
    past: Past | None = None,
    leader: tuple[Row, float] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Generator[Report | Ended, None, None]:
    """Evaluates candidates until the budget is used up, or somebody asks to stop.

    Args:
        asker: where further candidates come from; it knows the past.
        first: the candidates to begin with.
        evaluator: what evaluates them.
        rules: what the loop goes by.
        asked: why to stop, if somebody asked for it; empty otherwise.
        book: where trials are written down. Default: nowhere.
        past: trials that ended before.
        leader: the best candidate known from elsewhere, and its value as it is minimised.
        clock: seconds from any start.

    Yields:
        A report a few times a second, or a trial if the rules say so, and how it ended at last.

    Raises:
        Exception: what the objective raised, if the rules say so.
    """
    trials = _Trials(asker, first, evaluator, rules, book or Unwritten(), past, leader, clock)
    while True:
        reason = trials.reason(asked())
        try:
            if not reason:
                trials.submit()
                reason = "exhausted" if trials.done and trials.exhausted else ""
            if reason:
                trials.finish(reason)
            else:
                trials.wait()
        except StorageFull as error:
            reason, trials.trouble = "disk", str(error)
        if (report := trials.report(bool(reason))) is not None:
            yield report
        if reason:
            yield trials.ended(reason)
            return


class _Trials:
    """What is under way, what came back, and what the search knows by now."""

    def __init__(
        self,
        asker: Asker,
        first: Sequence[Row],
        evaluator: Evaluator,
        rules: Rules,
        book: Book,
        past: Past | None,
        leader: tuple[Row, float] | None,
        clock: Callable[[], float],
    ) -> None:
        self._asker, self._evaluator, self._rules, self._clock = asker, evaluator, rules, clock
        self._book = book
        self._pending: dict[int, Row] = {}
        self._new = Arrivals()
        self._told = 0  # rows of `_new` that the asker knows
        self._accepted: list[np.ndarray] = []
        self._submitted = self._finished = self._reported = self._own = self._improved_at = 0
        self._best, self._lowest = (None, math.inf) if leader is None else leader
        self._cost = 0.0
        target = rules.budget.target
        self._target = -math.inf if target is None else rules.sign * target
        self._durations: deque[float] = deque(maxlen=_RECENT)
        self._thoughts: deque[float] = deque(maxlen=_RECENT)
        self._judge = None if rules.pruner is None else Judge(rules.pruner, rules.sign)
        self._error: BaseException | None = None
        self.exhausted = False
        self.trouble = ""
        self._begin = clock() - book.seconds
        self._visited = book.seconds
        if past is not None:
            self._recall(past)
        # What was under way is written down already.
        known = [row for row in first if row.id >= 0]
        rows, taken = book.claim([row for row in first if row.id < 0], book.seconds, asker.memo)
        asker.taken(taken)
        self._queue = deque([*known, *rows])

    @property
    def idle(self) -> bool:
        """Whether nothing is under way here."""
        return not self._pending

    @property
    def done(self) -> bool:
        """Whether nothing is under way anywhere."""
        return not self._pending and not self._book.others

    def reason(self, asked: str) -> str:
        """Why the search ends now; empty if it goes on."""
        budget, rules = self._rules.budget, self._rules
        if asked and self._submitted:
            return asked
        if self._lowest <= self._target:
            return "target"
        if self.idle and budget.evaluations is not None and self._finished >= budget.evaluations:
            return "evaluations"
        if self.idle and rules.own is not None and self._own >= rules.own:
            return "evaluations"
        if budget.cost is not None and self._cost >= budget.cost:
            return "cost"
        if budget.patience is not None and self._best is not None:
            if self._finished - self._improved_at >= budget.patience:
                return "patience"
        if budget.runtime is not None and self._submitted:
            elapsed = self._clock() - self._begin
            if elapsed >= budget.runtime or (self.idle and not self._fits(elapsed)):
                return "runtime"
        return ""

    def submit(self) -> None:
        """Hands out candidates as long as there is room for them."""
        evaluator = self._evaluator
        while len(self._pending) < evaluator.slots and not self.exhausted:
            if self._left(len(self._pending)) < 1:
                return
            if self._submitted and not self._fits(self._clock() - self._begin):
                return
            if not self._queue:
                if not self._ask(evaluator.slots - len(self._pending)):
                    return
                continue  # that took time
            row = self._queue.popleft()
            number, self._submitted = self._submitted, self._submitted + 1
            self._own += 1
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
        else:  # others are not done
            time.sleep(min(seconds, _IDLE_SECONDS))
            self._sync()
            if rows := self._book.orphans():
                self._queue.extend(self._asker.reopen(rows))
                self.exhausted = False

    def finish(self, reason: str) -> None:
        """Lets what is under way end, where there is time for it."""
        grace = {"interrupted": math.inf, "preempted": self._rules.grace}.get(reason, 0.0)
        if self._pending:
            self._record(self._evaluator.stop(grace))
        if self._book.lasting:  # what was stopped is evaluated when the search goes on
            self._pending.clear()
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
        accepted = np.concatenate(self._accepted)
        report = new.report(first, accepted, best, elapsed, self._progress(elapsed))
        self._new, self._told, self._accepted = Arrivals(), 0, []
        return report

    def ended(self, reason: str) -> Ended:
        """How it ended."""
        value = self._rules.sign * self._lowest
        seconds = self._clock() - self._begin
        return Ended(reason, self._best, value, self._finished, self._error, seconds, self.trouble)

    def _progress(self, elapsed: float) -> float:
        return self._rules.budget.progress(self._finished, elapsed, self._cost)

    def _left(self, taken: int) -> float:
        """How many more trials may begin, if so many of this process are taken."""
        left = math.inf if self._rules.own is None else self._rules.own - self._own
        if self._rules.budget.evaluations is not None:
            here = self._rules.budget.evaluations - self._book.ended - self._book.others
            left = min(left, here - taken)
        return left

    def _recall(self, past: Past) -> None:
        """Takes in what ended before."""
        self._submitted = self._finished = self._reported = len(past.value)
        self._cost = sum(past.cost[~np.isnan(past.cost)].tolist())  # one by one, as they came
        recent = past.duration[-_RECENT:]
        self._durations.extend(recent[np.isfinite(recent)].tolist())
        best = np.where(np.isfinite(past.value), self._rules.sign * past.value, np.inf)
        best[(past.status != 0) | ~past.full] = np.inf
        if len(best) and best.min() < self._lowest:
            at = int(best.argmin())
            self._best, self._lowest = past.row(at), float(best[at])
            self._improved_at = at + 1
        for at in range(len(past.value) if self._judge is not None else 0):
            assert self._judge is not None
            self._judge.tell(STATUSES[past.status[at]], float(past.value[at]), past.curves[at])

    def _sync(self) -> None:
        """Takes in what other processes did."""
        news = self._book.news()
        if news is not None:
            self._asker.taken(news.keys)
            for at in range(len(news.value)):
                self._add(news.row(at), news.outcome(at), float(news.value[at]))
            self.exhausted = False

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
        self._sync()
        if rows := self._book.orphans():
            self._queue.extend(self._asker.reopen(rows))
            return True
        left = self._left(len(self._pending))
        if left < 1:
            return False
        elapsed = self._clock() - self._begin
        screen = self._screens()
        block = min(_BLOCK, 2 ** ((self._finished // _PER_TOLD).bit_length()) if not screen else 1)
        wanted = max(1, free, int(min(block, left)))
        rows = self._asker.more(self._progress(elapsed), wanted, screen)
        if screen:
            self._thoughts.append((self._clock() - self._begin - elapsed) / max(len(rows), 1))
        self.exhausted = not rows
        if rows:
            rows, taken = self._book.claim(rows, elapsed, self._asker.memo)
            self._asker.taken(taken)
            self._queue.extend(rows)
        return bool(self._queue)

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
        ends, raised = [], None
        lowest = self._lowest
        for outcome in outcomes:
            row = self._pending.pop(outcome.number)
            try:
                value = self._value(outcome)
            except Exception as error:  # after the others are written down
                raised = raised or error
                continue
            inner, status = self._rules.sign * value, outcome.status
            if status == "completed" and not row.full:
                status = "partial"
            best = status == "completed" and -math.inf < inner < lowest
            lowest = inner if best else lowest
            ends.append((row, outcome._replace(value=value), status, best))
            if not math.isnan(outcome.seconds):
                self._durations.append(outcome.seconds)
        try:
            counts = self._book.finish(ends, self._clock() - self._begin) if ends else []
        except StorageFull as error:  # they are in the result all the same
            counts, self.trouble = [True] * len(ends), str(error)
        for (row, outcome, status, _), counted in zip(ends, counts, strict=True):
            if counted:
                self._add(row, outcome._replace(status=status), outcome.value)
        if ends:
            self.exhausted = False  # they may show the algorithm where else to go
        if raised is not None:
            raise raised
        if self.trouble:
            raise StorageFull(self.trouble)

    def _value(self, outcome: Outcome) -> float:
        """The value that counts.

        Raises:
            Exception: what the objective raised, if the rules say so.
        """
        if outcome.status != "failed":
            if self._rules.budget.cost is not None and math.isnan(outcome.cost):
                if outcome.status == "completed":
                    raise TypeError(
                        f"`cost={self._rules.budget.cost!r}`: the objective must say what a trial"
                        ' costs. Return `{"value": value, "cost": cost}`.'
                    )
            return outcome.value
        if self._rules.on_error == "raise":
            assert outcome.error is not None
            raise outcome.error
        self._error = outcome.error
        return math.nan if isinstance(self._rules.on_error, str) else self._rules.on_error

    def _add(self, row: Row, outcome: Outcome, value: float) -> None:
        """Adds a trial that ended to what is known."""
        if self._judge is not None:
            self._judge.tell(outcome.status, value, outcome.curve)
        inner = self._rules.sign * value
        improved = outcome.status == "completed" and row.full and -math.inf < inner < self._lowest
        self._finished += 1
        if improved:
            self._lowest, self._best, self._improved_at = inner, row, self._finished
        if not math.isnan(outcome.cost):
            self._cost += outcome.cost
        self._new.add(row, outcome, value, self._clock() - self._begin, improved)

    def _tell(self) -> None:
        """Tells the asker of what it does not know yet."""
        new, first = self._new, self._told
        if len(new.rows) == first:
            return
        usable = minimised(
            np.array(new.status[first:]), np.array(new.values[first:]), self._rules.sign
        )
        self._accepted.append(self._asker.tell(new.rows[first:], usable))
        self._told = len(new.rows)
