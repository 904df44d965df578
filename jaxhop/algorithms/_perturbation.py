"""Kinds of noise: what a candidate's floats differ by from the mean, made from its key.

Noise has mean 0, variance 1 and no correlation between numbers, parameters, rounds or candidates
of different keys. The first moment of a population's values times its noise is then the gradient
of the smoothed objective, whatever the kind.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space import Column, Factors, Float, Perturbed, Segment, balanced

KINDS = ("normal", "sign", "lowrank", "sparse")
_SHARE = 1 / 16  # of the numbers that sparse noise changes
_BITS = 32
_LEAST_SIDE = 16  # of a matrix whose noise is of low rank: below, its factors save nothing


class Kinds(NamedTuple):
    """Which noise each parameter gets.

    Attributes:
        matrix: kind for arrays of two or more dimensions.
        other: kind for all else.
        rank: of low-rank noise.
    """

    matrix: str
    other: str
    rank: int


def kinds(noise: str | None, rank: int) -> Kinds:
    """The kinds of noise that a name stands for.

    Args:
        noise: one of `KINDS`, or None for the cheapest that fits each parameter.
        rank: of low-rank noise.

    Returns:
        The kinds.

    Raises:
        ValueError: if there is no such noise, or no such rank.
    """
    if noise is not None and noise not in KINDS:
        names = ", ".join(f'"{kind}"' for kind in KINDS)
        raise ValueError(f"`noise={noise!r}`: it must be one of {names}, or None to choose.")
    if type(rank) is not int or rank < 1:
        raise ValueError(f"`rank={rank!r}`: a whole number of at least 1 must be given.")
    if noise is None:
        return Kinds("lowrank", "sign", rank)
    return Kinds(noise, "normal" if noise == "lowrank" else noise, rank)


def segments(column: Column, chosen: Kinds) -> tuple[Segment, ...]:
    """The parts of a column that draw their noise on their own.

    Each matrix of low-rank noise is one; parameters between two of them draw together, so that
    thousands of single numbers are one draw.

    Args:
        column: a column of floats.
        chosen: kinds of noise.

    Returns:
        Segments in the order of the column's numbers.
    """
    made: list[Segment] = []
    for leaf, number in zip(column.leaves, column.numbers, strict=True):
        assert isinstance(leaf, Float)
        matrix = len(leaf.shape) > 1
        kind = chosen.matrix if matrix else chosen.other
        if kind == "lowrank":
            sides = balanced(leaf.shape)
            if min(math.prod(side) for side in sides) >= _LEAST_SIDE and leaf.unit.ndim == 0:
                made.append(Segment(kind, number, leaf.shape, chosen.rank))
                continue
            kind = chosen.other
        # A short array is read by many, and few signs make few directions.
        kind = "normal" if leaf.pairs < _noise.SHORT and kind == "sign" else kind
        before = made[-1] if made else None
        if before is not None and before.kind == kind and not before.rank:
            made[-1] = before._replace(shape=(math.prod(before.shape) + leaf.pairs,))
        else:
            made.append(Segment(kind, number, leaf.shape, 0))
    return tuple(made)


def draw(key: jax.Array, segment: Segment) -> jax.Array | Factors:
    """The noise of a segment.

    Args:
        key: the candidate's, uint32[2].
        segment: what is drawn.

    Returns:
        float32 of the segment's shape, or the factors of a matrix.
    """
    key = _noise.fold_in(key, segment.number)
    if segment.rank:
        return _factors(key, segment)
    n = math.prod(segment.shape)
    make = {"normal": _normal, "sign": _sign, "sparse": _sparse}[segment.kind]
    return make(key, n).reshape(segment.shape)


def perturbed(
    key: jax.Array, column: Column, parts: tuple[Segment, ...], base: jax.Array, size: Any
) -> Any:
    """A column's coordinates plus so many times the noise of a key.

    Args:
        key: the candidate's, uint32[2].
        column: a column of floats.
        parts: its segments.
        base: its coordinates.
        size: deviation of the change as a step, negative for the other half of a pair.

    Returns:
        Coordinates; if noise of low rank is among it and no bounds are in its way, as a
        `Perturbed`, which the objective may take without the matrices being written out.
    """
    noise = tuple(draw(key, part) for part in parts)
    parameter = column.parameter
    assert isinstance(parameter, Float)
    lazy = Perturbed(base, noise, jnp.float32(size * parameter.reach), parts)
    free = parameter.low is None and parameter.high is None and parameter.precision is None
    if free and any(part.rank for part in parts):
        return lazy
    return parameter.shifted(base, lazy.change())


def weighted(
    keys: jax.Array, weights: jax.Array, parts: tuple[Segment, ...], low_rank: bool
) -> tuple[jax.Array, ...]:
    """The sum of a few candidates' noise times their weights.

    Args:
        keys: uint32[n, 2].
        weights: float32[n].
        parts: segments of a column.
        low_rank: whether to sum up the matrices of low rank, or all else; the others are left
            out. A product of matrices wants many candidates at once, the rest wants few.

    Returns:
        float32 arrays of the shapes of the segments that were asked for.
    """
    sums: list[jax.Array] = []
    for part in parts:
        if bool(part.rank) != low_rank:
            continue
        if part.rank:
            rows, columns = jax.vmap(lambda key, part=part: draw(key, part))(keys)
            rows = rows.reshape(len(weights), -1, part.rank) * weights[:, None, None]
            columns = columns.reshape(len(weights), -1, part.rank)
            total = jnp.einsum("pir,pjr->ij", rows, columns, preferred_element_type=jnp.float32)
            sums.append(total.reshape(part.shape))
        else:
            # Written out, so that one pass over memory serves them all.
            total: Any = 0.0
            for i in range(len(weights)):
                total += draw(keys[i], part) * weights[i]
            sums.append(total)
    return tuple(sums)


def _normal(key: jax.Array, n: int) -> jax.Array:
    """One word each: independent, all values."""
    return _noise.filled(key, n, _noise.normal)


def _sign(key: jax.Array, n: int) -> jax.Array:
    """One bit each: +1 or -1, 3,000 million a second."""
    places = jnp.arange(_BITS, dtype=jnp.uint32)
    bits = (_noise.filled(key, -(-n // _BITS))[:, None] >> places).reshape(-1)[:n]
    return _signed(np.float32(1), bits)


def _sparse(key: jax.Array, n: int) -> jax.Array:
    """A byte each: one number in 16 is +4 or -4, the others 0; 1,000 million a second."""
    places = jnp.arange(0, _BITS, 8, dtype=jnp.uint32)
    octets = (_noise.filled(key, -(-n // 4))[:, None] >> places).reshape(-1)[:n]
    height = np.float32(_SHARE**-0.5)
    return jnp.where((octets >> 1) & 15 == 0, _signed(height, octets), 0)


def _signed(height: np.float32, bits: jax.Array) -> jax.Array:
    """A number with the sign of the lowest bit: put in its place rather than looked up."""
    word = jnp.uint32(height.view(np.uint32)) ^ (bits << 31)
    return jax.lax.bitcast_convert_type(word, jnp.float32)


def _factors(key: jax.Array, segment: Segment) -> Factors:
    """Two thin matrices of normal numbers whose product has variance 1."""
    sides = balanced(segment.shape)
    rows, columns = (math.prod(side) for side in sides)
    numbers = _noise.filled(key, (rows + columns) * segment.rank, _noise.normal)
    cut = rows * segment.rank
    return Factors(
        (numbers[:cut] * np.float32(segment.rank**-0.5)).reshape(*sides[0], segment.rank),
        numbers[cut:].reshape(*sides[1], segment.rank),
    )
