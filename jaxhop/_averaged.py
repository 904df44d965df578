"""A random JAX objective averaged over several keys."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxhop._call import name
from jaxhop._objective import takes_key


def averaged(fn: Callable[..., Any], number: Any) -> Callable[..., Any]:
    """A function that returns the mean over a number of keys.

    Args:
        fn: `fn(params, key)`, or any function where there is no number.
        number: how many keys; None for the function itself.

    Returns:
        A function of the same arguments.

    Raises:
        ValueError: if it is no number of keys, or the function takes none.

    Example:
        >>> mean = averaged(lambda params, key: params + jax.random.normal(key), 10_000)
        >>> abs(float(mean(3.0, jax.random.key(0))) - 3) < 0.1
        True
    """
    if number is None:
        return fn
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"`average={number!r}`: an int of at least 1 must be given. Say 10.")
    if not takes_key(fn):
        raise ValueError(
            f"`average={number}`: `{name(fn)}` takes no key, so its values do not vary. Write it"
            " as fn(params, key), or leave `average` out."
        )

    @functools.wraps(fn)
    def mean(params: Any, key: jax.Array) -> Any:
        results: Any = jax.vmap(lambda key: fn(params, key))(jax.random.split(key, number))
        pair = isinstance(results, tuple) and len(results) == 2
        return (jnp.mean(results[0]), results[1]) if pair else jnp.mean(jnp.asarray(results))

    return mean
