"""Candidates of a Python objective from an algorithm that works in rounds."""

import contextlib
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop._asking import on_cpu, stacked
from jaxhop._codegen import jitted
from jaxhop._interrupt import postponed
from jaxhop._row import Point, Row
from jaxhop._trials import PHASES
from jaxhop.algorithms import Algorithm, Batch
from jaxhop.algorithms import rows as rows_at
from jaxhop.space import Space, Store, written_out
from jaxhop.storage import StorageFull

if TYPE_CHECKING:
    from jaxhop.storage import Checkpoints, Past

# Rounds in a row that bring nothing new before the space counts as used up: so many that an
# algorithm which has converged begins anew meanwhile; few where values that are awaited may help.
_ATTEMPTS, _ATTEMPTS_WAITING = 1000, 8
_EXPLORE = PHASES.index("explore")


class _Round(NamedTuple):
    key: Any
    progress: Any


class InRounds:
    """Asks an `Algorithm` for a population at a time.

    A round is told as far as it is evaluated when more candidates are wanted; a value that comes
    later is not told any more, for the algorithm knows the candidates of one round only. Values of
    candidates that were tried before are looked up.

    Args:
        algorithm: the algorithm.
        space: the space.
        population: candidates a round.
        seed: of everything random.
        points: the first candidates.
        allow: whether duplicates are evaluated again.
        checkpoints: where its state is written now and then, or None.
    """

    rounds = True

    def __init__(
        self,
        algorithm: Algorithm,
        space: Space,
        population: int,
        seed: int,
        points: Sequence[Point],
        allow: bool,
        checkpoints: "Checkpoints | None" = None,
    ) -> None:
        self.store = Store()
        self._space = space
        self._population = population
        self._allow, self._checkpoints = allow, checkpoints
        self._known: dict[bytes, float] = {}
        self._out: dict[bytes, list[Row]] = {}  # by what is evaluated now, others that are equal
        self._offset: float | None = None
        self._round = 0
        key = _noise.seeded(seed)
        self._start, self._run = (np.asarray(_noise.fold_in(key, which)) for which in (0, 1))
        self._init = jitted(algorithm.init)
        self._begin(points)
        self._width = algorithm.width and jitted(algorithm.width)

        def ask(key: Any, index: Any, state: Any, progress: Any) -> Any:
            return written_out(algorithm.ask(key, index, state, progress))

        self._ask = jitted(jax.vmap(ask, (None, 0, None, None)))
        self._tell = jitted(_told(algorithm, population))
        self._shift = algorithm.shift and jitted(algorithm.shift)
        self._asked: _Round | None = None
        self._open: list[Row] = []  # rows of before that have no value
        self.lost: tuple[str, ...] = ()
        self._waiting: list[tuple[Row, float]] = []

    def close(self) -> None:
        """Waits for the state to be written; see `Asker.close`."""
        if self._checkpoints is not None:
            with contextlib.suppress(OSError):  # the next start makes it again from the trials
                self._checkpoints.close()

    def observe(self, observed: Sequence[tuple[Any, float]]) -> tuple[Row, float] | None:
        """Values of points of the first round; see `Asker.observe`."""
        if not observed:
            return None
        rows = []
        for candidate, value in observed:
            point = jax.tree.map(np.asarray, self._space.encode(candidate))
            _, (key,) = self._space.decoded_many(stacked([point]))
            rows.append(Row(point, None, key, PHASES.index("initial")))
            self._known[key] = value
        best = min(range(len(rows)), key=lambda at: observed[at][1])
        return rows[best], observed[best][1]

    @property
    def like(self) -> Point:
        """Shapes and dtypes of a row's point; see `Asker.like`."""
        return self._space.shape

    def readable(self, row: Row) -> Any:
        """The candidate; see `Asker.readable`."""
        return row.candidate

    @property
    def memo(self) -> dict[str, Any]:
        """Nothing: a round is made again from its number and its progress."""
        return {}

    def taken(self, keys: Sequence[bytes]) -> None:
        """Nobody else evaluates candidates of a round."""

    def first(self, candidates: Sequence[Any], known: Container[bytes] = ()) -> list[Row]:
        """They are part of the first round; see `Asker.first`."""
        return []

    def recall(
        self, seat: int, past: "Past", values: np.ndarray, memo: dict[str, Any]
    ) -> np.ndarray:
        """Asks for the rounds of before once more, and tells their values; see `Asker.recall`.

        Trials from before the first round, made in a space of fewer parameters, are known: the
        best of them begin the first round.
        """
        earlier = np.flatnonzero((past.turn == 0) & np.isfinite(values))
        best = earlier[np.argsort(values[earlier], kind="stable")]
        best = best[: self._population - len(self._first)].tolist()
        self._begin([*(past.row(at).point for at in best), *self._first])
        self._restore()
        turns = range(self._round + 1, _last(past.turn) + 1)
        if not self._allow:
            before = np.flatnonzero(past.turn <= self._round)
            self._known |= {past.keys[at]: float(values[at]) for at in before}
        for turn in turns:
            at = np.flatnonzero(past.turn == turn).tolist()
            # A round that brought nothing new was asked for together with the one after it.
            asked = np.argmin(np.where(past.turn >= turn, past.turn, np.inf))
            known = {int(past.place[each]): each for each in at}
            with on_cpu():
                self._end()
                rows = self._ask_round(np.float32(past.progress[asked]))
            for row in [row for row in rows if self._new(row)]:
                each = known.get(row.index)
                if each is None:
                    self._open.append(row)
                    continue
                if past.keys[each] != row.key:  # the round began before the last one was all told
                    row = past.row(each)
                self.tell([row], values[each : each + 1])
        return np.zeros(len(values), bool)

    def reopen(self, rows: Sequence[Row]) -> list[Row]:
        """What the rounds of before lack; see `Asker.reopen`."""
        found, self._open = self._open, []
        return found

    def prepare(self) -> None:
        """Compiles what makes candidates; see `Asker.prepare`."""
        with on_cpu():
            index = np.arange(self._population, dtype=np.int32)
            self._ask(self._run, index, self.state, np.float32(0))

    def more(self, progress: float, wanted: int, screen: bool) -> list[Row]:
        """New candidates; see `Asker.more`. A whole round, however many are wanted."""
        del wanted, screen
        for _ in range(_ATTEMPTS_WAITING if self._out else _ATTEMPTS):
            if self._used_up:
                break
            with on_cpu():
                self._end()
                self._offer()
                rows = self._ask_round(np.float32(progress))
            if new := [row for row in rows if self._new(row)]:
                return new
        return []

    def tell(self, rows: Sequence[Row], values: np.ndarray) -> np.ndarray:
        """Takes in values; see `Asker.tell`."""
        for row, value in zip(rows, values.tolist(), strict=True):
            equal = self._out.pop(row.key, ())
            self._waiting += [(each, value) for each in (row, *equal) if each.turn == self._round]
            if not self._allow:
                self._known[row.key] = value
        return np.zeros(len(rows), bool)

    @property
    def _used_up(self) -> bool:
        """Whether no candidate is left."""
        if self._allow or self._space.fidelity is not None:
            return False
        cardinality = self._space.cardinality
        return cardinality is not None and len(self._known) + len(self._out) >= cardinality

    def _begin(self, points: Sequence[Point]) -> None:
        """Makes the state before the first round, which these points begin."""
        self._first = points
        with postponed(), on_cpu():
            self.state = self._init(self._start, stacked(points))

    def _new(self, row: Row) -> bool:
        """Whether a row is to be evaluated; its value is or will be known otherwise."""
        if self._allow:
            return True
        if row.key in self._known:
            self._waiting.append((row, self._known[row.key]))
        elif row.key in self._out:
            self._out[row.key].append(row)
        else:
            self._out[row.key] = []
            return True
        return False

    def _ask_round(self, progress: Any) -> list[Row]:
        key = np.asarray(_noise.fold_in(self._run, self._round))
        self._asked = _Round(key, progress)
        index = np.arange(self._population, dtype=np.int32)
        width = self._population
        if self._width is not None:
            width = min(max(int(self._width(self.state, progress)), 1), self._population)
        points = self._ask(key, index, self.state, progress)
        points = rows_at(jax.device_get(points), slice(width))
        candidates, keys = self._space.decoded_many(points)
        first = len(self._first) if self._round == 0 else 0
        phase, heat = _EXPLORE, 1.0
        if (info := getattr(self.state, "info", None)) is not None and self._round:
            phase, heat = int(info.phase), float(info.temperature)
        self._round += 1
        return [
            Row(
                rows_at(points, row),
                candidates[row],
                keys[row],
                PHASES.index("initial") if row < first else max(phase, _EXPLORE),
                heat,
                self._round,
                row,
                progress=float(progress),
            )
            for row in range(width)
        ]

    def _offer(self) -> None:
        """Writes the state down if it is time for that."""
        if self._checkpoints is None:
            return
        try:
            self._checkpoints.offer(self._round, lambda: self.state, self._facts)
        except OSError as error:
            raise StorageFull(
                f"the state of the search could not be written ({error}). Make room, then start"
                " the search again."
            ) from error

    def _facts(self) -> dict[str, Any]:
        return {"offset": self._offset}

    def _restore(self) -> None:
        """Goes on from the newest checkpoint, if there is one."""
        found = None if self._checkpoints is None else self._checkpoints.newest(self.state)
        if found is not None:
            structure = jax.tree.structure(self.state)
            self.state = jax.tree.unflatten(structure, found.leaves)
            self._round, self._offset = found.step, found.facts["offset"]
        if self._checkpoints is not None:
            self.lost = self._checkpoints.skipped

    def _end(self) -> None:
        """Tells the algorithm what came in since the last round."""
        if self._asked is None or not self._waiting:
            return
        points = stacked([self._waiting[0][0].point] * self._population)
        leaves = jax.tree.leaves(points)
        values = np.full(self._population, np.inf)
        valid = np.zeros(self._population, bool)
        for row, value in self._waiting:
            for leaf, own in zip(leaves, jax.tree.leaves(row.point), strict=True):
                leaf[row.index] = own
            values[row.index], valid[row.index] = value, True
        self._waiting = []
        finite = values[valid & np.isfinite(values)]
        if finite.size:
            # float32 tells differences from some value apart, not 220.53 from 220.531.
            offset = float(finite[0]) if self._offset is None else self._offset
            if self._shift is not None and finite.min() < offset:
                least = float(finite.min())
                self.state = self._shift(self.state, np.float32(offset - least))
                offset = least
            self._offset = offset
        values = (values - (self._offset or 0.0)).astype(np.float32)
        self.state = self._tell(*self._asked, self.state, points, valid, values)


def _last(turns: np.ndarray) -> int:
    return int(turns.max()) if len(turns) else 0


def _told(algorithm: Algorithm, population: int) -> Any:
    index = jnp.arange(population, dtype=jnp.int32)

    def tell(key: Any, progress: Any, state: Any, points: Any, valid: Any, values: Any) -> Any:
        def candidate(i: Any) -> Any:
            return rows_at(jax.tree.map(jnp.asarray, points), i)

        batch = Batch(candidate, index, valid)
        return algorithm.tell(key, state, batch, values, progress)

    return tell
