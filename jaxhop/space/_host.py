"""Stacked columns as lists of Python values, a whole block at a time."""

import copy
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxhop.space._choice import Choice
from jaxhop.space._column import Column
from jaxhop.space._decimal import shortest, to_decimal
from jaxhop.space._float import Float
from jaxhop.space._index import Index
from jaxhop.space._int import Int

_CHANGEABLE = (list, dict, set, np.ndarray)


def host_lists(column: Column, x: Any, decoded: Any) -> list[list[Any]]:
    """For each leaf of a column, its values as a user reads them.

    Args:
        column: the column.
        x: stacked coordinates, NumPy.
        decoded: what `column.decode` made of them, NumPy.

    Returns:
        A list of values for each leaf.
    """
    if isinstance(column.parameter, Index):
        positions = x.reshape(len(x), -1).T.tolist()
        options = [leaf.choices.options for leaf in column.leaves if isinstance(leaf, Choice)]
        pairs = zip(positions, options, strict=True)
        return [_chosen(own, row) for row, own in pairs]
    if not isinstance(column.parameter, Float | Int):
        (leaf,) = column.leaves
        return [_one_by_one(leaf, x, decoded)]
    flat = decoded.reshape(len(decoded), -1)
    scalars = column.scalars
    lists: list[list[Any]] = []
    if scalars:
        numbers = flat[:, :scalars]
        if isinstance(column.parameter, Float):
            numbers = _decimals(column.parameter, numbers)
        lists += numbers.T.tolist()
    first = scalars
    for leaf in column.leaves[scalars:]:
        assert isinstance(leaf, Float | Int)
        own = flat[:, first : first + leaf.pairs].reshape(len(flat), *leaf.shape)
        lists.append([row.copy() for row in own])
        first += leaf.pairs
    return lists


def _chosen(options: Sequence[Any], positions: list[int]) -> list[Any]:
    """Options at some positions; those that whoever gets them could change are copies."""
    if any(isinstance(option, _CHANGEABLE) for option in options):
        return [
            copy.deepcopy(options[p]) if isinstance(options[p], _CHANGEABLE) else options[p]
            for p in positions
        ]
    return [options[position] for position in positions]


def key_bytes(parts: Sequence[Any], used: Sequence[Any]) -> list[bytes]:
    """For each candidate bytes that are equal where what is used of it is.

    Args:
        parts: stacked NumPy arrays.
        used: for each of them True, or stacked bools that broadcast to it.

    Returns:
        A list of bytes, all equally long.
    """
    number = len(parts[0])
    rows = []
    for part, flags in zip(parts, used, strict=True):
        if flags is not True:
            flags = flags.reshape(flags.shape + (1,) * (part.ndim - flags.ndim))
            part = np.where(flags, part, np.zeros((), part.dtype))
        elif part.dtype.kind not in "iub":
            part = part + np.zeros((), part.dtype)  # -0.0 is 0.0
        rows.append(np.ascontiguousarray(part).reshape(number, -1).view(np.uint8))
    whole = rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)
    data, length = whole.tobytes(), whole.shape[1]
    return [data[start : start + length] for start in range(0, number * length, length)]


def _one_by_one(leaf: Any, x: Any, decoded: Any) -> list[Any]:
    """Values of a leaf that has a column of its own and no shortcut."""
    number = len(jax.tree.leaves(x)[0])
    return [
        leaf.to_python(*jax.tree.map(lambda array, row=row: array[row, ...], (x, decoded)))
        for row in range(number)
    ]


def _decimals(parameter: Float, numbers: np.ndarray) -> np.ndarray:
    """float64 numbers as a user reads them: rounded ones are the decimals themselves."""
    if parameter.precision is None:
        return shortest(numbers)
    exact = numbers.astype(np.float64)
    return to_decimal(np, exact, parameter.precision, parameter.log) + 0.0
