"""The contract of an algorithm: three pure functions over a state."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxhop import _noise
from jaxhop.space import Space


class Part(NamedTuple):
    """A sum with many terms: `term(operands, turn)` for each turn.

    Attributes:
        term: from the operands and a traced turn to a pytree of arrays.
        turns: how many terms there are.

    Example:
        >>> squares = Part(term=lambda values, turn: values[turn] ** 2, turns=3)
        >>> squares.term(jnp.arange(3), 2)
        Array(4, dtype=int32)
    """

    term: Callable[[Any, Any], Any]
    turns: int


def add_up(parts: Sequence[Part], operands: Any, first: Any = 0, stride: int = 1) -> list[Any]:
    """Sums whose terms are made one after the other, on one device.

    Args:
        parts: the sums.
        operands: what their terms are made of.
        first: the turn to begin with.
        stride: from one turn to the next.

    Returns:
        One pytree of arrays for each sum.

    Example:
        >>> squares = Part(term=lambda values, turn: values[turn] ** 2, turns=3)
        >>> add_up([squares], jnp.arange(3))
        [Array(5, dtype=int32)]
    """

    def total(part: Part) -> Any:
        def add(number: Any, sums: Any) -> Any:
            return jax.tree.map(jnp.add, sums, part.term(operands, first + number * stride))

        shapes = jax.eval_shape(part.term, operands, jnp.int32(0))
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return jax.lax.fori_loop(0, -(-(part.turns - first) // stride), add, zeros)

    return [total(part) for part in parts]


class Batch(NamedTuple):
    """The candidates of one round, as `tell` gets them.

    Nobody stores a population: `candidate` makes candidate i again from its key (devices), or
    looks it up (workers, whose state has moved on since).

    Attributes:
        candidate: from a traced position in [0, population) to the candidate's point.
        index: int32[population], the number of each candidate in its round.
        valid: bool[population], false where there is no value: a last round may be shorter.
        add_up: `add_up(parts, operands) -> sums`, spread over the devices if there are several:
            what a sum over all candidates is made by.

    Example:
        >>> x, index = jnp.array([0.5, -1.0, 2.0]), jnp.arange(3)
        >>> batch = Batch(candidate=lambda i: (x[i],), index=index, valid=index < 2)
        >>> values = jnp.where(batch.valid, jnp.array([3.0, 1.0, 0.0]), jnp.inf)
        >>> batch.candidate(jnp.argmin(values))  # the best that has a value
        (Array(-1., dtype=float32),)
    """

    candidate: Callable[[Any], Any]
    index: jax.Array
    valid: jax.Array
    add_up: Callable[..., list[Any]] = add_up


class Info(NamedTuple):
    """What a state says of its last round, for people to look at; algorithms need it not.

    Attributes:
        phase: int32, position in `jaxhop._trials.PHASES`.
        temperature: float32, in (0, 1].
        accepted: bool[population], whether the search goes on from the candidate.

    Example:
        >>> import jaxhop
        >>> algorithm = jaxhop.algorithms.random_search()({"x": jaxhop.float(0, 1)}, population=4)
        >>> info = algorithm.init(jax.random.key(0)).info
        >>> float(info.temperature), info.accepted.shape
        (1.0, (4,))
    """

    phase: jax.Array
    temperature: jax.Array
    accepted: jax.Array


class State(Protocol):
    """What the state of every algorithm holds beside its own things.

    A state is a pytree of arrays; `tell` gives back the same structure, shapes and dtypes.

    Attributes:
        best: the point to return, one array per column of the space.
        best_value: float32, its value; infinite as long as there is none.

    Example:
        >>> import jaxhop
        >>> space = jaxhop.Space({"x": jaxhop.float(0, 1, init=0.25)})
        >>> algorithm = jaxhop.algorithms.random_search()(space, population=4)
        >>> state: State = algorithm.init(jax.random.key(0))
        >>> space.to_python(state.best), float(state.best_value)
        ({'x': 0.25}, inf)
    """

    @property
    def best(self) -> Any:
        """The point to return."""
        ...

    @property
    def best_value(self) -> jax.Array:
        """Its value."""
        ...


class Algorithm(NamedTuple):
    """A way to search: pure functions that close over their settings.

    `ask` reads, `tell` writes. Time enters as `progress` only, the used share of the budget in
    [0, 1]; values are minimised. A point is the internal form of a candidate: what
    `Space.encode` gives and `Space.decode` takes.

    Attributes:
        init: `init(key, points=None) -> state`; `points` are the first candidates, stacked along
            a leading axis, and are evaluated before all others. Default: the space's initial one.
        ask: `ask(key, index, state, progress) -> point` makes one candidate of a round and changes
            nothing. `key` is the round's, `index` the candidate's number in the round: the
            candidate depends on these, the state and the progress, and on nothing else.
        tell: `tell(key, state, batch, values, progress) -> state` with the values float32
            [population] of a round. A value that is NaN or infinite must never win.
        width: `width(state, progress) -> int`, how many candidates the next round has, at most the
            population. Default: the whole population.
        estimated: whether `best_value` is the algorithm's own estimate, as that of random values
            is, rather than the lowest value ever told. Default False.
        usual: how many candidates most rounds have, if that is far less than the population: a CPU
            evaluates no more than half as many at once.
        shift: `shift(state, by) -> state` with `by` added to the values it holds. Whoever has
            values of float64 tells them less the best one, so that differences near the best are
            not lost in float32. Default: they are told less the first one.

    Example:
        >>> import jax, jax.numpy as jnp, jaxhop
        >>> space = jaxhop.Space({"x": jaxhop.float(-5, 5, shape=(3,))})
        >>> algorithm = jaxhop.algorithms.annealed_mcmc()(space, population=16)
        >>> def loss(point):
        ...     return jnp.sum((space.decode(point)["x"] - 1) ** 2)
        >>> def round(state, inputs):
        ...     key, progress = inputs
        ...     return jaxhop.algorithms.step(algorithm, loss, 16, key, state, progress), None
        >>> keys = jax.random.split(jax.random.key(1), 100)
        >>> start = algorithm.init(jax.random.key(0))
        >>> scan = jax.jit(lambda state: jax.lax.scan(round, state, (keys, jnp.arange(100) / 100)))
        >>> state, _ = scan(start)
        >>> bool(state.best_value < 0.01)
        True
    """

    init: Callable[..., Any]
    ask: Callable[..., Any]
    tell: Callable[..., Any]
    width: Callable[[Any, Any], Any] | None = None
    estimated: bool = False
    usual: int | None = None
    shift: Callable[..., Any] | None = None


class Recipe(Protocol):
    """What the factories of `jaxhop.algorithms` return: settings, waiting for a problem.

    Example:
        >>> import jaxhop
        >>> recipe: Recipe = jaxhop.algorithms.annealed_mcmc(chains=2)
        >>> isinstance(recipe({"x": jaxhop.float(0, 1)}, population=16), Algorithm)
        True
    """

    def __call__(self, space: Any, population: int, *, noisy: bool = False) -> Algorithm:
        """The algorithm for a problem.

        Args:
            space: a `Space`, or the tree that describes one.
            population: candidates a round.
            noisy: whether two evaluations of one candidate can differ.

        Returns:
            An algorithm.
        """
        ...


def step(
    algorithm: Algorithm,
    value: Callable[[Any], Any],
    population: int,
    key: Any,
    state: Any,
    progress: Any,
) -> Any:
    """One round: ask, evaluate, tell; for loops of your own under `jit` and `scan`.

    Args:
        algorithm: the algorithm.
        value: from a point to its value, to be minimised.
        population: candidates a round, as the algorithm was made with.
        key: the round's key.
        state: the state before.
        progress: used share of the budget, in [0, 1].

    Returns:
        The state after.

    Example:
        >>> grid = Algorithm(  # whose state is the best value, and nothing else
        ...     init=lambda key, points=None: jnp.float32(jnp.inf),
        ...     ask=lambda key, index, state, progress: (index - 2.0,),
        ...     tell=lambda key, state, batch, values, progress: jnp.minimum(state, values.min()),
        ... )
        >>> key = jax.random.key(0)
        >>> step(grid, lambda point: (point[0] - 1.25) ** 2, 5, key, grid.init(key), 0.0)
        Array(0.0625, dtype=float32)
    """
    key = _noise.raw(key)
    index = jnp.arange(population, dtype=jnp.int32)

    def candidate(i: Any) -> Any:
        return algorithm.ask(key, i, state, progress)

    values = jax.vmap(lambda i: value(candidate(i)))(index)
    width = population if algorithm.width is None else algorithm.width(state, progress)
    batch = Batch(candidate, index, index < width)
    return algorithm.tell(key, state, batch, values, progress)


def usable(values: jax.Array, valid: jax.Array) -> jax.Array:
    """Values of which only the usable ones can win: NaN, infinite and missing ones become +inf.

    Args:
        values: float32[population].
        valid: bool[population].

    Returns:
        float32[population].
    """
    return jnp.where(valid & jnp.isfinite(values), values.astype(jnp.float32), jnp.inf)


def first_points(space: Space, points: Any) -> Any:
    """The first candidates, stacked: what was given, or the space's initial one.

    Args:
        space: the space.
        points: stacked points, or None.

    Returns:
        Stacked points.
    """
    if points is None:
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], space.initial())
    return jax.tree.map(jnp.asarray, points)


def rows(points: Any, index: Any) -> Any:
    """Some of the points that are stacked along a leading axis.

    Args:
        points: stacked points.
        index: int32, one position or several.

    Returns:
        The point, or the points at these positions.

    Example:
        >>> points = (jnp.array([0.5, 1.5, 2.5]), jnp.array([[1, 2], [3, 4], [5, 6]]))
        >>> [leaf.tolist() for leaf in rows(points, 1)]
        [1.5, [3, 4]]
    """
    return jax.tree.map(lambda leaf: leaf[index], points)


def put(points: Any, index: Any, point: Any, when: Any = True) -> Any:
    """Stacked points with one of them replaced, if a condition holds.

    Args:
        points: stacked points.
        index: int32, the position.
        point: the new point.
        when: bool.

    Returns:
        Stacked points.

    Example:
        >>> points, new = (jnp.array([0.5, 1.5, 2.5]),), (jnp.float32(9.0),)
        >>> put(points, 1, new)[0].tolist(), put(points, 1, new, when=False)[0].tolist()
        ([0.5, 9.0, 2.5], [0.5, 1.5, 2.5])
    """

    def one(leaf: jax.Array, new: jax.Array) -> jax.Array:
        if leaf.shape[0] == 1:  # nothing to look up: the compiler works in place
            return jnp.where(when, new[None], leaf)
        old = jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False)
        return jax.lax.dynamic_update_index_in_dim(leaf, jnp.where(when, new, old), index, 0)

    return jax.tree.map(one, points, point)


def choose(when: Any, these: Any, those: Any) -> Any:
    """These points where a condition holds, those elsewhere.

    Args:
        when: bool, a scalar or one for each stacked point.
        these: a point, or stacked points.
        those: the like.

    Returns:
        The like.
    """

    def pick(this: jax.Array, that: jax.Array) -> jax.Array:
        own = jnp.reshape(when, jnp.shape(when) + (1,) * (this.ndim - jnp.ndim(when)))
        return jnp.where(own, this, that)

    return jax.tree.map(pick, these, those)
