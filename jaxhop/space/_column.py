"""Leaves with the same settings side by side in one array, handled by one operation."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxhop._noise import SHORT
from jaxhop.space._check import collapse
from jaxhop.space._choice import Choice
from jaxhop.space._float import Float
from jaxhop.space._index import Index
from jaxhop.space._int import Int
from jaxhop.space._parameter import Coordinates, Parameter
from jaxhop.space._perturbed import Factors, LowRank, Perturbed
from jaxhop.space._python import PythonCustom, Words

_LONGEST = 65536  # longer leaves have a column of their own
_LARGE = 1024  # longer leaves share one only with those of the same bounds and scale, for the
# settings of different ones have to be stored element by element


@dataclass(frozen=True, eq=False)
class Column:
    """One array of coordinates, and the leaves that it is made of.

    Attributes:
        parameter: draws, moves and transfers the whole array; a `Float`, `Int`, `Index`
            (choices), `Permutation`, `Custom`, `PythonCustom` or `Words`.
        leaves: the parameters in the array, scalars first; none of `Words`.
        numbers: which leaf of the space each of them is.
        first: number of the column's first coordinate among all of the space.
        offset: number of its first pair of random words.
        scalars: how many of its leaves are scalars.

    Example:
        >>> import jaxhop
        >>> space = jaxhop.Space([jaxhop.float(0, 1), jaxhop.float(2, 3), jaxhop.int(1, 9)])
        >>> [(column.parameter.size, column.numbers) for column in space.columns]
        [(2, (0, 1)), (1, (2,))]
    """

    parameter: Coordinates
    leaves: tuple[Parameter, ...]
    numbers: tuple[int, ...]
    first: int
    offset: int
    scalars: int

    def join(self, parts: list[Any]) -> Any:
        """One host array from one array for each leaf.

        Args:
            parts: host arrays of the shapes of the leaves.

        Returns:
            A flat array, or the only part as it is.
        """
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return np.zeros(2, np.uint32)
        return np.concatenate([np.ravel(np.asarray(part)) for part in parts])

    def split(self, array: Any) -> list[Any]:
        """One array for each leaf from the whole array, on the host or traced.

        Args:
            array: what `join` returned, or what was decoded from it.

        Returns:
            Arrays of the shapes of the leaves.
        """
        if len(self.leaves) < 2:
            return [array] if self.leaves else []
        lengths = [leaf.pairs for leaf in self.leaves]
        if isinstance(array, np.ndarray):
            parts = np.split(array, np.cumsum(lengths)[:-1])
        else:
            parts = jax.lax.split(array, lengths)
        return [part.reshape(_shape(leaf)) for part, leaf in zip(parts, self.leaves, strict=True)]

    def encode(self, values: list[Any]) -> Any:
        """Coordinates of one host value for each leaf.

        Args:
            values: legal values.

        Returns:
            The column's coordinates.
        """
        if isinstance(self.parameter, Float | Int):
            return self.parameter.encode(self.join(values))
        pairs = zip(self.leaves, values, strict=True)
        return self.join([leaf.encode(value) for leaf, value in pairs])

    def decode(self, coordinates: Any) -> Any:
        """The whole array's values, traced; options are still numbers.

        Args:
            coordinates: the column's coordinates.

        Returns:
            What `values` takes apart.
        """
        if isinstance(self.parameter, Parameter):
            return self.parameter.decode(coordinates)
        return coordinates

    def values(self, decoded: Any) -> list[Any]:
        """One value for each leaf, as a JAX objective sees it.

        Args:
            decoded: what `decode` returned.

        Returns:
            Values of the shapes of the leaves.
        """
        parts = self.split(decoded)
        if isinstance(self.parameter, Parameter):
            return parts
        return [leaf.decode(part) for leaf, part in zip(self.leaves, parts, strict=True)]


def columns(leaves: list[Parameter]) -> tuple[Column, ...]:
    """Leaves put into columns: one for all leaves with equal settings.

    Args:
        leaves: the parameters of a space in their order.

    Returns:
        Columns in the order of their first leaves, but the long ones last; and one of random
        words if there are rules in Python that need some.

    Example:
        >>> [len(column.leaves) for column in columns([Float(0, 1), Int(0, 9), Float(2, 3)])]
        [2, 1]
    """
    groups: dict[Any, list[int]] = {}
    for number, leaf in enumerate(leaves):
        groups.setdefault(_settings(leaf, number), []).append(number)
    parts: list[Any] = []
    for numbers in groups.values():
        numbers.sort(key=lambda number: _shape(leaves[number]) != ())  # scalars first
        group = tuple(leaves[number] for number in numbers)
        parts.append((_merged(group), group, tuple(numbers)))
    if any(leaf.rules and not isinstance(leaf, PythonCustom) for leaf in leaves):
        parts.append((Words(), (), ()))
    parts.sort(key=lambda part: part[0].pairs > SHORT)
    made, first, offset = [], 0, 0
    for parameter, group, numbers in parts:
        scalars = sum(_is_array(leaf) and _shape(leaf) == () for leaf in group)
        made.append(Column(parameter, group, numbers, first, offset, scalars))
        first, offset = first + parameter.size, offset + parameter.pairs
    return tuple(made)


def perturbed_values(column: Column, x: Perturbed) -> list[Any]:
    """The values of a column's leaves, with matrices of low rank left as they are.

    Args:
        column: of floats.
        x: its coordinates.

    Returns:
        A value for each leaf, some of them `LowRank`.
    """
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


def _is_array(leaf: Parameter) -> bool:
    return isinstance(leaf, Float | Int | Choice)


def _shape(leaf: Parameter) -> tuple[int, ...]:
    return leaf.shape if isinstance(leaf, Float | Int) else ()


def _settings(leaf: Parameter, number: int) -> Any:
    """What leaves of one column have in common; its own number for a leaf that stays alone."""
    alone = leaf.size == 0 or leaf.pairs > _LONGEST or leaf.confidence is not None
    if alone or not _is_array(leaf):
        return number
    if isinstance(leaf, Float):
        missing = (leaf.low is None, leaf.high is None)
        alike = ("float", missing, leaf.log, leaf.precision, leaf.dtype)
        arrays = (leaf.low, leaf.high, leaf.scale)
    elif isinstance(leaf, Int):
        alike = ("int", leaf.log, leaf.multiple_of, leaf.power_of)
        arrays = (leaf.low, leaf.high)
    else:
        assert isinstance(leaf, Choice)
        return ("choice", len(leaf.choices.options), leaf.ordinal)
    if leaf.pairs <= _LARGE:
        return alike
    return (*alike, *(None if array is None else array.tobytes() for array in arrays))


def _merged(group: tuple[Parameter, ...]) -> Coordinates:
    """One parameter that does for all of a group what each would do for itself."""
    leaf = group[0]
    if isinstance(leaf, Choice):
        return Index(leaf.index.last, leaf.ordinal, () if len(group) == 1 else (len(group),))
    if len(group) == 1:
        return leaf
    shape = sum(each.pairs for each in group)
    if isinstance(leaf, Float):
        kind = {"log": leaf.log, "precision": leaf.precision, "dtype": leaf.dtype}
        return Float(**_stacked(group, "low", "high", "scale"), **kind, shape=shape)
    assert isinstance(leaf, Int)
    kind = {"log": leaf.log, "multiple_of": leaf.multiple_of, "power_of": leaf.power_of}
    return Int(**_stacked(group, "low", "high"), **kind, shape=shape)


def _stacked(group: tuple[Parameter, ...], *names: str) -> dict[str, Any]:
    """Settings of a whole group, element by element or one number if all are the same."""
    stacked: dict[str, Any] = {}
    for name in names:
        arrays = [getattr(leaf, name) for leaf in group]
        if arrays[0] is None:
            stacked[name] = None
        elif all(not array.ndim and array == arrays[0] for array in arrays):
            stacked[name] = arrays[0]
        else:
            parts = zip(arrays, group, strict=True)
            flat = [np.broadcast_to(array, _shape(leaf)).ravel() for array, leaf in parts]
            stacked[name] = collapse(np.concatenate(flat))
    return stacked
