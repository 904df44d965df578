"""What covariance adaptation does in its own way where values are random.

Rounds have more draws, and the more the more evaluations there are; steps of the mean get shorter
towards the end, so that noise averages out; and a draw that did much better than the mean is
evaluated beside it for some rounds. Where most draws are worth nothing and few a lot (a policy
that has to reach a goal once) the mean of the better half would stay among the former.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhop.algorithms._base import Batch, choose
from jaxhop.algorithms._distribution import Pace

_DRAWS = 4  # times the least number of draws that a round has at least
_ROUNDS = 190  # that a budget is divided into, where rounds can have as many draws
_UNTIL, _LAST = 1.8, 0.2  # steps of the mean are whole to progress 1/2, and a fifth at last
_SCALES = 0.3  # how eagerly scales learn
_DUEL = 6  # rounds in which a promising draw is held against the mean
_SURE = 2  # standard errors by which it has to be better


def calm_draws(least: int, room: int, evaluations: Any) -> jax.Array:
    """Draws of a round.

    Args:
        least: the least number where values are exact.
        room: the greatest number.
        evaluations: how many are expected in all.

    Returns:
        int32.

    Example:
        >>> [int(calm_draws(17, 136, evaluations)) for evaluations in (5_000, 20_000, 50_000)]
        [68, 105, 136]
    """
    return jnp.clip(evaluations / _ROUNDS, min(_DRAWS * least, room), room).astype(jnp.int32)


def calm_pace(progress: Any) -> Pace:
    """How eagerly the distribution learns.

    Args:
        progress: used share of the budget.

    Returns:
        Its pace: the mean does not move away from worse draws, since many of them are unlucky.

    Example:
        >>> [round(float(calm_pace(progress).mean), 2) for progress in (0.0, 0.75, 1.0)]
        [1.0, 0.6, 0.2]
    """
    mean = jnp.clip(_UNTIL - (_UNTIL - _LAST) * progress, _LAST, 1)
    return Pace(mean, _SCALES, away=0.0)


class Duel(NamedTuple):
    """A promising draw against the mean, on the same keys.

    Attributes:
        point: the draw.
        on: bool, whether there is one.
        rounds: float32, how many it was evaluated in.
        gaps: float32, sum of its values minus those of the mean.
        squares: float32, sum of the squares of these differences.
    """

    point: Any
    on: jax.Array
    rounds: jax.Array
    gaps: jax.Array
    squares: jax.Array


def no_duel(point: Any) -> Duel:
    """No duel yet.

    Args:
        point: any, for its shape.

    Returns:
        What a search begins with.
    """
    return Duel(point, jnp.bool_(False), *jnp.zeros((3,), jnp.float32))


def fought(
    duel: Duel, batch: Batch, values: jax.Array, exploring: jax.Array
) -> tuple[Duel, jax.Array]:
    """What a round says: candidate 0 is the mean, and candidate 1 the draw, if there is one.

    Args:
        duel: before the round.
        batch: the round.
        values: float32[population].
        exploring: whether the round was drawn from anywhere: its best draw is the mean anyway.

    Returns:
        The duel of the next round, and bool, whether the draw of this one is to be the mean.
    """
    gap = values[1] - values[0]
    seen = duel.on & jnp.isfinite(gap)
    gap = jnp.where(seen, gap, 0)
    rounds = duel.rounds + seen
    gaps, squares = duel.gaps + gap, duel.squares + gap**2
    mean = gaps / jnp.maximum(rounds, 1)
    error = jnp.sqrt(jnp.maximum(squares / jnp.maximum(rounds, 1) - mean**2, 0) / _DUEL)
    over = rounds >= _DUEL
    # The next one is the draw that was ahead of the mean by most.
    ahead = jnp.where(batch.valid & (batch.index > 0), values, jnp.inf)
    best = jnp.argmin(ahead)
    free = ~duel.on & ~exploring & (ahead[best] < values[0])
    point = jax.lax.cond(free, lambda: batch.candidate(best), lambda: duel.point)
    sums = [jnp.where(free | over, 0, x) for x in (rounds, gaps, squares)]
    after = Duel(point, free | (duel.on & ~over), *sums)
    return after, over & (mean < -_SURE * error)


def with_duel(index: Any, mean: Any, duel: Duel, draw: Any) -> Any:
    """A candidate: the mean, the draw that is held against it, or a new draw.

    Args:
        index: of the candidate.
        mean: what candidate 0 is.
        duel: what candidate 1 is, if there is one.
        draw: what all others are.

    Returns:
        A point.
    """
    return choose(index == 0, mean, choose((index == 1) & duel.on, duel.point, draw))
