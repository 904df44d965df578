"""Values as JSON and back, so that nothing that is read is ever executed."""

import base64
import datetime
import functools
import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_LISTED = 64  # arrays of more numbers are written as bytes
_LONGEST = 200  # characters of a text that stands for an object
_LOSSY = ("$text", "$fields", "$digest")


def to_plain(value: Any, lossy: bool = False, digest: bool = False) -> Any:
    """A value as what `json.dumps` takes.

    Numbers, text, lists and dicts are written as they are, all else as an object with one key
    that begins with "$". Arrays of JAX, and subclasses of NumPy's, come back as NumPy arrays.

    Args:
        value: made of None, numbers, text, bytes, lists, tuples, dicts, sets, durations, NumPy
            scalars and arrays.
        lossy: whether other objects are written as text, which does not come back as the object.
            Default False: they are refused.
        digest: whether arrays of more than 64 numbers are written as a hash. Default False.

    Returns:
        None, a bool, an int, a finite float, a str, or a list or dict of such.

    Raises:
        TypeError: if there is an object of another type, and `lossy` is False.

    Example:
        >>> to_plain({"lr": 0.1, "size": (3, 4), "w": np.float32([0.1, np.inf])})
        {'lr': 0.1, 'size': {'$tuple': [3, 4]}, 'w': {'$array': {'dtype': 'float32', \
'shape': [2], 'data': [0.1, 'inf']}}}
        >>> to_plain(len, lossy=True)
        {'$text': 'len'}
    """
    write = functools.partial(to_plain, lossy=lossy, digest=digest)
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, np.ndarray | jax.Array | np.generic) and _has_numbers(value):
        return _array(value, digest)
    if kind in _WRITERS:
        return _WRITERS[kind](value, write)
    if not lossy:
        raise TypeError(
            f"`{short(value)}`: an object of type {kind.__qualname__} cannot be written as JSON."
            " Use numbers, text, lists, tuples, dicts, sets and NumPy arrays."
        )
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = {name: write(part) for name, part in value._asdict().items()}  # pyright: ignore[reportAttributeAccessIssue]
        return {"$fields": {"type": kind.__qualname__, "fields": fields}}
    base = next((base for base in (dict, list, tuple) if isinstance(value, base)), None)
    return {"$text": short(value)} if base is None else _WRITERS[base](value, write)


def from_plain(plain: Any) -> Any:
    """The value that `to_plain` wrote.

    Args:
        plain: what `json.loads` returned.

    Returns:
        The value; its arrays can be written to. What was written as text comes back as text, a
        NamedTuple as a dict.

    Raises:
        ValueError: if `to_plain` did not write it.

    Example:
        >>> from_plain({"size": {"$tuple": [3, 4]}, "inf": {"$float": "inf"}})
        {'size': (3, 4), 'inf': inf}
    """
    try:
        return _read(plain)
    except RecursionError:
        raise ValueError(
            "`from_plain(plain)`: objects inside objects go too deep to be read. Restore the file"
            " from a copy."
        ) from None


def is_whole(plain: Any) -> bool:
    """Whether `from_plain` brings the very value back.

    Args:
        plain: what `to_plain` returned.

    Returns:
        False if something was written as text or as a hash.

    Example:
        >>> is_whole(to_plain([1, {2}])), is_whole(to_plain([1, len], lossy=True))
        (True, False)
    """
    if isinstance(plain, dict):
        return not any(tag in plain for tag in _LOSSY) and all(map(is_whole, plain.values()))
    return not isinstance(plain, list) or all(map(is_whole, plain))


def short(value: Any) -> str:
    """What stands for an object in a text: the same in every process.

    Args:
        value: any object.

    Returns:
        The name of a function or a class; of other objects how they are written, without
        addresses, in at most 200 characters.

    Example:
        >>> short(object())
        '<object object>'
    """
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):
        return name
    if type(value).__repr__ is object.__repr__:  # has the module, which may be `__main__`
        return f"<{type(value).__qualname__} object>"
    try:
        text = repr(value)
    except Exception:  # whatever the user's own class does
        text = f"<{type(value).__qualname__} object>"
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def hashed(array: Any) -> str:
    """A hash of the numbers of an array.

    Args:
        array: of numbers.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> hashed(np.zeros(3)) == hashed(np.zeros(3))
        True
    """
    return hashlib.blake2b(_bytes(np.asarray(array)), digest_size=8).hexdigest()


def number(value: Any) -> int | float:
    """A NumPy number as the shortest Python number that reads as the same one.

    Args:
        value: a scalar of any integer or floating dtype.

    Returns:
        A Python number.

    Example:
        >>> number(np.float32(0.1))
        0.1
    """
    return _decimals(np.asarray(value))[0]


def _has_numbers(value: Any) -> bool:
    # Extended precision differs between machines.
    simple = jnp.issubdtype(value.dtype, jnp.number) and value.dtype.itemsize <= 16
    wide = jnp.issubdtype(value.dtype, jnp.floating) and value.dtype.itemsize > 8
    return value.dtype == np.bool_ or bool(simple and not wide)


def _array(value: Any, digest: bool) -> dict[str, Any]:
    array = np.asarray(value)
    form: dict[str, Any] = {"dtype": array.dtype.name, "shape": list(array.shape)}
    if isinstance(value, np.generic):
        return {"$scalar": {"dtype": form["dtype"], "data": _entries(array)[0]}}
    if array.size <= _LISTED:
        entries = np.empty(array.size, object)
        entries[:] = _entries(array)
        return {"$array": {**form, "data": entries.reshape(array.shape).tolist()}}
    if digest:
        return {"$digest": {**form, "blake2b": hashed(array)}}
    return {"$array": {**form, "base64": base64.b64encode(_bytes(array)).decode()}}


def _bytes(array: np.ndarray) -> bytes:
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _entries(array: np.ndarray) -> list[Any]:
    """The numbers of an array as JSON has them; "nan", "inf" and "-inf" are not in it."""
    if array.dtype.kind == "c":
        return [[_entries(part)[0] for part in (x.real, x.imag)] for x in array.ravel()]
    return [x if math.isfinite(x) else str(x) for x in _decimals(array)]


def _decimals(array: np.ndarray) -> list[Any]:
    """The numbers of an array as the shortest Python numbers that read as the same ones."""
    flat = array.ravel()
    if not jnp.issubdtype(flat.dtype, jnp.floating):
        return flat.tolist()
    decimals = [float(str(x)) for x in flat]
    # Read as float64 first, a short decimal may come to lie just between two shorter numbers.
    with np.errstate(all="ignore"):  # NaNs of some bits count as invalid
        again = np.array(decimals).astype(flat.dtype)
        same = np.array_equal(again, flat, equal_nan=True)
        return decimals if same else flat.astype(np.float64).tolist()


def _dict(value: dict[Any, Any], write: Callable[[Any], Any]) -> dict[str, Any]:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: write(part) for key, part in value.items()}
    return {"$dict": [[write(key), write(part)] for key, part in value.items()]}


def _sorted(value: Any, write: Callable[[Any], Any]) -> list[Any]:
    """The elements of a set, in the same order in every process."""
    return sorted(map(write, value), key=lambda plain: json.dumps(plain, sort_keys=True))


_WRITERS: dict[type, Callable[[Any, Callable[[Any], Any]], Any]] = {
    list: lambda value, write: [write(part) for part in value],
    tuple: lambda value, write: {"$tuple": [write(part) for part in value]},
    dict: _dict,
    set: lambda value, write: {"$set": _sorted(value, write)},
    frozenset: lambda value, write: {"$frozenset": _sorted(value, write)},
    bytes: lambda value, write: {"$bytes": base64.b64encode(value).decode()},
    complex: lambda value, write: {"$complex": [write(value.real), write(value.imag)]},
    datetime.timedelta: lambda value, write: {
        "$timedelta": [value.days, value.seconds, value.microseconds]
    },
    np.str_: lambda value, write: {"$str": str(value)},
}


class _Damaged(ValueError):
    """What says already where it is."""


def _read(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_read(part) for part in plain]
    if not isinstance(plain, dict):
        return plain
    tag = next((key for key in plain if key.startswith("$")), None)
    if tag is None:
        return {key: _read(part) for key, part in plain.items()}
    try:
        if len(plain) > 1:
            raise ValueError(f"{tag!r} must be the only key")
        return _READERS[tag](plain[tag])
    except _Damaged:
        raise
    except KeyError as error:
        reason = f"{error} is unknown or missing"
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        reason = str(error)
    raise _Damaged(
        f"`{short(plain)}`: this is no value that jaxhop wrote ({reason}). Restore the file from a"
        " copy, or start anew."
    )


def _read_array(form: dict[str, Any]) -> np.ndarray:
    dtype, shape = _dtype(form["dtype"]), tuple(form["shape"])
    if "base64" in form:
        data = _read_bytes(form["base64"])
        flat = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)
    elif dtype.kind == "c":
        pairs = _numbers(form["data"], np.dtype(np.float64))
        flat = np.array(pairs).view(np.complex128).astype(dtype)
    else:
        flat = np.array(_numbers(form["data"], dtype), dtype)
    return flat.reshape(shape)


def _read_scalar(form: dict[str, Any]) -> Any:
    return _read_array({**form, "shape": ()})[()]


def _dtype(name: Any) -> np.dtype:
    dtype = np.dtype(name) if isinstance(name, str) else None
    if dtype is None or dtype.name != name or not _has_numbers(np.zeros((), dtype)):
        raise ValueError(f"{name!r} is no dtype of numbers")
    return dtype


def _numbers(data: Any, dtype: np.dtype) -> list[Any]:
    """The numbers in nested lists, in a row."""
    if isinstance(data, list):
        return [entry for part in data for entry in _numbers(part, dtype)]
    kinds = (bool,) if dtype == np.bool_ else (int,)
    if jnp.issubdtype(dtype, jnp.floating):
        kinds = (int, float)
        data = float(data) if data in ("nan", "inf", "-inf") else data
    if type(data) not in kinds:
        raise ValueError(f"{short(data)} is no {dtype.name}")
    return [data]


def _read_bytes(text: Any) -> bytes:
    return base64.b64decode(text, validate=True)


def _read_fields(form: dict[str, Any]) -> dict[str, Any]:
    return {name: _read(part) for name, part in form["fields"].items()}


def _read_list(parts: Any) -> list[Any]:
    if not isinstance(parts, list):
        raise ValueError("a list is needed")
    return [_read(part) for part in parts]


def _read_float(text: Any) -> float:
    if text not in ("nan", "inf", "-inf"):
        raise ValueError("nan, inf or -inf is needed")
    return float(text)


def _read_text(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError("a text is needed")
    return text


def _read_digest(form: Any) -> Any:
    raise ValueError(f"only the hash of an array was written, {short(form)}")


_READERS: dict[str, Callable[[Any], Any]] = {
    "$tuple": lambda parts: tuple(_read_list(parts)),
    "$dict": lambda pairs: dict(_read_list(pairs)),
    "$set": lambda parts: set(_read_list(parts)),
    "$frozenset": lambda parts: frozenset(_read_list(parts)),
    "$bytes": _read_bytes,
    "$float": _read_float,
    "$complex": lambda parts: complex(*_read_list(parts)),
    "$timedelta": lambda parts: datetime.timedelta(*_read_list(parts)),
    "$array": _read_array,
    "$scalar": _read_scalar,
    "$str": lambda text: np.str_(_read_text(text)),
    "$text": _read_text,
    "$fields": _read_fields,
    "$digest": _read_digest,
}
