"""Points as real numbers, for algorithms that learn how numbers vary together.

Each number is in units of its range, or of 4 scales where it has no bounds. Whole numbers, and
options that have an order, are cells of the range from 0 to 1.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop.space._column import Column
from jaxhop.space._float import Float
from jaxhop.space._index import Index
from jaxhop.space._int import Int


def is_numeric(column: Column) -> bool:
    """Whether a column's coordinates can be seen as real numbers.

    Args:
        column: any column.

    Returns:
        True for floats, whole numbers, and options that have an order.

    Example:
        >>> import jaxhop
        >>> space = jaxhop.Space([jaxhop.float(0, 1), jaxhop.choice("a", "b")])
        >>> [is_numeric(column) for column in space.columns]
        [True, False]
    """
    parameter = column.parameter
    return isinstance(parameter, Float | Int) or (
        isinstance(parameter, Index) and parameter.ordinal
    )


def relaxed(column: Column, x: Any) -> jax.Array:
    """The real numbers that stand for coordinates: for whole numbers, the middle of their cells.

    Args:
        column: a numeric column.
        x: its coordinates.

    Returns:
        float32[n].

    Example:
        >>> import jaxhop
        >>> space = jaxhop.Space({"n": jaxhop.int(1, 4)})
        >>> relaxed(space.columns[0], space.encode({"n": 3})[0]).tolist()  # its cell's middle
        [0.625]
    """
    parameter = column.parameter
    if isinstance(parameter, Float):
        return (x.astype(jnp.float32) / np.float32(parameter.reach)).reshape(-1)
    number = x.astype(jnp.uint32).astype(jnp.float32)  # those beyond int32 have wrapped round
    if isinstance(parameter, Int) and parameter.log:
        floor, width = parameter.logarithms()
        return ((jnp.log(number + parameter.low.astype(np.float32)) - floor) / width).reshape(-1)
    return ((number + 0.5) / cells(parameter)).reshape(-1)


def unrelaxed(column: Column, u: jax.Array) -> jax.Array:
    """The coordinates that real numbers stand for.

    Args:
        column: a numeric column.
        u: float32[n], within `walls`.

    Returns:
        Coordinates.

    Example:
        >>> import jaxhop
        >>> space = jaxhop.Space({"n": jaxhop.int(1, 4)})
        >>> space.to_python((unrelaxed(space.columns[0], jnp.array([0.7])),))
        {'n': 3}
    """
    parameter = column.parameter
    if isinstance(parameter, Float):
        return parameter.nearest(u.reshape(parameter.shape) * np.float32(parameter.reach))
    assert isinstance(parameter, Int | Index)
    u = u.reshape(parameter.shape)
    last = cells(parameter) - np.float32(1)
    if isinstance(parameter, Int) and parameter.log:
        floor, width = parameter.logarithms()
        number = jnp.round(jnp.exp(floor + u * width)) - parameter.low.astype(np.float32)
    else:
        number = jnp.floor(u * cells(parameter))
    # Converted by way of unsigned numbers, which all fit; the greatest float32 may be beyond.
    number = jnp.clip(number, 0, last).astype(jnp.uint32)
    top = cells_last(parameter)
    return jnp.minimum(number, top).astype(jnp.int32)


def walls(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the real numbers, infinite where there are none.

    Args:
        column: a numeric column.

    Returns:
        Two arrays float32[n].

    Example:
        >>> import jaxhop
        >>> low, high = walls(jaxhop.Space(jaxhop.float(2, 6)).columns[0])
        >>> low.tolist(), high.tolist()
        ([0.5], [1.5])
    """
    parameter = column.parameter
    n = parameter.pairs
    if not isinstance(parameter, Float):
        return np.zeros(n, np.float32), np.ones(n, np.float32)
    reach = np.float32(parameter.reach)
    low, high = (np.broadcast_to(wall, parameter.shape).reshape(-1) for wall in parameter.walls())
    return low / reach, high / reach


def grain(column: Column, u: jax.Array) -> jax.Array:
    """How far apart legal values are.

    Args:
        column: a numeric column.
        u: float32[n], where.

    Returns:
        float32[n]; 0 where values are not rounded.

    Example:
        >>> import jaxhop
        >>> grain(jaxhop.Space(jaxhop.int(1, 4)).columns[0], jnp.array([0.6])).tolist()
        [0.25]
    """
    parameter = column.parameter
    if isinstance(parameter, Float):
        if parameter.precision is None:
            return jnp.zeros_like(u)
        return (parameter.spacing(unrelaxed(column, u)) / parameter.reach).reshape(-1)
    assert isinstance(parameter, Int | Index)
    if isinstance(parameter, Int) and parameter.log:
        floor, width = parameter.logarithms()
        value = jnp.exp(floor + u.reshape(parameter.shape) * width)
        return (jnp.log1p(1 / value) / width).reshape(-1)
    return jnp.broadcast_to(1 / cells(parameter), parameter.shape).reshape(-1)


def cells_last(parameter: Any) -> np.ndarray:
    """uint32 number of the last legal value."""
    return parameter.index.last if isinstance(parameter, Int) else parameter.last


def cells(parameter: Any) -> np.ndarray:
    """float32 count of the legal values of a number that is whole."""
    return cells_last(parameter).astype(np.float32) + np.float32(1)
