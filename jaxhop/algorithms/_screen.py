"""Which candidates are worth their evaluation: a model's opinion of many moves."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhop.algorithms import _surrogate as surrogate
from jaxhop.algorithms._moves import Manner, Moved, Moves, rows, where
from jaxhop.space import Space
from jaxhop.space._features import features

POOL = 256  # candidates that are looked at together, and rows of the archive: one program for both
PARENTS = 8
_DRAWN = 64  # of the first pool: from anywhere
_CLIMBS = 3  # pools; each is moved from the best of those before
_STEP, _SHORTER = 0.2, 0.3  # of the first pool, and by what factor each later one is shorter
_MODELLED = 128  # points that a model is fitted to: the best and the newest
_CHOSEN = 16  # at most so many are chosen one in view of the other
_FIRST_STEPS, _STEPS = 30, 6  # of a fit: the first, and one that begins where the last one ended
_DIGITS = 2.0**18  # features that are so near are the same


class Evidence(NamedTuple):
    """What was evaluated.

    Attributes:
        points: `POOL` stacked points.
        values: float64[POOL], infinite where a trial failed or a row is empty.
        numbers: int64[POOL], in which order they came; -1 where a row is empty.
    """

    points: Any
    values: np.ndarray
    numbers: np.ndarray


class Chosen(NamedTuple):
    """Candidates, the most promising first.

    Attributes:
        points: stacked points.
        origins: stacked points of the evidence that they descend from; their own if drawn.
        drawn: bool[m], whether they descend from a draw.
    """

    points: Any
    origins: Any
    drawn: np.ndarray


class _Pool(NamedTuple):
    """Candidates that nobody evaluated, and their features."""

    points: Any
    origins: Any
    drawn: np.ndarray
    x: np.ndarray


class Screen:
    """Chooses among moves by the improvement that a Gaussian process expects of them.

    Args:
        space: the space.
        moves: makes the candidates.

    Attributes:
        possible: whether there is anything that a model can compare candidates by.
        coordinates: number of length scales.
    """

    def __init__(self, space: Space, moves: Moves) -> None:
        self._moves = moves
        self._of, self._groups, self._whole = features(space)
        self._features = jax.jit(jax.vmap(self._of))
        self.coordinates = int(self._groups.max(initial=-1)) + 1
        self._used = jax.jit(jax.vmap(space.used)) if space.conditional else None
        self.possible = self.coordinates > 0

    def learned(self, evidence: Evidence, settings: np.ndarray, first: bool) -> np.ndarray:
        """Fits the model.

        Args:
            evidence: at least one value of it finite.
            settings: of the model so far.
            first: whether that was never fitted.

        Returns:
            Settings of the model.
        """
        data = self._data(evidence, self._described(evidence.points))
        return surrogate.fitted(data, settings, _FIRST_STEPS if first else _STEPS).settings

    def chosen(
        self, evidence: Evidence, settings: np.ndarray, key: np.ndarray, n: int, pending: Any
    ) -> Chosen:
        """The most promising candidates, found by climbing the expected improvement with moves.

        Args:
            evidence: at least one value of it finite.
            settings: of the model.
            key: raw key data.
            n: how many are needed.
            pending: stacked points that are being evaluated, or None.

        Returns:
            More than n candidates, as far as there are so many that are new. The first n expect
            each other's values.
        """
        known = self._described(evidence.points)
        model = surrogate.conditioned(self._data(evidence, known), settings)
        seen = set(_keys(known[evidence.numbers >= 0]))
        if pending is not None:
            number = len(jax.tree.leaves(pending)[0])
            own = self._described(rows(pending, np.arange(POOL) % number))[:number]
            seen |= set(_keys(own))
            model = surrogate.extended(model, own)
        pool = self._climbed(model, evidence, key, seen)
        if not len(pool.x):
            return Chosen(pool.points, pool.origins, pool.drawn)
        order = _ordered(model, pool.x, n)
        return Chosen(rows(pool.points, order), rows(pool.origins, order), pool.drawn[order])

    def _climbed(
        self, model: surrogate.Model, evidence: Evidence, key: np.ndarray, seen: set[bytes]
    ) -> _Pool:
        chosen = self._elite(evidence)
        # Further parents than the chosen ones only help to fill the program's rows.
        parents, live = rows(evidence.points, np.resize(chosen, PARENTS)), len(chosen)
        origins, drawn = parents, np.zeros(PARENTS, bool)
        pool = _Pool(rows(parents, slice(0)), rows(parents, slice(0)), drawn[:0], np.zeros((0, 0)))
        step = _STEP
        for climb in range(_CLIMBS):
            own = key ^ np.array([climb + 1, 0], np.uint32)  # a block of other random words
            manner = Manner(0, _DRAWN if climb == 0 else 0, own, step, step)
            block = self._moves(POOL, own, parents, live, manner)
            pool = self._joined(pool, block, origins, drawn, seen)
            if not len(pool.x):
                break
            top = np.argsort(-_gain(model, pool.x), kind="stable")[:PARENTS]
            live, top = len(top), np.resize(top, PARENTS)
            parents, origins = rows(pool.points, top), rows(pool.origins, top)
            drawn, step = pool.drawn[top], step * _SHORTER
        return pool

    def _elite(self, evidence: Evidence) -> np.ndarray:
        """Rows to move away from: the best, and of a conditional space the best of each branch.

        What its best branch has in store is not known of a space before others had their turn.
        """
        order = np.argsort(evidence.values, kind="stable")
        order = order[np.isfinite(evidence.values[order])]
        best = order[: PARENTS // 2 + 1]
        if self._used is None:
            return best
        flags = [np.asarray(each).reshape(POOL, -1) for each in self._used(evidence.points)]
        _, firsts = np.unique(np.concatenate(flags, axis=1)[order], axis=0, return_index=True)
        others = order[np.sort(firsts)]
        best = best[:-1]
        return np.concatenate([best, others[~np.isin(others, best)]])[:PARENTS]

    def _joined(
        self, pool: _Pool, block: Moved, origins: Any, drawn: np.ndarray, seen: set[bytes]
    ) -> _Pool:
        """The pool and what is new of a block."""
        x = self._described(block.points)
        new = np.arange(len(x))
        if self._whole:
            # `add` returns None: a key is noted when it is first met.
            fresh = [key not in seen and not seen.add(key) for key in _keys(x)]
            new = np.flatnonzero(fresh)
        drawn = (block.drawn | drawn[block.parents])[new]
        points = rows(block.points, new)
        origins = where(drawn, points, rows(origins, block.parents[new]))
        more = _Pool(points, origins, drawn, x[new])
        if not len(pool.x):
            return more
        return jax.tree.map(lambda a, b: np.concatenate([a, b]), pool, more)

    def _described(self, points: Any) -> np.ndarray:
        return np.asarray(self._features(points), np.float64)

    def _data(self, evidence: Evidence, x: np.ndarray) -> surrogate.Data:
        """What the model learns from: all, or the best and the newest."""
        held = np.flatnonzero(evidence.numbers >= 0)
        if len(held) > _MODELLED:
            order = held[np.argsort(evidence.values[held], kind="stable")]
            best, rest = np.split(order, [_MODELLED // 2])
            newest = np.argsort(-evidence.numbers[rest])[: _MODELLED - len(best)]
            held = np.concatenate([best, rest[newest]])
        values = surrogate.scores(evidence.values[held])
        return surrogate.Data(x[held], self._groups, values)


def _ordered(model: surrogate.Model, x: np.ndarray, n: int) -> np.ndarray:
    """Rows by what is expected of them, the first ones as if those before had been evaluated."""
    gain = _gain(model, x)
    first: list[int] = []
    for _ in range(min(n, _CHOSEN, len(x)) - 1):
        first.append(int(np.argmax(gain)))
        model = surrogate.extended(model, x[first[-1:]])
        gain = _gain(model, x)
        gain[first] = -np.inf
    rest = np.argsort(-gain, kind="stable")[: len(x) - len(first)]
    return np.concatenate([np.array(first, np.int64), rest])


def _gain(model: surrogate.Model, x: np.ndarray) -> np.ndarray:
    mean, deviation = surrogate.predicted(model, x)
    return surrogate.log_improvement(mean, deviation, surrogate.incumbent(model))


def _keys(x: np.ndarray) -> list[bytes]:
    """Bytes that are equal for equal rows."""
    return [row.tobytes() for row in np.rint(x * _DIGITS).astype(np.int32)]
