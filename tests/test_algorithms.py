"""The contract of an algorithm: one table, one set of checks for all of its lines."""

from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop
from jaxhop.algorithms import (
    Algorithm,
    Batch,
    Info,
    annealed_mcmc,
    auto,
    covariance_adaptation,
    random_search,
    step,
)
from jaxhop.algorithms._confirmed import confirmed

# To put a new algorithm under the contract, add a line.
ALGORITHMS = {
    "random search": random_search(),
    "annealed mcmc": annealed_mcmc(chains=3, explore=0.3, end_temperature=0.01),
    "covariance adaptation": covariance_adaptation(),
}

POPULATION = 16
PROGRESS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
SPACE = jaxhop.Space(
    {
        "x": jaxhop.float(-5, 5, shape=(4,)),
        "n": jaxhop.int(1, 8),
        "flag": jaxhop.bool(),
    }
)
GIVEN = [{}, {"n": 2, "flag": True}, {"n": 7}]


def value(point):
    params = SPACE.decode(point)
    far = jnp.sum((params["x"] - 1) ** 2) + (params["n"] - 6) ** 2
    return far + jnp.where(params["flag"], 0, 1)


def bits(tree):
    """Everything in a pytree, for comparisons bit for bit."""
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(jax.device_get(tree))]


def row(points, i):
    return jax.tree.map(lambda leaf: leaf[i], points)


@pytest.fixture(scope="module", params=ALGORITHMS, ids=lambda name: name.replace(" ", "-"))
def case(request):
    """An algorithm, its functions compiled once, and a run of some rounds with gaps in it."""
    algorithm = ALGORITHMS[request.param](SPACE, POPULATION)

    first = [SPACE.encode(SPACE.complete(part)) for part in GIVEN]
    first = jax.tree.map(lambda *leaves: np.stack(leaves), *first)

    def ask(key, index, state, progress):
        def one(i):
            return algorithm.ask(key, i, state, progress)

        points = jax.vmap(one)(index)
        return points, jax.lax.map(one, index), jax.vmap(value)(points)

    def tell(key, state, values, valid, progress):
        def candidate(i):
            return algorithm.ask(key, i, state, progress)

        batch = Batch(candidate, jnp.arange(POPULATION, dtype=jnp.int32), valid)
        return algorithm.tell(key, state, batch, values, progress)

    case = SimpleNamespace(
        algorithm=algorithm,
        first=first,
        init=jax.jit(lambda key: algorithm.init(key, first)),
        ask=jax.jit(ask),
        tell=jax.jit(tell),
        rounds=[],
    )
    state = case.init(jax.random.key(0))
    for number, progress in enumerate(PROGRESS):
        key = jax.random.fold_in(jax.random.key(1), number)
        progress = jnp.float32(progress)
        points, looped, values = case.ask(key, jnp.arange(POPULATION), state, progress)
        told, valid = spoiled(number, np.asarray(values))
        after = case.tell(key, state, told, valid, progress)
        case.rounds.append(
            SimpleNamespace(
                key=key, before=state, progress=progress, points=points, looped=looped,
                told=told, valid=valid, after=after,
            )
        )  # fmt: skip
        state = after
    return case


def spoiled(number, values):
    """The values as they are told in a round, and which of them are valid."""
    told, valid = values.copy(), np.ones(POPULATION, bool)
    told[number % POPULATION] = np.nan
    told[(number + 3) % POPULATION] = np.inf
    told[(number + 5) % POPULATION] = -np.inf
    if number == 0:
        told[:] = np.nan  # nothing is known after the first round
    if number % 2:
        valid[POPULATION // 2 + 2 :] = False
        told[~valid] = -1e9
    return told, valid


def test_the_state_keeps_its_shapes_and_types(case):
    """Weak types included, or a loop would compile everything twice."""
    batch = jnp.zeros(POPULATION), jnp.ones(POPULATION, bool)
    init = jax.eval_shape(case.init, jax.random.key(0))
    tell = jax.eval_shape(case.tell, jax.random.key(0), init, *batch, jnp.float32(0))
    described = [
        [(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(state)]
        for state in (init, tell)
    ]
    assert described[0] == described[1]
    assert not any(weak for _, _, weak in described[0])
    assert jax.tree.structure(init) == jax.tree.structure(tell)


def test_candidates_are_legal_points_of_the_space(case):
    for one in case.rounds:
        for i in (0, 7, POPULATION - 1):
            candidate = SPACE.to_python(row(one.points, i))
            SPACE.validate(candidate)
            assert set(candidate) == {"x", "n", "flag"}


def test_a_candidate_depends_on_nothing_but_its_arguments(case):
    some = jnp.array([POPULATION - 1, 3, 3, 0] * 4)
    for one in case.rounds:
        again, _, _ = case.ask(one.key, jnp.arange(POPULATION), one.before, one.progress)
        assert bits(again) == bits(one.points)
        shuffled, _, _ = case.ask(one.key, some, one.before, one.progress)
        assert bits(shuffled) == bits(row(one.points, some)), "whatever its neighbours are"


def test_a_candidate_is_the_same_one_by_one(case):
    for one in case.rounds:
        assert bits(one.looped) == bits(one.points)


def test_the_candidates_of_a_round_differ_and_so_do_rounds(case):
    assert len({tuple(bits(row(case.rounds[0].points, i))) for i in range(POPULATION)}) == 16
    first, other = case.rounds[2], jax.random.key(99)
    points, _, _ = case.ask(other, jnp.arange(POPULATION), first.before, first.progress)
    assert bits(points) != bits(first.points)


def test_the_first_candidates_are_those_that_were_given(case):
    assert bits(jax.tree.map(lambda leaf: leaf[: len(GIVEN)], case.rounds[0].points)) == bits(
        case.first
    )
    assert bits(case.algorithm.init(jax.random.key(0)).best) == bits(SPACE.initial())


def test_the_best_ever_told_is_kept(case):
    lowest, best = np.inf, None
    for one in case.rounds:
        usable = np.where(one.valid & np.isfinite(one.told), one.told, np.inf)
        if usable.min() < lowest:
            lowest, best = usable.min(), row(one.points, int(usable.argmin()))
        assert float(one.after.best_value) == lowest
        if best is not None:
            assert bits(one.after.best) == bits(best)
    first, *_, last = case.rounds
    assert np.isposinf(first.after.best_value), "every value of the first round was NaN"
    assert np.isfinite(lowest) and lowest > -1e9
    assert float(value(last.after.best)) == pytest.approx(lowest, rel=1e-5)


def test_tell_depends_on_nothing_but_its_arguments(case):
    for one in case.rounds:
        again = case.tell(one.key, one.before, one.told, one.valid, one.progress)
        assert bits(again) == bits(one.after)


def test_values_that_are_not_valid_do_not_matter(case):
    one = case.rounds[3]
    assert not one.valid.all()
    told = np.where(one.valid, one.told, np.nan).astype(np.float32)
    again = case.tell(one.key, one.before, told, one.valid, one.progress)
    assert bits(again) == bits(one.after)


def test_what_a_state_says_of_its_last_round(case):
    for one in case.rounds:
        info = one.after.info
        assert 0 < float(info.temperature) <= 1
        assert info.accepted.shape == (POPULATION,)
        assert not np.any(info.accepted & ~one.valid), "what is missing cannot be accepted"
    phases = [int(one.after.info.phase) for one in case.rounds]
    assert phases == sorted(phases)


def test_it_works_in_a_scan_of_your_own():
    rounds, space = 100, jaxhop.Space({"x": jaxhop.float(-5, 5, shape=(3,))})
    algorithm = annealed_mcmc()(space, POPULATION)

    def sphere(point):
        return jnp.sum((space.decode(point)["x"] - 1) ** 2)

    @jax.jit
    def scan(state, keys):
        def body(state, inputs):
            key, progress = inputs
            state = step(algorithm, sphere, POPULATION, key, state, progress)
            return state, state.best_value

        return jax.lax.scan(body, state, (keys, jnp.arange(rounds) / rounds))

    start = algorithm.init(jax.random.key(0))
    state, best = scan(start, jax.random.split(jax.random.key(1), rounds))
    best = np.asarray(best)
    assert np.all(np.diff(best) <= 0) and best[-1] == float(state.best_value)
    assert best[-1] < float(sphere(space.initial())) / 1000


def test_auto_is_a_recipe_like_the_others():
    assert isinstance(auto()(SPACE, 4, noisy=False), Algorithm)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"chains": 0}, "`chains=0`"),
        ({"chains": 1.5}, "`chains=1.5`"),
        ({"explore": 1.5}, "`explore=1.5`"),
        ({"explore": -0.1}, "`explore=-0.1`"),
        ({"start_temperature": 0}, "`start_temperature=0`"),
        ({"start_temperature": 2}, "`start_temperature=2`"),
        ({"end_temperature": 0.6}, "`end_temperature=0.6`"),
        ({"spread": -1}, "`spread=-1`"),
        ({"spread": np.nan}, "`spread=nan`"),
    ],
)
def test_wrong_settings_are_refused(settings, text):
    with pytest.raises(ValueError) as error:
        annealed_mcmc(**settings)
    assert text in str(error.value)


# Noisy objectives: the finalists of a search are confirmed.


class Finalists(NamedTuple):
    """A search that always has the same finalists, and believes the values of the last round."""

    points: Any
    values: jax.Array
    best: Any
    info: Info


def finals():
    """An algorithm with four finalists at 0, 1, 2, 3, and a round of it.

    The search asks for candidates at 100 and more.
    """

    def init(key, points=None):
        del key, points
        points = (jnp.arange(4, dtype=jnp.float32),)
        info = Info(jnp.int32(1), jnp.float32(1), jnp.zeros(8, bool))
        return Finalists(points, jnp.full(4, jnp.inf, jnp.float32), row(points, 0), info)

    def ask(key, index, state, progress):
        return (jnp.float32(100 + index),)

    def tell(key, state, batch, values, progress):
        return state._replace(values=values[:4])

    algorithm = confirmed(Algorithm(init, ask, tell), 8)

    def told(state, progress, values):
        key, progress = jax.random.key(0), jnp.float32(progress)

        def candidate(i):
            return algorithm.ask(key, i, state, progress)

        valid = jnp.arange(8) < algorithm.width(state, progress)
        batch = Batch(candidate, jnp.arange(8), valid)
        return algorithm.tell(key, state, batch, jnp.array([*values, *[-1e9] * 4]), progress)

    return algorithm, told


def test_the_finalist_of_the_lowest_mean_is_the_best():
    algorithm, told = finals()
    state = algorithm.init(jax.random.key(0))
    for progress, asked, width in ((0.5, 103, 8), (0.95, 3, 4)):
        args = jax.random.key(0), jnp.int32(3), state, jnp.float32(progress)
        assert algorithm.ask(*args)[0] == asked
        assert algorithm.width(state, jnp.float32(progress)) == width
    state = told(state, 0.92, [1, -5, 2, 7])  # the second is lucky once
    assert (state.best[0], state.best_value) == (1, -5)
    state = told(state, 0.95, [1, 9, np.nan, 7])
    state = told(state, 0.98, [2.5, 8, 0.5, np.inf])
    assert state.best[0] == 2
    assert float(state.best_value) == pytest.approx((2 + 0.5) / 2)
    np.testing.assert_array_equal(state.counts, [3, 3, 2, 2])


def test_a_confirmation_starts_anew_after_another_search():
    """As it does in every cycle of a search that has a target only."""
    algorithm, told = finals()
    state = algorithm.init(jax.random.key(0))
    state = told(state, 0.95, [-100, 50, 50, 50])
    state = told(state, 0.1, [5, 6, 7, 8])  # the finalists may be others now
    state = told(state, 0.95, [4, 3, 2, 1])
    assert (state.best[0], state.best_value) == (3, 1)


# An algorithm of the user's own.


class Climb(NamedTuple):
    """All that hill climbing remembers."""

    best: Any
    best_value: jax.Array


LINE = {"x": jaxhop.float(-5, 5, shape=(2,), init=-4)}


def hill_climber(space, lowest=jnp.minimum, width=None):
    """Perturbs the best point; plain JAX, and two things of a `Space`."""
    space = jaxhop.Space(space)

    def init(key, points=None):
        del key
        return Climb(row(points, 0), jnp.float32(jnp.inf))

    def ask(key, index, state, progress):
        (x,) = state.best
        noise = jax.random.normal(jax.random.fold_in(key, index), x.shape)
        return (jnp.clip(x + (index > 0) * 0.3 * (1 - progress) * noise, -0.5, 0.5),)

    def tell(key, state, batch, values, progress):
        values = jnp.where(batch.valid & jnp.isfinite(values), values, jnp.inf)
        at = jnp.argmin(values)
        better = values[at] < state.best_value
        best = jax.tree.map(
            lambda new, old: jnp.where(better, new, old), batch.candidate(at), state.best
        )
        return Climb(best, lowest(state.best_value, values[at]))

    return Algorithm(init, ask, tell, width)


def climb(algorithm, **settings):
    def loss(params):
        return jnp.sum((params["x"] - 2) ** 2)

    return jaxhop.search(
        loss, LINE, evaluations=400, population=POPULATION, algorithm=algorithm, **settings
    )


def test_an_algorithm_of_your_own_is_as_good_as_any():
    result = climb(hill_climber(LINE, width=lambda state, progress: 10))
    assert result.history["value"][0] == 72 and result.best_value < 0.01
    np.testing.assert_allclose(result.best["x"], 2, atol=0.1)
    assert result.best_value == result.history["value"].min()
    np.testing.assert_array_equal(result.history["step"], np.arange(400) // 10)


def test_an_algorithm_that_loses_its_best_value_is_found_out():
    with pytest.raises(RuntimeError, match="must keep the lowest value ever told"):
        climb(hill_climber(LINE, lowest=lambda old, new: jnp.minimum(old, new + 1)))
