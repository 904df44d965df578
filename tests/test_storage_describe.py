"""Spaces as JSON, back, and what has changed."""

import collections
import functools
import json
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
from described import (
    CALLS,
    CHOICES,
    FINAL,
    ONE,
    Optimizer,
    Pair,
    Thing,
    beside,
    draw,
    mixed,
    model,
    near,
    written,
)

import jaxhop
from jaxhop import Space
from jaxhop.storage._describe import describe, rebuild, signature
from jaxhop.storage._differences import additions, differences
from jaxhop.storage._leaves import text


@pytest.mark.parametrize(("parameter", "call"), CALLS, ids=[call for _, call in CALLS])
def test_a_parameter_is_the_call_that_makes_it(parameter: Any, call: str):
    assert text(parameter) == call
    assert written(beside(parameter))["it"] == call
    assert_comes_back(beside(parameter))


def assert_comes_back(tree: Any) -> Space:
    description = written(tree)
    again = rebuild(description)
    assert json.loads(json.dumps(describe(again))) == description
    return again


@pytest.mark.parametrize("node", CHOICES, ids=repr)
def test_choices_of_objects_and_spaces_come_back(node: Any):
    assert_comes_back(beside(node))


def test_whole_trees_come_back():
    assert_comes_back(mixed())
    assert_comes_back(jaxhop.float(0, 1))
    assert_comes_back([jaxhop.float(0, 1), 3])


def test_leaves_of_what_came_back_are_the_same():
    tree = [*(parameter for parameter, _ in CALLS[:-1]), *CHOICES, mixed()]
    space, again = Space(tree), assert_comes_back(tree)
    jax.tree.map(np.testing.assert_array_equal, space.initial(), again.initial())
    for column, other in zip(space.columns, again.columns, strict=True):
        assert column.numbers == other.numbers
        for one, two in zip(column.leaves, other.leaves, strict=True):
            assert type(one) is type(two)
            for name, setting in vars(one).items():
                got = getattr(two, name)
                if name == "choices":
                    setting, got = setting.options, got.options
                if name == "dtype":
                    assert got == setting
                else:
                    np.testing.assert_array_equal(comparable(got), comparable(setting))


def comparable(setting: Any) -> Any:
    """Options one by one, for they make no array."""
    return repr(setting) if isinstance(setting, tuple) else setting


def test_points_of_what_came_back_are_the_same_candidates():
    space, again = Space(mixed()), assert_comes_back(mixed())
    point = jax.jit(space.draw)(np.array([7, 8], np.uint32))
    one, two = space.to_python(point), again.to_python(point)
    assert jax.tree.structure(one) == jax.tree.structure(two)
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        assert type(x) is type(y)
        np.testing.assert_array_equal(x, y)


def test_descriptions_are_read_by_people():
    assert written(mixed()) == {
        "$dict": [
            ["$tuple", "bool()"],
            [
                "data",
                {"$constant": {"$array": {"dtype": "int64", "shape": [3], "data": [0, 1, 2]}}},
            ],
            [
                "layers",
                ["int(1, 9)", {"width": "int(8, 64, multiple_of=8)", "x": {"$constant": "text"}}],
            ],
            [
                "numbers",
                {
                    "$dict": [
                        [0, "float(0, 1)"],
                        [2, {"$constant": {"$scalar": {"dtype": "float32", "data": 0.5}}}],
                        [10, {"$constant": 3}],
                    ]
                },
            ],
            [
                "opt",
                {
                    "$choice": [
                        {"k": {"$constant": "sgd"}, "m": "float(0, 1)"},
                        {"k": {"$constant": "adam"}},
                        {"$constant": "none"},
                        {"$constant": None},
                    ]
                },
            ],
            [
                "tuple",
                {
                    "$tuple": [
                        "float(-1, 1, shape=(2, 3))",
                        {"$constant": None},
                        {"$constant": True},
                        {"$tuple": []},
                        {},
                    ]
                },
            ],
        ]
    }


@pytest.mark.parametrize(("parameter", "start"), FINAL, ids=[start for _, start in FINAL])
def test_what_cannot_come_back_says_so_with_its_place(parameter: Any, start: str):
    description = written(beside(parameter))
    assert description["it"].startswith(start)
    with pytest.raises(
        ValueError, match=r'^`space\["it"\]`: .* cannot be made again from its text'
    ):
        rebuild(description)


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ({"f": near}, r'space\["f"\]'),
        ({"f": [Thing()]}, r'space\["f"\]\[0\]'),
        ({"f": np.arange(65)}, r'space\["f"\]'),
        ({"f": Pair(1, 2)}, r'space\["f"\]'),
        ({"f": Optimizer(jaxhop.float(0, 1), "adam")}, r'space\["f"\]'),
        ({"f": collections.OrderedDict(a=1)}, r'space\["f"\]'),
        ({"f": jaxhop.choice(draw, near)}, r'space\["f"\]\.options\[0\]'),
        ({"f": jaxhop.choice({1}, {2}, sample=lambda rng: {1})}, r'space\["f"\]'),
        ({"f": jaxhop.choice(1, ONE, init=ONE)}, r'space\["f"\]'),
        ({"f": jaxhop.choice({"f": draw}, {"x": jaxhop.float(0, 1)})}, r'space\["f"\].*\["f"\]'),
    ],
)
def test_objects_cannot_come_back(tree: Any, place: str):
    description = written(beside(0) | tree)
    assert "0x" not in json.dumps(description)
    with pytest.raises(ValueError, match=rf"^`{place}`: .*Give the space"):
        rebuild(description)


def test_different_spaces_are_described_differently():
    trees = [beside(parameter) for parameter, _ in CALLS + FINAL]
    trees += [beside(node) for node in CHOICES]
    trees += [
        beside(jaxhop.float(0, 1 + 1e-15)),
        beside(jaxhop.float(0, 2 * np.arange(1, 1026), shape=1025)),
        beside(jaxhop.permutation(1025, init=np.arange(1025)[::-1])),
        beside(jaxhop.custom(draw, near, init=[0, 2], python=True)),
        beside(jaxhop.weights(model(), scale=2)),
        beside(jaxhop.weights(model(2.0), scale=0.5)),
        beside(jaxhop.weights({**model(), "act": draw}, scale=0.5)),
        beside(jaxhop.choice(draw, near)),
        beside(jaxhop.choice(near, draw)),
        beside(jaxhop.choice(draw, near, init=near)),
        beside(np.arange(65)),
        beside(np.arange(65)[::-1]),
        beside((1,)),
        beside([1]),
        beside({0: 1}),
        beside({"0": 1}),
        beside(1.0),
        beside(np.ones(1)),
        beside(Pair(1, 2)),
        beside(Optimizer(1, "adam")),
        beside(Optimizer(1, "sgd")),
        beside(Thing()),
    ]
    assert len({json.dumps(written(tree), sort_keys=True) for tree in trees}) == len(trees)


def test_every_process_describes_alike():
    program = (
        "import json, sys; sys.path.insert(0, 'tests');"
        "import described as here;"
        "trees = [here.beside(each[0]) for each in here.CALLS + here.FINAL];"
        "trees += map(here.beside, here.CHOICES);"
        "words = {f'word {k}' for k in range(20)};"
        "objects = words, here.Thing(), here.Optimizer(here.Thing(), here.near);"
        "trees += [here.mixed(), here.beside(objects)];"
        "print(json.dumps([here.written(tree) for tree in trees]))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "call",
    [
        "__import__('os').system('touch harm')",
        "float(__import__('os').getpid(), 1)",
        "eval('1')",
        "weights([1.0])",
        "float(0, 10**3)",
        "float(*[0, 1])",
        "float(0, 1, **{'log': False})",
        "float(0, 1) if True else 0",
        "jaxhop.float(0, 1)",
        "(lambda: 0)()",
        "float(1, 0)",
        "float(0, 1, dtype='O')",
        "float(0, 1, sample='x')",
        "float(0, 1, shape=(-1,))",
        "float( 0, 1)",
        "int(0, 1, nothing=1)",
        "choice()",
        "permutation(1)",
        "((((((((((",
        "(" * 100_000,
        "\0",
        "float",
        "0",
        "",
    ],
)
def test_text_is_never_executed(call: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r'^`space\["it"\]`: .*\n?.*cannot be made again'):
        rebuild({"it": call, "other": "float(0, 1)"})
    assert not list(tmp_path.iterdir())


DEEP: Any = functools.reduce(lambda inner, _: [inner], range(900), "float(0, 1)")


@pytest.mark.parametrize(
    "description",
    [
        None,
        3,
        True,
        {},
        [],
        {"x": 3},
        {"x": None},
        {"$tuple": 3},
        {"$tuple": ["float(0, 1)"], "b": 1},
        {"$unknown": ["float(0, 1)"]},
        {"$node": 3},
        {"$node": "Pair", "children": 3},
        {"$constant": 3},
        {"x": {"$constant": [3]}, "y": "float(0, 1)"},
        {"x": {"$constant": {"$array": {}}}, "y": "float(0, 1)"},
        {"x": {"$constant": {"$text": 3}}, "y": "float(0, 1)"},
        {"$dict": 3},
        {"$dict": [3]},
        {"$dict": [[[], "float(0, 1)"]]},
        {"$dict": [[{"$tuple": 3}, "float(0, 1)"]]},
        {"$dict": [[1, "float(0, 1)"], ["a", "float(0, 1)"]]},
        {"$choice": 3},
        {"$choice": []},
        {"$choice": ["float(0, 1)"], "init": {"$tuple": 3}},
        {"$choice": ["float(0, 1)"], "init": 7},
        {"$choice": [{"$constant": 1}, {"$constant": {"$float": "inf"}}], "init": 7},
        {"$choice": [{"$constant": {"$float": "inf"}}], "init": "no"},
        {"$choice": ["float(0, 1)"], "sample": "draw"},
        {"$choice": ["float(0, 1)"], "harm": 1},
        {"$choice": ["fidelity(1, 9)", "float(0, 1)"]},
        DEEP,
    ],
)
def test_damaged_descriptions_are_refused_in_a_sentence(description: Any):
    with pytest.raises(ValueError, match=r"^`space.*\."):
        rebuild(description)
    for other in (describe(Space(mixed())), {"x": "float(0, 1)"}):
        if description is not DEEP:
            assert differences(description, other)
            assert differences(other, description)
            additions(description, other)
            additions(other, description)


class Callable:
    def __call__(self, params: Any, *rest: Any, key: Any = None, **more: Any) -> float:
        del params, rest, key, more
        return 0.0


def test_objectives_are_told_apart_by_name_and_parameters():
    assert signature(near) == "near(rng, value)"
    assert signature(jax.jit(near)) == "near(rng, value)"
    assert signature(lambda p: 0) == "<lambda>(p)"
    partial = functools.partial(near, value=1)
    assert signature(partial) == "functools.partial(<function near>, value=1)(rng, *, value)"[
        :43
    ] + ("(rng, value)")
    assert signature(Callable()).endswith("Callable object>(params, *rest, key, **more)")
    assert signature(min) == "min(…)"
