"""Values of any Python kind, and words for rules in Python: what stands for them in a point."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space import _check
from jaxhop.space._custom import Custom
from jaxhop.space._extras import extend
from jaxhop.space._parameter import Coordinates, Parameter, Proposal
from jaxhop.space._store import Store, pickled

_START = bytes(8)  # the handle of the initial value


def custom(
    sample: Callable[..., Any],
    mutate: Callable[..., Any],
    init: Any = None,
    *,
    python: bool = False,
    confidence: float | str | None = None,
) -> Parameter:
    """Values of any kind, sampled and mutated by the user's own functions.

    Without `python` a value is a pytree of arrays, and the functions are JAX functions, which run
    compiled. With it a value is anything that can be pickled, and the functions are plain Python;
    the objective then is one too.

    Args:
        sample: `sample(key)` returns a random legal value, given a JAX key; with `python`
            `sample(rng)`, given a `numpy.random.Generator`.
        mutate: `mutate(key, value)` or `mutate(key, value, temperature)` returns a legal
            value near another one (in JAX of the same shapes and dtypes); temperature falls from
            1 (wide) towards 0 (narrow). With `python`, `rng` takes the key's place, and the value
            may be changed in place, for it is a copy. It counts as taking the temperature if its
            third positional parameter has no default or is named so.
        init: value to start from. Default None: `sample(jax.random.key(0))`, with `python`
            `sample(numpy.random.default_rng(0))`.
        python: whether the functions are plain Python. Default False.
        confidence: how far draws trust `init`: "low", "medium", "high" or a number in (0, 1].
            Default None: not at all.

    Returns:
        A parameter.

    Raises:
        ValueError: if `mutate` or `init` changes structure, shapes or dtypes in JAX.
        TypeError: if `sample` or `mutate` is no function.

    Example:
        >>> import jaxhop
        >>> tour = jaxhop.custom(
        ...     sample=lambda rng: rng.permutation(5).tolist(),
        ...     mutate=lambda rng, tour: [tour[-1], *tour[:-1]],
        ...     init=[0, 1, 2, 3, 4],
        ...     python=True,
        ... )
        >>> tour.initial()
        [0, 1, 2, 3, 4]
    """
    kind = PythonCustom if python else Custom
    return kind(sample, mutate, init, confidence=confidence)


class PythonCustom(Parameter):
    """Values of any picklable kind; what `jaxhop.custom` makes with `python=True`.

    The whole value counts as one coordinate. Coordinates are uint32[2], the random words that
    the value was made with; they are its handle in a `Store`.

    Args:
        sample: `sample(rng)`.
        mutate: `mutate(rng, value)` or `mutate(rng, value, temperature)`.
        init: value to start from. Default None: `sample(numpy.random.default_rng(0))`.
        confidence: how far draws trust `init`.

    Raises:
        TypeError: if a function is none, or a value cannot be pickled.

    Example:
        >>> text = PythonCustom(lambda rng: "a", lambda rng, value: value + "b", init="c")
        >>> text.initial(), text.size
        ('c', 1)
    """

    def __init__(
        self,
        sample: Callable[..., Any],
        mutate: Callable[..., Any],
        init: Any = None,
        *,
        confidence: float | str | None = None,
    ) -> None:
        subject = "custom(sample, mutate, python=True)"
        for name, function in (("sample", sample), ("mutate", mutate)):
            if function is None:
                raise TypeError(f"`{subject}`: `{name}` is missing. Give both functions.")
        extend(self, subject, init=init, confidence=confidence, sample=sample, mutate=mutate)
        value = sample(np.random.default_rng(0)) if init is None else init
        self._start = Store({_START: pickled(value)})

    def __repr__(self) -> str:
        return f"custom(<value {_check.spell(self.initial())}>, python=True)"

    @property
    def size(self) -> int:
        return 1

    @property
    def pairs(self) -> int:
        return 2  # the first decides whether to move, the second is the new handle

    def initial(self) -> Any:
        return self._start.get(_START)

    def validate(self, value: Any) -> None:
        pickled(value)

    def encode(self, value: Any) -> Any:
        if isinstance(value, Held):
            return np.frombuffer(value.handle, np.uint32)
        if pickled(value) == self._start.values[_START]:
            return np.zeros(2, np.uint32)
        raise ValueError(
            f"`{self!r}`: a Python value other than the initial one has coordinates in a store"
            " only. Say space.encode(candidate, store)."
        )

    def decode(self, coordinates: Any) -> Any:
        return coordinates

    def to_python(self, coordinates: Any, decoded: Any) -> Any:
        del decoded
        return Held(self, np.asarray(coordinates, np.uint32).tobytes(), None)

    def draw(self, a: jax.Array, b: jax.Array) -> jax.Array:
        # The lowest bit tells moved values from drawn ones.
        return jnp.stack([a[1] & ~jnp.uint32(1), b[1]])

    def move(self, a: jax.Array, b: jax.Array, x: jax.Array, proposal: Proposal) -> jax.Array:
        moves = _noise.chance(a[0], proposal.rate) | (proposal.forced == 0)
        return jnp.where(moves, jnp.stack([a[1] | jnp.uint32(1), b[1]]), x)

    def transfer(self, base: Any, moved: Any, onto: Any) -> jax.Array:
        return jnp.where(jnp.any(moved != base), moved, onto)

    def collected(self, lists: Sequence[list[Any]], rows: list[int] | None) -> list[Any]:
        return [value.get() for value in super().collected(lists, rows)]

    def held(self, store: Store | None, handle: bytes) -> "Held":
        """The value of a handle, still pickled.

        Args:
            store: holds values by handle.
            handle: the eight bytes of the coordinates.

        Returns:
            What `collected` takes the value out of.
        """
        return Held(self, handle, store)

    def has(self, store: Store, handle: bytes) -> bool:
        """Whether the value of a handle is known.

        Args:
            store: holds values by handle.
            handle: the eight bytes of the coordinates.

        Returns:
            False if it still has to be made.
        """
        return handle == _START or handle in store

    def data(self, store: Store | None, handle: bytes) -> bytes:
        """The pickled value of a handle; what is not in the store yet is sampled.

        Args:
            store: holds values by handle.
            handle: the eight bytes of the coordinates.

        Returns:
            Bytes.

        Raises:
            ValueError: if there is no store.
        """
        if handle == _START:
            return self._start.values[handle]
        if store is None:
            raise ValueError(
                f"`{self!r}`: values of a Python parameter are in a store. Give the store that"
                " the points were made with."
            )
        if handle not in store:
            assert self.rules is not None
            assert self.rules.sample is not None
            store.put(handle, self.rules.sample(generator(handle)))
        return store.values[handle]


class Held:
    """A Python value that is not unpickled before it is wanted.

    Args:
        parameter: whose value it is.
        handle: under which it is stored.
        store: where.
    """

    def __init__(self, parameter: PythonCustom, handle: bytes, store: Store | None) -> None:
        self.parameter, self.handle, self.store = parameter, handle, store

    def data(self) -> bytes:
        """The value, pickled."""
        return self.parameter.data(self.store, self.handle)

    def get(self) -> Any:
        """A new copy of the value."""
        return Store({self.handle: self.data()}).get(self.handle)


class Words(Coordinates):
    """Random words that rules in Python are seeded with; every move makes new ones."""

    @property
    def size(self) -> int:
        return 0

    @property
    def pairs(self) -> int:
        return 1

    def draw(self, a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.stack([a[0], b[0]])

    def move(self, a: jax.Array, b: jax.Array, x: jax.Array, proposal: Proposal) -> jax.Array:
        del x, proposal
        return self.draw(a, b)

    def transfer(self, base: Any, moved: Any, onto: Any) -> jax.Array:
        del base, onto
        return moved


def is_moved(handle: bytes) -> bool:
    """Whether a handle was made by a move.

    Args:
        handle: the eight bytes of the coordinates.

    Returns:
        False if it was made by a draw.
    """
    return bool(np.frombuffer(handle, np.uint32)[0] & 1)


def generator(seed: bytes, number: int = 0) -> np.random.Generator:
    """A source of randomness that depends on its arguments only.

    Args:
        seed: random words as bytes.
        number: tells several with the same words apart.

    Returns:
        A generator.
    """
    return np.random.default_rng([*np.frombuffer(seed, np.uint32).tolist(), number])
