"""What a benchmark problem is to those who search it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from benchmarks.extras import require

STEP = 0.3
"""First standard deviation of those who need one, in widths of the box."""

Array = Any
"""A NumPy or a JAX array."""


class Group(NamedTuple):
    """Neighbouring coordinates of one kind.

    Attributes:
        where: their positions.
        low: lower bound of each.
        high: upper bound of each.
        whole: whether they are whole numbers.
    """

    where: slice
    low: float
    high: float
    whole: bool

    @property
    def size(self) -> int:
        """How many they are."""
        return self.where.stop - self.where.start


@dataclass(frozen=True)
class Instance:
    """One problem with one seed.

    Attributes:
        fn: JAX objective over the structure that jaxhop searches; None if there is none. That of
            a noisy problem takes a key, too.
        fn_numpy: the same objective over a flat NumPy vector, for rivals on the host.
        kind: `"box"`, `"weights"` or `"permutation"`.
        dim: number of coordinates.
        low: lower bound of all coordinates or of each (not meant for permutations).
        high: upper bound of all coordinates or of each.
        std: a sensible first standard deviation for methods that need one, for all or for each.
        initial: the first guess, flat.
        sample: draws a flat random candidate, for rivals that need one.
        integers: how many of the first coordinates are whole numbers.
        unflatten: turns a flat vector into what `fn` takes.
        optimum: the best value there is, None if unknown.
        solution: the flat point with that value, None if unknown.
        reference: a known value to compare with, None if there is none.
        extra: figures about a candidate beyond its value, such as test accuracy.
        scale: typical size of weights, None for that of the first guess.
        judge: of a noisy problem: the value that counts, of the best of some flat answers.
    """

    fn: Callable[..., Array] | None
    fn_numpy: Callable[[np.ndarray], float]
    kind: str
    dim: int
    low: Any
    high: Any
    std: Any
    initial: np.ndarray
    sample: Callable[[np.random.Generator], np.ndarray]
    integers: int = 0
    unflatten: Callable[[Array], Any] = lambda x: x
    optimum: float | None = None
    solution: np.ndarray | None = None
    reference: float | None = None
    extra: Callable[[Any], dict[str, float]] = lambda candidate: {}
    scale: float | None = None
    judge: Callable[[Sequence[np.ndarray]], float] | None = None

    @property
    def noisy(self) -> bool:
        """Whether two evaluations of one candidate differ."""
        return self.judge is not None

    def groups(self) -> Iterator[Group]:
        """Cut the coordinates into neighbours that have bounds and kind in common."""
        low, high = (np.broadcast_to(bound, self.dim) for bound in (self.low, self.high))
        kinds = [(float(low[i]), float(high[i]), i < self.integers) for i in range(self.dim)]
        start = 0
        for kind, members in groupby(kinds):
            stop = start + len(list(members))
            yield Group(slice(start, stop), *kind)
            start = stop

    def space(self) -> Any:
        """Build the search space of this instance for `jaxhop.search`."""
        jaxhop = require("jaxhop")
        if self.kind == "permutation":
            return jaxhop.permutation(self.dim)
        if self.kind == "weights":
            return jaxhop.weights(self.unflatten(self.initial), scale=self.scale)
        if not self.integers:
            return jaxhop.float(self.low, self.high, shape=(self.dim,))
        return [
            jaxhop.int(int(group.low), int(group.high), shape=(group.size,))
            if group.whole
            else jaxhop.float(group.low, group.high, shape=(group.size,))
            for group in self.groups()
        ]

    def flat(self, candidate: Any) -> np.ndarray:
        """Turn a candidate of `space` into a flat vector: the reverse of `unflatten`."""
        leaves = require("jax").tree.leaves(candidate)
        return np.concatenate([np.ravel(np.asarray(leaf)) for leaf in leaves])


@dataclass(frozen=True)
class Family:
    """How the instances of one problem are made.

    Attributes:
        build: takes the number of coordinates and a generator; or a seed, if `by_seed`.
        default_dim: the number of coordinates if none is asked for.
        least_dim: the smallest number of coordinates.
        fixed_dim: whether there is no other size than the default.
        by_seed: whether `build` wants the seed itself.
    """

    build: Callable[[int, Any], Instance]
    default_dim: int = 100
    least_dim: int = 1
    fixed_dim: bool = False
    by_seed: bool = False
