"""Orders of n things, moved as tours are: segments reversed, shifted, or two things swapped."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space import _check
from jaxhop.space._extras import extend
from jaxhop.space._parameter import Parameter, Proposal

_WORDS = 4  # a move takes up to four words, however short the permutation
_NARROW = 3  # greatest length of a shifted segment at temperature 0
_REVERSED, _SHIFTED = 0.45, 0.5  # shares of the moves; the rest are swaps


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Permutation(Parameter):
    """An order of the numbers 0 to n - 1; `jaxhop.permutation`.

    A move reverses a segment (45 in 100), shifts one elsewhere, half of the time reversed (50 in
    100), or swaps two numbers. The order is taken as a ring, so a segment may run over its end.
    Segments have log-uniform lengths up to half of the ring; the longest that are shifted shrink
    with the temperature, to 3 at 0. Long reversals are kept: without them tours of 200 cities
    end 5 % longer, trapped. Coordinates are the permutation itself, int32[n].

    Args:
        n: how many numbers, at least 2.
        init: where a search starts. Default None: 0, 1, ..., n - 1.
        confidence: how far draws trust `init`: "low", "medium", "high" or a number in (0, 1].
            Default None: not at all.
        sample: `sample(rng)` returns a permutation, for Python objectives. Default None.
        mutate: `mutate(rng, value)` or `mutate(rng, value, temperature)` returns a permutation
            near another one, likewise. Default None.

    Raises:
        ValueError: if n is too small, or `init` is not a permutation.
        TypeError: if they are not integers.

    Example:
        >>> Permutation(4).initial()
        array([0, 1, 2, 3], dtype=int32)
    """

    n: int
    init: np.ndarray | None

    def __init__(
        self,
        n: int,
        init: Any = None,
        *,
        confidence: float | str | None = None,
        sample: Callable[..., Any] | None = None,
        mutate: Callable[..., Any] | None = None,
    ) -> None:
        subject = _check.call("permutation", n)
        object.__setattr__(self, "n", _check.whole(n, "n", subject, 2))
        extend(self, subject, init=init, confidence=confidence, sample=sample, mutate=mutate)
        if init is not None:
            self._refuse_illegal(init, "init")
            init = np.asarray(init).astype(np.int32)
        object.__setattr__(self, "init", init)

    def __repr__(self) -> str:
        return _check.call("permutation", self.n)

    @property
    def size(self) -> int:
        return self.n

    @property
    def pairs(self) -> int:
        return max(self.n, _WORDS)

    def initial(self) -> np.ndarray:
        return np.arange(self.n, dtype=np.int32) if self.init is None else self.init

    def validate(self, value: Any) -> None:
        self._refuse_illegal(value, "value")

    def encode(self, value: Any) -> jax.Array:
        return jnp.asarray(value, jnp.int32)

    def decode(self, coordinates: Any) -> jax.Array:
        return jnp.asarray(coordinates)

    def to_python(self, coordinates: Any, decoded: Any) -> np.ndarray:
        del coordinates
        return np.asarray(decoded)

    def draw(self, a: jax.Array, b: jax.Array) -> jax.Array:
        del b
        return jnp.argsort(a[: self.n]).astype(jnp.int32)

    def move(self, a: jax.Array, b: jax.Array, x: jax.Array, proposal: Proposal) -> jax.Array:
        a, b = _noise.kept((a[:_WORDS], b[:_WORDS]))
        # The leaf moves if any of its coordinates would, each by itself.
        some = -jnp.expm1(self.n * jnp.log1p(-proposal.rate))
        forced = (proposal.forced >= 0) & (proposal.forced < self.n)
        moves = _noise.chance(a[0], some) | forced
        return jnp.where(moves, x[self._sources(a, b, proposal)], x)

    def transfer(self, base: Any, moved: Any, onto: Any) -> jax.Array:
        return jnp.where(jnp.any(moved != base), moved, onto)

    def _sources(self, a: jax.Array, b: jax.Array, proposal: Proposal) -> jax.Array:
        """For every place, the place whose number comes there."""
        # The ring is turned so that the segment starts at 0, and turned back in the end.
        start, ring = _noise.below(b[1], self.n), jnp.arange(self.n)
        place = jnp.where(ring < start, ring - start + self.n, ring - start)
        kind = _noise.uniform(b[0])
        shifted = _shifted(place, self._longest(proposal), _noise.chance(a[1], 0.5), b)
        other = jnp.where(kind < _REVERSED + _SHIFTED, shifted, _swapped(place, b))
        source = jnp.where(kind < _REVERSED, _reversed(place, self._half, b), other) + start
        return jnp.where(source >= self.n, source - self.n, source)

    def _longest(self, proposal: Proposal) -> jax.Array:
        """Greatest length of a shifted segment: half of the ring at temperature 1."""
        narrow = min(_NARROW, self._half)
        longest = narrow * (self._half / narrow) ** proposal.temperature
        return jnp.round(longest).astype(jnp.int32)

    @property
    def _half(self) -> int:
        return max(self.n // 2, 2)

    def _refuse_illegal(self, given: Any, what: str) -> None:
        numbers = _check.integers(given, what, repr(self))
        if numbers.shape != (self.n,) or np.any(np.sort(numbers) != np.arange(self.n)):
            raise ValueError(
                f"`{self!r}`: `{what}` must hold each of 0 to {self.n - 1} once, but got"
                f" {_check.spell(given)}. Give a permutation, such as numpy.arange({self.n})."
            )


def _reversed(place: jax.Array, longest: int, b: jax.Array) -> jax.Array:
    """Sources that reverse a segment from place 0 on (2-opt)."""
    length = _length(b[2], 2, longest)
    return jnp.where(place < length, length - 1 - place, place)


def _shifted(
    place: jax.Array, longest: jax.Array, backwards: jax.Array, b: jax.Array
) -> jax.Array:
    """Sources that let a segment from place 0 on change places with what follows (Or-opt)."""
    n = place.shape[0]
    length = _length(b[2], 1, jnp.minimum(longest, n - 1))
    far = _length(b[3], 1, jnp.maximum(n - 1 - length, 1))
    window = length + far
    segment = jnp.where(backwards, window - 1 - place, place - far)
    return jnp.where(place < far, place + length, jnp.where(place < window, segment, place))


def _swapped(place: jax.Array, b: jax.Array) -> jax.Array:
    """Sources that swap the numbers at place 0 and at any other place."""
    other = 1 + _noise.below(b[2], place.shape[0] - 1)
    return jnp.where(place == 0, other, jnp.where(place == other, 0, place))


def _length(word: jax.Array, least: int, most: Any) -> jax.Array:
    """A log-uniform integer from `least` to `most`."""
    ratio = (jnp.asarray(most, jnp.float32) + 1) / least
    length = jnp.floor(least * ratio ** _noise.uniform(word)).astype(jnp.int32)
    return jnp.clip(length, least, most)
