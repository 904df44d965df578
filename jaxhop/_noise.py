"""Random words made from a key and a counter, and the numbers made from words."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PAIRS = 1  # high counter word of `pairs`; `fold_in` has 0, so the two never share a block
SHORT = 4096  # so many words are rather kept than made again by each that uses them


def _threefry(key: jax.Array, high: Any, low: Any) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32 with 20 rounds, unrolled because a rolled loop cannot fuse on a CPU."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA))
    x, y = high + schedule[0], low + schedule[1]
    for block in range(5):
        for turn in _ROTATIONS[block % 2]:
            x = x + y
            y = ((y << turn) | (y >> (32 - turn))) ^ x
        x = x + schedule[(block + 1) % 3]
        y = y + schedule[(block + 2) % 3] + jnp.uint32(block + 1)
    return x, y


@functools.partial(jax.jit, inline=True)
def fold_in(key: jax.Array, data: Any) -> jax.Array:
    """A new key from a key and a number, bit for bit that of `jax.random.fold_in`.

    Args:
        key: raw key data, uint32[2].
        data: a Python integer below 2**31, or an int32 or uint32 scalar.

    Returns:
        Raw key data, uint32[2].

    Example:
        >>> fold_in(raw(jax.random.key(0)), 7).tolist()
        [2716826189, 292468403]
    """
    words = _threefry(key, jnp.uint32(0), jnp.asarray(data).astype(jnp.uint32))
    return kept(jnp.stack(words))


@functools.partial(jax.jit, static_argnames=("n", "offset"), inline=True)
def pairs(key: jax.Array, n: int, offset: int = 0) -> tuple[jax.Array, jax.Array]:
    """Two independent random words for each of n positions.

    A word depends on the key and its position only, so drawing positions 0 to 9 and
    then 10 to 19 gives the same words as drawing 0 to 19 at once.

    Args:
        key: raw key data, uint32[2].
        n: number of positions.
        offset: first position.

    Returns:
        Two arrays uint32[n].

    Example:
        >>> first, second = pairs(raw(jax.random.key(0)), 3)
        >>> bool(jnp.all(pairs(raw(jax.random.key(0)), 2, offset=1)[0] == first[1:]))
        True
    """
    position = jnp.arange(n, dtype=jnp.uint32) + jnp.uint32(offset)
    words = _threefry(key, jnp.full(n, _PAIRS, jnp.uint32), position)
    return kept(words) if n <= SHORT else words


def kept(words: Any) -> Any:
    """The same words, kept in memory instead of being made again inside of what uses them.

    Words that a whole loop has in common must be kept: LLVM's vectoriser goes along every
    path through the code that makes them, and twenty rounds have a million paths.

    Args:
        words: a pytree of arrays.

    Returns:
        The same.

    Example:
        >>> int(kept(jnp.uint32(5)))
        5
    """
    return jax.lax.optimization_barrier(words)


def filled(
    key: jax.Array, n: int, number: Callable[[jax.Array], jax.Array] = lambda words: words
) -> jax.Array:
    """Numbers made of the first words of `pairs`, written to memory before anything reads them.

    What is cheap to read but dear to make must not be fused into its consumers: a compiler makes
    a broadcast operand again for each element it is broadcast to. Measured on a CPU: signs from
    the bits of stored words come at 3,300 million a second, from fused ones at 600 million. A loop
    is the one thing that XLA does not look through, where a barrier is gone before it fuses.

    Args:
        key: raw key data, uint32[2].
        n: how many, at least 1.
        number: from words to numbers, elementwise.

    Returns:
        An array of n numbers.

    Example:
        >>> key = raw(jax.random.key(0))
        >>> bool(jnp.all(filled(key, 5) == pairs(key, 5)[0]))
        True
    """
    half = -(-n // 2)

    def fill(turn: jax.Array, out: jax.Array) -> jax.Array:
        first = turn * half
        position = jnp.arange(half, dtype=jnp.uint32) + first.astype(jnp.uint32)
        words, _ = _threefry(key, jnp.full(half, _PAIRS, jnp.uint32), position)
        return jax.lax.dynamic_update_slice_in_dim(out, number(words), first, 0)

    kind = jax.eval_shape(number, jax.ShapeDtypeStruct((half,), jnp.uint32)).dtype
    return jax.lax.fori_loop(0, 2, fill, jnp.zeros(2 * half, kind))[:n]


def seeded(seed: int) -> np.ndarray:
    """The raw key data that a search begins with.

    Args:
        seed: in [0, 2**64).

    Returns:
        uint32[2].

    Example:
        >>> seeded(2**32 + 5).tolist()
        [1, 5]
    """
    return np.array([seed >> 32, seed & 0xFFFFFFFF], np.uint32)


def raw(key: Any) -> jax.Array:
    """The raw key data of a JAX key.

    Args:
        key: a typed key (`jax.random.key(0)`) or raw key data, uint32[2].

    Returns:
        Raw key data, uint32[2].

    Raises:
        TypeError: if `key` is no key at all.
        ValueError: if `key` is a key of another size or a batch of keys.

    Example:
        >>> raw(jax.random.key(3)).tolist()
        [0, 3]
    """
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    elif dtype != np.uint32:
        raise TypeError(
            f"`key={key!r}`: a key must be a JAX key or uint32[2]. Give jax.random.key(0)."
        )
    if key.shape != (2,):
        raise ValueError(
            f"`key`: key data must be uint32[2], but its shape is {key.shape}."
            ' Give one key of the default kind, jax.random.key(0, impl="threefry2x32").'
        )
    return key


def uniform(words: jax.Array) -> jax.Array:
    """Uniform numbers in the open interval (0, 1).

    Args:
        words: uint32 words of any shape.

    Returns:
        float32 of the same shape, never exactly 0 or 1.

    Example:
        >>> bool((uniform(jnp.uint32(0)) > 0) & (uniform(jnp.uint32(2**32 - 1)) < 1))
        True
    """
    return (_top(words) + 0.5) * 2.0**-23


def normal(words: jax.Array) -> jax.Array:
    """Standard normal numbers, one from each word; the nine lowest bits are not used.

    Args:
        words: uint32 words of any shape.

    Returns:
        float32 of the same shape, finite (at most 5.3 in size).

    Example:
        >>> float(normal(jnp.uint32(2**31))) < 1e-6
        True
    """
    # The argument of erf_inv is an odd multiple of 2**-23, exact in float32 and never +-1.
    return jnp.float32(np.sqrt(2)) * jax.lax.erf_inv(_top(words) * 2.0**-22 - (1 - 2.0**-23))


def chance(words: jax.Array, probability: Any) -> jax.Array:
    """True with the given probability: never at 0, always at 1, in steps of 2**-32 near 0.

    Args:
        words: uint32 words of any shape.
        probability: float32 that broadcasts against them.

    Returns:
        bool of the same shape.

    Example:
        >>> chance(jnp.uint32([0, 2**31 + 2**30]), 0.5).tolist()
        [True, False]
    """
    # Unlike `uniform`, the whole word counts: rates of one in ten million must be met.
    return (words.astype(jnp.float32) * 2.0**-32 < probability) | (probability >= 1)


def upto(words: jax.Array, last: Any) -> jax.Array:
    """Uniform integers from 0 to `last`, both included.

    Args:
        words: uint32 words.
        last: greatest integer, a Python int or integer array below 2**32.

    Returns:
        uint32 integers; each value's probability is right to 2**-32.

    Example:
        >>> upto(jnp.uint32([0, 2**31, 2**32 - 1]), 9).tolist()
        [0, 5, 9]
    """
    # floor(word * (last + 1) / 2**32), the 64-bit product taken in 16-bit halves.
    last = jnp.asarray(last, jnp.uint32)
    low, high = words & 0xFFFF, words >> 16
    last_low, last_high = last & 0xFFFF, last >> 16
    middle = low * last_high + (low * last_low >> 16)
    middle_too = high * last_low + (middle & 0xFFFF)
    upper = high * last_high + (middle >> 16) + (middle_too >> 16)
    lower = words * last
    return upper + (lower + words < words).astype(jnp.uint32)


def below(words: jax.Array, n: Any) -> jax.Array:
    """Uniform integers from 0 to n - 1.

    Args:
        words: uint32 words.
        n: number of integers, a Python int or integer array from 1 to 2**31.

    Returns:
        int32 integers; each value's probability is right to 2**-32.

    Example:
        >>> below(jnp.uint32([0, 2**31, 2**32 - 1]), 10).tolist()
        [0, 5, 9]
    """
    return upto(words, jnp.asarray(n, jnp.uint32) - 1).astype(jnp.int32)


def sobol(index: Any, dims: int, key: jax.Array) -> jax.Array:
    """One point of a scrambled low-discrepancy sequence, as words.

    Sobol' points with nested uniform scrambling by hash. Each group of sixteen dimensions
    is the sixteen-dimensional sequence in a shuffled order of its own (Burley, 2020,
    "Practical Hash-based Owen Scrambling").

    Args:
        index: position in the sequence, as `data` of `fold_in`.
        dims: number of dimensions.
        key: raw key data, uint32[2], that chooses the scrambling.

    Returns:
        uint32[dims]; `uniform` turns them into numbers.

    Example:
        >>> words = [sobol(i, 2, raw(jax.random.key(0))) for i in range(4)]
        >>> sorted(int(word[1]) >> 30 for word in words)
        [0, 1, 2, 3]
    """
    table = _directions()
    groups = -(-dims // len(table))
    shuffles, _ = pairs(key, groups)
    seeds, _ = pairs(key, dims, offset=groups)
    order = _scramble(jnp.asarray(index).astype(jnp.uint32), shuffles)
    chosen = (order[:, None] >> jnp.arange(32, dtype=jnp.uint32)) & 1
    terms = jnp.where(chosen[:, None, :] == 1, table, jnp.uint32(0))
    points = jax.lax.reduce(terms, jnp.uint32(0), jax.lax.bitwise_xor, (2,))
    return _scramble(points.reshape(-1)[:dims], seeds)


def _top(words: jax.Array) -> jax.Array:
    """The 23 highest bits, which float32 holds exactly with a bit to spare."""
    return (words >> 9).astype(jnp.int32).astype(jnp.float32)


# Joe and Kuo's direction numbers (new-joe-kuo-6) of sixteen dimensions: a primitive
# polynomial and the first direction numbers; the first dimension is van der Corput's.
_JOE_KUO = (
    (3, (1,)),
    (7, (1, 3)),
    (11, (1, 3, 1)),
    (13, (1, 1, 1)),
    (19, (1, 1, 3, 3)),
    (25, (1, 3, 5, 13)),
    (37, (1, 1, 5, 5, 17)),
    (41, (1, 1, 5, 5, 5)),
    (47, (1, 1, 7, 11, 19)),
    (55, (1, 1, 5, 1, 1)),
    (59, (1, 1, 1, 3, 11)),
    (61, (1, 3, 5, 5, 31)),
    (67, (1, 3, 3, 9, 7, 49)),
    (91, (1, 1, 1, 15, 21, 21)),
    (97, (1, 3, 1, 13, 27, 49)),
)


@functools.cache
def _directions() -> np.ndarray:
    """Direction words uint32[16, 32]: what bit k of the index adds to each dimension."""
    rows = [[1] * 32]
    for polynomial, first in _JOE_KUO:
        degree, row = len(first), list(first)
        for k in range(degree, 32):
            number = row[k - degree] ^ (row[k - degree] << degree)
            for j in range(1, degree):
                number ^= ((polynomial >> (degree - j)) & 1) * (row[k - j] << j)
            row.append(number)
        rows.append(row)
    return np.array([[m << (31 - k) for k, m in enumerate(row)] for row in rows], np.uint32)


def _scramble(words: jax.Array, seed: jax.Array) -> jax.Array:
    """Nested uniform scrambling: each bit is flipped by a hash of the bits above it."""
    words = _reverse(words) + seed
    for constant in (0x6C50B47C, 0xB82F1E52, 0xC7AFE638, 0x8D22F6E6):
        words = words ^ (words * jnp.uint32(constant))
    return _reverse(words)


def _reverse(words: jax.Array) -> jax.Array:
    """The bits of each word in reverse order."""
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        words = ((words >> shift) & mask) | ((words & mask) << shift)
    return (words >> 16) | (words << 16)
