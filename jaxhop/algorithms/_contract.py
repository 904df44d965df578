"""The contract of an algorithm as a test that anybody can run on their own."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop.algorithms._base import Algorithm, Batch
from jaxhop.space import Space, written_out

_ROUNDS = 5


def check_contract(algorithm: Algorithm, space: Any, population: int, *, seed: int = 0) -> None:
    """Runs an algorithm for some rounds and refuses it if it breaks a promise.

    Checked is that `init` and `tell` give states of the same shapes and dtypes (or a loop would
    not compile), that a candidate is legal and depends on its arguments only (or it could not be
    made again), that given points come first, that values that are NaN, infinite or missing never
    win, and that the best value ever told is kept, with its point (unless it is `estimated`).

    Args:
        algorithm: the algorithm.
        space: a `Space`, or the tree that describes one.
        population: candidates a round, as the algorithm was made with; at least 4.
        seed: of the keys and values it is told.

    Raises:
        ValueError: if it breaks the contract; the message says where.

    Example:
        >>> import jaxhop
        >>> space = {"x": jaxhop.float(-5, 5), "n": jaxhop.int(1, 9)}
        >>> algorithm = jaxhop.algorithms.random_search()(space, population=8)
        >>> jaxhop.algorithms.check_contract(algorithm, space, population=8)
    """
    space = Space(space)
    index = jnp.arange(population, dtype=jnp.int32)

    def ask(key: Any, state: Any, progress: Any) -> tuple[Any, Any]:
        def one(i: Any) -> Any:
            return written_out(algorithm.ask(key, i, state, progress))

        return jax.vmap(one)(index), jax.lax.map(one, index)

    def tell(key: Any, state: Any, values: Any, valid: Any, progress: Any) -> Any:
        def candidate(i: Any) -> Any:
            return algorithm.ask(key, i, state, progress)

        return algorithm.tell(key, state, Batch(candidate, index, valid), values, progress)

    ask, tell = jax.jit(ask), jax.jit(tell)
    first = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], space.initial())
    state = jax.jit(lambda key: algorithm.init(key, first))(jax.random.key(seed))
    rng = np.random.default_rng(seed)
    best, best_point = np.inf, None
    for number in range(_ROUNDS):
        key = jax.random.fold_in(jax.random.key(seed + 1), number)
        progress = jnp.float32(number / _ROUNDS)
        points, looped = ask(key, state, progress)
        _demand(_same(points, looped), "`ask`: a candidate must depend on its own arguments only")
        for row in range(population):
            space.validate(space.to_python(_row(points, row)))
        if number == 0:
            own = _same(_row(points, 0), _row(first, 0))
            _demand(own, "`ask`: the first candidate of the first round must be the given point")
        values = rng.normal(size=population).astype(np.float32)
        values[:2] = np.nan, -np.inf
        valid = index < population - 1
        values[-1] = -1e9
        told = tell(key, state, jnp.asarray(values), valid, progress)
        _demand(_form(told) == _form(state), "`tell`: the state must keep structure and dtypes")
        usable = np.where(np.isfinite(values) & np.asarray(valid), values, np.inf)
        if usable.min() < best:
            best, best_point = usable.min(), _row(points, int(usable.argmin()))
        state = told
        if algorithm.estimated:
            continue
        _demand(
            float(told.best_value) == best, "`tell`: `best_value` must be the lowest usable value"
        )
        _demand(_same(told.best, best_point), "`tell`: `best` must be the point of `best_value`")


def _demand(holds: bool, rule: str) -> None:
    if not holds:
        raise ValueError(f"{rule}. See `jaxhop.algorithms.Algorithm` for the whole contract.")


def _row(points: Any, row: int) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[row], points)


def _same(these: Any, those: Any) -> bool:
    """Whether two pytrees hold the same, bit for bit."""
    pairs = zip(jax.tree.leaves(these), jax.tree.leaves(those), strict=True)
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def _form(state: Any) -> Any:
    leaves, structure = jax.tree.flatten(state)
    return structure, [(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in leaves]
