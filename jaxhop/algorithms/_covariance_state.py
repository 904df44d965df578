"""What covariance adaptation knows: the distribution, and the best points."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxhop.algorithms._base import Info, choose
from jaxhop.algorithms._calm import Duel
from jaxhop.algorithms._distribution import Distribution
from jaxhop.algorithms._probes import Gains


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class CovarianceState:
    """The distribution, and the best points. Size: 4 vectors and 3 points, and the matrices.

    Attributes:
        key: uint32[2], scrambles the low-discrepancy points.
        given: the first candidates, stacked.
        distribution: of the real numbers.
        odds: probabilities of options.
        evaluated: float32, evaluations told.
        round: int32, rounds told.
        started: float32, progress at which the present run began.
        age: int32, rounds of the present run; its first is drawn from anywhere.
        restarts: int32, how many runs there were before.
        improved: float32, evaluations told at the last improvement of this run.
        top: the best point of this run; of a random objective the mean.
        top_value: float32, its value.
        hoped: `top` with several improving moves added up.
        duel: of a random objective, a promising draw against the mean; else None.
        pending: bool, whether `hoped` is still to be evaluated.
        gains: of draws and probes.
        owed: float32, probes that are due.
        best: the best point of all.
        best_value: float32, its value.
        info: phase, step size over the first one, and candidates that became the best.

    Example:
        >>> import jaxhop
        >>> recipe = jaxhop.algorithms.covariance_adaptation()
        >>> algorithm = recipe({"x": jaxhop.float(shape=(6,))}, population=16)
        >>> state = algorithm.init(jax.random.key(0))
        >>> state.points[0].shape, state.values.tolist()  # what a random objective would settle on
        ((1, 6), [inf])
    """

    key: jax.Array
    given: Any
    distribution: Distribution
    odds: tuple[jax.Array, ...]
    evaluated: jax.Array
    round: jax.Array
    started: jax.Array
    age: jax.Array
    restarts: jax.Array
    improved: jax.Array
    top: Any
    top_value: jax.Array
    hoped: Any
    duel: Duel | None
    pending: jax.Array
    gains: Gains
    owed: jax.Array
    best: Any
    best_value: jax.Array
    info: Info

    @property
    def points(self) -> Any:
        """The finalists of a random objective, stacked: the mean."""
        return jax.tree.map(lambda leaf: leaf[None], self.top)

    @property
    def values(self) -> jax.Array:
        """Their values."""
        return self.top_value[None]


def renewed(state: CovarianceState, stuck: jax.Array, progress: Any) -> CovarianceState:
    """A new run, from anywhere, with twice the draws.

    Args:
        state: the state.
        stuck: bool, whether it is time for one; else nothing changes.
        progress: used share of the budget.

    Returns:
        The state.
    """
    return dataclasses.replace(
        state,
        age=jnp.where(stuck, 0, state.age),
        restarts=jnp.where(stuck, jnp.minimum(state.restarts + 1, 16), state.restarts),
        started=jnp.where(stuck, progress, state.started),
        improved=jnp.where(stuck, state.evaluated, state.improved),
        top_value=jnp.where(stuck, jnp.inf, state.top_value),
        pending=state.pending & ~stuck,
        gains=choose(stuck, Gains.none(), state.gains),
        owed=jnp.where(stuck, 0, state.owed),
        odds=jax.tree.map(lambda odds: jnp.where(stuck, 1 / odds.shape[1], odds), state.odds),
    )
