"""Temperatures in the unit of the values, from what moves cost near a local optimum."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

_HALVINGS = 24
_TINY = float(jnp.finfo(jnp.float32).tiny)
_LAST = 0.1  # last temperature over the first one, and how often worse moves are accepted
_END = 0.98  # progress from which on nothing worse is accepted


class Cooling(NamedTuple):
    """How the temperature falls.

    Attributes:
        heats: float32[2], the first temperature and the last; see `heats_for`.
        began: float32, progress at which the annealing began; above 1 if it did not.
    """

    heats: jax.Array
    began: jax.Array

    def share(self, progress: Any) -> jax.Array:
        """How much of the annealing is over.

        Args:
            progress: used share of the budget.

        Returns:
            A number in [0, 1].
        """
        return jnp.clip((progress - self.began) / jnp.maximum(_END - self.began, 1e-6), 0, 1)

    def relative(self, progress: Any) -> jax.Array:
        """The temperature over the first one; 1 before the annealing begins.

        Args:
            progress: used share of the budget.

        Returns:
            A number in (0, 1].
        """
        first, last = self.heats
        return jnp.where(first > 0, last / jnp.maximum(first, _TINY), 1) ** self.share(progress)

    def heat(self, progress: Any) -> jax.Array:
        """The temperature: 0 before the annealing, and at the end of the budget.

        Args:
            progress: used share of the budget.

        Returns:
            A number, not negative.
        """
        hot = (self.began <= 1) & (progress < _END)
        return jnp.where(hot, self.heats[0] * self.relative(progress), 0)


def heats_for(changes: jax.Array, chance: float) -> jax.Array:
    """The temperatures that an annealing begins and ends with.

    The last one is a tenth of the first, or less where some moves cost far more than others, such
    as penalties: then it is where worse moves are accepted a tenth as often.

    Args:
        changes: float32[...], what moves add to the value near a local optimum.
        chance: how often worse ones are accepted at first.

    Returns:
        float32[2].
    """
    first = heat_for(changes, chance)
    return jnp.stack([first, jnp.minimum(heat_for(changes, _LAST * chance), _LAST * first)])


def heat_for(changes: jax.Array, chance: float) -> jax.Array:
    """The temperature at which moves that make a value worse are accepted so often on average.

    It is in the unit of the values, and is what Metropolis' rule needs to begin with, whatever
    that unit and however few of the moves are any good.

    Args:
        changes: float32[...], what moves add to the value; those that do not make it worse, or are
            not finite, do not count.
        chance: mean probability of acceptance, in (0, 1).

    Returns:
        float32, not negative; 0 where no change counts.

    Example:
        >>> round(float(heat_for(jnp.float32([1.0, 1.0, -3.0, jnp.inf]), 0.5)), 3)  # 1 / log(2)
        1.443
    """
    counts = jnp.isfinite(changes) & (changes > 0)
    number = jnp.maximum(jnp.sum(counts), 1)
    most = jnp.max(jnp.where(counts, changes, 0)) / -jnp.log(chance)

    def halve(turn: jax.Array, heat: jax.Array) -> jax.Array:
        """Steps that halve towards where the rate is the chance, on a scale of 2**-32 to 1."""
        rate = jnp.sum(jnp.where(counts, jnp.exp(-changes / heat), 0)) / number
        step = 2.0 ** (16 * 0.5 ** (turn + 1.0))
        return heat * jnp.where(rate < chance, step, 1 / step)

    middle = jnp.maximum(most, _TINY) * 2.0**-16
    heat = jax.lax.fori_loop(0, _HALVINGS, halve, middle)
    return jnp.where(jnp.any(counts), heat, 0)
