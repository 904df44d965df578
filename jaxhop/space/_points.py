"""Points of a search space: drawn, moved, and what of them counts."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space._column import Column, columns, perturbed_values
from jaxhop.space._near import near
from jaxhop.space._parameter import Proposal
from jaxhop.space._perturbed import Perturbed
from jaxhop.space._tree import Tree
from jaxhop.space._usage import Usage


class Points:
    """The points of a space: tuples with one array for each column of equal parameters.

    Args:
        tree: the space's parameters and constants.

    Attributes:
        columns: tuple of `Column`, the arrays that a point is made of.
        size: number of coordinates, used or not.
        pairs: number of pairs of random words that a point is drawn from or moved by.
        conditional: whether there are points with coordinates that are not used.
        python: whether the user's own Python functions sample or mutate.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._leaves = self._tree.leaves
        self.columns: tuple[Column, ...] = columns(self._leaves)
        self.size = sum(column.parameter.size for column in self.columns)
        self.pairs = sum(column.parameter.pairs for column in self.columns)
        self.python = any(leaf.rules is not None for leaf in self._leaves)
        self.conditional = any(self._tree.guards) or any(leaf.active for leaf in self._leaves)
        self._guessed = any(leaf.confidence is not None for leaf in self._leaves)
        # Wide spaces need none of it, and have no memory to spare.
        known = self.conditional or self._guessed
        self._start = jax.device_get(self.initial()) if known else ()
        self._usage = Usage(self._tree, self.columns, self._start, self._values)

    def initial(self) -> tuple[Any, ...]:
        """The point that a search starts from.

        Returns:
            A point.
        """
        return self._encoded(self._tree.starts())

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
        if self._guessed:
            for number, start in enumerate(self._start):
                if any(leaf.confidence is not None for leaf in self.columns[number].leaves):
                    point[number] = near(self.columns[number], key, start, point[number])
        return tuple(point)

    def move(self, key: jax.Array, x: tuple[Any, ...], proposal: Proposal) -> tuple[Any, ...]:
        """A point near another one.

        Args:
            key: raw key data, uint32[2].
            x: a point.
            proposal: how much moves, and how far; `forced` counts the coordinates of the
                whole space.

        Returns:
            A point; coordinates that do not move, and those that are not used in it, are the
            same bit for bit.
        """
        moved = []
        for column, part, (a, b) in zip(self.columns, x, self._words(key), strict=True):
            own = proposal._replace(forced=proposal.forced - column.first)
            moved.append(column.parameter.move(a, b, part, own))
        return _where(self.used(tuple(moved)), moved, x) if self.conditional else tuple(moved)

    def used(self, point: tuple[Any, ...]) -> tuple[Any, ...]:
        """Which coordinates the candidate at a point is made of.

        Args:
            point: a point, on the host or traced.

        Returns:
            A bool array of the shape of each column, a scalar for one of pytrees.
        """
        if self.conditional:
            return self._usage.used(point)
        return tuple(np.ones(getattr(form, "shape", ()), bool) for form in self.shape)

    def pick(self, word: jax.Array, x: tuple[Any, ...]) -> jax.Array:
        """The number of a coordinate that is used at a point, each equally likely.

        Args:
            word: uint32, decides.
            x: a point, on the host or traced.

        Returns:
            int32, for `Proposal.forced`.
        """
        if not self.conditional:
            return _noise.below(word, self.size)
        return self._usage.pick(word, x)

    def canonical(self, point: tuple[Any, ...]) -> tuple[Any, ...]:
        """The point of the same candidate whose unused coordinates are as at the start.

        Args:
            point: a point, on the host or traced.

        Returns:
            A point.
        """
        return _where(self.used(point), point, self._start) if self.conditional else point

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

    def _values(self, point: tuple[Any, ...]) -> list[Any]:
        """The value of each leaf, used or not."""
        parts = [
            perturbed_values(column, x)
            if isinstance(x, Perturbed)
            else column.values(column.decode(x))
            for column, x in zip(self.columns, point, strict=True)
        ]
        return self._by_leaf(parts)

    def _words(self, key: jax.Array) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Each column's random words, which depend on the key and its offset only."""
        # Short columns draw together, which compiles faster; long ones fuse with their words.
        short = [c.parameter.pairs for c in self.columns if c.parameter.pairs <= _noise.SHORT]
        if short:
            a, b = _noise.kept(_noise.pairs(key, sum(short)))
            yield from zip(jax.lax.split(a, short), jax.lax.split(b, short), strict=True)
        for column in self.columns[len(short) :]:
            yield _noise.pairs(key, column.parameter.pairs, column.offset)

    def _encoded(self, values: list[Any]) -> tuple[Any, ...]:
        """A point from one value for each leaf."""
        return tuple(c.encode([values[number] for number in c.numbers]) for c in self.columns)

    def _by_leaf(self, parts: list[list[Any]]) -> list[Any]:
        """What stands in columns in the order of the leaves."""
        ordered: list[Any] = [None] * len(self._leaves)
        for column, own in zip(self.columns, parts, strict=True):
            for number, part in zip(column.numbers, own, strict=True):
                ordered[number] = part
        return ordered


def _where(used: tuple[Any, ...], those: Any, others: Any) -> tuple[Any, ...]:
    """A point from two: where its coordinates count, and where not."""
    return tuple(
        jax.tree.map(lambda this, other, flag=flag: jnp.where(flag, this, other), *pair)
        for flag, *pair in zip(used, those, others, strict=True)
    )
