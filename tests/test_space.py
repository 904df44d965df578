"""Whole trees: structure, columns, candidates in and out, and what an objective sees."""

import dataclasses
import pickle
from collections import OrderedDict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhop import _noise
from jaxhop.space import (
    Bool,
    Choice,
    Custom,
    Float,
    Index,
    Int,
    Option,
    Permutation,
    Proposal,
    Space,
    Weights,
)

KEY = np.array([7, 8], np.uint32)


class Pair(NamedTuple):
    first: Any
    second: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Optimizer:
    rate: Any
    name: Any = dataclasses.field(metadata={"static": True})


class Thing:
    """A constant that JAX knows nothing of."""


THING = Thing()


def mixed() -> Space:
    return Space(
        {
            "opt": Optimizer(Float(1e-5, 1e-1, "0.1g"), "adam"),
            "layers": [Int(1, 9), {"width": Int(8, 64, multiple_of=8), "drop": Float(0, 0.5)}],
            "pair": Pair(Choice("a", "b", ["c"]), Bool(init=True)),
            "tuple": (Float(-1, 1, shape=(2, 3)), Int(0, 5, shape=2), None, "text"),
            "tour": Permutation(6),
            "angle": Custom(jax.random.uniform, lambda key, value: value / 2, init=0.5),
            "net": Weights({"w": np.eye(3, dtype=np.float32), "act": THING}),
            "data": np.arange(3),
            "size": Choice(16, 32),
        }
    )


def proposal(rate: float, forced: int = -1) -> Proposal:
    half = jnp.float32(0.5)
    return Proposal(jnp.float32(rate), half, half, jnp.int32(forced))


def assert_same(got: Any, expected: Any) -> None:
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        if isinstance(y, np.ndarray | jax.Array):
            np.testing.assert_array_equal(x, y)
        else:
            assert x == y
            assert type(x) is type(y)


def test_a_mixed_tree_starts_at_its_initial_values():
    space = mixed()
    start = space.to_python(space.initial())
    assert_same(
        start,
        {
            "opt": Optimizer(0.001, "adam"),
            "layers": [5, {"width": 32, "drop": 0.25}],
            "pair": Pair("a", True),
            "tuple": (np.zeros((2, 3), np.float32), np.array([2, 2], np.int32), None, "text"),
            "tour": np.arange(6, dtype=np.int32),
            "angle": 0.5,
            "net": {"w": np.eye(3, dtype=np.float32), "act": THING},
            "data": np.arange(3),
            "size": 16,
        },
    )
    assert start["data"] is space.tree["data"]
    assert space.size == 1 + 3 + 2 + 6 + 2 + 6 + 1 + 9 + 1
    assert_same(space.complete({}), start)


def test_names_and_flat_hold_the_single_numbers_and_options():
    space = mixed()
    assert space.names == [
        "layers.0",
        "layers.1.drop",
        "layers.1.width",
        "opt.rate",
        "pair.first",
        "pair.second",
        "size",
    ]
    flat = space.flat(space.complete({"pair": Pair(["c"], False), "layers": [2, {"drop": 0.1}]}))
    assert list(flat) == space.names
    assert list(flat.values()) == [2, 0.1, 32, 0.001, ["c"], False, 16]
    assert Space(Float(0, 1)).names == ["value"]


def test_drawn_and_moved_points_are_legal_candidates_and_come_back():
    space = mixed()
    draw = jax.jit(lambda i: space.draw(_noise.fold_in(KEY, i), i, KEY))
    move = jax.jit(lambda i, x: space.move(_noise.fold_in(KEY, i), x, proposal(0.3, i)))
    point = draw(9)
    for i in range(5):
        for other in (draw(i), move(i, point)):
            candidate = space.to_python(other)
            space.validate(candidate)
            assert_same(space.to_python(space.encode(candidate)), candidate)


def test_an_objective_sees_traced_values_of_the_right_dtypes():
    space = mixed()
    seen = []
    jax.jit(lambda point: seen.append(space.decode(point)))(space.initial())
    tree = seen[0]
    assert tree["opt"].rate.dtype == jnp.float32
    assert tree["opt"].name == "adam"
    assert tree["layers"][0].dtype == jnp.int32
    assert isinstance(tree["pair"].first, Option)
    assert tree["pair"].second.dtype == jnp.bool_
    assert tree["tuple"][0].shape == (2, 3)
    assert tree["tuple"][2:] == (None, "text")
    assert tree["net"]["act"] is THING
    assert tree["data"] is space.tree["data"]
    assert tree["size"].dtype == jnp.int32


def test_forced_moves_one_coordinate_of_the_whole_space():
    space = mixed()
    x = space.initial()
    move = jax.jit(lambda forced: space.move(KEY, x, proposal(0, forced)))
    for column in space.columns:
        forced = column.first + column.parameter.size - 1
        moved = [
            sum(jax.tree.leaves(jax.tree.map(lambda u, v: int(np.sum(u != v)), p, q)))
            for p, q in zip(x, move(forced), strict=True)
        ]
        assert [number for number, count in enumerate(moved) if count] == [
            space.columns.index(column)
        ]
        assert isinstance(column.parameter, Permutation) or sum(moved) == 1
    assert_same(move(-1), x)


def test_a_thousand_scalars_are_one_column():
    space = Space({f"x{i}": Float(-i - 1, i) for i in range(1000)})
    assert len(space.columns) == 1
    point = space.draw(KEY)
    assert [array.shape for array in point] == [(1000,)]
    program = jax.make_jaxpr(lambda key: sum(space.decode(space.draw(key)).values()))(KEY)
    assert len(program.eqns) < 2300  # a handful, and for each leaf a reshape and a sum
    candidate = space.to_python(point)
    assert all(-i - 1 <= candidate[f"x{i}"] <= i for i in range(1000))
    space.validate(candidate)


def test_equal_settings_share_columns_and_scalars_come_first():
    space = Space(
        [
            Float(0, 1, shape=3),
            Float(2, 5),
            Float(0, 1, "0.1f"),
            Float(1, 2, log=True),
            Float(),
            Float(scale=3, shape=2),
            Float(low=0),
            Int(0, 9),
            Int(5, 99),
            Int(1, 9, log=True),
            Int(8, 64, multiple_of=8),
            Choice("a", "b"),
            Bool(),
            Choice(1, 2, ordinal=True),
            Choice("only"),
            Float(0, 1, shape=(300, 300)),
            Float(0, 1, shape=2000),
            Float(0, 1, shape=2000),
            Float(0, 2, shape=2000),
        ]
    )
    shared = [column.numbers for column in space.columns]
    assert shared == [
        (1, 0), (2,), (3,), (4, 5), (6,), (7, 8), (9,), (10,), (11, 12), (13,), (14,),
        (16, 17), (18,), (15,),
    ]  # fmt: skip
    assert [column.scalars for column in space.columns] == [
        1,
        1,
        1,
        1,
        1,
        2,
        1,
        1,
        2,
        1,
        1,
        0,
        0,
        0,
    ]
    firsts = np.cumsum([0] + [column.parameter.size for column in space.columns])
    assert [column.first for column in space.columns] == firsts[:-1].tolist()
    assert space.size == firsts[-1]
    assert isinstance(space.columns[8].parameter, Index)
    merged = space.columns[11].parameter
    assert isinstance(merged, Float)
    assert merged.low is not None
    assert merged.low.ndim == 0  # equal bounds are kept once


def test_merged_leaves_keep_their_own_settings():
    space = Space([Float(0, 1), Float(10, 30, init=12), Float([2, 4], [3, 5], shape=2)])
    assert len(space.columns) == 1
    start = space.to_python(space.initial())
    assert start[:2] == [0.5, 12.0]
    np.testing.assert_array_equal(start[2], [2.5, 4.5])
    points = jax.vmap(lambda i: space.decode(space.draw(_noise.fold_in(KEY, i))))(jnp.arange(500))
    for values, low, high in zip(points, (0, 10, [2, 4]), (1, 30, [3, 5]), strict=True):
        spread = np.asarray(high) - np.asarray(low)
        assert (np.abs(values.min(0) - np.asarray(low)) < 0.02 * spread).all()
        assert (np.abs(values.max(0) - np.asarray(high)) < 0.02 * spread).all()


def test_low_discrepancy_draws_stratify_every_scalar():
    space = Space(
        {"a": Float(0, 1), "b": Choice("x", "y"), "c": Int(0, 7), "d": Float(0, 1, shape=2)}
    )
    draw = jax.jit(jax.vmap(lambda i: space.draw(_noise.fold_in(KEY, i), i, KEY)))
    drawn = [space.to_python(row) for row in zip(*draw(jnp.arange(8)), strict=True)]
    assert sorted(int(value["a"] * 8) for value in drawn) == list(range(8))
    assert sorted(value["c"] for value in drawn) == list(range(8))
    assert sorted(value["b"] for value in drawn) == ["x"] * 4 + ["y"] * 4
    assert len({value["d"].tobytes() for value in drawn}) == 8


def test_a_batch_of_points_is_the_points_one_by_one():
    space = mixed()
    draw = jax.jit(jax.vmap(lambda i: space.draw(_noise.fold_in(KEY, i))))
    wide, one = draw(jnp.arange(3)), draw(jnp.arange(2, 3))
    for x, y in zip(jax.tree.leaves(wide), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(x[2], y[0], rtol=1e-6)


def test_a_column_has_the_words_of_its_offset():
    space = Space([Float(0, 1, shape=(300, 300)), Float(0, 1, shape=3), Int(0, 99)])
    assert [column.numbers for column in space.columns] == [(1,), (2,), (0,)]
    for column, array in zip(space.columns, jax.jit(space.draw)(KEY), strict=True):
        words = _noise.pairs(KEY, column.parameter.pairs, column.offset)
        np.testing.assert_array_equal(array, column.parameter.draw(*words))


def test_transfer_carries_a_change_over():
    space = mixed()

    @jax.jit
    def changed():
        base, onto = space.draw(KEY), space.draw(_noise.fold_in(KEY, 1))
        moved = space.move(KEY, base, proposal(0.5))
        return (
            onto,
            moved,
            *(space.transfer(base, *p) for p in ((moved, base), (base, onto), (moved, onto))),
        )

    onto, moved, all_of_it, nothing, something = changed()
    for got, expected in ((all_of_it, moved), (nothing, onto)):
        for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
    space.validate(space.to_python(something))


def test_complete_fills_dicts_and_takes_whole_sequences():
    space = Space(
        {"a": {"x": Float(0, 1), "y": Int(1, 3)}, "b": (Float(0, 2), {"z": Bool()}), "c": 4}
    )
    assert space.complete({}) == {"a": {"x": 0.5, "y": 2}, "b": (1.0, {"z": False}), "c": 4}
    partial = {"a": {"y": 3}, "b": [2, {}], "c": 4}
    assert space.complete(partial) == {"a": {"x": 0.5, "y": 3}, "b": (2, {"z": False}), "c": 4}
    ordered = Space(OrderedDict(b=Float(0, 1), a=Float(0, 2)))
    assert ordered.complete({"a": 2.0}) == OrderedDict(b=0.5, a=2.0)
    assert Space([Float(0, 1), None]).complete([0.25, None]) == [0.25, None]


def test_a_space_of_a_space_is_the_same_and_spaces_can_be_pickled():
    space = Space({"x": Float(0, 1), "n": Int(1, 3)})
    point = space.initial()
    for other in (Space(space), pickle.loads(pickle.dumps(space))):
        assert other.to_python(other.initial()) == space.to_python(point)
        assert other.size == 2


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
    moved = space.move(KEY, space.draw(KEY), proposal(1))
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
    assert space.names == []


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
