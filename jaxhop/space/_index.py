"""Coordinates that count the legal values of something: steps along them, or jumps."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space._parameter import Coordinates, Proposal, moving


@dataclass(frozen=True, eq=False)
class Index(Coordinates):
    """int32 numbers of legal values, each of them equally likely.

    Attributes:
        last: uint32 number of the last legal value, one for all or of `shape`.
        ordinal: whether neighbours are alike, so that moves are steps; otherwise a move
            goes to any other value.
        shape: shape of the coordinates.

    Example:
        >>> Index(np.uint32(4), ordinal=True, shape=(3,)).size
        3
    """

    last: np.ndarray
    ordinal: bool
    shape: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        return self.pairs if np.any(self.last) else 0

    @property
    def pairs(self) -> int:
        return math.prod(self.shape)

    def draw(self, a: jax.Array, b: jax.Array) -> jax.Array:
        del b
        return _noise.upto(a.reshape(self.shape), self.last).astype(jnp.int32)

    def move(self, a: jax.Array, b: jax.Array, x: jax.Array, proposal: Proposal) -> jax.Array:
        b, at = b.reshape(self.shape), x.astype(jnp.uint32)
        if self.ordinal:
            width = self.last.astype(np.float32) + 1
            far = jnp.abs(_noise.normal(b)) * proposal.step * width
            new = stepped(at, self.last, whole_steps(b, far), upwards(b))
        else:
            new = _another(b, at, self.last)
        return jnp.where(moving(a, proposal).reshape(self.shape), new.astype(jnp.int32), x)

    def transfer(self, base: Any, moved: Any, onto: Any) -> jax.Array:
        return jnp.where(moved != base, moved, onto)


def upwards(b: jax.Array) -> jax.Array:
    """The direction of a step: the sign of the normal number made from the same word."""
    return b >= jnp.uint32(2**31)


def whole_steps(b: jax.Array, distance: jax.Array) -> jax.Array:
    """A distance rounded up or down at random, at least 1.

    Args:
        b: uint32 words; only the nine bits that `normal` does not use count here.
        distance: float32, not negative.

    Returns:
        uint32 of the same shape.
    """
    part = ((b & 511).astype(jnp.float32) + 0.5) / 512
    # The greatest float32 below 2**32: beyond it the conversion is undefined.
    return jnp.clip(jnp.floor(distance + part), 1, 4294967040.0).astype(jnp.uint32)


def stepped(at: jax.Array, last: Any, steps: jax.Array, up: jax.Array) -> jax.Array:
    """Another number in [0, last], some steps away and reflected at the ends.

    Args:
        at: uint32 numbers to start from.
        last: greatest number.
        steps: uint32, at least 1.
        up: direction.

    Returns:
        uint32 numbers that differ from `at` unless `last` is 0.
    """
    start = jnp.where(up, at, last - at)  # mirrored, so that every step goes upwards
    room = last - start
    steps = jnp.minimum(steps, last)
    new = jnp.where(steps <= room, start + steps, last - (steps - room))
    # A reflection may land on its start; its steps are then twice the room, so there is room.
    new = jnp.where((new == start) & (room > 0), start + 1, new)
    return jnp.where(up, new, last - new)


def _another(b: jax.Array, at: jax.Array, last: Any) -> jax.Array:
    """Any number in [0, last] but `at`, each equally likely."""
    new = _noise.upto(b, np.maximum(last, 1) - np.uint32(1))
    return jnp.minimum(new + (new >= at).astype(jnp.uint32), last)
