"""How many legal values there are, and which."""

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxhop.space._choice import Choice
from jaxhop.space._conditional import Conditional
from jaxhop.space._float import Float
from jaxhop.space._int import Int
from jaxhop.space._parameter import Parameter
from jaxhop.space._permutation import Permutation
from jaxhop.space._tree import Tree

_MOST = 2**53


def cardinality(tree: Tree) -> int | None:
    """The number of different candidates of a tree.

    Args:
        tree: of parameters and constants.

    Returns:
        None if they are infinitely many or more than 2**53.

    Example:
        >>> cardinality(Tree({"n": Int(1, 3), "x": Float(0, 1, "0.1f")}))
        33
    """
    return _limited(math.prod, [count(parameter) for parameter in tree.parameters])


def candidates(tree: Tree) -> Iterator[Any]:
    """All candidates of a tree, one by one.

    Args:
        tree: one with a cardinality.

    Returns:
        Candidates as a user reads them.
    """
    for combination in _product([functools.partial(values, each) for each in tree.parameters]):
        yield tree.assembled([_fresh(value) for value in combination])


@functools.singledispatch
def count(parameter: Parameter) -> int | None:
    """The number of legal values of a parameter.

    Args:
        parameter: of any type.

    Returns:
        None if they are infinitely many or more than 2**53.
    """
    del parameter
    return None


@functools.singledispatch
def values(parameter: Parameter) -> Iterator[Any]:
    """The legal values of a parameter, one by one.

    Args:
        parameter: one with a count.

    Returns:
        Host values.
    """
    raise TypeError(f"`{parameter!r}`: it has no finite number of values to list.")


@count.register
def _(parameter: Choice) -> int | None:
    return len(parameter.choices.options)


@values.register
def _(parameter: Choice) -> Iterator[Any]:
    return iter(parameter.choices.options)


@count.register
def _(parameter: Conditional) -> int | None:
    return _limited(sum, [cardinality(tree) for tree in parameter.choices.trees])


@values.register
def _(parameter: Conditional) -> Iterator[Any]:
    return itertools.chain.from_iterable(map(candidates, parameter.choices.trees))


@count.register
def _(parameter: Permutation) -> int | None:
    return math.factorial(parameter.n) if parameter.n < 19 else None


@values.register
def _(parameter: Permutation) -> Iterator[Any]:
    orders = itertools.permutations(range(parameter.n))
    return (np.array(order, np.int32) for order in orders)


@count.register
def _(parameter: Int) -> int | None:
    # On a logarithmic scale float32 leaves some of the great numbers out.
    if parameter.log and np.any(parameter.high > 2**24):
        return None
    return _limited(math.prod, [last - first + 1 for first, last in _integers(parameter)])


@values.register
def _(parameter: Int) -> Iterator[Any]:
    return _arrays(parameter, [range(first, last + 1) for first, last in _integers(parameter)])


@count.register
def _(parameter: Float) -> int | None:
    if parameter.precision is None or not parameter.bounded:
        return None
    return _limited(math.prod, [last - first + 1 for first, last in _decimals(parameter)])


@values.register
def _(parameter: Float) -> Iterator[Any]:
    return _arrays(parameter, [range(first, last + 1) for first, last in _decimals(parameter)])


def _integers(parameter: Int) -> list[tuple[int, int]]:
    """For each entry the numbers of its first and its last legal value."""
    first, last = parameter.numbers()
    ends = [np.broadcast_to(end, parameter.shape).ravel().tolist() for end in (first, last)]
    return list(zip(*ends, strict=True))


def _decimals(parameter: Float) -> list[tuple[int, int]]:
    """For each entry its legal decimals, numbered."""
    assert parameter.low is not None
    assert parameter.high is not None
    ends = [
        [_number(parameter, bound) for bound in np.broadcast_to(end, parameter.shape).ravel()]
        for end in (parameter.low, parameter.high)
    ]
    return list(zip(*ends, strict=True))


def _number(parameter: Float, decimal: float) -> int:
    precision = parameter.precision
    assert precision is not None
    if not parameter.log:
        return round(decimal * 10**precision)
    digits, exponent = format(decimal, f".{precision - 1}e").split("e")
    least = 10 ** (precision - 1)
    return int(exponent) * 9 * least + int(digits.replace(".", "")) - least


def _decimal(parameter: Float, number: int) -> float:
    precision = parameter.precision
    assert precision is not None
    if not parameter.log:
        return number / 10**precision
    least = 10 ** (precision - 1)
    exponent, digits = divmod(number, 9 * least)
    return float(f"{digits + least}e{exponent - precision + 1}")


def _arrays(parameter: Int | Float, ranges: list[range]) -> Iterator[Any]:
    """Values of all combinations of the numbers of entries."""
    for numbers in _product([functools.partial(iter, entry) for entry in ranges]):
        if isinstance(parameter, Float):
            real = [_decimal(parameter, number) for number in numbers]
            array = np.array(real).astype(parameter.dtype).reshape(parameter.shape)
            yield array if parameter.shape else real[0]
        else:
            array = parameter.value_of(np, np.array(numbers)).astype(np.int32)
            yield array.reshape(parameter.shape) if parameter.shape else int(array[0])


def _product(iterables: list[Any]) -> Iterator[tuple[Any, ...]]:
    """As `itertools.product`, but nothing is listed beforehand."""
    if not iterables:
        yield ()
        return
    for first in iterables[0]():
        for rest in _product(iterables[1:]):
            yield (first, *rest)


def _limited(total: Any, counts: list[int | None]) -> int | None:
    finite = [number for number in counts if number is not None]
    if len(finite) < len(counts):
        return None
    number = total(finite)
    return number if number <= _MOST else None


def _fresh(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value
