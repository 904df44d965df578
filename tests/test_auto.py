"""The algorithm that is chosen where none is named."""

import jax
import numpy as np
import pytest

import jaxhop
from jaxhop.algorithms import FACTORIES, AnnealedState, CovarianceState, SearchGradientState, auto
from jaxhop.algorithms._auto import name_for, population_for
from jaxhop.space import Space

WIDE, FREE = jaxhop.float(-1, 1, shape=(20_000,)), jaxhop.float(shape=(100_000,))
CHOSEN = {
    "search_gradient": [
        WIDE,
        FREE,
        jaxhop.weights({"w": np.ones((400, 400), np.float32)}),
        {"x": WIDE, "n": jaxhop.int(0, 9), "c": jaxhop.choice("a", "b")},
        {"x": WIDE, "order": jaxhop.permutation(9)},
    ],
    "covariance_adaptation": [
        jaxhop.float(-1, 1),
        jaxhop.float(1e-3, 1, "0.1g"),
        jaxhop.float(-1, 1, shape=(1000,)),
        jaxhop.int(0, 9),
        jaxhop.choice(1, 2, 4, ordinal=True),
        jaxhop.weights({"w": np.ones((40, 40), np.float32)}),
        {"x": jaxhop.float(), "n": jaxhop.int(1, 9), "c": jaxhop.bool(), "k": "constant"},
    ],
    "simulated_annealing": [
        jaxhop.permutation(500),
        {"one": jaxhop.permutation(5), "other": jaxhop.permutation(9)},
    ],
    "annealed_mcmc": [
        jaxhop.choice("a", "b", "c"),
        jaxhop.float(shape=(20_000,)),
        jaxhop.int(0, 9, shape=(100_000,)),
        {"x": jaxhop.float(), "order": jaxhop.permutation(9)},
        {"x": jaxhop.float(), "c": [jaxhop.bool() for _ in range(2)]},
        {"x": WIDE, "n": jaxhop.int(0, 9, shape=(40_000,))},
        jaxhop.choice({"x": jaxhop.float(0, 1)}, {"y": jaxhop.float(0, 1)}),
        jaxhop.custom(jax.random.uniform, lambda key, value: value),
    ],
}


@pytest.mark.parametrize("name", CHOSEN)
def test_spaces_have_the_algorithm_that_suits_them(name):
    for space in CHOSEN[name]:
        assert name_for(Space(space), 64) == name_for(Space(space), None) == name, space
    assert CHOSEN.keys() == FACTORIES.keys()


@pytest.mark.parametrize(
    ("space", "settings", "name"),
    [
        (WIDE, {"population": 8}, "annealed_mcmc"),  # too few candidates for a direction
        (jaxhop.float(), {"population": 3}, "annealed_mcmc"),
        (jaxhop.float(), {"population": 4}, "covariance_adaptation"),
        (jaxhop.float(), {"evaluations": 499}, "annealed_mcmc"),
        (jaxhop.float(), {"evaluations": 500}, "covariance_adaptation"),
        (jaxhop.float(shape=(200,)), {"evaluations": 999}, "annealed_mcmc"),
        (jaxhop.float(shape=(200,)), {"evaluations": 1000}, "covariance_adaptation"),
        (jaxhop.permutation(9), {"noisy": True}, "annealed_mcmc"),
        (jaxhop.float(), {"noisy": True}, "annealed_mcmc"),
        (jaxhop.float(shape=(64,)), {"noisy": True}, "covariance_adaptation"),
    ],
)
def test_so_does_the_budget(space, settings, name):
    assert name_for(Space(space), **{"population": None} | settings) == name


def test_auto_is_the_algorithm_that_it_names():
    few = Space(jaxhop.float(-1, 1, shape=(3,)))
    for space, population, kind in (
        (Space(WIDE), 32, SearchGradientState),
        (Space(WIDE), 8, AnnealedState),
        (few, 32, CovarianceState),
    ):
        state = jax.eval_shape(auto()(space, population).init, jax.random.key(0))
        assert isinstance(state, kind)


def test_populations_follow_the_budget():
    few = Space(jaxhop.float(-1, 1, shape=(10,)))
    for evaluations, population in ((100, 4), (3000, 8), (30_000, 64), (10**6, 256)):
        assert population_for("annealed_mcmc", few, evaluations, "cpu") == population
    assert population_for("annealed_mcmc", few, None, "cpu") == 64
    assert population_for("covariance_adaptation", few, 10**4, "gpu") == 8 * 10
    for name in FACTORIES:
        assert population_for(name, few, None, "gpu") == 1024
