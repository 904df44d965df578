"""From a population's values to a direction: weights of the candidates, and their noise added up.

Weights are halves of whole numbers: times signs their sums are exact, in whatever order devices
add them up. What nearly cancels would else be noise that Adam takes for a signal.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxhop import _noise
from jaxhop.algorithms._base import Batch, Part
from jaxhop.algorithms._perturbation import weighted
from jaxhop.space import Segment, balanced

_FACTORS = 2**18  # numbers in the factors of the directions that one matrix product adds up


def of_pairs(values: jax.Array, valid: jax.Array, directions: int) -> tuple[jax.Array, jax.Array]:
    """Weights of directions that were tried both ways: the signed ranks of the differences.

    Args:
        values: float32[population]: the mean's, then two of each direction, forth and back.
        valid: bool[population].
        directions: how many.

    Returns:
        float32[directions], the weights; and the average value of each pair.
    """
    forth, back = slice(1, 1 + 2 * directions, 2), slice(2, 2 + 2 * directions, 2)
    plus, minus = values[forth], values[back]
    ok = valid[forth] & valid[back] & (jnp.isfinite(plus) | jnp.isfinite(minus))
    change = jnp.where(ok, jnp.where(ok, plus, 0) - jnp.where(ok, minus, 0), 0)
    return jnp.sign(change) * (_ranks(jnp.abs(change)) + 1), (plus + minus) / 2


def of_singles(
    values: jax.Array, valid: jax.Array, directions: int
) -> tuple[jax.Array, jax.Array]:
    """Weights of directions that were tried one way: ranks, from the middle one on.

    Args:
        values: float32[population]: the mean's, then one of each direction.
        valid: bool[population].
        directions: how many.

    Returns:
        float32[directions], the weights; and the value of each.
    """
    own, ok = values[1 : 1 + directions], valid[1 : 1 + directions]
    ranks = _ranks(own)
    middle = jnp.sum(jnp.where(ok, ranks, 0)) / jnp.maximum(jnp.sum(ok), 1)
    return jnp.where(ok, ranks - middle, 0), own


def search_direction(
    key: jax.Array,
    batch: Batch,
    weights: jax.Array,
    segments: Sequence[tuple[Segment, ...]],
    shapes: Sequence[Any],
) -> tuple[jax.Array, ...]:
    """The mean over directions of weight times noise; weights count as of root mean square 1.

    Args:
        key: the round's, uint32[2].
        batch: adds up, on all devices.
        weights: float32[directions].
        segments: of each column of floats.
        shapes: of each column.

    Returns:
        float32, one array a column.
    """
    directions = len(weights)

    def part(low_rank: bool, together: int) -> Part:
        def term(operands: Any, turn: Any) -> Any:
            key, weights = operands
            index = turn * together + jnp.arange(together)
            own = jnp.where(index < directions, weights[index], 0)
            keys = jax.vmap(lambda i: _noise.fold_in(key, i))(index)
            return tuple(weighted(keys, own, parts, low_rank) for parts in segments)

        return Part(term, -(-directions // together))

    low_rank = [part for parts in segments for part in parts if part.rank]
    numbers = sum(part.rank * sum(map(math.prod, balanced(part.shape))) for part in low_rank)
    many = max(1, min(directions, _FACTORS // max(numbers, 1)))
    sums = batch.add_up([part(False, 1), part(True, many)], (key, weights))
    size = jnp.sqrt(jnp.mean(weights**2)) * directions
    unit = 1 / jnp.where(size > 0, size, 1)
    direction = []
    for dense, low, parts, shape in zip(*sums, segments, shapes, strict=True):
        both = {False: iter(dense), True: iter(low)}
        pieces = [next(both[bool(part.rank)]) for part in parts]
        whole = pieces[0] if len(pieces) == 1 else jnp.concatenate([p.ravel() for p in pieces])
        direction.append(unit * whole.reshape(shape.shape))
    return tuple(direction)


def _ranks(values: jax.Array) -> jax.Array:
    """Positions in ascending order from 0 on; equal values share the middle one of theirs."""
    order = jnp.sort(values)
    first = jnp.searchsorted(order, values, side="left")
    return (first + jnp.searchsorted(order, values, side="right") - 1) / jnp.float32(2)
