"""Putting a search with a Python objective together: asker, evaluator and loop."""

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple

import cloudpickle
import jax
import numpy as np

from jaxhop._asker import Asker
from jaxhop._asking import OneByOne
from jaxhop._asynchronous import run_trials
from jaxhop._budget import Budget
from jaxhop._call import Call
from jaxhop._history import Decode, History
from jaxhop._in_rungs import InRungs
from jaxhop._interrupt import GRACE_SECONDS
from jaxhop._reports import past_report
from jaxhop._rules import Ended, Rules, minimised
from jaxhop._session import Earlier, Found, Session
from jaxhop._trials import Report
from jaxhop.evaluators import Evaluator, Executors, Inline, Jobs, Vectorized, Workers
from jaxhop.space import Space, Store
from jaxhop.storage import Directory, Ledger


@dataclass(frozen=True, kw_only=True)
class PythonOptions:
    """What the user said about a Python objective, checked.

    Attributes:
        vectorized: whether it takes the stacked population.
        jobs: worker processes; None to evaluate in this process.
        executor: the user's own executor, or None.
        timeout: seconds a trial may take, or None.
        on_error: `"raise"`, `"skip"`, or the value of a trial that failed.
        duplicates: whether candidates are evaluated again.
        screen: whether to think about candidates; None to decide by what it costs.
        pruner: what ends trials early, or None.
        own: how many trials this process may begin, or None.
        count_in_flight: whether trials under way in other processes count as evaluations.
        grace: seconds that running trials have when the process is asked to go.
    """

    vectorized: bool = False
    jobs: Jobs | None = None
    executor: Executor | None = None
    timeout: float | None = None
    on_error: str | float = "raise"
    duplicates: bool = False
    screen: bool | None = None
    pruner: Any = None
    own: int | None = None
    count_in_flight: bool = True
    grace: float = GRACE_SECONDS


@dataclass
class Memory:
    """What a search knows when it goes on.

    Attributes:
        best: the best candidate so far, or None.
        best_value: its value.
    """

    best: Any = None
    best_value: float = math.nan
    _asker: OneByOne | None = None

    @property
    def fresh(self) -> bool:
        """Whether nothing was searched yet."""
        return self.best is None and self._asker is None

    def asker(
        self,
        space: Space,
        seed: int,
        evaluations: int | None,
        duplicates: bool = False,
        raw: bool = False,
    ) -> OneByOne:
        """What hands out candidates one by one.

        Args:
            space: the space; the same every time.
            seed: of everything random.
            evaluations: how many are to come, or None.
            duplicates: whether candidates are evaluated again.
            raw: whether points are evaluated rather than candidates; with a fidelity only.

        Returns:
            The same object every time.
        """
        if self._asker is None:
            if space.fidelity is None:
                self._asker = OneByOne(space, seed, duplicates)
            else:
                self._asker = InRungs(space, seed, duplicates, evaluations, raw)
        self._asker.expect(evaluations)
        return self._asker


class Continued(NamedTuple):
    """A space that was searched before.

    Attributes:
        space: the space.
        memory: what is known of it; taken further by a search.
        initial: whether the space's initial values are wanted if nothing is known.
    """

    space: Space
    memory: Memory
    initial: bool


def make_evaluator(fn: Callable[..., Any], slots: int, options: PythonOptions) -> Evaluator:
    """What evaluates the candidates.

    Args:
        fn: the objective.
        slots: candidates that a vectorized objective gets at once.
        options: what the user said.

    Returns:
        The evaluator; to be closed.
    """
    if options.vectorized:
        return Vectorized(fn, slots)
    call = Call(fn)
    if options.executor is not None:
        return Executors(
            cloudpickle.dumps(call), options.executor, timeout=options.timeout, call=call
        )
    if options.jobs is not None:
        return Workers(cloudpickle.dumps(call), options.jobs, timeout=options.timeout)
    return Inline(call)


def python_session(
    evaluator: Callable[[], Evaluator],
    space: Space,
    *,
    asker: Asker,
    beginning: Sequence[Any],
    observed: Sequence[tuple[Any, float]],
    budget: Budget,
    sign: int,
    options: PythonOptions,
    memory: Memory,
    notes: tuple[str, ...],
    directory: Directory | None = None,
) -> Session:
    """A search whose candidates are handed out and come back in any order.

    Args:
        evaluator: makes what evaluates them; closed at the end.
        space: the space.
        asker: where candidates come from.
        beginning: the candidates to begin with.
        observed: candidates that are not evaluated, with their values in the user's direction.
        budget: what ends the search.
        sign: 1 to minimise, -1 to maximise.
        options: what the user said.
        memory: what was found before.
        notes: what the user should know beforehand.
        directory: where trials are written down, or None.

    Returns:
        The session.
    """

    def start(
        stops: Callable[[], str], each: bool
    ) -> Generator[Earlier | Report | Ended, None, None]:
        rules = Rules(
            budget=budget,
            sign=sign,
            screen=options.screen,
            on_error=options.on_error,
            pruner=options.pruner,
            each=each,
            own=options.own,
            grace=options.grace,
        )
        with contextlib.ExitStack() as stack:
            made = stack.enter_context(contextlib.closing(evaluator()))
            stack.callback(asker.close)
            asker.prepare()  # while workers start
            book, past, first = None, None, []
            leader = asker.observe([(each, sign * value) for each, value in observed])
            if directory is not None:
                book = Ledger(
                    directory.trials,
                    asker.like,
                    asker.store,
                    evaluations=budget.evaluations,
                    count_in_flight=options.count_in_flight,
                    rounds=asker.rounds,
                    readable=asker.readable,
                    twice=options.duplicates,
                )
                stack.enter_context(contextlib.closing(book))
                past = book.past()
                values = minimised(past.status, past.value, sign)
                accepted = asker.recall(book.seat, past, values, book.memo)
                lost = (*book.notes, *asker.lost)
                yield Earlier(past_report(past, accepted, sign, book.seconds), lost)
                first = asker.reopen(book.own())
            known = {row.key for row in first}.union(past.keys if past is not None else ())
            first += asker.first(beginning, known)
            yield from run_trials(asker, first, made, rules, stops, book, past, leader)

    def finish(ended: Ended, history: History) -> Found:
        if ended.best is None and memory.best is not None:
            return Found(memory.best, memory.best_value, ended.stop_reason, ended.seconds)
        if ended.best is None:
            raise ValueError(_nothing(ended, history)) from ended.error
        best = to_python(tuple(jax.tree.leaves(ended.best.point)))
        value, reason, seconds = ended.best_value, ended.stop_reason, ended.seconds
        return Found(best, value, reason, seconds, trouble=ended.trouble)

    to_python_many = decoder(space, asker.store)

    def to_python(leaves: tuple[np.ndarray, ...]) -> Any:
        return to_python_many(tuple(np.asarray(leaf)[None] for leaf in leaves))[0]

    return Session(
        run=start,
        finish=finish,
        to_python=to_python,
        to_python_many=to_python_many,
        notes=notes,
    )


def decoder(space: Space, store: Store | None) -> Decode:
    """What makes candidates of stacked parameters, the last of which may be their fidelity.

    Args:
        space: the space.
        store: the values of parameters that live in Python, or None.

    Returns:
        The function.
    """
    structure = jax.tree.structure(space.shape)

    def decode(leaves: tuple[np.ndarray, ...]) -> list[Any]:
        points = jax.tree.unflatten(structure, leaves[: structure.num_leaves])
        candidates = space.to_python_many(points, store)
        if space.fidelity is None or len(leaves) == structure.num_leaves:
            return candidates
        number = int if space.fidelity.whole else float
        levels = [number(level) for level in leaves[-1]]
        return [space.at(each, level) for each, level in zip(candidates, levels, strict=True)]

    return decode


def _nothing(ended: Ended, history: History) -> str:
    """Why there is no best candidate."""
    counts = Counter(history["status"].tolist())
    shown = ", ".join(f"{number:,} {status}" for status, number in counts.most_common())
    advice = "Call `fn` with the initial values by hand."
    if not counts["completed"] and counts["timeout"]:
        advice = "Give more time, as `runtime` or `timeout`."
    elif ended.error is not None and not counts["completed"]:
        advice = f"The last error was {type(ended.error).__name__}: {ended.error}"
    elif counts["partial"] and not counts["failed"]:
        advice = "Give more time or evaluations, so that one candidate gets the whole fidelity."
    return (
        f"none of the {ended.evaluations:,} evaluations gave a finite value that could be the"
        f" best ({shown}). {advice}"
    )
