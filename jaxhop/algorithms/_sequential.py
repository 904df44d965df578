"""Few and dear evaluations, one at a time: annealed moves, most of them screened by a model."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhop._trials import PHASES
from jaxhop.algorithms import _surrogate as surrogate
from jaxhop.algorithms._moves import Manner, Moves, rows, where
from jaxhop.algorithms._screen import PARENTS, POOL, Evidence, Screen
from jaxhop.space import Space

_EXPLORE, _ANNEAL = PHASES.index("explore"), PHASES.index("anneal")
_NEVER = 2**31 - 1  # more evaluations than there are
_SHARE = 0.1  # of the budget: candidates from anywhere
_SEEDS, _SEEDS_CONDITIONAL = 5, 12  # that a model can begin with: each branch wants its own
_UNSCREENED = 8  # every so manieth candidate does without the model, which may be wrong;
_CONDITIONAL = 3  # more often where options have parameters of their own, of which it knows less
_BEST = 100  # points that stay however old they are
_BYTES = 2**26  # that points may take; a model needs `POOL` of them
_START, _SPREAD = 0.5, 1.0  # first step in units of the range, deviation of its logarithm
_UP, _DOWN, _REACH = 0.4, 0.1, (-2.0, 1.0)  # what success and failure make of the step's logarithm
_SPARE = 8  # candidates beyond those asked for, in case some are not new
_SMALL = 2**12  # bytes of a point of which a whole pool costs little more than one


class Proposals(NamedTuple):
    """Candidates to evaluate next, the most wanted first.

    Attributes:
        points: stacked points, more than were asked for where there are so many; whoever asks
            takes the first that are new.
        origins: stacked points that they were moved from; those that were drawn stand for
            themselves.
        drawn: bool[m], whether drawn from anywhere rather than moved.
        phase: int8[m], positions in `jaxhop._trials.PHASES`.
        temperature: float32[m], in (0, 1].

    Example:
        >>> import jaxhop
        >>> search = sequential({"n": jaxhop.int(1, 9)}, evaluations=20)
        >>> key = np.array([0, 0], np.uint32)
        >>> proposals = search.ask(search.init(), key, progress=0.0, n=3)
        >>> proposals.drawn[:3].tolist(), len(proposals.points[0]) >= 3
        ([True, True, True], True)
    """

    points: tuple[Any, ...]
    origins: tuple[Any, ...]
    drawn: np.ndarray
    phase: np.ndarray
    temperature: np.ndarray


class SequentialState(NamedTuple):
    """The best points and the newest ones, and what was learned from them. Never changed in place.

    Attributes:
        points: stacked points, in the order in which they were told.
        values: float64[rows], infinite where a trial failed or a row is empty.
        numbers: int64[rows], in which order they were told; -1 where a row is empty.
        told: int64[], how many points were told.
        reach: float64[], what success has made of the logarithm of the step.
        settings: float64[g + 2], of the model.
        learned: int64[], how many points had been told when it was fitted.

    Example:
        >>> import jaxhop
        >>> search = sequential({"n": jaxhop.int(1, 9)}, evaluations=20)
        >>> points = (np.array([2, 5], np.int32),)  # the coordinates of 3 and 6
        >>> state, accepted = search.tell(search.init(), points, np.array([0.5, 0.25]))
        >>> int(state.told), float(state.values.min()), accepted.tolist()
        (2, 0.25, [True, True])
    """

    points: tuple[Any, ...]
    values: np.ndarray
    numbers: np.ndarray
    told: np.ndarray
    reach: np.ndarray
    settings: np.ndarray
    learned: np.ndarray


class Sequential(NamedTuple):
    """A way to search that takes in values one at a time, in any order.

    Points are on the host. Nothing is random but by `key`, and nothing is remembered but in the
    state.

    Attributes:
        init: `init() -> state`.
        ask: `ask(state, key, progress, n, screen=False, pending=None, moving=False) -> Proposals`.
            `key` is raw key data whose first word is the same all through a search and whose
            second one is another each time; `progress` is the used share of the budget; `n` is
            how many candidates are needed; `screen` is whether to think about each; `pending` are
            stacked points that were asked for and are not told yet; `moving` is whether to move
            known points although it may still be time to explore.
        tell: `tell(state, points, values) -> (state, accepted)` with any number of stacked points
            and their values, to be minimised, infinite where a trial failed; accepted is bool[n],
            whether the search goes on from the point.
        learn: `learn(state) -> state` fits the model where it is due. `ask` does so by itself, but
            cannot keep what it learned.
        screens: whether there is a model to think with.

    Example:
        >>> import jaxhop
        >>> search = sequential({"x": jaxhop.float(0, 1)}, evaluations=20)
        >>> search.screens, int(search.init().told)
        (True, 0)
    """

    init: Callable[[], SequentialState]
    ask: Callable[..., Proposals]
    tell: Callable[[SequentialState, Any, Any], tuple[SequentialState, np.ndarray]]
    learn: Callable[[SequentialState], SequentialState]
    screens: bool


def sequential(space: Any, *, evaluations: int | None = None) -> Sequential:
    """Annealed moves away from the best points, screened by a model where there is time for it.

    First come candidates from a low-discrepancy sequence: a tenth of the budget, or up to five
    (twelve in conditional spaces) where a model takes over. Without a model a candidate is the
    best point with a log-uniform number of its coordinates moved, by steps that fall over the
    budget and follow success. With one it is the best of several hundred such moves, by the
    improvement that a Gaussian process expects; every eighth does without, in conditional spaces
    every third. What a candidate costs does not depend on how many were told: points that are
    neither among the best 100 nor the newest are forgotten.

    Args:
        space: a `Space`, or the tree that describes one.
        evaluations: how many there will be. Default None: unknown, it is taken from `progress`.

    Returns:
        The algorithm.

    Example:
        >>> from jaxhop.space import Float
        >>> space = Space({"x": Float(0, 1)})
        >>> search = sequential(space, evaluations=20)
        >>> state = search.init()
        >>> for turn in range(20):
        ...     asked = search.ask(state, np.array([0, turn], np.uint32), turn / 20, 1, True)
        ...     points = tuple(column[:1] for column in asked.points)
        ...     values = [abs(c["x"] - 0.3) for c in space.to_python_many(points)]
        ...     state, accepted = search.tell(search.learn(state), points, values)
        >>> bool(state.values.min() < 0.01)
        True
    """
    search = _Search(space if isinstance(space, Space) else Space(space), evaluations)
    return Sequential(search.init, search.ask, search.tell, search.learn, search.screens)


@functools.lru_cache(maxsize=8)
def _compiled(space: Space) -> tuple[Moves, Screen]:
    """What is compiled for a space, however often it is searched."""
    moves = Moves(space, _SPREAD)
    return moves, Screen(space, moves)


class _Search:
    """The functions, closed over the problem."""

    def __init__(self, space: Space, evaluations: int | None) -> None:
        self._space, self._evaluations = space, evaluations
        self._kept = max(8, min(POOL, _BYTES // space.nbytes))
        self._best = min(_BEST, self._kept // 2)
        self._small = space.nbytes <= _SMALL
        self._unscreened = _CONDITIONAL if space.conditional else _UNSCREENED
        self._seeds = _SEEDS_CONDITIONAL if space.conditional else _SEEDS
        self._moves, self._screen = _compiled(space)
        self.screens = self._screen.possible and self._small

    def init(self) -> SequentialState:
        points = jax.tree.map(
            lambda leaf: np.zeros((self._kept, *leaf.shape), leaf.dtype), self._space.shape
        )
        return SequentialState(
            points=points,
            values=np.full(self._kept, np.inf),
            numbers=np.full(self._kept, -1),
            told=np.zeros((), np.int64),
            reach=np.zeros(()),
            settings=surrogate.prior(self._screen.coordinates),
            learned=np.zeros((), np.int64),
        )

    def ask(
        self,
        state: SequentialState,
        key: Any,
        progress: Any,
        n: int,
        screen: bool = False,
        pending: Any = None,
        moving: bool = False,
    ) -> Proposals:
        key, screen = np.asarray(key, np.uint32), screen and self.screens
        waiting = 0 if pending is None else len(jax.tree.leaves(pending)[0])
        first = int(state.told) + waiting
        share, total = self._time(state, float(progress))
        until = 0 if moving else self._exploring(total)
        until = min(self._seeds, until + 2) if screen else until
        known = int(np.sum(np.isfinite(state.values)))
        temperature = self._temperature(share, total)
        if screen and first >= until and known >= 2 and (first + 1) % self._unscreened:
            state = self.learn(state)
            points, origins, drawn = self._screen.chosen(
                _evidence(state), state.settings, key, n, pending
            )
        else:
            if not known:  # there is nothing to move away from
                until = _NEVER
            parents = rows(state.points, np.argsort(state.values)[: PARENTS if self._small else 1])
            step = _START * temperature * math.exp(float(state.reach))
            sequence = np.array([key[0], 0], np.uint32)
            manner = Manner(first, until, sequence, step, temperature)
            points, parent, drawn = self._moves(self._size(n), key, parents, 1, manner)
            origins = where(drawn, points, rows(parents, parent))
        return Proposals(
            points=points,
            origins=origins,
            drawn=drawn,
            phase=np.where(drawn, _EXPLORE, _ANNEAL).astype(np.int8),
            temperature=np.where(drawn, 1, temperature).astype(np.float32),
        )

    def tell(
        self, state: SequentialState, points: Any, values: Any
    ) -> tuple[SequentialState, np.ndarray]:
        values = np.asarray(values, np.float64)
        values = np.where(np.isfinite(values), values, np.inf)
        used = min(int(state.told), self._kept)
        told = int(state.told) + len(values)
        numbers = np.concatenate([state.numbers[:used], np.arange(int(state.told), told)])
        every = np.concatenate([state.values[:used], values])
        before = np.minimum.accumulate(np.append(state.values.min(), values))[:-1]
        held = self._held(every)
        old, new = held[held < used], held[held >= used] - used

        def joined(column: np.ndarray, newcomers: Any) -> np.ndarray:
            whole = np.empty_like(column)
            whole[: len(old)] = column[old]
            whole[len(old) : len(held)] = np.asarray(newcomers)[new]
            whole[len(held) :] = column[len(held) :]  # empty as they were
            return whole

        return state._replace(
            points=jax.tree.map(joined, state.points, points),
            values=joined(state.values, values),
            numbers=joined(state.numbers, numbers[used:]),
            told=np.asarray(told, np.int64),
            reach=self._reach(state, values < before, numbers[used:]),
        ), np.isfinite(values) & (values <= before)

    def learn(self, state: SequentialState) -> SequentialState:
        told, learned = int(state.told), int(state.learned)
        # The more is known, the less one more point changes.
        due = told - learned >= max(1, told // 20) and np.isfinite(state.values).any()
        if not (self.screens and due):
            return state
        settings = self._screen.learned(_evidence(state), state.settings, first=learned == 0)
        return state._replace(settings=settings, learned=state.told)

    def _time(self, state: SequentialState, progress: float) -> tuple[float, float]:
        """The used share of the budget, and how many evaluations it will have allowed for."""
        if self._evaluations is not None:
            return int(state.told) / self._evaluations, self._evaluations
        return progress, max(int(state.told), 1) / max(progress, 1e-9)

    def _exploring(self, total: float) -> int:
        return int(min(max(2, round(_SHARE * total)), _NEVER))

    def _temperature(self, share: float, total: float) -> float:
        """Falls geometrically over the budget, the further the more evaluations there are."""
        visits = total / max(self._space.size, 1)
        end = min(max(5e-5 * (200 / visits) ** 3, 1e-6), 0.2) / _START
        return end ** min(max((share - _SHARE) / (1 - _SHARE), 0), 1)

    def _size(self, n: int) -> int:
        """How many candidates to make: few sizes, since each is compiled."""
        spare = _SPARE if self._small else 0
        size = 4 ** math.ceil(math.log(n + spare, 4))
        return max(size, POOL) if self._small else size

    def _held(self, values: np.ndarray) -> np.ndarray:
        """Rows to keep, of rows in the order in which they were told: the best and the newest.

        It is the same however many are told at once.
        """
        if len(values) <= self._kept:
            return np.arange(len(values))
        limit = np.partition(values, self._best - 1)[self._best - 1]
        held = values < limit
        held[np.flatnonzero(values == limit)[: self._best - int(held.sum())]] = True
        held[np.flatnonzero(~held)[-(self._kept - self._best) :]] = True
        return np.flatnonzero(held)

    def _reach(
        self, state: SequentialState, better: np.ndarray, numbers: np.ndarray
    ) -> np.ndarray:
        """The step's logarithm: one success in five keeps it as it is."""
        moved = numbers >= self._exploring(self._evaluations or 0)
        reach = float(state.reach)
        for success in better[moved].tolist():
            reach = min(max(reach + (_UP if success else -_DOWN), _REACH[0]), _REACH[1])
        return np.asarray(reach)


def _evidence(state: SequentialState) -> Evidence:
    return Evidence(state.points, state.values, state.numbers)
