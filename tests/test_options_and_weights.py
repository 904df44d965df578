"""Weights, options, and how parameters start and show themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhop.space import Bool, Choice, Float, Int, Option, Permutation, Proposal, Space, Weights

KEY = np.array([7, 8], np.uint32)


class Thing:
    """A constant that JAX knows nothing of."""


THING = Thing()


# Weights


def test_weights_start_bit_for_bit_and_keep_their_dtypes():
    random = np.random.default_rng(0)
    tree = {
        "w": jnp.asarray(random.normal(size=(40, 30)) * 0.037, jnp.float32),
        "half": jnp.asarray(random.normal(size=(7,)), jnp.bfloat16),
        "small": jnp.asarray(random.normal(size=(5,)), jnp.float16),
        "double": random.normal(size=4),
        "bias": jnp.zeros(30),
        "single": jnp.float32(0.3),
        "steps": jnp.arange(3),
        "mask": np.array([True, False]),
        "name": "dense",
        "function": THING,
        "none": None,
        "rate": 0.5,
        "empty": np.zeros((0, 3), np.float32),
    }
    space = Space({"net": Weights(tree), "x": Float(0, 1)})
    start = jax.device_get(
        jax.jit(
            lambda p: {k: v for k, v in space.decode(p)["net"].items() if hasattr(v, "dtype")}
        )(space.initial())
    )
    for name, value in start.items():
        expected = np.asarray(tree[name])
        expected = expected.astype(np.float32) if expected.dtype == np.float64 else expected
        np.testing.assert_array_equal(value, expected)
        assert value.dtype == expected.dtype
    shown = space.to_python(space.initial())["net"]
    assert shown["function"] is THING
    assert (shown["name"], shown["none"], shown["rate"]) == ("dense", None, 0.5)
    assert all(isinstance(shown[name], np.ndarray) for name in ("w", "half", "single"))
    dtypes = {str(array.dtype) for array in space.initial()}
    assert dtypes == {"float32", "bfloat16", "float16"}
    half = jnp.float32(0.5)
    everywhere = Proposal(rate=jnp.float32(1), step=half, temperature=half, forced=jnp.int32(-1))
    moved = space.move(KEY, space.draw(KEY), everywhere)
    assert {str(array.dtype) for array in moved} == dtypes
    space.validate(space.to_python(moved))


def test_weights_are_scaled_by_powers_of_two_near_their_deviations():
    random = np.random.default_rng(1)
    wide, narrow = (random.normal(size=(50, 50)) * s for s in (1.0, 0.03))
    scales = [float(leaf.scale) for leaf in Weights([wide, narrow, np.zeros(5)]).leaves()]
    assert scales == [1.0, 0.03125, 0.0625]  # nearest to 1, 0.03 and a tenth of their median
    assert [float(leaf.scale) for leaf in Weights([np.zeros(5)]).leaves()] == [0.125]
    assert [float(leaf.scale) for leaf in Weights([wide, np.ones(2)], 0.3).leaves()] == [0.25] * 2
    assert [float(leaf.scale) for leaf in Weights([wide, 1], [2.0, 0]).leaves()] == [2.0]


def test_small_weights_merge_by_dtype():
    space = Space(
        Weights([np.ones((4, 4), np.float32), np.zeros(4, np.float32), np.ones(3, jnp.bfloat16)])
    )
    assert [column.numbers for column in space.columns] == [(0, 1), (2,)]


# Options


@pytest.fixture
def option():
    return Choice("relu", "tanh", None, [1]).decode(jnp.int32(1))


def test_an_option_compares_with_its_options(option):
    assert [bool(option == other) for other in ("relu", "tanh", None, [1])] == [0, 1, 0, 0]
    assert [bool(option != other) for other in ("relu", "tanh", None, [1])] == [1, 0, 1, 1]
    assert bool(option == option)
    traced = jax.jit(jax.vmap(lambda index: Option(index, option.choices) == "tanh"))
    assert traced(jnp.arange(4)).tolist() == [False, True, False, False]


def test_an_option_switches_between_functions(option):
    functions = (lambda: 1.0, lambda name: 2.0, lambda name: 3.0, lambda name: float(name[0]))
    assert float(option.switch(*functions)) == 2.0
    traced = jax.jit(jax.vmap(lambda index: Option(index, option.choices).switch(*functions)))
    assert traced(jnp.arange(4)).tolist() == [1.0, 2.0, 3.0, 1.0]
    numbers = Choice(jnp.sin, jnp.cos).decode(jnp.int32(1))
    assert float(numbers.switch(*[lambda function: function(0.0)] * 2)) == 1.0


def test_an_option_can_be_shown_while_traced(option):
    shown = []
    jax.jit(lambda option: shown.append(repr(option)))(option)
    assert "options=('relu', 'tanh', None, [1])" in shown[0]


def test_an_option_may_be_unhashable_and_is_given_back_itself():
    options = [{"a": 1}, [1, 2], THING]
    choice = Choice(options)
    for index, expected in enumerate(options):
        assert choice.to_python(np.int32(index), None) is expected
        assert int(choice.encode(expected)) == index
    # The same program serves all candidates: the static part is equal to itself.
    traces = []
    program = jax.jit(lambda x: traces.append(x) or (choice.decode(x) == THING))
    assert [bool(program(jnp.int32(i))) for i in range(3)] == [False, False, True]
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("options", "dtype", "shape"),
    [
        ((1, 2), "int32", ()),
        ((1, 2.5), "float32", ()),
        ((np.float64(1), 2), "float32", ()),
        ((True, False), "bool", ()),
        ((np.zeros(2), np.ones(2)), "float32", (2,)),
        ((np.zeros(2, np.int8), np.ones(2, np.int8)), "int8", (2,)),
        ((True, 2), None, None),
        ((1, "a"), None, None),
        ((np.zeros(2), np.ones(3)), None, None),
        ((1, 2**40), None, None),
        ((None, 1), None, None),
    ],
    ids=repr,
)
def test_numbers_are_seen_as_numbers_and_all_else_as_options(options, dtype, shape):
    seen = Choice(options).decode(jnp.int32(1))
    if dtype is None:
        assert isinstance(seen, Option)
    else:
        assert (str(seen.dtype), seen.shape) == (dtype, shape)
        np.testing.assert_array_equal(seen, options[1])


def test_options_are_told_apart_by_identity_before_equality():
    assert int(Choice(1, True).encode(True)) == 1
    first, second = np.zeros(2), np.zeros(2)
    assert int(Choice(first, second).encode(second)) == 1


# Formats and spellings


@pytest.mark.parametrize(
    ("parameter", "shown"),
    [
        (Float(0, 1, "0.2f"), "float(low=0.0, high=1.0, precision=2)"),
        (Float(0.05, 0.99, ".1f"), "float(low=0.1, high=0.9, precision=1)"),
        (Float(low=0, high=1), "float(low=0.0, high=1.0)"),
        (Float(low=np.float32(0.1), shape=2), "float(low=0.1, shape=(2,))"),
        (Float(high=3, scale=2), "float(high=3.0, scale=2.0)"),
        (
            Float(1, 10, log=True, dtype=jnp.bfloat16),
            "float(low=1.0, high=10.0, log=True, dtype='bfloat16')",
        ),
        (Int(1, 9), "int(1, 9)"),
        (Int([1, 2], 9, shape=2), "int([1, 2], 9, shape=(2,))"),
        (Int(1, 9, multiple_of=2), "int(1, 9, multiple_of=2)"),
        (Choice("a", 1, ordinal=True), "choice('a', 1, ordinal=True)"),
        (Permutation(5), "permutation(5)"),
        (Space([Bool()]), "Space([choice(False, True)])"),
    ],
    ids=repr,
)
def test_parameters_show_how_they_are_made(parameter, shown):
    assert repr(parameter) == shown


@pytest.mark.parametrize(
    ("parameter", "initial"),
    [
        (Float(), 0.0),
        (Float(low=3, scale=2), 5.0),
        (Float(high=3), 2.0),
        (Float(1e-4, 1e-2, log=True), 0.001),
        (Float(0.12, 0.98, "0.1f"), 0.6),
        (Float(0, 1, init=0.1), 0.1),
        (Int(1, 10), 5),
        (Int(1, 10**6, log=True), 1000),
        (Int(-3, 30, multiple_of=10), 10),
        (Choice("a", "b", init="b"), "b"),
        (Choice(1, 2, 3, 4, ordinal=True), 2),
        (Bool(), False),
    ],
    ids=repr,
)
def test_the_default_start_is_the_middle(parameter, initial):
    start = parameter.initial()
    assert start == initial
    assert type(start) is type(initial)


def test_decimals_are_shown_exactly():
    values = [0.01 * k for k in range(101)]
    parameter = Float(0, 1, "0.2f")
    decoded = np.asarray(parameter.decode(np.asarray(values, np.float32)))
    shown = [parameter.to_python(None, value) for value in decoded]
    assert shown == [float(f"{value:.2f}") for value in values]
    assert [parameter.to_python(None, np.float32(v)) for v in (0.03, -0.0)] == [0.03, 0.0]
    assert str(parameter.to_python(None, np.float32(-0.001))) == "0.0"


def test_bounds_given_in_float32_hold_for_decimals():
    parameter = Float(np.float32(0.1), np.float32(0.7), "0.1f")
    assert (float(parameter.low), float(parameter.high)) == (0.1, 0.7)
    parameter = Float(np.full(2, 0.1, np.float32), 0.7, "0.1f", shape=2)
    assert float(parameter.low) == 0.1
