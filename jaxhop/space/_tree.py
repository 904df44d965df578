"""A pytree of parameters and constants, taken apart once and put together many times."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import jax

from jaxhop.space import _check
from jaxhop.space._fidelity import Fidelity
from jaxhop.space._match import match
from jaxhop.space._parameter import Parameter


class Tree:
    """What a space and each option of a conditional choice are: parameters amid constants.

    A parameter may be made of several leaves; all of them stand in one row, in the order in
    which JAX flattens the tree.

    Args:
        tree: any pytree; all leaves that are no parameters are constants.

    Attributes:
        tree: the pytree.
        flat: its parameters and constants; in place of a fidelity its highest.
        paths: where each of them is.
        structure: the pytree's structure.
        parameters: its parameters.
        leaves: the parameters with coordinates of their own that those are made of.
        guards: for each leaf when it counts: the number of a leaf, and the option that this
            must be at; None for always.
        places: for each leaf its path.

    Raises:
        ValueError: if the tree cannot be flattened.

    Example:
        >>> from jaxhop.space import Float
        >>> tree = Tree({"x": Float(0, 1), "name": "sphere"})
        >>> tree.rows([[0.25, 0.5]], None)
        [{'name': 'sphere', 'x': 0.25}, {'name': 'sphere', 'x': 0.5}]
    """

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        try:
            flat, self.structure = jax.tree_util.tree_flatten_with_path(tree)
        except (ValueError, TypeError) as error:
            raise ValueError(
                "`space`: the keys of each dict must be of one kind that has an order, such as"
                f" strings. Rename the others. ({error})"
            ) from error
        self.flat = [leaf.high if isinstance(leaf, Fidelity) else leaf for _, leaf in flat]
        self.paths = [path for path, _ in flat]
        self.parameters = [leaf for leaf in self.flat if isinstance(leaf, Parameter)]
        self.leaves: list[Parameter] = []
        self.guards: list[tuple[int, int] | None] = []
        self.places: list[tuple[Any, ...]] = []
        self._own: list[slice] = []
        self._starts: list[Any] | None = None
        self._initial: dict[tuple[Any, ...], Any] = {}
        for path, parameter in zip(self.paths, self.flat, strict=True):
            if not isinstance(parameter, Parameter):
                continue
            first = len(self.leaves)
            self.leaves += parameter.leaves()
            self.guards += [
                None if guard is None else (first + guard[0], guard[1])
                for guard in parameter.guards()
            ]
            self.places += [(*path, *inner) for inner in parameter.places()]
            self._own.append(slice(first, len(self.leaves)))

    def begin_at(self, candidate: Any) -> None:
        """Starts at another candidate than the one of the initial values.

        Args:
            candidate: a part of one; see `completed`.

        Raises:
            ValueError: if it does not fit or is not legal.
            TypeError: if a value is of a wrong type.
        """
        whole = self.completed(candidate)
        self._starts = self.checked(whole)
        self._initial = {path: value for path, _, value in self._matched(whole, ())}

    def starts(self) -> list[Any]:
        """The initial host value of each leaf."""
        if self._starts is not None:
            return list(self._starts)
        return [value for parameter in self.parameters for value in parameter.starts()]

    def assembled(self, values: Sequence[Any]) -> Any:
        """The tree with one value in place of each parameter.

        Args:
            values: one for each parameter.

        Returns:
            A candidate.
        """
        rest = iter(values)
        filled = [next(rest) if isinstance(leaf, Parameter) else leaf for leaf in self.flat]
        return self.structure.unflatten(filled)

    def joined(self, values: Sequence[Any]) -> list[Any]:
        """One value for each parameter from one for each leaf, as a JAX objective sees them.

        Args:
            values: one for each leaf.

        Returns:
            What `assembled` takes.
        """
        pairs = zip(self.parameters, self._own, strict=True)
        return [parameter.join(values[own]) for parameter, own in pairs]

    def split(self, values: Sequence[Any]) -> list[Any]:
        """One value for each leaf from one for each parameter.

        Args:
            values: what `joined` returned.

        Returns:
            A list.
        """
        pairs = zip(self.parameters, values, strict=True)
        return [part for parameter, value in pairs for part in parameter.split(value)]

    def checked(self, candidate: Any, path: tuple[Any, ...] = ()) -> list[Any]:
        """One legal value for each leaf.

        Args:
            candidate: a whole candidate on the host; constants may be missing.
            path: where the tree is in its space.

        Returns:
            A list.

        Raises:
            ValueError: if a value is missing or not legal; the message names its place.
            TypeError: if it is of a wrong type.
        """
        parts = [
            parameter.checked(value, place)
            for place, parameter, value in self._matched(candidate, path)
        ]
        return [value for part in parts for value in part]

    def completed(self, partial: Any, path: tuple[Any, ...] = ()) -> Any:
        """A whole candidate from a part of one; the rest is as at the start.

        Args:
            partial: a candidate whose dicts may lack keys; other nodes must be whole.
            path: where the tree is in its space.

        Returns:
            A candidate on the host. Its values are not checked.

        Raises:
            ValueError: if the structure is another one; the message names the place.
            TypeError: if a node is of a wrong type.
        """

        def initial(place: tuple[Any, ...], parameter: Parameter) -> Any:
            own = place[len(path) :]
            return self._initial[own] if own in self._initial else parameter.initial()

        matched = match(self.tree, partial, initial, path)
        values = [
            leaf.completed(value, place) if isinstance(leaf, Parameter) else value
            for leaf, (place, value) in zip(self.flat, matched, strict=True)
        ]
        return self.structure.unflatten(values)

    def fits(self, candidate: Any) -> bool:
        """Whether a candidate has the structure and the constants of the tree.

        Args:
            candidate: any host object.

        Returns:
            True if it is whole, whatever its values are.
        """
        try:
            self._matched(candidate, ())
        except (ValueError, TypeError):
            return False
        return True

    def rows(self, lists: Sequence[list[Any]], rows: list[int] | None) -> list[Any]:
        """Candidates as a user reads them; containers are new each time.

        Args:
            lists: for each leaf, a list of host values.
            rows: which of them; None for all.

        Returns:
            A list of candidates.
        """
        own = iter(self._own)
        columns: list[Any] = [
            leaf.collected(lists[next(own)], rows) if isinstance(leaf, Parameter) else repeat(leaf)
            for leaf in self.flat
        ]
        if self.parameters:  # the only columns that have an end
            return [self.structure.unflatten(row) for row in zip(*columns, strict=False)]
        number = len(rows) if rows is not None else len(lists[0])
        return [self.structure.unflatten(self.flat) for _ in range(number)]

    def named(
        self, candidate: Any, path: tuple[Any, ...] = (), constants: bool = False
    ) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """The entries of a table that a candidate fills.

        Args:
            candidate: a whole candidate; constants may be missing.
            path: where the tree is in its space.
            constants: whether they have entries too.

        Returns:
            Paths and values.
        """
        matched = match(self.tree, candidate, _refuse_missing, path)
        for leaf, (place, value) in zip(self.flat, matched, strict=True):
            if isinstance(leaf, Parameter):
                yield from leaf.named(value, place)
            elif constants:
                yield place, leaf

    def _matched(self, candidate: Any, path: tuple[Any, ...]) -> list[tuple[Any, Parameter, Any]]:
        """Path, parameter and value of each parameter in a whole candidate."""
        matched = match(self.tree, candidate, _refuse_missing, path)
        return [
            (place, leaf, value)
            for leaf, (place, value) in zip(self.flat, matched, strict=True)
            if isinstance(leaf, Parameter)
        ]


def _refuse_missing(path: Any, parameter: Parameter) -> Any:
    raise ValueError(
        f"`{_check.path_name(path)}`: a value for `{parameter!r}` is missing. Give one, or"
        " complete the candidate first."
    )
