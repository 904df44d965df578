"""Probes: sparse moves of the best point, beside the draws of covariance adaptation."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhop import _noise
from jaxhop.algorithms._base import Batch
from jaxhop.space import Proposal, Space

_LEAST, _MOST = 0.03, 0.9  # share of the probes
_MEMORY = 0.95  # of the moving means of gains
_SUMMED = 16  # improving probes that are added up


def probe(space: Space, key: jax.Array, still: jax.Array, parent: Any) -> Any:
    """One to three changed coordinates, near or far.

    Args:
        space: the space.
        key: of the probe.
        still: bool, whether the point stays as it is.
        parent: the point.

    Returns:
        A point.
    """
    (many, which), (far, _) = _noise.pairs(key, 2, offset=space.pairs)
    size = space.size
    k = jnp.exp(_noise.uniform(many) * math.log(max(min(size, 3), 1)))
    proposal = Proposal(
        rate=jnp.where(still, 0, (k - 1) / size),
        step=0.5 * 10 ** (-3 * _noise.uniform(far)),
        temperature=jnp.float32(1),
        forced=jnp.where(still, -1, space.pick(which, parent)),
    )
    return space.move(key, parent, proposal)


def summed(
    space: Space,
    batch: Batch,
    values: jax.Array,
    winner: jax.Array,
    found: jax.Array,
    top: Any,
    top_value: jax.Array,
) -> tuple[Any, Any, jax.Array]:
    """Makes the best candidate again; if it is a probe, all that improved, and their sum.

    Args:
        space: the space.
        batch: the round.
        values: float32[population].
        winner: int32, the best candidate's position.
        found: bool, whether it is a probe that is better than `top`.
        top: the point that was probed.
        top_value: float32, its value.

    Returns:
        The best candidate, the sum, and int32, how many moves are in it.
    """
    index = jnp.arange(values.size)
    gain = jnp.minimum(top_value - values, jnp.finfo(jnp.float32).max)
    gain = jnp.where(found & (values < top_value), gain, -jnp.inf)
    gain = jnp.where(index == winner, jnp.inf, gain)
    rank, pick = jax.lax.top_k(gain, min(_SUMMED, values.size))
    count = jnp.sum(rank > 0)

    def add(turn: jax.Array, carry: tuple[Any, Any]) -> tuple[Any, Any]:
        # The best comes last, and prevails where moves are of the same coordinate.
        moved = batch.candidate(pick[count - 1 - turn])
        return moved, space.transfer(top, moved, carry[1])

    point, hoped = jax.lax.fori_loop(0, count, add, (top, top))
    return point, hoped, jnp.where(found, count, 0)


class Gains(NamedTuple):
    """What draws and probes bring for each evaluation; moving means, float32.

    Probes improve the best value. Draws lower the best value of a round's draws: where there are
    many coordinates these are far above the best point, and yet on their way below it.
    """

    draws: jax.Array
    probes: jax.Array
    level: jax.Array  # the value that the best draw of the next round has if draws bring nothing

    @staticmethod
    def none() -> "Gains":
        """Before the first round."""
        return Gains(jnp.float32(0), jnp.float32(0), jnp.float32(jnp.inf))

    def after(
        self, values: jax.Array, top_value: jax.Array, drawn: jax.Array, probing: jax.Array
    ) -> "Gains":
        """The means after a round.

        Args:
            values: float32[population].
            top_value: float32, the best value before.
            drawn: bool[population], which of them are draws.
            probing: bool[population], which of them are probes.
        """

        def moving(mean: jax.Array, gain: jax.Array, these: jax.Array) -> jax.Array:
            number = jnp.sum(these)
            each = gain / jnp.maximum(number, 1)
            kept = _MEMORY * mean + (1 - _MEMORY) * jnp.where(jnp.isfinite(each), each, 0)
            return jnp.where(number > 0, kept, mean)

        draw, probed = (jnp.min(jnp.where(own, values, jnp.inf)) for own in (drawn, probing))
        improved = jnp.maximum(top_value - probed, 0)
        # The mean goes with a probe only if no draw was better still.
        helped = jnp.where(probed < draw, improved, 0)
        return Gains(
            moving(self.draws, self.level - draw, drawn),
            moving(self.probes, improved, probing),
            jnp.where(jnp.isfinite(draw), draw - helped, self.level),
        )

    def probes_each(self, settled: jax.Array) -> jax.Array:
        """How many probes there should be for each draw; float32.

        Args:
            settled: bool, whether draws find nothing any more.
        """
        # Squared, so that the better kind has nearly all; over the larger, lest squares vanish.
        most = jnp.maximum(jnp.maximum(self.draws, self.probes), 1e-30)
        draws, probes = (jnp.maximum(own / most, 0) ** 2 for own in (self.draws, self.probes))
        share = jnp.clip(probes / (probes + draws + 1e-9), _LEAST, _MOST)
        share = jnp.where(settled, _MOST, share)
        return share / (1 - share)
