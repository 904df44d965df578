"""The plainest of algorithms, for tests where the algorithm does not matter: it compiles fast."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import jaxhop
from jaxhop.algorithms import Algorithm


class Best(NamedTuple):
    """All that random search remembers."""

    best: Any
    best_value: jax.Array


def plain(space: Any, population: int, *, noisy: bool = False) -> Algorithm:
    """Random search of the user's own making; a recipe."""
    del population, noisy
    space = jaxhop.Space(space)

    def init(key: Any, points: Any) -> Best:
        del key
        return Best(jax.tree.map(lambda leaf: leaf[0], points), jnp.float32(jnp.inf))

    def ask(key: Any, index: Any, state: Best, progress: Any) -> Any:
        first = (index == 0) & (progress == 0)
        drawn = space.draw(
            jax.random.key_data(jax.random.fold_in(jax.random.wrap_key_data(key), index))
        )
        return jax.tree.map(lambda old, new: jnp.where(first, old, new), state.best, drawn)

    def tell(key: Any, state: Best, batch: Any, values: jax.Array, progress: Any) -> Best:
        del key, progress
        values = jnp.where(batch.valid & jnp.isfinite(values), values, jnp.inf)
        at = jnp.argmin(values)
        better = values[at] < state.best_value
        new = Best(batch.candidate(at), values[at])
        return jax.tree.map(lambda new, old: jnp.where(better, new, old), new, state)

    return Algorithm(init, ask, tell)
