"""Candidates of a Python objective with a fidelity: many evaluated a little, few in full."""

from collections.abc import Sequence

import numpy as np

from jaxhop._asking import ATTEMPTS, OneByOne, Row, on_cpu, stacked
from jaxhop._fidelity import HalvingState, halving
from jaxhop.space import Space


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

    def prepare(self) -> None:
        """Compiles what makes candidates; see `Asker.prepare`."""
        with on_cpu():
            self._halving.ask(self.state, np.zeros(2, np.uint32), 0.0, 1, False, ())

    def expect(self, evaluations: int | None) -> None:
        """How long the search will be is taken from its progress: each rung sees a part."""

    def first(self, candidates: Sequence) -> list[Row]:
        """Rows of the candidates to begin with; see `OneByOne.first`."""
        self._rungs, self._ids = np.array([self._first]), np.array([-1])
        return super().first(candidates)

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
