"""Candidates in the user's own structure, matched with the tree of a space leaf by leaf."""

from collections.abc import Callable, Iterator, Mapping
from numbers import Number
from typing import Any

import jax
import numpy as np

from jaxhop.space import _check
from jaxhop.space._fidelity import Fidelity
from jaxhop.space._parameter import Parameter

_MISSING = object()


def match(
    tree: Any,
    candidate: Any,
    missing: Callable[[Any, Parameter], Any],
    path: tuple[Any, ...] = (),
) -> list[tuple[Any, Any]]:
    """The leaves of a candidate, checked against the structure of a space.

    Args:
        tree: the space's tree of parameters and constants.
        candidate: a tree of the same structure; dicts may lack keys, and tuples may be lists.
        missing: called with the path and the parameter wherever the candidate has no value;
            returns the value, or raises.
        path: where the tree is in a larger one.

    Returns:
        Path and value of each leaf, in the order in which JAX flattens the tree.

    Raises:
        ValueError: if the structures differ or a constant has another value.
    """
    return list(_walk(tree, candidate, path, missing))


def numbers_in(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The numbers and arrays in a value that is a pytree itself.

    Args:
        value: any pytree; what is no number, such as a model's functions, is passed over.
        path: where it is.

    Returns:
        Paths and values.
    """
    for inner, leaf in jax.tree_util.tree_leaves_with_path(value):
        if np.ndim(leaf) or isinstance(leaf, Number):
            yield (*path, *inner), leaf


def _walk(tree: Any, given: Any, path: tuple[Any, ...], missing: Any) -> Any:
    children, structure = _children(tree)
    if structure == jax.tree_util.tree_structure(0):
        yield path, _leaf(tree, given, path, missing)
        return
    keys = [key for (key,), _ in children]
    if given is _MISSING:
        values = [_MISSING] * len(children)
    elif isinstance(tree, Mapping):
        values = _dict_values([_check.step(key) for key in keys], given, path)
    else:
        values = _node_values(tree, structure, given, path)
    for key, (_, child), value in zip(keys, children, values, strict=True):
        yield from _walk(child, value, (*path, key), missing)


def _leaf(leaf: Any, given: Any, path: tuple[Any, ...], missing: Any) -> Any:
    if isinstance(leaf, Parameter):
        return missing(path, leaf) if given is _MISSING else given
    if isinstance(leaf, Fidelity):
        return _level(leaf, given, path)
    if given is not _MISSING and given is not leaf and not _check.equal(leaf, given):
        raise ValueError(
            f"`{_check.path_name(path)}`: this is the constant {_check.spell(leaf)} of the space,"
            f" but got {_check.spell(given)}. Leave it out, or give the constant."
        )
    return leaf


def _level(leaf: Fidelity, given: Any, path: tuple[Any, ...]) -> Any:
    if given is _MISSING or given is leaf:
        return leaf.high
    try:
        leaf.validate(given)
    except (ValueError, TypeError) as error:
        raise type(error)(f"`{_check.path_name(path)}`: {error}") from None
    return given


def _dict_values(keys: list[Any], given: Any, path: tuple[Any, ...]) -> list[Any]:
    name = _check.path_name(path)
    if not isinstance(given, Mapping):
        raise TypeError(
            f"`{name}`: a dict with keys among {keys} is needed, but got {_check.spell(given)}."
            " Give a dict."
        )
    unknown = [key for key in given if key not in keys]
    if unknown:
        raise ValueError(
            f"`{name}`: the space has no key {unknown[0]!r} here. Its keys are {keys}."
        )
    return [given.get(key, _MISSING) for key in keys]


def _node_values(tree: Any, structure: Any, given: Any, path: tuple[Any, ...]) -> list[Any]:
    name = _check.path_name(path)
    if type(tree) in (list, tuple) and isinstance(given, list | tuple):
        if len(given) != len(tree):
            raise ValueError(
                f"`{name}`: {len(tree)} entries are needed, but got {len(given)}."
                " Give a value for each."
            )
        return list(given)
    children, given_structure = _children(given)
    if given_structure != structure:
        raise TypeError(
            f"`{name}`: a {type(tree).__name__} like that of the space is needed, but got"
            f" {_check.spell(given)}. Give the same structure."
        )
    return [child for _, child in children]


def _children(node: Any) -> tuple[list[tuple[Any, Any]], Any]:
    """The children of a node with their paths, one level deep, and its structure."""
    return jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda child: child is not node)
