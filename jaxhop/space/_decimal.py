"""Rounding to decimals and to significant digits, exact in float64.

Every function takes the module that computes it: `numpy` on the host, or `jax.numpy`
inside `jax.enable_x64(True)`. In float32 the same formulas would miss one in ten digits.
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

_LARGEST = 60  # powers of ten from -60 to 60 cover float32 and its digits


def to_decimal(xp: Any, x: Any, precision: int, significant: bool) -> Any:
    """The nearest number with `precision` decimals, or significant digits.

    Args:
        xp: numpy or jax.numpy.
        x: float64 numbers; positive if `significant`.
        precision: how many decimals or digits.
        significant: whether `precision` counts significant digits.

    Returns:
        float64 numbers, the very ones that Python reads from the decimal's text.

    Example:
        >>> float(to_decimal(np, np.float64(0.02999), 2, False))
        0.03
    """
    up, down = _units(xp, x, precision, significant)
    return xp.round(x * up / down) * down / up


def inward(low: np.ndarray, precision: int, significant: bool, sign: int) -> np.ndarray:
    """The first legal decimal from a bound on: above it for sign 1, below it for sign -1.

    Args:
        low: float64 bounds.
        precision: how many decimals or digits.
        significant: whether `precision` counts significant digits.
        sign: 1 for a lower bound, -1 for an upper one.

    Returns:
        float64 bounds with `precision` decimals or digits.

    Example:
        >>> float(inward(np.float64(0.123), 1, False, 1))
        0.2
    """
    up, down = _units(np, low, precision, significant)
    scaled = low * up / down
    near = np.round(scaled)
    same = np.abs(scaled - near) <= 1e-6 * np.maximum(1, np.abs(near))
    return np.where(same, near, sign * np.ceil(sign * scaled)) * down / up


def shortest(numbers: np.ndarray) -> np.ndarray:
    """The shortest decimals that read as the same numbers: 0.1, not 0.10000000149.

    Args:
        numbers: NumPy array of a floating dtype.

    Returns:
        float64 numbers that are the given ones when rounded to their dtype.

    Example:
        >>> shortest(np.array([0.1, -2.5e-5], np.float32)).tolist()
        [0.1, -2.5e-05]
    """
    exact = numbers.astype(np.float64)
    kind = jnp.finfo(numbers.dtype)
    if kind.precision > 9:
        return exact
    size = np.abs(exact)
    # Powers of ten beyond these are no exact float64 numbers.
    plain = (size >= max(1e-12, float(kind.tiny))) & (size < 1e20)
    size = size if plain.all() else np.where(plain, size, 1.0)
    same, powers = size.astype(numbers.dtype), _powers()[_LARGEST:]
    # All decimals of so many digits differ in the dtype, so no shorter one needs a trial.
    shift = kind.precision - 1 - np.floor(np.log10(size)).astype(np.intp)
    decimals, wrong = size, np.ones(size.shape, bool)
    for _ in range(5):
        up, down = powers[np.maximum(shift, 0)], powers[np.maximum(-shift, 0)]
        rounded = np.rint(size * up / down) * down / up
        decimals = np.where(wrong, rounded, decimals)
        wrong = decimals.astype(numbers.dtype) != same
        if not wrong.any():
            break
        shift = shift + 1
    decimals = np.copysign(decimals, exact)
    for place in zip(*np.nonzero(~plain), strict=True):
        decimals[place] = float(str(numbers[place]))
    return decimals


def _units(xp: Any, x: Any, precision: int, significant: bool) -> tuple[Any, Any]:
    """Two powers of ten, one of them 1: x * up / down has its last legal digit at the units."""
    if not significant:
        return 10.0**precision, 1.0
    powers = xp.asarray(_powers())
    exponent = xp.clip(xp.floor(xp.log10(x)), -_LARGEST + 1, _LARGEST - 1).astype(xp.int32)
    # The logarithm may be off by one near a power of ten; the comparisons are exact.
    exponent = exponent - (x < powers[exponent + _LARGEST])
    exponent = exponent + (x >= powers[exponent + _LARGEST + 1])
    shift = precision - 1 - exponent
    up = powers[xp.clip(shift, 0, _LARGEST) + _LARGEST]
    down = powers[xp.clip(-shift, 0, _LARGEST) + _LARGEST]
    return up, down


@functools.cache
def _powers() -> np.ndarray:
    return np.array([float(f"1e{k}") for k in range(-_LARGEST, _LARGEST + 1)])
