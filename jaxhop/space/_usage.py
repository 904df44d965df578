"""Which coordinates count at a point: those of chosen options, and the used entries of arrays."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space._column import Column
from jaxhop.space._tree import Tree


class Usage:
    """Tells for every point which of its coordinates the candidate is made of.

    Args:
        tree: the space.
        columns: its columns.
        initial: the initial point, NumPy; not needed where all coordinates always count.
        values: from a point to a value for each leaf, as a JAX objective sees them.

    Attributes:
        gated: numbers of the leaves with `active`.
        counted: of those, the leaves whose `active` returns a number of entries.

    Raises:
        ValueError: if an `active` returns neither a number of entries nor a mask.
        TypeError: if it cannot be traced.
    """

    def __init__(
        self,
        tree: Tree,
        columns: tuple[Column, ...],
        initial: tuple[Any, ...],
        values: Callable[[tuple[Any, ...]], list[Any]],
    ) -> None:
        self._tree, self._columns, self._initial = tree, columns, initial
        self._values = values
        self.gated = [number for number, leaf in enumerate(tree.leaves) if leaf.active]
        self.counted: set[int] = set()
        self._places: dict[int, tuple[int, int]] = {}
        for which, column in enumerate(columns):
            ends = np.cumsum([0] + [leaf.pairs for leaf in column.leaves]).tolist()
            self._places |= {n: (which, end) for n, end in zip(column.numbers, ends, strict=False)}
        if self.gated:
            jax.eval_shape(self.masks, initial)

    @property
    def conditional(self) -> bool:
        """Whether there are points with coordinates that do not count."""
        return bool(self.gated) or any(self._tree.guards)

    def used(self, point: tuple[Any, ...]) -> tuple[Any, ...]:
        """Which coordinates count at a point.

        Args:
            point: a point, on the host or traced.

        Returns:
            A bool array of the shape of each column; a scalar for one of pytrees.
        """
        flags, masks = self._flags(point), self.masks(point)
        return tuple(self._column(*each, flags, masks) for each in self._shapes)

    def masks(self, point: tuple[Any, ...]) -> dict[int, jax.Array]:
        """Which entries of the leaves with `active` are used.

        Args:
            point: a point, on the host or traced.

        Returns:
            Bool arrays of the shapes of the leaves, by their numbers.
        """
        if not self.gated:
            return {}
        # What does not count must not be seen, or equal candidates would not be equal.
        flags = [jnp.asarray(flag) for flag in self._flags(point)]
        starts = self._values(self._initial)
        values = [
            jax.tree.map(lambda own, other, flag=flag: jnp.where(flag, own, other), value, start)
            for flag, value, start in zip(flags, self._values(point), starts, strict=True)
        ]
        real = [values[number] for number in self.gated]
        for number in self.gated:
            values[number] = starts[number]
        masks = {}
        for number, value in zip(self.gated, real, strict=True):
            masks[number] = self._mask(number, self._tree.assembled(self._tree.joined(values)))
            values[number] = jnp.where(masks[number], value, 0)
        return masks

    def pick(self, word: jax.Array, x: tuple[Any, ...]) -> jax.Array:
        """The number of a coordinate that counts at a point, each equally likely.

        Args:
            word: uint32, decides.
            x: a point.

        Returns:
            int32.
        """
        # What is used as a whole has one coordinate, however many numbers it is stored as.
        parts = [
            jnp.ravel(flag)[: column.parameter.size]
            for column, flag in zip(self._columns, self.used(x), strict=True)
        ]
        count = jnp.cumsum(jnp.concatenate(parts).astype(jnp.int32))
        chosen = _noise.below(word, jnp.maximum(count[-1], 1))
        return jnp.searchsorted(count, chosen + 1, side="left").astype(jnp.int32)

    @functools.cached_property
    def _shapes(self) -> list[tuple[Column, tuple[int, ...]]]:
        """Each column with its shape; () where it is made of pytrees."""
        return [
            (column, () if isinstance(x, dict | list | tuple) else np.shape(x))
            for column, x in zip(self._columns, self._initial, strict=True)
        ]

    def _flags(self, point: tuple[Any, ...]) -> list[Any]:
        """For each leaf whether its option is chosen: True, or a traced bool."""
        flags: list[Any] = [True] * len(self._tree.leaves)
        same: dict[tuple[int, int], Any] = {}
        for number, guard in enumerate(self._tree.guards):
            if guard is not None:
                if guard not in same:
                    which, place = self._places[guard[0]]
                    index = jnp.ravel(point[which])[place]
                    same[guard] = (index == guard[1]) & flags[guard[0]]
                flags[number] = same[guard]
        return flags

    def _column(
        self, column: Column, shape: tuple[int, ...], flags: Sequence[Any], masks: dict[int, Any]
    ) -> Any:
        own = [flags[number] for number in column.numbers]
        gated = [number for number in column.numbers if number in masks]
        if not gated and all(flag is True for flag in own):
            return np.ones(shape, bool)
        if len(own) == 1:
            return jnp.broadcast_to(own[0] & masks.get(column.numbers[0], True), shape)
        different = list({id(flag): flag for flag in own}.values())
        order = {id(flag): place for place, flag in enumerate(different)}
        lengths = [leaf.pairs for leaf in column.leaves]
        places = np.repeat([order[id(flag)] for flag in own], lengths)
        used = jnp.stack([jnp.asarray(flag) for flag in different])[places]
        for number in gated:
            first, mask = self._places[number][1], masks[number].ravel()
            part = slice(first, first + mask.size)
            used = used.at[part].set(used[part] & mask)
        return used

    def _mask(self, number: int, candidate: Any) -> jax.Array:
        leaf: Any = self._tree.leaves[number]
        assert leaf.active is not None
        name = f"`{leaf!r}`: `active`"
        try:
            result = jnp.asarray(leaf.active(candidate))
        except (jax.errors.JAXTypeError, jax.errors.JAXIndexError) as error:
            raise TypeError(
                f"{name} is traced by JAX, so values of the candidate are not known to Python in"
                " it. Use jax.numpy.where in place of `if`, and jax.numpy in place of other"
                f" functions. ({type(error).__name__}: {str(error).splitlines()[0]})"
            ) from error
        except Exception as error:
            error.add_note(f"Raised by {name}.")
            raise
        if result.dtype == bool and result.shape == leaf.shape:
            return result
        if jnp.issubdtype(result.dtype, jnp.integer) and not result.shape:
            self.counted.add(number)
            first = jnp.arange(leaf.shape[0]) < result
            return jnp.broadcast_to(first.reshape(-1, *(1 for _ in leaf.shape[1:])), leaf.shape)
        raise ValueError(
            f"{name} must return how many entries are used, an integer, or a bool mask of shape"
            f" {leaf.shape}, but it returned {result.dtype}{list(result.shape)}. Return one."
        )
