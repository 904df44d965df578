"""How many draws of a normal distribution a round has."""

import math
from typing import Any

import jax
import jax.numpy as jnp

_FLAT, _FALLEN = 0.3, 0.6  # shares of a run between which the number of draws falls
_WIDE = 25  # evaluations a coordinate that allow for the least number of draws
_NARROWEST, _WIDEST = 0.7, 2  # times the least number, where evaluations are few and many


def draws_for(n: int) -> int:
    """The least number of draws a round (Hansen 2016).

    Args:
        n: coordinates.

    Returns:
        A whole number.

    Example:
        >>> draws_for(100)
        17
    """
    return 4 + int(3 * math.log(n))


def falling(n: int, least: Any, room: int, evaluations: Any, progress: Any) -> jax.Array:
    """Draws of the next round: many at first, for a wide view, and few at last, for precision.

    Args:
        n: coordinates.
        least: draws that a round has at last, where evaluations are many.
        room: draws that a round has at most.
        evaluations: how many are expected in all.
        progress: of this run, in [0, 1].

    Returns:
        int32, at least 4.

    Example:
        >>> [int(falling(10, 20.0, 64, 2000, progress)) for progress in (0.0, 0.45, 1.0)]
        [40, 28, 20]
    """
    wide = jnp.clip(evaluations / (_WIDE * n), _NARROWEST, _WIDEST)
    most = jnp.clip(least * wide, 4, room)
    last = jnp.clip(least * jnp.minimum(wide, 1), 4, room)
    fallen = jnp.clip((progress - _FLAT) / (_FALLEN - _FLAT), 0, 1)
    return jnp.round(most ** (1 - fallen) * last**fallen).astype(jnp.int32)
