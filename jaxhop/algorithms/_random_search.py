"""Random search: every candidate from anywhere, the best one kept."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxhop import _noise
from jaxhop._trials import PHASES
from jaxhop.algorithms._base import (
    Algorithm,
    Batch,
    Info,
    Recipe,
    choose,
    first_points,
    rows,
    usable,
)
from jaxhop.space import Space


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomState:
    """What random search remembers. Size: the given points, and one more.

    Attributes:
        key: uint32[2], scrambles the low-discrepancy points.
        round: int32, rounds told.
        points: points[given], the candidates of the first round that were given.
        best: the best point.
        best_value: float32, its value.
        info: phase, temperature and accepted candidates of the last round.
    """

    key: jax.Array
    round: jax.Array
    points: Any
    best: Any
    best_value: jax.Array
    info: Info


def random_search() -> Recipe:
    """Candidates from anywhere: single numbers from a low-discrepancy sequence, arrays at random.

    The baseline that every other algorithm has to beat, and the exploring phase of the others.

    Returns:
        A recipe; see `jaxhop.algorithms.Recipe`.

    Example:
        >>> import jaxhop
        >>> result = jaxhop.search(
        ...     lambda p: (p["x"] - 2) ** 2, {"x": jaxhop.float(-5, 5)}, evaluations=256,
        ...     algorithm=jaxhop.algorithms.random_search(), progress=False,
        ... )
        >>> bool(abs(result.best["x"] - 2) < 0.05)
        True
    """

    def recipe(space: Any, population: int, *, noisy: bool = False) -> Algorithm:
        del noisy
        space = Space(space)

        def init(key: Any, points: Any = None) -> RandomState:
            points = first_points(space, points)
            return RandomState(
                key=_noise.raw(key),
                round=jnp.int32(0),
                points=points,
                best=rows(points, 0),
                best_value=jnp.float32(jnp.inf),
                info=Info(
                    jnp.int32(PHASES.index("explore")),
                    jnp.float32(1),
                    jnp.zeros(population, bool),
                ),
            )

        def ask(key: Any, index: Any, state: RandomState, progress: Any) -> Any:
            del progress
            key = _noise.fold_in(_noise.raw(key), index)
            drawn = space.draw(key, state.round * population + index, state.key)
            given = jax.tree.leaves(state.points)[0].shape[0]
            first = (state.round == 0) & (index < given)
            return choose(first, rows(state.points, jnp.minimum(index, given - 1)), drawn)

        def tell(
            key: Any, state: RandomState, batch: Batch, values: jax.Array, progress: Any
        ) -> RandomState:
            del key, progress
            values = usable(values, batch.valid)
            winner = jnp.argmin(values)
            improved = values[winner] < state.best_value
            best = jax.lax.cond(improved, lambda: batch.candidate(winner), lambda: state.best)
            return dataclasses.replace(
                state,
                round=state.round + 1,
                best=best,
                best_value=jnp.minimum(state.best_value, values[winner]),
                info=state.info._replace(accepted=(batch.index == winner) & improved),
            )

        return Algorithm(init, ask, tell)

    return recipe
