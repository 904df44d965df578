"""Matrices of low rank inside a user's function, by quax's dispatch over JAX's operations.

A candidate's matrix is `W + rows columns^T`, and `x (W + rows columns^T)` is `x W`, which all
candidates have in common, plus a thin product. Only operations that are linear in the matrix have
a rule; all others get it written out.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import quax
from jax import lax

from jaxhop.space import Factors, LowRank

_FEW = 4  # ranks up to that are added up by elementwise operations, which fuse with what follows
_expanded: ContextVar[list[str] | None] = ContextVar("expanded", default=None)


def call(run: Callable[..., Sequence[Any]], leaves: Sequence[Any]) -> Sequence[Any]:
    """Calls a function of arrays with some of them of low rank.

    Args:
        run: a traceable function.
        leaves: its arguments, arrays and `LowRank`.

    Returns:
        What it returns, all of it arrays.
    """
    values = [
        _Matrix(leaf.base, *leaf.factors) if isinstance(leaf, LowRank) else leaf for leaf in leaves
    ]
    results = quax.quaxify(run)(*values)
    return [_expand(leaf, "result") if isinstance(leaf, _Matrix) else leaf for leaf in results]


@contextlib.contextmanager
def expansions() -> Iterator[list[str]]:
    """Notes the operations that get a matrix written out while functions are traced.

    Yields:
        The list that their names are added to.
    """
    names: list[str] = []
    token = _expanded.set(names)
    try:
        yield names
    finally:
        _expanded.reset(token)


class _Matrix(quax.ArrayValue):
    """`base` plus the product of `rows` and `columns`; their last axis is the rank."""

    base: jax.Array
    rows: jax.Array
    columns: jax.Array

    def __init__(self, base: Any, rows: Any, columns: Any) -> None:
        self.base, self.rows, self.columns = base, rows, columns

    def aval(self) -> Any:
        return jax.core.ShapedArray(self.base.shape, self.base.dtype)

    def materialise(self) -> jax.Array:
        return LowRank(self.base, Factors(self.rows, self.columns)).written_out()

    @staticmethod
    def default(primitive: Any, values: Sequence[Any], params: Any) -> Any:
        arrays = [_expand(v, primitive.name) if isinstance(v, _Matrix) else v for v in values]
        return primitive.bind(*arrays, **params)

    @property
    def cut(self) -> int:
        """Number of the first axis that belongs to `columns`."""
        return self.rows.ndim - 1


def _expand(matrix: _Matrix, name: str) -> jax.Array:
    names = _expanded.get()
    if names is not None:
        names.append(name)
    return matrix.materialise()


def _outer(first: jax.Array, second: jax.Array) -> jax.Array:
    """The sum over r of the outer products of `first[..., r]` and `second[..., r]`."""
    rank = first.shape[-1]
    if rank > _FEW:
        return jnp.tensordot(first, second, (-1, -1))
    own, other = first.ndim - 1, second.ndim - 1
    terms = [
        jnp.expand_dims(first[..., r], tuple(range(own, own + other))) * second[..., r]
        for r in range(rank)
    ]
    return sum(terms[1:], terms[0])


def _thin(matrix: _Matrix, axes: Sequence[int]) -> tuple[jax.Array, list[int], jax.Array] | None:
    """The factor that a sum over these axes goes to, their numbers in it, and the other factor."""
    if sorted(axes) == list(range(matrix.cut)):
        return matrix.rows, list(axes), matrix.columns
    if sorted(axes) == list(range(matrix.cut, matrix.base.ndim)):
        return matrix.columns, [axis - matrix.cut for axis in axes], matrix.rows
    return None


@quax.register(lax.dot_general_p)
def _dot_right(x: Any, matrix: _Matrix, **params: Any) -> Any:
    return _dot((x, matrix), 1, params)


@quax.register(lax.dot_general_p)
def _dot_left(matrix: _Matrix, x: Any, **params: Any) -> Any:
    return _dot((matrix, x), 0, params)


@quax.register(lax.dot_general_p)
def _dot_both(left: _Matrix, right: _Matrix, **params: Any) -> Any:
    return _dot((left, right), 0, params)


def _dot(operands: tuple[Any, Any], place: int, params: dict[str, Any]) -> Any:
    """A product whose operand at a place is a matrix of low rank."""
    matrix, x = operands[place], operands[1 - place]
    axes, batch = params["dimension_numbers"]
    parts = _thin(matrix, axes[place])
    if isinstance(x, quax.Value) or parts is None or any(batch):
        return _Matrix.default(lax.dot_general_p, operands, params)
    thin, places, wide = parts
    bases = (x, matrix.base) if place else (matrix.base, x)
    whole = lax.dot_general_p.bind(*bases, **params)
    own = params | {"dimension_numbers": ((tuple(axes[1 - place]), tuple(places)), ((), ()))}
    narrow = lax.dot_general_p.bind(x, thin, **own)
    change = _outer(narrow, wide) if place else _outer(wide, narrow)
    return whole + change.astype(whole.dtype)


@quax.register(lax.conv_general_dilated_p)
def _convolve(x: Any, matrix: _Matrix, **params: Any) -> Any:
    numbers = params["dimension_numbers"]
    out = numbers.rhs_spec[0]
    others = [axis for axis in range(matrix.base.ndim) if axis != out]
    parts = _thin(matrix, others)
    grouped = params["feature_group_count"] > 1 or params["batch_group_count"] > 1
    if isinstance(x, quax.Value) or parts is None or grouped:
        return _Matrix.default(lax.conv_general_dilated_p, (x, matrix), params)
    thin, _, wide = parts
    whole = lax.conv_general_dilated_p.bind(x, matrix.base, **params)
    kernel = jnp.moveaxis(thin, -1, out)  # as many output channels as ranks
    narrow = lax.conv_general_dilated_p.bind(x, kernel, **params)
    channel = numbers.out_spec[1]
    change = jnp.moveaxis(_outer(jnp.moveaxis(narrow, channel, -1), wide), -1, channel)
    return whole + change.astype(whole.dtype)


@quax.register(lax.gather_p)
def _look_up(matrix: _Matrix, indices: Any, **params: Any) -> Any:
    """Whole rows by their numbers; these come with a second number, 0, if they were vmapped."""
    numbers, sizes = params["dimension_numbers"], params["slice_sizes"]
    last = len(numbers.offset_dims) + indices.ndim - 2
    by_row = (
        matrix.base.ndim == 2
        and numbers.collapsed_slice_dims in ((), (0,))
        and numbers.start_index_map in ((0,), (0, 1))
        and not numbers.operand_batching_dims
        and tuple(sizes) == (1, matrix.base.shape[1])
        and numbers.offset_dims[-1] == last
    )
    if isinstance(indices, quax.Value) or not by_row:
        return _Matrix.default(lax.gather_p, (matrix, indices), params)
    whole = lax.gather_p.bind(matrix.base, indices, **params)
    own = params | {"slice_sizes": (1, matrix.rows.shape[-1])}
    rows = lax.gather_p.bind(matrix.rows, indices, **own)
    return whole + _outer(rows, matrix.columns).astype(whole.dtype)


@quax.register(lax.dynamic_slice_p)
def _look_up_one(matrix: _Matrix, row: Any, column: Any, **params: Any) -> Any:
    """One whole row by its number."""
    if tuple(params["slice_sizes"]) != (1, *matrix.base.shape[1:]) or matrix.base.ndim != 2:
        return _Matrix.default(lax.dynamic_slice_p, (matrix, row, column), params)
    whole = lax.dynamic_slice_p.bind(matrix.base, row, column, **params)
    own = params | {"slice_sizes": (1, matrix.rows.shape[-1])}
    rows = lax.dynamic_slice_p.bind(matrix.rows, row, column, **own)
    return whole + _outer(rows, matrix.columns).astype(whole.dtype)


@quax.register(lax.transpose_p)
def _transpose(matrix: _Matrix, *, permutation: Sequence[int]) -> Any:
    cut, order = matrix.cut, list(permutation)
    first, rest = order[: matrix.base.ndim - cut], order[matrix.base.ndim - cut :]
    if sorted(first) == list(range(cut, matrix.base.ndim)):
        rows = matrix.columns.transpose([*(axis - cut for axis in first), len(first)])
        columns = matrix.rows.transpose([*rest, len(rest)])
    elif sorted(order[:cut]) == list(range(cut)):
        rows = matrix.rows.transpose([*order[:cut], cut])
        columns = matrix.columns.transpose(
            [*(axis - cut for axis in order[cut:]), len(order) - cut]
        )
    else:
        return _Matrix.default(lax.transpose_p, (matrix,), {"permutation": permutation})
    return _Matrix(matrix.base.transpose(order), rows, columns)


@quax.register(lax.reshape_p)
def _reshape(matrix: _Matrix, **params: Any) -> Any:
    shape, length = params["new_sizes"], math.prod(matrix.rows.shape[:-1])
    cuts = [k for k in range(1, len(shape)) if math.prod(shape[:k]) == length]
    if not cuts or params.get("dimensions") is not None:
        return _Matrix.default(lax.reshape_p, (matrix,), params)
    rank = matrix.rows.shape[-1]
    return _Matrix(
        matrix.base.reshape(shape),
        matrix.rows.reshape(*shape[: cuts[0]], rank),
        matrix.columns.reshape(*shape[cuts[0] :], rank),
    )


@quax.register(lax.convert_element_type_p)
def _convert(matrix: _Matrix, **params: Any) -> Any:
    if not jnp.issubdtype(params["new_dtype"], jnp.floating):
        return _Matrix.default(lax.convert_element_type_p, (matrix,), params)
    base, rows, columns = (
        lax.convert_element_type_p.bind(part, **params)
        for part in (matrix.base, matrix.rows, matrix.columns)
    )
    return _Matrix(base, rows, columns)


@quax.register(lax.mul_p)
def _scale(matrix: _Matrix, factor: Any, **params: Any) -> Any:
    if isinstance(factor, quax.Value) or jnp.ndim(factor):
        return _Matrix.default(lax.mul_p, (matrix, factor), params)
    base = lax.mul_p.bind(matrix.base, factor, **params)
    return _Matrix(base, lax.mul_p.bind(matrix.rows, factor, **params), matrix.columns)


@quax.register(lax.mul_p)
def _scale_by(factor: Any, matrix: _Matrix, **params: Any) -> Any:
    return _scale(matrix, factor, **params)


@quax.register(lax.mul_p)
def _scale_both(left: _Matrix, right: _Matrix, **params: Any) -> Any:
    return _Matrix.default(lax.mul_p, (left, right), params)


@quax.register(lax.neg_p)
def _negate(matrix: _Matrix, **params: Any) -> Any:
    del params
    return _Matrix(-matrix.base, -matrix.rows, matrix.columns)
