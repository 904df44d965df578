"""Probabilities of options, and how covariance adaptation learns them.

After Hamano et al. (2024), "CatCMA: Stochastic Optimization for Mixed-Category Problems".
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def taught(
    odds: tuple[jax.Array, ...],
    options: Callable[[Any], tuple[jax.Array, ...]],
    weights: jax.Array,
) -> tuple[jax.Array, ...]:
    """Probabilities moved towards the options of the better half.

    Args:
        odds: float32[k, options] for each column of k options.
        options: from a traced position in the round to what the candidate there has: like `odds`,
            1 where it has an option and 0 elsewhere.
        weights: float32[draws], positive for the better half, in sum 1.

    Returns:
        Probabilities; none falls so low that its option is never drawn again.
    """

    def add(at: Any, sums: Any) -> Any:
        return jax.tree.map(lambda total, own: total + weights[at] * own, sums, options(at))

    zeros = jax.tree.map(jnp.zeros_like, odds)
    wished = jax.lax.fori_loop(0, weights.size, add, zeros)
    mass = 1 / jnp.maximum(jnp.sum(weights**2), 1e-9)
    count = sum(own.shape[0] for own in odds)
    rate = mass / (mass + 2 * count + 5)
    made = []
    for before, own in zip(odds, wished, strict=True):
        least = 0.2 / (count * before.shape[1])
        mixed = jnp.maximum(before + rate * (own - before), least)
        made.append(mixed / jnp.sum(mixed, axis=1, keepdims=True))
    return tuple(made)
