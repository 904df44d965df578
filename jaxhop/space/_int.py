"""Whole numbers: all of a range, multiples or powers; uniform or log-uniform."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space import _check
from jaxhop.space._extras import extend
from jaxhop.space._index import Index, stepped, upwards, whole_steps
from jaxhop.space._parameter import Parameter, Proposal, moving


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Int(Parameter):
    """A whole number or an array of them, both bounds included; `jaxhop.int`.

    Every legal value is equally likely (every power is, with `power_of`). Coordinates are
    int32 numbers of the legal values, counted from 0. A range of more than 2**31 values
    counts in uint32, of which the coordinates are the bits.

    Args:
        low: lower bound, included.
        high: upper bound, included.
        log: whether sampled and moved on a logarithmic scale; needs `low >= 1`. Values
            above 2**24 are then not all reached, because float32 cannot. Default False.
        multiple_of: legal values are its multiples. Default None: all numbers.
        power_of: legal values are its powers, from the 0th on. Default None: all numbers.
        shape: shape of an array of parameters, each with its own bounds if these are
            arrays. Default (): one number.
        init: where a search starts. Default None: the middle one of the legal values (on
            the logarithmic scale if `log`).
        confidence: how far draws trust `init`: "low", "medium", "high" or a number in (0, 1].
            Default None: not at all.
        active: which entries of an array are used, as a function of the candidate; see
            `jaxhop.Space`. Default None: all.
        sample: `sample(rng)` returns a legal value, for Python objectives. Default None.
        mutate: `mutate(rng, value)` or `mutate(rng, value, temperature)` returns a legal value
            near another one, likewise. Default None.

    Raises:
        ValueError: if the arguments contradict each other or leave no legal value.
        TypeError: if they are not integers.

    Example:
        >>> Int(16, 1024, power_of=2).initial()
        128
    """

    low: np.ndarray
    high: np.ndarray
    log: bool
    multiple_of: int | None
    power_of: int | None
    shape: tuple[int, ...]
    init: np.ndarray | None

    def __init__(
        self,
        low: Any,
        high: Any,
        *,
        log: bool = False,
        multiple_of: int | None = None,
        power_of: int | None = None,
        shape: int | tuple[int, ...] = (),
        init: Any = None,
        confidence: float | str | None = None,
        active: Callable[[Any], Any] | None = None,
        sample: Callable[..., Any] | None = None,
        mutate: Callable[..., Any] | None = None,
    ) -> None:
        settings = {"log": bool(log), "multiple_of": multiple_of, "power_of": power_of}
        subject = _check.call("int", low, high, **settings)
        if (multiple_of is not None) + (power_of is not None) + bool(log) > 1:
            raise ValueError(
                f"`{subject}`: `log`, `multiple_of` and `power_of` exclude each other. Keep one."
            )
        settings["shape"] = _check.lengths(shape, subject)
        for name, least in (("multiple_of", 1), ("power_of", 2)):
            if settings[name] is not None:
                settings[name] = _check.whole(settings[name], name, subject, least)
        for name, value in (("low", low), ("high", high), ("init", init)):
            if value is not None:
                value = _check.integers(value, name, subject)
                value = _check.spread(value, settings["shape"], name, subject)
            settings[name] = value
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        self._refuse_range(subject)
        if self.init is not None:
            self._refuse_illegal(self.init, "init")
        rules = {"sample": sample, "mutate": mutate, "active": active}
        extend(self, subject, init=init, confidence=confidence, **rules)

    def __repr__(self) -> str:
        return _check.call(
            "int",
            self.low,
            self.high,
            log=self.log,
            multiple_of=self.multiple_of,
            power_of=self.power_of,
            shape=self.shape or None,
        )

    @property
    def size(self) -> int:
        return self.index.size

    @property
    def pairs(self) -> int:
        return math.prod(self.shape)

    def initial(self) -> Any:
        if self.init is not None:
            value = self.init
        elif self.log:
            value = np.rint(np.sqrt(self.low) * np.sqrt(self.high)).astype(np.int64)
        else:
            first, last = self.numbers()
            value = self.value_of(np, (first + last) // 2)
        return self.to_python(None, np.broadcast_to(value, self.shape).astype(np.int32))

    def validate(self, value: Any) -> None:
        given = _check.integers(value, "value", repr(self))
        if given.shape != self.shape:
            wanted = f"an array of shape {self.shape}" if self.shape else "one integer"
            raise ValueError(
                f"`{self!r}`: the value must have shape {self.shape}, but its shape is"
                f" {given.shape}. Give {wanted}."
            )
        self._refuse_illegal(given, "value")

    def encode(self, value: Any) -> Any:
        xp: Any = jnp if isinstance(value, jax.core.Tracer) else np
        number = xp.asarray(value, np.int32)
        if self.multiple_of is not None:
            number = number // self.multiple_of
        elif self.power_of is not None:
            number = xp.sum(number[..., None] > _powers(self.power_of), axis=-1)
        # Wraps round where 32 bits are not enough, as JAX does.
        with np.errstate(over="ignore"):
            return xp.asarray(number.astype(np.int32) - self.numbers()[0].astype(np.int32))

    def decode(self, coordinates: Any) -> jax.Array:
        return self.value_of(jnp, jnp.asarray(coordinates) + self.numbers()[0].astype(np.int32))

    def to_python(self, coordinates: Any, decoded: Any) -> Any:
        del coordinates
        return np.asarray(decoded) if self.shape else int(decoded)

    def draw(self, a: jax.Array, b: jax.Array) -> jax.Array:
        if not self.log:
            return self.index.draw(a, b)
        # Each integer owns the interval from half below it to half above it.
        floor, width = self.logarithms()
        u = _noise.uniform(a).reshape(self.shape)
        number = jnp.round(jnp.exp(floor + u * width)) - self.low.astype(np.float32)
        last = self.index.last
        number = jnp.clip(number, 0, last.astype(np.float32)).astype(jnp.uint32)
        return jnp.minimum(number, last).astype(jnp.int32)

    def move(self, a: jax.Array, b: jax.Array, x: jax.Array, proposal: Proposal) -> jax.Array:
        if not self.log:
            return self.index.move(a, b, x, proposal)
        b, at = b.reshape(self.shape), x.astype(jnp.uint32)
        floor, width = self.logarithms()
        value = x.astype(jnp.float32) + self.low.astype(np.float32)
        y = jnp.log(value) + proposal.step * width * _noise.normal(b)
        y = jnp.where(y < floor, 2 * floor - y, y)
        y = jnp.where(y > floor + width, 2 * (floor + width) - y, y)
        far = jnp.exp(jnp.clip(y, floor, floor + width)) - value
        steps = whole_steps(b, jnp.abs(far))
        up = jnp.where(far == 0, upwards(b), far > 0)
        new = stepped(at, self.index.last, steps, up).astype(jnp.int32)
        return jnp.where(moving(a, proposal).reshape(self.shape), new, x)

    def spacing(self, value: np.ndarray) -> np.ndarray:
        """How far a value's neighbours are.

        Args:
            value: legal values on the host.

        Returns:
            Distances in units of the range.
        """
        if self.log:
            return np.log1p(1 / value) / self.logarithms()[1]
        return 1 / (self.index.last + 1.0)

    def transfer(self, base: Any, moved: Any, onto: Any) -> jax.Array:
        return self.index.transfer(base, moved, onto)

    @property
    def index(self) -> Index:
        first, last = self.numbers()
        return Index((last - first).astype(np.uint32), ordinal=True, shape=self.shape)

    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 numbers of the first and the last legal value: factors, exponents or values."""
        if self.multiple_of is not None:
            return -(-self.low // self.multiple_of), self.high // self.multiple_of
        if self.power_of is not None:
            powers = _powers(self.power_of)
            first = np.sum(powers < self.low[..., None], axis=-1)
            return first, np.sum(powers <= self.high[..., None], axis=-1) - 1
        return self.low, self.high

    def value_of(self, xp: Any, number: Any) -> Any:
        """The legal values with some numbers.

        Args:
            xp: numpy or jax.numpy.
            number: integers, as `numbers` counts.

        Returns:
            Integers.
        """
        if self.multiple_of is not None:
            return number * self.multiple_of
        if self.power_of is not None:
            return xp.take(xp.asarray(_powers(self.power_of)), number)
        return number

    def logarithms(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 lower end and width of the range in logarithms."""
        floor, ceiling = np.log(self.low - 0.5), np.log(self.high + 0.5)
        return floor.astype(np.float32), (ceiling - floor).astype(np.float32)

    def _refuse_range(self, subject: str) -> None:
        """Refuse bounds that leave no choice."""
        if np.any(self.low > self.high):
            raise ValueError(f"`{subject}`: `low < high` must hold. Swap them.")
        if np.any(self.low == self.high):
            raise ValueError(
                f"`{subject}`: `low < high` must hold. Set them apart, or put the number itself"
                " into the space: it is then a constant."
            )
        if self.log and np.any(self.low < 1):
            raise ValueError(
                f"`{subject}`: `low >= 1` must hold on a logarithmic scale. Raise low."
            )
        first, last = self.numbers()
        if np.any(first > last):
            kind = "multiple" if self.multiple_of else "power"
            what = f"{kind} of {self.multiple_of or self.power_of}"
            raise ValueError(f"`{subject}`: no {what} lies between the bounds. Widen them.")

    def _refuse_illegal(self, given: np.ndarray, what: str) -> None:
        """Refuse int64 values of the right shape that are not legal."""
        if np.any(given < self.low) or np.any(given > self.high):
            raise ValueError(
                f"`{self!r}`: `low <= {what} <= high` must hold, but got {_check.spell(given)}."
                " Give one inside, or widen the bounds."
            )
        if self.multiple_of is not None and np.any(given % self.multiple_of):
            raise ValueError(
                f"`{self!r}`: `{what}` must be a multiple of {self.multiple_of}, but got"
                f" {_check.spell(given)}. Round it."
            )
        if self.power_of is not None and not np.all(np.isin(given, _powers(self.power_of))):
            raise ValueError(
                f"`{self!r}`: `{what}` must be a power of {self.power_of}, but got"
                f" {_check.spell(given)}. Round it."
            )


def _powers(base: int) -> np.ndarray:
    """All int32 powers of a base, from the 0th on."""
    return np.array([base**k for k in range(32) if base**k < 2**31], np.int32)
