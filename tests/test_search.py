"""The whole search, seen from outside: what comes back, when it stops, what it can search."""

import dataclasses
import math
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain import plain

import jaxhop

POPULATION = 16
SPACE = {"x": jaxhop.float(-5, 5, shape=(3,)), "n": jaxhop.int(1, 9), "name": "constant"}
START = {"x": np.zeros(3, np.float32), "n": 5}


def loss(params):
    return jnp.sum((params["x"] - jnp.array([1.0, -2.0, 3.0])) ** 2) + (params["n"] - 3) ** 2


def search(fn=loss, space=SPACE, **settings):
    """A search that shares its program with all others of this space and objective."""
    return jaxhop.search(fn, space, **{"population": POPULATION} | settings)


def search_shortly(fn=loss, **settings):
    """500 evaluations of annealed MCMC, all of whose rounds have the whole population."""
    algorithm = jaxhop.algorithms.annealed_mcmc()
    return search(fn, **{"evaluations": 500, "seed": 3, "algorithm": algorithm} | settings)


def params(result):
    """The candidates of a search, as one array a parameter."""
    rows = [result.history.params(row) for row in result.history.stored]
    return {name: np.array([row[name] for row in rows]) for name in ("x", "n")}


def assert_same(one, two):
    """The same search, bit for bit."""
    np.testing.assert_array_equal(one.history["value"], two.history["value"])
    for name, column in params(one).items():
        np.testing.assert_array_equal(column, params(two)[name])
    assert one.best_value == two.best_value


@pytest.fixture(scope="module")
def short():
    return search_shortly()


# What comes back.


ADAM, SGD = object(), object()


def model_loss(params):
    assert params["name"] == "baseline"
    layer = params["layers"][0]
    fit = jnp.mean((layer["w"] - 0.3) ** 2) + jnp.mean((layer["b"] + 0.2) ** 2)
    fit += (jnp.log10(params["scale"]) - math.log10(0.03)) ** 2
    fit += jnp.where(params["optimizer"] == SGD, 0.0, 1.0)
    return fit + (params["depth"] - 6) ** 2 + (params["gain"] - 2) ** 2


@pytest.fixture(scope="module")
def model():
    space = {
        "layers": [
            {"w": jaxhop.float(-1, 1, shape=(12, 8)), "b": jaxhop.float(-1, 1, shape=(8,))}
        ],
        "scale": jaxhop.float(1e-3, 1e1, "0.1g"),
        "depth": jaxhop.int(1, 8),
        "gain": jaxhop.choice([0.5, 1.0, 2.0]),
        "optimizer": jaxhop.choice(ADAM, SGD),
        "name": "baseline",
    }
    return jaxhop.search(model_loss, space, evaluations=4000, seed=2)


def test_the_best_has_the_structure_of_the_space_and_plain_types(model):
    best = model.best
    assert set(best) == {"layers", "scale", "depth", "gain", "optimizer", "name"}
    (layer,) = best["layers"]
    for name, shape in (("w", (12, 8)), ("b", (8,))):
        assert type(layer[name]) is np.ndarray
        assert (layer[name].shape, layer[name].dtype) == (shape, np.float32)
    assert (type(best["scale"]), type(best["depth"]), type(best["gain"])) == (float, int, float)
    assert best["name"] == "baseline"


def test_the_best_is_found(model):
    best = model.best
    assert (best["depth"], best["gain"], best["optimizer"]) == (6, 2.0, SGD)
    assert best["optimizer"] is SGD, "the option itself, no copy"
    assert best["scale"] == 0.03, "the decimal number itself"
    np.testing.assert_allclose(best["layers"][0]["w"], 0.3, atol=0.15)
    assert model.best_value < 1e-3 < model.history["value"][0]


def test_the_best_value_is_that_of_the_best_candidate(model):
    option = jaxhop.choice(ADAM, SGD)
    params = model.best | {"optimizer": option.decode(option.encode(model.best["optimizer"]))}
    assert model.best_value == pytest.approx(float(model_loss(params)), rel=1e-5)
    assert type(model.best_value) is float
    assert model.best_value == model.history["value"].min() == model.history.best()[-1]


def test_fields_of_a_result(model):
    assert model.stop_reason == "evaluations"
    assert model.evaluations == 4000 and type(model.evaluations) is int
    assert 0 < model.seconds < 60 and 0 < model.compile_seconds < 600
    assert (model.nan_share, model.direction, model.seed, model.aux) == (0.0, "min", 2, None)
    assert [phase.name for phase in model.phases] == ["initial", "explore", "anneal"]
    assert sum(phase.evaluations for phase in model.phases) == 4000
    assert model.top(3)[0][0] == model.best_value
    assert set(model.to_pandas()) >= {"params.gain", "params.layers.0.w", "params.optimizer"}


def test_large_spaces_keep_the_parameters_of_the_improvements(model):
    history = model.history
    assert 10 < len(history.stored) < 1000
    value, best = history["value"], history.best()
    np.testing.assert_array_equal(value[history.stored], best[history.stored])
    at = int(np.argmin(value))
    np.testing.assert_array_equal(
        history.params(at)["layers"][0]["w"], model.best["layers"][0]["w"]
    )


def test_history_of_a_short_search(short):
    history = short.history
    assert len(history) == 500 == len(history["value"])
    assert set(history.columns) == {
        "evaluation", "value", "phase", "step", "seconds", "temperature", "accepted", "status",
        "duration", "worker", "cost",
    }  # fmt: skip
    np.testing.assert_array_equal(history["evaluation"], np.arange(500))
    np.testing.assert_array_equal(history["step"], np.arange(500) // POPULATION)
    assert history["phase"][0] == "initial" and history["phase"][1] == "explore"
    order = ["initial", "explore", "anneal"]
    ranks = [order.index(phase) for phase in history["phase"]]
    assert ranks == sorted(ranks) and ranks.count(2) > 400
    assert np.all(np.diff(history["seconds"]) >= 0)
    assert 0 < history["seconds"][0] and history["seconds"][-1] <= short.seconds
    temperature = history["temperature"]
    assert np.all((temperature > 0) & (temperature <= 1))
    assert np.all(np.diff(temperature) <= 0) and temperature[-1] < temperature[0]
    assert 0 < history["accepted"].sum() < 500


def test_small_spaces_keep_the_parameters_of_every_evaluation(short):
    assert len(short.history.stored) == 500
    for row in (0, 1, 250, 499):
        candidate = short.history.params(row)
        assert candidate["name"] == "constant"
        assert float(loss(candidate)) == pytest.approx(short.history["value"][row], rel=1e-5)
    np.testing.assert_array_equal(short.history.params(0)["x"], START["x"])
    assert short.history.params(0)["n"] == START["n"]


# When it stops.


@pytest.mark.parametrize("evaluations", [1, 5, 100])
def test_evaluations_are_exact(evaluations):
    result = search(evaluations=evaluations)
    assert (result.evaluations, len(result.history)) == (evaluations, evaluations)
    assert result.stop_reason == "evaluations"
    assert result.best_value == result.history["value"].min()


def test_a_target_ends_the_search():
    result = search(target=0.5)
    assert result.stop_reason == "target"
    assert result.best_value <= 0.5
    values, step = result.history["value"], result.history["step"]
    assert values[step < step[-1]].min() > 0.5, "nothing is evaluated after that round"
    # What is reached first counts.
    result = search(target=0.5, evaluations=20)
    assert (result.stop_reason, result.evaluations) == ("evaluations", 20)


def test_the_runtime_is_kept():
    late = []
    while len(late) < 3:  # the machine may be busy with other things
        result = search(runtime="600ms")
        assert result.stop_reason == "runtime"
        late.append(result.seconds - 0.6)
        if late[-1] < 0.05:
            break
    assert min(late) < 0.05
    assert result.seconds > 0.4
    assert result.evaluations > 1000
    assert set(result.history["phase"]) == {"initial", "explore", "anneal"}


def test_compilation_does_not_count_as_runtime():
    begin = time.perf_counter()
    result = search(runtime=0.1)
    assert result.seconds + result.compile_seconds <= time.perf_counter() - begin
    assert result.compile_seconds > 0.1 and result.evaluations > POPULATION


def test_a_callback_ends_the_search():
    told = []

    class Recorder:
        def on_start(self, info):
            told.append((info.direction, info.seed, info.size, info.budget.evaluations))

        def on_round(self, report):
            told.append(report)
            return report.evaluations >= 2 * POPULATION

        def on_end(self, result):
            told.append(result)

    # Rounds of one chunk: one that is open when it ends is reported once more.
    whole = jaxhop.algorithms.annealed_mcmc()
    result = search(evaluations=10**6, callbacks=[Recorder()], seed=5, algorithm=whole)
    assert result.stop_reason == "interrupted"
    assert 2 * POPULATION <= result.evaluations < 10**6
    start, *reports, end = told
    assert start == ("min", 5, 4, 10**6)
    assert end is result
    values = np.concatenate([report.values for report in reports])
    np.testing.assert_array_equal(values, result.history["value"])
    assert [report.first for report in reports[1:]] == [r.evaluations for r in reports[:-1]]
    assert reports[-1].best_value == result.best_value
    assert all(report.evaluations < 2 * POPULATION for report in reports[:-1])


# The same again.


def test_a_seed_is_the_whole_search(short):
    assert_same(short, search_shortly(direction="minimize"))
    other = search_shortly(seed=4)
    assert np.all(other.history["value"][:1] == short.history["value"][:1])
    assert np.mean(other.history["value"][1:] != short.history["value"][1:]) > 0.9


def test_large_seeds_differ_in_their_upper_half():
    one, two = (search(evaluations=20, seed=seed) for seed in (2**32, 2**33))
    assert np.any(one.history["value"] != two.history["value"])


def test_maximising_is_minimising_the_negative(short):
    result = search_shortly(lambda params: -loss(params), direction="maximize")
    np.testing.assert_array_equal(result.history["value"], -short.history["value"])
    for name, column in params(result).items():
        np.testing.assert_array_equal(column, params(short)[name])
    assert result.best_value == -short.best_value == result.history["value"].max()
    assert (result.direction, result.top(1)[0][0]) == ("max", result.best_value)


def test_a_target_of_a_maximum():
    result = search(lambda params: -loss(params), direction="max", target=-0.5)
    assert result.stop_reason == "target" and result.best_value >= -0.5


# Where it starts.


def test_given_candidates_come_first_and_may_be_partial():
    given = [{"x": np.array([1, -2, 2.5]), "n": 4, "name": "constant"}, {"n": 9}]
    result = search(evaluations=100, init=given)
    history = result.history
    assert history["phase"][:4].tolist() == ["initial", "initial", "initial", "explore"]
    rows = [history.params(row) for row in range(3)]
    assert [row["n"] for row in rows] == [5, 4, 9]
    np.testing.assert_allclose(
        np.stack([row["x"] for row in rows]), [[0, 0, 0], [1, -2, 2.5], [0, 0, 0]], atol=1e-6
    )
    np.testing.assert_allclose(history["value"][:3], [18, 1.25, 50], rtol=1e-6)
    assert result.phases[0][:3] == ("initial", 3, pytest.approx(1.25))
    # With fewer evaluations than that, the first of them.
    result = search(evaluations=2, init=given)
    np.testing.assert_allclose(result.history["value"], [18, 1.25], rtol=1e-6)


# What an objective may be.


def test_what_the_objective_returns_beside_its_value_comes_back():
    def with_aux(params):
        residual = params["x"] - jnp.array([1.0, -2.0, 3.0])
        return jnp.sum(residual**2), {"residual": residual, "n": (params["n"], 7)}

    result = search(with_aux, evaluations=300, algorithm=plain)
    assert sorted(result.aux) == ["n", "residual"]
    assert result.aux["n"] == (result.best["n"], 7)
    np.testing.assert_array_equal(
        result.aux["residual"], result.best["x"] - np.array([1, -2, 3], np.float32)
    )
    assert np.sum(result.aux["residual"] ** 2) == pytest.approx(result.best_value, rel=1e-5)


def truth(x):
    return 0.1 * (x - 1) ** 2


def noisy_loss(params, key):
    """Noise of deviation 1 that is another one for every candidate and every round."""
    own = jax.random.fold_in(key, jax.lax.bitcast_convert_type(params["x"], jnp.uint32))
    return truth(params["x"]) + jax.random.normal(own)


def test_the_best_of_a_noisy_objective_is_not_the_luckiest_one():
    result = search(noisy_loss, {"x": jaxhop.float(-5, 5)}, evaluations=4000)
    mean = truth(result.best["x"])
    assert mean < truth(0.0) + 0.05, "better than the starting point, up to the noise"
    assert result.history["phase"][-1] == "confirm"
    luckiest = result.history["value"].min()
    assert luckiest < -2.5
    assert abs(result.best_value - mean) < 0.5


def test_the_candidates_of_a_round_meet_the_same_noise():
    def with_weather(params, key):
        return params["x"] ** 2 * 0 + jax.random.normal(key)

    result = search(with_weather, {"x": jaxhop.float(-5, 5)}, evaluations=160, algorithm=plain)
    values = result.history["value"].reshape(10, POPULATION)
    np.testing.assert_array_equal(values, np.broadcast_to(values[:, :1], values.shape))
    assert len(np.unique(values)) == 10
    assert abs(result.best_value) < np.abs(values).max()


def holes(x):
    """NaN all around the starting point, -inf and inf far away."""
    value = jnp.where(jnp.abs(x) < 2, jnp.nan, (x - 3) ** 2)
    return jnp.where(x < -4, -jnp.inf, jnp.where(x > 4.5, jnp.inf, value))


def test_values_that_are_not_finite_never_win_and_never_hold_the_search():
    result = search(holes, jaxhop.float(-5, 5), evaluations=1000)
    value = result.history["value"]
    assert np.isnan(value[0]), "the starting point"
    assert np.isneginf(value).any() and np.isposinf(value).any()
    assert result.nan_share == np.mean(~np.isfinite(value)) > 0.02
    assert type(result.best) is float
    assert result.best == pytest.approx(3, abs=0.01)
    assert result.best_value == np.min(value[np.isfinite(value)]) < 1e-4
    assert np.mean(np.isfinite(value[500:])) > 0.5
    assert "NaN or infinite" in repr(result)


def test_a_search_without_any_finite_value_says_so():
    with pytest.raises(ValueError, match=r"every one of the 50 values .* NaN or infinite"):
        search(lambda x: jnp.log(-x), jaxhop.float(1, 5), evaluations=50, algorithm=plain)


def test_objectives_may_use_64_bits():
    seen = []

    def precise(params):
        x = params["x"].astype(jnp.float64)
        seen.append(x.dtype)
        return jnp.sum((x - 1) ** 2)

    with jax.enable_x64(True):
        result = search(precise, {"x": jaxhop.float(-5, 5, shape=(3,))}, evaluations=1000)
    assert seen == [np.float64]
    assert result.best["x"].dtype == np.float32
    assert result.best_value < 1e-3 < 3 == result.history["value"][0]


# What a space may be.


class Pair(NamedTuple):
    """A node of a space."""

    a: Any
    b: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Optimizer:
    """Another one."""

    rate: Any
    name: str = dataclasses.field(metadata={"static": True}, default="sgd")


def test_any_pytree_is_a_space():
    space = [
        (jaxhop.float(-5, 5, init=-2), Pair(jaxhop.float(-5, 5, init=4.5), 7)),
        Optimizer(jaxhop.float(-5, 5)),
    ]

    def nested(params):
        (x, pair), optimizer = params
        assert isinstance(pair, Pair) and pair.b == 7
        assert isinstance(optimizer, Optimizer) and optimizer.name == "sgd"
        return (x - 1) ** 2 + (pair.a - 2) ** 2 + (optimizer.rate - 3) ** 2

    result = search(nested, space, evaluations=1000, init=[[(1.5, Pair(1.5, 7)), Optimizer(1.5)]])
    assert result.history["value"][:2].tolist() == [9 + 6.25 + 9, 2.75]
    (x, pair), optimizer = result.best
    assert type(result.best) is list and type(result.best[0]) is tuple
    assert type(pair) is Pair and pair.b == 7
    assert type(optimizer) is Optimizer and optimizer.name == "sgd"
    assert [type(number) for number in (x, pair.a, optimizer.rate)] == 3 * [float]
    np.testing.assert_allclose([x, pair.a, optimizer.rate], [1, 2, 3], atol=0.05)


def test_options_that_are_no_numbers_can_be_compared_and_switched_on():
    space = {
        "act": jaxhop.choice("relu", "tanh", "none"),
        "opt": jaxhop.choice(["adam", "sgd"]),
        "x": jaxhop.float(-5, 5),
    }

    def options(params):
        x = params["act"].switch(
            lambda: jax.nn.relu(params["x"]), lambda: jnp.tanh(params["x"]), lambda: params["x"]
        )
        return (
            (x + 0.5) ** 2 + jnp.where(params["opt"] == "adam", 1, 0) + (params["act"] != "tanh")
        )

    result = search(options, space, evaluations=1000)
    assert (result.best["act"], result.best["opt"]) == ("tanh", "sgd")
    assert np.tanh(result.best["x"]) == pytest.approx(-0.5, abs=0.01)
    assert result.history.params(0) == {"act": "relu", "opt": "adam", "x": 0.0}


def tour(order):
    """Length of a ring of 12 places whose best order is 0, 5, 10, 3, ... ."""
    angle = 2 * jnp.pi * ((5 * order) % 12) / 12
    places = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
    return jnp.sum(jnp.linalg.norm(places - jnp.roll(places, 1, axis=1), axis=0)) - 6.2


WEIGHTS = {"w": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4), "steps": 3}
INPUTS = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)


def regression(weights):
    assert weights["steps"] == 3
    outputs = jnp.einsum("io,ib->ob", weights["w"], INPUTS)
    return jnp.mean((outputs - jnp.sum(INPUTS, axis=0)) ** 2)


def walk(key, value, temperature):
    change = temperature * jax.random.normal(key, (2,))
    return {"angle": value["angle"] + change[0], "radius": jnp.abs(value["radius"] + change[1])}


KINDS = {
    # space, objective, by what factor its value must fall
    "bool": (
        [jaxhop.bool() for _ in range(8)],
        lambda flags: 0.01 + sum(jnp.where(flag, 0, 1 + i) for i, flag in enumerate(flags)),
        1000,
    ),
    "int log": (
        jaxhop.int(1, 10**6, log=True),
        lambda n: 0.01 + (jnp.log(n) - math.log(4321)) ** 2,
        50,
    ),
    "permutation": (jaxhop.permutation(12), tour, 500),
    "custom": (
        jaxhop.custom(
            lambda key: {"angle": jax.random.uniform(key, maxval=6.3), "radius": jnp.float32(1)},
            walk,
            init={"angle": 0.0, "radius": 1.0},
        ),
        lambda p: (p["radius"] * jnp.cos(p["angle"]) + 2) ** 2 + (p["radius"] - 3) ** 2,
        100,
    ),
    "weights": (jaxhop.weights(WEIGHTS), regression, 30),
}


@pytest.fixture(scope="module")
def kinds():
    """Parts of the value at the start and at the best of one search of all kinds."""

    def parts(params):
        return {name: fn(params[name]) for name, (_, fn, _) in KINDS.items()}

    space = {name: space for name, (space, _, _) in KINDS.items()}
    result = search(
        lambda params: (sum(parts(params).values()), parts(params)),
        space,
        evaluations=20_000,
        population=64,
    )
    space = jaxhop.Space(space)
    return parts(space.to_python(space.initial())), result.aux


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_parameter_is_searched(kind, kinds):
    start, best = (float(parts[kind]) for parts in kinds)
    assert 0 < best < start / KINDS[kind][2]


def test_progress_is_shown_when_asked_for(capsys):
    search(evaluations=100, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "100 evals" in captured.err and "anneal" in captured.err
