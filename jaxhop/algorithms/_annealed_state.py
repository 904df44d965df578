"""What annealed MCMC knows: its chains, and the best point of all."""

import dataclasses
from typing import Any

import jax

from jaxhop.algorithms._base import Info


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class AnnealedState:
    """Chains, and the best point of all. Size: (2 chains + 1) points.

    Attributes:
        key: uint32[2], scrambles the low-discrepancy points.
        round: int32, rounds told.
        evaluated: float32, evaluations told.
        points: points[chains], evaluated, best chain first.
        values: float32[chains], their values; infinite where there is none yet.
        hoped: points[chains], what the next proposals start from: the chain's point, or that with
            several improving moves added up.
        pending: bool[chains], whether `hoped` is such a sum, still to be evaluated.
        change: float32, typical size of the change that a proposal makes to the value.
        best: the best point.
        best_value: float32, its value.
        given: int32, how many of the first round's candidates are `points` as they are.
        info: phase, temperature and accepted candidates of the last round.

    Example:
        >>> import jaxhop
        >>> recipe = jaxhop.algorithms.annealed_mcmc(chains=3)
        >>> algorithm = recipe({"x": jaxhop.float(-1, 1)}, population=12)
        >>> state = algorithm.init(jax.random.key(0))
        >>> state.values.tolist(), float(state.best_value)
        ([inf, inf, inf], inf)
    """

    key: jax.Array
    round: jax.Array
    evaluated: jax.Array
    points: Any
    values: jax.Array
    hoped: Any
    pending: jax.Array
    change: jax.Array
    best: Any
    best_value: jax.Array
    given: jax.Array
    info: Info
