"""Confirmation: the finalists of a noisy search are evaluated again, on fresh keys."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxhop._trials import PHASES
from jaxhop.algorithms._base import Algorithm, Batch, Info, rows, usable

_CONFIRM = PHASES.index("confirm")
_MEMORY = 0.9  # of the moving mean that stands for the best value until then


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfirmedState:
    """The search's state, and what is known of its finalists.

    Attributes:
        search: state of the algorithm that is wrapped; its `points` are the finalists.
        means: float32[finalists], mean values on fresh keys.
        counts: float32[finalists], how many values these are.
        best: the finalist of the lowest mean; before there are any, the search's first point.
        best_value: float32, its mean; before that, the moving mean of the first point's value.
        info: phase, temperature and accepted candidates of the last round.
    """

    search: Any
    means: jax.Array
    counts: jax.Array
    best: Any
    best_value: jax.Array
    info: Info


def confirmed(algorithm: Algorithm, population: int, share: float = 0.1) -> Algorithm:
    """An algorithm for an objective whose values are random.

    The lowest of many random values is a lucky one. So nothing is chosen for a single value: the
    algorithm spends the last part of the budget on evaluating its finalists, one key a round
    for all of them, and the one of the lowest mean is the best.

    Args:
        algorithm: what searches before that; its state has `points` (stacked), the best one
            first, and their `values`, of the last round's key.
        population: candidates a round.
        share: of the budget, at the end. Default: a tenth, which several finalists need.

    Returns:
        An algorithm.

    Example:
        >>> import jaxhop
        >>> recipe = jaxhop.algorithms.annealed_mcmc()
        >>> recipe({"x": jaxhop.float(-5, 5)}, 16, noisy=True).width is not None
        True
    """
    begin = 1 - share

    def init(key: Any, points: Any = None) -> ConfirmedState:
        search = algorithm.init(key, points)
        finalists = search.values.shape[0]
        return ConfirmedState(
            search=search,
            means=jnp.zeros(finalists, jnp.float32),
            counts=jnp.zeros(finalists, jnp.float32),
            best=search.best,
            best_value=jnp.float32(jnp.inf),
            info=search.info,
        )

    def inner(progress: Any) -> jax.Array:
        return jnp.minimum(progress / begin, 1)

    def ask(key: Any, index: Any, state: ConfirmedState, progress: Any) -> Any:
        last = state.counts.shape[0] - 1
        return jax.lax.cond(
            progress >= begin,
            lambda: rows(state.search.points, jnp.minimum(index, last)),
            lambda: algorithm.ask(key, index, state.search, inner(progress)),
        )

    def tell(
        key: Any, state: ConfirmedState, batch: Batch, values: jax.Array, progress: Any
    ) -> ConfirmedState:
        return jax.lax.cond(
            progress >= begin,
            lambda: _confirm(state, usable(values, batch.valid)),
            lambda: _search(key, state, batch, values, progress),
        )

    def _search(
        key: Any, state: ConfirmedState, batch: Batch, values: jax.Array, progress: Any
    ) -> ConfirmedState:
        search = algorithm.tell(key, state.search, batch, values, inner(progress))
        now, before = search.values[0], state.best_value
        mean = jnp.where(jnp.isfinite(before), _MEMORY * before + (1 - _MEMORY) * now, now)
        return dataclasses.replace(
            state,
            search=search,
            # Progress may begin again: what was confirmed then says nothing of later points.
            means=jnp.zeros_like(state.means),
            counts=jnp.zeros_like(state.counts),
            best=rows(search.points, 0),
            best_value=jnp.where(jnp.isfinite(now), mean, before),
            info=search.info,
        )

    def _confirm(state: ConfirmedState, values: jax.Array) -> ConfirmedState:
        finalists = state.counts.shape[0]
        # A population of fewer candidates than finalists confirms the first ones.
        seen = (
            jnp.full(finalists, jnp.inf).at[: min(finalists, population)].set(values[:finalists])
        )
        counts = state.counts + jnp.isfinite(seen)
        change = jnp.where(jnp.isfinite(seen), seen - state.means, 0) / jnp.maximum(counts, 1)
        means = state.means + change
        score = jnp.where(counts > 0, means, jnp.inf)
        leader = jnp.argmin(score)
        known = jnp.isfinite(score[leader])
        return dataclasses.replace(
            state,
            means=means,
            counts=counts,
            best=jax.tree.map(
                lambda new, old: jnp.where(known, new, old),
                rows(state.search.points, leader),
                state.best,
            ),
            best_value=jnp.where(known, score[leader], state.best_value),
            info=state.info._replace(
                phase=jnp.int32(_CONFIRM), accepted=jnp.zeros(population, bool)
            ),
        )

    def width(state: ConfirmedState, progress: Any) -> jax.Array:
        finalists = min(state.counts.shape[0], population)
        usual = population
        if algorithm.width is not None:
            usual = algorithm.width(state.search, inner(progress))
        return jnp.where(progress >= begin, finalists, usual).astype(jnp.int32)

    return Algorithm(init, ask, tell, width, usual=algorithm.usual)
