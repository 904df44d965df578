"""Objectives that know what a move changes, for searches over orders and the user's own values."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop._call import name
from jaxhop._objective import explain, takes_key
from jaxhop.algorithms._incremental_annealing import Moves, incremental_annealing
from jaxhop.algorithms._orders import Exchanges, Swaps
from jaxhop.space import Custom, Permutation, Space

_KINDS = ("exchange", "shift", "swap")
_CHAINS = 64  # on an accelerator, which one chain would leave idle


def incremental(
    value: Callable[..., Any],
    change: Callable[[Any, Any], Any],
    *,
    moves: str | tuple[Callable[..., Any], Callable[..., Any]] = "exchange",
    neighbours: Any = None,
    proposals: int = 65536,
) -> "Incremental":
    """An objective that also says what a move changes, so that few candidates need evaluating.

    `jaxhop.search` anneals with it: `proposals` moves are tried by their changes between two
    evaluations. Each evaluation computes the whole value, against drift, and the best of
    these is the result. The space must have one parameter, a `permutation` or a `custom`, beside
    any constants. Built-in moves of a permutation are, by `moves`:

    - `"exchange"`: stretches are reversed (2-opt) or put elsewhere (Or-opt), for rings whose pairs
      cost the same both ways. `move.removed` and `move.added` are three pairs of items each,
      int32[2, 3], that follow each other no more, and now.
    - `"shift"`: the same without turning anything round, for pairs that have a direction. For an
      order that is no ring, pairs of its last and first item cost nothing.
    - `"swap"`: two items change places, `move.first` and `move.second`, for assignments.

    For plain tours of symmetric distances LKH-3 (`elkai` on PyPI) is better: it finds the optimum
    of 1,002 cities in seconds. This is for what it does not know: other costs, other moves, values
    of your own.

    Args:
        value: the objective, a JAX function of the parameters, as for `jaxhop.search`. Not random.
        change: `change(params, move)`, a JAX function: how much greater the value becomes if the
            move is made. `params` are those before it, as the objective gets them.
        moves: for a permutation one of the above. For a custom leaf a pair of JAX functions:
            `propose(key, value)` returns any pytree, the move, and `apply(value, move)` a value.
        neighbours: integers [n, k], for each item k others that may well be next to it in a good
            order, such as the seven nearest. With them large problems take a fraction of the
            time. For `"exchange"` and `"shift"`. Default: any item.
        proposals: moves tried between two evaluations, rounded up to a multiple of 2,048, by each
            candidate of the population, which is 1 on a CPU and 64 on an accelerator if it is not
            given. A search tries `result.evaluations * proposals` moves.

    Returns:
        An objective. It can be called like `value`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if one is out of range.

    Example:
        >>> import jax.numpy as jnp, jaxhop, numpy as np
        >>> angles = 2.4 * np.arange(40)
        >>> cities = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
        >>> def distance(a, b):
        ...     return jnp.linalg.norm(cities[a] - cities[b], axis=-1)
        >>> def length(tour):
        ...     return jnp.sum(distance(tour, jnp.roll(tour, -1)))
        >>> def change(tour, move):
        ...     return jnp.sum(distance(*move.added) - distance(*move.removed))
        >>> objective = jaxhop.incremental(length, change)
        >>> result = jaxhop.search(objective, jaxhop.permutation(40), evaluations=5)
        >>> round(result.best_value, 2)  # a circle
        6.27
    """
    for what, function in (("value", value), ("change", change)):
        if not callable(function):
            raise TypeError(
                f"`incremental({what}={function!r})`: it must be a function. Give"
                " incremental(value, change) with value(params) and change(params, move)."
            )
    if takes_key(value):
        raise TypeError(
            f"`incremental({name(value)}, ...)`: the value must not be random, or no change of it"
            " would be known. Say jaxhop.search(value, ...) without changes."
        )
    own = isinstance(moves, tuple) and len(moves) == 2 and all(callable(part) for part in moves)
    if not own and moves not in _KINDS:
        raise ValueError(
            f"`incremental(moves={moves!r})`: it must be one of {', '.join(map(repr, _KINDS))}, or"
            " a pair of functions. Give moves=(propose, apply) for a custom parameter."
        )
    if neighbours is not None:
        if own or moves == "swap":
            raise ValueError(
                "`incremental(neighbours=...)`: they are for moves that bring items together,"
                f' but got moves={moves!r}. Leave them out, or say moves="exchange".'
            )
        neighbours = _table(neighbours)
    if type(proposals) is not int or proposals < 1:
        raise ValueError(
            f"`incremental(proposals={proposals!r})`: an int of at least 1 must be given."
            " Leave it out for 65536."
        )
    return Incremental(value, change, moves, neighbours, proposals)


class Searched(NamedTuple):
    """How an objective is searched; arguments of `jaxhop.search`."""

    backend: str
    algorithm: Any
    population: int | None


class Incremental:
    """What `incremental` returns; its arguments are its attributes."""

    def __init__(
        self, value: Any, change: Any, moves: Any, neighbours: np.ndarray | None, proposals: int
    ) -> None:
        self.value, self.change, self.moves = value, change, moves
        self.neighbours, self.proposals = neighbours, proposals
        self.__name__ = name(value)

    def __call__(self, params: Any) -> Any:
        """The value of a candidate."""
        return self.value(params)

    def settle(
        self,
        space: Space,
        direction: str,
        asked: Searched,
        given: int,
        platform: str,
    ) -> Searched:
        """How it is searched where the user says nothing else.

        Args:
            space: the space.
            direction: `"min"` or `"max"`.
            asked: what the user said.
            given: candidates to evaluate first.
            platform: where it runs.

        Returns:
            What takes the place of `asked`.

        Raises:
            TraceError: if the change cannot be traced.
            TypeError: if it is no number, or the space has no parameter with moves.
            ValueError: if it is to run in Python, or does not suit the parameter.
        """
        if asked.backend == "python":
            raise ValueError(
                f"`incremental({self.__name__}, ...)`: its moves are compiled by JAX, and so must"
                " it be. Leave out `backend` and the arguments that concern Python objectives."
            )
        if asked.algorithm != "auto":
            return Searched("jax", asked.algorithm, asked.population)
        moves = self._moves(space)
        self._check(space, moves)
        sign = -1 if direction == "max" else 1

        def change(point: Any, move: Any) -> jax.Array:
            return sign * jnp.asarray(self.change(space.decode(point), move), jnp.float32)

        recipe = incremental_annealing(change, moves, proposals=self.proposals)
        chains = 1 if platform == "cpu" else _CHAINS
        population = max(chains, given) if asked.population is None else asked.population
        return Searched("jax", recipe, population)

    def _moves(self, space: Space) -> Moves:
        """The moves of the space's parameter."""
        leaf = space.columns[0].parameter if len(space.columns) == 1 else None
        if not isinstance(leaf, Permutation | Custom) or space.fidelity is not None:
            raise TypeError(
                f"`incremental({self.__name__}, ...)`: the space must have one parameter, a"
                f" permutation or a custom, but it is {space.tree!r}. Put what else varies into a"
                " custom's value, or search the plain objective."
            )
        builtin = isinstance(self.moves, str)
        if builtin != isinstance(leaf, Permutation):
            wanted = "moves=(propose, apply)" if builtin else f"moves={_KINDS[0]!r}"
            raise ValueError(
                f"`incremental(moves={self.moves!r})`: that does not move a {leaf!r}."
                f" Say {wanted}."
            )
        if isinstance(leaf, Custom):
            propose, apply = self.moves
            return _Own(propose, apply, leaf)
        if self.neighbours is not None and self._out_of(leaf.n):
            raise ValueError(
                f"`incremental(neighbours=...)`: for {leaf!r} they must be numbers from 0 to"
                f" {leaf.n - 1} in {leaf.n} rows, but they are {self.neighbours.min()} to"
                f" {self.neighbours.max()} in {len(self.neighbours)}. Give a row for each item."
            )
        if self.moves == "swap":
            return Swaps(leaf.n)
        near = None if self.neighbours is None else jnp.asarray(self.neighbours)
        return Exchanges(leaf.n, near, turning=self.moves == "exchange")

    def _out_of(self, n: int) -> bool:
        assert self.neighbours is not None
        return len(self.neighbours) != n or not (
            0 <= self.neighbours.min() <= self.neighbours.max() < n
        )

    def _check(self, space: Space, moves: Moves) -> None:
        """Refuses a change of value that cannot be traced, or is no number."""

        def changed(point: Any, word: jax.Array) -> Any:
            held = moves.hold(point[0])
            move, _ = moves.propose(word, word, held)
            moves.apply(held, move)
            return self.change(space.decode(point), move)

        try:
            got = jax.eval_shape(changed, space.shape, jax.ShapeDtypeStruct((), jnp.uint32))
        except Exception as error:
            explain(error, self.change)
            raise
        number = isinstance(got, jax.ShapeDtypeStruct) and got.shape == ()
        if not number or not (
            jnp.issubdtype(got.dtype, jnp.floating) or jnp.issubdtype(got.dtype, jnp.integer)
        ):
            raise TypeError(
                f"`{name(self.change)}` must return one real number, what the move adds to the"
                f" value, but it returned {_spell(got)}. Reduce it to a number, as jnp.sum does."
            )


class _Own:
    """Moves of a custom parameter that the user wrote; all of the value is kept."""

    def __init__(self, propose: Any, apply: Any, leaf: Custom) -> None:
        self._propose, self._apply, self._leaf = propose, apply, leaf

    def hold(self, value: Any) -> Any:
        return value

    def value(self, held: Any) -> Any:
        return held

    def propose(self, a: jax.Array, b: jax.Array, held: Any) -> tuple[Any, jax.Array]:
        key = jax.random.wrap_key_data(jnp.stack([a, b]), impl="threefry2x32")
        return self._propose(key, held), jnp.bool_(True)

    def apply(self, held: Any, move: Any) -> Any:
        return self._leaf.encode(self._apply(held, move))


def _spell(shape: Any) -> str:
    if isinstance(shape, jax.ShapeDtypeStruct):
        return f"{shape.dtype}{list(shape.shape)}"
    return repr(shape)


def _table(neighbours: Any) -> np.ndarray:
    table: Sequence[Any] | np.ndarray = np.asarray(neighbours)
    if table.ndim != 2 or not table.size or not np.issubdtype(table.dtype, np.integer):
        raise TypeError(
            "`incremental(neighbours=...)`: a row of integers for each item must be given, but got"
            f" {table.dtype}{list(table.shape)}. Say numpy.argsort(distances, axis=1)[:, 1:8]."
        )
    return table.astype(np.int32)
