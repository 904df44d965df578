"""The normal distribution that covariance adaptation draws from, and how it learns.

Deviations are a step size times a scale for each coordinate, times (up to some hundred
coordinates) the root of a correlation matrix. Scales and correlations learn at rates of their own,
so that scales are quick where the matrix must be slow: Akimoto & Hansen (2020), "Diagonal
Acceleration for Covariance Matrix Adaptation Evolution Strategies". Their rates, but scales learn
the faster the more coordinates there are, as measurements suggest. The step size follows the
cumulative path (Hansen 2016, "The CMA Evolution Strategy: A Tutorial"). The mean also moves away
from the worse half, the more so the more coordinates there are for each draw, which can double
the speed (Arnold 2006, "Weighted multirecombination evolution strategies").
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_BLOCK = 2**18  # numbers of noise that are made at once
_CLIP = 9.0  # squares of single deviations count for no more
_GREATEST = 0.3  # deviation of a coordinate, in units of its range


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Distribution:
    """A normal distribution of n coordinates. Size: 4 n; with correlations 5 n + 3 n * n.

    Attributes:
        mean: float32[n].
        sigma: float32, the step size.
        scale: float32[n], deviation of each coordinate over the step size.
        path: float32[n], cumulative steps of the mean in uncorrelated coordinates of unit length.
        slow: float32[n], cumulative steps for the scales.
        known: float32[3], how much of `path`, `slow` and `wide` is no more the zero they began at.
        wide: float32[n], cumulative steps for the correlations, or None without them.
        correlations: float32[n, n], or None.
        root: float32[n, n], its symmetric root at the last decomposition, or None.
        inverse: float32[n, n], the root's inverse, or None.
        condition: float32, ratio of the longest and the shortest axis of `root`.
        rounds: int32, updates so far.
    """

    mean: jax.Array
    sigma: jax.Array
    scale: jax.Array
    path: jax.Array
    slow: jax.Array
    known: jax.Array
    wide: jax.Array | None
    correlations: jax.Array | None
    root: jax.Array | None
    inverse: jax.Array | None
    condition: jax.Array
    rounds: jax.Array

    @property
    def deviations(self) -> jax.Array:
        """float32[n]."""
        return self.sigma * self.scale


class Walls(NamedTuple):
    """Bounds of the coordinates, infinite where there are none; float32[n] each."""

    low: np.ndarray
    high: np.ndarray


class Pace(NamedTuple):
    """How eagerly a distribution learns.

    Attributes:
        mean: what its steps are multiplied by; less than 1 averages the noise of values away.
        scales: what the rates of the scales are multiplied by.
        away: what the push away from the worse half is multiplied by.
    """

    mean: Any = 1.0
    scales: float = 1.0
    away: float = 1.0


class Ranked(NamedTuple):
    """What a round says of its draws.

    Attributes:
        weights: float32[draws], positive for the better half, in sum 1.
        push: float32[draws], negative for the worse half, in sum -1.
        number: float32, how many draws there were.
    """

    weights: jax.Array
    push: jax.Array
    number: jax.Array


def first(mean: jax.Array, deviation: float, correlated: bool) -> Distribution:
    """A wide distribution.

    Args:
        mean: float32[n].
        deviation: of each coordinate, in units of its range.
        correlated: whether it is to learn correlations.

    Returns:
        A distribution.
    """
    n = mean.size
    zeros, eye = jnp.zeros(n, jnp.float32), jnp.eye(n if correlated else 0, dtype=jnp.float32)
    matrix = eye if correlated else None
    return Distribution(
        mean=mean,
        sigma=jnp.float32(deviation),
        scale=jnp.ones(n, jnp.float32),
        path=zeros,
        slow=zeros,
        known=jnp.zeros(3, jnp.float32),
        wide=zeros if correlated else None,
        correlations=matrix,
        root=matrix,
        inverse=matrix,
        condition=jnp.float32(1),
        rounds=jnp.int32(0),
    )


@jax.custom_batching.sequential_vmap
def _product(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """A product whose bits do not depend on how many others are made with it."""
    return matrix @ vector


def drawn(distribution: Distribution, noise: jax.Array, bounds: Walls) -> jax.Array:
    """A draw, reflected at the walls: unlike clipping and resampling this keeps the mean.

    Args:
        distribution: the distribution.
        noise: float32[n], independent normal numbers.
        bounds: of the coordinates.

    Returns:
        float32[n].
    """
    shape = noise if distribution.root is None else _product(distribution.root, noise)
    x = distribution.mean + distribution.deviations * shape
    low, high = bounds
    width = high - low
    # A wave of period 2 widths between two walls, a mirror at a single one.
    period = np.where(np.isfinite(width) & (width > 0), 2 * width, 1).astype(np.float32)
    base = np.where(np.isfinite(low), low, 0).astype(np.float32)
    turned = jnp.mod(x - base, period)
    both = base + jnp.minimum(turned, period - turned)
    one = jnp.where(x < low, 2 * base - x, x)
    top = np.where(np.isfinite(high), high, 0).astype(np.float32)
    one = jnp.where(one > high, 2 * top - one, one)
    return jnp.clip(jnp.where(np.isfinite(width), both, one), low, high)


def ranked(values: jax.Array, taking: jax.Array) -> Ranked:
    """Weights of a round's draws by their ranks.

    Args:
        values: float32[population]; infinite ones rank last.
        taking: bool[population], which of the candidates are draws that have a value.

    Returns:
        Weights, 0 for all others.
    """
    count = jnp.sum(taking).astype(jnp.float32)
    # Those that take no part come last, after infinite values of those that do.
    finite = jnp.minimum(values, jnp.finfo(jnp.float32).max)
    order = jnp.argsort(jnp.where(taking, finite, jnp.inf), stable=True)
    rank = (
        jnp.zeros(values.shape, jnp.float32)
        .at[order]
        .set(jnp.arange(1, values.size + 1, dtype=jnp.float32))
    )
    weight = jnp.where(taking, jnp.log((count + 1) / 2) - jnp.log(rank), 0)
    better, worse = jnp.maximum(weight, 0), jnp.minimum(weight, 0)
    return Ranked(
        better / jnp.maximum(jnp.sum(better), 1e-9),
        worse / jnp.maximum(-jnp.sum(worse), 1e-9),
        count,
    )


def learned(
    distribution: Distribution,
    round: Ranked,
    noise: Callable[[Any], jax.Array],
    bounds: Walls,
    grain: jax.Array,
    pace: Pace,
) -> Distribution:
    """The distribution after a round.

    Args:
        distribution: the one that draws were made from.
        round: what they are worth.
        noise: from a traced position in the round to the draw's independent normal numbers.
        bounds: of the coordinates.
        grain: float32[n], how far apart legal values are: deviations stay wide enough to reach
            the next one (Hamano et al. 2022, "CMA-ES with Margin").
        pace: how eagerly it learns.

    Returns:
        A distribution.
    """
    n = distribution.mean.size
    weights, push, number = round
    mass = 1 / jnp.maximum(jnp.sum(weights**2), 1e-9)
    light = 1 / jnp.maximum(jnp.sum(push**2), 1e-9)
    share = mass + 1 / mass - 2 + number / (2 * (number + 5))
    # Away from a bad draw is as good as towards a good one where both are small steps of many.
    away = pace.away * n / (n + 2 * number)
    drift = (weights + away * push) / (1 + away)
    drive = 1 / jnp.maximum(jnp.sum(drift**2), 1e-9)

    def rates(numbers: float) -> tuple[jax.Array, jax.Array, jax.Array]:
        one = 1 / (2 * (numbers / n + 1) * (n + 1) ** 0.75 + mass / 2)
        return one, jnp.minimum(share * one, 1 - one), jnp.sqrt(share * one) / 2

    def push_for(one: jax.Array, many: jax.Array) -> jax.Array:
        return jnp.minimum(1 + one / many, 1 + 2 * light / (mass + 2))

    one, many, memory = rates(n)
    quick = pace.scales * min(max(1.0, 2 * math.log10(n) - 1), 5.0)
    one, many = one * quick, jnp.minimum(many * quick, 0.4)
    below = push_for(one, many)
    moments = _moments(distribution, round, drift, noise, below)
    step = moments.step
    shape = step if distribution.root is None else distribution.root @ step
    # Steps count as far as the mean went: less at a wall, and where they are made shorter.
    change = distribution.deviations * shape
    mean = jnp.clip(distribution.mean + pace.mean * change, *bounds)
    still = change == 0
    went = jnp.where(still, 1, (mean - distribution.mean) / jnp.where(still, 1, change))
    shape, step = shape * went, step * went

    # The textbook's rate lags behind by far where coordinates are many.
    short = jnp.minimum((drive + 2) / (n + drive + 5) * max(1.0, math.sqrt(n) / 6), 0.5)
    damping = 1 + short + 2 * jnp.maximum(0, jnp.sqrt(jnp.maximum(drive - 1, 0) / (n + 1)) - 1)
    path = (1 - short) * distribution.path + jnp.sqrt(short * (2 - short) * drive) * step
    known = (1 - short) ** 2 * distribution.known[0] + short * (2 - short)
    length = jnp.linalg.norm(path) / jnp.sqrt(known)
    usual = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))
    sigma = distribution.sigma * jnp.exp(jnp.minimum(short / damping * (length / usual - 1), 1))
    steady = (length < (2 + 4 / (n + 1)) * math.sqrt(n)).astype(jnp.float32)

    def along(before: jax.Array, old: jax.Array, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
        fresh = steady * jnp.sqrt(memory * (2 - memory) * drive) * distribution.scale * shape
        size = (1 - memory) ** 2 * old + steady * memory * (2 - memory)
        return (1 - memory) * before + fresh, size

    slow, slow_known = along(distribution.slow, distribution.known[1], memory)
    own = slow / distribution.scale
    own = own if distribution.inverse is None else distribution.inverse @ own
    grow = many * moments.squares + one * (jnp.minimum(own**2, _CLIP) - slow_known)
    # Where axes are far from those of the coordinates, scales must not outrun the matrix.
    grow = grow / (2 * jnp.maximum(1, distribution.condition - 1))
    scale = distribution.scale * jnp.exp(jnp.clip(grow, -1, 1))
    after = dataclasses.replace(
        distribution,
        mean=mean,
        sigma=sigma,
        path=path,
        slow=slow,
        known=jnp.stack([known, slow_known, distribution.known[2]]),
        rounds=distribution.rounds + 1,
    )
    if distribution.wide is not None:
        one, many, memory = rates(n * (n + 1) / 2)
        wide, wide_known = along(distribution.wide, distribution.known[2], memory)
        # What is taken away must leave the matrix positive.
        below = jnp.minimum(push_for(one, many), (1 - one - many) / (n * many))
        after = dataclasses.replace(
            after, wide=wide, known=after.known.at[2].set(wide_known), scale=scale
        )
        after = _correlate(distribution, after, moments, (one, many), below, wide_known)
        scale = after.scale
    least = 0.2 * grain / sigma
    most = jnp.where(np.isfinite(bounds.high - bounds.low), _GREATEST / sigma, jnp.inf)
    scale = jnp.minimum(jnp.maximum(scale, least), jnp.maximum(most, least))
    return dataclasses.replace(after, scale=scale)


class _Moments(NamedTuple):
    """Weighted sums over a round's noise."""

    step: jax.Array  # float32[n]: of noise, by the drift
    squares: jax.Array  # float32[n]: of noise squared, less its mean, by weights and push
    products: Any  # two float32[n, n], of noise times noise by weights and by push


def _moments(
    distribution: Distribution,
    round: Ranked,
    drift: jax.Array,
    noise: Callable[[Any], jax.Array],
    below: jax.Array,
) -> _Moments:
    n, number = distribution.mean.size, drift.size
    rows = max(1, min(number, _BLOCK // n, 16))
    spare = -number % rows
    weights, push, drift = (
        jnp.pad(each, (0, spare)) for each in (round.weights, round.push, drift)
    )
    # No further than the last candidate that counts: a population has room for many more.
    last = jnp.max(jnp.where((weights > 0) | (push < 0), jnp.arange(number + spare), -1))
    correlated = distribution.correlations is not None

    def add(turn: Any, sums: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        index = turn * rows + jnp.arange(rows, dtype=jnp.int32)
        own, less, moves = (
            jax.lax.dynamic_slice_in_dim(each, turn * rows, rows)
            for each in (weights, push, drift)
        )
        made = jax.vmap(noise)(jnp.minimum(index, number - 1))
        # The worse half says where to be narrower, not how wide to be: all lengths are alike.
        away = less * n / jnp.maximum(jnp.sum(made**2, axis=1), 1e-9)
        squares = (own + below * away) @ jnp.minimum(made**2, _CLIP)
        terms = [moves @ made, squares - jnp.sum(own + below * less)]
        if correlated:
            terms += [(made * own[:, None]).T @ made, (made * away[:, None]).T @ made]
        return tuple(total + term for total, term in zip(sums, terms, strict=True))

    shapes = [(n,), (n,)] + [(n, n), (n, n)] * correlated
    zeros = tuple(jnp.zeros(shape, jnp.float32) for shape in shapes)
    step, squares, *products = jax.lax.fori_loop(0, last // rows + 1, add, zeros)
    return _Moments(step, squares, tuple(products))


def _correlate(
    before: Distribution,
    after: Distribution,
    moments: _Moments,
    rates: tuple[jax.Array, jax.Array],
    below: jax.Array,
    known: jax.Array,
) -> Distribution:
    """Updates the correlation matrix, and now and then its root."""
    n = before.mean.size
    one, many = rates
    assert before.correlations is not None and before.root is not None and after.wide is not None
    better, worse = moments.products
    total = 1 - below  # the sum of all weights
    matrix = before.correlations
    shaped = before.root @ (better + below * worse) @ before.root
    long = after.wide / before.scale
    matrix = matrix + many * (shaped - total * matrix)
    matrix = matrix + one * (jnp.outer(long, long) - known * matrix)
    # Decomposing costs n ** 3: as seldom as the matrix changes little meanwhile.
    every = jnp.maximum(1, (1 / (10 * n * (one + many))).astype(jnp.int32))
    after = dataclasses.replace(after, correlations=matrix)
    return jax.lax.cond(after.rounds % every == 0, _decomposed, lambda given: given, after)


def _decomposed(given: Distribution) -> Distribution:
    """Puts the matrix's diagonal into the scales, and finds its root."""
    matrix = given.correlations
    assert matrix is not None
    usable = jnp.all(jnp.isfinite(matrix))
    matrix = jnp.where(
        usable, (matrix + matrix.T) / 2, jnp.eye(matrix.shape[0], dtype=jnp.float32)
    )
    diagonal = jnp.sqrt(jnp.maximum(jnp.diagonal(matrix), 1e-12))
    matrix = matrix / diagonal / diagonal[:, None]
    lengths, axes = jnp.linalg.eigh(matrix)
    short = jnp.maximum(lengths, 1e-7 * lengths[-1])  # float32 has no more
    roots = jnp.sqrt(short)
    matrix = jnp.where(lengths[0] < short[0], (axes * short) @ axes.T, matrix)
    return dataclasses.replace(
        given,
        scale=jnp.where(usable, given.scale * diagonal, given.scale),
        correlations=matrix,
        root=(axes * roots) @ axes.T,
        inverse=(axes / roots) @ axes.T,
        condition=roots[-1] / roots[0],
    )
