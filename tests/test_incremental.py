"""Objectives that know what a move changes: moves that keep their word, and searches with them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from searched import assert_same

import jaxhop
from jaxhop import _objective
from jaxhop.algorithms._heat import Cooling, heat_for
from jaxhop.algorithms._incremental_annealing import incremental_annealing
from jaxhop.algorithms._orders import Exchanges, Swaps

pytestmark = pytest.mark.usefixtures("quick_compilation")

N = 30
RNG = np.random.default_rng(0)
CITIES = RNG.uniform(size=(N, 2)).astype(np.float32)
DISTANCES = np.linalg.norm(CITIES[:, None] - CITIES, axis=2)
NEAREST = np.argsort(DISTANCES, axis=1)[:, 1:6]
FLOWS, GAPS = (RNG.integers(0, 9, (12, 12)) for _ in range(2))


def distance(a, b):
    return jnp.asarray(DISTANCES)[a, b]


def length(tour):
    return jnp.sum(distance(tour, jnp.roll(tour, -1)))


def change(tour, move):
    return jnp.sum(distance(*move.added) - distance(*move.removed))


def assigned(order):
    return jnp.sum(jnp.asarray(FLOWS) * jnp.asarray(GAPS)[order][:, order]).astype(jnp.float32)


def reassigned(order, move):
    """The plain difference; an objective that is worth it would need fewer terms."""
    moved = Swaps(12).apply(order, move)
    return assigned(moved) - assigned(order)


@pytest.mark.parametrize("turning", [True, False])
@pytest.mark.parametrize("near", [True, False])
def test_a_move_changes_the_value_by_what_it_says(turning, near):
    costs = jnp.asarray(DISTANCES if turning else RNG.uniform(size=(N, N)), jnp.float32)
    moves = Exchanges(N, jnp.asarray(NEAREST) if near else None, turning)

    def value(order):
        return jnp.sum(costs[order, jnp.roll(order, -1)])

    def one(order, words):
        held = moves.hold(order)
        move, legal = moves.propose(*words, held)
        after = moves.apply(held, move)
        told = jnp.sum(costs[*move.added]) - jnp.sum(costs[*move.removed])
        return legal, after, told, value(after.order) - value(order)

    rng = np.random.default_rng(1)
    orders = np.stack([rng.permutation(N) for _ in range(2000)]).astype(np.int32)
    words = rng.integers(0, 2**32, (2000, 2), np.uint32)
    legal, after, told, real = jax.device_get(jax.jit(jax.vmap(one))(orders, words))
    assert legal.mean() > 0.5
    np.testing.assert_allclose(told[legal], real[legal], atol=1e-5)
    order, place = after.order[legal], after.place[legal]
    assert np.array_equal(np.sort(order), np.broadcast_to(np.arange(N), order.shape))
    assert np.array_equal(np.take_along_axis(place, order, 1), np.sort(order))
    assert np.mean(np.any(order != orders[legal], axis=1)) == 1


def test_every_pair_of_places_is_swapped_as_often():
    moves, words = Swaps(4), np.random.default_rng(2).integers(0, 2**32, (6000, 2), np.uint32)
    order = jnp.arange(4, dtype=jnp.int32)

    def one(words):
        move, legal = moves.propose(*words, order)
        return move.first * 4 + move.second, moves.apply(order, move), legal

    pairs, after, legal = jax.device_get(jax.jit(jax.vmap(one))(words))
    counts = np.bincount(pairs, minlength=16).reshape(4, 4)
    assert legal.all()
    assert counts.trace() == 0
    assert counts[~np.eye(4, dtype=bool)].min() > 400
    assert np.all(np.sum(after != np.arange(4), axis=1) == 2)


def test_heat_is_where_worse_moves_are_accepted_as_often_as_wanted():
    changes = jnp.asarray(np.random.default_rng(3).exponential(5.0, 1000), jnp.float32)
    for scale in (1e-6, 1.0, 1e6):
        heat = heat_for(jnp.concatenate([changes, jnp.array([-1, 0, jnp.inf])]) * scale, 0.2)
        assert float(jnp.mean(jnp.exp(-changes * scale / heat))) == pytest.approx(0.2, rel=1e-3)
    assert float(heat_for(jnp.array([-1.0, jnp.nan, jnp.inf]), 0.2)) == 0


def test_it_is_cold_before_the_annealing_and_at_its_end():
    cooling = Cooling(jnp.float32([8, 0.5]), jnp.float32(0.25))
    heats = [float(cooling.heat(progress)) for progress in (0.25, 0.6, 0.97, 0.99)]
    assert heats[0] == 8 > heats[1] > heats[2] > heats[3] == 0
    assert float(Cooling(jnp.zeros(2), jnp.float32(2)).heat(0.5)) == 0


OBJECTIVE = jaxhop.incremental(length, change, neighbours=NEAREST, proposals=4096)
TOUR = {"tour": jaxhop.permutation(N), "name": "constant"}
NAMED = jaxhop.incremental(
    lambda params: length(params["tour"]),
    lambda params, move: change(params["tour"], move),
    neighbours=NEAREST,
    proposals=4096,
)


def test_a_search_finds_the_shortest_tour_and_reports_a_whole_value():
    result = jaxhop.search(NAMED, TOUR, evaluations=40, progress=False)
    tour = result.best["tour"]
    assert result.evaluations == 40
    assert result.best_value == pytest.approx(float(length(tour)), rel=1e-6)
    assert result.best_value < 4.745  # what LKH finds


def test_the_direction_turns_the_change_round_and_drift_is_put_right():
    """A change that is a little wrong misleads the chain, but not what is reported."""
    upside = jaxhop.incremental(
        lambda tour: -length(tour),
        lambda tour, move: -change(tour, move) - 1e-4,
        neighbours=NEAREST,
        proposals=4096,
    )
    result = jaxhop.search(upside, jaxhop.permutation(N), evaluations=20, direction="max")
    assert result.best_value == pytest.approx(-float(length(result.best)), rel=1e-6)
    assert result.best_value == max(result.history["value"]) > -1.05 * 4.745


def test_swaps_solve_an_assignment():
    objective = jaxhop.incremental(assigned, reassigned, moves="swap", proposals=4096)
    result = jaxhop.search(objective, jaxhop.permutation(12), evaluations=50, progress=False)
    assert sorted(result.best) == list(range(12))
    assert result.best_value == float(assigned(jnp.asarray(result.best))) < 1.03 * 2139


def test_shifts_solve_an_asymmetric_tour():
    costs = np.random.default_rng(5).uniform(1, 2, (12, 12)).astype(np.float32)
    hidden = np.random.default_rng(6).permutation(12)
    costs[hidden, np.roll(hidden, -1)] = 0.1

    def cost(order):
        return jnp.sum(jnp.asarray(costs)[order, jnp.roll(order, -1)])

    def shifted(order, move):
        return jnp.sum(jnp.asarray(costs)[*move.added] - jnp.asarray(costs)[*move.removed])

    objective = jaxhop.incremental(cost, shifted, moves="shift", proposals=4096)
    result = jaxhop.search(objective, jaxhop.permutation(12), evaluations=30, progress=False)
    assert result.best_value == pytest.approx(1.2)


def knapsack():
    """Which of 40 things to take: a custom leaf of bools, moved by taking and leaving."""
    worth, weight = np.random.default_rng(7).integers(10, 99, (2, 40))

    def value(taken):
        return jnp.dot(taken, worth) - 100 * jnp.maximum(jnp.dot(taken, weight) - 800, 0)

    def flipped(taken, move):
        """One thing is taken or left, or two: at the limit one has to go for another."""
        things = jnp.arange(40)
        return jnp.where((things == move[0]) | (things == move[1]), 1 - taken, taken)

    def gain(taken, move):
        return value(flipped(taken, move)) - value(taken)

    leaf = jaxhop.custom(
        sample=lambda key: jax.random.bernoulli(key, 0.2, (40,)).astype(jnp.int32),
        mutate=lambda key, taken: taken.at[jax.random.randint(key, (), 0, 40)].set(1),
    )
    moves = (lambda key, taken: jax.random.randint(key, (2,), 0, 40), flipped)
    objective = jaxhop.incremental(value, gain, moves=moves, proposals=8192)
    return objective, leaf, worth, weight


def test_a_custom_leaf_moves_by_the_functions_of_its_user():
    objective, leaf, worth, weight = knapsack()
    result = jaxhop.search(objective, leaf, direction="max", evaluations=20, progress=False)
    assert result.best @ weight <= 800
    # Not much less than if the last thing could be cut in two, which nothing can surpass.
    order = np.argsort(-worth / weight)
    room = np.clip((800 - np.cumsum(weight[order]) + weight[order]) / weight[order], 0, 1)
    assert 0.95 * (worth[order] @ room) < result.best_value <= worth[order] @ room


def test_several_chains_and_given_candidates():
    greedy = np.arange(N)[::-1]
    result = jaxhop.search(
        OBJECTIVE, jaxhop.permutation(N), evaluations=64, population=4, init=[greedy]
    )
    values = result.history["value"]
    assert values[0] == pytest.approx(float(length(np.arange(N))))
    assert values[1] == pytest.approx(float(length(greedy)), rel=1e-6)
    assert np.ptp(values[-4:]) < 0.2 * np.ptp(values)


def test_a_search_goes_on_in_a_directory_as_if_it_had_not_stopped(tmp_path):
    space = jaxhop.permutation(N)
    whole = jaxhop.search(OBJECTIVE, space, evaluations=60, seed=3, progress=False)
    stop = {"callbacks": [lambda report: report.first > 10], "progress": False}
    settings = {"evaluations": 60, "seed": 3, "dir": tmp_path / "run", "checkpoint_every": 0.001}
    first = jaxhop.search(OBJECTIVE, space, **settings, **stop)
    assert first.stop_reason == "interrupted"
    assert_same(jaxhop.search(OBJECTIVE, space, **settings, progress=False), whole)


def test_the_contract_holds():
    moves = Exchanges(N, None, turning=True)
    recipe = incremental_annealing(lambda point, move: change(point[0], move), moves, proposals=64)
    jaxhop.algorithms.check_contract(recipe(TOUR, 4), TOUR, population=4)


def float_of_a_tracer(order, move):
    return float(order[0])


@pytest.mark.parametrize(
    ("arguments", "error", "parts"),
    [
        ((3, change), TypeError, ["incremental(value=3)", "must be a function", "Give"]),
        ((length, None), TypeError, ["incremental(change=None)", "must be a function"]),
        ((lambda tour, key: 0.0, change), TypeError, ["must not be random", "jaxhop.search("]),
        ((length, change, {"moves": "2opt"}), ValueError, ["moves='2opt'", "'exchange'", "Give"]),
        ((length, change, {"moves": (1, 2)}), ValueError, ["moves=(1, 2)", "pair of functions"]),
        (
            (length, change, {"moves": "swap", "neighbours": NEAREST}),
            ValueError,
            ["neighbours", "moves='swap'", "Leave them out"],
        ),
        (
            (length, change, {"neighbours": CITIES}),
            TypeError,
            ["neighbours", "float32[30, 2]", "Say numpy.argsort"],
        ),
        ((length, change, {"proposals": 0}), ValueError, ["proposals=0", "at least 1"]),
    ],
)
def test_wrong_arguments_are_refused_with_a_sentence(arguments, error, parts):
    *functions, settings = arguments if isinstance(arguments[-1], dict) else (*arguments, {})
    with pytest.raises(error) as caught:
        jaxhop.incremental(*functions, **settings)
    assert [part for part in parts if part not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("fn", "space", "settings", "error", "parts"),
    [
        (
            OBJECTIVE,
            {"a": jaxhop.permutation(N), "x": jaxhop.float(0, 1)},
            {},
            TypeError,
            ["incremental(length, ...)", "one parameter", "Put what else varies"],
        ),
        (OBJECTIVE, jaxhop.float(0, 1), {}, TypeError, ["one parameter", "permutation"]),
        (OBJECTIVE, jaxhop.permutation(5), {}, ValueError, ["permutation(5)", "5 rows", "Give"]),
        (OBJECTIVE, knapsack()[1], {}, ValueError, ["moves='exchange'", "moves=(propose, apply)"]),
        (
            knapsack()[0],
            jaxhop.permutation(N),
            {},
            ValueError,
            ["does not move a permutation(30)", "moves='exchange'"],
        ),
        (
            jaxhop.incremental(length, lambda tour, move: distance(*move.added)),
            jaxhop.permutation(N),
            {},
            TypeError,
            ["<lambda>", "one real number", "float32[3]", "jnp.sum"],
        ),
        (
            jaxhop.incremental(length, float_of_a_tracer),
            jaxhop.permutation(N),
            {},
            _objective.TraceError,
            ["float_of_a_tracer", "cannot be traced", "test_incremental.py"],
        ),
        (
            jaxhop.incremental(lambda tour: float(tour[0]), change),
            jaxhop.permutation(N),
            {},
            _objective.TraceError,
            ["cannot be traced", "test_incremental.py"],
        ),
        (
            OBJECTIVE,
            jaxhop.permutation(N),
            {"backend": "python"},
            ValueError,
            ["incremental(length, ...)", "compiled by JAX", "Leave out"],
        ),
        (OBJECTIVE, jaxhop.permutation(N), {"n_jobs": 2}, ValueError, ["compiled by JAX"]),
        (OBJECTIVE, jaxhop.permutation(N), {"algorithm": "2-opt"}, ValueError, ['must be "auto"']),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(fn, space, settings, error, parts):
    with pytest.raises(error) as caught:
        jaxhop.search(fn, space, evaluations=10, progress=False, **settings)
    assert [part for part in parts if part not in str(caught.value)] == []
