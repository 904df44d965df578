"""Spaces as readable JSON, and back where that is possible."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import jax

from jaxhop import _call
from jaxhop.space import Choice, Conditional, Fidelity, Parameter, Space, choice
from jaxhop.space._check import path_name
from jaxhop.storage._differences import additions as additions
from jaxhop.storage._differences import children, tag_of
from jaxhop.storage._differences import differences as differences
from jaxhop.storage._leaves import besides, is_literal, made, starts_elsewhere, text
from jaxhop.storage._plain import from_plain, is_whole, short, to_plain


def describe(space: Space) -> Any:
    """A space as JSON, in the form of its pytree.

    Dicts and lists are written as they are, and a parameter as the call that makes it. All else is
    an object with a key that begins with "$": `$constant`, `$tuple`, `$dict` (with keys that are
    no text), `$node` (other nodes of pytrees), and `$choice` (with options that are spaces or
    objects). Equal spaces are written alike in every process.

    Args:
        space: any space.

    Returns:
        What `json.dumps` takes.

    Example:
        >>> from jaxhop.space import Float
        >>> describe(Space({"lr": Float(1e-5, 1e-1, log=True), "at": (3, Float(0, 1))}))
        {'at': {'$tuple': [{'$constant': 3}, 'float(0, 1)']}, 'lr': 'float(1e-05, 0.1, log=True)'}
    """
    return _described(space.tree)


def rebuild(description: Any) -> Space:
    """The space that was described; nothing in the description is executed.

    Args:
        description: what `describe` returned.

    Returns:
        A space with the same description, and the same candidates at the same points.

    Raises:
        ValueError: if there is something in it that text cannot make again: functions, objects,
            weights, nodes of the user's own types, and large arrays. The message names the place.

    Example:
        >>> rebuild({"lr": "float(1e-05, 0.1, log=True)", "name": {"$constant": "adam"}})
        Space({'lr': float(low=1e-05, high=0.1, log=True), 'name': 'adam'})
    """
    try:
        return Space(_built(description, "space"))
    except ValueError:
        raise
    except Exception as error:  # of whatever kind a damaged description leads to
        raise ValueError(
            f"`space`: its description makes no space ({short(error)}). Give the space itself."
        ) from None


def signature(fn: Callable[..., Any]) -> str:
    """What a function is called and what it takes, by which searches are told apart.

    Args:
        fn: an objective.

    Returns:
        Its name and the names of its parameters.

    Example:
        >>> signature(lambda params, key=None: 0)
        '<lambda>(params, key)'
    """
    name = re.sub(r" at 0x[0-9a-fA-F]+", "", _call.name(fn))
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (ValueError, TypeError):  # some built-in functions have no signature
        return f"{name}(…)"
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return f"{name}({', '.join(stars.get(each.kind, '') + each.name for each in parameters)})"


def _described(node: Any) -> Any:
    if isinstance(node, Conditional):
        return _conditional(node)
    if isinstance(node, Choice) and not is_literal(node):
        options = [_constant(option) for option in node.choices.options]
        start = {"init": node.start} if starts_elsewhere(node) else {}
        return {"$choice": options, **_settings(node), **start}
    if isinstance(node, Parameter | Fidelity):
        return text(node)
    # One level deep: what is not the node itself is a leaf.
    parts, structure = jax.tree_util.tree_flatten_with_path(
        node, is_leaf=lambda part: part is not node
    )
    if node is None or structure == jax.tree_util.tree_structure(0):
        return _constant(node)
    values = [_described(part) for _, part in parts]
    if type(node) is list:
        return values
    if type(node) is tuple:
        return {"$tuple": values}
    if type(node) is dict:
        keys = [key.key for (key,), _ in parts]
        if all(type(key) is str and not key.startswith("$") for key in keys):
            return dict(zip(keys, values, strict=True))
        pairs = zip(keys, values, strict=True)
        return {"$dict": [[to_plain(key, lossy=True), value] for key, value in pairs]}
    kind, static = structure.node_data() or (type(node), None)
    names = [path_name(path)[5:] for path, _ in parts]
    empty = static is None or (isinstance(static, tuple) and not static)
    own = {} if empty else {"static": to_plain(static, lossy=True, digest=True)}
    inner = dict(zip(names, values, strict=True))
    return {"$node": kind.__qualname__, **own, "children": inner}


def _conditional(node: Conditional) -> dict[str, Any]:
    options = [_described(option) for option in node.choices.options]
    start = {}
    moved = any(
        to_plain(tree.starts(), lossy=True)
        != to_plain([value for leaf in tree.parameters for value in leaf.starts()], lossy=True)
        for tree in node.choices.trees
    )
    if moved or starts_elsewhere(node.index):
        start["init"] = to_plain(node.initial(), lossy=True, digest=True)
    return {"$choice": options, **_settings(node.index), **start}


def _settings(node: Choice) -> dict[str, Any]:
    ordinal = {"ordinal": True} if node.ordinal else {}
    trust = {} if node.confidence is None else {"confidence": node.confidence}
    return {**ordinal, **besides(node), **trust}


def _constant(value: Any) -> dict[str, Any]:
    return {"$constant": to_plain(value, lossy=True, digest=True)}


def _built(description: Any, name: str) -> Any:
    """The pytree that was described; `name` is the path to it."""
    if isinstance(description, str):
        return _named(made, description, name)
    tag = tag_of(description) if isinstance(description, dict) else None
    if tag == "$constant" and len(description) == 1:
        value = _plain(description[tag], name)
        if _described(value) == description:
            return value
    elif tag == "$choice":
        return _choice(description, name)
    elif tag == "$node":
        raise ValueError(
            f"`{name}`: a {short(description[tag])} cannot be made again from its description."
            " Give the space itself."
        )
    found = None if tag == "$constant" else children(description)
    if found is None or (tag and len(description) > 1):
        raise ValueError(
            f"`{name}`: `{short(description)}` describes no part of a space. Give the space"
            " itself."
        )
    parts = [_built(part, name + step) for step, part in found[1].items()]
    if isinstance(description, list):
        return parts
    if tag == "$tuple":
        return tuple(parts)
    keys = description if tag is None else [_plain(key, name) for key, _ in description[tag]]
    return _named(lambda pairs: dict(pairs), zip(keys, parts, strict=True), name)


def _choice(description: dict[str, Any], name: str) -> Any:
    if not isinstance(description["$choice"], list):
        raise ValueError(f"`{name}`: options are a list. Give the space itself.")
    options = [
        _option(part, f"{name}.options[{number}]")
        for number, part in enumerate(description["$choice"])
    ]
    named = {key: part for key, part in description.items() if key != "$choice"}

    def make(named: dict[str, Any]) -> Any:
        if "init" in named:
            nested = isinstance(choice(options), Conditional)
            start = _plain(named["init"], name) if nested else options[named["init"]]
            named = {**named, "init": start}
        node = choice(options, **named)
        if _described(node) != description:
            raise ValueError("its description is not that of a choice. Give the space itself.")
        return node

    return _named(make, named, name)


def _option(description: Any, name: str) -> Any:
    if isinstance(description, dict) and list(description) == ["$constant"]:
        return _plain(description["$constant"], name)
    return _built(description, name)


def _plain(plain: Any, name: str) -> Any:
    if not is_whole(plain):
        raise ValueError(
            f"`{name}`: `{short(plain)}` stands for an object that was not written. Give the space"
            " itself."
        )
    return _named(from_plain, plain, name)


def _named(make: Callable[[Any], Any], what: Any, name: str) -> Any:
    """What a function makes; errors say where."""
    try:
        return make(what)
    except ValueError as error:
        raise ValueError(f"`{name}`: {error}") from None
    except Exception as error:  # of whatever kind a damaged description leads to
        raise ValueError(
            f"`{name}`: its description cannot be read ({short(error)}). Give the space itself."
        ) from None
