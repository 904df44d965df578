"""Draws around an expert's guess: near the initial value as often as it is trusted."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space._choice import Choice
from jaxhop.space._column import Column
from jaxhop.space._float import Float
from jaxhop.space._int import Int
from jaxhop.space._parameter import Parameter, Proposal

_SPARE = 0x6E656172  # a number of `fold_in` that nothing else takes of a candidate's key


def near(column: Column, key: jax.Array, start: Any, drawn: Any) -> Any:
    """A draw that comes from around the initial value as often as that is trusted.

    Numbers and ordinal options are moved from there by a normal step of (1 - confidence) / 2 of
    the range (of `scale` where a bound is missing), reflected; others move with probability
    1 - confidence.

    Args:
        column: of one leaf, which has a confidence.
        key: raw key data of the candidate, uint32[2].
        start: the leaf's initial coordinates.
        drawn: coordinates from the prior.

    Returns:
        Coordinates.
    """
    (leaf,) = column.leaves
    assert leaf.confidence is not None
    pairs = column.parameter.pairs
    own = _noise.fold_in(_noise.fold_in(key, _SPARE), column.offset)
    coins, words = _noise.pairs(own, pairs + 1)
    start = jax.tree.map(jnp.asarray, start)
    proposal = _guess(leaf, start, _noise.chance(words[0], 1 - leaf.confidence))
    moved = column.parameter.move(coins[1:], words[1:], start, proposal)
    close = _noise.chance(coins[0], leaf.confidence)
    return jax.tree.map(lambda guess, other: jnp.where(close, guess, other), moved, drawn)


def _guess(leaf: Parameter, start: Any, moves: jax.Array) -> Proposal:
    """How far a draw departs from the initial value."""
    assert leaf.confidence is not None
    spread = (1 - leaf.confidence) / 2
    numeric = isinstance(leaf, Float | Int) or (isinstance(leaf, Choice) and leaf.ordinal)
    if not numeric:
        one = jnp.float32(max(1 - leaf.confidence, 1e-3))
        return Proposal(jnp.float32(0), one, one, jnp.where(moves, 0, -1))
    # Moves always lead to another value. A step that would round to none is rather not made.
    spacing = np.asarray(_spacing(leaf, start), np.float32) if spread else np.float32(np.inf)
    rate = 1 - np.vectorize(math.erf)(spacing / 2 / max(spread, 1e-9) / math.sqrt(2))
    step = spread / leaf.reach if isinstance(leaf, Float) else spread
    numbers = (jnp.asarray(np.ravel(rate), jnp.float32), jnp.float32(step), jnp.float32(spread))
    return Proposal(*numbers, jnp.int32(-1))


def _spacing(leaf: Parameter, start: Any) -> Any:
    """How far the initial value's neighbours are, in units of the range or of `scale`."""
    if isinstance(leaf, Float):
        with jax.ensure_compile_time_eval():
            return leaf.spacing(jnp.asarray(start, jnp.float32))
    if isinstance(leaf, Choice):
        return 1 / len(leaf.choices.options)
    assert isinstance(leaf, Int)
    return leaf.spacing(np.asarray(leaf.initial()))
