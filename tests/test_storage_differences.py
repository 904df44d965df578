"""What has changed between two spaces."""

from typing import Any

import jax
import pytest
from described import CHOICES, Optimizer, Pair, beside, draw, mixed, written

import jaxhop
from jaxhop import Space
from jaxhop.space._check import path_name
from jaxhop.storage._differences import additions, differences


def test_differences_are_told_place_by_place():
    old = written({"opt": {"lr": jaxhop.float(0.1, 1), "k": "sgd"}, "n": [1, 2], "x": mixed()})
    new = written(
        {
            "opt": {"lr": jaxhop.float(0.1, 2), "k": "adam"},
            "n": [1],
            "y": mixed()["opt"],
            "m": jaxhop.float(0, 1),
        }
    )
    lines = differences(old, new)
    assert 'space["opt"]["lr"]: was float(0.1, 1), is float(0.1, 2)' in lines
    assert 'space["opt"]["k"]: was the constant "sgd", is the constant "adam"' in lines
    assert 'space["n"][1]: is gone, was the constant 2' in lines
    assert 'space["m"]: is new, float(0, 1)' in lines
    assert 'space["y"].options[0]["m"]: is new, float(0, 1)' in lines
    assert 'space["x"]["$tuple"]: is gone, was bool()' in lines
    assert differences(old, old) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ([1], (1,), 'space["it"]: was a list, is a tuple'),
        (Pair(1, 2), Pair(1, 3), 'space["it"].second: was the constant 2, is the constant 3'),
        (Pair(1, 2), [1, 2], 'space["it"]: was a Pair, is a list'),
        (Optimizer(1, "a"), Optimizer(1, "b"), 'space["it"]: was a Optimizer with {"static": '),
        (CHOICES[3], CHOICES[6], 'space["it"]: was a choice, is a choice with {"ordinal": true}'),
        (CHOICES[3], CHOICES[4], 'space["it"]: was a choice, is a choice with {"init": '),
        (
            jaxhop.choice(draw, max),
            jaxhop.choice(draw, min),
            'space["it"].options[1]: was the constant {"$text": "max"}, is the constant {"$text"',
        ),
        (
            jaxhop.choice(draw),
            jaxhop.choice(draw, min),
            'space["it"].options[1]: is new, the const',
        ),
        (jaxhop.choice(1), jaxhop.choice(draw), 'space["it"]: was choice(1), is a choice'),
        (1, None, 'space["it"]: was the constant 1, is the constant null'),
        ({}, 1, 'space["it"]: was a dict, is the constant 1'),
        ({0: 1}, {0: 2}, 'space["it"][0]: was the constant 1, is the constant 2'),
    ],
)
def test_a_difference_is_told_where_it_is(old: Any, new: Any, line: str):
    (found,) = differences(written(beside(old)), written(beside(new)))
    assert found.startswith(line)


def test_paths_are_those_of_the_space():
    space = Space({"a": [Optimizer(jaxhop.float(0, 1), "x")], "b": {0: (Pair(jaxhop.bool(), 2),)}})
    found = additions({}, written(space.tree))
    paths = [path for path, leaf in jax.tree_util.tree_leaves_with_path(space.tree) if leaf != 2]
    assert found == [path_name(path) for path in paths]


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ({}, []),
        ({"n": jaxhop.int(0, 3)}, ['space["n"]']),
        ({"n": jaxhop.int(0, 3), "m": jaxhop.bool()}, ['space["m"]', 'space["n"]']),
        ({"n": {"k": 3, "m": [jaxhop.bool()]}}, ['space["n"]["m"][0]']),
        ({"n": CHOICES[3]}, ['space["n"]']),
        ({"it": {"x": jaxhop.bool(), "y": jaxhop.bool()}}, ['space["it"]["y"]']),
        ({"n": 3}, None),
        ({"n": jaxhop.bool(), "m": 3}, None),
        ({"n": jaxhop.fidelity(1, 9)}, None),
        ({"n": jaxhop.bool(), "other": jaxhop.float(0, 2)}, None),
        ({"n": jaxhop.bool(), "it": {}}, None),
        ({"list": [jaxhop.bool(), jaxhop.bool()]}, None),
        ({"list": [jaxhop.int(0, 1)]}, None),
        ({"choice": jaxhop.choice({"x": jaxhop.bool(), "y": jaxhop.bool()})}, None),
    ],
)
def test_additions_are_told_from_other_differences(more: dict[str, Any], names: Any):
    old = {
        **beside({"x": jaxhop.bool()}),
        "list": [jaxhop.bool()],
        "choice": jaxhop.choice({"x": jaxhop.bool()}),
    }
    found = additions(written(old), written({**old, **more}))
    assert (found if found is None else sorted(found)) == names
