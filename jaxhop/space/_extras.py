"""What parameters of all types may be given besides: trust in `init`, own rules, used entries."""

from typing import Any

from jaxhop.space import _check
from jaxhop.space._parameter import Parameter
from jaxhop.space._rules import Rules, refuse_no_function

_WORDS = {"low": 0.25, "medium": 0.5, "high": 0.75}


def extend(
    parameter: Parameter,
    subject: str,
    *,
    init: Any,
    confidence: Any = None,
    sample: Any = None,
    mutate: Any = None,
    active: Any = None,
) -> None:
    """Gives a parameter that is being made what it may be given besides.

    Args:
        parameter: the parameter.
        subject: what error messages quote.
        init: the initial value as the user gave it, None if they did not.
        confidence: "low", "medium", "high", a number in (0, 1], or None.
        sample: `sample(rng)`, or None.
        mutate: `mutate(rng, value)` or `mutate(rng, value, temperature)`, or None.
        active: a function of the candidate, or None.

    Raises:
        ValueError: if one of them is out of range or without what it needs.
        TypeError: if one of them is of a wrong type.
    """
    _set(parameter, "confidence", _trust(confidence, init is not None, subject))
    _set(parameter, "rules", Rules.of(sample, mutate, subject))
    if active is None:
        return
    refuse_no_function("active", active, subject, 'lambda params: params["layers"]')
    if not getattr(parameter, "shape", ()):
        raise ValueError(
            f"`{subject}`: `active` says which entries of an array are used, but this is one"
            " number. Add shape=, or make it a part of an option of a choice."
        )
    if parameter.rules is not None:
        raise ValueError(
            f"`{subject}`: `active` excludes `sample` and `mutate`, which would not know the"
            " entries in use. Leave one of them out."
        )
    _set(parameter, "active", active)


def _set(parameter: Parameter, name: str, value: Any) -> None:
    if value is not None:
        object.__setattr__(parameter, name, value)  # parameters are frozen once they are made


def _trust(confidence: Any, guessed: bool, subject: str) -> float | None:
    """`confidence=` as a number."""
    if confidence is None:
        return None
    number = _WORDS.get(confidence) if isinstance(confidence, str) else confidence
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number <= 1:
        raise ValueError(
            f"`{subject}`: `confidence` must be one of {', '.join(map(repr, _WORDS))} or a number"
            f' in (0, 1], but got {_check.spell(confidence)}. Say confidence="medium".'
        )
    if not guessed:
        raise ValueError(
            f"`{subject}`: `confidence` is how far `init` can be trusted, but there is no `init`."
            " Give the guess as init=."
        )
    return float(number)
