"""The contract of every parameter type: one table, one set of checks for all of its lines."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhop import _noise
from jaxhop.space import (
    Bool,
    Choice,
    Conditional,
    Custom,
    Float,
    Int,
    Parameter,
    Permutation,
    Proposal,
    Weights,
    choice,
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
    "conditional": lambda: choice(
        {"kind": "sgd", "momentum": Float(0, 1), "steps": Int(1, 9, shape=2)},
        {"kind": "adam", "beta": Float(0.5, 1), "other": choice(Int(1, 5), Float(2, 3, shape=4))},
    ),
    "guess": lambda: Float(0, 1, init=0.2, confidence="high"),
    "own rules": lambda: Int(1, 5, sample=lambda rng: 1, mutate=lambda rng, value: value),
    "active": lambda: Int(1, 5, shape=8, active=lambda params: 4),
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
    return 1e-5 if logarithmic or isinstance(parameter, Custom | Weights | Conditional) else 0.0


def test_samples_and_mutants_are_legal(case):
    for batch in (case.facts["value"], *case.facts["mutated"]):
        for i in range(0, NUMBER, 3):
            value = row(batch, i)
            if isinstance(
                case.parameter, Choice | Conditional
            ):  # decoded, because coordinates are not at hand
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
        if isinstance(case.parameter, Conditional):  # options that are not chosen are forgotten
            again = jax.device_get(case.parameter.encode(python))
            assert str(case.parameter.to_python(again, None)) == str(python)
        elif not isinstance(case.parameter, Choice) or case.parameter.table is not None:
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
