"""How thoroughly a candidate is evaluated: a leaf that the search sets and does not search."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxhop.space import _check


class Fidelity:
    """How much is spent on a candidate: epochs, samples, a resolution; `jaxhop.fidelity`.

    It is no parameter but says how well the others are judged. Many candidates are evaluated at
    `low`; the best one in `eta` is evaluated again at about `eta` times as much, and so on. The
    result is only ever a candidate that was evaluated at `high`.

    Args:
        low: the least that says anything about a candidate, above 0.
        high: all that a candidate can get.
        eta: one candidate in so many goes on, to about so many times as much; at least 2.
            Default 3.

    Attributes:
        rungs: the fidelities from `low` to `high`, in about equal ratios; whole numbers if both
            ends are.

    Raises:
        ValueError: if a number is out of range.
        TypeError: if it is no number.

    Example:
        >>> Fidelity(1, 81).rungs
        (1, 3, 9, 27, 81)
        >>> Fidelity(0.25, 1.0, eta=2).rungs
        (0.25, 0.5, 1.0)
    """

    def __init__(self, low: float, high: float, eta: float = 3) -> None:
        subject = _check.call("fidelity", low, high, eta=eta)
        numbers = [
            _number(value, what, subject)
            for what, value in (("low", low), ("high", high), ("eta", eta))
        ]
        self.low, self.high, self.eta = numbers
        if not 0 < self.low < self.high:
            raise ValueError(
                f"`{subject}`: `0 < low < high` must hold. Give the least and the most that is"
                " spent on a candidate, such as 1 and 81 epochs."
            )
        if self.eta < 2:
            raise ValueError(f"`{subject}`: `eta >= 2` must hold. Leave it out for 3.")
        self.whole = isinstance(self.low, int) and isinstance(self.high, int)
        self.rungs: tuple[float, ...] = self._between()

    def __repr__(self) -> str:
        return f"fidelity({self.low!r}, {self.high!r}, eta={self.eta!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fidelity) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash(self._settings)

    def validate(self, value: Any) -> None:
        """Refuse a value that is not between the bounds.

        Args:
            value: what to check.

        Raises:
            ValueError: if it is out of bounds.
            TypeError: if it is no number, or a fraction where both bounds are whole.
        """
        number = _number(value, "value", repr(self))
        if self.whole and not isinstance(number, int):
            raise TypeError(f"`{self!r}`: an int must be given, but got {value!r}. Give one.")
        if not self.low <= number <= self.high:
            raise ValueError(
                f"`{self!r}`: `low <= value <= high` must hold, but got {value!r}."
                f" Stay between {self.low} and {self.high}."
            )

    @property
    def _settings(self) -> tuple[float, float, float]:
        return self.low, self.high, self.eta

    def _between(self) -> tuple[float, ...]:
        ratio = self.high / self.low
        steps = max(1, round(math.log(ratio) / math.log(self.eta)))
        inner = [self.low * ratio ** (step / steps) for step in range(1, steps)]
        if self.whole:
            inner = [round(value) for value in inner]
        return tuple(sorted({self.low, *inner, self.high}))


def find(leaves: Sequence[Any]) -> int | None:
    """Where the fidelity of a space is.

    Args:
        leaves: the leaves of the space.

    Returns:
        Position of the only `Fidelity`, None if there is none.

    Raises:
        ValueError: if there are two.

    Example:
        >>> find([0.5, Fidelity(1, 9)])
        1
    """
    found = [number for number, leaf in enumerate(leaves) if isinstance(leaf, Fidelity)]
    if len(found) > 1:
        raise ValueError(
            f"`space`: there must be one fidelity at most, but {leaves[found[0]]!r} and"
            f" {leaves[found[1]]!r} are two. Make constants of the others, or compute them from it"
            " in the objective."
        )
    return found[0] if found else None


def put(candidate: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A candidate with another value in one place.

    Args:
        candidate: any pytree.
        path: keys as JAX gives them for a leaf.
        value: what shall stand there; may be traced.

    Returns:
        A new pytree; what is not on the way to the place is shared with the old one.

    Example:
        >>> tree = {"train": (0.1, 9)}
        >>> put(tree, jax.tree_util.tree_leaves_with_path(tree)[1][0], 27)
        {'train': (0.1, 27)}
    """
    if not path:
        return value
    children, structure = jax.tree_util.tree_flatten_with_path(
        candidate, is_leaf=lambda node: node is not candidate
    )
    return structure.unflatten(
        [put(child, path[1:], value) if key == path[0] else child for (key,), child in children]
    )


def _number(value: Any, what: str, subject: str) -> int | float:
    number = _check.reals(value, what, subject)
    if number.ndim:
        raise TypeError(f"`{subject}`: `{what}` must be one number, but got {value!r}. Give one.")
    return int(value) if np.asarray(value).dtype.kind in "iu" else float(number)
