"""A column of floats as a base plus noise, some of it as products that nobody multiplied yet."""

import dataclasses
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhop import _noise


def shortened(x: jax.Array, dtype: Any) -> jax.Array:
    """Numbers in another dtype, rounded to it for good.

    A compiler may drop the rounding of numbers that are read in float32 again, and evaluate a
    candidate that is not the one that is kept.

    Args:
        x: float32.
        dtype: a floating dtype.

    Returns:
        The numbers in that dtype.
    """
    if jnp.dtype(dtype).itemsize < 4:
        kind = jnp.finfo(dtype)
        x = jax.lax.reduce_precision(x, kind.nexp, kind.nmant)
    return x.astype(dtype)


def dither(y: jax.Array, words: jax.Array, dtype: Any) -> jax.Array:
    """What makes rounding to a short dtype right on average: steps below its last digit count.

    Args:
        y: float32, what will be rounded.
        words: uint32 of its shape.
        dtype: the short dtype.

    Returns:
        float32, to be added before rounding.

    Example:
        >>> y = jnp.full(10_000, 1.001)  # bfloat16 knows 1 and 1.0078, and nothing between them
        >>> words = jax.random.bits(jax.random.key(0), y.shape)
        >>> rounded = (y + dither(y, words, jnp.bfloat16)).astype(jnp.bfloat16)
        >>> f"{rounded.astype(jnp.float32).mean():.3f}"
        '1.001'
    """
    _, exponent = jnp.frexp(y)
    kind = jnp.finfo(dtype)
    last = jnp.ldexp(jnp.float32(1), exponent - kind.nmant - 1)
    last = jnp.maximum(last, jnp.float32(kind.smallest_subnormal))
    return (_noise.uniform(words) - 0.5) * last


class Segment(NamedTuple):
    """A part of a column that draws its noise on its own.

    Attributes:
        kind: of noise.
        number: which leaf of the space it begins with.
        shape: of the leaf if it is one, else of a flat array.
        rank: of the noise, 0 where that is a plain array.

    Example:
        >>> Segment(kind="lowrank", number=0, shape=(64, 32), rank=1).rank
        1
    """

    kind: str
    number: int
    shape: tuple[int, ...]
    rank: int


class Factors(NamedTuple):
    """A matrix of low rank: the sum over r of `rows[..., r] x columns[..., r]`.

    Attributes:
        rows: float32[*first axes, rank].
        columns: float32[*other axes, rank].

    Example:
        >>> Factors(jnp.array([[1.0], [2.0]]), jnp.array([[3.0], [4.0]])).product()
        Array([[3., 4.],
               [6., 8.]], dtype=float32)
    """

    rows: jax.Array
    columns: jax.Array

    def product(self) -> jax.Array:
        """The matrix, written out."""
        rank = self.rows.shape[-1]
        rows = self.rows.reshape(-1, rank)
        columns = self.columns.reshape(-1, rank)
        if rank == 1:
            product = rows * columns[:, 0]
        else:
            product = rows @ columns.T
        return product.reshape(self.rows.shape[:-1] + self.columns.shape[:-1])


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Perturbed:
    """Coordinates of a column: `base + size * noise`.

    Attributes:
        base: the column's coordinates, of all candidates alike.
        noise: an array or `Factors` for each segment.
        size: float32, deviation of the change, with a sign.
        segments: what the noise is of.

    Example:
        >>> noise = Factors(jnp.ones((2, 1)), jnp.array([[1.0], [-1.0]]))
        >>> parts = (Segment("lowrank", 0, (2, 2), 1),)
        >>> moved = Perturbed(jnp.zeros((2, 2)), (noise,), jnp.float32(0.5), parts)
        >>> moved.change().tolist(), moved.written_out().dtype
        ([[0.5, -0.5], [0.5, -0.5]], dtype('float32'))
    """

    base: jax.Array
    noise: tuple[Any, ...]
    size: jax.Array
    segments: tuple[Segment, ...] = dataclasses.field(metadata={"static": True})

    def change(self) -> jax.Array:
        """`size * noise` in the shape of the column, float32."""
        parts = [
            self.size * (part.product() if isinstance(part, Factors) else part)
            for part in self.noise
        ]
        if len(parts) == 1:
            return parts[0].reshape(self.base.shape)
        return jnp.concatenate([part.ravel() for part in parts])

    def written_out(self) -> jax.Array:
        """The coordinates, as an array."""
        return shortened(self.base.astype(jnp.float32) + self.change(), self.base.dtype)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LowRank:
    """A leaf's value `base + factors`, not yet added up.

    Attributes:
        base: the leaf at the mean.
        factors: of the change, in the leaf's dtype.

    Example:
        >>> factors = Factors(jnp.ones((2, 1)), jnp.array([[1.0], [-1.0]]))
        >>> LowRank(jnp.zeros((2, 2)), factors).written_out().tolist()
        [[1.0, -1.0], [1.0, -1.0]]
    """

    base: jax.Array
    factors: Factors

    def written_out(self) -> jax.Array:
        """The value, as an array."""
        product = Factors(*(part.astype(jnp.float32) for part in self.factors)).product()
        return shortened(self.base.astype(jnp.float32) + product, self.base.dtype)


def written_out(tree: Any) -> Any:
    """A point or values without anything that is not added up yet.

    Args:
        tree: a pytree that may hold `Perturbed` or `LowRank`.

    Returns:
        The same with arrays in their places.

    Example:
        >>> factors = Factors(jnp.ones((2, 1)), jnp.ones((3, 1)))
        >>> tree = {"w": LowRank(jnp.zeros((2, 3)), factors), "b": jnp.zeros(3)}
        >>> jax.tree.map(jnp.shape, written_out(tree))
        {'b': (3,), 'w': (2, 3)}
    """

    def is_lazy(leaf: Any) -> bool:
        return isinstance(leaf, Perturbed | LowRank)

    return jax.tree.map(
        lambda leaf: leaf.written_out() if is_lazy(leaf) else leaf, tree, is_leaf=is_lazy
    )


def balanced(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """An array's axes in two groups, so that the matrix they make is as square as can be.

    Kernels of convolutions come out as (all but the output channels, output channels) or the
    other way round, whichever the library's layout.

    Args:
        shape: of an array of two dimensions at least.

    Returns:
        The lengths of the first axes and those of the others.

    Example:
        >>> balanced((3, 3, 32, 64)), balanced((64, 32, 3, 3))
        (((3, 3, 32), (64,)), ((64,), (32, 3, 3)))
    """
    cut = max(range(1, len(shape)), key=lambda k: min(math.prod(shape[:k]), math.prod(shape[k:])))
    return shape[:cut], shape[cut:]
