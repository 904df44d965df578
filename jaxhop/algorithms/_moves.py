"""Candidates in blocks: one compiled program draws some and moves others."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space import Proposal, Space


class Manner(NamedTuple):
    """How a block of candidates is made.

    Attributes:
        first: position of the first one in the low-discrepancy sequence.
        until: those before this position are drawn, the others moved.
        sequence: raw key data that chooses the sequence.
        step: typical size of a move, in units of the range.
        temperature: for moves that are no steps.
    """

    first: int
    until: int
    sequence: np.ndarray
    step: float
    temperature: float


class Moved(NamedTuple):
    """A block of candidates.

    Attributes:
        points: stacked points.
        parents: int[m], from which of the parents each was moved.
        drawn: bool[m], whether it was drawn instead.
    """

    points: Any
    parents: np.ndarray
    drawn: np.ndarray


class Moves:
    """Makes candidates; the program is compiled once for each size of a block.

    A dispatch costs as much as a hundred candidates of ten numbers.

    Args:
        space: the space.
        spread: deviation of the logarithm of the step.
    """

    def __init__(self, space: Space, spread: float) -> None:
        self._space, self._spread = space, spread
        self._compiled = jax.jit(self._block, static_argnums=0)

    def __call__(
        self, size: int, key: np.ndarray, parents: Any, live: int, manner: Manner
    ) -> Moved:
        """A block of candidates.

        A move changes k coordinates, k log-uniform between 1 and all, the less far the more.

        Args:
            size: how many.
            key: raw key data.
            parents: stacked points, always as many.
            live: how many of them, from the first on, to move away from.
            manner: the rest.

        Returns:
            The candidates, on the host.
        """
        position = np.array([live, manner.first, manner.until], np.int32)
        heat = np.array([manner.step, manner.temperature], np.float32)
        made = self._compiled(size, key, parents, position, manner.sequence, heat)
        return Moved(*jax.tree.map(np.asarray, made))

    def _block(
        self,
        size: int,
        key: jax.Array,
        parents: Any,
        position: jax.Array,
        sequence: jax.Array,
        heat: jax.Array,
    ) -> tuple[Any, jax.Array, jax.Array]:
        space, (live, first, until), (step, temperature) = self._space, position, heat

        def one(index: jax.Array) -> tuple[Any, jax.Array, jax.Array]:
            own = _noise.fold_in(key, index)
            (how_many, which), (how_far, whose) = _noise.pairs(own, 2, offset=space.pairs)
            parent = _noise.below(whose, live)
            x = jax.tree.map(lambda leaf: leaf[parent], parents)
            k = jnp.exp(_noise.uniform(how_many) * np.log(space.size))
            proposal = Proposal(
                rate=(k - 1) / space.size,
                step=step * jnp.exp(self._spread * _noise.normal(how_far)) / k**0.25,
                temperature=temperature,
                forced=space.pick(which, x),
            )
            drawn = first + index < until
            moved = space.move(own, x, proposal)
            anywhere = space.draw(own, first + index, sequence)
            point = jax.tree.map(lambda a, b: jnp.where(drawn, a, b), anywhere, moved)
            return point, parent, drawn

        return jax.vmap(one)(jnp.arange(size))


def rows(points: Any, index: Any) -> Any:
    """Some of the points that are stacked on the host.

    Args:
        points: stacked points.
        index: what NumPy takes as an index.

    Returns:
        Stacked points.
    """
    return jax.tree.map(lambda leaf: np.asarray(leaf)[index], points)


def where(mask: np.ndarray, these: Any, those: Any) -> Any:
    """These points where the mask says so, those elsewhere; all stacked on the host."""

    def one(this: np.ndarray, that: np.ndarray) -> np.ndarray:
        return np.where(mask.reshape(-1, *(1,) * (this.ndim - 1)), this, that)

    return jax.tree.map(one, these, those)
