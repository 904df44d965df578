"""PyHopper's parameters, each as one of jaxhop's."""

import copy
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import jax
import numpy as np

from jaxhop import space
from jaxhop.space import _check
from jaxhop.space._decimal import to_decimal

_Fn = Callable[..., Any]


def make_float(
    lb: Any = None,
    ub: Any = None,
    fmt: str | None = None,
    init: Any = None,
    log: bool | None = None,
    precision: int | None = None,
    shape: int | tuple[int, ...] | None = None,
    mutation_fn: _Fn | None = None,
    seeding_fn: _Fn | None = None,
) -> space.Parameter:
    """A real number or an array of them; see `jaxhop.float`.

    Args:
        lb: lower bound; alone, the upper bound of a range from 0.
        ub: upper bound. Default: none, nor a lower one, if `lb` is left out too.
        fmt: such as "0.2f" (two decimals) or "0.1g" (log-uniform, one significant digit).
        init: where a search starts. Default: the middle.
        log: whether it is log-uniform.
        precision: decimals, or significant digits if `log`.
        shape: of an array. Default: that of the bounds or of `init`.
        mutation_fn: `mutation_fn(value)` or `mutation_fn(value, temperature)` returns a number
            near another; the nearest legal one is taken.
        seeding_fn: `seeding_fn()` returns any number, likewise.

    Returns:
        A parameter of jaxhop.

    Raises:
        ValueError: if the arguments leave no legal value.
        TypeError: if they are of a wrong type.

    Example:
        >>> make_float(0.5, fmt="0.1f"), make_float(1e-4, 1e-2, log=True).initial()
        (float(low=0.0, high=0.5, precision=1), 0.001)
    """
    shape = _shape(shape, init, lb, ub)
    lb, ub = _bounds("float", lb, ub)
    if isinstance(fmt, str):
        fmt = fmt.lstrip(":")
        fmt = fmt if fmt.endswith(("f", "g")) else fmt + "f"
    named = {"fmt": fmt, "log": bool(log), "precision": precision, "init": init, "shape": shape}
    make = partial(space.Float, low=lb, high=ub, **named)
    return _ruled(make, _nearest_real, seeding_fn, mutation_fn)


def make_int(
    lb: Any = None,
    ub: Any = None,
    init: Any = None,
    multiple_of: int | None = None,
    power_of: int | None = None,
    shape: int | tuple[int, ...] | None = None,
    seeding_fn: _Fn | None = None,
    mutation_fn: _Fn | None = None,
) -> space.Parameter:
    """A whole number or an array of them, both bounds included; see `jaxhop.int`.

    Args:
        lb: lower bound; alone, the upper bound of a range from 0.
        ub: upper bound. Default: those of int32, if `lb` is left out too.
        init: where a search starts. Default: the middle.
        multiple_of: legal values are its multiples.
        power_of: legal values are its powers.
        shape: of an array. Default: that of the bounds or of `init`.
        seeding_fn: `seeding_fn()` returns any number; the nearest legal one is taken.
        mutation_fn: `mutation_fn(value)` or `mutation_fn(value, temperature)` returns a number
            near another, likewise.

    Returns:
        A parameter of jaxhop.

    Raises:
        ValueError: if the arguments leave no legal value.
        TypeError: if they are of a wrong type.

    Example:
        >>> make_int(10), make_int(8, 64, power_of=2).initial()
        (int(0, 10), 16)
    """
    shape = _shape(shape, init, lb, ub)
    lb, ub = _bounds("int", lb, ub)
    if ub is None:
        lb, ub = -(2**31), 2**31 - 1
    named = {"multiple_of": multiple_of, "power_of": power_of, "init": init, "shape": shape}
    make = partial(space.Int, lb, ub, **named)
    return _ruled(make, _nearest_whole, seeding_fn, mutation_fn)


def make_choice(
    *args: Any,
    init_index: int | None = None,
    is_ordinal: bool = False,
    mutation_fn: _Fn | None = None,
    seeding_fn: _Fn | None = None,
    init: Any = None,
) -> space.Parameter:
    """One of several options, which may hold parameters; see `jaxhop.choice`.

    Args:
        *args: the options, or one list of them.
        init_index: position of the option to start from. Default: the first, or the middle one
            if they are ordinal.
        is_ordinal: whether neighbours are alike.
        mutation_fn: `mutation_fn(index)` or `mutation_fn(index, temperature)` returns the
            position of an option, given that of another.
        seeding_fn: `seeding_fn()` returns the position of an option.
        init: the option to start from, in place of its position.

    Returns:
        A parameter of jaxhop.

    Raises:
        ValueError: if there are no options, or `init` is none of them.

    Example:
        >>> make_choice("adam", "sgd", init_index=1).initial()
        'sgd'
    """
    given = args[0] if len(args) == 1 and isinstance(args[0], list) else args
    options = [converted(option) for option in given]
    if init_index is not None:
        init = jax.tree.map(_start, options[init_index])
    rules: dict[str, Any] = {}
    if seeding_fn is not None:
        rules["sample"] = lambda rng: options[seeding_fn()]
    if mutation_fn is not None:
        mutate = _tempered(mutation_fn)

        def mutated(rng: Any, option: Any, temperature: float) -> Any:
            index = [_check.equal(option, each) for each in options].index(True)
            return options[mutate(index, temperature)]

        rules["mutate"] = mutated
    return space.choice(options, ordinal=is_ordinal, init=init, **rules)


def make_bool(
    init: bool | None = None, mutation_fn: _Fn | None = None, seeding_fn: _Fn | None = None
) -> space.Parameter:
    """True or False; see `jaxhop.bool`.

    Args:
        init: where a search starts. Default: True.
        mutation_fn: `mutation_fn(value)` or `mutation_fn(value, temperature)` returns a value.
        seeding_fn: `seeding_fn()` returns a value.

    Returns:
        A parameter of jaxhop.

    Raises:
        TypeError: if `init` is not a bool.

    Example:
        >>> make_bool().initial(), make_bool(False).initial()
        (True, False)
    """
    make = partial(space.Bool, init=True if init is None else init)
    return _ruled(make, lambda parameter, value: bool(value), seeding_fn, mutation_fn)


def make_custom(
    seeding_fn: _Fn | None = None, mutation_fn: _Fn | None = None, init: Any = None
) -> space.Parameter:
    """Values of any picklable kind; see `jaxhop.custom`.

    Searches repeat only as far as these functions do, for they draw from sources of their own.

    Args:
        seeding_fn: `seeding_fn()` returns any value. Default: `init`, mutated.
        mutation_fn: `mutation_fn(value)` or `mutation_fn(value, temperature)` returns a value
            near another, which it may change in place. Default: any value.
        init: value to start from. Default: any.

    Returns:
        A parameter of jaxhop.

    Raises:
        ValueError: if there is nothing that values could come from.
        TypeError: if a value cannot be pickled.

    Example:
        >>> make_custom(lambda: [2, 1], lambda order: order[::-1]).initial()
        [2, 1]
    """
    if mutation_fn is None and seeding_fn is not None:
        return space.custom(_sampled(seeding_fn), _sampled(seeding_fn), init, python=True)
    if mutation_fn is None or (seeding_fn is None and init is None):
        raise ValueError(
            "`custom(seeding_fn, mutation_fn, init)`: values must come from somewhere. Give"
            " seeding_fn=lambda: ..., or init= and mutation_fn=lambda value: ..."
        )
    mutate = _tempered(mutation_fn)
    seed = seeding_fn or (lambda: mutate(copy.deepcopy(init), 1.0))
    return space.custom(
        _sampled(seed),
        lambda rng, value, temperature: mutate(value, temperature),
        init,
        python=True,
    )


class Parameter:
    """A parameter of one's own: a class that has `sample` and `mutate`.

    Args:
        init: value to start from. Default: what `sample` returns.

    Example:
        >>> class Order(Parameter):
        ...     def sample(self):
        ...         return [2, 1]
        ...     def mutate(self, value, temperature):
        ...         return value[::-1]
        >>> converted({"order": Order([1, 2])})["order"].initial()
        [1, 2]
    """

    def __init__(self, init: Any = None) -> None:
        self.initial_value = init

    def sample(self) -> Any:
        """Any value.

        Returns:
            A value of any picklable kind.
        """
        raise NotImplementedError

    def mutate(self, value: Any, temperature: float) -> Any:
        """A value near another.

        Args:
            value: the other, a copy.
            temperature: falls from 1 towards 0.

        Returns:
            A value.
        """
        raise NotImplementedError


def converted(tree: Any) -> Any:
    """A tree with jaxhop's parameters in place of those of one's own.

    Args:
        tree: of parameters and constants.

    Returns:
        A tree.
    """
    try:
        leaves = jax.tree.leaves(tree)
    except (TypeError, ValueError):  # no pytree, such as a dict of keys that have no order
        return tree
    if not any(isinstance(leaf, Parameter) for leaf in leaves):
        return tree
    return jax.tree.map(_converted, tree)


def _converted(leaf: Any) -> Any:
    if not isinstance(leaf, Parameter):
        return leaf
    return make_custom(leaf.sample, leaf.mutate, leaf.initial_value)


def _start(leaf: Any) -> Any:
    return leaf.initial() if isinstance(leaf, space.Parameter) else leaf


def _bounds(kind: str, lb: Any, ub: Any) -> tuple[Any, Any]:
    """Both bounds, the lower one first."""
    if lb is None and ub is None:
        return None, None
    if lb is None or ub is None:
        only = ub if lb is None else lb
        if np.any(np.asarray(only) <= 0):
            raise ValueError(
                f"`{_check.call(kind, only)}`: one bound alone is the upper bound of a range from"
                " 0, so it must be positive. Give both bounds."
            )
        return 0, only
    if np.any(np.asarray(lb) > np.asarray(ub)):
        return np.minimum(lb, ub), np.maximum(lb, ub)
    return lb, ub


def _shape(shape: Any, *arrays: Any) -> Any:
    if shape is not None:
        return shape
    return max((np.shape(each) for each in arrays if each is not None), key=len, default=())


def _ruled(
    make: _Fn, nearest: _Fn, seeding_fn: _Fn | None, mutation_fn: _Fn | None
) -> space.Parameter:
    """A parameter with rules of the user's, whose values are moved to the nearest legal ones."""
    rules: dict[str, Any] = {}
    plain = make()
    if seeding_fn is not None:
        rules["sample"] = lambda rng: nearest(plain, seeding_fn())
    if mutation_fn is not None:
        mutate = _tempered(mutation_fn)
        rules["mutate"] = lambda rng, value, temperature: nearest(
            plain, mutate(value, temperature)
        )
    return make(**rules) if rules else plain


def _nearest_real(parameter: space.Float, value: Any) -> Any:
    low = -np.inf if parameter.low is None else parameter.low
    high = np.inf if parameter.high is None else parameter.high
    number = np.clip(np.asarray(value, np.float64), low, high)
    if parameter.precision is not None:
        number = to_decimal(np, number, parameter.precision, parameter.log)
        number = np.clip(number, low, high)
    return np.broadcast_to(number, parameter.shape) if parameter.shape else float(number)


def _nearest_whole(parameter: space.Int, value: Any) -> Any:
    number = np.clip(np.asarray(value, np.float64), parameter.low, parameter.high)
    if parameter.multiple_of is not None:
        number = number / parameter.multiple_of
    elif parameter.power_of is not None:
        number = np.log(np.maximum(number, 1)) / np.log(parameter.power_of)
    number = np.clip(np.rint(number), *parameter.numbers()).astype(np.int64)
    number = parameter.value_of(np, number)
    return np.broadcast_to(number, parameter.shape) if parameter.shape else int(number)


def _sampled(seeding_fn: _Fn) -> _Fn:
    return lambda rng, *others: seeding_fn()


def _tempered(mutation_fn: _Fn) -> Callable[[Any, float], Any]:
    """A mutation as a function of two arguments.

    It takes the temperature if its second positional parameter has no default or is named so.
    """
    try:
        parameters = signature(mutation_fn).parameters.values()
    except ValueError:  # some built-in functions have no signature
        parameters = ()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.default is p.empty or p.name == "temperature" for p in positional[1:2]):
        return mutation_fn
    return lambda value, temperature: mutation_fn(value)
