"""What every parameter can do: the contract between a space and the algorithms."""

import abc
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhop import _noise
from jaxhop.space import _check
from jaxhop.space._rules import Rules


class Proposal(NamedTuple):
    """How one candidate departs from its parent; all traced scalars.

    Attributes:
        rate: probability with which each coordinate moves, in [0, 1].
        step: size of a numeric move, in units of the range (bounded parameters) or of
            `scale` (unbounded ones).
        temperature: in (0, 1], from wide to narrow, for moves that are no steps
            (permutations, custom parameters).
        forced: int32 number of a coordinate that moves in any case; one that does not
            exist, such as -1, forces none.

    Example:
        >>> from jaxhop.space import Bool
        >>> start, words = jnp.int32(0), jnp.zeros(1, jnp.uint32)
        >>> still = Proposal(rate=0.0, step=0.1, temperature=0.1, forced=-1)
        >>> Bool().move(words, words, start, still).item()
        0
        >>> Bool().move(words, words, start, still._replace(forced=0)).item()
        1
    """

    rate: jax.Array
    step: jax.Array
    temperature: jax.Array
    forced: jax.Array


class Coordinates(abc.ABC):
    """What algorithms move: arrays that can be drawn, moved and transferred.

    All methods are pure and work under `jit` and `vmap`. Random words are uint32 arrays of
    length `pairs`; they are what `jaxhop._noise.pairs` returns.

    Example:
        >>> from jaxhop.space import Int
        >>> number = Int(1, 5)
        >>> isinstance(number, Coordinates), number.size, number.pairs
        (True, 1, 1)
        >>> word = jnp.array([2**31], jnp.uint32)
        >>> number.draw(word, word).item()  # half of all words are lower, so the middle of five
        2
    """

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """How many coordinates can move: 0 if there is just one legal value."""

    @property
    @abc.abstractmethod
    def pairs(self) -> int:
        """How many pairs of random words one draw or move takes."""

    @abc.abstractmethod
    def draw(self, a: jax.Array, b: jax.Array) -> Any:
        """Coordinates from the prior, by inverse distribution function wherever there is one.

        Args:
            a: uint32[pairs], the words that decide.
            b: uint32[pairs], spare words.

        Returns:
            Coordinates.
        """

    @abc.abstractmethod
    def move(self, a: jax.Array, b: jax.Array, x: Any, proposal: Proposal) -> Any:
        """Coordinates some of which moved.

        Args:
            a: uint32[pairs], the words that decide which coordinates move.
            b: uint32[pairs], the words that decide where to.
            x: coordinates to start from.
            proposal: how much moves, and how far.

        Returns:
            Coordinates; those that do not move are the same bit for bit.
        """

    @abc.abstractmethod
    def transfer(self, base: Any, moved: Any, onto: Any) -> Any:
        """`onto` with the change from `base` to `moved` carried over.

        Args:
            base: coordinates before a change.
            moved: coordinates after it.
            onto: the coordinates that shall change likewise.

        Returns:
            Coordinates.
        """


class Parameter(Coordinates):
    """One leaf of a search space: its legal values, and their coordinates.

    Attributes:
        confidence: how far draws trust the initial value, in (0, 1]; None for not at all.
        active: how many of an array's entries are used, as a function of the candidate.
        rules: the user's own Python functions in place of draws and moves.

    Example:
        >>> from jaxhop.space import Bool
        >>> shuffle = Bool()
        >>> shuffle.validate(shuffle.initial())  # raises an error if it is not legal
        >>> key = jax.random.key(0)
        >>> shuffle.sample(key).dtype, shuffle.mutate(key, False, temperature=0.1).item()
        (dtype('bool'), True)
    """

    confidence: float | None = None
    active: Callable[[Any], Any] | None = None
    rules: Rules | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "Parameter":
        """Itself: it never changes, and what was compiled for it serves a copied space, too."""
        del memo
        return self

    @abc.abstractmethod
    def initial(self) -> Any:
        """The host value that a search starts from: `init`, or the parameter's default."""

    @abc.abstractmethod
    def validate(self, value: Any) -> None:
        """Refuse a host value that is not legal.

        Args:
            value: what to check.

        Raises:
            ValueError: if the value is not legal.
            TypeError: if it is not even of the right type.
        """

    @abc.abstractmethod
    def encode(self, value: Any) -> Any:
        """The coordinates of a value.

        Args:
            value: a legal value, on the host or traced.

        Returns:
            Coordinates.
        """

    @abc.abstractmethod
    def decode(self, coordinates: Any) -> Any:
        """The value at some coordinates, exactly as a JAX objective sees it.

        Args:
            coordinates: what `draw`, `move` or `encode` returned.

        Returns:
            A legal value, traced under `jit`.
        """

    @abc.abstractmethod
    def to_python(self, coordinates: Any, decoded: Any) -> Any:
        """The value at some coordinates as a user reads it.

        Args:
            coordinates: coordinates as NumPy arrays.
            decoded: what `decode` made of them, as NumPy arrays.

        Returns:
            A Python scalar, a NumPy array, or the user's own object.
        """

    # A parameter may be made of several: all of those below are about its leaves, which most
    # parameters have just one of, themselves.

    def leaves(self) -> "tuple[Parameter, ...]":
        """The parameters that have coordinates of their own."""
        return (self,)

    def guards(self) -> "Sequence[tuple[int, int] | None]":
        """For each leaf when it counts: position of a leaf and the option that it must be at."""
        return (None,) * len(self.leaves())

    def places(self) -> list[tuple[Any, ...]]:
        """For each leaf its path from here."""
        return [() for _ in self.leaves()]

    def starts(self) -> list[Any]:
        """The initial host value of each leaf."""
        return [self.initial()]

    def join(self, values: Any) -> Any:
        """The whole value from one for each leaf, as a JAX objective sees it.

        Args:
            values: one for each of `leaves()`.

        Returns:
            The value.
        """
        (value,) = values
        return value

    def split(self, value: Any) -> list[Any]:
        """One value for each leaf.

        Args:
            value: a legal value, on the host or traced.

        Returns:
            One for each of `leaves()`.
        """
        return [value]

    def checked(self, value: Any, path: tuple[Any, ...]) -> list[Any]:
        """One legal value for each leaf.

        Args:
            value: any host object.
            path: where the parameter is in its space.

        Returns:
            One for each of `leaves()`.

        Raises:
            ValueError: if the value is not legal; the message names its place.
            TypeError: if it is not even of the right type.
        """
        if self.active is not None:  # which of its entries count is known to the space only
            return [value]
        try:
            self.validate(value)
        except (ValueError, TypeError) as error:
            raise type(error)(f"`{_check.path_name(path)}`: {error}") from None
        return self.split(value)

    def completed(self, partial: Any, path: tuple[Any, ...]) -> Any:
        """A whole value from a part of one; see `Space.complete`.

        Args:
            partial: what the user gave.
            path: where the parameter is in its space.

        Returns:
            A value, not checked.
        """
        del path
        return partial

    def collected(self, lists: Sequence[list[Any]], rows: "list[int] | None") -> list[Any]:
        """Values as a user reads them, from those of the leaves.

        Args:
            lists: for each leaf, a list of host values.
            rows: which of them; None for all.

        Returns:
            A list of values.
        """
        (own,) = lists
        return own if rows is None else [own[row] for row in rows]

    def named(self, value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """The entries of a table that a value fills.

        Args:
            value: a host value.
            path: where the parameter is in its space.

        Returns:
            Paths and values.
        """
        yield path, value

    def sample(self, key: Any) -> Any:
        """A random legal value.

        Args:
            key: a JAX key, or raw key data uint32[2].

        Returns:
            A legal value from the prior.
        """
        return self.decode(self.draw(*_noise.pairs(_noise.raw(key), self.pairs)))

    def mutate(self, key: Any, value: Any, temperature: Any) -> Any:
        """A legal value near another one.

        Args:
            key: a JAX key, or raw key data uint32[2].
            value: a legal value.
            temperature: in (0, 1]; the step in units of the range, or of `scale`.

        Returns:
            A legal value, of which a random number of elements moved: log-uniform from one
            to all of them.
        """
        key = _noise.raw(key)
        one, many = _noise.pairs(key, 1, offset=self.pairs)
        proposal = Proposal(
            rate=jnp.exp(-_noise.uniform(many[0]) * math.log(max(self.size, 1))),
            step=jnp.float32(temperature),
            temperature=jnp.float32(temperature),
            forced=_noise.below(one[0], max(self.size, 1)),
        )
        a, b = _noise.pairs(key, self.pairs)
        return self.decode(self.move(a, b, self.encode(value), proposal))


def moving(a: jax.Array, proposal: Proposal) -> jax.Array:
    """Which coordinates move, from one word each.

    Args:
        a: uint32[n].
        proposal: gives the rate and the forced coordinate.

    Returns:
        bool[n].
    """
    return _noise.chance(a, proposal.rate) | (jnp.arange(a.shape[0]) == proposal.forced)
