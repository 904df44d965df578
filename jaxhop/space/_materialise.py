"""Proposals whose values are made by the user's Python functions."""

import functools
from typing import Any

import jax
import numpy as np

from jaxhop.space import _check
from jaxhop.space._column import Column
from jaxhop.space._decoder import Decoder
from jaxhop.space._parameter import Parameter
from jaxhop.space._python import PythonCustom, Words, generator, is_moved
from jaxhop.space._store import Store
from jaxhop.space._tree import Tree


class Materialiser:
    """Calls the user's functions where proposals say that something was drawn or moved.

    Args:
        tree: the space.
        columns: its columns.
        decoder: of the space.
    """

    def __init__(self, tree: Tree, columns: tuple[Column, ...], decoder: Decoder) -> None:
        self._tree, self._columns, self._decoder = tree, columns, decoder
        self._ruled = [
            number
            for number, leaf in enumerate(tree.leaves)
            if leaf.rules is not None and not isinstance(leaf, PythonCustom)
        ]

    def points(
        self, store: Store, points: Any, origins: Any, drawn: np.ndarray, temperature: np.ndarray
    ) -> tuple[Any, ...]:
        """The proposals with the user's values in them.

        Args:
            store: where Python values are kept.
            points: stacked proposals.
            origins: the points that they were moved from.
            drawn: bool[n], whether they were drawn instead.
            temperature: float32[n].

        Returns:
            Stacked points.
        """
        points = jax.tree.map(np.array, tuple(points))
        _, used = self._decoder.decoded(points)
        if self._ruled:
            self._apply_rules(points, origins, drawn, temperature, used)
            _, used = self._decoder.decoded(points)  # what the rules chose may use other leaves
        for which, column in enumerate(self._columns):
            if isinstance(column.parameter, PythonCustom):
                flags = used[which].all(axis=1) if used else np.ones(len(drawn), bool)
                for row in np.flatnonzero(flags):
                    own = None if drawn[row] else np.asarray(origins[which][row])
                    heat = float(temperature[row])
                    _make(column.parameter, store, points[which][row], own, heat)
        return points

    def _apply_rules(
        self, points: Any, origins: Any, drawn: np.ndarray, temperature: np.ndarray, used: Any
    ) -> None:
        """Puts the values of the user's rules in place of a leaf's own draws and moves."""
        words = next(
            points[which]
            for which, column in enumerate(self._columns)
            if isinstance(column.parameter, Words)
        )
        before = self._decoder.lists(origins, *self._decoder.decoded(origins), None)
        for number in self._ruled:
            leaf, which, part = self._tree.leaves[number], *self._places[number]
            flat = points[which].reshape(len(drawn), -1)
            old = np.asarray(origins[which]).reshape(len(drawn), -1)
            rules = leaf.rules
            assert rules is not None
            for row in range(len(drawn)):
                if used and not used[which].reshape(len(drawn), -1)[row, part].any():
                    continue
                rng = generator(words[row].tobytes(), number)
                if drawn[row] and rules.sample is not None:
                    value, rule = rules.sample(rng), "sample"
                elif (
                    not drawn[row]
                    and rules.mutate is not None
                    and np.any(flat[row, part] != old[row, part])
                ):
                    value = rules.mutate(rng, before[number][row], float(temperature[row]))
                    rule = "mutate"
                else:
                    continue
                self._refuse_illegal(leaf, number, rule, value)
                flat[row, part] = np.ravel(np.asarray(leaf.encode(value)))

    @functools.cached_property
    def _places(self) -> dict[int, tuple[int, slice]]:
        """The column of each leaf, and its part of it."""
        places = {}
        for which, column in enumerate(self._columns):
            first = 0
            for leaf, number in zip(column.leaves, column.numbers, strict=True):
                whole = len(column.leaves) == 1
                places[number] = which, slice(None) if whole else slice(first, first + leaf.pairs)
                first += leaf.pairs
        return places

    def _refuse_illegal(self, leaf: Parameter, number: int, rule: str, value: Any) -> None:
        try:
            leaf.validate(value)
        except (ValueError, TypeError) as error:
            raise type(error)(
                f"`{_check.path_name(self._tree.places[number])}`: `{rule}` returned"
                f" {_check.spell(value)}, which is not legal. {error}"
            ) from None


def _make(
    parameter: PythonCustom, store: Store, words: np.ndarray, origin: Any, temperature: float
) -> None:
    """Makes the value of a handle, unless there is one."""
    handle = words.tobytes()
    if parameter.has(store, handle):
        return
    assert parameter.rules is not None
    assert parameter.rules.mutate is not None
    moved = is_moved(handle)
    if origin is None and moved:  # drawn around the initial value, as far as that is trusted
        origin, temperature = np.zeros(2, np.uint32), 1 - (parameter.confidence or 0)
    if not moved or origin is None or origin.tobytes() == handle:
        parameter.data(store, handle)
        return
    start = parameter.held(store, origin.tobytes()).get()
    value = parameter.rules.mutate(generator(handle), start, temperature)
    if value is None:
        raise TypeError(
            "`custom(sample, mutate, python=True)`: `mutate` must return the new value, but it"
            " returned None. Is a `return` missing?"
        )
    store.put(handle, value)
