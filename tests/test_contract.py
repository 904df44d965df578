"""The contract test that users run on algorithms of their own finds what is wrong with them."""

import dataclasses

import jax.numpy as jnp
import pytest

import jaxhop
from jaxhop.algorithms import (
    annealed_mcmc,
    check_contract,
    covariance_adaptation,
    random_search,
    search_gradient,
    simulated_annealing,
)

SPACE = {"x": jaxhop.float(-5, 5, shape=(3,))}
ALGORITHM = annealed_mcmc()(SPACE, population=8)


@pytest.mark.parametrize(
    "recipe",
    [annealed_mcmc(), covariance_adaptation(), random_search(), simulated_annealing()],
)
def test_our_own_pass(recipe):
    check_contract(recipe(SPACE, population=8), SPACE, 8)


WIDER = {"w": jaxhop.float(shape=(17, 16)), "x": jaxhop.float(-5, 5, shape=(3,))}


@pytest.mark.parametrize(
    "settings",
    [{"noise": "lowrank"}, {"noise": "sign"}, {"noise": "sparse", "pairs": False}],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_search_gradients_pass(settings):
    check_contract(search_gradient(**settings)(WIDER, population=8), WIDER, 8)


def lucky(key, state, batch, values, progress):
    """Believes in values that are missing."""
    everything = jnp.ones_like(batch.valid)
    return ALGORITHM.tell(key, state, batch._replace(valid=everything), values, progress)


def forgetful(key, state, batch, values, progress):
    """Keeps the best value of the last round only."""
    fresh = dataclasses.replace(state, best_value=jnp.float32(jnp.inf))
    return ALGORITHM.tell(key, fresh, batch, values, progress)


def widening(key, state, batch, values, progress):
    """Gives back a state of another dtype."""
    after = ALGORITHM.tell(key, state, batch, values, progress)
    return dataclasses.replace(after, round=after.round.astype(jnp.float32))


def misplaced(key, state, batch, values, progress):
    """Remembers a point that is not the best value's."""
    after = ALGORITHM.tell(key, state, batch, values, progress)
    return dataclasses.replace(after, best=batch.candidate(0))


@pytest.mark.parametrize(
    ("tell", "rule"),
    [
        (lucky, "lowest usable value"),
        (forgetful, "lowest usable value"),
        (widening, "structure and dtypes"),
        (misplaced, "the point of `best_value`"),
    ],
)
def test_a_wrong_tell_is_refused(tell, rule):
    with pytest.raises(ValueError, match=rule):
        check_contract(ALGORITHM._replace(tell=tell), SPACE, 8)


def test_an_ask_that_skips_the_given_point_is_refused():
    def ask(key, index, state, progress):
        return ALGORITHM.ask(key, index + 1, state, progress)

    with pytest.raises(ValueError, match="must be the given point"):
        check_contract(ALGORITHM._replace(ask=ask), SPACE, 8)
