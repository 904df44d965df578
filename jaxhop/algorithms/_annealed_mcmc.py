"""Annealed MCMC: explore, then chains of perturbations under a falling temperature.

The skeleton is Algorithm 1 of PyHopper (Lechner et al. 2022): random search, then perturbations
of good candidates, scheduled by the budget that is left. A round makes `population` proposals
from a few chains. Improving moves of a chain are added up, and the sum is *hoped* to be better
still: the next round perturbs the sum and evaluates it beside its perturbations. If the hope was
vain the chain falls back. So a wide population of sparse moves advances like many narrow rounds.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhop import _noise
from jaxhop._trials import PHASES
from jaxhop.algorithms._annealed_state import AnnealedState
from jaxhop.algorithms._annealing import Annealing, chains_for, check_settings, typical_change
from jaxhop.algorithms._base import (
    Algorithm,
    Batch,
    Info,
    Recipe,
    choose,
    first_points,
    put,
    rows,
    usable,
)
from jaxhop.algorithms._confirmed import confirmed
from jaxhop.space import Proposal, Space

_EXPLORE, _ANNEAL = PHASES.index("explore"), PHASES.index("anneal")
_ADDED_MOVES = 32  # more improving moves than that a round change little, and each is made again


class _Plan(NamedTuple):
    """Which candidates `tell` makes again, and what becomes of them."""

    source: jax.Array  # int32[chains]: each chain goes on from that chain's point
    went: jax.Array  # bool[chains]: or from its own hoped sum
    values: jax.Array
    pick: jax.Array  # candidates to make again, the most important first
    count: jax.Array  # how many of them
    chain: jax.Array  # int32[pick], the chain of each
    settle: jax.Array  # bool[pick]: the chain moves to this candidate
    add: jax.Array  # bool[pick]: its move is added to the hoped sum
    sum_up: jax.Array  # bool[chains]: the sum is hoped for; else the chain's own point is
    change: jax.Array
    accepted: jax.Array


def annealed_mcmc(
    *,
    chains: int | None = None,
    explore: float = 0.1,
    start_temperature: float = 0.5,
    end_temperature: float | None = None,
    spread: float = 1.0,
) -> Recipe:
    """Random search, then annealed MCMC whose chains merge as the temperature falls.

    A proposal changes k coordinates, k log-uniform between 1 and 50 D / N (N: the evaluations the
    budget allows for): one at a time where the budget can visit each coordinate often, many where
    it cannot. Its step is the temperature times a log-normal factor, over the fourth root of k.
    The temperature falls geometrically over the budget that remains after exploring, the further
    the more evaluations there are for a coordinate. A chain moves to its best proposal if that
    improves, else by Metropolis' rule on the change over the typical change of a proposal, so that
    the objective's units do not matter. Falling behind ends a chain: its proposals go to better
    ones, until one chain has them all.

    Args:
        chains: current points kept, at least 1. Default: one for 64 proposals a round, as long as
            the state fits in the larger of 4 D floats and 16 MB (2 chains + 1 points are held).
        explore: share of the budget spent on candidates from anywhere, in [0, 1]; scalars from a
            low-discrepancy sequence, arrays at random.
        start_temperature: first step of a numeric coordinate, in units of its range.
        end_temperature: last one. Default: 5e-5 at 200 evaluations a coordinate, with the third
            power of that number, between 1e-6 and 0.2: ending too low starves a small budget,
            ending too high wastes a large one.
        spread: standard deviation of the logarithm of the step; 0 makes all steps alike.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`.

    Raises:
        ValueError: if a setting is out of its range.

    Example:
        >>> import jaxhop
        >>> result = jaxhop.search(
        ...     lambda p: (p["x"] - 2) ** 2, {"x": jaxhop.float(-5, 5)}, evaluations=2000,
        ...     algorithm=jaxhop.algorithms.annealed_mcmc(chains=2), progress=False,
        ... )
        >>> bool(abs(result.best["x"] - 2) < 0.01)
        True
    """
    check_settings(chains, explore, start_temperature, end_temperature, spread)

    def recipe(space: Any, population: int, *, noisy: bool = False) -> Algorithm:
        space = Space(space)
        mcmc = _AnnealedMCMC(
            space=space,
            population=population,
            noisy=noisy,
            annealing=Annealing(
                size=space.size,
                chains=chains_for(space, population, noisy, chains),
                explore=explore,
                start=start_temperature,
                end=end_temperature,
            ),
            spread=spread,
        )
        algorithm = Algorithm(mcmc.init, mcmc.ask, mcmc.tell, shift=mcmc.shift)
        return confirmed(algorithm, population) if noisy else algorithm

    return recipe


def companion(space: Space, population: int) -> Algorithm:
    """One chain, for coordinates beside others that are searched in another way.

    A proposal's value changes with what the others are at, so values compare within a round only,
    as those of a noisy objective do: proposal 0 is what the chain hopes for, and proposal 1 its
    point where that is another one.

    Args:
        space: the coordinates.
        population: proposals a round.

    Returns:
        An algorithm whose state is an `AnnealedState`.
    """
    annealing = Annealing(size=space.size, chains=1, explore=0.1, start=0.5, end=None)
    mcmc = _AnnealedMCMC(
        space=space, population=population, noisy=True, annealing=annealing, spread=1.0
    )
    return Algorithm(mcmc.init, mcmc.ask, mcmc.tell)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _AnnealedMCMC:
    """The three functions, closed over the problem and the settings."""

    space: Space
    population: int
    noisy: bool
    annealing: Annealing
    spread: float

    def init(self, key: Any, points: Any = None) -> AnnealedState:
        points = first_points(self.space, points)
        given = jax.tree.leaves(points)[0].shape[0]
        stored = max(self.annealing.chains, given)
        points = rows(points, jnp.minimum(jnp.arange(stored), given - 1))
        return AnnealedState(
            key=_noise.raw(key),
            round=jnp.int32(0),
            evaluated=jnp.float32(0),
            points=points,
            values=jnp.full(stored, jnp.inf, jnp.float32),
            hoped=points,
            pending=jnp.zeros(stored, bool),
            change=jnp.float32(jnp.nan),
            best=rows(points, 0),
            best_value=jnp.float32(jnp.inf),
            given=jnp.int32(given),
            info=Info(jnp.int32(_EXPLORE), jnp.float32(1), jnp.zeros(self.population, bool)),
        )

    def ask(self, key: Any, index: Any, state: AnnealedState, progress: Any) -> Any:
        key = _noise.fold_in(_noise.raw(key), index)
        return jax.lax.cond(
            self._phase(state, progress) == _EXPLORE,
            lambda: self._anywhere(key, index, state),
            lambda: self._nearby(key, index, state, progress),
        )

    def tell(
        self, key: Any, state: AnnealedState, batch: Batch, values: jax.Array, progress: Any
    ) -> AnnealedState:
        values = usable(values, batch.valid)
        phase = self._phase(state, progress)
        plan = jax.lax.cond(
            phase == _EXPLORE,
            lambda: self._survive(state, values),
            lambda: self._metropolis(key, state, values, progress),
        )
        winner = jnp.argmin(values)
        improved = values[winner] < state.best_value
        points, hoped, best = self._carry_out(plan, state, batch, winner, improved)
        order = jnp.argsort(plan.values)
        return dataclasses.replace(
            state,
            round=state.round + 1,
            evaluated=state.evaluated + jnp.sum(batch.valid),
            points=rows(points, order),
            values=plan.values[order],
            hoped=rows(hoped, order),
            pending=plan.sum_up[order],
            change=plan.change,
            best=best,
            best_value=jnp.where(improved, values[winner], state.best_value),
            info=Info(
                phase.astype(jnp.int32),
                jnp.float32(self._temperature(state, progress)),
                plan.accepted & batch.valid,
            ),
        )

    def shift(self, state: AnnealedState, by: Any) -> AnnealedState:
        """The state with its values moved by a number."""
        return dataclasses.replace(
            state, values=state.values + by, best_value=state.best_value + by
        )

    def _phase(self, state: AnnealedState, progress: Any) -> jax.Array:
        exploring = (progress < self.annealing.explore) | (state.round == 0)
        return jnp.where(exploring, _EXPLORE, _ANNEAL)

    def _active(self, state: AnnealedState, progress: Any) -> jax.Array:
        return self.annealing.active(
            jnp.sum(jnp.isfinite(state.values), dtype=jnp.int32), progress
        )

    def _temperature(self, state: AnnealedState, progress: Any) -> jax.Array:
        return self.annealing.temperature(state.evaluated, progress)

    # Candidates.

    def _anywhere(self, key: jax.Array, index: Any, state: AnnealedState) -> Any:
        """A draw from the whole space; in the first round, the given points before that."""
        number = state.round * self.population + index
        drawn = self.space.draw(key, number, state.key)
        given = (state.round == 0) & (index < state.given)
        return choose(given, rows(state.points, index * given), drawn)

    def _nearby(self, key: jax.Array, index: Any, state: AnnealedState, progress: Any) -> Any:
        """A perturbation of what a chain hopes for, or that itself where it is still untried."""
        chain, repeats, itself = self._assignment(index, state, progress)
        still = repeats | itself
        (how_many, which), (how_far, _) = _noise.pairs(key, 2, offset=self.space.pairs)
        most = self.annealing.most(state.evaluated, progress)
        k = jnp.exp(_noise.uniform(how_many) * jnp.log(most))
        temperature = self._temperature(state, progress)
        step = self.annealing.start * temperature * jnp.exp(self.spread * _noise.normal(how_far))
        parent = rows(state.hoped, chain)
        if self.noisy:
            parent = choose(itself, rows(state.points, chain), parent)
        proposal = Proposal(
            rate=jnp.where(still, 0, (k - 1) / self.space.size),
            step=step / k**0.25,
            temperature=temperature,
            forced=jnp.where(still, -1, self.space.pick(which, parent)),
        )
        return self.space.move(key, parent, proposal)

    def _assignment(
        self, index: Any, state: AnnealedState, progress: Any
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The chain of a candidate; whether it is what the chain hopes for, or its point, as is.

        Values of a noisy objective compare within a round only: there, both are evaluated.
        """
        active = self._active(state, progress)
        chain = index % active
        repeats = (index < active) & (state.pending[chain] | self.noisy)
        itself = (index >= active) & (index < 2 * active) & state.pending[chain] & self.noisy
        return chain, repeats, itself

    # What becomes of the values.

    def _survive(self, state: AnnealedState, values: jax.Array) -> _Plan:
        """Exploring: the best of chains and candidates become the chains."""
        stored = state.values.shape[0]
        both = jnp.concatenate([state.values, values])
        value, order = jax.lax.top_k(-both, stored)
        new = order >= stored
        slots = jnp.argsort(~new).astype(jnp.int32)  # those with a new point first
        pick = jnp.maximum(order[slots] - stored, 0)
        length = self._picks(stored)
        return _Plan(
            source=jnp.where(new, 0, order),
            went=jnp.zeros(stored, bool),
            values=-value,
            pick=jnp.resize(pick, (length,)),
            count=jnp.sum(new, dtype=jnp.int32),
            chain=jnp.resize(slots, (length,)),
            settle=jnp.ones(length, bool),
            add=jnp.zeros(length, bool),
            sum_up=jnp.zeros(stored, bool),
            change=state.change,
            accepted=jnp.zeros_like(values, bool).at[pick].max(new[slots]),
        )

    def _metropolis(
        self, key: Any, state: AnnealedState, values: jax.Array, progress: Any
    ) -> _Plan:
        """Annealing: each chain moves to its best proposal, or stays."""
        stored = state.values.shape[0]
        index = jnp.arange(self.population, dtype=jnp.int32)
        chain, repeats, itself = self._assignment(index, state, progress)
        now, start, tried = self._starts(state, values, progress)
        proposed = jnp.where(repeats | itself, jnp.inf, values)
        best = jax.ops.segment_min(proposed, chain, stored)
        target = jnp.where(tried, jnp.minimum(best, start), best)
        heat = self.annealing.start * self._temperature(state, progress) * state.change
        worse = target - now
        luck = _noise.uniform(_noise.pairs(_noise.fold_in(_noise.raw(key), -1), stored)[0])
        accept = (worse <= 0) | (luck < jnp.exp(-worse / heat))
        gain = _gain(start[chain], proposed)
        improving = gain > 0
        settles = accept & (best <= target)
        # One candidate a chain, the first of equals.
        first = jax.ops.segment_min(
            jnp.where(proposed == best[chain], index, self.population), chain, stored
        )
        settle = settles[chain] & (index == first[chain])
        add = improving & (start - now <= heat)[chain] & self._sums
        winner = jnp.argmin(values)
        important = settle | (index == winner) & (values[winner] < state.best_value)
        score = jnp.where(important, jnp.inf, jnp.where(add, gain, -jnp.inf))
        rank, pick = jax.lax.top_k(score, self._picks(stored))
        picked = jnp.zeros(self.population, bool).at[pick].set(rank > -jnp.inf)
        added = jax.ops.segment_sum((picked & add).astype(jnp.int32), chain, stored)
        return _Plan(
            source=jnp.arange(stored, dtype=jnp.int32),
            went=accept & tried & ~settles,
            values=jnp.where(accept, target, now),
            pick=pick,
            count=jnp.sum(rank > -jnp.inf, dtype=jnp.int32),
            chain=chain[pick],
            settle=settle[pick],
            add=add[pick],
            sum_up=added > 1,
            change=typical_change(state.change, start[chain] - proposed),
            accepted=picked & (settle | add),
        )

    def _starts(
        self, state: AnnealedState, values: jax.Array, progress: Any
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Values of the chains' points and of what their proposals started from; which were tried.

        Proposals start from the hoped sums where there are some, else from the points.
        """
        chains, active = jnp.arange(state.values.shape[0]), self._active(state, progress)
        at = values[jnp.minimum(chains, self.population - 1)]
        now = state.values
        if self.noisy:
            itself = values[jnp.minimum(active + chains, self.population - 1)]
            now = jnp.where(chains < active, jnp.where(state.pending, itself, at), now)
        tried = state.pending & (chains < active)
        return now, jnp.where(tried, at, now), tried

    @property
    def _sums(self) -> bool:
        """Whether moves can be added up: a sum of moves of one coordinate is nothing new."""
        return self.space.size > 1

    def _picks(self, stored: int) -> int:
        return min(self.population, _ADDED_MOVES + stored + 1)

    def _carry_out(
        self, plan: _Plan, state: AnnealedState, batch: Batch, winner: jax.Array, improved: Any
    ) -> tuple[Any, Any, Any]:
        """Makes the picked candidates again, the most important one last, and puts them in."""

        def put_in(turn: jax.Array, carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
            points, sums, best = carry
            at = plan.count - 1 - turn
            chain = plan.chain[at]
            candidate = batch.candidate(plan.pick[at])
            moved = self.space.transfer(rows(state.hoped, chain), candidate, rows(sums, chain))
            return (
                put(points, chain, candidate, plan.settle[at]),
                put(sums, chain, moved, plan.add[at]),
                choose(improved & (plan.pick[at] == winner), candidate, best),
            )

        points = choose(plan.went, state.hoped, rows(state.points, plan.source))
        carry = (points, state.hoped, state.best)
        points, sums, best = jax.lax.fori_loop(0, plan.count, put_in, carry)
        return points, choose(plan.sum_up, sums, points), best


def _gain(start: jax.Array, proposed: jax.Array) -> jax.Array:
    """How much better than its start each proposal is; finite, and largest where that was NaN."""
    gain = jnp.where(jnp.isfinite(start), start - proposed, jnp.finfo(jnp.float32).max)
    return jnp.where(jnp.isfinite(proposed), gain, -jnp.inf)
