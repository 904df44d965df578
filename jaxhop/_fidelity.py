"""Asynchronous successive halving: many candidates at low fidelity, few at full."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhop._trials import PHASES
from jaxhop.algorithms._moves import rows
from jaxhop.algorithms._sequential import Proposals, Sequential
from jaxhop.space._fidelity import Fidelity

_KEPT = 256  # best candidates of a rung that may still be promoted
_ENOUGH = 8  # values of a rung from which proposals are made
_HALF = 0.5  # of the budget, after which something must get to full fidelity
_NEW = -1

Points = tuple[np.ndarray, ...]


class Rung(NamedTuple):
    """What is known of one fidelity.

    Attributes:
        told: how many candidates were evaluated with it.
        ids: int64[n], the best of these, the best first; those that failed are not among them.
        values: float64[n].
        promoted: bool[n], whether it was evaluated with a higher fidelity, too.
        points: stacked.
    """

    told: np.int64
    ids: np.ndarray
    values: np.ndarray
    promoted: np.ndarray
    points: Points


class HalvingState(NamedTuple):
    """What was told.

    Attributes:
        rungs: one for each fidelity, the lowest first.
        searches: the states of the algorithm, each told the values of one rung.
    """

    rungs: tuple[Rung, ...]
    searches: tuple[Any, ...]


class Ask(NamedTuple):
    """Candidates to evaluate next, and with which fidelity.

    Attributes:
        proposals: the candidates, the most wanted first. Those to promote are the same points
            once more; their rung makes them no duplicates.
        rungs: int64[m], positions in `Halving.fidelities`.
        ids: int64[m], what those to promote were called when they were told; -1 for new
            candidates, which whoever evaluates them gives a number of its own.
    """

    proposals: Proposals
    rungs: np.ndarray
    ids: np.ndarray


class Halving(NamedTuple):
    """A `Sequential` algorithm over several fidelities.

    Attributes:
        fidelities: the fidelity of each rung, the lowest first; only values of the last one make
            a candidate the best.
        init: `init() -> state`.
        first: `first(evaluations) -> rung` of the candidates that a search begins with, given
            how many evaluations it has, or None.
        ask: `ask(state, key, progress, n, screen, running) -> Ask`, changes nothing. `running`
            are the pairs (id, rung) under way.
        tell: `tell(state, points, rungs, ids, values) -> (state, accepted)`, in any order; values
            are minimised, +inf where there is none.
    """

    fidelities: tuple[float, ...]
    init: Callable[[], HalvingState]
    first: Callable[[int | None], int]
    ask: Callable[..., Ask]
    tell: Callable[..., tuple[HalvingState, np.ndarray]]


def halving(sequential: Sequential, fidelity: Fidelity) -> Halving:
    """Successive halving around an algorithm that knows no fidelities.

    Whenever a finished candidate is among the best share 1 / eta of its rung, it is evaluated
    with the next fidelity before anything new is (ASHA, Li et al. 2020); but no more than that
    share of a rung ever is, so that all rungs cost about the same, however fast the search
    improves. New candidates begin at the lowest rung. They are proposed from the values of the
    highest rung that has enough of them (BOHB, Falkner et al. 2018) and no longer explores. From
    half of the budget on, if nothing has full fidelity, the best candidate of the highest rung
    gets it at once.

    Args:
        sequential: proposes candidates. It must take the length of the search from `progress`,
            not from a number of evaluations, since each rung sees a part of these.
        fidelity: the rungs.

    Returns:
        The algorithm.

    Example:
        >>> from jaxhop.algorithms._sequential import sequential
        >>> from jaxhop.space import Float
        >>> asynchronous = halving(sequential({"x": Float(0, 1)}), Fidelity(1, 9))
        >>> asynchronous.fidelities
        (1, 3, 9)
    """
    top = len(fidelity.rungs) - 1

    def init() -> HalvingState:
        none = np.empty(0)
        rung = Rung(np.int64(0), none.astype(np.int64), none, none.astype(bool), ())
        return HalvingState((rung,) * (top + 1), tuple(sequential.init() for _ in fidelity.rungs))

    def first(evaluations: int | None) -> int:
        # So few evaluations leave no time to climb.
        return top if evaluations is not None and evaluations <= 2 * (top + 1) else 0

    def ask(
        state: HalvingState,
        key: Any,
        progress: Any,
        n: int,
        screen: bool = False,
        running: Sequence[tuple[int, int]] = (),
    ) -> Ask:
        new = _proposed(sequential, state, (key, progress, n, screen))
        rows = _promotions(state.rungs, fidelity.eta, progress >= _HALF, running)[:n]
        number = len(new.phase)
        into = np.array([target for _, _, target in rows], np.int64)
        ids = np.array([state.rungs[rung].ids[row] for rung, row, _ in rows], np.int64)
        points = [tuple(x[row] for x in state.rungs[rung].points) for rung, row, _ in rows]
        return Ask(
            _in_front(points, new),
            np.concatenate([into, np.zeros(number, np.int64)]),
            np.concatenate([ids, np.full(number, _NEW)]),
        )

    def tell(
        state: HalvingState, points: Points, rungs: Any, ids: Any, values: Any
    ) -> tuple[HalvingState, np.ndarray]:
        rungs, ids = np.asarray(rungs), np.asarray(ids, np.int64)
        values = np.asarray(values, np.float64)
        values = np.where(np.isfinite(values), values, np.inf)
        accepted = np.zeros(len(values), bool)
        tables, searches = list(state.rungs), list(state.searches)
        for rung in np.unique(rungs):
            own = rungs == rung
            some = rows(points, own)
            searches[rung], accepted[own] = sequential.tell(searches[rung], some, values[own])
            tables[rung] = _added(tables[rung], ids[own], values[own], some)
        tables = [_marked(table, ids[rungs > rung]) for rung, table in enumerate(tables)]
        return HalvingState(tuple(tables), tuple(searches)), accepted

    return Halving(fidelity.rungs, init, first, ask, tell)


def _proposed(sequential: Sequential, state: HalvingState, how: Any) -> Proposals:
    """New candidates, from the highest rung that knows where to look."""
    for rung, search in reversed(list(zip(state.rungs, state.searches, strict=True))[1:]):
        if len(rung.ids) >= _ENOUGH:
            proposals = sequential.ask(search, *how)
            # One that draws would repeat what the rung below has drawn.
            if not proposals.drawn.all():
                return proposals
    return sequential.ask(state.searches[0], *how)


def _promotions(
    rungs: Sequence[Rung], eta: float, late: bool, running: Sequence[tuple[int, int]]
) -> list[tuple[int, int, int]]:
    """Rung and row of each candidate to promote, and where to; the highest first."""
    top = len(rungs) - 1
    reached = len(rungs[top].ids) or any(target == top for _, target in running)
    found = []
    for rung in reversed(range(top)):
        under_way = [number for number, target in running if target > rung]
        waits = ~(rungs[rung].promoted | np.isin(rungs[rung].ids, under_way))
        best = int(rungs[rung].told // eta)
        gone = int(rungs[rung + 1].told) + sum(target == rung + 1 for _, target in running)
        rows = np.flatnonzero(waits[:best])[: max(best - gone, 0)]
        found += [(rung, int(row), rung + 1) for row in rows]
        if late and waits.any() and not reached:
            straight = (rung, int(np.argmax(waits)), top)
            return [straight, *(place for place in found if place[:2] != straight[:2])]
    return found


def _in_front(points: Sequence[Points], proposals: Proposals) -> Proposals:
    """Proposals with points that were evaluated before, ahead of the others."""
    number = len(points)
    if not number:
        return proposals
    own = tuple(np.stack(column) for column in zip(*points, strict=True))
    again = Proposals(
        points=own,
        origins=own,
        drawn=np.zeros(number, bool),
        phase=np.full(number, PHASES.index("confirm"), np.int8),
        temperature=np.full(number, proposals.temperature[0], np.float32),
    )
    return jax.tree.map(lambda *parts: np.concatenate(parts), again, proposals)


def _added(rung: Rung, ids: np.ndarray, values: np.ndarray, points: Points) -> Rung:
    """A rung with more candidates, the best of which it keeps."""
    good = values < np.inf
    if len(rung.ids):
        points = tuple(
            np.concatenate([old, new[good]]) for old, new in zip(rung.points, points, strict=True)
        )
    else:
        points = rows(points, good)
    every = np.concatenate([rung.values, values[good]])
    order = np.argsort(every, kind="stable")[:_KEPT]
    return Rung(
        told=np.int64(rung.told + len(values)),
        ids=np.concatenate([rung.ids, ids[good]])[order],
        values=every[order],
        promoted=np.concatenate([rung.promoted, np.zeros(int(good.sum()), bool)])[order],
        points=rows(points, order),
    )


def _marked(rung: Rung, ids: np.ndarray) -> Rung:
    """A rung some of whose candidates were promoted."""
    return rung._replace(promoted=rung.promoted | np.isin(rung.ids, ids)) if len(ids) else rung
