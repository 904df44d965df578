"""Many rounds as one compiled program: the device's half of the loop.

A round is evaluated in steps, each one chunk of candidates on every device. A dispatch runs a
number of steps that the host chooses, across rounds or within one, so that the host's visits come
at a pace of its own however long a round takes. Nothing of the size (population, coordinates)
exists: candidates are made from their keys, where they are evaluated and where they are needed.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxhop import _noise
from jaxhop._carry import Carry, Controls, Records
from jaxhop._objective import Objective
from jaxhop.algorithms import Algorithm, Batch, put, rows
from jaxhop.evaluators import over, summed
from jaxhop.space import Space, written_out

_ROWS = 65536  # evaluations a dispatch; at a million a second that is 15 visits a second
_ROUNDS = 8192
_TRAIL_BYTES = 2**20
_TRAIL = 256
_EVERY_POINT_BYTES = 80  # spaces up to 20 numbers: all points are handed to the host
# What a round's key is folded with for the objective: no candidate's number.
_OBJECTIVE = 2**32 - 1
_LOW_BITS = 20


class Rounds:
    """The program for one problem, one population and one set of devices.

    Args:
        algorithm: what asks and tells.
        objective: what evaluates.
        space: where points come from.
        population: candidates a round.
        chunk: candidates that a device evaluates at once.
        mesh: the devices, or None for one.

    Attributes:
        stride: candidates a step.
        point_bytes: size of a point.
        every_point: whether the host gets all points.
        estimated: whether the best value is the algorithm's own estimate, not the lowest told.
        no_trail: whether it gets none, as they are wide: a dispatch then ends with an improvement,
            which is the state's best point.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        objective: Objective,
        space: Space,
        population: int,
        chunk: int,
        mesh: Mesh | None,
    ) -> None:
        devices = 1 if mesh is None else mesh.size
        # A device's share of the population may be less than the chunk.
        width = min(chunk, -(-population // devices))
        self.stride = width * devices
        self._padded = -(-population // self.stride) * self.stride
        self._population = population
        self._algorithm = algorithm
        self._objective = objective
        self.estimated = objective.noisy or algorithm.estimated
        self._point = space.shape
        self.point_bytes = size = space.nbytes
        self.every_point = size <= _EVERY_POINT_BYTES
        self._rows = max(_ROWS, population) + population
        self._trail = 1 if self.every_point else max(1, min(_TRAIL, _TRAIL_BYTES // size))
        self.no_trail = self._trail == 1 and not self.every_point and not self.estimated
        self._evaluate = over(self._candidate_and_value, width, mesh)
        self._add_up = summed(mesh)

    def start(self, key: jax.Array, points: Any) -> Carry:
        """The carry before the first dispatch.

        Args:
            key: uint32[2], the run's key.
            points: the first candidates, stacked.

        Returns:
            The carry.
        """
        return Carry(
            state=self._algorithm.init(_noise.fold_in(key, 0), points),
            key=_noise.fold_in(key, 1),
            round=jnp.int32(0),
            done=jnp.int32(0),
            width=jnp.int32(0),
            progress=jnp.float32(0),
            values=jnp.full(self._padded, jnp.nan, jnp.float32),
            points=self._stacked(self._padded) if self.every_point else (),
            evaluated=jnp.zeros(2, jnp.int32),
            lowest=jnp.float32(jnp.inf),
            since=jnp.int32(0),
        )

    def told(self, carry: Carry, values: jax.Array) -> Carry:
        """A carry whose first candidates have values already, and so the first round is over.

        Args:
            carry: the carry before the first dispatch.
            values: float32[n], of the candidates that it was started with, to be minimised.

        Returns:
            The carry after that round.
        """
        key = _noise.fold_in(carry.key, carry.round)
        index = jnp.arange(self._population, dtype=jnp.int32)
        valid = index < len(values)

        def candidate(i: Any) -> Any:
            return self._algorithm.ask(key, i, carry.state, carry.progress)

        padded = jnp.full(self._population, jnp.inf, jnp.float32).at[: len(values)].set(values)
        batch = Batch(candidate, index, valid, self._add_up)
        return carry._replace(
            state=self._algorithm.tell(key, carry.state, batch, padded, carry.progress),
            round=carry.round + 1,
            lowest=jnp.min(values),
        )

    def saved(self, carry: Carry) -> dict[str, Any]:
        """A carry in a form that does not depend on the devices.

        Args:
            carry: the carry.

        Returns:
            A pytree.
        """
        population = self._population
        done = jnp.minimum(carry.done * self.stride, population)
        cut = {"values": carry.values[:population], "done": done}
        if self.every_point:
            cut["points"] = jax.tree.map(lambda leaf: leaf[:population], carry.points)
        return {**carry._asdict(), **cut}

    def restored(self, saved: dict[str, Any]) -> Carry:
        """A carry from what `saved` gave, on these or other devices.

        Args:
            saved: that pytree, of NumPy arrays.

        Returns:
            The carry, of NumPy arrays. What does not fill a step is evaluated once more.
        """
        done = int(saved["done"]) // self.stride
        known = done * self.stride
        values = np.full(self._padded, np.nan, np.float32)
        values[:known] = saved["values"][:known]
        points = saved["points"]
        if self.every_point:
            shapes = self._stacked(self._padded)
            points = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
            pairs = (jax.tree.leaves(points), jax.tree.leaves(saved["points"]))
            for own, given in zip(*pairs, strict=True):
                own[:known] = given[:known]
        cut = {"values": values, "done": np.int32(done), "points": points}
        return Carry(**{**saved, **cut})

    def run(self, constants: Any, carry: Carry, controls: Controls) -> tuple[Carry, Records]:
        """Some steps; to be compiled, once.

        Args:
            constants: the objective's constants.
            carry: the carry before.
            controls: what the host decided.

        Returns:
            The carry after, and the records.
        """

        def more(loop: tuple[Carry, Records]) -> jax.Array:
            carry, records = loop
            room = records.rows + self._population <= self._rows
            room &= (records.rounds < _ROUNDS) & (records.improvements < self._trail)
            wanted = (carry.done > 0) | (records.rows < controls.left)
            go = (records.steps < controls.steps) | (controls.flush & (carry.done > 0))
            # One lucky value of a noisy objective reaches no target.
            best = carry.state.best_value if self.estimated else carry.lowest
            go &= carry.since < controls.patience
            return room & wanted & go & ~(best <= controls.target)

        def advance(loop: tuple[Carry, Records]) -> tuple[Carry, Records]:
            carry, records = loop
            begun = carry.done > 0
            progress = jnp.where(begun, carry.progress, self._progress(carry, controls))
            width = jnp.where(begun, carry.width, self._width(carry, progress))
            width = jnp.where(begun, width, jnp.minimum(width, controls.left - records.rows))
            # A flush ends the round with what is evaluated of it.
            width = jnp.where(controls.flush, jnp.minimum(width, carry.done * self.stride), width)
            total = -(-width // self.stride)
            now = jnp.maximum(jnp.minimum(total - carry.done, controls.steps - records.steps), 0)
            values, points = self._chunks(constants, carry, progress, now)
            carry = carry._replace(
                done=carry.done + now,
                width=width,
                progress=progress,
                values=values,
                points=points,
            )
            records = records._replace(steps=records.steps + now)
            # A loop of one turn or none: unlike the branches of a condition it works in place.
            return jax.lax.fori_loop(
                0,
                (carry.done >= total).astype(jnp.int32),
                lambda _, loop: self._end(*loop),
                (carry, records),
            )

        return jax.lax.while_loop(more, advance, (carry, self._records()))

    def _progress(self, carry: Carry, controls: Controls) -> jax.Array:
        """Progress of the present round: a function of the count of evaluations."""
        high, low = carry.evaluated[0], carry.evaluated[1]
        count = high.astype(jnp.float32) * 2**_LOW_BITS + low.astype(jnp.float32)
        return jnp.clip(controls.start + count * controls.rate, 0, 1)

    def _width(self, carry: Carry, progress: jax.Array) -> jax.Array:
        if self._algorithm.width is None:
            return jnp.int32(self._population)
        wished = jnp.asarray(self._algorithm.width(carry.state, progress), jnp.int32)
        return jnp.clip(wished, 1, self._population)

    def _candidate_and_value(self, operands: Any, index: jax.Array) -> tuple[jax.Array, Any]:
        constants, state, key, progress = operands
        point = self._algorithm.ask(key, index, state, progress)
        noise = _noise.fold_in(key, jnp.uint32(_OBJECTIVE))
        value = self._objective.value(constants, point, noise)
        return value, written_out(point) if self.every_point else ()

    def _chunks(
        self, constants: Any, carry: Carry, progress: jax.Array, now: jax.Array
    ) -> tuple[jax.Array, Any]:
        """Values (and points) of the round with the next steps' ones filled in."""
        key = _noise.fold_in(carry.key, carry.round)
        operands = (constants, carry.state, key, progress)

        def chunk(turn: jax.Array, filled: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
            first = (carry.done + turn) * self.stride
            return jax.tree.map(
                lambda whole, part: jax.lax.dynamic_update_slice_in_dim(whole, part, first, 0),
                filled,
                self._evaluate(operands, first),
            )

        return jax.lax.fori_loop(0, now, chunk, (carry.values, carry.points))

    def _end(self, carry: Carry, records: Records) -> tuple[Carry, Records]:
        """Tells the algorithm of a round, and the records."""
        progress = carry.progress
        key = _noise.fold_in(carry.key, carry.round)
        population, algorithm = self._population, self._algorithm
        index = jnp.arange(population, dtype=jnp.int32)
        values, valid = carry.values[:population], index < carry.width

        def candidate(i: Any) -> Any:
            if self.every_point:  # at hand, and looking it up is not compiled for long
                return rows(carry.points, i)
            return algorithm.ask(key, i, carry.state, progress)

        batch = Batch(candidate, index, valid, self._add_up)
        state = algorithm.tell(key, carry.state, batch, values, progress)
        usable = jnp.where(valid & jnp.isfinite(values), values, jnp.inf)
        winner = jnp.argmin(usable)
        improved = usable[winner] < carry.lowest
        info = getattr(state, "info", None)
        accepted = jnp.zeros(population, bool) if info is None else info.accepted
        records = records._replace(
            rows=records.rows + carry.width,
            rounds=records.rounds + 1,
            values=_write(records.values, values, records.rows),
            accepted=_write(records.accepted, accepted, records.rows),
            widths=records.widths.at[records.rounds].set(carry.width),
        )
        if info is not None:
            at = records.rounds - 1
            records = records._replace(
                phases=records.phases.at[at].set(info.phase),
                temperatures=records.temperatures.at[at].set(info.temperature),
            )
        if self.every_point:
            points = jax.tree.map(lambda leaf: leaf[:population], carry.points)
            first = records.rows - carry.width
            records = records._replace(
                points=jax.tree.map(
                    lambda all, new: _write(all, new, first), records.points, points
                )
            )
        else:
            records = self._follow(records, carry, state, candidate, winner, improved)
        low = carry.evaluated[1] + carry.width
        high = carry.evaluated[0] + (low >> _LOW_BITS)
        carry = carry._replace(
            state=state,
            round=carry.round + 1,
            done=jnp.int32(0),
            values=jnp.full_like(carry.values, jnp.nan),
            evaluated=jnp.stack([high, low & (2**_LOW_BITS - 1)]),
            lowest=jnp.minimum(carry.lowest, usable[winner]),
            since=jnp.where(improved, 0, jnp.minimum(carry.since + carry.width, 2**30)),
        )
        return carry, records

    def _follow(
        self,
        records: Records,
        carry: Carry,
        state: Any,
        candidate: Any,
        winner: jax.Array,
        improved: jax.Array,
    ) -> Records:
        """Puts the round's best candidate on the trail, if it is the best of all so far."""
        at = records.improvements
        row = records.rows - carry.width + winner
        if self.no_trail:
            trail = ()
        else:
            # The best of a search without noise is this very candidate.
            point = written_out(candidate(winner)) if self.estimated else state.best
            trail = put(records.trail, at, point, improved)
        return records._replace(
            trail=trail,
            trail_rows=put(records.trail_rows, at, row.astype(jnp.int32), improved),
            improvements=at + improved,
        )

    def _stacked(self, number: int) -> Any:
        return jax.tree.map(lambda leaf: jnp.zeros((number, *leaf.shape), leaf.dtype), self._point)

    def _records(self) -> Records:
        return Records(
            rows=jnp.int32(0),
            rounds=jnp.int32(0),
            values=jnp.zeros(self._rows, jnp.float32),
            accepted=jnp.zeros(self._rows, bool),
            widths=jnp.zeros(_ROUNDS, jnp.int32),
            phases=jnp.full(_ROUNDS, -1, jnp.int32),
            temperatures=jnp.full(_ROUNDS, jnp.nan, jnp.float32),
            points=self._stacked(self._rows) if self.every_point else (),
            improvements=jnp.int32(0),
            trail=() if self.every_point or self.no_trail else self._stacked(self._trail),
            trail_rows=jnp.zeros(self._trail, jnp.int32),
            steps=jnp.int32(0),
        )


def _write(rows: jax.Array, new: jax.Array, first: jax.Array) -> jax.Array:
    return jax.lax.dynamic_update_slice_in_dim(rows, new, first, 0)
