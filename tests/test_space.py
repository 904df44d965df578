"""Whole trees: structure, columns, candidates in and out, and what an objective sees."""

import dataclasses
import pickle
from collections import OrderedDict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

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


def test_flat_names_every_number_option_and_array():
    space = mixed()
    flat = space.flat(space.complete({"pair": Pair(["c"], False), "layers": [2, {"drop": 0.1}]}))
    single = {name: value for name, value in flat.items() if not isinstance(value, np.ndarray)}
    assert single == {
        "angle": 0.5,
        "layers.0": 2,
        "layers.1.drop": 0.1,
        "layers.1.width": 32,
        "opt.rate": 0.001,
        "pair.first": ["c"],
        "pair.second": False,
        "size": 16,
    }
    arrays = {name: value for name, value in flat.items() if isinstance(value, np.ndarray)}
    assert set(arrays) == {"net.w", "tour", "tuple.0", "tuple.1"}
    assert Space(Float(0, 1)).flat(0.5) == {"value": 0.5}


def test_many_points_decode_as_one_by_one():
    space = mixed()
    keys = [jnp.array([0, number], jnp.uint32) for number in range(3)]
    points = [jax.device_get(space.draw(key)) for key in keys]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *points)
    many = space.to_python_many(stacked)
    assert len(many) == 3
    for one, point in zip(many, points, strict=True):
        assert_same(one, space.to_python(point))


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
