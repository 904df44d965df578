"""Distributions, sizes of moves, and random settings of single parameters."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhop import _noise
from jaxhop.space import Choice, Float, Int, Parameter, Permutation, Proposal

KEYS = jax.random.key_data(jax.random.split(jax.random.key(0), 64))
TEMPERATURES = (1.0, 0.1, 1e-3)


def proposal(rate: float, step: Any = 0.5, forced: int = -1) -> Proposal:
    """A proposal of plain numbers."""
    return Proposal(jnp.float32(rate), jnp.float32(step), jnp.float32(step), jnp.int32(forced))


def draws(parameter: Parameter, number: int = 20_000) -> np.ndarray:
    """Values sampled from the prior, whose inputs are words of many keys at once."""
    a, b = _noise.pairs(jnp.uint32([3, 4]), number)
    return np.asarray(
        jax.vmap(lambda a, b: parameter.decode(parameter.draw(a[None], b[None])))(a, b)
    )


@pytest.mark.parametrize(
    ("parameter", "legal"),
    [
        (Int(1, 5), range(1, 6)),
        (Int(-9, 30, multiple_of=4), range(-8, 29, 4)),
        (Int(3, 1000, power_of=2), [2**k for k in range(2, 10)]),
        (Choice(1, 2, 4), [1, 2, 4]),
    ],
    ids=repr,
)
def test_every_legal_value_is_equally_likely(parameter, legal):
    values, counts = np.unique(draws(parameter), return_counts=True)
    assert values.tolist() == list(legal)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_log_integers_are_log_uniform_with_both_ends():
    values, counts = np.unique(draws(Int(1, 20, log=True)), return_counts=True)
    assert values.tolist() == list(range(1, 21))
    expected = np.log((values + 0.5) / (values - 0.5)) / np.log(20.5 / 0.5)
    assert scipy.stats.chisquare(counts, 20_000 * expected).pvalue > 1e-3


@pytest.mark.parametrize(
    ("parameter", "distribution"),
    [
        (Float(-3, 5), scipy.stats.uniform(-3, 8)),
        (Float(1e-3, 10, log=True), scipy.stats.loguniform(1e-3, 10)),
        (Float(scale=2), scipy.stats.norm(0, 2)),
        (Float(low=2, scale=3), scipy.stats.halfnorm(2, 3)),
    ],
    ids=["between", "log", "free", "from below"],
)
def test_floats_have_the_promised_distribution(parameter, distribution):
    assert scipy.stats.kstest(draws(parameter), distribution.cdf).pvalue > 1e-3


def moves(parameter: Parameter, start: Any, step: float, number: int = 4000) -> np.ndarray:
    """Values after one move of every coordinate from `start`."""
    x = parameter.encode(start)

    def one(a, b):
        return parameter.decode(parameter.move(a[None], b[None], x, proposal(1, step)))

    a, b = _noise.pairs(jnp.uint32([5, 6]), number)
    return np.asarray(jax.jit(jax.vmap(one))(a, b))


def test_integer_steps_have_the_asked_size():
    values = moves(Int(0, 999), 500, 0.02)
    assert abs(np.mean(np.abs(values - 500)) / (20 * math.sqrt(2 / math.pi)) - 1) < 0.05
    assert abs(np.mean(values > 500) - 0.5) < 0.03
    assert set(moves(Int(0, 999), 500, 1e-6)) == {499, 501}
    assert set(moves(Int(0, 999), 999, 1e-6)) == {998}


def test_nominal_choices_move_to_any_other_option():
    values, counts = np.unique(moves(Choice(range(5)), 2, 1e-6), return_counts=True)
    assert values.tolist() == [0, 1, 3, 4]
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_ordinal_choices_move_to_their_neighbours():
    assert set(moves(Choice(range(5), ordinal=True), 2, 1e-6)) == {1, 3}


def test_rounded_floats_always_reach_a_neighbour():
    values = moves(Float(0, 1, "0.1f"), 0.5, 1e-6)
    np.testing.assert_allclose(np.unique(values), [0.4, 0.6], rtol=1e-6)
    values = moves(Float(1e-4, 1, "0.1g"), 0.01, 1e-6)
    np.testing.assert_allclose(np.unique(values), [0.005, 0.02], rtol=1e-6)


def test_permutation_shifts_short_segments_when_cold():
    parameter = Permutation(1000)

    def cut(key, temperature):
        a, b = _noise.pairs(key, parameter.pairs)
        x = jnp.arange(1000, dtype=jnp.int32)
        y = parameter.move(a, b, x, proposal(0, temperature, forced=3))
        edges = jnp.abs(jnp.diff(jnp.append(y, y[0])))
        return (edges != 1) & (edges != 999)

    def shortest(places):
        """The shortest of the arcs that the cuts leave, of moves that cut three times: shifts."""
        places = [np.flatnonzero(row) for row in np.asarray(places)]
        # As a ring it is another order, with few new neighbours.
        assert {2, 3, 4} >= {len(row) for row in places}
        return [np.diff(row, append=row[0] + 1000).min() for row in places if len(row) == 3]

    batched = jax.jit(jax.vmap(cut, (0, None)))
    hot, cold = shortest(batched(KEYS, 1.0)), shortest(batched(KEYS, 1e-3))
    assert max(cold) <= 3 < np.median(hot)


def test_permutation_moves_with_the_chance_of_any_coordinate():
    parameter = Permutation(10)

    def moved(key):
        a, b = _noise.pairs(key, parameter.pairs)
        x = jnp.arange(10, dtype=jnp.int32)
        return jnp.any(parameter.move(a, b, x, proposal(0.1)) != x)

    keys = jax.vmap(lambda i: _noise.fold_in(jnp.uint32([0, 1]), i))(jnp.arange(4000))
    assert abs(float(jnp.mean(jax.jit(jax.vmap(moved))(keys))) - (1 - 0.9**10)) < 0.03


def test_words_that_a_loop_shares_do_not_keep_the_compiler():
    # Without `_noise.kept`, JAX 0.12 compiled this for longer than anyone would wait.
    parameter = Float(1e-2, 1e2, log=True, precision=3, shape=(3, 4))
    value = np.ones((64, 3, 4), np.float32)
    moved = jax.jit(jax.vmap(lambda key, x: parameter.mutate(key, x, 0.5)))(KEYS, value)
    assert (np.asarray(moved) != 1).any(axis=(1, 2)).all()


# Random settings: shapes are fixed, so that nothing is compiled again for an example.


def check(parameter: Parameter, temperature: float) -> np.ndarray:
    sample = parameter.sample(KEYS[0])
    mutant = parameter.mutate(KEYS[1], sample, temperature)
    for value in (parameter.initial(), np.asarray(sample), np.asarray(mutant)):
        parameter.validate(value)
    return np.asarray(mutant)


finite = st.floats(-1e4, 1e4, allow_subnormal=False)


@settings(max_examples=15, deadline=None)
@given(low=finite, width=st.floats(1e-2, 1e4), temperature=st.sampled_from(TEMPERATURES))
def test_random_linear_floats_are_legal(low, width, temperature):
    check(Float(low, low + width, shape=16), temperature)


@settings(max_examples=15, deadline=None)
@given(
    low=st.floats(1e-30, 1e30),
    ratio=st.floats(10, 1e7),
    digits=st.none() | st.integers(1, 6),
    temperature=st.sampled_from(TEMPERATURES),
)
def test_random_log_floats_are_legal_and_have_their_digits(low, ratio, digits, temperature):
    values = check(Float(low, low * ratio, log=True, precision=digits, shape=16), temperature)
    if digits is not None:
        scalar = Float(low, low * ratio, log=True, precision=digits)
        for value in values:
            shown = scalar.to_python(None, value)
            assert shown == float(f"{shown:.{digits}g}")
            assert np.float32(shown) == value


@settings(max_examples=15, deadline=None)
@given(
    low=st.integers(-90, 90),
    width=st.floats(0.1, 9),
    decimals=st.integers(1, 4),
    temperature=st.sampled_from(TEMPERATURES),
)
def test_random_decimals_are_exact(low, width, decimals, temperature):
    parameter = Float(low / 10, low / 10 + width, f"0.{decimals}f", shape=16)
    scalar = Float(low / 10, low / 10 + width, f"0.{decimals}f")
    for value in check(parameter, temperature):
        shown = scalar.to_python(None, value)
        assert shown == round(shown, decimals)
        assert np.float32(shown) == value
        scalar.validate(shown)


@settings(max_examples=15, deadline=None)
@given(
    ends=st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 2).filter(lambda e: e[0] != e[1]),
    kind=st.sampled_from([{}, {"log": True}, {"multiple_of": 7}, {"power_of": 3}]),
    temperature=st.sampled_from(TEMPERATURES),
)
def test_random_integers_are_legal(ends, kind, temperature):
    low, high = sorted(ends)
    if "log" in kind or "power_of" in kind:
        low, high = max(low, 1), max(high, 3)
    if "multiple_of" in kind:
        high = min(max(high, low + 7), 2**31 - 1)
        low = min(low, high - 7)
    if "power_of" in kind:
        low = 1
    mutant = check(Int(low, high, shape=16, **kind), temperature)
    parameter = Int(low, high, shape=16, **kind)
    np.testing.assert_array_equal(parameter.decode(parameter.encode(mutant)), mutant)
