"""The contract of every parameter type: one table, one set of checks for all of its lines."""

import math
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhop import _noise
from jaxhop.space import (
    Bool,
    Choice,
    Custom,
    Float,
    Int,
    Parameter,
    Permutation,
    Proposal,
    Weights,
)

TREE = {"w": np.full((4, 5), 0.1, np.float32), "b": np.zeros(3, np.float32), "n": np.arange(2)}

# To put a new parameter type under the contract, add a line.
PARAMETERS = {
    "float": lambda: Float(0, 1),
    "float array": lambda: Float(-3, 5, shape=(4, 5)),
    "float array bounds": lambda: Float(np.zeros(8), np.arange(1, 9), shape=8),
    "float log": lambda: Float(1e-5, 1e-1, log=True),
    "float free array": lambda: Float(scale=np.arange(1, 21), shape=20),
    "float from below": lambda: Float(low=2),
    "float from above": lambda: Float(high=-1, scale=3, shape=8),
    "float decimals": lambda: Float(0, 1, "0.2f"),
    "float decimals array": lambda: Float(-1, 1, precision=1, shape=8),
    "float digits": lambda: Float(1e-6, 1e3, "0.1g"),
    "float digits array": lambda: Float(1e-2, 1e2, log=True, precision=3, shape=(2, 4)),
    "float free decimals": lambda: Float(precision=2),
    "float16": lambda: Float(-1, 2, shape=8, dtype=jnp.float16),
    "bfloat16 free": lambda: Float(shape=8, dtype=jnp.bfloat16),
    "int": lambda: Int(1, 5),
    "int array": lambda: Int(-3, 3, shape=20),
    "int array bounds": lambda: Int(np.arange(8) - 9, np.arange(8), shape=8),
    "int whole": lambda: Int(-(2**31), 2**31 - 1, shape=8),
    "int log": lambda: Int(1, 10**5, log=True),
    "int log large": lambda: Int(1, 2**31 - 1, log=True, shape=8),
    "int multiple": lambda: Int(-9, 30, multiple_of=4, shape=8),
    "int power": lambda: Int(3, 1000, power_of=2, shape=8),
    "choice": lambda: Choice("adam", "sgd", None),
    "choice numbers": lambda: Choice([0.1, 0.2, 0.4]),
    "choice ordinal": lambda: Choice(16, 32, 64, 128, ordinal=True),
    "choice arrays": lambda: Choice(np.zeros(3), np.ones(3)),
    "bool": lambda: Bool(),
    "permutation 2": lambda: Permutation(2),
    "permutation": lambda: Permutation(40),
    "custom": lambda: Custom(
        lambda key: {"x": jax.random.normal(key, (3,)), "n": jax.random.randint(key, (), 0, 9)},
        lambda key, value: {"x": value["x"] + 1, "n": value["n"] + 1},
    ),
    "custom temperature": lambda: Custom(
        jax.random.uniform,
        lambda key, value, temperature: value + temperature * (1 + jax.random.uniform(key)),
    ),
    "weights": lambda: Weights(TREE),
}

NUMBER = 64
KEYS = jax.random.key_data(jax.random.split(jax.random.key(0), NUMBER))
WORDS = jax.vmap(lambda key: _noise.pairs(key, 80))(KEYS)  # made once: they compile slowly
TEMPERATURES = (1.0, 0.1, 1e-3)


def proposal(rate: Any, step: Any = 0.5, forced: Any = -1) -> Proposal:
    """A proposal of plain numbers."""
    return Proposal(
        jnp.float32(rate), jnp.float32(step), jnp.float32(step), jnp.asarray(forced, jnp.int32)
    )


def facts(parameter: Parameter, key: jax.Array, words: tuple[Any, Any]) -> dict[str, Any]:
    """All that the contract speaks of, for one key; compiled once for each parameter."""
    (a, c), (b, d) = (jnp.split(word[: 2 * parameter.pairs], 2) for word in words)
    x = parameter.draw(a, b)
    value = parameter.decode(x)
    forced = _noise.below(a[0], max(parameter.size, 1))
    # Batches inside keep the compiled program small: to stay, to be forced, to move all over.
    three = proposal(jnp.array([0, 0, 1]), jnp.full(3, 0.5), jnp.array([-1, forced, -1]))
    moved = jax.vmap(lambda p: parameter.move(c, d, x, p))(three)
    unmoved, pushed, y = (jax.tree.map(lambda leaf, i=i: leaf[i], moved) for i in range(3))
    mutated = jax.vmap(lambda t: parameter.mutate(key, value, t))(jnp.array(TEMPERATURES))
    return {
        "x": x,
        "value": value,
        "again": parameter.encode(value),
        "mutated": [jax.tree.map(lambda leaf, i=i: leaf[i], mutated) for i in range(3)],
        "unmoved": unmoved,
        "forced": forced,
        "forced move": pushed,
        "y": y,
        "transferred": parameter.transfer(x, y, x),
        "kept": parameter.transfer(x, x, y),
    }


@pytest.fixture(scope="module", params=PARAMETERS, ids=lambda name: name.replace(" ", "-"))
def case(request):
    parameter = PARAMETERS[request.param]()
    batched = jax.jit(
        jax.vmap(lambda key, words: facts(parameter, key, words)),
        compiler_options={"xla_backend_optimization_level": 0},  # no less right, sooner compiled
    )
    return SimpleNamespace(
        name=request.param, parameter=parameter, facts=jax.device_get(batched(KEYS, WORDS))
    )


def row(tree: Any, i: int) -> Any:
    """One of a batch of pytrees."""
    return jax.tree.map(lambda leaf: leaf[i], tree)


def assert_same(got: Any, expected: Any, rtol: float = 0.0) -> None:
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        if rtol and np.issubdtype(np.asarray(y, np.float32).dtype, np.floating):
            x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)
        else:
            np.testing.assert_array_equal(x, y)


def differ(x: Any, y: Any) -> bool:
    pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True)
    return any(bool(np.any(u != v)) for u, v in pairs)


def elements(tree: Any) -> np.ndarray:
    """The numbers of a pytree in one flat array."""
    return np.concatenate([np.ravel(np.asarray(x, np.float64)) for x in jax.tree.leaves(tree)])


def tolerance(parameter: Parameter) -> float:
    """How exactly numbers come back: float32 logarithms are right to some 1e-6 of the range."""
    if isinstance(parameter, Float):
        return max(1e-5, 2 * float(jnp.finfo(parameter.dtype).eps))
    logarithmic = isinstance(parameter, Int) and parameter.log
    return 1e-5 if logarithmic or isinstance(parameter, Custom | Weights) else 0.0


def test_samples_and_mutants_are_legal(case):
    for batch in (case.facts["value"], *case.facts["mutated"]):
        for i in range(0, NUMBER, 3):
            value = row(batch, i)
            if isinstance(case.parameter, Choice):  # decoded, because coordinates are not at hand
                case.parameter.validate(jax.tree.map(jnp.asarray, value))
            else:
                case.parameter.validate(case.parameter.to_python(None, value))


def test_the_initial_value_is_legal_and_keeps_through_the_coordinates(case):
    start = case.parameter.initial()
    case.parameter.validate(start)
    x = jax.device_get(case.parameter.encode(start))
    python = case.parameter.to_python(x, jax.device_get(case.parameter.decode(x)))
    assert_same(python, start, tolerance(case.parameter) if "log" in case.name else 0.0)
    assert jax.tree.map(type, python) == jax.tree.map(type, start)


def test_samples_spread(case):
    batch = [elements(row(case.facts["x"], i)).tobytes() for i in range(NUMBER)]
    legal = case.parameter.size and len(set(batch))
    assert legal >= {"bool": 2, "choice arrays": 2, "permutation 2": 2}.get(case.name, 3)


def test_mutants_differ(case):
    for batch in case.facts["mutated"]:
        changed = [differ(row(batch, i), row(case.facts["value"], i)) for i in range(NUMBER)]
        coarse = isinstance(case.parameter, Float) and (
            # A step reflected at a bound may round to where it began; 8 bits lose small steps.
            case.parameter.precision is not None or case.parameter.dtype != jnp.float32
        )
        if not coarse:
            assert all(changed)
        elif case.parameter.dtype == jnp.float32:
            assert np.mean(changed) > 0.85


def test_a_random_number_of_elements_mutates(case):
    if not isinstance(case.parameter, Float | Int | Weights) or case.parameter.size < 8:
        return
    for batch in case.facts["mutated"][:1]:
        pairs = [(row(batch, i), row(case.facts["value"], i)) for i in range(NUMBER)]
        moved = [int(np.sum(elements(x) != elements(y))) for x, y in pairs]
        assert min(moved) <= 2
        assert max(moved) > case.parameter.size // 2
        assert len(set(moved)) >= 4


def test_nothing_moves_at_rate_0_and_one_coordinate_if_forced(case):
    assert_same(case.facts["unmoved"], case.facts["x"])
    for i in range(NUMBER):
        x, y = row(case.facts["x"], i), row(case.facts["forced move"], i)
        if isinstance(case.parameter, Permutation | Custom):
            assert differ(x, y)
        else:
            changed = np.flatnonzero(elements(x) != elements(y))
            low_bits = isinstance(case.parameter, Float) and case.parameter.dtype != jnp.float32
            if not (low_bits and changed.size == 0):
                np.testing.assert_array_equal(changed, [case.facts["forced"][i]])


def test_everything_moves_at_rate_1(case):
    if not isinstance(case.parameter, Permutation | Custom):
        assert np.mean(elements(case.facts["x"]) != elements(case.facts["y"])) > 0.99


def test_coordinates_and_values_correspond(case):
    if case.parameter.__class__ is not Float or case.parameter.precision is None:
        assert_same(case.facts["again"], case.facts["x"], tolerance(case.parameter))
    for i in range(4):
        x = row(case.facts["x"], i)
        python = case.parameter.to_python(x, row(case.facts["value"], i))
        case.parameter.validate(python)
        decoded = jax.device_get(case.parameter.decode(case.parameter.encode(python)))
        exact = isinstance(case.parameter, Float) and case.parameter.precision is not None
        rtol = 0.0 if exact else tolerance(case.parameter)
        if not isinstance(case.parameter, Choice) or case.parameter.table is not None:
            assert_same(decoded, row(case.facts["value"], i), rtol)


def test_a_change_is_transferred(case):
    assert_same(case.facts["transferred"], case.facts["y"], tolerance(case.parameter))
    assert_same(case.facts["kept"], case.facts["y"], tolerance(case.parameter))


def test_a_batch_under_jit_is_one_without(case):
    sample = case.parameter.sample(KEYS[5])
    assert_same(jax.device_get(sample), row(case.facts["value"], 5), tolerance(case.parameter))


def test_dtypes_do_not_change_on_the_way(case):
    form = jax.tree.map(lambda leaf: getattr(leaf, "dtype", None), case.facts["x"])
    for name in ("again", "unmoved", "forced move", "y", "transferred", "kept"):
        assert jax.tree.map(lambda leaf: getattr(leaf, "dtype", None), case.facts[name]) == form


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
    ids=repr,
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


def test_permutation_moves_are_local_when_cold():
    parameter = Permutation(1000)

    def changed(key, temperature):
        a, b = _noise.pairs(key, parameter.pairs)
        x = jnp.arange(1000, dtype=jnp.int32)
        y = parameter.move(a, b, x, proposal(0, temperature, forced=3))
        edges = jnp.abs(jnp.diff(jnp.append(y, y[0])))
        return jnp.sum((edges != 1) & (edges != 999)), jnp.sum(x != y)

    batched = jax.jit(jax.vmap(changed, (0, None)))
    (cut, hot), (cut_too, cold) = batched(KEYS, 1.0), batched(KEYS, 1e-3)
    # As a ring it is another order, with few new neighbours.
    assert {2, 3, 4} >= set(np.append(cut, cut_too).tolist())
    assert np.median(hot) > 2 * np.median(cold)


def test_permutation_moves_with_the_chance_of_any_coordinate():
    parameter = Permutation(10)

    def moved(key):
        a, b = _noise.pairs(key, parameter.pairs)
        x = jnp.arange(10, dtype=jnp.int32)
        return jnp.any(parameter.move(a, b, x, proposal(0.1)) != x)

    keys = jax.vmap(lambda i: _noise.fold_in(jnp.uint32([0, 1]), i))(jnp.arange(4000))
    assert abs(float(jnp.mean(jax.jit(jax.vmap(moved))(keys))) - (1 - 0.9**10)) < 0.03


# Random settings: shapes are fixed, so that nothing is compiled again for an example.


def check(parameter: Parameter, temperature: float) -> np.ndarray:
    sample = parameter.sample(KEYS[0])
    mutant = parameter.mutate(KEYS[1], sample, temperature)
    for value in (parameter.initial(), np.asarray(sample), np.asarray(mutant)):
        parameter.validate(value)
    return np.asarray(mutant)


finite = st.floats(-1e4, 1e4, allow_subnormal=False)


@settings(max_examples=30, deadline=None)
@given(low=finite, width=st.floats(1e-2, 1e4), temperature=st.sampled_from(TEMPERATURES))
def test_random_linear_floats_are_legal(low, width, temperature):
    check(Float(low, low + width, shape=16), temperature)


@settings(max_examples=30, deadline=None)
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


@settings(max_examples=30, deadline=None)
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


@settings(max_examples=30, deadline=None)
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
