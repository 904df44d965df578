"""What search gradients know: the mean, the best point, and what the optimizer keeps."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxhop.algorithms._annealed_state import AnnealedState
from jaxhop.algorithms._base import Info, choose, rows


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchGradientState:
    """The mean, the best point, and what the optimizer keeps. Size: 4 points with Adam.

    Attributes:
        floats: which columns of the space are floats.
        mean: the floats that candidates are spread around, one array a column.
        optimizer: optax's state, float32: 2 points for Adam.
        others: state of the annealed MCMC that moves all that is no float, or None.
        given: the first candidates if there are several, stacked, or None.
        round: int32, rounds told.
        kept: the best point: a candidate or a mean; of a random objective a mean, unless there is
            none yet.
        kept_value: float32, its value; of a random objective the moving mean that it had.
        level: float32, moving mean of the mean's value (random objectives).
        sums: float32[2], values on fresh keys of what is `mean` now and what is `kept` now, from
            the last part of the budget; None where values are not random.
        counts: float32[2], how many they are, or None.
        info: phase, deviation over the first one, and candidates that the mean moves towards.

    Example:
        >>> import jaxhop
        >>> space = {"w": jaxhop.float(shape=(500,)), "k": jaxhop.int(1, 4)}
        >>> algorithm = jaxhop.algorithms.search_gradient()(space, population=16)
        >>> state = algorithm.init(jax.random.key(0))
        >>> state.mean[0].shape, [leaf.shape for leaf in state.centre], state.number_given
        ((500,), [(), (500,)], 1)
        >>> float(state.best_value)  # of `state.best`; there is none before the first round
        inf
    """

    floats: tuple[bool, ...] = dataclasses.field(metadata={"static": True})
    mean: Any
    optimizer: Any
    others: AnnealedState | None
    given: Any
    round: jax.Array
    kept: Any
    kept_value: jax.Array
    level: jax.Array
    sums: jax.Array | None
    counts: jax.Array | None
    info: Info

    @property
    def number_given(self) -> int:
        """How many points were given, of which each has a round of its own."""
        return 1 if self.given is None else jax.tree.leaves(self.given)[0].shape[0]

    @property
    def centre(self) -> Any:
        """The mean as a whole point."""
        floats = iter(self.mean)
        others = iter(() if self.others is None else rows(self.others.points, 0))
        return tuple(next(floats) if own else next(others) for own in self.floats)

    @property
    def best(self) -> Any:
        """The point to return: the better one of `kept` and the mean where both were confirmed."""
        if self.sums is None:
            return self.kept
        mean, kept = self._confirmed
        return choose(mean < kept, self.centre, self.kept)

    @property
    def best_value(self) -> jax.Array:
        """Its value."""
        if self.sums is None:
            return self.kept_value
        mean, kept = self._confirmed
        known = jnp.isfinite(kept)
        return jnp.where(known, jnp.minimum(mean, kept), self.kept_value)

    @property
    def _confirmed(self) -> jax.Array:
        """Means of the values on fresh keys; infinite until both have some."""
        assert self.sums is not None and self.counts is not None
        both = jnp.all(self.counts > 0)
        return jnp.where(both, self.sums / jnp.maximum(self.counts, 1), jnp.inf)


def parted(point: Any, floats: tuple[bool, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A point in two parts: its floats, and all else.

    Args:
        point: one array a column.
        floats: which columns are floats.

    Returns:
        Two tuples of arrays.

    Example:
        >>> parted(("a", "b", "c"), (True, False, True))
        (('a', 'c'), ('b',))
    """
    both = list(zip(point, floats, strict=True))
    return tuple(x for x, own in both if own), tuple(x for x, own in both if not own)
