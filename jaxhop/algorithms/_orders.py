"""Moves of orders that say what they change, so that values need not be computed anew."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhop import _noise

_LONGEST = 3  # a stretch that is put elsewhere has at most so many items


class Exchange(NamedTuple):
    """Two stretches of an order that follow each other change places, each turned round or not.

    That reverses a stretch (2-opt), or puts a short one elsewhere (Or-opt). The order is a ring:
    after its last item comes the first one. Pairs inside of a stretch that is turned round are not
    listed, as they are the same the other way round.

    Attributes:
        removed: int32[2, 3], three pairs of items that followed each other and do so no more: the
            items that came first, and those that came after them.
        added: int32[2, 3], likewise three pairs that follow each other now. A reversal has a pair
            that is both removed and, the other way round, added.
        low: int32, first place of the first stretch.
        middle: int32, first place of the second one.
        high: int32, last place of the second one.
        turned: bool[2], whether the first and the second stretch are turned round.

    Example:
        >>> move = Exchange(  # of 0 1 2 3 4 5 makes 0 3 2 1 4 5
        ...     removed=jnp.array([[0, 2, 3], [1, 3, 4]]), added=jnp.array([[0, 3, 1], [3, 2, 4]]),
        ...     low=jnp.int32(1), middle=jnp.int32(3), high=jnp.int32(3),
        ...     turned=jnp.array([True, True]),
        ... )
        >>> def distance(a, b):  # of places along a road
        ...     return jnp.abs(a - b)
        >>> jnp.sum(distance(*move.added) - distance(*move.removed)).item()
        4
    """

    removed: jax.Array
    added: jax.Array
    low: jax.Array
    middle: jax.Array
    high: jax.Array
    turned: jax.Array


class Swap(NamedTuple):
    """Two items of an order change places.

    Attributes:
        first: int32, the place of one.
        second: int32, the place of the other.

    Example:
        >>> def change(order, move):  # of jnp.sum(order * jnp.arange(3))
        ...     i, j = move.first, move.second
        ...     return (order[i] - order[j]) * (j - i)
        >>> change(jnp.array([2, 0, 1]), Swap(jnp.int32(0), jnp.int32(2))).item()  # from 2 to 4
        2
    """

    first: jax.Array
    second: jax.Array


class Placed(NamedTuple):
    """An order and its inverse.

    Attributes:
        order: int32[n], the item at each place.
        place: int32[n], the place of each item.
    """

    order: jax.Array
    place: jax.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Exchanges:
    """Exchanges that bring two items together, near ones if it is known which these are.

    Attributes:
        n: items, at least 5.
        neighbours: int32[n, k], for each item those that may well be next to it; None: any, those
            near in the order more often.
        turning: whether stretches may be turned round.
    """

    n: int
    neighbours: jax.Array | None
    turning: bool

    def hold(self, value: jax.Array) -> Placed:
        """What is kept of an order while it moves."""
        return Placed(value, jnp.argsort(value).astype(jnp.int32))

    def value(self, held: Placed) -> jax.Array:
        """The order that is kept."""
        return held.order

    def propose(self, a: jax.Array, b: jax.Array, held: Placed) -> tuple[Exchange, jax.Array]:
        """A move from two random words, and whether it is one."""
        # High bits choose the two items, low ones do the rest.
        item = _noise.below(a, self.n)
        i = held.place[item]
        j = self._partner(b, item, i, held)
        ahead, backwards, reverse = ((b & bit) > 0 for bit in (1, 2, 4))
        if not self.turning:
            backwards, reverse = ~ahead, jnp.bool_(False)
        length = ((a & 0xFF) * _LONGEST >> 8).astype(jnp.int32) + 1
        # 2-opt: the order between the two is turned round, with one of them.
        low = jnp.minimum(i, j) + ahead
        high = jnp.maximum(i, j) - 1 + ahead
        # Or-opt: a stretch that ends with the item comes next to the other, item first.
        start = jnp.where(backwards, i - length + 1, i)
        end = start + length - 1
        later = j > end
        edge = j - 1 + ahead  # the last place before the gap that it is put into
        inside = (start < 0) | (end >= self.n) | ((j >= start) & (j <= end))
        turn = backwards == ahead
        low = jnp.where(reverse, low, jnp.where(later, start, edge + 1))
        high = jnp.where(reverse, high, jnp.where(later, edge, end))
        middle = jnp.where(reverse, high, jnp.where(later, end + 1, start))
        turned = jnp.stack([reverse | (turn & later), reverse | (turn & ~later)])
        legal = (low < middle) & (middle <= high) & (high - low < self.n - 1)
        return self._exchange(held.order, low, middle, high, turned), legal & (reverse | ~inside)

    def apply(self, held: Placed, move: Exchange) -> Placed:
        """The order after a move."""
        low, middle, high, (first, second) = move.low, move.middle, move.high, move.turned
        gap = low + high - middle + 1  # where the first stretch begins once the second is before
        order = held.order[
            _carried(jnp.arange(self.n), low, gap, high, (middle, low), second, first)
        ]
        return Placed(order, _carried(held.place, low, middle, high, (gap, low), first, second))

    def _partner(
        self, word: jax.Array, item: jax.Array, place: jax.Array, held: Placed
    ) -> jax.Array:
        """Place of the item that the item is to be next to."""
        if self.neighbours is not None:
            return held.place[self.neighbours[item, _noise.below(word, self.neighbours.shape[1])]]
        far = jnp.floor((self.n // 2) ** _noise.uniform(word)).astype(jnp.int32)
        there = jnp.where((word & 8) > 0, place + far, place - far)
        return jnp.where(
            there < 0, there + self.n, jnp.where(there < self.n, there, there - self.n)
        )

    def _exchange(
        self, order: jax.Array, low: Any, middle: Any, high: Any, turned: jax.Array
    ) -> Exchange:
        """The move with the pairs that it takes apart and puts together."""
        around = jnp.stack([low - 1, low, middle - 1, middle, high, high + 1])
        before, a, b, c, d, after = order[around % self.n]
        first = (jnp.where(turned[0], b, a), jnp.where(turned[0], a, b))
        second = (jnp.where(turned[1], d, c), jnp.where(turned[1], c, d))
        removed = jnp.stack([jnp.stack([before, b, d]), jnp.stack([a, c, after])])
        added = jnp.stack(
            [
                jnp.stack([before, second[1], first[1]]),
                jnp.stack([second[0], first[0], after]),
            ]
        )
        return Exchange(removed, added, low, middle, high, turned)


@dataclasses.dataclass(frozen=True, eq=False)
class Swaps:
    """Any two items change places.

    Attributes:
        n: items.
    """

    n: int

    def hold(self, value: jax.Array) -> jax.Array:
        """What is kept of an order while it moves."""
        return value

    def value(self, held: jax.Array) -> jax.Array:
        """The order that is kept."""
        return held

    def propose(self, a: jax.Array, b: jax.Array, held: jax.Array) -> tuple[Swap, jax.Array]:
        """A move from two random words, and whether it is one."""
        del held
        first, other = _noise.below(a, self.n), _noise.below(b, self.n - 1)
        return Swap(first, other + (other >= first)), jnp.bool_(True)

    def apply(self, held: jax.Array, move: Swap) -> jax.Array:
        """The order after a move."""
        one, other = held[move.first], held[move.second]
        held = jax.lax.dynamic_update_index_in_dim(held, other, move.first, 0)
        return jax.lax.dynamic_update_index_in_dim(held, one, move.second, 0)


def _carried(
    place: jax.Array,
    low: jax.Array,
    middle: jax.Array,
    high: jax.Array,
    begin: tuple[jax.Array, jax.Array],
    first: jax.Array,
    second: jax.Array,
) -> jax.Array:
    """Where places come to lie: two stretches begin elsewhere, each turned round or not."""
    one = jnp.where(first, middle - 1 - place, place - low) + begin[0]
    other = jnp.where(second, high - place, place - middle) + begin[1]
    inside = jnp.where(place < middle, one, other)
    return jnp.where((place < low) | (place > high), place, inside)
