"""Points as vectors of numbers: what a model of the objective compares candidates by."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop.space._column import Column
from jaxhop.space._float import Float
from jaxhop.space._index import Index
from jaxhop.space._int import Int
from jaxhop.space._permutation import Permutation
from jaxhop.space._space import Space

_MOST = 200  # of more numbers a model learns nothing in the trials that can afford one
_UNUSED = 0.5


class Features(NamedTuple):
    """How the points of a space are described by numbers.

    Numbers count in units of their range, or of four times their scale where a bound is missing.
    Options without an order are one range apart, whichever two they are, and so are permutations
    that have no place in common.

    Attributes:
        of: from a point, on the host or traced, to float32[p].
        groups: int64[p], which coordinate each feature belongs to, counted from 0; a choice is
            one coordinate, and so is a permutation.
        whole: whether candidates with equal features are equal.
    """

    of: Callable[[Any], jax.Array]
    groups: np.ndarray
    whole: bool


def features(space: Space) -> Features:
    """Describes the points of a space by at most 200 numbers.

    Parameters that nothing can be measured of are left out, and so are those that make too many.

    Args:
        space: the space.

    Returns:
        The features, none at all if nothing is left.

    Example:
        >>> space = Space({"x": Float(-1, 1), "n": Int(0, 4)})
        >>> features(space).of(space.initial()).tolist()
        [0.5, 0.5]
    """
    widths = [_width(column) for column in space.columns]
    groups: list[int] = []
    described = []
    for column, width in zip(space.columns, widths, strict=True):
        fits = 0 < width and len(groups) + width <= _MOST
        described.append(fits)
        if fits:
            first = groups[-1] + 1 if groups else 0
            groups += [first + own for own in _groups(column, width)]
    missed = [
        column.parameter.size > 0 and not own
        for column, own in zip(space.columns, described, strict=True)
    ]

    def of(point: Any) -> jax.Array:
        used = space.used(point)
        parts = [
            _numbers(column, x, use)
            for column, x, use, own in zip(space.columns, point, used, described, strict=True)
            if own
        ]
        return jnp.concatenate(parts) if parts else jnp.zeros(0, jnp.float32)

    return Features(of, np.array(groups, np.int64), not any(missed))


def _options(index: Index) -> int:
    """How many features an option is described by: one if two are all there are."""
    number = int(np.max(index.last)) + 1
    return 1 if index.ordinal or number == 2 else number


def _width(column: Column) -> int:
    """How many features a column has."""
    parameter = column.parameter
    # Where the user's own functions have the last word, a proposal does not know its value yet.
    if parameter.size == 0 or any(leaf.rules is not None for leaf in column.leaves):
        return 0
    if isinstance(parameter, Permutation):
        return parameter.n**2
    if isinstance(parameter, Index):
        return parameter.pairs * _options(parameter)
    return parameter.pairs if isinstance(parameter, Float | Int) else 0


def _groups(column: Column, width: int) -> np.ndarray:
    """Which of the column's coordinates each of its features belongs to."""
    coordinates = 1 if isinstance(column.parameter, Permutation) else column.parameter.pairs
    return np.repeat(np.arange(coordinates), width // coordinates)


def _numbers(column: Column, x: Any, used: Any) -> jax.Array:
    """The features of a column, flat."""
    parameter = column.parameter
    if isinstance(parameter, Permutation):
        apart = jax.nn.one_hot(x, parameter.n, dtype=jnp.float32) / np.sqrt(2 * parameter.n)
        return jnp.where(used, apart, 0).ravel()
    if isinstance(parameter, Index) and _options(parameter) > 1:
        number = int(np.max(parameter.last)) + 1
        apart = jax.nn.one_hot(x, number, dtype=jnp.float32) / np.sqrt(2)
        return jnp.where(jnp.asarray(used)[..., None], apart, 0).ravel()
    if isinstance(parameter, Index):
        last = np.maximum(parameter.last, 1).astype(np.float32)
        share = jnp.asarray(x).astype(jnp.float32) / last
    elif isinstance(parameter, Int):
        share = _whole(parameter, x)
    else:
        assert isinstance(parameter, Float)
        share = _real(parameter, x)
    return jnp.where(used, share, _UNUSED).ravel()


def _whole(parameter: Int, x: Any) -> jax.Array:
    value, low, high = parameter.decode(x), parameter.low, parameter.high
    value = value.astype(jnp.float32)
    if parameter.log or parameter.power_of is not None:
        value, low, high = jnp.log(value), np.log(low), np.log(high)
    return (value - low.astype(np.float32)) / (high - low).astype(np.float32)


def _real(parameter: Float, x: Any) -> jax.Array:
    value = parameter.decode(x).astype(jnp.float32)
    value = jnp.log(value) if parameter.log else value
    wall = parameter.high if parameter.low is None else parameter.low
    start = 0.0 if wall is None else np.log(wall) if parameter.log else wall
    unit = parameter.unit * parameter.reach
    return value / unit.astype(np.float32) - np.asarray(start / unit, np.float32)
