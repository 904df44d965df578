"""The candidates of a Python objective, handed out one by one."""

import functools
from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import xla_bridge  # nothing public tells

from jaxhop import _noise
from jaxhop._row import Point, Row
from jaxhop._trials import PHASES
from jaxhop.algorithms import Proposals, sequential
from jaxhop.algorithms import rows as rows_at
from jaxhop.space import Space, Store

if TYPE_CHECKING:
    from jaxhop.storage import Past

ATTEMPTS = 8
"""Asks in a row that bring nothing new before candidates are drawn at random."""

LISTED = 2**17
"""Finite spaces up to this size are searched to the last candidate."""

_ELSEWHERE = 64  # asks from other points than the best
_DRAWN = 64
_DECODED = 64
_MUTATED = 16
_INITIAL, _EXPLORE = PHASES.index("initial"), PHASES.index("explore")


class Tried:
    """What was handed out, so that nothing is evaluated twice.

    Args:
        space: the space.
        allow: whether duplicates are allowed.
    """

    def __init__(self, space: Space, allow: bool) -> None:
        self._keys: set[bytes] = set()
        self._allow = allow
        # With fidelities one candidate has several keys.
        counted = not allow and space.fidelity is None
        self._cardinality = space.cardinality if counted else None

    @property
    def all(self) -> bool:
        """Whether no candidate is left."""
        return self._cardinality is not None and len(self._keys) >= self._cardinality

    def new(self, key: bytes) -> bool:
        """Notes a candidate.

        Args:
            key: its key.

        Returns:
            Whether it is to be evaluated.
        """
        if self._allow:
            return True
        before = len(self._keys)
        self._keys.add(key)
        return len(self._keys) > before


class OneByOne:
    """Asks `sequential` for a few candidates at a time.

    Args:
        space: the space.
        seed: of everything random.
        allow: whether duplicates are evaluated again.

    Attributes:
        tried: what was handed out.
    """

    rounds = False
    lost = ()

    def __init__(self, space: Space, seed: int, allow: bool) -> None:
        self._algorithm = sequential(space)
        self._space = space
        self.tried = Tried(space, allow)
        self._stream = int(np.random.SeedSequence(seed).generate_state(1)[0])
        self._asks = 0
        self.store = Store()
        self._rest: Iterator[Any] | None = None
        self._seed = seed
        self._draw: Any = None
        self._out: dict[int, Row] = {}  # handed out, and not told yet
        self.state = self._algorithm.init()

    def close(self) -> None:
        """Nothing is written down but trials."""

    def observe(self, observed: Sequence[tuple[Any, float]]) -> tuple[Row, float] | None:
        """Takes in values from elsewhere; see `Asker.observe`."""
        if not observed:
            return None
        rows = [self.row(candidate, _INITIAL) for candidate, _ in observed]
        values = np.array([value for _, value in observed])
        self.taken([row.key for row in rows])
        self.tell(rows, values)
        best = int(values.argmin())
        return rows[best], float(values[best])

    @property
    def like(self) -> Point:
        """Shapes and dtypes of a row's point; see `Asker.like`."""
        return self._space.shape

    def readable(self, row: Row) -> Any:
        """The candidate; see `Asker.readable`."""
        return row.candidate

    def recall(
        self, seat: int, past: "Past", values: np.ndarray, memo: dict[str, Any]
    ) -> np.ndarray:
        """Takes in what was evaluated before; see `Asker.recall`."""
        if seat:  # each process has numbers of its own
            self._stream = int(np.random.SeedSequence([self._seed, seat]).generate_state(1)[0])
        self.taken(past.keys)
        accepted = self._recalled(past, values)
        self._restore(memo)
        return accepted

    def reopen(self, rows: Sequence[Row]) -> list[Row]:
        """Candidates that were handed out before; see `Asker.reopen`."""
        for row in rows:
            own = row.point[: len(self._space.shape)]
            (row.candidate,), _ = self._space.decoded_many(stacked([own]), self.store)
            self._reopened(row)
            self.tried.new(row.key)
        self._out |= {id(row): row for row in rows}
        return list(rows)

    @property
    def memo(self) -> dict[str, Any]:
        """What cannot be told from the trials; see `Asker.memo`."""
        return {
            "asks": self._asks,
            "settings": self.state.settings.tolist(),
            "learned": int(self.state.learned),
        }

    def taken(self, keys: Sequence[bytes]) -> None:
        """Says that others evaluate some candidates; see `Asker.taken`."""
        for key in keys:
            self.tried.new(key)

    def _recalled(self, past: "Past", values: np.ndarray) -> np.ndarray:
        if not len(values):
            return np.zeros(0, bool)
        self.state, accepted = self._algorithm.tell(self.state, past.points, values)
        return accepted

    def _restore(self, memo: dict[str, Any]) -> None:
        if memo:
            self._asks = memo["asks"]
            self.state = self.state._replace(
                settings=np.array(memo["settings"]), learned=np.asarray(memo["learned"], np.int64)
            )

    def _reopened(self, row: Row) -> None:
        """What else makes a candidate: nothing, where there are no rungs."""

    def prepare(self) -> None:
        """Compiles what makes candidates, so that no budget of time is charged with it."""
        with on_cpu():
            key = np.zeros(2, np.uint32)
            proposals = self._algorithm.ask(self.state, key, 0.0, 1, False)
            self._space.decoded_many(rows_at(proposals.points, slice(1)), self.store)

    def expect(self, evaluations: int | None) -> None:
        """Says how many more evaluations there will be; None if nobody knows."""
        total = None if evaluations is None else int(self.state.told) + evaluations
        self._algorithm = sequential(self._space, evaluations=total)

    def first(self, candidates: Sequence[Any], known: Container[bytes] = ()) -> list[Row]:
        """Rows of candidates that the user or the space gave.

        Args:
            candidates: whole candidates; None stands for the space's own.
            known: keys of those that are not new, be duplicates allowed or not.

        Returns:
            One row for each that is new.
        """
        rows = [self.row(given, _INITIAL) for given in candidates]
        rows = [row for row in rows if row.key not in known and self.tried.new(row.key)]
        self._out |= {id(row): row for row in rows}
        return rows

    def row(self, given: Any, phase: int) -> Row:
        """A row for a whole candidate; None stands for the space's own."""
        space = self._space
        found = space.initial() if given is None else space.encode(given, self.store)
        point = jax.tree.map(np.asarray, found)
        (candidate,), (key,) = space.decoded_many(stacked([point]), self.store)
        row = Row(point, candidate, key, phase)
        self._place(row, -1)
        return row

    def more(self, progress: float, wanted: int, screen: bool) -> list[Row]:
        """New candidates; see `Asker.more`."""
        with on_cpu():
            rows = [] if self.tried.all else self._found(progress, wanted, screen)
        self._out |= {id(row): row for row in rows}
        return rows

    def tell(self, rows: Sequence[Row], values: np.ndarray) -> np.ndarray:
        """Takes in values; see `Asker.tell`."""
        for row in rows:
            self._out.pop(id(row), None)
        points = stacked([row.point for row in rows])
        with on_cpu():
            self.state, accepted = self._algorithm.tell(self.state, points, values)
        return accepted

    def _found(self, progress: float, wanted: int, screen: bool) -> list[Row]:
        algorithm = self._algorithm
        if screen:
            self.state = algorithm.learn(self.state)
        pending = stacked([row.point for row in self._out.values()]) if self._out else None
        for attempt in range(ATTEMPTS):
            screen &= not attempt  # what is best by far is tried already
            proposals = algorithm.ask(self.state, self._key(), progress, wanted, screen, pending)
            if rows := self._new(proposals, wanted):
                return rows
        # All that is near the best was tried: moves go on from any point.
        for _ in range(_ELSEWHERE):
            key = self._key()
            held = np.flatnonzero(self.state.numbers >= 0)
            values = self.state.values.copy()
            values[held] = values[np.random.default_rng(key).permutation(held)]
            state = self.state._replace(values=values)
            proposals = algorithm.ask(state, key, progress, wanted, moving=True)
            if rows := self._new(proposals, wanted):
                return rows
        return self._left(wanted)

    def _left(self, wanted: int) -> list[Row]:
        """Candidates from where moves do not lead."""
        for _ in range(ATTEMPTS):
            if rows := self._new(self._random(), wanted):
                return rows
        return self._listed(wanted)

    def _key(self) -> np.ndarray:
        self._asks += 1
        return np.array([self._stream, self._asks & 0xFFFFFFFF], np.uint32)

    def _new(self, proposals: Proposals, wanted: int) -> list[Row]:
        """The first proposals that were not tried."""
        rows: list[Row] = []
        first, number, width = 0, len(proposals.phase), wanted
        if self._space.python:  # each takes a call of the user's function
            number = min(number, wanted + _MUTATED)
        while first < number and len(rows) < wanted:
            some = slice(first, min(first + width, number))
            # Where the first ones are known already, most others may be.
            first, width = some.stop, min(4 * width, _DECODED)
            points, candidates, keys = self._made(proposals, some)
            heat, phase = proposals.temperature[some].tolist(), proposals.phase[some].tolist()
            for at, key in enumerate(keys):
                point = rows_at(points, at)
                row = Row(point, candidates[at], key, phase[at], heat[at])
                self._place(row, some.start + at)
                if self.tried.new(row.key):
                    rows.append(row)
                    if len(rows) == wanted:
                        break
        return rows

    def _place(self, row: Row, position: int) -> None:
        """What else is to be said of a row: nothing, where there are no rungs."""

    def _made(self, proposals: Proposals, some: slice) -> tuple[Point, list[Any], list[bytes]]:
        points = rows_at(proposals.points, some)
        if not self._space.python:
            return points, *self._space.decoded_many(points)
        origins = rows_at(proposals.origins, some)
        heat = proposals.temperature[some]
        return self._space.materialise(self.store, points, origins, proposals.drawn[some], heat)

    def _random(self) -> Proposals:
        """Candidates from the prior, for when moves lead nowhere new."""
        if self._draw is None:
            self._draw = _drawn(self._space)
        points = jax.device_get(self._draw(self._key()))
        return Proposals(
            points=points,
            origins=points,
            drawn=np.ones(_DRAWN, bool),
            phase=np.full(_DRAWN, _EXPLORE, np.int8),
            temperature=np.ones(_DRAWN, np.float32),
        )

    def _listed(self, wanted: int) -> list[Row]:
        """What is left of a finite space, in random order."""
        cardinality = self._space.cardinality
        if self._space.python or cardinality is None or cardinality > LISTED:
            return []
        if self._rest is None:
            candidates = list(self._space.candidates())
            order = np.random.default_rng(self._seed).permutation(len(candidates))
            self._rest = iter([candidates[i] for i in order])
        rows: list[Row] = []
        for candidate in self._rest:
            if self.tried.new((row := self.row(candidate, _EXPLORE)).key):
                rows.append(row)
                if len(rows) == wanted:
                    break
        return rows


def on_cpu() -> Any:
    """A context in which algorithms run on the CPU, whatever the objective runs on."""
    return jax.default_device(_cpu())


def keep_to_cpu() -> None:
    """Keeps JAX off the accelerators of this process, unless it is on them already.

    They belong to the workers, and JAX would take most of their memory.
    """
    if not xla_bridge.backends_are_initialized() and not getattr(
        jax.config, "jax_platforms", None
    ):
        jax.config.update("jax_platforms", "cpu")


@functools.cache
def _cpu() -> Any:
    return jax.local_devices(backend="cpu")[0]


def stacked(points: Sequence[Point]) -> Point:
    """Points as one, with a leading axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *points)


def _drawn(space: Space) -> Any:
    """A compiled function from a key to `_DRAWN` points."""
    index = jnp.arange(_DRAWN, dtype=jnp.uint32)
    return jax.jit(lambda key: jax.vmap(lambda i: space.draw(_noise.fold_in(key, i)))(index))
