"""What a search begins with: candidates to evaluate first, and known results."""

import math
from collections.abc import Sequence
from typing import Any

from jaxhop._pruning import number
from jaxhop._result import Result
from jaxhop.space import Space


def first_candidates(space: Space, init: Any, best: Any, fresh: bool) -> list[Any]:
    """The candidates to evaluate first: the space's own, and the user's.

    Args:
        space: the space.
        init: what the user gave.
        best: the best candidate of an earlier run, which stands for the space's own; or None.
        fresh: whether there was no earlier run.

    Returns:
        Whole candidates; None stands for the space's own.

    Raises:
        ValueError: if one of them does not fit the space; the message names its place.
        TypeError: if they are no list.
    """
    if init is not None and (isinstance(init, str | dict) or not isinstance(init, Sequence)):
        raise TypeError(
            f"`init={init!r}`: a list of candidates must be given. Put a single one in a list."
        )
    found = [best] if best is not None else []
    if fresh:
        found = [None]
    for at, candidate in enumerate(init or ()):
        try:
            whole = space.complete(candidate)
            space.validate(whole)
        except (ValueError, TypeError) as error:
            raise type(error)(f"`init[{at}]`: {error}") from None
        found.append(whole)
    return found


def parse_observed(space: Space, observed: Any, direction: str) -> list[tuple[Any, float]]:
    """Known results: those that have a finite value.

    Args:
        space: the space.
        observed: pairs of a candidate, or a part of one, and its value; or a result.
        direction: of the search.

    Returns:
        Whole candidates with their values.

    Raises:
        ValueError: if one of them does not fit the space; the message names its place.
        TypeError: if they are no pairs.
    """
    if isinstance(observed, Result):
        if observed.direction != direction:
            raise ValueError(
                f"`observed`: the result is of direction={observed.direction!r}, and this search"
                f" of {direction!r}. Give pairs with values of the other sign."
            )
        history = observed.history
        rows = history.stored[history.usable[history.stored]]
        values = history["value"]
        observed = [(history.params(row), values[row]) for row in rows.tolist()]
    if observed is None:
        return []
    if isinstance(observed, str | dict) or not isinstance(observed, Sequence):
        raise TypeError(
            f"`observed={observed!r}`: a list of pairs must be given, such as"
            ' `[({"lr": 0.1}, 0.93)]`, or a result.'
        )
    found = []
    for at, pair in enumerate(observed):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(
                f"`observed[{at}]={pair!r}`: a pair of a candidate and its value must be given."
            )
        try:
            whole = space.complete(pair[0])
            space.validate(whole)
        except (ValueError, TypeError) as error:
            raise type(error)(f"`observed[{at}]`: {error}") from None
        value = number(pair[1], f"observed[{at}][1]")
        if math.isfinite(value):
            found.append((whole, value))
    return found


def refuse_two_beginnings(init: Any, observed: Any) -> None:
    """Refuses candidates to begin with beside known ones, where these make up the first round.

    Raises:
        ValueError: if both are given.
    """
    if init and observed:
        raise ValueError(
            "`init` and `observed`: a JAX function has one first round, which either is evaluated"
            " or is known. Leave one of the two out."
        )
