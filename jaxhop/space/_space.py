"""The whole search space: a tree of parameters, and its points as a few arrays."""

import functools
from collections.abc import Iterator
from numbers import Number
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space import _check
from jaxhop.space._column import Column, columns
from jaxhop.space._custom import Custom
from jaxhop.space._float import Float
from jaxhop.space._match import match
from jaxhop.space._parameter import Parameter, Proposal
from jaxhop.space._perturbed import Factors, LowRank, Perturbed, written_out
from jaxhop.space._weights import Weights

_BLOCK = 4096  # points that are decoded together,
_BLOCK_BYTES = 2**22  # and what they may hold


class Space:
    """A pytree whose leaves are parameters and constants.

    A candidate is the pytree with a value in place of each parameter. A point is the same
    as coordinates: a tuple with one array for each column of equal parameters.

    Args:
        tree: any pytree; all leaves that are no parameters are constants. A space is taken
            for its tree.

    Attributes:
        tree: the pytree.
        columns: tuple of `Column`, the arrays that a point is made of.
        size: number of coordinates.
        pairs: number of pairs of random words that a point is drawn from or moved by.

    Raises:
        ValueError: if there is nothing to search.

    Example:
        >>> from jaxhop.space import Float, Int
        >>> space = Space({"lr": Float(1e-5, 1e-1, "0.1g"), "layers": Int(1, 5), "seed": 3})
        >>> space.size
        2
        >>> space.to_python(space.initial())
        {'layers': 3, 'lr': 0.001, 'seed': 3}
    """

    def __init__(self, tree: Any) -> None:
        self.tree = tree.tree if isinstance(tree, Space) else tree
        try:
            flat, self._structure = jax.tree_util.tree_flatten_with_path(self.tree)
        except (ValueError, TypeError) as error:
            raise ValueError(
                "`space`: the keys of each dict must be of one kind that has an order, such as"
                f" strings. Rename the others. ({error})"
            ) from error
        self._flat = [leaf for _, leaf in flat]
        self._paths = [path for path, _ in flat]
        self._parameters = [leaf for leaf in self._flat if isinstance(leaf, Parameter)]
        if not sum(parameter.size for parameter in self._parameters):
            reason = "has one legal value only" if self._parameters else "is a constant"
            raise ValueError(
                f"`space`: every leaf {reason}, so there is nothing to search."
                " Put a parameter into it, such as jaxhop.float(0, 1)."
            )
        self._leaves = [part for parameter in self._parameters for part in _parts(parameter)]
        self.columns: tuple[Column, ...] = columns(self._leaves)
        self.size = sum(column.parameter.size for column in self.columns)
        self.pairs = sum(column.parameter.pairs for column in self.columns)

    def __repr__(self) -> str:
        return f"Space({self.tree!r})"

    def __reduce__(self) -> Any:
        return Space, (self.tree,)  # the compiled function cannot be pickled

    def initial(self) -> tuple[Any, ...]:
        """The point that a search starts from.

        Returns:
            A point.
        """
        values = [leaf.initial() for leaf in self._leaves]
        return self._encoded(values)

    @functools.cached_property
    def shape(self) -> tuple[Any, ...]:
        """Shapes and dtypes of a point, as `jax.ShapeDtypeStruct`."""
        return jax.eval_shape(lambda key: self.draw(key), jax.ShapeDtypeStruct((2,), jnp.uint32))

    @property
    def nbytes(self) -> int:
        """Size of a point in bytes."""
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(self.shape))

    def draw(self, key: jax.Array, index: Any = None, scramble: Any = None) -> tuple[Any, ...]:
        """A random point from the prior.

        Args:
            key: raw key data, uint32[2].
            index: position in a low-discrepancy sequence that the single numbers and options
                are taken from. Default None: they are independent of each other.
            scramble: raw key data that chooses the sequence, needed with `index`.

        Returns:
            A point.
        """
        scalars = sum(column.scalars for column in self.columns)
        even = None if index is None else _noise.sobol(index, scalars, scramble)
        point, taken = [], 0
        for column, (a, b) in zip(self.columns, self._words(key), strict=True):
            if even is not None and column.scalars:
                own = even[taken : taken + column.scalars]
                a = jnp.concatenate([own, a[column.scalars :]])
            taken += column.scalars
            point.append(column.parameter.draw(a, b))
        return tuple(point)

    def move(self, key: jax.Array, x: tuple[Any, ...], proposal: Proposal) -> tuple[Any, ...]:
        """A point near another one.

        Args:
            key: raw key data, uint32[2].
            x: a point.
            proposal: how much moves, and how far; `forced` counts the coordinates of the
                whole space.

        Returns:
            A point; coordinates that do not move are the same bit for bit.
        """
        moved = []
        for column, part, (a, b) in zip(self.columns, x, self._words(key), strict=True):
            own = proposal._replace(forced=proposal.forced - column.first)
            moved.append(column.parameter.move(a, b, part, own))
        return tuple(moved)

    def transfer(
        self, base: tuple[Any, ...], moved: tuple[Any, ...], onto: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        """`onto` with the change from `base` to `moved` carried over.

        Args:
            base: a point before a change.
            moved: the point after it.
            onto: the point that shall change likewise.

        Returns:
            A point.
        """
        parts = zip(self.columns, base, moved, onto, strict=True)
        return tuple(column.parameter.transfer(*three) for column, *three in parts)

    def decode(self, point: tuple[Any, ...]) -> Any:
        """The candidate at a point, as a JAX objective sees it.

        Args:
            point: a point, on the host or traced.

        Returns:
            The space's pytree with traced values, and its constants as they are.
        """
        return self.assembled(written_out(self.leaf_values(point)))

    def leaf_values(self, point: tuple[Any, ...]) -> list[Any]:
        """The value of each leaf at a point, as a JAX objective sees it.

        Args:
            point: a point, on the host or traced; columns of floats may be `Perturbed`.

        Returns:
            What `assembled` makes a candidate of; `LowRank` where a matrix of a `Perturbed` column
            is not added up.
        """
        parts = [
            _perturbed_values(column, x)
            if isinstance(x, Perturbed)
            else column.values(column.decode(x))
            for column, x in zip(self.columns, point, strict=True)
        ]
        return self._by_leaf(parts)

    def assembled(self, values: list[Any]) -> Any:
        """The space's pytree from the value of each leaf.

        Args:
            values: what `leaf_values` returned.

        Returns:
            A candidate.
        """
        return self._assembled(self._joined(values))

    def encode(self, candidate: Any) -> tuple[Any, ...]:
        """The point of a candidate.

        Args:
            candidate: a whole candidate on the host; constants may be missing.

        Returns:
            A point.

        Raises:
            ValueError: if a value is not legal; the message names its place.
            TypeError: if it is of a wrong type.
        """
        values = []
        for path, parameter, value in self._matched(candidate):
            _validate(path, parameter, value)
            values += parameter.split(value) if isinstance(parameter, Weights) else [value]
        return self._encoded(values)

    def validate(self, candidate: Any) -> None:
        """Refuse a candidate that is not whole and legal.

        Args:
            candidate: a candidate on the host; constants may be missing.

        Raises:
            ValueError: if a value is missing or not legal; the message names its place.
            TypeError: if it is of a wrong type.
        """
        for path, parameter, value in self._matched(candidate):
            _validate(path, parameter, value)

    def complete(self, partial: Any) -> Any:
        """A whole candidate from a part of one; the rest is as in the initial point.

        Args:
            partial: a candidate whose dicts may lack keys; other nodes must be whole.

        Returns:
            A candidate on the host. Its values are not checked.

        Raises:
            ValueError: if the structure is not that of the space; the message names the place.
            TypeError: if a node is of a wrong type.
        """
        filled = match(self.tree, partial, lambda path, parameter: parameter.initial())
        return jax.tree_util.tree_unflatten(self._structure, [value for _, value in filled])

    def to_python(self, point: tuple[Any, ...]) -> Any:
        """The candidate at a point, as a user reads it.

        Args:
            point: a point on the host.

        Returns:
            The space's pytree with Python scalars, NumPy arrays and the options themselves.
        """
        point = jax.device_get(point)
        return self._to_python(point, jax.device_get(self._compiled(point)))

    def to_python_many(self, points: tuple[Any, ...]) -> list[Any]:
        """The candidates at several points: as `to_python` for each, decoded together.

        Args:
            points: points on the host, stacked along a leading axis.

        Returns:
            A list of candidates.
        """
        number = len(jax.tree.leaves(points)[0])
        block = max(1, min(_BLOCK, _BLOCK_BYTES // self.nbytes))
        candidates = []
        for first in range(0, number, block):
            # Every block is a full one, so that one program serves all.
            rows = np.minimum(np.arange(first, first + block), number - 1)
            some = jax.tree.map(lambda leaf, rows=rows: np.asarray(leaf)[rows], points)
            decoded = jax.device_get(self._compiled_many(some))
            for row in range(min(block, number - first)):
                own = jax.tree.map(lambda leaf, row=row: leaf[row, ...], (some, decoded))
                candidates.append(self._to_python(*own))
        return candidates

    def _to_python(self, point: tuple[Any, ...], decoded: tuple[Any, ...]) -> Any:
        # Taken apart on the host: a program with a thousand results compiles for half a minute.
        triples = zip(
            self._parameters,
            self._grouped(self._by_leaf(self._split(point))),
            self._joined(self._by_leaf(self._split(decoded))),
            strict=True,
        )
        return self._assembled([leaf.to_python(x, value) for leaf, x, value in triples])

    def flat(self, candidate: Any) -> dict[str, Any]:
        """The values of a candidate, by name, for tables.

        Args:
            candidate: a whole candidate; constants may be missing.

        Returns:
            A dict with one entry such as "opt.lr" for each number, option and array. Values that
            are pytrees themselves have one for each of their leaves.
        """
        flat = {}
        for path, leaf, value in self._matched(candidate):
            if isinstance(leaf, Weights | Custom):
                for inner, array in jax.tree_util.tree_leaves_with_path(value):
                    if np.ndim(array) or isinstance(array, Number):  # not a model's functions
                        flat[_dotted((*path, *inner))] = array
            else:
                flat[_dotted(path)] = value
        return flat

    def _words(self, key: jax.Array) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Each column's random words, which depend on the key and its offset only."""
        # Short columns draw together, which compiles faster; long ones fuse with their words.
        short = [c.parameter.pairs for c in self.columns if c.parameter.pairs <= _noise.SHORT]
        if short:
            a, b = _noise.kept(_noise.pairs(key, sum(short)))
            yield from zip(jax.lax.split(a, short), jax.lax.split(b, short), strict=True)
        for column in self.columns[len(short) :]:
            yield _noise.pairs(key, column.parameter.pairs, column.offset)

    def _matched(self, candidate: Any) -> Iterator[tuple[Any, Parameter, Any]]:
        """Path, parameter and value of each parameter in a whole candidate."""
        matched = match(self.tree, candidate, _refuse_missing)
        for (path, value), leaf in zip(matched, self._flat, strict=True):
            if isinstance(leaf, Parameter):
                yield path, leaf, value

    def _encoded(self, values: list[Any]) -> tuple[Any, ...]:
        """A point from one value for each leaf."""
        return tuple(c.encode([values[number] for number in c.numbers]) for c in self.columns)

    def _decoded(self, point: tuple[Any, ...]) -> tuple[Any, ...]:
        """The decoded array of each column."""
        return tuple(column.decode(x) for column, x in zip(self.columns, point, strict=True))

    @functools.cached_property
    def _compiled(self) -> Any:
        return jax.jit(self._decoded)

    @functools.cached_property
    def _compiled_many(self) -> Any:
        return jax.jit(jax.vmap(self._decoded))

    def _split(self, arrays: tuple[Any, ...]) -> list[list[Any]]:
        """Each column's array in parts for its leaves."""
        return [column.split(array) for column, array in zip(self.columns, arrays, strict=True)]

    def _by_leaf(self, parts: list[list[Any]]) -> list[Any]:
        """What stands in columns in the order of the leaves."""
        ordered: list[Any] = [None] * len(self._leaves)
        for column, own in zip(self.columns, parts, strict=True):
            for number, part in zip(column.numbers, own, strict=True):
                ordered[number] = part
        return ordered

    def _grouped(self, parts: list[Any]) -> list[Any]:
        """One entry for each parameter from one for each leaf."""
        rest = iter(parts)
        return [
            tuple(next(rest) for _ in parameter.leaves())
            if isinstance(parameter, Weights)
            else next(rest)
            for parameter in self._parameters
        ]

    def _joined(self, parts: list[Any]) -> list[Any]:
        """One value for each parameter from one for each leaf."""
        return [
            parameter.join(part) if isinstance(parameter, Weights) else part
            for parameter, part in zip(self._parameters, self._grouped(parts), strict=True)
        ]

    def _assembled(self, values: list[Any]) -> Any:
        """The space's pytree with one value for each parameter."""
        rest = iter(values)
        filled = [next(rest) if isinstance(leaf, Parameter) else leaf for leaf in self._flat]
        return jax.tree_util.tree_unflatten(self._structure, filled)


def _perturbed_values(column: Column, x: Perturbed) -> list[Any]:
    """The values of a column's leaves; matrices of low rank are left as they are."""
    noise = {part.number: own for part, own in zip(x.segments, x.noise, strict=True) if part.rank}
    # What no matrix has a part in is written out; the compiler drops the rest of it.
    plain = column.split(x.written_out()) if len(noise) < len(column.leaves) else column.leaves
    values: list[Any] = []
    for leaf, number, base, whole in zip(
        column.leaves, column.numbers, column.split(x.base), plain, strict=True
    ):
        assert isinstance(leaf, Float)
        if number in noise:
            rows, columns = noise[number]
            size = x.size * leaf.unit.astype(np.float32)
            factors = Factors((size * rows).astype(leaf.dtype), columns.astype(leaf.dtype))
            values.append(LowRank(leaf.decode(base), factors))
        else:
            values.append(leaf.decode(whole))
    return values


def _parts(parameter: Parameter) -> tuple[Parameter, ...]:
    return parameter.leaves() if isinstance(parameter, Weights) else (parameter,)


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(str(_check.step(key)) for key in path) or "value"


def _validate(path: Any, parameter: Parameter, value: Any) -> None:
    try:
        parameter.validate(value)
    except (ValueError, TypeError) as error:
        raise type(error)(f"`{_check.path_name(path)}`: {error}") from None


def _refuse_missing(path: Any, parameter: Parameter) -> Any:
    raise ValueError(
        f"`{_check.path_name(path)}`: a value for `{parameter!r}` is missing. Give one, or"
        " complete the candidate first."
    )
