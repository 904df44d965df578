"""Candidates of a Python objective with a fidelity: many evaluated a little, few in full."""

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhop._asking import ATTEMPTS, OneByOne, on_cpu, stacked
from jaxhop._fidelity import HalvingState, halving
from jaxhop._row import Point, Row
from jaxhop.space import Space

if TYPE_CHECKING:
    from jaxhop.storage import Past

_SEAT_BITS = 32  # candidates of each process are numbered from a multiple of that


class InRungs(OneByOne):
    """Asks `sequential` for candidates, and promotes the best from rung to rung.

    The fidelity of a row stands behind the columns of its point.

    Args:
        space: the space, which has a fidelity.
        seed: of everything random.
        allow: whether duplicates are evaluated again.
        evaluations: how many there will be, or None.
        raw: whether the objective gets points, with their fidelity, instead of candidates.
    """

    state: HalvingState

    def __init__(
        self,
        space: Space,
        seed: int,
        allow: bool,
        evaluations: int | None,
        raw: bool = False,
    ) -> None:
        assert space.fidelity is not None
        super().__init__(space, seed, allow)
        self._halving = halving(self._algorithm, space.fidelity)
        self.state = self._halving.init()
        self._first = self._halving.first(evaluations)
        self._rungs, self._ids = np.empty(0, np.int64), np.empty(0, np.int64)
        self._numbered, self._raw = 0, raw

    def observe(self, observed: Sequence[tuple[Any, float]]) -> tuple[Row, float] | None:
        """Takes in values of the whole fidelity; see `Asker.observe`."""
        self._rungs = np.array([len(self._halving.fidelities) - 1])
        self._ids = np.array([-1])
        return super().observe(observed)

    @property
    def like(self) -> Point:
        """Shapes and dtypes of a row's point; see `Asker.like`."""
        return (*self._space.shape, np.zeros((), np.float64))

    def readable(self, row: Row) -> Any:
        """The candidate, which a compiled objective does without; see `Asker.readable`."""
        if not self._raw:
            return row.candidate
        (candidate,), _ = self._space.decoded_many(stacked([row.point[:-1]]), self.store)
        return self._space.at(candidate, self._halving.fidelities[row.turn])

    def recall(
        self, seat: int, past: "Past", values: np.ndarray, memo: dict[str, Any]
    ) -> np.ndarray:
        """Takes in what was evaluated before; see `Asker.recall`."""
        self._numbered = seat << _SEAT_BITS
        return super().recall(seat, past, values, memo)

    @property
    def memo(self) -> dict[str, Any]:
        """What cannot be told from the trials; see `Asker.memo`."""
        return {"asks": self._asks, "numbered": self._numbered}

    def _recalled(self, past: "Past", values: np.ndarray) -> np.ndarray:
        if not len(values):
            return np.zeros(0, bool)
        told = (past.points[:-1], past.turn, past.place, values)
        self.state, accepted = self._halving.tell(self.state, *told)
        return accepted

    def _restore(self, memo: dict[str, Any]) -> None:
        if memo:
            self._asks, self._numbered = memo["asks"], memo["numbered"]

    def _reopened(self, row: Row) -> None:
        level = self._halving.fidelities[row.turn]
        row.candidate = row.point if self._raw else self._space.at(row.candidate, level)

    def prepare(self) -> None:
        """Compiles what makes candidates; see `Asker.prepare`."""
        with on_cpu():
            self._halving.ask(self.state, np.zeros(2, np.uint32), 0.0, 1, False, ())

    def expect(self, evaluations: int | None) -> None:
        """How long the search will be is taken from its progress: each rung sees a part."""

    def first(self, candidates: Sequence, known: Container[bytes] = ()) -> list[Row]:
        """Rows of the candidates to begin with; see `OneByOne.first`."""
        self._rungs, self._ids = np.array([self._first]), np.array([-1])
        return super().first(candidates, known)

    def tell(self, rows: Sequence[Row], values: np.ndarray) -> np.ndarray:
        """Takes in values; see `Asker.tell`."""
        for row in rows:
            self._out.pop(id(row), None)
        points = stacked([row.point[:-1] for row in rows])
        rungs = np.array([row.turn for row in rows])
        ids = np.array([row.index for row in rows])
        self.state, accepted = self._halving.tell(self.state, points, rungs, ids, values)
        return accepted

    def _found(self, progress: float, wanted: int, screen: bool) -> list[Row]:
        running = [(row.index, row.turn) for row in self._out.values()]
        for _ in range(ATTEMPTS):
            asked = self._halving.ask(self.state, self._key(), progress, wanted, screen, running)
            self._rungs, self._ids = asked.rungs, asked.ids
            if rows := self._new(asked.proposals, wanted):
                return rows
        self._rungs, self._ids = np.array([0]), np.array([-1])
        return self._left(wanted)

    def _place(self, row: Row, position: int) -> None:
        position = min(position, len(self._rungs) - 1)  # what is drawn at random is all alike
        row.turn, row.index = int(self._rungs[position]), int(self._ids[position])
        if row.index < 0:
            row.index, self._numbered = self._numbered, self._numbered + 1
        fidelities = self._halving.fidelities
        level = fidelities[row.turn]
        row.full = row.turn == len(fidelities) - 1
        row.key += bytes([row.turn])
        row.point = (*row.point, np.asarray(level, np.float64))
        row.candidate = row.point if self._raw else self._space.at(row.candidate, level)
