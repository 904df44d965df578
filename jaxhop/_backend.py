"""Whether an objective is traced by JAX or runs in Python, decided without running it."""

import dis
import functools
import inspect
import os
import sysconfig
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxhop._averaged import averaged
from jaxhop._call import name
from jaxhop._objective import Objective, ReturnTypeError, reason, takes_key, trace
from jaxhop.space import Space

_TRACEABLE = frozenset({"jax", "jaxlib", "flax", "equinox"})
# What starts these with an abstract array in its arguments has done it by the time JAX objects.
_NEVER_TRACED = frozenset({"subprocess", "multiprocessing"})
_LOOKED_INTO = 64  # entries of a container
_PLAIN = (str, bytes, int, float, complex, dict, list, tuple, set, type(None))
_LIBRARIES = (
    *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    os.path.dirname(os.path.abspath(__file__)),
    "<frozen",
)
_DEPTH = 8  # functions in lists of functions that call functions


def choose(
    fn: Callable[..., Any], space: Space, direction: str, backend: str, average: int | None
) -> tuple[Objective | None, tuple[str, ...]]:
    """Traces an objective if that is what is wanted, or what suits it.

    Args:
        fn: the objective.
        space: the space.
        direction: `"min"` or `"max"`.
        backend: `"auto"`, `"jax"` or `"python"`.
        average: keys for each candidate, or None.

    Returns:
        The objective in house form, or None if it runs in Python; and what the user should know.

    Raises:
        TraceError: if it cannot be traced but must be.
        TypeError: if it is no function of one candidate, or does not return a number.
        ValueError: if the space cannot be traced but must be, or `average` is out of place.
    """
    takes_key(fn)  # refuses what is no objective
    if space.python and backend == "jax":
        raise ValueError(
            '`backend="jax"`: the space has parameters that are sampled by Python functions.'
            " Leave `backend` out, or give them functions of JAX keys."
        )
    if backend == "python" or space.python:
        return None, ()
    if backend == "auto" and not refers_to_jax(fn):
        return None, (
            f"`{name(fn)}` runs in Python, as it does not refer to jax, flax or equinox. Say"
            ' backend="jax" to have it compiled, backend="python" to silence this line.',
        )
    made = averaged(fn, average)
    try:
        return trace(made, space, direction), ()
    except ReturnTypeError:
        raise
    except Exception as error:
        if backend == "jax":
            raise
        return None, (
            f"`{name(fn)}` runs in Python, as JAX could not trace it: {reason(error)}. Say"
            ' backend="jax" to see all of the reason, backend="python" to silence this line.',
        )


def refers_to_jax(fn: Callable[..., Any]) -> bool:
    """Whether there is reason to believe that an objective was written for JAX.

    It is if it is jitted, or if its code, its closure, what it binds or the globals that it names
    refer to jax, flax or equinox; the user's own functions that it calls are looked into likewise.
    One that refers to `subprocess` or `multiprocessing` never is: a command line with an abstract
    array in it would be run.

    Args:
        fn: the objective; it is not called.

    Returns:
        Whether it may be traced.

    Example:
        >>> import jax.numpy as jnp
        >>> refers_to_jax(lambda params: jnp.sum(params["x"])), refers_to_jax(lambda params: 0.0)
        (True, False)
    """
    roots = set(_roots(fn, _DEPTH, set(), _package(fn)))
    return bool(roots & _TRACEABLE) and not roots & _NEVER_TRACED


def _roots(thing: Any, depth: int, seen: set[int], own: str) -> Iterator[str]:
    """Names of the top packages that an object refers to.

    What libraries are made of says nothing of the objective: of their functions the name counts.
    """
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, types.ModuleType):
        yield thing.__name__.partition(".")[0]
        return
    if isinstance(thing, jax.Array | jax.stages.Wrapped):
        yield "jax"
    elif not isinstance(thing, _PLAIN):
        yield _package(thing)
        yield _package(type(thing))
    if depth:
        for part in _parts(thing, own):
            yield from _roots(part, depth - 1, seen, own)


def _package(thing: Any) -> str:
    """The top package that a function, a class or an object is of."""
    module = getattr(thing, "__module__", None)
    module = module if isinstance(module, str) else type(thing).__module__
    return module.partition(".")[0]


def _parts(thing: Any, own: str) -> Iterator[Any]:
    """What an object is made of: what it wraps, binds, holds, closes over, imports and names."""
    if isinstance(thing, dict | list | tuple):
        if len(thing) <= _LOOKED_INTO:
            yield from thing.values() if isinstance(thing, dict) else thing
    elif isinstance(thing, functools.partial):
        yield from (thing.func, *thing.args, *thing.keywords.values())
    elif isinstance(thing, types.MethodType):
        yield from (thing.__func__, thing.__self__)
    elif isinstance(thing, types.FunctionType):
        if _is_users(thing, own):
            yield from _closed_over(thing)
            yield from _named(thing.__code__, thing.__globals__)
    elif isinstance(thing, type):
        if any(_is_users(part, own) for part in vars(thing).values()):
            yield from vars(thing).values()
    elif not isinstance(thing, _PLAIN):
        wrapped = inspect.getattr_static(thing, "__wrapped__", None)
        yield from () if wrapped is None else (wrapped,)
        yield from list(getattr(thing, "__dict__", {}).values())[:_LOOKED_INTO]
        yield type(thing)


def _is_users(part: Any, own: str) -> bool:
    """Whether a function is no library's, or of the same package as the objective."""
    if not isinstance(part, types.FunctionType):
        return False
    return _package(part) == own or not part.__code__.co_filename.startswith(_LIBRARIES)


def _closed_over(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    yield from function.__defaults__ or ()


def _named(code: types.CodeType, scope: dict[str, Any]) -> Iterator[Any]:
    """The globals that a code object names, what it takes of modules, and what it imports."""
    module: Any = None
    for instruction in dis.get_instructions(code):
        if isinstance(module, types.ModuleType) and instruction.argval in vars(module):
            yield vars(module)[instruction.argval]
        module = None
        if instruction.opname == "LOAD_GLOBAL" and instruction.argval in scope:
            module = scope[instruction.argval]
            yield module
        elif instruction.opname == "IMPORT_NAME":
            yield types.ModuleType(instruction.argval.partition(".")[0])
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _named(constant, scope)
