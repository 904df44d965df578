"""Spaces of ConfigSpace."""

import sys

import pytest
from ConfigSpace import (
    AndConjunction,
    Beta,
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    GreaterThanCondition,
    InCondition,
    Integer,
    Normal,
    NotEqualsCondition,
    OrConjunction,
)

import jaxhop
from jaxhop import space_from_configspace


def space_of(*hyperparameters, conditions=()):
    cs = ConfigurationSpace(seed=0)
    cs.add(*hyperparameters)
    cs.add(*(condition(cs) for condition in conditions))
    return cs


def flat(candidate):
    """What ConfigSpace makes of a candidate: its names are never used twice."""
    found = {}
    for name, value in candidate.items():
        found |= flat(value) if isinstance(value, dict) else {name: value}
    return found


def drawn(tree, n=200):
    """Random candidates."""
    space = jaxhop.Space(tree)
    points = jaxhop.algorithms.random_search()
    found = jaxhop.search(
        lambda params: 0.0,
        space,
        evaluations=n,
        algorithm=points,
        backend="python",
        duplicates="allow",
    )
    return found.history.candidates()


def refuses(condition, *words):
    with pytest.raises(ValueError) as caught:
        space_from_configspace(condition)
    for word in words:
        assert word in str(caught.value)


def test_each_kind_keeps_what_it_has():
    cs = space_of(
        Float("x", (0.1, 1.0), default=0.3),
        Float("lr", (1e-5, 1e-1), log=True, default=1e-3),
        Integer("n", (1, 10), default=7),
        Integer("units", (8, 512), log=True),
        Categorical("act", ["relu", "tanh", True], default="tanh"),
        Categorical("size", ["s", "m", "l"], ordered=True, default="m"),
        Constant("epochs", 20),
    )
    tree = space_from_configspace(cs)
    assert repr(tree["x"]) == "float(low=0.1, high=1.0)"
    assert repr(tree["lr"]) == "float(low=1e-05, high=0.1, log=True)"
    assert repr(tree["n"]) == "int(1, 10)"
    assert repr(tree["units"]) == "int(8, 512, log=True)"
    assert repr(tree["act"]) == "choice('relu', 'tanh', True)"
    assert repr(tree["size"]) == "choice('s', 'm', 'l', ordinal=True)"
    assert tree["epochs"] == 20
    space = jaxhop.Space(tree)
    initial = space.to_python(space.initial())
    assert initial == pytest.approx(dict(cs.get_default_configuration()))


def test_a_prior_becomes_confidence_in_the_default():
    tree = space_from_configspace(
        space_of(
            Float("a", (0, 10), distribution=Normal(5, 1)),
            Integer("b", (1, 9), distribution=Beta(2, 3)),
            Categorical("c", ["x", "y", "never"], weights=[0.2, 0.8, 0]),
            Categorical("even", ["x", "y"], weights=[2, 2]),
            Float("plain", (0, 10)),
        )
    )
    trust = {name: parameter.confidence for name, parameter in tree.items()}
    assert trust == {"a": 0.5, "b": 0.5, "c": 0.5, "even": None, "plain": None}
    assert tree["a"].initial() == 5.0 and tree["c"].initial() == "y"
    assert repr(tree["c"]) == "choice('x', 'y')"


def nested():
    return space_of(
        Categorical("opt", ["sgd", "adam", "rms"], default="adam"),
        Categorical("nesterov", [True, False]),
        Categorical("depth", ["1", "2", "3"], ordered=True, default="2"),
        Constant("always", "yes"),
        Float("momentum", (0, 1)),
        Float("beta", (0, 1)),
        Float("damp", (0, 1)),
        Float("either", (0, 1)),
        Integer("second", (1, 9)),
        Float("told", (0, 1)),
        Float("free", (0, 1)),
        conditions=[
            lambda cs: EqualsCondition(cs["nesterov"], cs["opt"], "sgd"),
            lambda cs: InCondition(cs["momentum"], cs["opt"], ["sgd", "rms"]),
            lambda cs: NotEqualsCondition(cs["beta"], cs["opt"], "sgd"),
            lambda cs: AndConjunction(
                EqualsCondition(cs["damp"], cs["opt"], "sgd"),
                EqualsCondition(cs["damp"], cs["nesterov"], True),
            ),
            lambda cs: OrConjunction(
                EqualsCondition(cs["either"], cs["opt"], "rms"),
                EqualsCondition(cs["either"], cs["nesterov"], False),
            ),
            lambda cs: GreaterThanCondition(cs["second"], cs["depth"], "1"),
            lambda cs: EqualsCondition(cs["told"], cs["always"], "yes"),
        ],
    )


def test_conditions_make_options_that_are_spaces():
    tree = space_from_configspace(nested())
    assert set(tree) == {"opt", "depth", "always", "free"}
    space = jaxhop.Space(tree)
    initial = space.to_python(space.initial())
    assert initial["opt"] == {"opt": "adam", "beta": 0.5}
    assert initial["depth"] == {"depth": "2", "second": 5}
    assert initial["always"] == {"always": "yes", "told": 0.5}


def test_candidates_are_what_configspace_allows():
    cs = nested()
    seen = set()
    for candidate in drawn(space_from_configspace(cs)):
        config = flat(candidate)
        seen.add(frozenset(config))
        assert_valid(cs, config)
    assert seen == {frozenset(config) for config in cs.sample_configuration(500)}


def assert_valid(cs, values):
    from ConfigSpace import Configuration

    Configuration(cs, values=values).check_valid_configuration()


def test_conditions_that_no_option_can_hold_are_named():
    numbers = space_of(
        Integer("n", (1, 9)),
        Float("x", (0, 1)),
        conditions=[lambda cs: GreaterThanCondition(cs["x"], cs["n"], 3)],
    )
    refuses(numbers, "x | n > 3", "Make n an ordinal")
    several = space_of(
        Categorical("a", [1, 2]),
        Categorical("b", [1, 2]),
        Float("x", (0, 1)),
        conditions=[
            lambda cs: OrConjunction(
                EqualsCondition(cs["x"], cs["a"], 1), EqualsCondition(cs["x"], cs["b"], 1)
            )
        ],
    )
    refuses(several, "x | a == 1", "x | b == 1", "a, b, which stand side by side")


def test_forbidden_clauses_are_named():
    cs = space_of(Categorical("a", ["x", "y"]), Integer("b", (1, 9)))
    clauses = ForbiddenEqualsClause(cs["a"], "x"), ForbiddenEqualsClause(cs["b"], 3)
    cs.add(ForbiddenAndConjunction(*clauses))
    refuses(cs, "a == 'x'", "b == 3", "return NaN")


def test_something_else_is_refused():
    with pytest.raises(TypeError, match="must be given, but got dict"):
        space_from_configspace({"x": 1})


def test_without_configspace_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ConfigSpace", None)
    with pytest.raises(ImportError, match=r'Run `pip install "jaxhop\[configspace\]"`'):
        space_from_configspace(None)
