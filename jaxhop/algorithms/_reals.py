"""Points as one vector of real numbers, and a choice of options for all else."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.algorithms._distribution import Walls
from jaxhop.space import Index, Space, grain, is_numeric, relaxed, unrelaxed, walls


class Reals:
    """What covariance adaptation sees of a space.

    Args:
        space: the space; its columns are numbers or options.

    Attributes:
        n: how many real numbers.
        walls: their bounds.

    Raises:
        ValueError: if the space has other parameters, parts that only count at times, or no
            number.
    """

    def __init__(self, space: Space) -> None:
        self._columns = space.columns
        self._numeric = [is_numeric(column) for column in space.columns]
        reason = None
        if space.conditional:
            reason = "which of its numbers count depends on others"
        elif not any(self._numeric):
            reason = "it has no number"
        elif not all(
            own or isinstance(column.parameter, Index)
            for own, column in zip(self._numeric, space.columns, strict=True)
        ):
            reason = "it has a permutation or custom parameter"
        if reason:
            raise ValueError(
                f"`space`: covariance_adaptation moves numbers and options, but {reason}."
                " Use annealed_mcmc."
            )
        self._sizes = [column.parameter.pairs for column in self._own()]
        self.n = sum(self._sizes)
        low, high = zip(*(walls(column) for column in self._own()), strict=True)
        self.walls = Walls(np.concatenate(low), np.concatenate(high))

    def _own(self) -> list[Any]:
        return [c for c, own in zip(self._columns, self._numeric, strict=True) if own]

    def _parts(self, vector: jax.Array) -> list[jax.Array]:
        return list(jax.lax.split(vector, self._sizes))

    def vector(self, point: Any) -> jax.Array:
        """The real numbers of a point; float32[n]."""
        pairs = zip(self._columns, self._numeric, point, strict=True)
        return jnp.concatenate([relaxed(column, x) for column, own, x in pairs if own])

    def grain(self, vector: jax.Array) -> jax.Array:
        """How far apart legal values are; float32[n]."""
        pairs = zip(self._own(), self._parts(vector), strict=True)
        return jnp.concatenate([grain(column, part) for column, part in pairs])

    def even(self) -> tuple[jax.Array, ...]:
        """Equal probabilities of all options; one float32[k, options] for each column of them."""
        made = []
        for column, own in zip(self._columns, self._numeric, strict=True):
            if not own:
                index = column.parameter
                assert isinstance(index, Index)
                options = int(index.last) + 1
                made.append(jnp.full((index.pairs, options), 1 / options, jnp.float32))
        return tuple(made)

    def point(self, vector: jax.Array, odds: tuple[jax.Array, ...], words: jax.Array) -> Any:
        """The point of real numbers, with options drawn by their probabilities.

        Args:
            vector: float32[n].
            odds: probabilities.
            words: uint32, as many as there are options to draw.

        Returns:
            A point.
        """
        numbers = iter(zip(self._own(), self._parts(vector), strict=True))
        chances, first, made = iter(odds), 0, []
        for column, own in zip(self._columns, self._numeric, strict=True):
            if own:
                made.append(unrelaxed(*next(numbers)))
                continue
            chance, index = next(chances), column.parameter
            assert isinstance(index, Index)
            own_words = words[first : first + index.pairs]
            first += index.pairs
            upto = jnp.cumsum(chance, axis=1)[:, :-1]
            option = jnp.sum(_noise.uniform(own_words)[:, None] > upto, axis=1)
            made.append(option.astype(jnp.int32).reshape(index.shape))
        return tuple(made)

    def options(self, point: Any) -> tuple[jax.Array, ...]:
        """Which options a point has: like `even`, 1 where it has one and 0 elsewhere."""
        made = []
        for column, own, x in zip(self._columns, self._numeric, point, strict=True):
            if not own:
                index = column.parameter
                assert isinstance(index, Index)
                made.append(jax.nn.one_hot(x.reshape(-1), int(index.last) + 1, dtype=jnp.float32))
        return tuple(made)
