"""Random words against published answers and jax.random; numbers against their statistics."""

import jax
import jax.extend.random
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jaxhop import _noise

KEY = np.array([1, 2], np.uint32)


@pytest.mark.parametrize(
    ("key", "counter", "answer"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1, 2**32 - 1), (2**32 - 1, 2**32 - 1), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers_of_random123(key, counter, answer):
    words = _noise._threefry(jnp.uint32(key), *(jnp.uint32(word) for word in counter))
    assert tuple(int(word) for word in words) == answer


@pytest.mark.parametrize("data", [0, 1, 123456789, 2**31 - 1])
def test_fold_in_is_that_of_jax_random(data):
    key = jax.random.key(42)
    expected = jax.random.key_data(jax.random.fold_in(key, data))
    np.testing.assert_array_equal(_noise.fold_in(_noise.raw(key), data), expected)
    traced = jax.jit(_noise.fold_in)(_noise.raw(key), jnp.uint32(data))
    np.testing.assert_array_equal(traced, expected)


def test_pairs_depend_on_the_position_only():
    a, b = _noise.pairs(KEY, 20)
    c, d = _noise.pairs(KEY, 7, offset=5)
    np.testing.assert_array_equal(a[5:12], c)
    np.testing.assert_array_equal(b[5:12], d)


@pytest.mark.parametrize("n", [1, 2, 3, 64, 4097])
def test_what_is_filled_into_memory_is_made_of_the_words_of_pairs(n):
    words = jax.jit(lambda key: _noise.filled(key, n))(KEY)
    expected, _ = jax.jit(_noise.pairs, static_argnums=1)(KEY, n)
    assert words.dtype == jnp.uint32
    np.testing.assert_array_equal(words, expected)


def test_what_is_filled_into_memory_may_be_other_numbers():
    a, _ = _noise.pairs(KEY, 7)
    np.testing.assert_array_equal(_noise.filled(KEY, 7, _noise.normal), _noise.normal(a))
    keys = jnp.array([[1, 2], [3, 4]], jnp.uint32)
    both = jax.vmap(lambda key: _noise.filled(key, 5))(keys)
    np.testing.assert_array_equal(both[1], _noise.pairs(keys[1], 5)[0])


def test_pairs_are_those_of_the_threefry_of_jax():
    """At the counter (1, position)."""
    counts = np.concatenate([np.ones(9, np.uint32), np.arange(9, dtype=np.uint32)])
    expected = jax.extend.random.threefry_2x32(KEY, counts)
    np.testing.assert_array_equal(np.concatenate(_noise.pairs(KEY, 9)), expected)


def test_pairs_and_fold_in_share_no_block():
    a, b = _noise.pairs(KEY, 100)
    folded = jax.vmap(lambda data: _noise.fold_in(KEY, data))(jnp.arange(100))
    assert not set(np.asarray(a).tolist()) & set(np.asarray(folded[:, 0]).tolist())
    assert not set(np.asarray(b).tolist()) & set(np.asarray(folded[:, 1]).tolist())


def test_numbers_have_the_right_moments_and_are_independent():
    n = 200_000
    a, b = _noise.pairs(KEY, n)
    c, _ = _noise.pairs(np.array([1, 3], np.uint32), n)
    for words in (a, b, c):
        u, z = np.asarray(_noise.uniform(words)), np.asarray(_noise.normal(words))
        assert abs(u.mean() - 0.5) < 0.003
        assert abs(u.var() - 1 / 12) < 0.001
        assert abs(z.mean()) < 0.01
        assert abs(z.var() - 1) < 0.015
        assert abs((z**4).mean() - 3) < 0.1
    numbers = np.stack([_noise.normal(words) for words in (a, b, c, jnp.roll(a, 1))])
    assert np.abs(np.corrcoef(numbers) - np.eye(4)).max() < 0.01


def test_uniform_is_open_and_normal_is_finite_at_extreme_words():
    words = jnp.array([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], jnp.uint32)
    u, z = np.asarray(_noise.uniform(words)), np.asarray(_noise.normal(words))
    assert u.min() > 0
    assert u.max() < 1
    assert np.isfinite(z).all()
    np.testing.assert_allclose(z, -z[::-1], rtol=1e-6)
    assert (np.diff(z) >= 0).all()


def test_chance_is_never_at_0_and_always_at_1():
    words = jnp.array([0, 2**31, 2**32 - 1], jnp.uint32)
    assert not _noise.chance(words, jnp.float32(0)).any()
    assert _noise.chance(words, jnp.float32(1)).all()
    a, _ = _noise.pairs(KEY, 100_000)
    assert abs(float(_noise.chance(a, 0.01).mean()) - 0.01) < 0.001
    assert bool(_noise.chance(jnp.uint32(40), 1e-8))
    assert not bool(_noise.chance(jnp.uint32(50), 1e-8))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 2**20 + 7, 2**31 - 1, 2**31])
def test_below_is_the_high_half_of_the_product(n):
    a, _ = _noise.pairs(KEY, 10_000)
    words = jnp.concatenate([a, jnp.array([0, 1, 2**31, 2**32 - 1], jnp.uint32)])
    drawn = np.asarray(_noise.below(words, n))
    exact = np.asarray(words).astype(object) * n >> 32
    assert drawn.dtype == np.int32
    np.testing.assert_array_equal(drawn, exact.astype(np.int64))
    if n <= 10:
        assert scipy.stats.chisquare(np.bincount(drawn, minlength=n)).pvalue > 1e-4 or n == 1


def test_upto_covers_all_of_uint32():
    words = jnp.array([0, 7, 2**32 - 1], jnp.uint32)
    np.testing.assert_array_equal(_noise.upto(words, 2**32 - 1), words)
    bounds = np.array([1, 9, 2**32 - 2], np.uint32)
    np.testing.assert_array_equal(_noise.upto(words, bounds), [0, 0, 2**32 - 2])


def test_raw_takes_typed_and_raw_keys_only():
    np.testing.assert_array_equal(_noise.raw(jax.random.key(5)), [0, 5])
    np.testing.assert_array_equal(_noise.raw(KEY), KEY)
    with pytest.raises(ValueError, match=r"must be uint32\[2\], but its shape is \(4,\)"):
        _noise.raw(jax.random.key(0, impl="rbg"))
    with pytest.raises(ValueError, match=r"shape is \(3, 2\)"):
        _noise.raw(jax.random.split(jax.random.key(0), 3))
    with pytest.raises(TypeError, match=r"Give jax.random.key\(0\)"):
        _noise.raw(0)


def test_sobol_directions_are_those_of_scipy():
    table = _noise._directions()
    reference = scipy.stats.qmc.Sobol(16, scramble=False, bits=32).random(256)
    for i in range(256):
        gray = i ^ (i >> 1)  # SciPy goes through the points in Gray-code order
        bits = [k for k in range(8) if gray >> k & 1]
        point = np.bitwise_xor.reduce(table[:, bits], axis=1)
        np.testing.assert_array_equal(point / 2.0**32, reference[i])


@pytest.fixture(scope="module")
def sobol_points():
    draw = jax.jit(jax.vmap(lambda i: _noise.uniform(_noise.sobol(i, 40, jnp.uint32(KEY)))))
    return np.asarray(draw(jnp.arange(256)))


@pytest.mark.parametrize("k", [1, 4, 8])
def test_sobol_stratifies_every_dimension(sobol_points, k):
    first = np.floor(sobol_points[: 2**k] * 2**k).astype(int)
    for dimension in first.T:
        assert sorted(dimension) == list(range(2**k))


def test_sobol_beats_random_points_in_discrepancy(sobol_points):
    random = np.random.default_rng(0)
    for dims in (2, 6, 16):
        ours = scipy.stats.qmc.discrepancy(sobol_points[:, :dims])
        theirs = [scipy.stats.qmc.discrepancy(random.random((256, dims))) for _ in range(5)]
        assert ours < 0.75 * min(theirs)
    # The padded dimensions are shuffled, so none of them repeats one of the first.
    assert np.abs(np.corrcoef(sobol_points.T) - np.eye(40)).max() < 0.5


def test_sobol_depends_on_its_key():
    one, other = (_noise.sobol(3, 5, jnp.uint32([0, k])) for k in (1, 2))
    assert not (np.asarray(one) == np.asarray(other)).any()
