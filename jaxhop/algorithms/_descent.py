"""How search gradients descend: settings, schedules, and the pace of the default optimizer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhop.algorithms._perturbation import Kinds

if TYPE_CHECKING:
    import optax

RATE = 0.01
"""The default optimizer's rate, which is meant for `_ROUNDS` rounds."""
_ROUNDS = 400.0


class Settings(NamedTuple):
    """What the user of search gradients chose; see `search_gradient`.

    Attributes:
        kinds: of noise.
        optimizer: optax's.
        sigma: deviation of the noise, over progress.
        cooling: factor of the optimizer's steps, over progress.
        pairs: whether candidates come in pairs of opposite noise.
        explore: share of the budget spent on candidates from anywhere; None for the default.
        paced: whether steps are as long as suits the number of rounds.
    """

    kinds: Kinds
    optimizer: "optax.GradientTransformation"
    sigma: Callable[[Any], Any]
    cooling: Callable[[Any], Any]
    pairs: bool
    explore: float | None
    paced: bool


def schedule(name: str, value: Any, default: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A schedule over progress from what a user gave.

    Args:
        name: of the setting.
        value: a number, a schedule, or None.
        default: what None stands for.

    Returns:
        A function of progress.

    Raises:
        ValueError: if the value is none of these.

    Example:
        >>> schedule("sigma", 0.1, lambda progress: progress)(0.5).tolist()
        0.10000000149011612
    """
    if value is None:
        return default
    if callable(value):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(
            f"`{name}={value!r}`: a positive number or a schedule over progress must be given,"
            " such as 0.1 or optax.exponential_decay(0.1, 1, 0.1)."
        )
    return lambda progress: jnp.float32(value)


def pace(number: jax.Array, progress: Any) -> jax.Array:
    """How long the default optimizer's steps are, for the rounds that the budget allows for.

    The more there are, the shorter they should be. Measured: 0.01 to 0.02 suits 400 rounds, 0.03 a
    hundred and 0.003 to 0.005 some 6,000, on shifted functions of 1,000 and 5,000 numbers with 8
    to 512 candidates a round, and on networks.

    Args:
        number: int32, rounds so far.
        progress: used share of the budget.

    Returns:
        float32, a factor.
    """
    rounds = (number + 1) / jnp.clip(jnp.float32(progress), 1e-6, 1)
    return jnp.clip((_ROUNDS / rounds) ** 0.25, 0.1, 3)
