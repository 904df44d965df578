"""Covariance adaptation: what it finds, where it begins anew, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxhop
from jaxhop._codegen import jitted
from jaxhop.algorithms import annealed_mcmc, covariance_adaptation, step
from jaxhop.space import Float, Int, Space, choice, relaxed, unrelaxed, walls

pytestmark = pytest.mark.usefixtures("quick_compilation")


def runs(fn, space, evaluations, lanes=1, recipe=None, population=16):
    """The last states, stacked, of searches for `fn(params, lane)` with a seed a lane each."""
    space = Space(space)
    algorithm = (recipe or covariance_adaptation())(space, population)

    def one(lane):
        def value(point):
            return fn(space.decode(point), lane)

        def round(carry):
            state, used, number = carry
            progress = (used / evaluations).astype(jnp.float32)
            width = population
            if algorithm.width is not None:
                width = algorithm.width(state, progress)
            key = jax.random.fold_in(jax.random.key(1), number * lanes + lane)
            state = step(algorithm, value, population, key, state, progress)
            return state, used + width, number + 1

        first = algorithm.init(jax.random.key(lane)), jnp.int32(0), jnp.int32(0)
        return jax.lax.while_loop(lambda carry: carry[1] < evaluations, round, first)[0]

    return jax.device_get(jitted(jax.vmap(one))(jnp.arange(lanes)))


def best(state, space, lane=0):
    """The best candidate of a lane."""
    return Space(space).to_python(jax.tree.map(lambda leaf: leaf[lane], state.best))


# Numbers.

N = 20
BOX = {"x": jaxhop.float(-5, 5, shape=(N,))}
AWAY = np.linspace(-3, 4, N).astype(np.float32)
TURN = np.linalg.qr(np.random.default_rng(0).normal(size=(N, N)))[0].astype(np.float32)
STRETCH = (10.0 ** np.linspace(0, 6, N)).astype(np.float32)
STRETCHED, TURNED, RUGGED = slice(0, 2), slice(2, 4), slice(4, 8)  # lanes


def rugged(x):
    z = x - 1.3
    return jnp.sum(z * z + 10 - 10 * jnp.cos(2 * jnp.pi * z))


def three(params, lane):
    """By lanes: ill-conditioned; the same and turned; with a basin at every whole number."""
    away = params["x"] - AWAY
    stretched, turned = (jnp.sum(STRETCH * z**2) for z in (away, TURN @ away))
    return jnp.stack([stretched, turned, rugged(params["x"])])[jnp.minimum(lane // 2, 2)]


def lowest(recipe, population=24):
    return runs(three, BOX, 20_000, 8, recipe, population).best_value


def test_scales_correlations_and_basins():
    """The whole, beside moves that do not learn, and beside itself without its parts."""
    whole, sparse = lowest(covariance_adaptation(), 64), lowest(annealed_mcmc())
    part = lowest(covariance_adaptation(correlated=False, probes=False))
    assert whole[STRETCHED].max() < 1e-6 and whole[TURNED].max() < 1e-6
    assert whole[TURNED].max() < sparse[TURNED].min() / 1000
    assert part[STRETCHED].max() < 1e-4, "scales are learned without correlations"
    assert whole[TURNED].max() < part[TURNED].min() / 1000
    assert whole[RUGGED].min() < 0.01 < 1 < part[RUGGED].min(), "probes lead to other basins"
    assert np.mean(whole[RUGGED]) < 0.8 * np.mean(part[RUGGED])


# Whole numbers, options, and bounds.

MIXED = {
    "n": jaxhop.int(-9, 40),
    "wide": jaxhop.int(0, 2**31 - 1),
    "steps": jaxhop.int(1, 10**6, log=True),
    "even": jaxhop.int(0, 64, multiple_of=4),
    "size": jaxhop.choice(16, 32, 64, 128, ordinal=True),
    "kind": jaxhop.choice("a", "b", "c"),
    "flag": jaxhop.bool(),
    "rate": jaxhop.float(1e-4, 1, "0.1g"),
    "x": jaxhop.float(-1, 1, shape=(2,)),
    "up": jaxhop.float(-5, 5),
    "down": jaxhop.float(low=2),
    "least": jaxhop.float(1e-3, 1, log=True),
}


def mixed(params, lane):
    whole = jnp.abs(params["n"] - 31) + jnp.abs(params["even"] - 48)
    logarithms = jnp.log(params["steps"] / 777) ** 2 + jnp.log(params["rate"] / 0.003) ** 2
    kind = params["kind"].switch(lambda: 1.0, lambda: 0.0, lambda: 2.0)
    return (
        0.1 * whole
        + jnp.abs(params["wide"] / 2.0**31 - 0.25)
        + logarithms
        + jnp.abs(jnp.log2(params["size"] / 64))
        + kind
        + params["flag"]
        + jnp.sum((params["x"] - 0.3) ** 2)
        + (5 - params["up"])
        + params["down"]
        + jnp.log(params["least"])
    )


def test_whole_numbers_options_and_bounds_are_found():
    state = runs(mixed, MIXED, 2500, 2, recipe=covariance_adaptation(probes=False))
    assert state.restarts.max() == 0, "a new run would have forgotten its odds"
    for lane in range(2):
        found = best(state, MIXED, lane)
        wanted = {"n": 31, "even": 48, "size": 64, "kind": "b", "flag": False, "rate": 0.003}
        assert {name: found[name] for name in wanted} == wanted
        assert abs(found["steps"] - 777) <= 4
        assert abs(found["wide"] / 2**31 - 0.25) < 1e-3
        np.testing.assert_allclose((found["up"], found["down"]), (5, 2), atol=1e-3)
        assert found["least"] == pytest.approx(1e-3, rel=1e-3)
    for odds in state.odds:
        np.testing.assert_allclose(np.sum(odds, axis=-1), 1, rtol=1e-5)
        assert odds.min() > 0.01, "no option is given up"
        assert odds.max(axis=-1).min() > 0.7, "probabilities are learned"


WHOLE = {
    "int": Int(-7, 12),
    "multiples": Int(-9, 30, multiple_of=4),
    "powers": Int(3, 1000, power_of=2),
    "many": Int(0, 2**20),
    "log": Int(1, 10**5, log=True),
    "ordinal": choice(16, 32, 64, 128, ordinal=True),
}


def column(leaf):
    (column,) = Space({"p": leaf}).columns
    return column


def there_and_back(own, x):
    u = relaxed(own, jnp.asarray(x))
    low, high = walls(own)
    assert np.all(low <= u) and np.all(u <= high)
    return np.asarray(unrelaxed(own, u))


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1))
def test_cells_of_whole_numbers_are_their_own(name, share):
    own = column(WHOLE[name])
    parameter = own.parameter
    last = int(parameter.index.last if isinstance(parameter, Int) else parameter.last)
    x = np.int32(round(share * last))
    assert there_and_back(own, x) == x


@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 2**31 - 1))
def test_ranges_wider_than_float32_counts_come_back_near(number):
    for parameter in (
        Int(0, 2**31 - 1),
        Int(-(2**31), 2**31 - 1),
        Int(1, 2**31 - 1, log=True),
    ):
        legal = max(number, 1)
        back = parameter.decode(there_and_back(column(parameter), parameter.encode(legal)))
        assert abs(int(back) - legal) <= max(2**9, 2e-6 * legal)


REAL = {
    "bounded": Float(-3, 5),
    "log": Float(1e-5, 1e-1, log=True),
    "from below": Float(low=2, scale=3),
    "from above": Float(high=-1),
    "free": Float(scale=20),
    "decimals": Float(0, 9, "0.2f"),
    "digits": Float(1e-4, 1e3, "0.2g"),
}


@pytest.mark.parametrize("name", REAL)
@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1))
def test_reals_come_back_within_the_last_digits(name, share):
    parameter = REAL[name]
    low = -100.0 if parameter.low is None else float(parameter.low)
    high = 100.0 if parameter.high is None else float(parameter.high)
    number = low * (high / low) ** share if parameter.log else low + share * (high - low)
    x = parameter.encode(number)
    back = there_and_back(column(parameter), x)
    np.testing.assert_allclose(back, x, rtol=3e-7, atol=1e-9)
    if parameter.precision is not None:
        assert parameter.decode(back) == parameter.decode(x)


# Values that say nothing, and new beginnings.


def odd(params, lane):
    """By lanes: constant; NaN; infinite; NaN over half of the space; minus infinity beside it;
    least at a wall; basins.
    """
    x = params["x"]
    sphere = jnp.sum((x - 1) ** 2)
    half = x[0] > 0.5
    return jnp.stack(
        [
            jnp.float32(3),
            jnp.float32(jnp.nan),
            jnp.float32(jnp.inf),
            jnp.where(half, jnp.nan, sphere),
            jnp.where(half, -jnp.inf, sphere),
            jnp.sum(x),
            rugged(x),
        ]
    )[jnp.minimum(lane, 6)]


@pytest.mark.parametrize("n", [1, 2])
def test_few_numbers_and_values_that_say_nothing(n):
    """Worse draws of few numbers take away more from a deviation than there is."""
    state = runs(odd, {"x": jaxhop.float(-5, 5, shape=(n,))}, 5000, 14, population=32)
    gains = state.gains.draws, state.gains.probes
    for leaf in jax.tree.leaves((state.distribution, gains, state.owed)):
        assert np.all(np.isfinite(leaf))
    assert np.all(np.diagonal(state.distribution.correlations, axis1=1, axis2=2) > 0)
    assert state.best_value[0] == 3
    assert np.all(np.isposinf(state.best_value[1:3]))
    np.testing.assert_allclose(state.best_value[3:5], 0.25, rtol=1e-3)
    assert state.best_value[5] == -5 * n and state.restarts[5] > 0
    assert np.sum(state.best_value[6:] < 1e-6) >= 6, "the best of many basins, in most runs"
    assert np.all(state.restarts[6:] > 0)


# Random objectives.


def test_the_mean_of_a_random_objective_is_returned():
    def noisy(params, key):
        return jnp.sum((params["x"] - 0.3) ** 2) + 0.1 * jax.random.normal(key)

    space = {"x": jaxhop.float(-1, 1, shape=(6,))}
    result = jaxhop.search(
        noisy, space, evaluations=6000, population=24, algorithm=covariance_adaptation()
    )
    true = float(np.sum((result.best["x"] - 0.3) ** 2))
    assert true < 0.01 and abs(result.best_value - true) < 0.05
    assert result.history["value"].min() < result.best_value - 0.1, "there were lucky ones"
    assert [phase.name for phase in result.phases][-1] == "confirm"
    _, widths = np.unique(result.history["step"], return_counts=True)
    assert result.evaluations == 6000 and widths.max() <= 24


# Python objectives.


def test_a_large_offset_does_not_hide_small_differences():
    def high(params):
        return 1e6 + float(np.sum((np.float64(params["x"]) - 0.3) ** 2))

    space = {"x": jaxhop.float(-1, 1, shape=(3,))}
    result = jaxhop.search(high, space, evaluations=1000, algorithm=covariance_adaptation())
    assert result.evaluations == 1000
    assert result.best_value - 1e6 < 1e-9


# What it is for.


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        ({"x": jaxhop.float(0, 1), "order": jaxhop.permutation(4)}, "it has a permutation"),
        ({"kind": jaxhop.choice("a", "b")}, "it has no number"),
        (
            {"kind": jaxhop.choice({"x": jaxhop.float(0, 1)}, {"y": jaxhop.float(0, 1)})},
            "which of its numbers count depends on others",
        ),
    ],
)
def test_spaces_that_it_is_not_for_are_refused(space, reason):
    with pytest.raises(ValueError, match=f"`space`: .*{reason}.* Use annealed_mcmc"):
        covariance_adaptation()(space, 8)


def test_too_few_candidates_are_refused():
    with pytest.raises(ValueError, match=r"`population=3`: .* at least 4 candidates"):
        covariance_adaptation()(BOX, 3)
