"""Real numbers: bounded, bounded on one side or unbounded; linear or log-uniform; rounded."""

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
from jaxhop.space._bounds import check_bounds, positions, read_format, round_bounds
from jaxhop.space._decimal import to_decimal
from jaxhop.space._extras import extend
from jaxhop.space._parameter import Parameter, Proposal, moving
from jaxhop.space._perturbed import shortened

# Without bounds a step of 1 is so many scales: what a range is wide in terms of the deviation of
# its samples, sqrt(12), about. Measured on a network of 50,826 weights: 1 is far too timid.
_FREE_RANGE = 4.0


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Float(Parameter):
    """A real number or an array of them; `jaxhop.float`.

    Coordinates are the number over the width of its range (its logarithm over the width in
    logarithms if `log`, or the number over `scale` if a bound is missing), not shifted, so
    that numbers near 0 keep their precision.

    Args:
        *bounds: both bounds, and perhaps `fmt`: `float(low, high)`, `float(low, high, "0.2g")`.
            One bound alone is given by name, `float(low=0)`.
        low: lower bound, included. Default None: none.
        high: upper bound, included. Default None: none.
        fmt: "0.2f" for numbers with two decimals, "0.2g" for log-uniform ones with two
            significant digits. Default None: not rounded.
        log: whether sampled and moved on a logarithmic scale; needs two positive bounds.
            Default False.
        precision: legal numbers have so many decimals, or significant digits if `log`. The
            greatest may have 6 digits in all, because float32 tells no more apart. Default
            None: not rounded.
        scale: typical size of the number, where a bound is missing: samples are normal
            with this deviation, from 0 or inwards from the one bound. Default 1.
        shape: shape of an array of parameters, each with its own bounds if these are
            arrays. Default (): one number.
        init: where a search starts. Default None: the middle of the range (of the
            logarithms if `log`), `scale` inwards from a single bound, 0 without bounds.
        dtype: floating dtype of the values. Default float32.
        confidence: how far draws trust `init`: "low", "medium", "high" or a number in (0, 1].
            Default None: not at all.
        active: which entries of an array are used, as a function of the candidate; see
            `jaxhop.Space`. Default None: all.
        sample: `sample(rng)` returns a legal value, for Python objectives. Default None.
        mutate: `mutate(rng, value)` or `mutate(rng, value, temperature)` returns a legal value
            near another one, likewise. Default None.

    Raises:
        ValueError: if the arguments contradict each other or leave no legal value.
        TypeError: if they are not numbers.

    Example:
        >>> rate = Float(1e-5, 1e-1, "0.1g")
        >>> rate
        float(low=1e-05, high=0.1, log=True, precision=1)
        >>> rate.initial()
        0.001
    """

    low: np.ndarray | None
    high: np.ndarray | None
    log: bool
    precision: int | None
    scale: np.ndarray
    shape: tuple[int, ...]
    init: np.ndarray | None
    dtype: Any

    def __init__(
        self,
        *bounds: Any,
        low: Any = None,
        high: Any = None,
        fmt: str | None = None,
        log: bool = False,
        precision: int | None = None,
        scale: Any = 1.0,
        shape: int | tuple[int, ...] = (),
        init: Any = None,
        dtype: Any = jnp.float32,
        confidence: float | str | None = None,
        active: Callable[[Any], Any] | None = None,
        sample: Callable[..., Any] | None = None,
        mutate: Callable[..., Any] | None = None,
    ) -> None:
        named = {"low": low, "high": high, "fmt": fmt, "log": log, "precision": precision}
        subject = _check.call("float", *bounds, **named)
        low, high, fmt = positions(bounds, low, high, fmt, subject)
        if fmt is not None:
            if log or precision is not None:
                raise ValueError(
                    f"`{subject}`: `fmt` already says what `log` and `precision` say."
                    " Give fmt alone, or log= and precision=."
                )
            log, precision = read_format(fmt, subject)
        if precision is not None:
            precision = _check.whole(precision, "precision", subject, int(log))
        shape = _check.lengths(shape, subject)
        numbers: dict[str, Any] = {}
        for name, value in (("low", low), ("high", high), ("scale", scale), ("init", init)):
            if value is not None:
                value = _check.reals(value, name, subject)
                value = _check.spread(value, shape, name, subject)
            numbers[name] = value
        kind = _check.floating(dtype, subject)
        check_bounds(numbers, bool(log), kind, subject)
        if precision is not None:
            round_bounds(numbers, bool(log), precision, kind, subject)
        settings = {"log": bool(log), "precision": precision, "shape": shape, "dtype": kind}
        for name, value in (numbers | settings).items():
            object.__setattr__(self, name, value)
        if self.init is not None:
            self._refuse_illegal(np.broadcast_to(self.init, shape), "init")
            object.__setattr__(self, "init", self.init.astype(kind))
        rules = {"sample": sample, "mutate": mutate, "active": active}
        extend(self, subject, init=init, confidence=confidence, **rules)

    def __repr__(self) -> str:
        shown = {
            "low": self.low,
            "high": self.high,
            "log": self.log,
            "precision": self.precision,
            "scale": self.scale if np.any(self.scale != 1) else None,
            "shape": self.shape or None,
            "dtype": self.dtype.name if self.dtype != np.float32 else None,
        }
        return _check.call("float", **shown)

    @property
    def size(self) -> int:
        single = self.bounded and np.all(self.low == self.high)
        return 0 if single else self.pairs

    @property
    def pairs(self) -> int:
        return math.prod(self.shape)

    @property
    def bounded(self) -> bool:
        """Whether both bounds are given."""
        return self.low is not None and self.high is not None

    @property
    def reach(self) -> float:
        """How many coordinates long a step of 1 is: the range, or what stands for it."""
        return 1.0 if self.bounded else _FREE_RANGE

    @property
    def unit(self) -> np.ndarray:
        """float64 width of one coordinate, in numbers or in their logarithms."""
        if self.low is None or self.high is None:
            return self.scale
        width = np.log(self.high / self.low) if self.log else self.high - self.low
        return np.where(width > 0, width, 1.0)  # a single legal value has no width

    def initial(self) -> Any:
        if self.init is not None:
            start = self.init
        elif self.low is not None and self.high is not None:
            start = (
                np.sqrt(self.low) * np.sqrt(self.high) if self.log else (self.low + self.high) / 2
            )
        elif self.low is not None:
            start = self.low + self.scale
        elif self.high is not None:
            start = self.high - self.scale
        else:
            start = np.zeros(())
        start = np.asarray(self._legal(np, np.asarray(start, np.float64))).astype(self.dtype)
        return self.to_python(None, np.broadcast_to(start, self.shape))

    def validate(self, value: Any) -> None:
        given = _check.reals(value, "value", repr(self))
        if given.shape != self.shape:
            wanted = f"an array of shape {self.shape}" if self.shape else "one number"
            raise ValueError(
                f"`{self!r}`: the value must have shape {self.shape}, but its shape is"
                f" {given.shape}. Give {wanted}."
            )
        self._refuse_illegal(given, "value")

    def encode(self, value: Any) -> Any:
        # On the host without JAX: each of its operations would be compiled for a single use.
        xp: Any = jnp if isinstance(value, jax.core.Tracer) else np
        x = xp.asarray(value, np.float32)
        y = (xp.log(x) if self.log else x) / self.unit.astype(np.float32)
        return xp.asarray(xp.clip(y, *self.walls())).astype(self._stored)

    def decode(self, coordinates: Any) -> jax.Array:
        x = jnp.asarray(coordinates).astype(jnp.float32) * self.unit.astype(np.float32)
        x = jnp.exp(x) if self.log else x
        if self.precision is not None:
            with jax.enable_x64(True):
                x = self._legal(jnp, x.astype(jnp.float64)).astype(self.dtype)
        low, high = self._ends()
        return jnp.clip(x.astype(self.dtype), low, high)

    def to_python(self, coordinates: Any, decoded: Any) -> Any:
        del coordinates
        if self.shape:
            return np.asarray(decoded)
        if self.precision is not None:
            kind = "g" if self.log else "f"
            return float(format(float(decoded), f".{self.precision}{kind}")) + 0.0
        # The shortest decimal that reads as the same number: 0.1, not 0.10000000149.
        return float(str(decoded))

    def draw(self, a: jax.Array, b: jax.Array) -> jax.Array:
        del b
        low, high = self.walls()
        u = _noise.uniform(a).reshape(self.shape)
        if self.bounded:
            y = low + u * (high - low)
        elif self.low is not None or self.high is not None:
            far = jnp.float32(math.sqrt(2)) * jax.lax.erf_inv(u)  # the size of a normal number
            y = high - far if self.low is None else low + far
        else:
            y = _noise.normal(a).reshape(self.shape)
        return self.nearest(y)

    def move(self, a: jax.Array, b: jax.Array, x: jax.Array, proposal: Proposal) -> jax.Array:
        noise = _noise.normal(b).reshape(self.shape)
        step = proposal.step * self.reach
        far = jnp.maximum(jnp.abs(step * noise), self._least(x.astype(jnp.float32)))
        moved = moving(a, proposal).reshape(self.shape)
        return jnp.where(moved, self.shifted(x, jnp.copysign(far, noise)), x)

    def spacing(self, x: jax.Array) -> jax.Array:
        """How far the nearest other legal values are, 0 where numbers are not rounded.

        Args:
            x: coordinates.

        Returns:
            Distances in units of the range, or of `scale`.
        """
        return jnp.broadcast_to(self._least(x), self.shape)

    def shifted(self, x: jax.Array, change: jax.Array) -> jax.Array:
        """Coordinates plus a change, reflected once at the bounds.

        Args:
            x: coordinates.
            change: float32 of their shape.

        Returns:
            Coordinates within the bounds.
        """
        low, high = self.walls()
        y = x.astype(jnp.float32) + change
        y = jnp.where(y < low, 2 * low - y, y) if self.low is not None else y
        y = jnp.where(y > high, 2 * high - y, y) if self.high is not None else y
        return self.nearest(y)

    def transfer(self, base: Any, moved: Any, onto: Any) -> jax.Array:
        change = moved.astype(jnp.float32) - base.astype(jnp.float32)
        y = self.nearest(onto.astype(jnp.float32) + change)
        return jnp.where(moved != base, y, onto)

    @property
    def _stored(self) -> Any:
        """Dtype of the coordinates: float32, or the dtype of unbounded values if shorter."""
        free = self.low is None and self.high is None
        return self.dtype if free and self.dtype.itemsize < 4 else np.dtype(np.float32)

    def walls(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 bounds of the coordinates, infinite where there are none."""
        low, high = (
            default if bound is None else (np.log(bound) if self.log else bound) / self.unit
            for bound, default in ((self.low, -np.inf), (self.high, np.inf))
        )
        return np.asarray(low, np.float32), np.asarray(high, np.float32)

    def nearest(self, y: Any) -> jax.Array:
        """Coordinates within the bounds, as they are stored."""
        return shortened(jnp.clip(y, *self.walls()), self._stored)

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the values in their own dtype, infinite where there are none."""
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return np.asarray(low).astype(self.dtype), np.asarray(high).astype(self.dtype)

    def _legal(self, xp: Any, x: Any) -> Any:
        """The nearest legal value of float64 numbers."""
        if self.precision is None:
            return x
        x = to_decimal(xp, x, self.precision, self.log)
        low = -np.inf if self.low is None else self.low
        return xp.clip(x, low, np.inf if self.high is None else self.high)

    def _least(self, y: jax.Array) -> Any:
        """The smallest change of a coordinate that leads to another rounded value."""
        if self.precision is None:
            return 0.0
        unit = self.unit.astype(np.float32)
        if not self.log:
            return np.float32(10.0**-self.precision) / unit
        digits = y * unit / np.float32(math.log(10))
        # A thousandth of a digit, lest 0.9999 pass for the end of the decade below.
        mantissa = 10.0 ** (digits - jnp.floor(digits + 1e-3))
        return jnp.log1p(10.0 ** (1 - self.precision) / mantissa) / unit

    def _refuse_illegal(self, given: np.ndarray, what: str) -> None:
        """Refuse float64 values of the right shape that are not legal."""
        seen = given.astype(self.dtype)
        if np.any(seen != np.clip(seen, *self._ends())):
            raise ValueError(
                f"`{self!r}`: `low <= {what} <= high` must hold, but got {_check.spell(given)}."
                " Give one inside, or widen the bounds."
            )
        if self.precision is None:
            return
        legal = self._legal(np, given)
        if np.any(seen != legal.astype(self.dtype)):
            digits = "significant digit" if self.log else "decimal"
            digits += "s" if self.precision > 1 else ""
            raise ValueError(
                f"`{self!r}`: `{what}` must have at most {self.precision} {digits}, but got"
                f" {_check.spell(given)}. Round it to {_check.spell(legal)}."
            )
