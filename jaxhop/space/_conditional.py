"""One of several options that may be whole spaces of their own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import jax

from jaxhop.space import _check
from jaxhop.space._choice import Choice, listed
from jaxhop.space._composite import Composite
from jaxhop.space._fidelity import Fidelity
from jaxhop.space._option import Option, Options
from jaxhop.space._parameter import Parameter
from jaxhop.space._tree import Tree


def choice(
    *options: Any,
    ordinal: bool = False,
    init: Any = None,
    confidence: float | str | None = None,
    sample: Callable[..., Any] | None = None,
    mutate: Callable[..., Any] | None = None,
) -> Parameter:
    """One of several options, which may hold parameters, choices among them.

    A Python objective and the history see the chosen option only, with values in place of its
    parameters. A JAX objective sees numbers and arrays of one shape as such, and all else as a
    `jaxhop.Option`, which has the values of every option (`option.values`) and can be compared
    with options that hold no parameters and switched on (`option.switch`).

    Args:
        *options: the options, or one list, tuple or range of them. One that is a pytree with
            parameters inside is a space that is searched while it is the chosen one.
        ordinal: whether neighbours are alike, so that moves are steps. Default False: a
            move goes to any other option.
        init: the option to start from; of one with parameters a candidate, dicts of which may
            lack keys. Default None: the first, or the middle one (the lower of two) if `ordinal`.
        confidence: how far draws trust `init`: "low", "medium", "high" or a number in (0, 1].
            Default None: not at all.
        sample: `sample(rng)` returns an option, for Python objectives; not with parameters
            inside. Default None: all are equally likely.
        mutate: `mutate(rng, option)` or `mutate(rng, option, temperature)` returns an option
            near another one, likewise.

    Returns:
        A parameter.

    Raises:
        ValueError: if there is no option, or if `init` is none of them.

    Example:
        >>> import jaxhop
        >>> optimizer = jaxhop.choice(
        ...     {"kind": "sgd", "momentum": jaxhop.float(0, 1)}, {"kind": "adam"}
        ... )
        >>> optimizer.initial()
        {'kind': 'sgd', 'momentum': 0.5}
        >>> jaxhop.Space({"opt": optimizer}).complete({"opt": {"kind": "adam"}})
        {'opt': {'kind': 'adam'}}
    """
    given = listed(options)
    for option in given:
        _refuse_fidelity(option, _check.call("choice", *given))
    if not any(_holds_parameter(option) for option in given):
        return Choice(
            *options,
            ordinal=ordinal,
            init=init,
            confidence=confidence,
            sample=sample,
            mutate=mutate,
        )
    if sample is not None or mutate is not None:
        raise ValueError(
            f"`{_check.call('choice', *given)}`: `sample` and `mutate` are for options without"
            " parameters. Give them to the parameters inside."
        )
    return Conditional(given, ordinal=ordinal, init=init, confidence=confidence)


class Branches(Options):
    """The options of a conditional choice, each of them a tree.

    Args:
        options: pytrees, some of them with parameters inside.
    """

    def __init__(self, options: tuple[Any, ...]) -> None:
        super().__init__(options)
        self.trees = tuple(Tree(option) for option in options)
        ends = [0, *accumulate(len(tree.parameters) for tree in self.trees)]
        self._own = [slice(*ends[k : k + 2]) for k in range(len(self.trees))]

    def values(self, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        pairs = zip(self.trees, self._own, strict=True)
        return tuple(tree.assembled(parts[own]) for tree, own in pairs)

    def parts(self, parts: tuple[Any, ...]) -> list[Any]:
        """The values of all leaves of all options, from those of their parameters.

        Args:
            parts: one for each parameter.

        Returns:
            A list.
        """
        pairs = zip(self.trees, self._own, strict=True)
        return [value for tree, own in pairs for value in tree.split(parts[own])]


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Conditional(Composite):
    """One of several options with parameters inside; what `jaxhop.choice` makes of such.

    Its leaves are the number of the option, and all leaves of all options.

    Args:
        options: pytrees, some of them with parameters inside.
        ordinal: whether neighbours are alike.
        init: a candidate of one option to start from. Default None: the first option, or the
            middle one if `ordinal`.
        confidence: how far draws trust that it is this option.

    Raises:
        ValueError: if `init` is none of the options.

    Example:
        >>> from jaxhop.space import Int
        >>> model = choice({"name": "forest", "depth": Int(1, 9)}, {"name": "linear"})
        >>> isinstance(model, Conditional), model.index, len(model.leaves())
        (True, choice(0, 1), 2)
    """

    choices: Branches
    index: Choice

    def __init__(
        self,
        options: tuple[Any, ...],
        *,
        ordinal: bool = False,
        init: Any = None,
        confidence: float | str | None = None,
    ) -> None:
        object.__setattr__(self, "choices", Branches(options))
        start = None if init is None else self._begin_at(init)
        index = Choice(*range(len(options)), ordinal=ordinal, init=start, confidence=confidence)
        object.__setattr__(self, "index", index)

    def __repr__(self) -> str:
        return _check.call("choice", *self.choices.options, ordinal=self.index.ordinal)

    def leaves(self) -> tuple[Parameter, ...]:
        return (self.index, *(leaf for tree in self.choices.trees for leaf in tree.leaves))

    def guards(self) -> list[tuple[int, int] | None]:
        guards: list[tuple[int, int] | None] = [None]
        for number, tree in enumerate(self.choices.trees):
            first = len(guards)
            guards += [
                (0, number) if guard is None else (first + guard[0], guard[1])
                for guard in tree.guards
            ]
        return guards

    def places(self) -> list[tuple[Any, ...]]:
        return [(), *(place for tree in self.choices.trees for place in tree.places)]

    def starts(self) -> list[Any]:
        trees = self.choices.trees
        return [self.index.start, *(value for tree in trees for value in tree.starts())]

    def initial(self) -> Any:
        return self.collected([[value] for value in self.starts()], None)[0]

    def validate(self, value: Any) -> None:
        if not isinstance(value, Option):
            self.checked(value, ())

    def checked(self, value: Any, path: tuple[Any, ...]) -> list[Any]:
        number = self._fitting(value, path)
        whole = self.starts()
        whole[0] = number
        whole[self._own(number)] = self.choices.trees[number].checked(value, path)
        return whole

    def split(self, value: Any) -> list[Any]:
        if isinstance(value, Option):
            return [value.index, *self.choices.parts(value.parts)]
        return self.checked(value, ())

    def join(self, values: Any) -> Option:
        index, *rest = values
        ends = [0, *accumulate(len(tree.leaves) for tree in self.choices.trees)]
        parts = [
            part
            for number, tree in enumerate(self.choices.trees)
            for part in tree.joined(rest[ends[number] : ends[number + 1]])
        ]
        return Option(index, self.choices, tuple(parts))

    def completed(self, partial: Any, path: tuple[Any, ...]) -> Any:
        fits = self._partly(partial, self.index.start)
        if not fits:
            raise ValueError(
                f"`{_check.path_name(path)}`: `{self!r}`: none of the options fits"
                f" {_check.spell(partial)}. Give a part of one of them."
            )
        return self.choices.trees[fits[0]].completed(partial, path)

    def collected(self, lists: Sequence[list[Any]], rows: list[int] | None) -> list[Any]:
        chosen = list(range(len(lists[0]))) if rows is None else rows
        values: dict[int, Any] = {}
        for number, tree in enumerate(self.choices.trees):
            own = [row for row in chosen if lists[0][row] == number]
            if own:
                values |= zip(own, tree.rows(lists[self._own(number)], own), strict=True)
        return [values[row] for row in chosen]

    def named(self, value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
        return self.choices.trees[self._fitting(value, path)].named(value, path, constants=True)

    def to_python(self, coordinates: Any, decoded: Any) -> Any:
        del decoded
        leaves = zip(self.leaves(), coordinates, strict=True)
        lists = [[leaf.to_python(x, jax.device_get(leaf.decode(x)))] for leaf, x in leaves]
        return self.collected(lists, None)[0]

    def _own(self, number: int) -> slice:
        """The leaves of an option among all leaves."""
        ends = list(accumulate((len(tree.leaves) for tree in self.choices.trees), initial=1))
        return slice(*ends[number : number + 2])

    def _fitting(self, value: Any, path: tuple[Any, ...]) -> int:
        """The number of the option that a whole candidate is of."""
        fits = [n for n, tree in enumerate(self.choices.trees) if tree.fits(value)]
        if len(fits) > 1:
            # An objective sees the same of each that is legal.
            fits = [n for n in fits if self._is_legal(n, value)] or fits
        if fits:
            return fits[0]
        raise ValueError(
            f"`{_check.path_name(path)}`: `{self!r}`: the value must be like one of the options,"
            f" but got {_check.spell(value)}. Give one of them, with values for its parameters."
        )

    def _partly(self, partial: Any, start: int) -> list[int]:
        """The options that a part of a candidate can be of; the initial one before others."""
        numbers = sorted(range(len(self.choices.trees)), key=lambda number: number != start)
        return [number for number in numbers if self._holds(number, partial)]

    def _holds(self, number: int, partial: Any) -> bool:
        try:
            self.choices.trees[number].completed(partial)
        except (ValueError, TypeError):
            return False
        return True

    def _begin_at(self, init: Any) -> int:
        """Makes `init=` the initial candidate of the option that it is of."""
        subject = _check.call("choice", *self.choices.options, init=init)
        fits = self._partly(init, 0)
        if not fits:
            raise ValueError(
                f"`{subject}`: `init` must be like one of the options, but got"
                f" {_check.spell(init)}. Give a candidate of one of them, or a part of one."
            )
        try:
            self.choices.trees[fits[0]].begin_at(init)
        except (ValueError, TypeError) as error:
            raise type(error)(f"`{subject}`: `init` is not legal. {error}") from None
        return fits[0]

    def _is_legal(self, number: int, value: Any) -> bool:
        try:
            self.choices.trees[number].checked(value)
        except (ValueError, TypeError):
            return False
        return True


def _holds_parameter(option: Any) -> bool:
    return any(isinstance(leaf, Parameter) for leaf in _leaves(option))


def _refuse_fidelity(option: Any, subject: str) -> None:
    for leaf in _leaves(option):
        if isinstance(leaf, Fidelity):
            raise ValueError(
                f"`{subject}`: `{leaf!r}` cannot stand inside an option of a choice. Put it"
                " beside the choice."
            )


def _leaves(option: Any) -> list[Any]:
    try:
        return jax.tree_util.tree_leaves(option)
    except (TypeError, ValueError):  # not a pytree, say a dict of keys that have no order
        return []
