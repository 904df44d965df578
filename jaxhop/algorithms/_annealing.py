"""The schedule of the annealing: how much moves, how far, and from how many chains."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxhop.space import Space

_CHAIN_BYTES = 16 * 2**20
_PROPOSALS_PER_CHAIN = 64  # below that a chain has too few improving moves to add up


@dataclasses.dataclass(frozen=True, kw_only=True)
class Annealing:
    """Functions of progress, and of the evaluations that the budget will have allowed for.

    The latter are not known beforehand if only time is limited; they are what was evaluated so far
    over the progress that it made.

    Attributes:
        size: coordinates of the space.
        chains: how many chains there are at first.
        explore: progress at which the annealing begins.
        start: first step of a numeric coordinate, in units of its range.
        end: last one; None to derive it from the number of evaluations.
    """

    size: int
    chains: int
    explore: float
    start: float
    end: float | None

    def share(self, progress: Any) -> jax.Array:
        """How much of the annealing is over.

        Args:
            progress: used share of the budget.

        Returns:
            A number in [0, 1].
        """
        return jnp.clip((progress - self.explore) / max(1 - self.explore, 1e-9), 0, 1)

    def visits(self, evaluated: jax.Array, progress: Any) -> jax.Array:
        """Evaluations for each coordinate that the whole budget will have allowed for.

        Args:
            evaluated: evaluations so far.
            progress: used share of the budget.

        Returns:
            A positive number.
        """
        return jnp.maximum(evaluated, 1) / jnp.clip(progress, 1e-9, 1) / self.size

    def temperature(self, evaluated: jax.Array, progress: Any) -> jax.Array:
        """Falls geometrically from 1 to the end temperature over the first one.

        An end too low starves a small budget, one too high wastes a large one. Measured on shifted
        functions of 20 to 1,000 coordinates: 5e-5 serves 200 visits of each, 0.2 serves 10.

        Args:
            evaluated: evaluations so far.
            progress: used share of the budget.

        Returns:
            A number in (0, 1].
        """
        if self.end is None:
            low = jnp.clip(5e-5 * (200 / self.visits(evaluated, progress)) ** 3, 1e-6, 0.2)
        else:
            low = jnp.float32(self.end)
        return jnp.minimum(low / self.start, 1) ** self.share(progress)

    def most(self, evaluated: jax.Array, progress: Any) -> jax.Array:
        """The greatest number of coordinates that one proposal should change.

        One at a time is best where each coordinate gets its turn often enough.

        Args:
            evaluated: evaluations so far.
            progress: used share of the budget.

        Returns:
            A number in [1, size].
        """
        return jnp.clip(50 / self.visits(evaluated, progress), 1, self.size)

    def active(self, alive: Any, progress: Any) -> jax.Array:
        """How many chains get proposals: all at first, one in the second half.

        Args:
            alive: how many chains have a value.
            progress: used share of the budget.

        Returns:
            int32, at least 1.
        """
        falling = jnp.ceil(self.chains * (1 - 2 * self.share(progress))).astype(jnp.int32)
        return jnp.maximum(1, jnp.minimum(falling, alive))


def chains_for(space: Space, population: int, noisy: bool, chains: int | None) -> int:
    """How many chains there are.

    Args:
        space: what they move in.
        population: proposals a round.
        noisy: whether values are random.
        chains: what the user asked for; None for what population and memory suggest.

    Returns:
        A number from 1 to the population.

    Example:
        >>> import jaxhop
        >>> space = Space({"x": jaxhop.float(0, 1)})
        >>> chains_for(space, population=256, noisy=False, chains=None)
        4
    """
    if chains is None:
        fit = (max(_CHAIN_BYTES, 4 * space.nbytes) // space.nbytes - 1) // 2
        chains = max(1, min(population // _PROPOSALS_PER_CHAIN, fit))
    # A noisy search evaluates each chain twice a round, beside its proposals.
    return min(chains, max(1, population // 4) if noisy else population)


def typical_change(before: jax.Array, changes: jax.Array) -> jax.Array:
    """Moving geometric mean of the sizes of changes: the unit of Metropolis' temperature.

    Args:
        before: float32, the mean so far; NaN if there is none.
        changes: float32[population]; those that are zero or not finite do not count.

    Returns:
        float32.
    """
    use = jnp.isfinite(changes) & (changes != 0)
    logs = jnp.where(use, jnp.log(jnp.where(use, jnp.abs(changes), 1)), 0)
    now = jnp.exp(jnp.sum(logs) / jnp.maximum(jnp.sum(use), 1))
    mixed = jnp.where(jnp.isnan(before), now, 0.9 * before + 0.1 * now)
    return jnp.where(jnp.any(use), mixed, before)


def check_settings(
    chains: int | None, explore: float, start: float, end: float | None, spread: float
) -> None:
    """Refuses settings of `annealed_mcmc` that are out of range.

    Args:
        chains: number of chains, or None.
        explore: share of the budget spent on exploring.
        start: first temperature.
        end: last one, or None.
        spread: deviation of the logarithm of the step.

    Raises:
        ValueError: if one of them is out of its range.
    """
    if chains is not None and (type(chains) is not int or chains < 1):
        raise ValueError(f"`chains={chains!r}`: a whole number of at least 1 must be given.")
    if not 0 <= explore <= 1:
        raise ValueError(f"`explore={explore!r}`: a share in [0, 1] must be given, such as 0.1.")
    if not 0 < start <= 1:
        raise ValueError(f"`start_temperature={start!r}`: it must be in (0, 1], such as 0.5.")
    if end is not None and not 0 < end <= start:
        raise ValueError(
            f"`end_temperature={end!r}`: it must be in (0, start_temperature={start!r}]."
        )
    if not spread >= 0:
        raise ValueError(f"`spread={spread!r}`: it must not be negative. Give 0 for equal steps.")
