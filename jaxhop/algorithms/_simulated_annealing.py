"""Simulated annealing, for orders and other values that can only be moved and judged."""

import dataclasses
from typing import Any

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
from jaxhop.algorithms._confirmed import confirmed
from jaxhop.algorithms._heat import Cooling, heats_for
from jaxhop.space import Proposal, Space

_CHANCE = 0.03  # share of worse moves that are accepted at first
_SETTLED = 0.003  # share of the moves that still improve when the first descent is over
_MEMORY = 0.95  # of that share's running mean, a round
_SAMPLE = 1024  # changes of value that tell how hot it must be at first
_NARROW = 0.01  # what moves that shrink have come down to in the end
_EXPLORE, _ANNEAL = PHASES.index("explore"), PHASES.index("anneal")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class SimulatedState:
    """Chains, and the best point of all.

    Attributes:
        round: int32, rounds told.
        points: points[chains], the best chain first.
        values: float32[chains], their values; infinite where there is none yet.
        changes: float32[rounds, population], what the last rounds' moves added to the value.
        improving: float32, running mean of the share of moves that improved.
        heats: float32[2], the annealing's first and last temperature, in the unit of the values.
        began: float32, progress at which it began; 2 as long as it did not.
        best: the best point.
        best_value: float32, its value.
        given: int32, how many of the first round's candidates are `points` as they are.
        info: phase, temperature and accepted candidates of the last round.

    Example:
        >>> import jaxhop
        >>> algorithm = simulated_annealing(chains=2)(jaxhop.permutation(5), population=8)
        >>> state = algorithm.init(jax.random.key(0))
        >>> state.points[0].shape, state.best[0].tolist(), float(state.best_value)
        ((2, 5), [0, 1, 2, 3, 4], inf)
    """

    round: jax.Array
    points: Any
    values: jax.Array
    changes: jax.Array
    improving: jax.Array
    heats: jax.Array
    began: jax.Array
    best: Any
    best_value: jax.Array
    given: jax.Array
    info: Info


def simulated_annealing(*, chains: int = 4) -> Recipe:
    """Descent, then simulated annealing that begins where it must and ends frozen.

    Each candidate is one move away from a chain's point: one leaf of the space moves. A chain goes
    on from the first of its candidates that Metropolis' rule accepts, as if they had come one by
    one. Before that, a single chain descends, each round to its best candidate, until 3 moves of
    1,000 improve, which a small budget may never see. There, the temperature is set, in the unit
    of the values, at which worse moves are accepted three times in a hundred; it falls
    geometrically, to a tenth or less, and is zero at the end. So nothing
    depends on how large the values are, and a good start is not destroyed. The chains become fewer
    until, half of the way, the best one has all moves.

    For spaces of permutations and custom parameters. Numbers have lengths to learn, which this
    does not: they are for `annealed_mcmc`.

    Args:
        chains: how many there are when the annealing begins, at least 1.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`.

    Raises:
        ValueError: if `chains` is no positive int.

    Example:
        >>> import jax.numpy as jnp, jaxhop
        >>> def misplaced(order):
        ...     return jnp.sum(jnp.abs(order - jnp.arange(8)[::-1]))
        >>> result = jaxhop.search(
        ...     misplaced, jaxhop.permutation(8), evaluations=4000,
        ...     algorithm=jaxhop.algorithms.simulated_annealing(), progress=False,
        ... )
        >>> result.best
        array([7, 6, 5, 4, 3, 2, 1, 0], dtype=int32)
    """
    if type(chains) is not int or chains < 1:
        raise ValueError(f"`chains={chains!r}`: a whole number of at least 1 must be given.")

    def recipe(space: Any, population: int, *, noisy: bool = False) -> Algorithm:
        # A noisy search evaluates each chain's point a round, beside its moves.
        most = max(1, population // 4) if noisy else population
        annealing = _Annealing(Space(space), population, min(chains, most), noisy)
        algorithm = Algorithm(annealing.init, annealing.ask, annealing.tell)
        return confirmed(algorithm, population) if noisy else algorithm

    return recipe


@dataclasses.dataclass(frozen=True)
class _Annealing:
    """The three functions, closed over the problem and the settings."""

    space: Space
    population: int
    chains: int
    noisy: bool

    def init(self, key: Any, points: Any = None) -> SimulatedState:
        del key
        points = first_points(self.space, points)
        given = jax.tree.leaves(points)[0].shape[0]
        stored = max(self.chains, given)
        kept = max(_SAMPLE // self.population, 1)
        return SimulatedState(
            round=jnp.int32(0),
            points=rows(points, jnp.arange(stored) % given),
            values=jnp.full(stored, jnp.inf, jnp.float32),
            changes=jnp.full((kept, self.population), jnp.inf, jnp.float32),
            improving=jnp.float32(1),
            heats=jnp.zeros(2, jnp.float32),
            began=jnp.float32(2),
            best=rows(points, 0),
            best_value=jnp.float32(jnp.inf),
            given=jnp.int32(given),
            info=Info(jnp.int32(_EXPLORE), jnp.float32(1), jnp.zeros(self.population, bool)),
        )

    def ask(self, key: Any, index: Any, state: SimulatedState, progress: Any) -> Any:
        key = _noise.fold_in(_noise.raw(key), index)
        chain, still = self._assignment(index, state, progress)
        parent = rows(state.points, chain)
        (_, which), _ = _noise.pairs(key, 2, offset=self.space.pairs)
        narrow = _NARROW ** self._cooling(state).share(progress)
        proposal = Proposal(
            rate=jnp.float32(0),
            step=0.5 * narrow,
            temperature=narrow,
            forced=jnp.where(still, -1, self.space.pick(which, parent)),
        )
        return self.space.move(key, parent, proposal)

    def tell(
        self, key: Any, state: SimulatedState, batch: Batch, values: jax.Array, progress: Any
    ) -> SimulatedState:
        values = usable(values, batch.valid)
        stored, index = len(state.values), jnp.arange(self.population, dtype=jnp.int32)
        chain, still = self._assignment(index, state, progress)
        # Values of a noisy objective compare within a round only.
        now = values[jnp.minimum(jnp.arange(stored), self.population - 1)]
        now = jnp.where(self.noisy & (jnp.arange(stored) < self.population), now, state.values)
        change = jnp.where(jnp.isfinite(values), values - now[chain], jnp.inf)
        cooling = self._cooling(state)
        luck, _ = _noise.pairs(_noise.fold_in(_noise.raw(key), -1), self.population)
        # Equal ones too, also on the way down: plateaus are crossed.
        accepted = change <= -cooling.heat(progress) * jnp.log(_noise.uniform(luck))
        accepted &= ~still | (state.round == 0)
        # On the way down the best candidate counts, not the one that comes first.
        turns = jnp.where(state.began > 1, jnp.argsort(values), index)
        turn = jnp.where(accepted, jnp.argsort(turns), self.population)
        first = jax.ops.segment_min(turn, chain, stored)
        winner = jnp.argmin(values)
        # The last one made again is the round's best.
        pick = jnp.append(turns[jnp.minimum(first, self.population - 1)], winner)
        made = jax.vmap(batch.candidate)(pick)
        went, improved = first < self.population, values[winner] < state.best_value
        points = choose(went, rows(made, slice(stored)), state.points)
        now = jnp.where(went, values[pick[:stored]], now)
        moved = ~still & jnp.isfinite(now[chain]) & batch.valid
        share = jnp.sum(moved & (change < 0)) / jnp.maximum(jnp.sum(moved), 1)
        improving = _MEMORY * state.improving + (1 - _MEMORY) * share
        changes = state.changes.at[state.round % len(state.changes)].set(
            jnp.where(moved, change, jnp.inf)
        )
        settled = (state.began > 1) & (improving < _SETTLED)
        order = jnp.where(settled, jnp.argmin(now), jnp.argsort(now))
        return SimulatedState(
            round=state.round + 1,
            points=rows(points, order),
            values=now[order],
            changes=changes,
            improving=improving.astype(jnp.float32),
            heats=jax.lax.cond(settled, lambda: heats_for(changes, _CHANCE), lambda: state.heats),
            began=jnp.where(settled, progress, state.began).astype(jnp.float32),
            best=choose(improved, rows(made, -1), state.best),
            best_value=jnp.where(improved, values[winner], state.best_value),
            given=state.given,
            info=Info(
                jnp.where(state.began > 1, _EXPLORE, _ANNEAL).astype(jnp.int32),
                jnp.float32(cooling.relative(progress)),
                accepted & batch.valid & (turn == first[chain]),
            ),
        )

    def _cooling(self, state: SimulatedState) -> Cooling:
        return Cooling(state.heats, state.began)

    def _assignment(
        self, index: Any, state: SimulatedState, progress: Any
    ) -> tuple[jax.Array, jax.Array]:
        """The chain of a candidate, and whether it is the chain's point as it is."""
        stored = len(state.values)
        falling = jnp.ceil(self.chains * (1 - 2 * self._cooling(state).share(progress)))
        active = jnp.where(state.began > 1, 1, jnp.maximum(falling, 1)).astype(jnp.int32)
        active = jnp.where(state.round == 0, stored, active)
        given = (state.round == 0) & (index < state.given)
        return index % active, given | (self.noisy & (index < active))
