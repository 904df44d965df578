"""The user's own Python functions that sample and mutate values."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxhop.space import _check


@dataclass(frozen=True)
class Rules:
    """Python functions in place of a parameter's own draws and moves.

    Attributes:
        sample: `sample(rng)` returns a legal value; None for the parameter's own draws.
        mutate: `mutate(rng, value, temperature)` returns one near `value`; None for the
            parameter's own moves.
    """

    sample: Callable[[Any], Any] | None
    mutate: Callable[[Any, Any, Any], Any] | None

    @classmethod
    def of(cls, sample: Any, mutate: Any, subject: str) -> "Rules | None":
        """Rules as a user gave them.

        Args:
            sample: `sample(rng)`, or None.
            mutate: `mutate(rng, value)` or `mutate(rng, value, temperature)`, or None.
            subject: what error messages quote.

        Returns:
            None if neither is given.

        Raises:
            TypeError: if one of them is no function.
        """
        if sample is None and mutate is None:
            return None
        refuse_no_function("sample", sample, subject, "lambda rng: ...")
        refuse_no_function("mutate", mutate, subject, "lambda rng, value: ...")
        return cls(sample, None if mutate is None else with_temperature(mutate))


def refuse_no_function(name: str, function: Any, subject: str, example: str) -> None:
    """Refuses what cannot be called.

    Args:
        name: of the argument.
        function: what was given; None is let pass.
        subject: what error messages quote.
        example: of such a function.

    Raises:
        TypeError: if it is no function.
    """
    if function is not None and not callable(function):
        raise TypeError(
            f"`{subject}`: `{name}` must be a function, but got {_check.spell(function)}."
            f" Give {name}={example}."
        )


def with_temperature(mutate: Callable[..., Any]) -> Callable[[Any, Any, Any], Any]:
    """A user's `mutate` as a function of three arguments.

    Args:
        mutate: takes the temperature if its third positional parameter has no default or is
            named so.

    Returns:
        A function of the source of randomness, the value and the temperature.
    """
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(mutate).parameters.values()
    except ValueError:  # some built-in functions have no signature
        parameters = ()
    third = [parameter for parameter in parameters if parameter.kind in positional][2:3]
    if any(p.default is p.empty or p.name == "temperature" for p in third):
        return mutate
    return _Untempered(mutate)


@dataclass(frozen=True)
class _Untempered:
    """A `mutate` of two arguments that is called with three; a class, so that it pickles."""

    function: Callable[[Any, Any], Any]

    def __call__(self, source: Any, value: Any, temperature: Any) -> Any:
        del temperature
        return self.function(source, value)
