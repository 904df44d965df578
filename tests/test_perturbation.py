"""Kinds of noise: their moments, what they are made from, and which parameter gets which."""

import functools

import jax
import jax.extend.random
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop
from jaxhop import _noise
from jaxhop.algorithms._perturbation import (
    KINDS,
    Kinds,
    draw,
    kinds,
    perturbed,
    segments,
    weighted,
)
from jaxhop.space import Factors, Perturbed, Segment, Space, written_out

KEY = _noise.raw(jax.random.key(3))
SHAPE = (24, 32)
CANDIDATES = 1500
# Of each kind, as the noise of one matrix.
CASES = {
    "normal": ("normal", 1),
    "sign": ("sign", 1),
    "sparse": ("sparse", 1),
    "rank 1": ("lowrank", 1),
    "rank 4": ("lowrank", 4),
}


@pytest.fixture(scope="module", params=CASES)
def chosen(request):
    return kinds(*CASES[request.param])


def segment(chosen, number=0, shape=SHAPE):
    rank = chosen.rank if chosen.matrix == "lowrank" else 0
    return Segment(chosen.matrix, number, shape, rank)


def plain(noise):
    return noise.product() if isinstance(noise, Factors) else noise


@functools.partial(jax.jit, static_argnums=1)
def _drawn(keys, part):
    return jax.vmap(lambda key: plain(draw(key, part)).ravel())(keys)


def drawn(keys, part):
    """Noise of many keys, one line each."""
    return np.asarray(_drawn(keys, part), np.float64)


@jax.jit
def keys_of(key, numbers):
    return jax.vmap(_noise.fold_in, (None, 0))(key, numbers)


@jax.jit
def folded(keys, number):
    return jax.vmap(_noise.fold_in, (0, None))(keys, number)


def assert_mean(samples, expected):
    """Independent samples have this mean, to five of its standard errors."""
    error = samples.std(ddof=1) / len(samples) ** 0.5
    assert abs(samples.mean() - expected) <= 5 * error + 1e-7


def assert_uncorrelated(x, y):
    """Lines of two samples of candidates; all products together, and each number for itself."""
    assert_mean((x * y).mean(1), 0)
    each = (x * y).mean(0) * len(x) ** 0.5
    # The products of four normal numbers have wide tails.
    assert np.abs(each).max() < 7


@pytest.fixture(scope="module")
def sample(chosen):
    return drawn(keys_of(KEY, jnp.arange(CANDIDATES)), segment(chosen))


def test_mean_0_and_variance_1(sample):
    assert_mean(sample.mean(1), 0)
    assert_mean((sample**2).mean(1), 1)
    each = (sample**2).mean(0)
    assert 0.5 < each.min() and each.max() < 2, "of every number, and of the first and last"
    assert np.abs(sample.mean(0)).max() < 5.5 * CANDIDATES**-0.5


def test_neighbours_are_uncorrelated(sample):
    for distance in (1, 2, 8, 16, 32, 33, SHAPE[1], SHAPE[1] + 1, sample.shape[1] // 2):
        assert_uncorrelated(sample[:, distance:], sample[:, :-distance])


def test_directions_of_a_round_are_uncorrelated(sample):
    """Candidates have the keys of their directions, which are those of one round's key."""
    assert_uncorrelated(sample[1:], sample[:-1])
    assert_uncorrelated(sample[CANDIDATES // 2 :], sample[: CANDIDATES // 2])
    assert len({line.tobytes() for line in sample}) == CANDIDATES


def test_rounds_are_uncorrelated(chosen, sample):
    run = keys_of(KEY, jnp.arange(CANDIDATES))  # each key a round's
    one, two = (drawn(folded(run, number), segment(chosen)) for number in (0, 1))
    assert_uncorrelated(one[1:], one[:-1])
    assert_uncorrelated(one, two)
    assert_uncorrelated(one, sample)


def test_leaves_of_one_candidate_are_uncorrelated(chosen, sample):
    """Those of equal shape too."""
    keys = keys_of(KEY, jnp.arange(CANDIDATES))
    assert_uncorrelated(sample, drawn(keys, segment(chosen, number=1)))


@pytest.mark.parametrize(("noise", "rank"), CASES.values(), ids=CASES)
def test_a_candidate_does_not_depend_on_its_neighbours(noise, rank):
    """One by one and all at once: bit for bit."""
    space = Space({"w": jaxhop.float(shape=(40, 17)), "b": jaxhop.float(shape=(5000,))})
    pieces = [segments(column, kinds(noise, rank)) for column in space.columns]
    point = space.initial()

    def candidate(i):
        key = _noise.fold_in(KEY, i)
        lazy = [
            perturbed(key, column, parts, base, 0.1)
            for column, parts, base in zip(space.columns, pieces, point, strict=True)
        ]
        return written_out(lazy)

    index = jnp.arange(6)
    at_once = jax.jit(jax.vmap(candidate))(index)
    alone = jax.jit(lambda: jax.lax.map(candidate, index))()
    for one, other in zip(jax.tree.leaves(at_once), jax.tree.leaves(alone), strict=True):
        np.testing.assert_array_equal(one, other)


# What the noise of a key is: it may not change unnoticed, or searches are not repeated.


def words(key, n):
    """The words of a key by JAX's own threefry: the counter is (1, position)."""
    counts = np.concatenate([np.ones(n, np.uint32), np.arange(n, dtype=np.uint32)])
    return np.asarray(jax.extend.random.threefry_2x32(key, counts))[:n]


def own_key(number):
    key = jax.random.fold_in(jax.random.wrap_key_data(KEY), number)
    return jax.random.key_data(key)


def test_signs_are_the_bits_of_words_lowest_first():
    bits = np.unpackbits(words(own_key(5), 4).view(np.uint8), bitorder="little")[:100]
    noise = draw(KEY, Segment("sign", 5, (100,), 0))
    np.testing.assert_array_equal(noise, 1.0 - 2.0 * bits)


def test_sparse_noise_is_made_of_bytes():
    octets = words(own_key(5), 250).view(np.uint8)
    expected = np.where(octets >> 1 & 15 == 0, 4.0 - 8.0 * (octets & 1), 0)
    noise = np.asarray(draw(KEY, Segment("sparse", 5, (20, 50), 0)))
    np.testing.assert_array_equal(noise.ravel(), expected)
    assert set(np.unique(noise)) == {-4, 0, 4}


def test_normal_noise_is_made_of_words():
    expected = _noise.normal(jnp.asarray(words(own_key(2), 30)))
    np.testing.assert_array_equal(
        draw(KEY, Segment("normal", 2, (5, 6), 0)), expected.reshape(5, 6)
    )


def test_factors_are_normal_numbers():
    numbers = np.asarray(_noise.normal(jnp.asarray(words(own_key(1), (3 * 4 + 10) * 2))))
    rows, columns = draw(KEY, Segment("lowrank", 1, (3, 4, 10), 2))
    np.testing.assert_allclose(rows.ravel(), numbers[:24] / np.sqrt(2), rtol=1e-6)
    np.testing.assert_array_equal(columns, numbers[24:].reshape(10, 2))
    assert (rows.shape, columns.shape) == ((3, 4, 2), (10, 2))


def test_known_answers():
    """Worked out with plain integers, and SciPy's quantiles of the normal distribution."""
    key = np.zeros(2, np.uint32)
    known = [0x508EFB2C, 0x9375D35F, 0x52DC36A3]
    np.testing.assert_array_equal(words(key, 3), known)
    np.testing.assert_array_equal(_noise.pairs(key, 3)[0], known)
    signs = draw(key, Segment("sign", 0, (8,), 0))
    np.testing.assert_array_equal(signs, [-1, 1, 1, 1, 1, -1, 1, -1])
    normal = draw(key, Segment("normal", 0, (3,), 0))
    np.testing.assert_allclose(normal, [-0.289437347, 0.327298748, -1.333713326], rtol=2e-6)


# Which parameter gets which noise.


def segments_of(tree, noise=None, rank=1):
    return [segments(column, kinds(noise, rank)) for column in Space(tree).columns]


def kinds_of(tree, noise=None, rank=1):
    return [[(p.kind, p.rank) for p in parts] for parts in segments_of(tree, noise, rank)]


def test_names_of_noise():
    assert kinds(None, 3) == Kinds("lowrank", "sign", 3)
    assert kinds("lowrank", 1) == Kinds("lowrank", "normal", 1)
    for name in set(KINDS) - {"lowrank"}:
        assert kinds(name, 1) == Kinds(name, name, 1)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((16, 16), ("lowrank", 2)),
        ((300, 400), ("lowrank", 2)),
        ((3, 3, 8, 16), ("lowrank", 2)),
        ((64, 32, 3, 3), ("lowrank", 2)),
        ((4, 4, 16), ("lowrank", 2)),
        ((15, 5000), ("sign", 0)),
        ((5000, 15), ("sign", 0)),
        ((1, 10_000), ("sign", 0)),
        ((10_000,), ("sign", 0)),
        ((15, 15), ("normal", 0)),
        ((3, 3, 1, 15), ("normal", 0)),
        ((4095,), ("normal", 0)),
        ((), ("normal", 0)),
    ],
)
def test_the_default_fits_the_shape(shape, kind):
    assert kinds_of(jaxhop.float(shape=shape), rank=2) == [[kind]]


def test_low_rank_noise_leaves_thin_matrices_and_vectors_normal():
    tree = {"w": jaxhop.float(shape=(9, 9000)), "b": jaxhop.float(shape=(70_000,))}
    assert kinds_of(tree, "lowrank") == [[("normal", 0)], [("normal", 0)]]


@pytest.mark.parametrize("noise", ["normal", "sparse"])
def test_a_named_kind_is_for_all(noise):
    tree = {"w": jaxhop.float(shape=(300, 300)), "x": jaxhop.float(shape=(3,))}
    assert {kind for parts in kinds_of(tree, noise) for kind, _ in parts} == {noise}


def test_numbers_of_different_units_in_one_matrix_get_plain_noise():
    scale = np.linspace(0.1, 1, 32).reshape(1, 32)
    assert kinds_of(jaxhop.float(shape=(32, 32), scale=scale)) == [[("normal", 0)]]


def test_thousands_of_single_numbers_are_one_segment():
    parts = segments_of([jaxhop.float() for _ in range(5000)])
    assert [[(p.kind, p.shape) for p in own] for own in parts] == [[("normal", (5000,))]]


def test_what_lies_between_matrices_draws_together():
    tree = [jaxhop.float(shape=shape) for shape in ((20, 20), (3,), (4,), (30, 20), (5,))]
    (parts,) = segments_of(tree)
    assert [(p.number, p.shape, p.rank) for p in parts] == [
        (0, (20, 20), 1),
        (1, (7,), 0),
        (3, (30, 20), 1),
        (4, (5,), 0),
    ]


# From noise to candidates and back to their sums.


def test_perturbed_is_base_plus_noise():
    space = Space([jaxhop.float(shape=s, init=0.5) for s in ((20, 20), (7,))])
    (column,), (base,) = space.columns, space.initial()
    parts = segments(column, kinds(None, 2))
    make = jax.jit(lambda size: perturbed(KEY, column, parts, base, size))
    one, other = make(0.1), make(-0.1)
    assert isinstance(one, Perturbed)
    noise = np.concatenate([drawn(KEY[None], part)[0] for part in parts])
    step = 0.1 * column.parameter.reach
    np.testing.assert_allclose(one.written_out(), base + step * noise, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(one.change(), -other.change())


def test_what_has_bounds_or_decimals_is_written_out_at_once():
    for leaf in (jaxhop.float(0, 1, shape=(20, 20)), jaxhop.float(low=0, shape=(20, 20))):
        (column,) = Space(leaf).columns
        parts = segments(column, kinds(None, 1))
        assert parts[0].rank == 1
        base = Space(leaf).initial()[0]
        x = jax.jit(lambda base, c=column, p=parts: perturbed(KEY, c, p, base, 0.9))(base)
        assert isinstance(x, jax.Array)
        assert float(x.min()) >= 0 and (not leaf.bounded or float(x.max()) <= 1)


def test_weighted_is_the_sum_of_draws_times_weights(chosen):
    tree = [jaxhop.float(shape=s) for s in (SHAPE, (3,), (20, 17))]
    (column,) = Space(tree).columns
    parts = segments(column, chosen)
    keys = keys_of(KEY, jnp.arange(3))
    weights = jnp.array([1.0, -2.0, 0.5])
    both = jax.jit(
        lambda: [weighted(keys, weights, parts, low_rank) for low_rank in (False, True)]
    )
    for low_rank, sums in enumerate(both()):
        wanted = [part for part in parts if bool(part.rank) == bool(low_rank)]
        assert [total.shape for total in sums] == [part.shape for part in wanted]
        for total, part in zip(sums, wanted, strict=True):
            expected = (np.asarray(weights) @ drawn(keys, part)).reshape(part.shape)
            np.testing.assert_allclose(total, expected, rtol=1e-5, atol=1e-5)
