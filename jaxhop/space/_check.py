"""Arguments refused at the door: the rule, what came, and what to do."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def call(name: str, *positional: Any, **named: Any) -> str:
    """How a constructor was called, as errors quote it; None and False are left out."""
    given = [spell(value) for value in positional]
    given += [f"{k}={spell(v)}" for k, v in named.items() if v is not None and v is not False]
    return f"{name}({', '.join(given)})"


def spell(value: Any) -> str:
    """A short repr that shows NumPy and JAX numbers as plain ones."""
    if isinstance(value, np.ndarray | np.generic | jnp.ndarray):
        value = value.tolist() if np.size(value) <= 6 else f"<array of shape {np.shape(value)}>"
        return value if isinstance(value, str) else repr(value)
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def reals(value: Any, what: str, subject: str) -> np.ndarray:
    """`value` as finite float64 numbers, of the decimals that it shows."""
    array = _array(float(value) if type(value) is int else value)
    if array is None or not jnp.issubdtype(array.dtype, np.number) or array.dtype.kind == "c":
        raise TypeError(
            f"`{subject}`: `{what}` must be a number, but got {spell(value)}."
            " Give an int, a float or an array of them."
        )
    if array.dtype == np.float32 and not array.ndim:
        array = np.asarray(str(array))  # float32 0.1 means 0.1, not 0.10000000149
    array = array.astype(np.float64)
    if not np.all(np.isfinite(array)):
        bound = "Leave it out to have no bound." if what in ("low", "high") else ""
        raise ValueError(
            f"`{subject}`: `{what}` must be finite, but got {spell(value)}."
            f" {bound or 'Give finite numbers.'}"
        )
    return array


def integers(value: Any, what: str, subject: str) -> np.ndarray:
    """`value` as int64 integers that int32 can hold."""
    # Beyond int64 NumPy would make an object of it.
    array = _array(min(max(value, -(2**40)), 2**40) if type(value) is int else value)
    if array is None or array.dtype.kind not in "iu":
        raise TypeError(
            f"`{subject}`: `{what}` must be an integer, but got {spell(value)}."
            " Give an int or an array of them."
        )
    if np.any(array > 2**31 - 1) or np.any(array < -(2**31)):
        raise ValueError(
            f"`{subject}`: `{what}` must fit into 32 bits, but got {spell(value)}."
            " Stay between -2**31 and 2**31 - 1."
        )
    return array.astype(np.int64)


def whole(value: Any, what: str, subject: str, least: int) -> int:
    """`value` as one Python integer that is at least `least`."""
    number = integers(value, what, subject)
    if number.ndim or number < least:
        raise ValueError(
            f"`{subject}`: `{what} >= {least}` must hold, but got {spell(value)}."
            f" Give one integer from {least} upwards."
        )
    return int(number)


def lengths(value: Any, subject: str) -> tuple[int, ...]:
    """`shape=` as a tuple of positive Python integers."""
    entries = value if isinstance(value, tuple | list) else (value,)
    return tuple(whole(entry, "shape", subject, 1) for entry in entries)


def floating(dtype: Any, subject: str) -> Any:
    """`dtype=` as a floating dtype that JAX can hold."""
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or not jnp.issubdtype(kind, jnp.floating):
        raise TypeError(
            f"`{subject}`: `dtype` must be a floating dtype, but got {dtype!r}."
            " Give jnp.float32, jnp.bfloat16 or the like."
        )
    if jax.dtypes.canonicalize_dtype(kind) != kind:
        raise ValueError(
            f"`{subject}`: `dtype={kind.name}` needs 64 bits, which JAX has not enabled."
            ' Use float32, or set jax.config.update("jax_enable_x64", True).'
        )
    return kind


def spread(array: np.ndarray, shape: tuple[int, ...], what: str, subject: str) -> np.ndarray:
    """`array` broadcast to `shape`, or one number if all are the same."""
    if array.ndim and not shape:
        raise ValueError(
            f"`{subject}`: `{what}` is an array of shape {array.shape}, so `shape` must be given."
            f" Add shape={array.shape}."
        )
    try:
        array = np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"`{subject}`: `{what}` must have shape {shape}, but its shape is {array.shape}."
            f" Give one number or an array of shape {shape}."
        ) from None
    return collapse(array)


def collapse(array: np.ndarray) -> np.ndarray:
    """One number in place of an array of equal ones."""
    return array.flat[0:1].reshape(()) if np.all(array == array.flat[0]) else np.array(array)


def equal(x: Any, y: Any) -> bool:
    """Whether two host objects are equal, be they arrays or anything else."""
    if isinstance(x, Tracer) or isinstance(y, Tracer):
        return x is y
    try:
        if isinstance(x, np.ndarray | jax.Array) or isinstance(y, np.ndarray | jax.Array):
            return np.shape(x) == np.shape(y) and bool(np.array_equal(x, y))
        return bool(x == y)
    except (TypeError, ValueError):
        return False


def path_name(path: tuple[Any, ...]) -> str:
    """A place in a space as a user would write it, such as space["opt"]["lr"]."""
    steps = []
    for key in path:
        if isinstance(key, jax.tree_util.GetAttrKey):
            steps.append(f".{key.name}")
        else:
            steps.append(f"[{json.dumps(step(key)) if isinstance(step(key), str) else step(key)}]")
    return "space" + "".join(steps)


def step(key: Any) -> Any:
    """The dict key, list position or attribute name in one entry of a path."""
    for name in ("key", "idx", "name"):
        if hasattr(key, name):
            return getattr(key, name)
    return key


def _array(value: Any) -> np.ndarray | None:
    """`value` as an array, None if it is not made of numbers."""
    if isinstance(value, bool):
        return None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        return None
    return array if array.dtype.kind not in "OUSb" else None
