"""Values of any kind, sampled and mutated by the user's own functions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop.space import _check
from jaxhop.space._extras import extend
from jaxhop.space._match import numbers_in
from jaxhop.space._parameter import Parameter, Proposal
from jaxhop.space._rules import with_temperature


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Custom(Parameter):
    """A pytree of arrays that the user's functions sample and mutate; `jaxhop.custom`.

    Both functions must be JAX functions: they run under `jit` and `vmap`. The whole value
    counts as one coordinate, and is its own coordinates.

    Args:
        sample: `sample(key)` returns a random legal value, given a JAX key.
        mutate: `mutate(key, value)` or `mutate(key, value, temperature)` returns a legal
            value near another one, of the same shapes and dtypes; temperature falls from 1
            (wide) towards 0 (narrow). It counts as taking the temperature if its third
            positional parameter has no default or is named so.
        init: value to start from. Default None: `sample(jax.random.key(0))`.
        confidence: how far draws trust `init`: "low", "medium", "high" or a number in (0, 1].
            Default None: not at all.

    Raises:
        ValueError: if `mutate` or `init` changes structure, shapes or dtypes.
        TypeError: if `sample` or `mutate` is no function.

    Example:
        >>> angle = Custom(
        ...     sample=lambda key: jax.random.uniform(key, maxval=360.0),
        ...     mutate=lambda key, value: (value + 10 * jax.random.normal(key)) % 360.0,
        ...     init=90.0,
        ... )
        >>> angle.initial()
        90.0
    """

    sample_function: Callable[[Any], Any]
    mutate_function: Callable[[Any, Any, Any], Any]
    init: Any
    form: Any

    def __init__(
        self,
        sample: Callable[..., Any],
        mutate: Callable[..., Any],
        init: Any = None,
        *,
        confidence: float | str | None = None,
    ) -> None:
        subject = "custom(sample, mutate)"
        for name, function in (("sample", sample), ("mutate", mutate)):
            if not callable(function):
                raise TypeError(
                    f"`{subject}`: `{name}` must be a function, but got {_check.spell(function)}."
                    " Give sample=lambda key: ..., mutate=lambda key, value: ..."
                )
        mutate = with_temperature(mutate)
        word = jax.ShapeDtypeStruct((), np.dtype(np.uint32))
        form = _form(jax.eval_shape(lambda a, b: sample(_key(a, b)), word, word))
        number = jax.ShapeDtypeStruct((), np.dtype(np.float32))
        mutated = jax.eval_shape(
            lambda a, b, value, heat: mutate(_key(a, b), value, heat), word, word, form, number
        )
        _refuse_other_form("what `mutate` returns", _form(mutated), form, subject)
        if init is not None:
            _refuse_other_form("`init`", _form(init, like=form), form, subject)
        object.__setattr__(self, "sample_function", sample)
        object.__setattr__(self, "mutate_function", mutate)
        object.__setattr__(self, "init", init)
        object.__setattr__(self, "form", form)
        extend(self, subject, init=init, confidence=confidence)

    def __repr__(self) -> str:
        return f"custom(<value {_spell_form(self.form)}>)"

    @property
    def size(self) -> int:
        return 1

    @property
    def pairs(self) -> int:
        return 2  # the first decides whether to move, the second is the user's key

    def initial(self) -> Any:
        value = self.sample_function(jax.random.key(0)) if self.init is None else self.init
        return self._host(self._cast(value))

    def validate(self, value: Any) -> None:
        _refuse_other_form("the value", _form(value, like=self.form), self.form, repr(self))

    def encode(self, value: Any) -> Any:
        return self._cast(value)

    def decode(self, coordinates: Any) -> Any:
        return self._cast(coordinates)

    def to_python(self, coordinates: Any, decoded: Any) -> Any:
        del coordinates
        return self._host(decoded)

    def draw(self, a: jax.Array, b: jax.Array) -> Any:
        return self._cast(self.sample_function(_key(a[1], b[1])))

    def move(self, a: jax.Array, b: jax.Array, x: Any, proposal: Proposal) -> Any:
        moves = _noise.chance(a[0], proposal.rate) | (proposal.forced == 0)
        new = self._cast(self.mutate_function(_key(a[1], b[1]), x, proposal.temperature))
        return jax.tree.map(lambda old, new: jnp.where(moves, new, old), x, new)

    def transfer(self, base: Any, moved: Any, onto: Any) -> Any:
        pairs = zip(jax.tree.leaves(base), jax.tree.leaves(moved), strict=True)
        changed = jnp.any(jnp.stack([jnp.any(old != new) for old, new in pairs]))
        return jax.tree.map(lambda new, old: jnp.where(changed, new, old), moved, onto)

    def named(self, value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
        return numbers_in(value, path)

    def _cast(self, value: Any) -> Any:
        """The value as arrays of the dtypes that `sample` returns."""
        return jax.tree.map(lambda leaf, form: jnp.asarray(leaf, form.dtype), value, self.form)

    def _host(self, value: Any) -> Any:
        return jax.tree.map(lambda leaf: np.asarray(leaf) if np.ndim(leaf) else leaf.item(), value)


def _key(a: jax.Array, b: jax.Array) -> jax.Array:
    """A typed JAX key made of two random words."""
    return jax.random.wrap_key_data(jnp.stack([a, b]), impl="threefry2x32")


def _form(value: Any, like: Any = None) -> Any:
    """Shapes and dtypes of a pytree; Python numbers take the dtype of their place in `like`."""

    def one(leaf: Any, wanted: Any = None) -> jax.ShapeDtypeStruct:
        if isinstance(leaf, bool | int | float) and wanted is not None:
            return jax.ShapeDtypeStruct((), wanted.dtype)
        dtype = jax.dtypes.canonicalize_dtype(jnp.result_type(leaf))
        return jax.ShapeDtypeStruct(jnp.shape(leaf), dtype)

    same = like is not None and jax.tree.structure(value) == jax.tree.structure(like)
    return jax.tree.map(one, value, like) if same else jax.tree.map(one, value)


def _refuse_other_form(what: str, got: Any, wanted: Any, subject: str) -> None:
    equal = jax.tree.structure(got) == jax.tree.structure(wanted) and all(
        (x.shape, x.dtype) == (y.shape, y.dtype)
        for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True)
    )
    if not equal:
        raise ValueError(
            f"`{subject}`: {what} must look like what `sample` returns,"
            f" {_spell_form(wanted)}, but is {_spell_form(got)}. Make the two agree."
        )


def _spell_form(form: Any) -> str:
    """Shapes and dtypes for a message, such as {'x': float32[3]}."""
    spelled = jax.tree.map(lambda leaf: _Plain(f"{leaf.dtype}{list(leaf.shape) or ''}"), form)
    return repr(spelled)


class _Plain(str):
    """Text whose repr has no quotes."""

    def __repr__(self) -> str:
        return str(self)
