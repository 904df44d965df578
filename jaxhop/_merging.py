"""Trees of spaces and of candidates: put together, and held against each other."""

from collections.abc import Mapping
from typing import Any

import jax

from jaxhop.space import Fidelity, Parameter, Space
from jaxhop.space._check import equal


def merged(spaces: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """One tree of several dicts.

    Args:
        spaces: these, or one tree of any kind.
        named: what joins them.

    Returns:
        The tree.

    Raises:
        ValueError: if two of them have a key in common.
        TypeError: if several are given and one is no dict.
    """
    if len(spaces) == 1 and not named:
        return spaces[0].tree if isinstance(spaces[0], Space) else spaces[0]
    merged: dict[Any, Any] = {}
    for part in (*spaces, named):
        if not isinstance(part, Mapping):
            raise TypeError(
                f"`Search({part!r}, ...)`: several spaces must be dicts, for their keys are put"
                " together. Put it under a key of its own."
            )
        for key in part:
            if key in merged:
                raise ValueError(f"`Search`: the key {key!r} is given twice. Leave one out.")
        merged |= part
    return merged


def over(base: Any, part: Any) -> Any:
    """A dict with another's keys on top, level by level.

    Args:
        base: the dict.
        part: what is on top; what is no dict replaces all of it.

    Returns:
        A new dict, or `part`.
    """
    if not (isinstance(base, Mapping) and isinstance(part, Mapping)):
        return part
    own = {key: over(base[key], part[key]) if key in base else part[key] for key in part}
    return {**base, **own}


def allows(tree: Any, value: Any) -> bool:
    """Whether a part of a candidate is what a part of a space allows.

    Args:
        tree: of parameters and constants.
        value: what a candidate has in its place.

    Returns:
        False if a constant is another one, or a parameter does not allow its value.
    """
    leaves, structure = jax.tree.flatten(tree)
    try:
        for leaf, own in zip(leaves, structure.flatten_up_to(value), strict=True):
            if isinstance(leaf, Parameter):
                leaf.validate(own)
            elif not isinstance(leaf, Fidelity) and not equal(leaf, own):
                return False
    except (ValueError, TypeError):
        return False
    return True
