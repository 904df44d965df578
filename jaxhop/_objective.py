"""The user's function in house form: traced once, minimised, its captured arrays as arguments."""

import importlib.util
import inspect
import os
import re
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.core
import jax.extend.core
import jax.numpy as jnp
import numpy as np

from jaxhop._call import name
from jaxhop._cost import Cost, cost
from jaxhop.space import LowRank, Space, written_out

_LIBRARIES = (
    *(
        os.path.dirname(os.path.abspath(file)) + os.sep
        for file in (jax.__file__, np.__file__, __file__)
    ),
    "<frozen",
)

_TRACING = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.UnexpectedTracerError,
    jax.errors.NonConcreteBooleanIndexError,
)


_HOISTED_BYTES = 4096
# Calls, by the parameter that holds what is called. Nobody differentiates from here on.
_CALLS = {"jit": "jaxpr", "pjit": "jaxpr"} | dict.fromkeys(
    ("custom_jvp_call", "custom_vjp_call"), "call_jaxpr"
)


class TraceError(TypeError):
    """The objective cannot be traced by JAX.

    Example:
        >>> import jaxhop
        >>> def loss(params):
        ...     return params["x"] if params["x"] > 0 else 0.0  # JAX knows no sign while it traces
        >>> try:
        ...     jaxhop.search(loss, {"x": jaxhop.float(-1, 1)}, evaluations=10, backend="jax")
        ... except TraceError as error:
        ...     print(str(error)[:55])
        `loss` cannot be traced by JAX: TracerBoolConversionErr
    """


class ReturnTypeError(TypeError):
    """The objective was traced, but returns what is no number."""


class Objective(NamedTuple):
    """An objective that was traced.

    Attributes:
        value: `value(constants, point, key) -> float32`, to be minimised; `key` is raw key data,
            uint32[2], and unused unless `noisy`.
        aux: the same, but what the function returned beside its value; None if it does not.
        constants: the arrays that the function captured.
        noisy: whether the function takes a key.
        cost: what evaluating one candidate takes.
        expanded: one entry for each time that the objective was compiled with matrices of low
            rank: how many operations had to write one out.
    """

    value: Callable[[Sequence[Any], Any, jax.Array], jax.Array]
    aux: Callable[[Sequence[Any], Any, jax.Array], Any] | None
    constants: list[Any]
    noisy: bool
    cost: Cost
    expanded: list[int]


def takes_key(fn: Callable[..., Any]) -> bool:
    """Whether an objective is called as `fn(params, key)` rather than `fn(params)`.

    Args:
        fn: the objective.

    Returns:
        True if it has a second required parameter, or one named `key`.

    Raises:
        TypeError: if it is no function, or one of no or of three required parameters.

    Example:
        >>> takes_key(lambda params, key: 0.0), takes_key(lambda params, rate=0.1: 0.0)
        (True, False)
    """
    if not callable(fn):
        raise TypeError(
            f"`fn={fn!r}`: the objective must be a function of the parameters."
            ' Give one, such as `lambda params: params["x"] ** 2`.'
        )
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (ValueError, TypeError):  # some built-in functions have no signature
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    keyword = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if not (positional or any_number) or len(required) > 2 or keyword:
        raise TypeError(
            f"`fn{inspect.signature(fn)}`: the objective must be called as fn(params), or as"
            " fn(params, key) if it is random. Bind the other arguments with functools.partial."
        )
    return len(required) == 2 or (len(positional) > 1 and positional[1].name == "key")


def trace(
    fn: Callable[..., Any],
    space: Space,
    direction: str,
    level: float | None = None,
) -> Objective:
    """Traces an objective, once.

    Arrays that the function captured become arguments: as constants of the program they would
    be folded by the compiler, which can take a minute and gigabytes.

    Args:
        fn: `fn(params)` or `fn(params, key)`; returns a number, or `(number, aux)`.
        space: where its parameters come from.
        direction: `"min"` or `"max"`.
        level: the space's fidelity. Default: its highest.

    Returns:
        The objective in house form.

    Raises:
        TraceError: if JAX cannot trace it; the message names the line.
        TypeError: if it does not return one number.
    """
    noisy = takes_key(fn)

    def called(values: Any, key: jax.Array) -> Any:
        params = space.assembled(values)
        if level is not None:
            params = space.at(params, level)
        extra = (jax.random.wrap_key_data(key, impl="threefry2x32"),) if noisy else ()
        returned = fn(params, *extra)
        _check_arrays(returned, fn)
        return returned

    key = jax.ShapeDtypeStruct((2,), jnp.uint32)
    values = jax.eval_shape(space.leaf_values, space.shape)
    try:
        closed, shape = jax.make_jaxpr(called, return_shape=True)(values, key)
    except _ReturnError as error:
        raise ReturnTypeError(str(error)) from None
    except Exception as error:
        explain(error, fn)
        raise
    if any(isinstance(constant, jax.core.Tracer) for constant in closed.consts):
        raise TraceError(
            f"`{name(fn)}` uses an abstract array of another trace: one that was stored by an"
            " earlier call, or an argument of a jitted function around the search. Use the"
            " parameters that it is called with, and search outside of jax.jit."
        )
    has_aux = isinstance(shape, tuple) and len(shape) == 2
    _check_number(shape[0] if has_aux else shape, fn)
    structure = jax.tree.structure(shape)
    constants: list[Any] = []
    expanded: list[int] = []
    run = _hoisted(closed.jaxpr, closed.consts, constants)
    sign = -1 if direction == "max" else 1

    def returned(constants: Sequence[Any], point: Any, key: jax.Array) -> Any:
        leaves = jax.tree.leaves(space.leaf_values(point), is_leaf=_is_low_rank)
        return jax.tree.unflatten(structure, _called(run, constants, leaves, key, expanded))

    def value(constants: Sequence[Any], point: Any, key: jax.Array) -> jax.Array:
        out = returned(constants, point, key)
        return sign * jnp.asarray(out[0] if has_aux else out).astype(jnp.float32)

    def aux(constants: Sequence[Any], point: Any, key: jax.Array) -> Any:
        return returned(constants, point, key)[1]

    return Objective(
        value, aux if has_aux else None, constants, noisy, cost(closed.jaxpr), expanded
    )


def _is_low_rank(leaf: Any) -> bool:
    return isinstance(leaf, LowRank)


def _called(
    run: Callable[..., Any], constants: Any, leaves: list[Any], key: jax.Array, expanded: list[int]
) -> Any:
    """Calls the objective; with matrices of low rank as they are, if there are any."""
    low_rank = sum(_is_low_rank(leaf) for leaf in leaves)
    if not low_rank:
        return run(constants, *leaves, key)
    if has_low_rank():
        from jaxhop import _lowrank

        with _lowrank.expansions() as names:
            results = _lowrank.call(
                lambda *leaves: run(constants, *leaves, key, low_rank=True), leaves
            )
        expanded.append(len(names))
        return results
    expanded.append(low_rank)
    return run(constants, *written_out(leaves), key)


def has_low_rank() -> bool:
    """Whether objectives can be called with matrices of low rank: quax is installed."""
    return importlib.util.find_spec("quax") is not None


class _ReturnError(Exception):
    """The objective returned what is no array."""


def _check_arrays(returned: Any, fn: Any) -> None:
    for leaf in jax.tree.leaves(returned):
        if not isinstance(
            leaf, jax.Array | np.ndarray | np.generic | bool | int | float | complex
        ):
            raise _ReturnError(
                f"`{name(fn)}` must return one real number, or (number, aux) with numbers and"
                f" arrays in aux, but it returned {leaf!r}. Leave that out."
            )


def _check_number(shape: Any, fn: Any) -> None:
    ok = isinstance(shape, jax.ShapeDtypeStruct) and shape.shape == ()
    ok = ok and (jnp.issubdtype(shape.dtype, jnp.number) or shape.dtype == bool)
    if not ok or jnp.issubdtype(shape.dtype, jnp.complexfloating):
        got = getattr(shape, "str_short", lambda: None)() or shape
        if isinstance(shape, jax.ShapeDtypeStruct):
            got = f"{shape.dtype}{list(shape.shape)}"
        raise ReturnTypeError(
            f"`{name(fn)}` must return one real number, or (number, aux), but it returned {got}."
            " Reduce it to a number, for example with jnp.mean."
        )


def _hoisted(jaxpr: Any, constants: Sequence[Any], store: list[Any]) -> Callable[..., list[Any]]:
    """A function of the constants and the arguments that does what a jaxpr says.

    Calls are inlined, because the constants of a jitted function are its own: nothing but inlining
    gets at them.
    """
    places: list[int | None] = []
    for constant in constants:
        # Small ones cost nothing where they are, and 64 bit ones would lose half of them on the
        # way: they belong to the exact rounding of decimals.
        stays = constant.nbytes < _HOISTED_BYTES or constant.dtype.itemsize > 4
        places.append(None if stays else len(store))
        if not stays:
            store.append(constant)
    inner = {}
    for number, eqn in enumerate(jaxpr.eqns):
        if eqn.primitive.name in _CALLS:
            called = eqn.params[_CALLS[eqn.primitive.name]]
            inner[number] = _hoisted(called.jaxpr, called.consts, store)

    def run(values: Sequence[Any], *arguments: Any, low_rank: bool = False) -> list[Any]:
        env = dict(zip(jaxpr.invars, arguments, strict=True))
        for variable, constant, place in zip(jaxpr.constvars, constants, places, strict=True):
            env[variable] = constant if place is None else values[place]

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, jax.extend.core.Literal) else env[atom]

        for number, eqn in enumerate(jaxpr.eqns):
            operands = [read(atom) for atom in eqn.invars]
            if low_rank and eqn.primitive.name == "scan":
                operands = _taken_apart(eqn, operands)
            if number in inner:
                results = inner[number](values, *operands, low_rank=low_rank)
            else:
                parameters = eqn.primitive.get_bind_params(eqn.params)
                with eqn.ctx.manager:
                    results = eqn.primitive.bind(*operands, **parameters)
                results = results if eqn.primitive.multiple_results else [results]
            env.update(zip(eqn.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    return run


def _taken_apart(eqn: Any, operands: list[Any]) -> list[Any]:
    """A scan's operands, those that it slices copied, which writes out matrices of low rank.

    Taken apart row by row, the factors would be those of another matrix.
    """
    whole = eqn.params.get("num_consts", 0) + eqn.params.get("num_carry", 0)
    return operands[:whole] + [jax.lax.copy_p.bind(x) for x in operands[whole:]]


def explain(error: Exception, fn: Any) -> None:
    """Raises a `TraceError` for what JAX cannot trace; else adds where it happened.

    Args:
        error: what tracing raised.
        fn: what was traced.

    Raises:
        TraceError: if the error comes of using an abstract array as a number.
    """
    place = _users_line(error)
    if _is_of_tracing(error):
        reason = str(error).split("\n")[0].strip().rstrip(".")
        raise TraceError(
            f"`{name(fn)}` cannot be traced by JAX: {type(error).__name__} at {place}: {reason}."
            " A value that is searched for is an abstract array there, without a number in it."
            " Write the line with jax.numpy, jax.lax.cond or jnp.where instead of float(), if,"
            " NumPy or other libraries."
        ) from None
    error.add_note(
        f"jaxhop: raised while JAX traced `{name(fn)}`, at {place}; the parameters are abstract"
        " arrays there, without numbers in them."
    )


def reason(error: BaseException) -> str:
    """Why an objective could not be traced, in a few words.

    Args:
        error: what `trace` raised.

    Returns:
        Text such as `"float() of a traced value at train.py:41"`.
    """
    cause = (error.__context__ if isinstance(error, TraceError) else None) or error
    own = _users_frame(cause)
    place = f" at {os.path.basename(own.filename)}:{own.lineno}" if own else ""
    if not isinstance(error, TraceError):
        return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else ''}{place}"
    if isinstance(cause, jax.errors.TracerBoolConversionError):
        return f"a condition on a traced value{place}"
    if isinstance(cause, jax.errors.TracerArrayConversionError):
        return f"NumPy was given a traced value{place}"
    if isinstance(cause, jax.errors.TracerIntegerConversionError):
        return f"a traced value as an index{place}"
    called = re.search(r"`(float|int|complex)` function|(float|int|complex)\(\)", str(cause))
    if called:
        return f"{called[1] or called[2]}() of a traced value{place}"
    return f"{type(cause).__name__}{place}"


def _is_of_tracing(error: BaseException | None) -> bool:
    """Whether an error comes of using an abstract array as a number."""
    while error is not None:
        # Python itself knows of no abstract arrays: hash(), format(), float("JitTracer(...)").
        named = re.search(r"Tracer\b|concrete value", str(error))
        if isinstance(error, _TRACING) or named:
            return True
        error = error.__cause__ or error.__context__
    return False


def _users_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The last frame that is the user's own."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_LIBRARIES)
    ]
    return own[-1] if own else None


def _users_line(error: BaseException) -> str:
    own = _users_frame(error)
    return f"{own.filename}:{own.lineno} ({own.line})" if own else "an unknown line"
