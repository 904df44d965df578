"""One of several options, equally likely."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxhop.space import _check
from jaxhop.space._extras import extend
from jaxhop.space._index import Index
from jaxhop.space._option import Option, Options
from jaxhop.space._parameter import Parameter, Proposal


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Choice(Parameter):
    """One of several options; what `jaxhop.choice` makes of options without parameters.

    A JAX objective sees numbers and arrays of one shape as such, other options as an
    `Option`, which can be compared and switched on. Coordinates are the int32 position.

    Args:
        *options: the options, or one list, tuple or range of them.
        ordinal: whether neighbours are alike, so that moves are steps. Default False: a
            move goes to any other option.
        init: the option to start from. Default None: the first, or the middle one (the
            lower of two) if `ordinal`.
        confidence: how far draws trust `init`: "low", "medium", "high" or a number in (0, 1].
            Default None: not at all.
        sample: `sample(rng)` returns an option, for Python objectives. Default None.
        mutate: `mutate(rng, option)` or `mutate(rng, option, temperature)` returns an option
            near another one, likewise. Default None.

    Raises:
        ValueError: if there is no option, or if `init` is none of them.

    Example:
        >>> Choice(["adam", "sgd"]).initial()
        'adam'
        >>> Choice(32, 64, 128, ordinal=True).decode(jnp.int32(1)).item()
        64
    """

    choices: Options
    ordinal: bool
    table: np.ndarray | None
    start: int

    def __init__(
        self,
        *options: Any,
        ordinal: bool = False,
        init: Any = None,
        confidence: float | str | None = None,
        sample: Callable[..., Any] | None = None,
        mutate: Callable[..., Any] | None = None,
    ) -> None:
        subject = _check.call("choice", *options, ordinal=ordinal, init=init)
        options = listed(options)
        if not options:
            raise ValueError(f"`{subject}`: there must be an option. Give one or more.")
        object.__setattr__(self, "choices", Options(options))
        object.__setattr__(self, "ordinal", bool(ordinal))
        object.__setattr__(self, "table", _table(options))
        start = (len(options) - 1) // 2 if ordinal else 0
        if init is not None:
            start = self.choices.position(init)
            if start is None:
                raise ValueError(
                    f"`{subject}`: `init` must be one of the options, but got"
                    f" {_check.spell(init)}. Choose one of {self.choices!r}."
                )
        object.__setattr__(self, "start", start)
        extend(self, subject, init=init, confidence=confidence, sample=sample, mutate=mutate)

    def __repr__(self) -> str:
        return _check.call("choice", *self.choices.options, ordinal=self.ordinal)

    @property
    def size(self) -> int:
        return self.index.size

    @property
    def pairs(self) -> int:
        return 1

    @property
    def index(self) -> Index:
        """The coordinates alone, which know nothing of the options."""
        return Index(np.asarray(len(self.choices.options) - 1, np.uint32), self.ordinal)

    def initial(self) -> Any:
        return self.choices.options[self.start]

    def validate(self, value: Any) -> None:
        if self._position(value) is None:
            raise ValueError(
                f"`{self!r}`: the value must be one of the options, but got"
                f" {_check.spell(value)}. Choose one of {self.choices!r}."
            )

    def encode(self, value: Any) -> Any:
        if isinstance(value, Option):
            return jnp.asarray(value.index)
        if self.table is not None and isinstance(value, Tracer):
            same = (self.table == value).reshape(len(self.table), -1)
            return jnp.argmax(jnp.all(same, axis=1)).astype(jnp.int32)
        self.validate(value)
        return np.asarray(self._position(value), np.int32)

    def decode(self, coordinates: Any) -> Any:
        if self.table is None:
            return Option(jnp.asarray(coordinates), self.choices)
        return jnp.take(jnp.asarray(self.table), coordinates, axis=0)

    def to_python(self, coordinates: Any, decoded: Any) -> Any:
        del decoded
        return self.choices.options[int(coordinates)]

    def draw(self, a: jax.Array, b: jax.Array) -> jax.Array:
        return self.index.draw(a, b)

    def move(self, a: jax.Array, b: jax.Array, x: jax.Array, proposal: Proposal) -> jax.Array:
        return self.index.move(a, b, x, proposal)

    def transfer(self, base: Any, moved: Any, onto: Any) -> jax.Array:
        return self.index.transfer(base, moved, onto)

    def _position(self, value: Any) -> int | None:
        """Position of a host value, be it an option or what `decode` made of one."""
        if isinstance(value, Option):
            return int(value.index) if value.choices is self.choices else None
        position = self.choices.position(value)
        array = isinstance(value, jax.Array | np.ndarray | np.generic)
        if position is None and self.table is not None and array:
            # float32 0.1 is not the option 0.1, but it is what an objective sees of it.
            same = [np.array_equal(row, value) for row in self.table]
            position = same.index(True) if any(same) else None
        return position


def Bool(
    init: bool | None = None,
    *,
    confidence: float | str | None = None,
    sample: Callable[..., Any] | None = None,
    mutate: Callable[..., Any] | None = None,
) -> Choice:
    """False or True; `jaxhop.bool`.

    Args:
        init: where a search starts. Default None: False.
        confidence: how far draws trust `init`; see `Choice`.
        sample: `sample(rng)`, for Python objectives; see `Choice`.
        mutate: `mutate(rng, value)`, likewise.

    Returns:
        A choice of False and True, which a JAX objective sees as bool.

    Raises:
        TypeError: if `init` is not a bool.

    Example:
        >>> Bool(init=True).initial()
        True
    """
    if init is not None and not isinstance(init, bool | np.bool_):
        raise TypeError(
            f"`{_check.call('bool', init=init)}`: `init` must be True or False. Give one of them."
        )
    init = None if init is None else bool(init)
    return Choice(False, True, init=init, confidence=confidence, sample=sample, mutate=mutate)


def listed(options: tuple[Any, ...]) -> tuple[Any, ...]:
    """The options of a call, be they its arguments or one list, tuple or range of them.

    Args:
        options: the positional arguments.

    Returns:
        The options.
    """
    single = len(options) == 1 and isinstance(options[0], list | tuple | range)
    return tuple(options[0]) if single else options


def _table(options: tuple[Any, ...]) -> np.ndarray | None:
    """The options as one array of a dtype that JAX holds, None if they are not numbers alike."""
    arrays = [isinstance(option, np.ndarray | jax.Array) for option in options]
    bools = [isinstance(option, bool | np.bool_) for option in options]
    plain = [isinstance(option, int | float | np.number) for option in options]
    if not (all(arrays) or all(bools) or (all(plain) and not any(bools))):
        return None
    if len({np.shape(option) for option in options}) > 1:
        return None
    try:
        table = np.stack([np.asarray(option) for option in options])
    except OverflowError:
        return None
    narrow = table.astype(jax.dtypes.canonicalize_dtype(table.dtype))
    exact = table.dtype.kind == "f" or np.array_equal(narrow, table)
    return narrow if exact else None
