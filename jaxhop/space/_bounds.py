"""The bounds and formats of real numbers: read, checked and rounded."""

import math
import re
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhop.space import _check
from jaxhop.space._decimal import inward


def positions(
    bounds: tuple[Any, ...], low: Any, high: Any, fmt: Any, subject: str
) -> tuple[Any, Any, Any]:
    """Bounds and format, whether given by position or by name.

    Args:
        bounds: the positional arguments.
        low: as given by name.
        high: as given by name.
        fmt: as given by name.
        subject: what error messages quote.

    Returns:
        Lower bound, upper bound and format, each of them or None.

    Raises:
        ValueError: if there is one bound alone that has no name.
        TypeError: if there is too much, or one of them twice.
    """
    if len(bounds) == 1 and high is None:
        bound = _check.spell(bounds[0])
        raise ValueError(
            f"`{subject}`: one bound alone must be named, for it could be either."
            f" Write float(0, {bound}) for a range from 0, float(low={bound}) or"
            f" float(high={bound}) for one bound only."
        )
    names = {"low": low, "high": high, "fmt": fmt}
    if len(bounds) > len(names):
        raise TypeError(
            f"`{subject}`: `float` takes at most low, high and fmt by position. Name the others."
        )
    for name, value in zip(names, bounds, strict=False):
        if names[name] is not None:
            raise TypeError(f"`{subject}`: `{name}` is given twice. Give it once.")
        names[name] = value
    return names["low"], names["high"], names["fmt"]


def read_format(fmt: Any, subject: str) -> tuple[bool, int]:
    """Whether a format is logarithmic, and its precision.

    Args:
        fmt: such as "0.2g".
        subject: what error messages quote.

    Returns:
        True for significant digits, and their number.

    Raises:
        ValueError: if it is no such format.
        TypeError: if it is no text.

    Example:
        >>> read_format("0.2g", "float(1, 10, '0.2g')")
        (True, 2)
    """
    found = re.fullmatch(r"0?\.(\d+)([fg])", fmt) if isinstance(fmt, str) else None
    if found is None or int(found[1]) < (found[2] == "g") or (found[1][0] == "0" != found[1]):
        error = ValueError if isinstance(fmt, str) else TypeError
        raise error(
            f'`{subject}`: `fmt` must be like "0.2f" (two decimals) or "0.2g" (log-uniform,'
            f" two significant digits), but got {fmt!r}. Write one of these two."
        )
    return found[2] == "g", int(found[1])


def check_bounds(numbers: dict[str, Any], log: bool, dtype: Any, subject: str) -> None:
    """Refuses bounds and scales that make no range.

    Args:
        numbers: float64 arrays or None by the names "low", "high" and "scale".
        log: whether the range is logarithmic.
        dtype: of the values.
        subject: what error messages quote.

    Raises:
        ValueError: if they make no range.
    """
    low, high, scale = numbers["low"], numbers["high"], numbers["scale"]
    if np.any(scale <= 0):
        raise ValueError(f"`{subject}`: `scale > 0` must hold. Give a positive scale.")
    limits, bounds = jnp.finfo(dtype), [bound for bound in (low, high) if bound is not None]
    if any(np.any(np.abs(bound) > float(limits.max)) for bound in bounds):
        raise ValueError(
            f"`{subject}`: bounds must fit into {dtype.name}, whose greatest number is"
            f" {float(limits.max):.3g}. Leave a bound out to have none."
        )
    if log and len(bounds) < 2:
        raise ValueError(
            f"`{subject}`: a logarithmic scale needs two bounds."
            " Give both, as in float(1e-5, 1e-1, log=True)."
        )
    if log and any(np.any(bound < float(limits.tiny)) for bound in bounds):
        raise ValueError(
            f"`{subject}`: `low > 0` must hold on a logarithmic scale."
            f" Give positive bounds, at least {float(limits.tiny):.2g}."
        )
    if len(bounds) == 2:
        if np.any(scale != 1):
            raise ValueError(
                f"`{subject}`: `scale` has no meaning between two bounds. Leave it out."
            )
        if np.any(low > high):
            raise ValueError(f"`{subject}`: `low < high` must hold. Swap them.")
        if np.any(low.astype(dtype) == high.astype(dtype)):
            raise ValueError(
                f"`{subject}`: `low < high` must hold in {dtype.name}. Set them apart, or put"
                " the number itself into the space: it is then a constant."
            )


def round_bounds(
    numbers: dict[str, Any], log: bool, precision: int, dtype: Any, subject: str
) -> None:
    """Moves bounds inwards to legal decimals.

    Args:
        numbers: as for `check_bounds`; "low" and "high" are replaced.
        log: whether digits are significant ones.
        precision: how many decimals or digits.
        dtype: of the values.
        subject: what error messages quote.

    Raises:
        ValueError: if no decimal lies between, or the dtype cannot tell them apart.
    """
    bounds = [bound for bound in (numbers["low"], numbers["high"]) if bound is not None]
    most = min(jnp.finfo(dtype).precision, 6)  # coordinates are float32 at best
    needed = precision
    if not log:
        largest = max(float(np.max(np.abs(bound))) for bound in bounds or [numbers["scale"]])
        needed = precision + max(0, math.ceil(math.log10(largest)) if largest else 0)
    if needed > most:
        raise ValueError(
            f"`{subject}`: {needed} significant digits are asked for, but {dtype.name} tells"
            f" only {most} apart. Lower the precision, or leave it out."
        )
    for name, sign in (("low", 1), ("high", -1)):
        if numbers[name] is not None:
            numbers[name] = np.asarray(inward(numbers[name], precision, log, sign))
    if len(bounds) == 2 and np.any(numbers["low"] > numbers["high"]):
        raise ValueError(
            f"`{subject}`: no number with precision {precision} lies between the bounds."
            " Raise the precision, or widen the bounds."
        )
