"""What search gradients keep: the best candidate, or the best mean where values are random."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxhop.algorithms._base import Batch
from jaxhop.algorithms._search_gradient_state import SearchGradientState, parted
from jaxhop.space import written_out

_MEMORY = 0.9  # of the moving means that values of a random objective are judged by


def best_kept(state: SearchGradientState, batch: Batch, values: jax.Array) -> SearchGradientState:
    """Keeps the best candidate of a round, if it is better than what was kept.

    Args:
        state: before the round.
        batch: the candidates.
        values: float32[population], infinite for those that are not to be kept.

    Returns:
        The state with the best point and its value.
    """
    winner = jnp.argmin(values)
    improved = values[winner] < state.kept_value

    def candidate(turn: Any, kept: Any) -> Any:
        # The turn is 0; what does not depend on it would be made whether there is one or not.
        return written_out(batch.candidate(winner + turn))

    # A loop of one turn or none: unlike a branch it works in place.
    kept = jax.lax.fori_loop(0, improved.astype(jnp.int32), candidate, state.kept)
    value = jnp.where(improved, values[winner], state.kept_value)
    return dataclasses.replace(state, kept=kept, kept_value=value)


def mean_kept(
    state: SearchGradientState, value: jax.Array, exploring: jax.Array, confirming: jax.Array
) -> SearchGradientState:
    """Keeps the mean of a random objective, if the moving mean of its value is the lowest so far.

    Args:
        state: after `best_kept`.
        value: float32, of the mean.
        exploring: whether candidates came from anywhere.
        confirming: whether mean and kept point are evaluated by turns.

    Returns:
        The state with the kept mean, the moving mean, and the sums of what was confirmed.
    """
    first = jnp.isnan(state.level)
    level = jnp.where(first, value, _MEMORY * state.level + (1 - _MEMORY) * value)
    # A mean without a value, or one that is only confirmed, changes nothing.
    seen = jnp.isfinite(value) & ~exploring
    level = jnp.where(seen & ~confirming, level, state.level)
    # What was kept of the exploration is the luckiest of many.
    better = seen & ~confirming & (first | (level < state.kept_value))
    centre = state.centre
    kept = jax.lax.fori_loop(0, better.astype(jnp.int32), lambda _, kept: centre, state.kept)
    seen &= confirming
    assert state.sums is not None and state.counts is not None
    # Progress may begin again: what was confirmed then says nothing of later means.
    return dataclasses.replace(
        state,
        kept=kept,
        kept_value=jnp.where(better, level, state.kept_value),
        level=level,
        sums=jnp.where(confirming, state.sums.at[0].add(jnp.where(seen, value, 0)), 0),
        counts=jnp.where(confirming, state.counts.at[0].add(seen), 0),
    )


def swapped(state: SearchGradientState, confirming: jax.Array) -> SearchGradientState:
    """Puts mean and kept point in each other's place, so that both are evaluated by turns.

    Args:
        state: after a round.
        confirming: whether they are to be; else nothing changes.

    Returns:
        The state.
    """

    def swap(_: Any, state: SearchGradientState) -> SearchGradientState:
        assert state.sums is not None and state.counts is not None
        mean, others = parted(state.kept, state.floats)
        chain = state.others
        if chain is not None:
            points = jax.tree.map(lambda x, new: x.at[0].set(new), chain.points, others)
            chain = dataclasses.replace(chain, points=points)
        return dataclasses.replace(
            state,
            mean=mean,
            others=chain,
            kept=state.centre,
            sums=jnp.flip(state.sums),
            counts=jnp.flip(state.counts),
        )

    return jax.lax.fori_loop(0, confirming.astype(jnp.int32), swap, state)
