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

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space({"x": jaxhop.float(0, 1, init=0.25)})
            >>> space.to_python(space.initial())
            {'x': 0.25}
        """
        return self._encoded(self._tree.starts())

    @functools.cached_property
    def shape(self) -> tuple[Any, ...]:
        """Shapes and dtypes of a point, as `jax.ShapeDtypeStruct`.

        Example:
            >>> import jaxhop
            >>> jaxhop.Space({"w": jaxhop.float(shape=(8, 4))}).shape
            (ShapeDtypeStruct(shape=(8, 4), dtype=float32),)
        """
        return jax.eval_shape(lambda key: self.draw(key), jax.ShapeDtypeStruct((2,), jnp.uint32))

    @property
    def nbytes(self) -> int:
        """Size of a point in bytes.

        Example:
            >>> import jaxhop
            >>> jaxhop.Space({"w": jaxhop.float(shape=(8, 4)), "n": jaxhop.int(1, 5)}).nbytes
            132
        """
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

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space({"x": jaxhop.float(2, 3)})
            >>> point = space.draw(jax.random.key_data(jax.random.key(0)))
            >>> 2 <= space.to_python(point)["x"] <= 3
            True
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

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space({"x": jaxhop.float(2, 3), "y": jaxhop.float(2, 3)})
            >>> start, key = space.initial(), jax.random.key_data(jax.random.key(0))
            >>> only_y = Proposal(rate=0.0, step=0.1, temperature=0.1, forced=1)
            >>> (moved,) = space.move(key, start, only_y)
            >>> (moved != start[0]).tolist()
            [False, True]
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

        Example:
            >>> import jaxhop
            >>> model = jaxhop.choice({"k": jaxhop.int(1, 9)}, {"depth": jaxhop.int(1, 4)})
            >>> space = jaxhop.Space(model)
            >>> [mask.tolist() for mask in space.used(space.encode({"depth": 2}))]
            [True, [False, True]]
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

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space({"x": jaxhop.float(0, 1, shape=(4,))})
            >>> space.pick(jnp.uint32(2**31), space.initial()).item()
            2
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

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space(jaxhop.choice("none", {"k": jaxhop.int(1, 9)}))
            >>> option, k = space.encode({"k": 2})
            >>> none = (jnp.zeros_like(option), k)  # the option "none" has no k
            >>> bool(space.canonical(none)[1] == space.encode("none")[1] != k)
            True
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

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space(jaxhop.float(0, 1))
            >>> base, moved, onto = (space.encode(x) for x in (0.5, 0.75, 0.125))
            >>> space.to_python(space.transfer(base, moved, onto))
            0.375
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
