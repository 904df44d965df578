"""The chosen one of several options, as a JAX objective sees it."""

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import jax
import jax.numpy as jnp

from jaxhop.space import _check


class Options:
    """The options of one choice; static under `jit`, therefore compared by identity.

    Args:
        options: any objects.

    Example:
        >>> Options(("relu", "tanh")).position("tanh")
        1
    """

    def __init__(self, options: tuple[Any, ...]) -> None:
        self.options = options

    def __repr__(self) -> str:
        return ", ".join(_check.spell(option) for option in self.options)

    def position(self, value: Any) -> int | None:
        """Where an option stands: the very object first, or else an equal one.

        Args:
            value: what to look for.

        Returns:
            Its position, None if it is not among the options.
        """
        for same in (lambda x, y: x is y, _check.equal):
            for position, option in enumerate(self.options):
                if same(option, value):
                    return position
        return None

    def values(self, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        """Every option with values in place of its parameters.

        Args:
            parts: one for each parameter of each option.

        Returns:
            One for each option.
        """
        del parts
        return tuple(self.options)


def _refuse(what: str) -> Callable[..., NoReturn]:
    def refuse(self: "Option", *arguments: Any) -> NoReturn:
        del arguments
        raise TypeError(
            f"`{what}`: which of the options ({self.choices!r}) was chosen is not known"
            " while JAX traces the objective. Compare it (option == x, with jax.numpy.where), use"
            " option.switch(one function for each option), or number the options."
        )

    return refuse


class Option:
    """The option that was chosen, known only when the compiled program runs.

    It can be compared and switched on; what needs the option itself is refused.

    Args:
        index: int32 position of the option among the options, traced.
        choices: the options.
        parts: values of the parameters of all options, traced.

    Attributes:
        index: int32 position of the option among the options, traced.

    Example:
        >>> option = Option(jnp.int32(1), Options(("relu", "tanh")))
        >>> bool(option == "tanh")
        True
        >>> float(option.switch(lambda: 1.0, lambda name: 2.0))
        2.0
    """

    def __init__(self, index: Any, choices: Options, parts: tuple[Any, ...] = ()) -> None:
        self.index = index
        self.choices = choices
        self.parts = parts

    @property
    def values(self) -> tuple[Any, ...]:
        """Every option with values in place of its parameters, chosen or not.

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space(jaxhop.choice({"k": jaxhop.int(1, 9)}, "none"))
            >>> option = space.decode(space.encode({"k": 2}))
            >>> option.values[0]["k"] + 1
            Array(3, dtype=int32)
        """
        return self.choices.values(self.parts)

    def switch(self, *functions: Callable[..., Any]) -> Any:
        """The result of one of several functions: the one at the option's position.

        Args:
            *functions: one for each option, in their order; each is called with its option (with
                values in place of parameters), or without arguments if it takes none. All return
                pytrees of the same shapes.

        Returns:
            What the function of the chosen option returned.

        Raises:
            ValueError: if there are not as many functions as options.
        """
        options = self.values
        if len(functions) != len(options):
            raise ValueError(
                f"`option.switch`: the {len(options)} options ({self.choices!r}) need one"
                f" function each, but got {len(functions)}. Give one for each, in this order."
            )
        branches = [_bind(*each) for each in zip(functions, options, strict=True)]
        return jax.lax.switch(self.index, branches)

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Option) and other.choices is self.choices:
            return self.index == other.index
        position = self.choices.position(other)
        if position is None:
            raise ValueError(
                f"`option == {_check.spell(other)}`: an option can be compared with one of"
                f" {self.choices!r}. Compare with one of these."
            )
        return self.index == position

    def __ne__(self, other: object) -> Any:
        return jnp.logical_not(self == other)

    def __repr__(self) -> str:
        return f"Option(index={self.index}, options=({self.choices!r}))"

    __hash__ = _refuse("hash(option)")  # pyright: ignore[reportAssignmentType]
    __bool__ = _refuse("bool(option)")
    __int__ = _refuse("int(option)")
    __float__ = _refuse("float(option)")
    __index__ = _refuse("sequence[option]")
    __str__ = _refuse("str(option)")
    __format__ = _refuse("format(option)")
    __len__ = _refuse("len(option)")
    __iter__ = _refuse("iter(option)")
    __contains__ = _refuse("x in option")
    __getitem__ = _refuse("option[...]")
    __call__ = _refuse("option(...)")


jax.tree_util.register_pytree_node(
    Option,
    lambda option: ((option.index, option.parts), option.choices),
    lambda choices, children: Option(children[0], choices, children[1]),
)


def _bind(function: Callable[..., Any], option: Any) -> Callable[[], Any]:
    """`function` as a function without arguments."""
    try:
        takes_none = not inspect.signature(function).parameters
    except ValueError:  # some built-in functions have no signature
        takes_none = False
    return function if takes_none else lambda: function(option)
