"""Unbounded parameters in the shape of a pytree of arrays, such as network weights."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop.space import _check
from jaxhop.space._composite import Composite
from jaxhop.space._float import Float
from jaxhop.space._match import numbers_in


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Weights(Composite):
    """Unbounded parameters in the shape of a pytree of arrays; `jaxhop.weights`.

    The search starts at the arrays given. Floating arrays are searched and keep their dtype;
    all else in the pytree (integer and bool arrays, functions, strings) is constant and
    passed through. Coordinates are a tuple of arrays, one for each floating array.

    Scales are rounded to powers of two, by which numbers are divided and multiplied without
    rounding: the first candidate is the given weights bit for bit (float64 arrays, where JAX
    has 64 bits enabled, are searched as precisely as float32).

    Args:
        pytree: the arrays to start from.
        scale: typical size of a weight: a float for all, or a pytree of floats of the same
            structure (only those beside floating arrays count). Default None: each array's
            own standard deviation; for an array of equal numbers, such as biases of 0, a
            tenth of the median deviation of the others, 0.1 if there are none.

    Raises:
        ValueError: if there is no floating array, if a number is not finite, or if `scale`
            does not fit.
        TypeError: if `scale` is not made of numbers.

    Example:
        >>> dense = Weights({"w": np.ones((2, 3), np.float32), "name": "dense"}, scale=0.5)
        >>> dense
        weights(6 numbers in 1 array)
    """

    treedef: Any
    entries: tuple[Any, ...]

    def __init__(self, pytree: Any, scale: Any = None) -> None:
        subject = "weights(pytree)"
        flat, treedef = jax.tree.flatten(pytree)
        arrays = {i: np.asarray(leaf) for i, leaf in enumerate(flat) if _is_floating(leaf)}
        if not arrays:
            raise ValueError(
                f"`{subject}`: there must be a floating array in the pytree. Give one, or"
                " leave the weights out of the space."
            )
        for array in arrays.values():
            if not np.isfinite(array).all():
                raise ValueError(
                    f"`{subject}`: all numbers must be finite, but an array of shape {array.shape}"
                    " holds NaN or infinity. Initialise the model anew."
                )
        scales = _given_scales(scale, arrays, treedef) if scale is not None else _spreads(arrays)
        entries = list(flat)
        for i, array in arrays.items():
            dtype = jax.dtypes.canonicalize_dtype(array.dtype)
            power = _power_of_two(scales[i], subject)
            entries[i] = Float(scale=power, shape=array.shape, init=array, dtype=dtype)
        object.__setattr__(self, "treedef", treedef)
        object.__setattr__(self, "entries", tuple(entries))

    def __repr__(self) -> str:
        number = len(self.leaves())
        plural = "" if number == 1 else "s"
        return f"weights({self.size} numbers in {number} array{plural})"

    def leaves(self) -> tuple[Float, ...]:
        """One unbounded parameter for each floating array."""
        return tuple(entry for entry in self.entries if isinstance(entry, Float))

    def join(self, values: Any) -> Any:
        """The whole pytree from its floating arrays.

        Args:
            values: one array for each of `leaves()`.

        Returns:
            The pytree, with the constants in their places.
        """
        rest = iter(values)
        filled = [next(rest) if isinstance(entry, Float) else entry for entry in self.entries]
        return jax.tree.unflatten(self.treedef, filled)

    def split(self, value: Any) -> list[Any]:
        """The floating arrays of a whole pytree.

        Args:
            value: a pytree of the same structure.

        Returns:
            One array for each of `leaves()`.

        Raises:
            ValueError: if the structure is another one.
        """
        flat, treedef = jax.tree.flatten(value)
        if treedef != self.treedef:
            raise ValueError(
                f"`{self!r}`: the structure of the weights must be {self.treedef}, but got"
                f" {treedef}. Give the same pytree with other numbers."
            )
        return [leaf for leaf, e in zip(flat, self.entries, strict=True) if isinstance(e, Float)]

    def initial(self) -> Any:
        return self.join(np.asarray(leaf.initial(), leaf.dtype) for leaf in self.leaves())

    def validate(self, value: Any) -> None:
        for leaf, part in zip(self.leaves(), self.split(value), strict=True):
            leaf.validate(part)

    def to_python(self, coordinates: Any, decoded: Any) -> Any:
        del coordinates
        return self.join(np.asarray(part) for part in self.split(decoded))

    def starts(self) -> list[Any]:
        return [leaf.initial() for leaf in self.leaves()]

    def collected(self, lists: Sequence[list[Any]], rows: list[int] | None) -> list[Any]:
        chosen = range(len(lists[0])) if rows is None else rows
        columns = list(zip(self.leaves(), lists, strict=True))
        return [
            self.join(np.asarray(own[row], leaf.dtype) for leaf, own in columns) for row in chosen
        ]

    def named(self, value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
        return numbers_in(value, path)


def _is_floating(leaf: Any) -> bool:
    array = isinstance(leaf, np.ndarray | jax.Array)
    return array and leaf.size > 0 and jnp.issubdtype(leaf.dtype, jnp.floating)


def _spreads(arrays: dict[int, np.ndarray]) -> dict[int, float]:
    """Each array's standard deviation, or a tenth of the usual one if it has none."""
    deviations = {i: float(np.std(array.astype(np.float32))) for i, array in arrays.items()}
    spread = [deviation for deviation in deviations.values() if deviation >= 1e-8]
    rest = 0.1 * float(np.median(spread)) if spread else 0.1
    return {i: deviation if deviation >= 1e-8 else rest for i, deviation in deviations.items()}


def _given_scales(scale: Any, arrays: dict[int, np.ndarray], treedef: Any) -> dict[int, Any]:
    """The user's scales: one for all, or a pytree of them."""
    if jax.tree.structure(scale) == jax.tree.structure(0):
        return dict.fromkeys(arrays, scale)
    flat, structure = jax.tree.flatten(scale)
    if structure != treedef:
        raise ValueError(
            f"`weights(pytree, scale)`: `scale` must have the structure {treedef}, but has"
            f" {structure}. Give one float, or a pytree like the weights."
        )
    return {i: flat[i] for i in arrays}


def _power_of_two(scale: Any, subject: str) -> float:
    """The power of two nearest to a scale, in logarithms."""
    number = _check.reals(scale, "scale", subject)
    if number.ndim or number <= 0:
        raise ValueError(
            f"`{subject}`: `scale > 0` must hold for each array, but got {_check.spell(scale)}."
            " Give one positive float for each."
        )
    return 2.0 ** round(math.log2(float(number)))
