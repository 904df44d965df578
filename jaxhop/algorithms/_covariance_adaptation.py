"""Covariance adaptation: a normal distribution that learns, with sparse probes beside it.

Most candidates of a round are drawn around a mean. The better half moves the mean and teaches the
distribution its deviations and, up to some hundred coordinates, its correlations; see
`_distribution`. Draws are many at first, for a wide view, and few at last, for precision.

As soon as the distribution has become narrow a few candidates are probes: sparse moves, near and
far, of the best point. A probe that is better moves the mean with it, so that coordinates that
settled in different basins can change one at a time. Probes get the more of the budget the more
they gain. Where neither gains any more, the search begins anew from elsewhere with more draws.
"""

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
from jaxhop.algorithms._calm import calm_draws, calm_pace, fought, no_duel, with_duel
from jaxhop.algorithms._confirmed import confirmed
from jaxhop.algorithms._covariance_state import CovarianceState, renewed
from jaxhop.algorithms._distribution import (
    Pace,
    Ranked,
    drawn,
    first,
    learned,
    ranked,
)
from jaxhop.algorithms._draws import draws_for, falling
from jaxhop.algorithms._odds import taught
from jaxhop.algorithms._probes import Gains, probe, summed
from jaxhop.algorithms._reals import Reals
from jaxhop.space import Space

_EXPLORE, _ANNEAL = PHASES.index("explore"), PHASES.index("anneal")
_CORRELATED = 128  # coordinates up to which correlations are learned
_FIRST, _FIRST_NOISY = 0.15, 0.25  # deviations at the start, in units of the range
_CONFIRM = 0.02  # share of the budget that evaluates the mean of a random objective again
_RESTS = 5  # rounds of which one evaluates the mean
_NARROW = 0.01  # deviations below which probes begin, in units of the range
_SETTLED = 1e-5  # deviations below which a search may begin anew


def covariance_adaptation(*, correlated: bool | None = None, probes: bool = True) -> Recipe:
    """A normal distribution that learns scales, correlations and step size, and sparse probes.

    The algorithm for numbers (floats, whole numbers, options with an order) with at least some
    evaluations for each: on smooth and ill-conditioned functions it is orders of magnitude ahead
    of moves that do not learn. Unordered options learn probabilities. Parts:

    - Scales, correlations and step size as in dd-CMA-ES (Akimoto & Hansen 2020), with negative
      weights for the worse half, and scales that learn faster the more coordinates there are.
    - The mean also moves away from the worse half, the more so the more coordinates there are
      for each draw (Arnold 2006); in one round of five it is evaluated itself.
    - Draws a round fall from up to twice the least number to that, `4 + 3 log(n)` or an eighth of
      the population, whichever is more (seven tenths of it where evaluations are few); after a
      restart there are twice as many.
    - Probes: one candidate in 33 is a sparse move of the best point once deviations are below
      1 % of the range, and up to 9 in 10 where these gain more than draws do, or where draws
      have settled.
    - Rounded numbers keep a deviation that reaches their neighbours.
    - Draws are reflected at bounds, and steps of the mean count as far as bounds let them.

    The value of a random objective differs from round to round: then all candidates are draws, the
    mean is what is evaluated again and returned, there are no probes and no restarts, rounds have
    more draws where evaluations are many, and later steps of the mean are shorter, so that noise
    averages out. A draw that did much better than the mean is evaluated beside it for some rounds,
    and becomes the mean if it proves to be better.

    Args:
        correlated: whether to learn correlations, at a cost of n * n for each draw. Default: up
            to 128 coordinates, unless values are random.
        probes: whether there are probes.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`. It raises ValueError if the space has parameters
        that are neither numbers nor options, if which of them count depends on others, or if the
        population is less than 4.

    Example:
        >>> import jax.numpy as jnp, jaxhop
        >>> scales = 10.0 ** jnp.arange(6)
        >>> result = jaxhop.search(
        ...     lambda p: jnp.sum(scales * (p["x"] - 1) ** 2),
        ...     {"x": jaxhop.float(-5, 5, shape=(6,))}, evaluations=3000,
        ...     algorithm=jaxhop.algorithms.covariance_adaptation(),
        ...     progress=False,
        ... )
        >>> bool(result.best_value < 1e-6)
        True
    """

    def recipe(space: Any, population: int, *, noisy: bool = False) -> Algorithm:
        if population < 4:
            raise ValueError(
                f"`population={population}`: covariance_adaptation needs at least 4 candidates a"
                " round. Give more, or use annealed_mcmc."
            )
        search = _CovarianceAdaptation(Space(space), population, noisy, correlated, probes)
        algorithm = Algorithm(
            search.init,
            search.ask,
            search.tell,
            search.width,
            usual=search.usual,
            shift=search.shift,
        )
        return confirmed(algorithm, population, _CONFIRM) if noisy else algorithm

    return recipe


class _CovarianceAdaptation:
    """The functions of the algorithm, closed over the problem and the settings."""

    def __init__(
        self, space: Space, population: int, noisy: bool, correlated: bool | None, probes: bool
    ) -> None:
        self._space, self._population, self._noisy = space, population, noisy
        self._reals = Reals(space)
        n = self._reals.n
        few = n <= _CORRELATED and not noisy
        self._correlated = few if correlated is None else correlated
        self._first = _FIRST_NOISY if noisy else _FIRST
        self._probes = probes and not noisy
        self._least = self.usual = min(max(draws_for(n), population // 8, 4), population)

    def init(self, key: Any, points: Any = None) -> CovarianceState:
        points = first_points(self._space, points)
        start = rows(points, 0)
        zero, none = jnp.int32(0), jnp.float32(jnp.inf)
        return CovarianceState(
            key=_noise.raw(key),
            given=points,
            distribution=first(self._reals.vector(start), self._first, self._correlated),
            odds=self._reals.even(),
            evaluated=jnp.float32(0),
            round=zero,
            started=jnp.float32(0),
            age=zero,
            restarts=zero,
            improved=jnp.float32(0),
            top=start,
            top_value=none,
            hoped=start,
            duel=no_duel(start) if self._noisy else None,
            pending=jnp.bool_(False),
            gains=Gains.none(),
            owed=jnp.float32(0),
            best=start,
            best_value=none,
            info=Info(jnp.int32(_EXPLORE), jnp.float32(1), jnp.zeros(self._population, bool)),
        )

    def shift(self, state: CovarianceState, by: Any) -> CovarianceState:
        """The state with its values moved by a number."""
        return dataclasses.replace(
            state, top_value=state.top_value + by, best_value=state.best_value + by
        )

    # How many candidates of which kind.

    def _draws(self, state: CovarianceState, progress: Any) -> jax.Array:
        """Draws of the next round; of the first one at least as many as were given."""
        given = jax.tree.leaves(state.given)[0].shape[0]
        total = jnp.maximum(state.evaluated, 1) / jnp.clip(jnp.float32(progress), 1e-9, 1)
        if self._noisy:
            known = jnp.where(state.round == 0, 0, total)  # before it nobody knows how many
            draws = calm_draws(self._least, self._population, known)
        else:
            more = self._least * 2.0**state.restarts
            room = max(self._population - self._population // 4 * self._probes, 4)
            own = (progress - state.started) / jnp.maximum(1 - state.started, 1e-6)
            draws = falling(self._reals.n, more, room, total, own)
        return jnp.where(state.round == 0, jnp.maximum(draws, given), draws)

    def _due(self, state: CovarianceState, progress: Any) -> jax.Array:
        """Probes of the next round."""
        room = self._population - self._draws(state, progress)
        return jnp.clip(state.owed.astype(jnp.int32), 0, room)

    def width(self, state: CovarianceState, progress: Any) -> jax.Array:
        """Draws and probes."""
        return self._draws(state, progress) + self._due(state, progress)

    # Candidates.

    def ask(self, key: Any, index: Any, state: CovarianceState, progress: Any) -> Any:
        own = _noise.fold_in(_noise.raw(key), index)
        draws = self._draws(state, progress)
        kind = jnp.where(state.age == 0, 0, jnp.where(index < draws, 1, 2))
        makers = [
            lambda: self._anywhere(own, index, state),
            lambda: self._draw(own, index, state),
            lambda: self._probe(own, index - draws, state),
        ]
        if not self._probes:
            kind, makers = jnp.minimum(kind, 1), makers[:2]
        return jax.lax.switch(kind, makers)

    def _anywhere(self, key: jax.Array, index: Any, state: CovarianceState) -> Any:
        """A draw from the whole space; in the first round, the given points before that."""
        given = jax.tree.leaves(state.given)[0].shape[0]
        known = (state.round == 0) & (index < given)
        fresh = self._space.draw(key, index + state.round, state.key)
        return choose(known, rows(state.given, index * known), fresh)

    def _draw(self, key: jax.Array, index: Any, state: CovarianceState) -> Any:
        vector = drawn(state.distribution, self._noise(key), self._reals.walls)
        words = _noise.pairs(key, self._space.pairs, offset=self._reals.n)[0]
        point = self._reals.point(vector, state.odds, words)
        if state.duel is not None:
            return with_duel(index, state.top, state.duel, point)
        return choose((index == 0) & self._resting(state), self._centre(state), point)

    def _resting(self, state: CovarianceState) -> jax.Array:
        """Whether the first draw is the mean itself, which is better than all draws around it."""
        return state.age % _RESTS == 0

    def _noise(self, key: jax.Array) -> jax.Array:
        return _noise.filled(key, self._reals.n, _noise.normal)

    def _probe(self, key: jax.Array, number: Any, state: CovarianceState) -> Any:
        """The first probe of a round is the sum of moves, if there is one to be evaluated."""
        still = (number == 0) & state.pending
        return probe(self._space, key, still, choose(still, state.hoped, state.top))

    # What becomes of the values.

    def tell(
        self, key: Any, state: CovarianceState, batch: Batch, values: jax.Array, progress: Any
    ) -> CovarianceState:
        values = usable(values, batch.valid)
        draws = self._draws(state, progress)
        drawn = batch.index < draws
        exploring = state.age == 0
        if state.duel is not None:  # the first candidate is the mean
            winner = jnp.where(exploring, jnp.argmin(values), 0)
            taking = batch.valid & drawn & (batch.index > state.duel.on)
            better = jnp.isfinite(values[winner])
        else:
            winner = jnp.argmin(values)
            taking = batch.valid & drawn & ~(self._resting(state) & (batch.index == 0))
            better = values[winner] < state.top_value
        value = values[winner]
        found = better & ~drawn[winner] & ~exploring
        point, hoped, count = summed(
            self._space, batch, values, winner, found, state.top, state.top_value
        )
        moved = jax.lax.cond(
            exploring,
            lambda: self._begun(state, choose(better, point, state.top)),
            lambda: self._learned(key, state, batch, values, taking, progress),
        )
        after = dataclasses.replace(
            moved,
            evaluated=state.evaluated + jnp.sum(batch.valid),
            round=state.round + 1,
            age=state.age + 1,
            info=Info(
                jnp.where(exploring, _EXPLORE, _ANNEAL).astype(jnp.int32),
                jnp.clip(moved.distribution.sigma / self._first, 1e-9, 1),
                (jnp.arange(self._population) == winner) & better,
            ),
        )
        if state.duel is not None:
            centre = choose(exploring, point, self._centre(after))
            value = jnp.where(better, value, state.top_value)
            after = dataclasses.replace(
                after, top=centre, top_value=value, best=centre, best_value=value
            )
            duel, won = fought(state.duel, batch, values, exploring)
            return self._led(dataclasses.replace(after, duel=duel), state.duel.point, won)
        after = dataclasses.replace(
            after,
            top=choose(better, point, state.top),
            top_value=jnp.where(better, value, state.top_value),
            improved=jnp.where(better, after.evaluated, state.improved),
            hoped=hoped,
            pending=count > 1,
            best=choose(value < state.best_value, point, state.best),
            best_value=jnp.minimum(value, state.best_value),
        )
        if self._probes:
            after = self._shared(state, after, batch, values, drawn, found)
        return self._renewed(after, progress)

    def _led(self, state: CovarianceState, point: Any, won: jax.Array) -> CovarianceState:
        """The state with another mean, if a point has won its duel with that of before."""
        mean = jnp.where(won, self._reals.vector(point), state.distribution.mean)
        top = choose(won, point, state.top)
        distribution = dataclasses.replace(state.distribution, mean=mean)
        return dataclasses.replace(state, distribution=distribution, top=top, best=top)

    def _centre(self, state: CovarianceState) -> Any:
        """The mean as a point, with the likeliest options."""
        likely = tuple(
            jax.nn.one_hot(jnp.argmax(odds, axis=1), odds.shape[1], dtype=jnp.float32)
            for odds in state.odds
        )
        words = jnp.full(self._space.pairs, 2**31, jnp.uint32)
        return self._reals.point(state.distribution.mean, likely, words)

    def _begun(self, state: CovarianceState, start: Any) -> CovarianceState:
        """A run begins around the best of its first round."""
        mean = self._reals.vector(start)
        return dataclasses.replace(state, distribution=first(mean, self._first, self._correlated))

    def _learned(
        self,
        key: Any,
        state: CovarianceState,
        batch: Batch,
        values: jax.Array,
        taking: jax.Array,
        progress: Any,
    ) -> CovarianceState:
        round = ranked(values, taking)
        raw = _noise.raw(key)

        def noise(at: Any) -> jax.Array:
            return self._noise(_noise.fold_in(raw, batch.index[at]))

        grain = self._reals.grain(state.distribution.mean)
        pace = calm_pace(progress) if self._noisy else Pace()
        learned_of = learned(state.distribution, round, noise, self._reals.walls, grain, pace)
        few = jnp.sum(taking) < 4  # a last round may be short: it teaches nothing
        return dataclasses.replace(
            state,
            distribution=choose(few, state.distribution, learned_of),
            odds=choose(few, state.odds, self._chances(state, batch, round)),
        )

    def _chances(
        self, state: CovarianceState, batch: Batch, round: Ranked
    ) -> tuple[jax.Array, ...]:
        def options(at: Any) -> tuple[jax.Array, ...]:
            return self._reals.options(batch.candidate(at))

        return taught(state.odds, options, round.weights) if state.odds else ()

    def _shared(
        self,
        before: CovarianceState,
        after: CovarianceState,
        batch: Batch,
        values: jax.Array,
        drawn: jax.Array,
        found: jax.Array,
    ) -> CovarianceState:
        """The mean goes with a probe that was best; and whoever gains more gets more to do."""
        old, new = self._reals.vector(before.top), self._reals.vector(after.top)
        mean = after.distribution.mean
        mean = jnp.where(found & (old != new), new, mean)
        probing = ~drawn & batch.valid
        gained = before.gains.after(values, before.top_value, drawn & batch.valid, probing)
        gains = choose(before.age == 0, before.gains, gained)
        # Draws that have settled find no other basin.
        widest = self._widest(after)
        settled = widest < _SETTLED
        settled &= after.evaluated - after.improved > 3 * _RESTS * jnp.sum(drawn)
        due = before.owed - jnp.sum(probing) + gains.probes_each(settled) * jnp.sum(drawn)
        due = jnp.minimum(due, self._population)
        return dataclasses.replace(
            after,
            distribution=dataclasses.replace(after.distribution, mean=mean),
            gains=gains,
            owed=jnp.where(widest < _NARROW, due, 0),
        )

    def _widest(self, state: CovarianceState) -> jax.Array:
        """The greatest deviation of numbers that are not rounded."""
        distribution = state.distribution
        rounded = self._reals.grain(distribution.mean) > 0
        return jnp.max(jnp.where(rounded, 0, distribution.deviations))

    def _renewed(self, state: CovarianceState, progress: Any) -> CovarianceState:
        """Begins anew where nothing improves any more."""
        patience = 10 * self._draws(state, progress) + 30 * self._reals.n
        idle = state.evaluated - state.improved
        stuck = (idle > patience) & (self._widest(state) < _SETTLED)
        return renewed(state, stuck, progress)
