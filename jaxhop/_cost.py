"""What a traced function takes, read off its jaxpr before anything is compiled."""

from typing import Any, NamedTuple

import jax
import numpy as np

_UNKNOWN_TURNS = 100  # of a loop whose number of turns is known at run time only


class Cost(NamedTuple):
    """What one evaluation takes; upper bounds and estimates, from shapes alone.

    Attributes:
        bytes: what it may hold at once, if nothing was ever freed.
        operations: numbers computed, loops and matrix products counted through.
    """

    bytes: int
    operations: int


def cost(jaxpr: Any) -> Cost:
    """The cost of a jaxpr, calls and loops included.

    Args:
        jaxpr: what `jax.make_jaxpr` gave, or its inner jaxpr.

    Returns:
        The cost.

    Example:
        >>> cost(jax.make_jaxpr(lambda x: x * 2)(np.ones(3, np.float32)))
        Cost(bytes=12, operations=3)
    """
    held = operations = 0
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        sizes = [int(np.prod(getattr(out.aval, "shape", ()))) for out in eqn.outvars]
        widths = [getattr(getattr(out.aval, "dtype", None), "itemsize", 8) for out in eqn.outvars]
        held += sum(size * width for size, width in zip(sizes, widths, strict=True))
        inner = [cost(called) for called in _called(eqn)]
        held += sum(part.bytes for part in inner)
        if inner:
            operations += _turns(eqn) * sum(part.operations for part in inner)
        else:
            operations += sum(sizes) * _terms(eqn)
    return Cost(held, operations)


def _called(eqn: Any) -> list[Any]:
    """The jaxprs inside an equation."""

    def is_jaxpr(leaf: Any) -> bool:
        return hasattr(leaf, "eqns") or hasattr(leaf, "jaxpr")

    leaves = jax.tree.leaves(list(eqn.params.values()), is_leaf=is_jaxpr)
    return [leaf for leaf in leaves if is_jaxpr(leaf)]


def _turns(eqn: Any) -> int:
    if eqn.primitive.name == "while":
        return _UNKNOWN_TURNS
    return eqn.params.get("length", 1) if eqn.primitive.name == "scan" else 1


def _terms(eqn: Any) -> int:
    """How many products each number of a result sums up."""
    name = eqn.primitive.name
    if name == "dot_general":
        (contracted, _), _ = eqn.params["dimension_numbers"]
        return int(np.prod([eqn.invars[0].aval.shape[axis] for axis in contracted]))
    if name == "conv_general_dilated":
        kernel = eqn.invars[1].aval.shape
        return int(np.prod(kernel)) // max(kernel[eqn.params["dimension_numbers"].rhs_spec[0]], 1)
    return 1
