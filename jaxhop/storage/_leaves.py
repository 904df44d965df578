"""Parameters as the text of the calls that make them, and back."""

import ast
import functools
import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxhop.space import (
    Bool,
    Choice,
    Custom,
    Fidelity,
    Float,
    Int,
    Parameter,
    Permutation,
    PythonCustom,
    Weights,
    choice,
)
from jaxhop.storage._plain import hashed, is_whole, number, short, to_plain

_LISTED = 1024  # arrays of more numbers are written as a hash
_LONGEST = 200  # characters of a value that is written in full


@functools.singledispatch
def text(parameter: Any) -> str:
    """The call that makes a parameter.

    It holds all that says which values are legal, what their coordinates are, and where a search
    starts: numbers in full, up to 1024 in an array, and functions by their names.

    Args:
        parameter: a parameter or a fidelity; of choices one that `is_literal`.

    Returns:
        The same text in every process.

    Example:
        >>> text(Float(1e-5, 1e-1, log=True))
        'float(1e-05, 0.1, log=True)'
        >>> text(Choice("adam", "sgd", init="sgd"))
        "choice('adam', 'sgd', init='sgd')"
    """
    return short(parameter)


def made(call: str) -> Any:
    """The parameter that a call makes; nothing but that call of jaxhop is executed.

    Args:
        call: what `text` returned.

    Returns:
        A parameter or a fidelity.

    Raises:
        ValueError: if it is no such call, or one with functions, objects or hashes in it.

    Example:
        >>> made("int(8, 64, multiple_of=8)")
        int(8, 64, multiple_of=8)
        >>> made("float(0, 1, sample=draw)")
        Traceback (most recent call last):
        ValueError: `float(0, 1, sample=draw)`: this cannot be made again from its text. Give the\
 space itself.
    """
    try:
        tree = ast.parse(call, mode="eval").body
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
            raise ValueError("no call")
        factory = _FACTORIES[tree.func.id]
        positional = [ast.literal_eval(argument) for argument in tree.args]
        named: Any = {word.arg: ast.literal_eval(word.value) for word in tree.keywords}
        parameter = factory(*positional, **named)
        if text(parameter) != call:
            raise ValueError("another parameter")
    except Exception:  # of whatever kind a damaged text leads to
        raise ValueError(
            f"`{call if len(call) <= _LONGEST else call[:_LONGEST] + '...'}`: this cannot be made"
            " again from its text. Give the space itself."
        ) from None
    return parameter


def is_literal(parameter: Choice) -> bool:
    """Whether all options of a choice can stand in a text.

    Args:
        parameter: a choice without parameters in its options.

    Returns:
        False if some are objects, arrays, dicts or the like.

    Example:
        >>> is_literal(Choice("a", 1, (None, 0.5))), is_literal(Choice(len, max))
        (True, False)
    """
    return all(_literal(option) is not None for option in parameter.choices.options)


def besides(parameter: Parameter) -> dict[str, str]:
    """What parameters of all types may be given besides, as text.

    Args:
        parameter: any.

    Returns:
        `confidence`, and the names of `active`, `sample` and `mutate`, of those that were given.

    Example:
        >>> besides(Float(0, 1, init=0.5, confidence="low"))
        {'confidence': '0.25'}
    """
    rules = parameter.rules
    functions = {
        "active": parameter.active,
        "sample": rules and rules.sample,
        "mutate": rules and rules.mutate and _given(rules.mutate),
    }
    named = {name: short(function) for name, function in functions.items() if function}
    trust = parameter.confidence
    return named if trust is None else {"confidence": repr(trust), **named}


@text.register
def _(parameter: Float) -> str:
    ends = {"low": parameter.low, "high": parameter.high}
    bounds = {name: _numbers(end) for name, end in ends.items() if end is not None}
    named = {
        "log": parameter.log and "True",
        "precision": parameter.precision is not None and repr(parameter.precision),
        "scale": bool(np.any(parameter.scale != 1)) and _numbers(parameter.scale),
        "shape": parameter.shape and repr(parameter.shape),
        "dtype": parameter.dtype != np.float32 and repr(parameter.dtype.name),
        "init": parameter.init is not None and _numbers(parameter.init),
    }
    both = tuple(bounds.values()) if parameter.bounded else ()
    return _call("float", *both, **({} if both else bounds), **named, **besides(parameter))


@text.register
def _(parameter: Int) -> str:
    named = {
        "log": parameter.log and "True",
        "multiple_of": parameter.multiple_of and repr(parameter.multiple_of),
        "power_of": parameter.power_of and repr(parameter.power_of),
        "shape": parameter.shape and repr(parameter.shape),
        "init": parameter.init is not None and _numbers(parameter.init),
    }
    bounds = _numbers(parameter.low), _numbers(parameter.high)
    return _call("int", *bounds, **named, **besides(parameter))


@text.register
def _(parameter: Choice) -> str:
    options = parameter.choices.options
    texts = [str(_literal(option)) for option in options]
    if len(options) == 1 and isinstance(options[0], list | tuple):
        texts = [f"[{texts[0]}]"]  # or else its entries would be the options
    named = {
        "ordinal": parameter.ordinal and "True",
        "init": starts_elsewhere(parameter) and _literal(options[parameter.start]),
    }
    if not parameter.ordinal and texts == ["False", "True"]:
        return _call("bool", init=named["init"], **besides(parameter))
    return _call("choice", *texts, **named, **besides(parameter))


def starts_elsewhere(parameter: Choice) -> bool:
    """Whether a choice starts at another option than it does without `init`.

    Args:
        parameter: a choice.

    Returns:
        True also where the default was given with a confidence.

    Example:
        >>> starts_elsewhere(Choice(1, 2, 3, ordinal=True, init=2))
        False
    """
    default = (len(parameter.choices.options) - 1) // 2 if parameter.ordinal else 0
    return parameter.start != default or parameter.confidence is not None


@text.register
def _(parameter: Permutation) -> str:
    init = parameter.init is not None and _numbers(parameter.init)
    return _call("permutation", repr(parameter.n), init=init, **besides(parameter))


@text.register
def _(parameter: Fidelity) -> str:
    eta = parameter.eta != 3 and repr(parameter.eta)
    return _call("fidelity", repr(parameter.low), repr(parameter.high), eta=eta)


@text.register
def _(parameter: Custom) -> str:
    functions = short(parameter.sample_function), short(_given(parameter.mutate_function))
    form = repr(parameter).removeprefix("custom(").removesuffix(")")
    init = parameter.init is not None and _value(parameter.init)
    return _call("custom", *functions, form, init=init, **besides(parameter))


@text.register
def _(parameter: PythonCustom) -> str:
    init = _value(parameter.initial())
    return _call("custom", init=init, **besides(parameter), python="True")


@text.register
def _(parameter: Weights) -> str:
    arrays = [
        f"{leaf.dtype.name}{list(leaf.shape)} * {number(leaf.scale[()])!r}"
        for leaf in parameter.leaves()
    ]
    rest = [
        (jax.tree_util.keystr(path), hashed(leaf) if _is_array(leaf) else _value(leaf))
        for path, leaf in jax.tree_util.tree_leaves_with_path(parameter.initial())
    ]
    return _call("weights", *arrays, f"<{_hash(repr(rest))}>")


def _call(name: str, *positional: str, **named: Any) -> str:
    """A call of texts; those named that are False, None or empty are left out."""
    return f"{name}({', '.join([*positional, *(f'{k}={v}' for k, v in named.items() if v)])})"


def _numbers(array: np.ndarray) -> str:
    """One number, a nested list of them, or a hash of many."""
    if array.size > _LISTED:
        return f"<{array.dtype.name}{list(array.shape)} {hashed(array)}>"
    if array.ndim:
        return f"[{', '.join(_numbers(part) for part in np.asarray(array))}]"
    plain = repr(number(np.asarray(array)[()]))
    return plain.removesuffix(".0") if plain != "-0.0" else plain


def _literal(value: Any) -> str | None:
    """The value as Python writes it, None if it does not read as the same value."""
    if type(value) in (list, tuple):
        parts = [_literal(part) for part in value]
        if any(part is None for part in parts):
            return None
        comma = "," if type(value) is tuple and len(parts) == 1 else ""
        inner = ", ".join(map(str, parts)) + comma
        return f"[{inner}]" if type(value) is list else f"({inner})"
    plain = value is None or type(value) in (bool, int, str, bytes)
    return repr(value) if plain or (type(value) is float and math.isfinite(value)) else None


def _value(value: Any) -> str:
    """The user's own value; of objects, that need not be written alike twice, the type only."""
    plain = to_plain(value, lossy=True)
    if not is_whole(plain):
        return short(value) if callable(value) else f"<{type(value).__qualname__}>"
    written = json.dumps(plain, sort_keys=True)
    return written if len(written) <= _LONGEST else f"<{_hash(written)}>"


def _given(mutate: Callable[..., Any]) -> Any:
    """The user's own function in a `mutate` that is called with a temperature."""
    return getattr(mutate, "function", mutate)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | jax.Array)


def _hash(written: str) -> str:
    return hashlib.blake2b(written.encode(), digest_size=8).hexdigest()


_FACTORIES: dict[str, Callable[..., Any]] = {
    "bool": Bool,
    "choice": choice,
    "fidelity": Fidelity,
    "float": Float,
    "int": Int,
    "permutation": Permutation,
}
