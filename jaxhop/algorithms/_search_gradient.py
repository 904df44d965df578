"""Search gradients: the values of random perturbations say where the mean goes next.

Candidates are the mean plus noise, in pairs of opposite sign. The difference of a pair's values is
what the objective changes by along their noise; ranked and summed up over the round, times the
noise, it is a direction of descent for any optimizer of optax (Salimans et al. 2017, "Evolution
Strategies as a Scalable Alternative to Reinforcement Learning", section 2; ranks of differences
are Wilcoxon's signed ranks). Nothing of the size (population, coordinates) exists: noise is made
again from its key.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop._trials import PHASES
from jaxhop.algorithms._annealed_mcmc import companion
from jaxhop.algorithms._annealed_state import AnnealedState
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
from jaxhop.algorithms._descent import RATE, Settings, pace, schedule
from jaxhop.algorithms._direction import of_pairs, of_singles, search_direction
from jaxhop.algorithms._kept import best_kept, mean_kept, swapped
from jaxhop.algorithms._perturbation import kinds, perturbed, segments
from jaxhop.algorithms._search_gradient_state import SearchGradientState, parted
from jaxhop.space import Column, Float, Segment, Space, dither

if TYPE_CHECKING:
    import optax

_EXPLORE, _ANNEAL, _CONFIRM = (PHASES.index(name) for name in ("explore", "anneal", "confirm"))
_CONFIRM_FROM = 0.98  # the share of the budget after which an estimated best is only re-evaluated
_MANY = 65536  # floats, of which a few draws from anywhere are all alike
_EXPLORE_STEP = np.float32(0.25)  # one scale of a parameter without bounds


def search_gradient(
    *,
    optimizer: "optax.GradientTransformation | None" = None,
    sigma: float | Callable[[Any], Any] | None = None,
    noise: str | None = None,
    rank: int = 1,
    pairs: bool = True,
    cooling: float | Callable[[Any], Any] | None = None,
    explore: float | None = None,
) -> Recipe:
    """Descent along the gradient that a population's values are evidence of.

    The algorithm for many thousand floats, such as the weights of a network. Each round evaluates
    the mean, and candidates around it. Parameters that are no floats (int, choice, permutation,
    custom) are moved by annealed MCMC at the same time: both candidates of a pair have the same
    proposal, whose value is their average.

    Kinds of noise, and what a number of it costs on one core (shares of pure inference are in
    `benchmarks/RESULTS.md`):

    - `"normal"`: independent normal numbers; the dearest, 6 ns.
    - `"sign"`: +1 or -1, one random bit each, 0.3 ns; normal where an array is shorter than 4,096,
      for few signs make few directions.
    - `"sparse"`: one number in 16 changes, by four deviations; 1 ns. For objectives that few
      numbers matter to at a time.
    - `"lowrank"`: arrays of two and more dimensions get the product of two thin matrices of normal
      numbers, all else normal noise. Next to nothing; and with the extra `lowrank` the products
      with the objective's matrices are shared by all candidates.

    All have the same first two moments and reach the same loss per evaluation on networks.

    Args:
        optimizer: optax's, fed with the search gradient in units of the range of a bounded
            parameter, and of 4 scales of others. It has length 1, and noise. Its state is 2 points
            for Adam, none for `optax.sgd`. Default: Adam, with a rate of 0.01 for 400 rounds
            and with the inverse fourth root of the rounds that the budget allows for.
        sigma: deviation of the noise in the same units, or a schedule of it over progress in
            [0, 1], such as `optax.exponential_decay(0.1, 1, 0.1)`. Default: from 0.05 to 0.005,
            geometrically.
        noise: kind of noise. Default: the cheapest that fits each parameter: `"lowrank"` for
            matrices, `"sign"` for other long arrays, `"normal"` for short ones.
        rank: of low-rank noise.
        pairs: whether candidates come in pairs of opposite noise. A pair's difference is free of
            what its members have in common; without pairs twice as many directions are tried.
        cooling: what the optimizer's steps are multiplied by, or a schedule over progress.
            Default: a cosine from 1 to 0.05; 1.0 to leave them alone.
        explore: share of the budget spent on candidates from anywhere: bounded parameters from
            the prior, others at a distance of one scale from where the search starts. Default:
            0.01, but 0 from 65,536 floats on, of which no few draws find a better start.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`.

    Raises:
        ValueError: if a setting is out of its range; when the recipe is called, if the space has
            no float or the population less than 4 candidates.

    Example:
        >>> import jax.numpy as jnp, jaxhop
        >>> result = jaxhop.search(
        ...     lambda p: jnp.mean((p["w"] - 0.3) ** 2), {"w": jaxhop.float(-1, 1, shape=(500,))},
        ...     evaluations=20_000, population=64, progress=False,
        ...     algorithm=jaxhop.algorithms.search_gradient(sigma=0.02),
        ... )
        >>> bool(result.best_value < 1e-3)
        True
    """
    import optax  # where it is used: it takes a quarter of a second

    if explore is not None and not 0 <= explore <= 1:
        raise ValueError(f"`explore={explore!r}`: a share in [0, 1] must be given, such as 0.01.")
    width = schedule("sigma", sigma, optax.exponential_decay(0.05, 1, 0.1))
    cool = schedule("cooling", cooling, optax.cosine_decay_schedule(1.0, 1, 0.05))
    descent = optax.adam(RATE) if optimizer is None else optimizer
    settings = Settings(
        kinds(noise, rank), descent, width, cool, bool(pairs), explore, optimizer is None
    )

    def recipe(space: Any, population: int, *, noisy: bool = False) -> Algorithm:
        search = _SearchGradient(Space(space), population, noisy, settings)
        return Algorithm(
            search.init, search.ask, search.tell, search.width, estimated=search.estimated
        )

    return recipe


class _SearchGradient:
    """The functions of the algorithm, closed over the problem and the settings."""

    def __init__(self, space: Space, population: int, noisy: bool, settings: Settings) -> None:
        if population < 4:
            raise ValueError(
                f"`population={population}`: search_gradient needs at least 4 candidates a round."
                " Give more, or use annealed_mcmc."
            )
        if space.conditional:
            raise ValueError(
                "`space`: search_gradient moves all floats at once, but which of them count"
                " depends on others here (`active=`, or a choice of sub-spaces). Use"
                " annealed_mcmc."
            )
        self._population, self._noisy, self._settings = population, noisy, settings
        self._floats = tuple(isinstance(column.parameter, Float) for column in space.columns)
        self._columns = [c for c, own in zip(space.columns, self._floats, strict=True) if own]
        if not self._columns:
            raise ValueError(
                "`space`: search_gradient moves floats, and there is none. Use annealed_mcmc."
            )
        self._space = space
        self._segments = [segments(column, settings.kinds) for column in self._columns]
        self._explore = settings.explore
        if self._explore is None:
            size = sum(column.parameter.size for column in self._columns)
            self._explore = 0.01 if size < _MANY else 0.0
        self._directions = (population - 1) // 2 if settings.pairs else population - 1
        rest = [
            leaf
            for column, own in zip(space.columns, self._floats, strict=True)
            if not own
            for leaf in column.leaves
        ]
        self._others = companion(Space(rest), self._directions) if rest else None
        # Rounded to a short dtype, a candidate of low rank is not what was evaluated.
        self._inexact = any(
            any(part.rank for part in parts) and leaf.dtype.itemsize < 4
            for parts, leaf in zip(
                self._segments, parted(space.shape, self._floats)[0], strict=True
            )
        )
        self.estimated = noisy or self._inexact

    def init(self, key: Any, points: Any = None) -> SearchGradientState:
        points = first_points(self._space, points)
        several = jax.tree.leaves(points)[0].shape[0] > 1
        first = rows(points, 0)
        mean, _ = parted(first, self._floats)
        others = None
        if self._others is not None:
            others = self._others.init(
                _noise.raw(key), parted(rows(points, slice(0, 1)), self._floats)[1]
            )
        return SearchGradientState(
            floats=self._floats,
            mean=mean,
            optimizer=self._settings.optimizer.init(_as_float32(mean)),
            others=others,
            given=points if several else None,
            round=jnp.int32(0),
            kept=first,
            kept_value=jnp.float32(jnp.inf),
            level=jnp.float32(jnp.nan),
            sums=jnp.zeros(2, jnp.float32) if self._noisy else None,
            counts=jnp.zeros(2, jnp.float32) if self._noisy else None,
            info=Info(jnp.int32(_EXPLORE), jnp.float32(1), jnp.zeros(self._population, bool)),
        )

    def ask(self, key: Any, index: Any, state: SearchGradientState, progress: Any) -> Any:
        key = _noise.raw(key)
        exploring = self._exploring(state, progress)
        direction, sign = self._place(index)
        own = _noise.fold_in(key, jnp.where(exploring, index, direction))
        size = jnp.where(exploring, _EXPLORE_STEP, sign * self._sigma(progress))
        size = jnp.where(index == 0, 0, size)
        # Without exploring the only candidates of such rounds are given points.
        anywhere = exploring & (index > 0) if self._explore else None
        floats = [
            _moved(own, column, parts, base, size, anywhere)
            for column, parts, base in zip(self._columns, self._segments, state.mean, strict=True)
        ]
        if self._others is None:
            return self._point(floats, ())
        others = self._others.ask(key, direction, state.others, progress)
        centre = rows(state.others.points, 0) if state.others is not None else ()
        return self._point(floats, choose(index == 0, centre, others))

    def width(self, state: SearchGradientState, progress: Any) -> jax.Array:
        """The mean and whole pairs; of given points and of what is confirmed just the mean.

        The last given point is evaluated along with what is explored around it, if anything is.
        """
        pairs = 2 if self._settings.pairs else 1
        wished = jnp.int32(1 + pairs * self._directions)
        explored = jnp.asarray(progress < self._explore)
        alone = self._confirming(progress) | (state.round < state.number_given - explored)
        return jnp.where(alone, 1, wished)

    def tell(
        self,
        key: Any,
        state: SearchGradientState,
        batch: Batch,
        values: jax.Array,
        progress: Any,
    ) -> SearchGradientState:
        key, values = _noise.raw(key), usable(values, batch.valid)
        exploring, confirming = self._exploring(state, progress), self._confirming(progress)
        weigh = of_pairs if self._settings.pairs else of_singles
        weights, averages = weigh(values, batch.valid, self._directions)
        # Of random values of candidates only those that look for a first mean are kept.
        eligible = exploring if self._noisy else jnp.bool_(True)
        eligible &= (batch.index == 0) | (not self._inexact)
        state = best_kept(state, batch, jnp.where(eligible, values, jnp.inf))
        if self._noisy:
            state = mean_kept(state, values[0], exploring, confirming)

        def descend(turn: Any, moving: tuple[Any, Any]) -> tuple[Any, Any]:
            # As above: the turn is 0.
            return self._descend(key, state.round, moving, batch, weights * (1 + turn), progress)

        # Loops of one turn or none: unlike the branches of a condition they work in place.
        mean, optimizer = jax.lax.fori_loop(
            0,
            (~exploring & ~confirming).astype(jnp.int32),
            descend,
            (state.mean, state.optimizer),
        )
        state = dataclasses.replace(state, optimizer=optimizer)
        mean = jax.lax.fori_loop(
            0, exploring.astype(jnp.int32), lambda _, mean: self._next_start(state), mean
        )
        others = state.others
        if self._others is not None:
            others = self._tell_others(key, state, batch, averages, progress)
        state = dataclasses.replace(
            state,
            mean=mean,
            others=others,
            round=state.round + 1,
            info=self._info(weights, exploring, confirming, progress),
        )
        return swapped(state, confirming) if self._noisy else state

    # Phases.

    def _exploring(self, state: SearchGradientState, progress: Any) -> jax.Array:
        return (progress < self._explore) | (state.round < state.number_given)

    def _confirming(self, progress: Any) -> jax.Array:
        return (jnp.float32(progress) >= _CONFIRM_FROM) & self._noisy

    def _sigma(self, progress: Any) -> jax.Array:
        return jnp.asarray(self._settings.sigma(jnp.float32(progress)), jnp.float32)

    def _info(
        self, weights: jax.Array, exploring: jax.Array, confirming: jax.Array, progress: Any
    ) -> Info:
        phase = jnp.where(exploring, _EXPLORE, jnp.where(confirming, _CONFIRM, _ANNEAL))
        index = jnp.arange(self._population)
        direction, sign = self._place(index)
        towards = (weights[jnp.minimum(direction, self._directions - 1)] * sign < 0) & (index > 0)
        towards &= direction < self._directions
        temperature = self._sigma(progress) / self._sigma(0.0)
        return Info(phase.astype(jnp.int32), temperature, towards & (phase == _ANNEAL))

    # Candidates.

    def _place(self, index: Any) -> tuple[jax.Array, jax.Array]:
        """The direction of a candidate and its sign; candidate 0 is the mean."""
        number = jnp.maximum(index - 1, 0)
        if not self._settings.pairs:
            return number, jnp.ones_like(number, jnp.float32)
        return number // 2, jnp.where(number % 2 == 0, jnp.float32(1), jnp.float32(-1))

    def _point(self, floats: Any, others: Any) -> tuple[Any, ...]:
        floats, others = iter(floats), iter(others)
        return tuple(next(floats) if own else next(others) for own in self._floats)

    # What becomes of the values.

    def _next_start(self, state: SearchGradientState) -> Any:
        """Exploring: the next of the given points, or the best point so far."""
        mean, _ = parted(state.kept, self._floats)
        if state.given is None:
            return mean
        given, _ = parted(state.given, self._floats)
        last = state.number_given - 1
        return choose(state.round < last, rows(given, jnp.minimum(state.round + 1, last)), mean)

    def _descend(
        self,
        key: jax.Array,
        number: jax.Array,
        moving: tuple[Any, Any],
        batch: Batch,
        weights: jax.Array,
        progress: Any,
    ) -> tuple[Any, Any]:
        """One step of the optimizer along the search gradient."""
        mean, optimizer = moving
        shapes = parted(self._space.shape, self._floats)[0]
        gradient = search_direction(key, batch, weights, self._segments, shapes)
        steps: Any
        steps, optimizer = self._settings.optimizer.update(gradient, optimizer, _as_float32(mean))
        factor = jnp.asarray(self._settings.cooling(jnp.float32(progress)), jnp.float32)
        if self._settings.paced:
            factor *= pace(number, progress)
        moved = []
        for column, base, step in zip(self._columns, mean, steps, strict=True):
            parameter = column.parameter
            assert isinstance(parameter, Float)
            step = factor * parameter.reach * step
            if base.dtype.itemsize < 4:
                words = _noise.pairs(_noise.fold_in(key, -2 - column.numbers[0]), base.size)[0]
                step += dither(base + step, words.reshape(base.shape), base.dtype)
            moved.append(parameter.shifted(base, step))
        return tuple(moved), optimizer

    def _tell_others(
        self,
        key: jax.Array,
        state: SearchGradientState,
        batch: Batch,
        averages: jax.Array,
        progress: Any,
    ) -> AnnealedState:
        """Tells the annealed MCMC of each direction's proposal."""
        assert self._others is not None
        index = jnp.arange(self._directions, dtype=jnp.int32)
        each = 2 if self._settings.pairs else 1

        def candidate(i: Any) -> Any:
            return parted(batch.candidate(1 + each * i), self._floats)[1]

        return self._others.tell(
            key, state.others, Batch(candidate, index, jnp.isfinite(averages)), averages, progress
        )


def _moved(
    key: jax.Array,
    column: Column,
    parts: tuple[Segment, ...],
    base: jax.Array,
    size: jax.Array,
    anywhere: jax.Array | None,
) -> Any:
    """A column of the mean plus noise; or, where it is bounded, a draw from its prior."""
    parameter = column.parameter
    assert isinstance(parameter, Float)
    if not parameter.bounded or anywhere is None:
        return perturbed(key, column, parts, base, size)
    words = _noise.fold_in(key, column.numbers[0])
    return jax.lax.cond(
        anywhere,
        lambda: parameter.draw(*_noise.pairs(words, parameter.pairs)),
        lambda: perturbed(key, column, parts, base, size),
    )


def _as_float32(floats: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float32), floats)
