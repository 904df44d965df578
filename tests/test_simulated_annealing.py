"""Simulated annealing of orders: its contract, its phases, and what it finds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop
from jaxhop.algorithms import check_contract, simulated_annealing

pytestmark = pytest.mark.usefixtures("quick_compilation")

N = 16
ANGLES = 2.4 * np.arange(N)
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def length(tour):
    stops = jnp.asarray(CIRCLE)[tour]
    # The cities lie on an irregular circle: the golden angle leaves gaps of three sizes.
    return jnp.sum(jnp.linalg.norm(stops - jnp.roll(stops, 1, axis=0), axis=1))


def in_turn():
    return float(length(jnp.asarray(np.argsort(ANGLES % (2 * np.pi)))))


def test_the_contract_holds():
    flips = jaxhop.custom(
        sample=lambda key: jax.random.bernoulli(key, 0.5, (5,)),
        mutate=lambda key, bits: bits ^ (jnp.arange(5) == jax.random.randint(key, (), 0, 5)),
    )
    space = {"order": jaxhop.permutation(6), "bits": flips}
    check_contract(simulated_annealing()(space, 8), space, population=8)


def test_a_search_descends_then_anneals_and_finds_the_best():
    algorithm = simulated_annealing()
    result = jaxhop.search(
        length, jaxhop.permutation(N), evaluations=40_000, population=32, algorithm=algorithm
    )
    names = [phase.name for phase in result.phases]
    assert names == ["initial", "explore", "anneal"]
    assert result.best_value == pytest.approx(in_turn(), rel=1e-6)
    temperature = result.history["temperature"]
    assert temperature[0] == 1 and 0.01 < temperature[-1] < 0.3
    assert np.all(np.diff(temperature) <= 0)
    # Once it is cold, all that is accepted improves.
    late = result.history["evaluation"] > 0.99 * 40_000
    assert result.history["accepted"][late].mean() < 0.01


def test_a_small_budget_is_spent_on_the_descent():
    result = jaxhop.search(
        length, jaxhop.permutation(N), evaluations=300, algorithm=simulated_annealing()
    )
    assert [phase.name for phase in result.phases] == ["initial", "explore"]
    assert result.best_value < 0.6 * result.history["value"][0]


def test_values_of_any_unit_give_the_same_search():
    tours = [
        jaxhop.search(
            lambda tour, unit=unit: unit * length(tour),
            jaxhop.permutation(N),
            evaluations=8_000,
            population=16,
            algorithm=simulated_annealing(),
        ).best
        for unit in (1.0, 2.0**-20)
    ]
    assert np.array_equal(*tours)


def test_a_random_objective_is_confirmed():
    def noisy(tour, key):
        return length(tour) + 0.1 * jax.random.normal(key)

    result = jaxhop.search(
        noisy,
        jaxhop.permutation(N),
        evaluations=20_000,
        population=32,
        algorithm=simulated_annealing(),
    )
    assert result.phases[-1].name == "confirm"
    assert float(length(jnp.asarray(result.best))) < 1.2 * in_turn()


@pytest.mark.parametrize("chains", [0, -1, 2.0, True])
def test_what_is_no_number_of_chains_is_refused(chains):
    with pytest.raises(ValueError, match="a whole number of at least 1 must be given"):
        simulated_annealing(chains=chains)
