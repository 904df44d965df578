"""The schedule of the annealing: how much moves, how far, and from how many chains."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp


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
