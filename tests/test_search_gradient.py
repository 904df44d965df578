"""Search gradients: what they refuse, what they find, and what they hold in memory."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxhop
from jaxhop import _objective
from jaxhop._rounds import Controls, Rounds
from jaxhop.algorithms import search_gradient, step
from jaxhop.space import Space, dither

NOISES = ("normal", "sign", "lowrank", "sparse")
AWAY = np.linspace(-0.8, 0.7, 400).astype(np.float32).reshape(20, 20)


def sphere(params):
    """Least where no parameter starts."""
    return jnp.mean((params["x"] - AWAY) ** 2)


SPACE = {"x": jaxhop.float(-1, 1, shape=(20, 20), init=0.2)}
START = float(np.mean((0.2 - AWAY) ** 2))


def search(fn=sphere, space=SPACE, evaluations=20_000, population=32, settings=None, **more):
    algorithm = search_gradient(**settings or {})
    budget = {"evaluations": evaluations, "population": population, "progress": False}
    return jaxhop.search(fn, space, algorithm=algorithm, **budget | more)


def assert_consistent(result, fn):
    """The best is what it is said to be."""
    assert float(fn(result.best)) == pytest.approx(result.best_value, rel=1e-5)
    assert result.best_value == result.history["value"].min()


# Settings.


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"sigma": -1}, "`sigma=-1`: a positive number or a schedule"),
        ({"sigma": 0}, "`sigma=0`: a positive number"),
        ({"sigma": True}, "`sigma=True`"),
        ({"sigma": float("nan")}, "`sigma=nan`"),
        ({"cooling": 0}, "`cooling=0`: a positive number or a schedule"),
        ({"noise": "x"}, "`noise='x'`: it must be one of \"normal\""),
        ({"rank": 0}, "`rank=0`: a whole number of at least 1"),
        ({"rank": 1.5}, "`rank=1.5`"),
        ({"explore": 2}, "`explore=2`: a share in [0, 1]"),
        ({"explore": -0.1}, "`explore=-0.1`"),
    ],
)
def test_wrong_settings_are_refused(settings, text):
    with pytest.raises(ValueError) as error:
        search_gradient(**settings)
    assert text in str(error.value)


def test_problems_that_it_is_not_for_are_refused():
    with pytest.raises(ValueError, match=r"`population=3`: .* at least 4 candidates a round"):
        search(population=3)
    with pytest.raises(ValueError, match="`space`: search_gradient moves floats, and there is no"):
        search(lambda p: p["n"] * 1.0, {"n": jaxhop.int(1, 3)})


# Descent.


@pytest.mark.parametrize("noise", NOISES)
def test_every_kind_of_noise_descends(noise):
    result = search(settings={"noise": noise})
    assert result.best_value < result.history["value"][0] / 30
    assert_consistent(result, sphere)


OTHERS = {
    "rank 3, without pairs": {"noise": "lowrank", "rank": 3, "pairs": False},
    "constant": {"sigma": 0.02, "cooling": 1.0, "optimizer": optax.sgd(0.03)},
    "adamw": {"optimizer": optax.adamw(optax.linear_schedule(0.02, 0.002, 600))},
    "chain": {"optimizer": optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01))},
}


@pytest.mark.parametrize("settings", OTHERS.values(), ids=OTHERS)
def test_other_settings_descend(settings):
    space = Space(SPACE)
    algorithm = search_gradient(explore=0.0, **settings)(space, 16)

    def value(point):
        return sphere(space.decode(point))

    after = jax.jit(lambda: run(algorithm, value, np.arange(600) / 600))()
    assert float(value(after.best)) == pytest.approx(float(after.best_value), rel=1e-5)
    assert after.best_value < START / 4


def run(algorithm, value, progress, population=16):
    """The state after a round for each progress; to be compiled."""

    def one(state, inputs):
        return step(algorithm, value, population, inputs[0], state, inputs[1]), None

    keys = jax.random.split(jax.random.key(2), len(progress))
    inputs = keys, jnp.asarray(progress, jnp.float32)
    return jax.lax.scan(one, algorithm.init(jax.random.key(0)), inputs)[0]


def test_schedules_are_fed_with_progress():
    """The temperature of the history is sigma over what it was at first."""
    settings = {
        "sigma": optax.linear_schedule(0.1, 0.01, 1),
        "cooling": optax.linear_schedule(1.0, 0.0, 1),
        "optimizer": optax.sgd(0.3),
        "explore": 0.0,
    }
    result = search(settings=settings)
    evaluation, temperature = result.history["evaluation"], result.history["temperature"]
    np.testing.assert_allclose(temperature, 1 - 0.9 * evaluation / len(evaluation), atol=0.01)
    assert result.best_value < START / 4


def test_bounded_numbers_stay_in_bounds_and_rounded_ones_are_decimals():
    """The optimum lies outside, and steps are long."""
    space = {
        "x": jaxhop.float(-1, 1, shape=(30,), init=0.2),
        "y": jaxhop.float(low=0, shape=(30,)),
        "z": jaxhop.float(1e-3, 1, shape=(30,), log=True),
        "a": jaxhop.float(-1, 1, "0.1f", shape=(8,)),
        "b": jaxhop.float(1e-3, 10, "0.1g"),
    }

    def loss(p):
        legal = jnp.all(jnp.abs(p["x"]) <= 1) & jnp.all(p["y"] >= 0)
        legal &= jnp.all(p["z"] >= 1e-3) & jnp.all(p["z"] <= 1)
        legal &= jnp.all(jnp.abs(10 * p["a"] - jnp.round(10 * p["a"])) < 1e-5)
        outside = jnp.mean(p["x"]) + jnp.mean(p["y"] + 1) - jnp.mean(jnp.log(p["z"]))
        rounded = jnp.mean((p["a"] - 0.3) ** 2) + 0.1 * jnp.log(p["b"] / 0.02) ** 2
        return jnp.where(legal, outside + rounded, jnp.nan)

    result = search(loss, space, settings={"sigma": optax.linear_schedule(0.5, 0.02, 1)})
    assert result.nan_share == 0
    Space(space).validate(result.best)
    assert np.mean(result.best["x"]) < -0.7 and np.mean(result.best["y"]) < 0.3
    np.testing.assert_array_equal(result.best["a"], np.round(result.best["a"], 1))
    assert result.best["b"] < 0.1


def test_mixed_spaces_find_whole_numbers_options_and_orders():
    space = SPACE | {
        "n": jaxhop.int(1, 12),
        "kind": jaxhop.choice("a", "b", "c"),
        "order": jaxhop.permutation(5),
    }
    wanted = np.array([3, 1, 4, 0, 2])

    def loss(p):
        order = jnp.mean(jnp.abs(p["order"] - wanted))
        option = p["kind"].switch(lambda: 1.0, lambda: 0.0, lambda: 2.0)
        return sphere(p) + 0.1 * jnp.abs(p["n"] - 9) + 0.3 * option + 0.2 * order

    result = search(loss, space)
    assert (result.best["n"], result.best["kind"]) == (9, "b")
    np.testing.assert_array_equal(result.best["order"], wanted)
    assert result.best_value < 0.02
    assert result.best_value == result.history["value"].min()


# The budget and the first candidates.


def test_a_short_last_round_counts_exactly():
    for evaluations in (3, 1001):
        result = search(evaluations=evaluations)
        assert result.evaluations == len(result.history["value"]) == evaluations
        assert_consistent(result, sphere)


@pytest.mark.parametrize("explore", [None, 0.0])
def test_given_points_come_first_in_order_and_the_best_is_not_lost(explore):
    near = AWAY + np.float32(0.003)
    given = [{"x": np.full((20, 20), -0.9)}, {"x": near}, {"x": np.full((20, 20), 0.9)}]
    result = search(evaluations=64, init=given, settings={"explore": explore, "sigma": 0.02})
    expected = [float(sphere(p)) for p in ({"x": np.full((20, 20), 0.2)}, *given)]
    np.testing.assert_allclose(result.history["value"][:4], expected, rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(result.best["x"], near)
    assert result.history["value"][40:].max() < 0.02, "the search goes on from there"


# Values that say nothing.


def test_nan_never_wins_and_does_not_stop_progress():
    def loss(p):
        return jnp.where(p["x"][0, 0] > 0.25, jnp.nan, sphere(p))

    result = search(loss, settings={"noise": "sign"})
    assert 0 < result.nan_share < 0.9
    assert result.best["x"][0, 0] <= 0.25
    assert result.best_value < result.history["value"][0] / 10
    assert float(loss(result.best)) == pytest.approx(result.best_value, rel=1e-5)


@pytest.mark.parametrize("pairs", [True, False])
def test_values_that_tell_nothing_leave_the_mean_where_it_is(pairs):
    space = Space(SPACE)
    algorithm = search_gradient(pairs=pairs, optimizer=optax.sgd(1.0), explore=0.0)(space, 16)
    (start,) = space.initial()

    @jax.jit
    def after(value):
        return run(algorithm, lambda point: value, np.linspace(0.2, 0.8, 5))

    for value, best in ((3.0, 3.0), (np.nan, np.inf)):
        state = after(jnp.float32(value))
        np.testing.assert_array_equal(state.mean[0], start)
        assert float(state.best_value) == best


# Short floats.


def test_short_weights_stay_short_and_move():
    start = {"b": np.full(1000, 0.5, jnp.bfloat16), "h": np.full(1000, 0.5, np.float16)}

    def loss(p):
        return sum(jnp.mean((x.astype(jnp.float32) - 0.8) ** 2) for x in p.values())

    result = search(loss, jaxhop.weights(start), settings={"noise": "sign"})
    for name, array in start.items():
        assert result.best[name].dtype == array.dtype
        assert np.mean((result.best[name].astype(np.float32) - 0.8) ** 2) < 0.06
    assert_consistent(result, loss)  # evaluated as it is when rounded


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_steps_below_the_last_digit_are_right_on_average(dtype):
    """Many steps of a twentieth of the last digit: rounding to nearest would never move."""
    n, steps = 4000, 40
    first = jnp.broadcast_to(jnp.array([[1.3], [-0.7], [1e-3], [3e-5]], dtype), (4, n))
    least = float(jnp.finfo(dtype).smallest_subnormal)
    exponents = np.frexp(np.float32(first[:, 0]))[1] - jnp.finfo(dtype).nmant - 1
    digits = np.maximum(2.0**exponents, least)
    change = jnp.float32(digits[:, None] / 20)

    @jax.jit
    def walk(x, key):
        def one(x, key):
            y = x.astype(jnp.float32) + change
            return (y + dither(y, jax.random.bits(key, x.shape), dtype)).astype(dtype), None

        return jax.lax.scan(one, x, jax.random.split(key, steps))[0]

    moved = np.float64(walk(first, jax.random.key(0))).mean(1) - np.float64(first[:, 0])
    np.testing.assert_allclose(moved, steps * np.float64(change[:, 0]), rtol=0.1)


def test_the_mean_of_short_floats_moves_as_it_should():
    """A gradient that is known: the step of sgd is far below the last digit."""
    space = jaxhop.weights({"w": np.full(3000, 0.75, jnp.bfloat16)}, scale=1.0)
    optimizer = optax.GradientTransformation(
        lambda params: (), lambda grads, state, params=None: (jax.tree.map(one_step, grads), state)
    )
    algorithm = search_gradient(optimizer=optimizer, cooling=1.0, explore=0.0)(space, 8)
    progress = np.linspace(0.1, 0.9, 51)  # the first round evaluates what was given
    (mean,) = jax.jit(lambda: run(algorithm, lambda point: jnp.float32(1), progress, 8))().mean
    assert mean.dtype == jnp.bfloat16
    moved = float(jnp.mean(mean.astype(jnp.float32))) - 0.75
    assert moved == pytest.approx(50 * 4 * 2.0**-14, rel=0.1), "a step of 1 is 4 scales long"


def one_step(gradient):
    return jnp.full_like(gradient, 2.0**-14)


def test_short_matrices_with_noise_of_low_rank_are_judged_by_the_mean():
    """Rounded, such a candidate is not what was evaluated."""
    start = {"w": np.full((32, 32), 0.5, jnp.bfloat16)}
    space = jaxhop.weights(start)
    assert search_gradient(noise="lowrank")(space, 16).estimated
    assert not search_gradient(noise="sign")(space, 16).estimated
    assert not search_gradient(noise="lowrank")(SPACE, 16).estimated
    x = np.random.default_rng(0).normal(size=(4, 32)).astype(np.float32)

    def loss(p):
        return jnp.mean((x @ p["w"].astype(jnp.float32) - 1) ** 2)

    result = search(loss, space, settings={"noise": "lowrank"})
    assert result.best["w"].dtype == jnp.bfloat16
    assert float(loss(result.best)) == pytest.approx(result.best_value, rel=1e-5)
    assert result.best_value < result.history["value"][0] / 3


# Random objectives.


def test_the_best_of_a_random_objective_is_not_a_lucky_one():
    def noisy(params, key):
        return sphere(params) + 0.1 * jax.random.normal(key)

    result = search(noisy)
    true = float(sphere(result.best))
    assert true < 0.03 < result.history["value"][0]
    assert abs(result.best_value - true) < 0.05
    assert result.history["value"].min() < result.best_value - 0.1, "there were lucky ones"
    assert [phase.name for phase in result.phases][-1] == "confirm"
    assert result.evaluations == 20_000


# Memory.


WIDE = 200_000


def numbers_in_state(optimizer):
    algorithm = search_gradient(optimizer=optimizer)(jaxhop.float(shape=(WIDE,)), 32)
    state = jax.eval_shape(algorithm.init, jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(state))


def test_a_state_is_four_points_with_adam_and_two_with_sgd():
    assert numbers_in_state(None) <= 4 * WIDE + 200
    assert numbers_in_state(optax.adam(0.01)) <= 4 * WIDE + 200
    assert numbers_in_state(optax.sgd(0.1)) <= 2 * WIDE + 200
    assert numbers_in_state(optax.sgd(0.1, momentum=0.9)) <= 3 * WIDE + 200


def sizes(jaxpr):
    """Number of numbers of everything that a program computes, with what computes it."""
    for eqn in jaxpr.eqns:
        for value in eqn.outvars:
            yield math.prod(getattr(value.aval, "shape", ())), eqn.primitive.name
        for inner in jax.tree.leaves(eqn.params, is_leaf=lambda x: hasattr(x, "eqns")):
            if hasattr(inner, "eqns"):
                yield from sizes(inner)


@pytest.mark.parametrize("noise", NOISES)
def test_nothing_of_the_size_of_a_population_of_points_exists(noise):
    population, space = 32, Space({"w": jaxhop.float(shape=(400, 500))})
    algorithm = search_gradient(noise=noise)(space, population)
    objective = _objective.trace(lambda p: jnp.mean((p["w"] - 0.1) ** 2), space, "min")
    rounds = Rounds(algorithm, objective, space, population, 1, None)
    points = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], space.initial())
    carry = jax.eval_shape(rounds.start, jnp.zeros(2, jnp.uint32), points)
    zero, real = jnp.int32(0), jnp.float32(0)
    controls = Controls(zero, zero, real, real, real, zero, jnp.bool_(False))
    program = jax.make_jaxpr(rounds.run)(objective.constants, carry, controls)
    found = list(sizes(program.jaxpr))
    assert len(found) > 500, "the whole program was walked"
    largest = max(found)
    assert WIDE <= largest[0] <= 4 * WIDE, largest
