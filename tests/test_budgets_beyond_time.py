"""Budgets of cost and patience: what is reached first ends a search, and how far it runs over."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searched import Counted, assert_same, stopped_at

import jaxhop

SPACE = {"x": jaxhop.float(-1, 1), "n": jaxhop.int(1, 50)}
USUAL = {"surrogate": False, "backend": "python", "progress": False}


def loss(params):
    return (params["x"] - 0.3) ** 2 + params["n"] / 50


def priced(params):
    return {"value": loss(params), "cost": 0.1}


def search(fn, **settings):
    return jaxhop.search(fn, settings.pop("space", SPACE), **USUAL | settings)


def test_cost_ends_the_search_when_it_is_used_up():
    def by_size(params):
        return {"value": loss(params), "cost": params["n"]}

    result = search(by_size, cost=200)
    cost = result.history["cost"]
    assert result.stop_reason == "cost"
    assert cost.sum() >= 200 > cost[:-1].sum()
    sizes = [result.history.params(at)["n"] for at in range(len(cost))]
    assert cost.tolist() == sizes
    assert result.best_value == result.history["value"].min()


@pytest.mark.parametrize("evaluations", [3, 500])
def test_what_is_reached_first_ends_the_search(evaluations):
    result = search(priced, cost=1.95, evaluations=evaluations)
    reached = {3: ("evaluations", 3), 500: ("cost", 20)}
    assert (result.stop_reason, result.evaluations) == reached[evaluations]


def test_a_target_comes_before_cost():
    result = search(priced, cost=1e9, target=1.0)
    assert result.stop_reason == "target" and result.best_value <= 1.0


def test_cost_may_be_said_without_a_budget_of_it():
    result = search(priced, evaluations=6)
    assert result.history["cost"].tolist() == [0.1] * 6
    assert np.isnan(search(loss, evaluations=6).history["cost"]).all()


def test_generators_say_their_cost_at_the_end():
    def yielded(params):
        yield loss(params) + 1
        yield {"value": loss(params), "cost": 2.0}

    def returned(params):
        yield loss(params) + 1
        return {"value": loss(params), "cost": 2.0}

    plain = search(loss, evaluations=6)
    for fn in (yielded, returned):
        result = search(fn, evaluations=6)
        assert result.history["cost"].tolist() == [2.0] * 6
        np.testing.assert_array_equal(result.history["value"], plain.history["value"])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"value": 1.0}, r"keys \['value'\]"),
        ({"value": 1.0, "cost": 1.0, "more": 1}, "more"),
        ({"loss": 1.0, "cost": 1.0}, r"keys \['loss', 'cost'\]"),
        ({}, r"keys \[\]"),
        ({"value": "1", "cost": 1.0}, r'\["value"\]'),
        ({"value": 1.0, "cost": None}, r'\["cost"\]'),
        ({"value": 1.0, "cost": -1.0}, "cost -1.0"),
        ({"value": 1.0, "cost": float("nan")}, "cost nan"),
        ({"value": 1.0, "cost": float("inf")}, "cost inf"),
    ],
)
def test_dicts_that_say_something_else_are_refused(returned, message):
    with pytest.raises((TypeError, ValueError), match=message):
        search(lambda params: returned, evaluations=3)


def test_a_budget_of_cost_needs_to_know_it():
    with pytest.raises(TypeError, match=r'Return `\{"value": value, "cost": cost\}`'):
        search(loss, cost=3)


@pytest.mark.parametrize("cost", [0, -1, float("inf"), float("nan"), "3", True])
def test_a_cost_is_a_positive_number(cost):
    with pytest.raises((TypeError, ValueError), match="`cost="):
        search(priced, cost=cost)


def test_cost_is_for_python():
    with pytest.raises(ValueError, match="cost"):
        jaxhop.search(lambda params: jnp.square(params["x"]), SPACE, cost=3.0)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(number=st.integers(1, 14))
def test_cost_is_remembered(tmp_path_factory, number):
    """To the last bit: shares of it say how warm the search is."""
    place = tmp_path_factory.mktemp("run")
    whole = search(priced, cost=1.5)
    stopped_at(priced, number, SPACE, cost=1.5, dir=place, **USUAL)
    assert_same(search(Counted(priced), cost=1.5, dir=place), whole)
    counted = Counted(priced)
    again = search(counted, cost=1.5, dir=place)
    assert counted.calls == 0 and again.stop_reason == "cost"
    more = search(counted, cost=2.05, dir=place)
    assert counted.calls == more.evaluations - whole.evaluations > 3


def test_cost_adds_up_alike_when_a_search_goes_on(tmp_path):
    """A sum of tenths depends on its order."""
    whole = search(priced, cost=0.8)
    stopped_at(priced, 8, SPACE, cost=0.8, dir=tmp_path, **USUAL)
    again = search(Counted(priced), cost=0.8, dir=tmp_path)
    assert again.evaluations == whole.evaluations


def test_workers_tell_cost_and_run_over_by_what_was_under_way():
    result = search(priced, cost=0.85, n_jobs=2, backend="auto")
    assert result.stop_reason == "cost"
    finished = result.history["status"] == "completed"
    assert 9 <= finished.sum() <= 10
    assert result.history["cost"][finished].tolist() == [0.1] * int(finished.sum())
    assert result.evaluations <= 10


def test_patience_is_exact_for_rows():
    result = search(loss, patience=15, seed=1)
    assert result.stop_reason == "patience"
    values = result.history["value"]
    assert result.evaluations == values.argmin() + 1 + 15
    best = np.flatnonzero(np.diff(np.minimum.accumulate(values)) < 0) + 1
    assert np.all(np.diff([0, *best]) <= 15), "it was never reached before"


def test_patience_is_remembered(tmp_path):
    whole = search(loss, patience=15, seed=1)
    last_best = int(whole.history["value"].argmin())
    settings = {"patience": 15, "seed": 1, "dir": tmp_path}
    stopped_at(loss, 2, SPACE, **settings, **USUAL)
    stopped_at(loss, last_best + 6, SPACE, **settings, **USUAL)
    assert_same(search(Counted(loss), **settings), whole)
    counted = Counted(loss)
    assert search(counted, **settings).evaluations == whole.evaluations
    assert counted.calls == 0
    longer = search(counted, **{**settings, "patience": 18})
    assert longer.evaluations > whole.evaluations


def test_values_that_cannot_win_need_patience_too():
    def later(params):
        calls.append(params)
        return float("nan") if len(calls) > 5 else float(len(calls))

    calls = []
    assert search(later, patience=7).evaluations == 8


def test_patience_of_a_compiled_search_is_over_by_a_round_at_most(tmp_path):
    def compiled(params):
        return jnp.sum(jnp.round(4 * params["x"]) ** 2)

    space = {"x": jaxhop.float(-1, 1, shape=(3,))}
    settings = {"patience": 61, "population": 20, "seed": 1, "progress": False}
    result = jaxhop.search(compiled, space, **settings)
    assert result.stop_reason == "patience"
    after = result.evaluations - 1 - int(result.history["value"].argmin())
    assert 61 <= after < 61 + 40
    assert_same(jaxhop.search(compiled, space, dir=tmp_path, **settings), result)
    assert_same(jaxhop.search(compiled, space, dir=tmp_path, **settings), result)


@pytest.mark.parametrize("patience", [0, -3, 1.5, True, "9"])
def test_patience_is_a_whole_number(patience):
    with pytest.raises((TypeError, ValueError), match="`patience="):
        search(loss, patience=patience)


def test_evaluations_are_never_exceeded_by_workers():
    result = search(loss, evaluations=9, n_jobs=2, backend="auto")
    assert result.evaluations == 9 and (result.history["status"] == "completed").all()
