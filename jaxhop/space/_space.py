"""The whole search space: a tree of parameters, and its points as a few arrays."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop.space import _check, _count
from jaxhop.space._decoder import Decoder
from jaxhop.space._entries import filled
from jaxhop.space._materialise import Materialiser
from jaxhop.space._named import Named
from jaxhop.space._perturbed import written_out
from jaxhop.space._python import PythonCustom
from jaxhop.space._store import Store

_LISTED = 4096  # candidates of a space with `active` are counted by listing at most so many


class Space(Named):
    """A pytree whose leaves are parameters and constants.

    A candidate is the pytree with a value in place of each parameter. A point is the same
    as coordinates: a tuple with one array for each column of equal parameters.

    Options of a choice may be spaces themselves. An array with `active=` has entries that are
    used and others: `active` is called with the candidate as a JAX objective sees it, traced, and
    returns how many entries are used, the first ones, or a bool mask of the array's shape. What is
    not part of a candidate never moves: it is 0 in arrays that a JAX objective sees, and missing
    from those that a Python objective sees. (`active` itself sees arrays with `active` that come
    later in the tree, itself included, at their initial values.)

    Args:
        tree: any pytree; all leaves that are no parameters are constants. A space is taken
            for its tree.

    Attributes:
        tree: the pytree.
        columns: tuple of `Column`, the arrays that a point is made of.
        size: number of coordinates, used or not.
        pairs: number of pairs of random words that a point is drawn from or moved by.
        conditional: whether there are points with coordinates that are not used.
        python: whether the user's own Python functions sample or mutate; the objective then
            has to be a Python function, and values are in a `Store`.
        fidelity: the leaf that the search sets, None if there is none.

    Raises:
        ValueError: if there is nothing to search.

    Example:
        >>> from jaxhop.space import Float, Int
        >>> space = Space({"lr": Float(1e-5, 1e-1, "0.1g"), "layers": Int(1, 5), "seed": 3})
        >>> space.size
        2
        >>> space.to_python(space.initial())
        {'layers': 3, 'lr': 0.001, 'seed': 3}
        >>> candidate = space.complete({"lr": 0.02})
        >>> space.validate(candidate)  # raises an error if it is not legal
        >>> space.decode(space.encode(candidate))["lr"]
        Array(0.02, dtype=float32)
    """

    def __repr__(self) -> str:
        return f"Space({self.tree!r})"

    def __reduce__(self) -> Any:
        return Space, (self.tree,)  # the compiled function cannot be pickled

    def decode(self, point: tuple[Any, ...]) -> Any:
        """The candidate at a point, as a JAX objective sees it.

        Args:
            point: a point, on the host or traced.

        Returns:
            The space's pytree with traced values, and its constants as they are.

        Raises:
            TypeError: if values of the space are made by Python functions.
        """
        return self.assembled(written_out(self.leaf_values(point)))

    def leaf_values(self, point: tuple[Any, ...]) -> list[Any]:
        """The value of each leaf at a point, as a JAX objective sees it.

        Args:
            point: a point, on the host or traced; columns of floats may be `Perturbed`.

        Returns:
            What `assembled` makes a candidate of; `LowRank` where a matrix of a `Perturbed` column
            is not added up.

        Example:
            >>> from jaxhop.space import Float, Int
            >>> space = Space({"n": Int(1, 5), "x": Float(0, 1), "seed": 3})
            >>> [value.item() for value in space.leaf_values(space.encode({"n": 4, "x": 0.25}))]
            [4, 0.25]
        """
        if self.python:
            raise TypeError(
                f"`{self!r}`: some values are made by Python functions (`sample=`, `mutate=`),"
                " which JAX cannot compile. Search it with a Python objective, or leave them out."
            )
        values = self._values(point)
        if self._usage.gated:
            values = written_out(values)
            for number, mask in self._usage.masks(point).items():
                values[number] = jnp.where(mask, values[number], 0)
        return values

    def assembled(self, values: list[Any]) -> Any:
        """The space's pytree from the value of each leaf.

        Args:
            values: what `leaf_values` returned.

        Returns:
            A candidate.

        Example:
            >>> from jaxhop.space import Float, Int
            >>> Space({"n": Int(1, 5), "x": Float(0, 1), "seed": 3}).assembled([4, 0.25])
            {'n': 4, 'seed': 3, 'x': 0.25}
        """
        return self._tree.assembled(self._tree.joined(values))

    def encode(self, candidate: Any, store: Store | None = None) -> tuple[Any, ...]:
        """The point of a candidate.

        Args:
            candidate: a whole candidate on the host; constants may be missing, and unused
                entries of arrays.
            store: where Python values are kept. Default None: nowhere, which will do for
                initial ones.

        Returns:
            A point.

        Raises:
            ValueError: if a value is not legal; the message names its place.
            TypeError: if it is of a wrong type.
        """
        values = self._checked(candidate)
        if store is not None:
            for number, leaf in enumerate(self._leaves):
                if isinstance(leaf, PythonCustom):
                    values[number] = leaf.held(store, store.add(values[number]))
        return self._encoded(values)

    def validate(self, candidate: Any) -> None:
        """Refuse a candidate that is not whole and legal.

        Args:
            candidate: a candidate on the host; constants may be missing.

        Raises:
            ValueError: if a value is missing or not legal; the message names its place.
            TypeError: if it is of a wrong type.
        """
        self._checked(candidate)

    def complete(self, partial: Any) -> Any:
        """A whole candidate from a part of one; the rest is as in the initial point.

        Args:
            partial: a candidate whose dicts may lack keys; other nodes must be whole.

        Returns:
            A candidate on the host. Its values are not checked.

        Raises:
            ValueError: if the structure is not that of the space; the message names the place.
            TypeError: if a node is of a wrong type.
        """
        return self._tree.completed(partial)

    def to_python(self, point: tuple[Any, ...], store: Store | None = None) -> Any:
        """The candidate at a point, as a user reads it.

        Args:
            point: a point on the host.
            store: of Python values, if the space has any.

        Returns:
            The space's pytree with Python scalars, NumPy arrays and the options themselves;
            containers and arrays in it are new.
        """
        stacked = jax.tree.map(lambda leaf: np.asarray(leaf)[None], jax.device_get(point))
        return self.to_python_many(stacked, store)[0]

    def to_python_many(self, points: tuple[Any, ...], store: Store | None = None) -> list[Any]:
        """The candidates at several points: as `to_python` for each, decoded together.

        Args:
            points: points on the host, stacked along a leading axis.
            store: of Python values, if the space has any.

        Returns:
            A list of candidates.

        Example:
            >>> from jaxhop.space import Int
            >>> space = Space({"n": Int(1, 9)})
            >>> points = [space.encode({"n": n}) for n in (3, 7)]
            >>> space.to_python_many(jax.tree.map(lambda *leaves: np.stack(leaves), *points))
            [{'n': 3}, {'n': 7}]
        """
        return self._decoder.candidates(points, store, keyed=False)[0]

    def decoded_many(
        self, points: tuple[Any, ...], store: Store | None = None
    ) -> tuple[list[Any], list[bytes]]:
        """The candidates at several points and their keys, in one go.

        Args:
            points: points on the host, stacked along a leading axis.
            store: of Python values, if the space has any.

        Returns:
            What `to_python_many` and `keys` return.

        Example:
            >>> from jaxhop.space import Float
            >>> points = (np.array([0.1, 0.104], np.float32),)  # which is 0.1 when rounded
            >>> candidates, keys = Space(Float(0, 1, ".1f")).decoded_many(points)
            >>> candidates, keys[0] == keys[1]
            ([0.1, 0.1], True)
        """
        return self._decoder.candidates(points, store, keyed=True)

    def keys(self, points: tuple[Any, ...], store: Store | None = None) -> list[bytes]:
        """Bytes that are equal exactly where candidates are.

        Args:
            points: points on the host, stacked along a leading axis.
            store: of Python values, if the space has any.

        Returns:
            A list of bytes.

        Example:
            >>> from jaxhop.space import Float
            >>> points = (np.array([0.1, 0.104, 0.2], np.float32),)  # 0.104 is 0.1 when rounded
            >>> keys = Space(Float(0, 1, ".1f")).keys(points)
            >>> keys[0] == keys[1], keys[1] == keys[2]
            (True, False)
        """
        return self.decoded_many(points, store)[1]

    def materialise(
        self,
        store: Store,
        points: tuple[Any, ...],
        origins: tuple[Any, ...],
        drawn: np.ndarray,
        temperature: np.ndarray,
    ) -> tuple[tuple[Any, ...], list[Any], list[bytes]]:
        """Proposals with the values that the user's Python functions make.

        Args:
            store: where Python values are kept; new ones are put into it.
            points: stacked proposals, on the host.
            origins: the points that they were moved from, stacked.
            drawn: bool[n], whether they were drawn instead.
            temperature: float32[n], in (0, 1].

        Returns:
            Stacked points, the candidates, and their keys.

        Raises:
            ValueError: if a function returned what is not legal; the message names its place.
            TypeError: if that is of a wrong type.

        Example:
            >>> import jaxhop
            >>> leaf = jaxhop.custom(lambda rng: "a", lambda rng, text: text + "b", python=True)
            >>> space = Space({"text": leaf})
            >>> start = (np.asarray(space.initial()[0])[None],)
            >>> moved = (np.array([[1, 7]], np.uint32),)  # an odd word says that it was moved
            >>> drawn, temperature = np.zeros(1, bool), np.ones(1, np.float32)
            >>> points, candidates, keys = space.materialise(
            ...     Store(), moved, start, drawn, temperature
            ... )
            >>> candidates
            [{'text': 'ab'}]
        """
        if self.python:
            points = self._materialiser.points(store, points, origins, drawn, temperature)
        return points, *self.decoded_many(points, store)

    @functools.cached_property
    def cardinality(self) -> int | None:
        """The number of different candidates; None if infinite, above 2**53, or not counted.

        Example:
            >>> from jaxhop.space import Choice, Float, Int
            >>> Space({"n": Int(1, 5), "act": Choice(("relu", "tanh"))}).cardinality
            10
            >>> Space(Float(0, 1)).cardinality is None
            True
        """
        if not self._usage.gated:
            return _count.cardinality(self._tree)
        whole = _count.cardinality(self._tree)
        if whole is None or whole > _LISTED:
            return None
        return sum(1 for _ in self.candidates())

    def candidates(self) -> Iterator[Any]:
        """All candidates of a space that has a cardinality, one by one.

        Returns:
            Candidates as `to_python` returns them.

        Example:
            >>> from jaxhop.space import Int
            >>> list(Space({"n": Int(1, 3)}).candidates())
            [{'n': 1}, {'n': 2}, {'n': 3}]
        """
        seen = set()
        for candidate in _count.candidates(self._tree):
            if self._usage.gated:
                # Those that differ in unused entries only are equal.
                point = jax.tree.map(lambda leaf: np.asarray(leaf)[None], self.encode(candidate))
                (candidate,), (key,) = self.decoded_many(point)
                if key in seen:
                    continue
                seen.add(key)
            yield candidate

    def _checked(self, candidate: Any) -> list[Any]:
        """One legal value for each leaf, unused ones as at the start."""
        values = self._tree.checked(candidate)
        given = {number: values[number] for number in self._usage.gated}
        starts = {number: self._leaves[number].initial() for number in given}
        values = [starts.get(number, value) for number, value in enumerate(values)]
        used: dict[int, Any] = {}
        for turn in given:  # the used entries of one may depend on those before it
            used = jax.device_get(self._masks(self._encoded(values)))
            values[turn] = self._whole(turn, given[turn], starts[turn], used[turn])
        return values

    def _whole(self, number: int, given: Any, start: Any, mask: np.ndarray) -> Any:
        """A legal value of a leaf with `active`, from one that may lack unused entries."""
        leaf, path = self._leaves[number], _check.path_name(self._tree.places[number])
        value = filled(start, given, mask)
        if np.shape(value) != np.shape(start):
            used = int(np.sum(mask)) // math.prod(np.shape(start)[1:])
            raise ValueError(
                f"`{path}`: `{leaf!r}`: {used} entries are used beside these other values, but got"
                f" {_check.spell(given)}. Give as many."
            )
        try:
            leaf.validate(value)
        except (ValueError, TypeError) as error:
            raise type(error)(f"`{path}`: {error}") from None
        return value

    @functools.cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self._tree, self.columns, self._usage, self.nbytes)

    @functools.cached_property
    def _materialiser(self) -> Materialiser:
        return Materialiser(self._tree, self.columns, self._decoder)

    @functools.cached_property
    def _masks(self) -> Any:
        return jax.jit(self._usage.masks)
