"""Annealing by changes of value: thousands of moves between two evaluations."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxhop import _noise
from jaxhop._trials import PHASES
from jaxhop.algorithms._base import (
    Algorithm,
    Batch,
    Info,
    Recipe,
    choose,
    first_points,
    rows,
    usable,
)
from jaxhop.algorithms._heat import Cooling, heats_for
from jaxhop.space import Space

_AT_ONCE = 32  # moves that are judged together, of which the first good one is made
_STEPS = 64  # steps whose random words are drawn together
_SAMPLE = 1024  # moves that tell how hot it must be at first
_CHANCE = 0.2  # share of worse moves that are accepted then
_SETTLED = 0.1  # share of the steps that still improve when the first descent is over
_SELECTIONS = 8  # times that the worse half of the chains goes on from the better half
_EXPLORE, _ANNEAL = PHASES.index("explore"), PHASES.index("anneal")


class Moves(Protocol):
    """How the value of a space's only leaf moves.

    What is held is the value and what the moves want to know of it.
    """

    def hold(self, value: Any) -> Any:
        """What is kept of a value while it moves."""
        ...

    def value(self, held: Any) -> Any:
        """The value that is kept."""
        ...

    def propose(self, a: jax.Array, b: jax.Array, held: Any) -> tuple[Any, jax.Array]:
        """A move from two random words, and whether it is one."""
        ...

    def apply(self, held: Any, move: Any) -> Any:
        """What is kept after a move."""
        ...


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class IncrementalState:
    """Chains, and the best point of all.

    Attributes:
        held: what is kept of each chain's value.
        values: float32[chains], what the changes of each chain come to.
        heats: float32[2], the annealing's first and last temperature.
        began: float32, progress at which it began; 2 as long as it did not.
        progress: float32, that of the last round.
        best: the best point.
        best_value: float32, its value.
        info: phase, temperature and accepted candidates of the last round.
    """

    held: Any
    values: jax.Array
    heats: jax.Array
    began: jax.Array
    progress: jax.Array
    best: Any
    best_value: jax.Array
    info: Info


class _Chain(NamedTuple):
    held: Any
    value: jax.Array
    improved: jax.Array  # int32, steps that made it better


def incremental_annealing(
    change: Callable[[Any, Any], Any], moves: Moves, *, proposals: int = 65536
) -> Recipe:
    """Simulated annealing that knows what a move changes without evaluating the candidate.

    Each candidate of a round is the point of one chain, so that an evaluation checks what the
    changes of value have added up to. Then every chain tries `proposals` moves: 32 at a time from
    one point, of which the first that Metropolis' rule accepts is made. The chains descend until
    few moves improve. There, the temperature is set at which a worse move is accepted once in
    five times; from that on it falls geometrically, to a tenth or less, and is zero at the end. So
    a good start is not destroyed, and the unit of the values does not matter. The worse half of
    several chains goes on from the better half eight times.

    Args:
        change: `change(point, move)` is how much greater the value to be minimised becomes.
        moves: what proposes and makes moves.
        proposals: moves that a chain tries between two evaluations.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`. A space must have one parameter only.
    """

    def recipe(space: Any, population: int, *, noisy: bool = False) -> Algorithm:
        del noisy
        annealing = _Annealing(Space(space), population, change, moves, proposals)
        return Algorithm(annealing.init, annealing.ask, annealing.tell)

    return recipe


@dataclasses.dataclass(frozen=True)
class _Annealing:
    """The three functions, closed over the problem."""

    space: Space
    population: int
    change: Callable[[Any, Any], Any]
    moves: Moves
    proposals: int

    def init(self, key: Any, points: Any = None) -> IncrementalState:
        del key
        points = first_points(self.space, points)
        given = jax.tree.leaves(points)[0].shape[0]
        (values,) = rows(points, jnp.arange(self.population) % given)
        return IncrementalState(
            held=jax.vmap(self.moves.hold)(values),
            values=jnp.full(self.population, jnp.inf, jnp.float32),
            heats=jnp.zeros(2, jnp.float32),
            began=jnp.float32(2),
            progress=jnp.float32(0),
            best=rows(points, 0),
            best_value=jnp.float32(jnp.inf),
            info=Info(jnp.int32(_EXPLORE), jnp.float32(1), jnp.zeros(self.population, bool)),
        )

    def ask(self, key: Any, index: Any, state: IncrementalState, progress: Any) -> Any:
        del key, progress
        return self._point(rows(state.held, index))

    def tell(
        self, key: Any, state: IncrementalState, batch: Batch, values: jax.Array, progress: Any
    ) -> IncrementalState:
        values = usable(values, batch.valid)
        winner = jnp.argmin(values)
        improved = values[winner] < state.best_value
        progress = jnp.float32(progress)
        ahead = jnp.clip(progress - state.progress, 0, 1)
        source = self._selected(values, progress, ahead)
        chains = _Chain(rows(state.held, source), values[source], jnp.zeros_like(source))
        keys = jax.vmap(lambda i: _noise.fold_in(_noise.raw(key), i))(jnp.arange(len(values)))
        cooling = Cooling(state.heats, state.began)
        # A round early, so that what is evaluated last has come to rest.
        first, last = cooling.heat(progress + ahead), cooling.heat(progress + 2 * ahead)
        first = jnp.where(last > 0, first, 0)

        def anneal(key: jax.Array, chain: _Chain) -> _Chain:
            return self._annealed(key, chain, first, last)

        chains = jax.lax.platform_dependent(
            keys,
            chains,
            # One after the other, a step that accepts nothing costs no more than its proposals.
            cpu=lambda keys, chains: jax.lax.map(lambda each: anneal(*each), (keys, chains)),
            default=jax.vmap(anneal),
        )
        descending = state.began > 1
        steps = self._blocks * _STEPS
        settled = descending & (jnp.mean(chains.improved) < _SETTLED * steps)
        heats = jax.lax.cond(
            settled, lambda: self._first_heats(keys, chains.held), lambda: state.heats
        )
        return IncrementalState(
            held=chains.held,
            values=chains.value,
            heats=heats,
            began=jnp.where(settled, progress, state.began),
            progress=progress,
            best=choose(improved, self._point(rows(state.held, winner)), state.best),
            best_value=jnp.where(improved, values[winner], state.best_value),
            info=Info(
                jnp.where(descending, _EXPLORE, _ANNEAL).astype(jnp.int32),
                jnp.float32(cooling.relative(progress)),
                batch.valid,
            ),
        )

    @property
    def _blocks(self) -> int:
        return -(-self.proposals // (_AT_ONCE * _STEPS))

    def _point(self, held: Any) -> Any:
        return (self.moves.value(held),)

    def _selected(self, values: jax.Array, progress: jax.Array, ahead: jax.Array) -> jax.Array:
        """From which chain each one goes on."""
        itself = jnp.arange(len(values))
        now, then = (jnp.floor(at * _SELECTIONS) for at in (progress, progress - ahead))
        better = jnp.argsort(values)[itself % -(-len(values) // 2)]
        return jnp.where(now > then, better, itself)

    def _first_heats(self, keys: jax.Array, held: Any) -> jax.Array:
        number = max(_SAMPLE // self.population, 1)

        def sampled(key: jax.Array, held: Any) -> jax.Array:
            a, b = _noise.pairs(_noise.fold_in(key, self._blocks), number)
            return self._proposed(a, b, held)[1]

        return heats_for(jax.vmap(sampled)(keys, held).ravel(), _CHANCE)

    def _proposed(self, a: jax.Array, b: jax.Array, held: Any) -> tuple[Any, jax.Array]:
        """Moves, and what they change."""
        moves, legal = jax.vmap(self.moves.propose, (0, 0, None))(a, b, held)
        point = self._point(held)
        changes = jax.vmap(lambda move: self.change(point, move))(moves)
        return moves, jnp.where(legal & jnp.isfinite(changes), changes, jnp.inf)

    def _annealed(self, key: jax.Array, chain: _Chain, first: Any, last: Any) -> _Chain:
        """A chain after all the moves that it tries between two evaluations."""

        def block(number: jax.Array, chain: _Chain) -> _Chain:
            heat = first + (last - first) * (number / self._blocks)
            a, b = _noise.pairs(_noise.fold_in(key, number), 2 * _STEPS * _AT_ONCE)
            a, b = (x.reshape(_STEPS, 2, _AT_ONCE) for x in (a, b))
            limits = -heat * jnp.log(_noise.uniform(a[:, 1]))

            def step(turn: jax.Array, chain: _Chain) -> _Chain:
                moves, changes = self._proposed(a[turn, 0], b[turn, 0], chain.held)
                accepted = changes < limits[turn]
                at = jnp.argmax(accepted)
                move, change = rows(moves, at), changes[at]
                held = jax.lax.cond(
                    accepted[at],
                    lambda held: self.moves.apply(held, move),
                    lambda held: held,
                    chain.held,
                )
                value = chain.value + jnp.where(accepted[at], change, 0)
                return _Chain(held, value, chain.improved + (accepted[at] & (change < 0)))

            return jax.lax.fori_loop(0, _STEPS, step, chain)

        return jax.lax.fori_loop(0, self._blocks, block, chain)
