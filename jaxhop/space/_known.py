"""Spaces that were made before, so that what was compiled for them is compiled once."""

import functools
from typing import Any

import jax
import numpy as np

from jaxhop.space._space import Space
from jaxhop.space._weights import Weights

_KEPT = 8


def known(tree: Any) -> Space:
    """The space of a tree: the same object each time that all leaves are the same objects.

    Spaces with arrays in them are not kept, for these may be large.

    Args:
        tree: a pytree of parameters and constants, or a `Space`.

    Returns:
        The space.

    Raises:
        ValueError: as `Space` does.

    Example:
        >>> from jaxhop.space import Float
        >>> tree = {"x": Float(0, 1)}
        >>> known(tree) is known(dict(tree))
        True
    """
    if isinstance(tree, Space):
        return tree
    try:
        leaves, structure = jax.tree.flatten(tree)
        hash(structure)
    except (ValueError, TypeError):  # keys without an order: the space says what is wrong
        return Space(tree)
    if any(isinstance(leaf, np.ndarray | jax.Array | Weights) for leaf in leaves):
        return Space(tree)
    return _made(_Same(structure, leaves))


class _Same:
    """A tree that equals one of the same structure with the very same leaves."""

    def __init__(self, structure: Any, leaves: list[Any]) -> None:
        self.structure, self.leaves = structure, leaves
        self._key = (structure, *map(id, leaves))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@functools.lru_cache(maxsize=_KEPT)
def _made(same: _Same) -> Space:
    return Space(jax.tree.unflatten(same.structure, same.leaves))
