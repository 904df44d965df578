"""A search that is stopped and goes on finds what one finds that was never stopped."""

import functools
import itertools
import shutil
import time

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searched import Counted, StopAt, Stopped, assert_same, stopped_at

import jaxhop
from jaxhop.algorithms import covariance_adaptation

TOTAL = 24
SPACE = {
    "x": jaxhop.float(-1, 1),
    "n": jaxhop.int(1, 50, log=True),
    "kind": jaxhop.choice("a", "b", "c"),
    "fixed": [3, "text"],
}
CONDITIONAL = {
    "model": jaxhop.choice(
        {"name": "line", "slope": jaxhop.float(0, 1)},
        {"name": "step", "at": jaxhop.int(0, 9), "high": jaxhop.bool()},
    ),
    "x": jaxhop.float(1e-3, 1, log=True),
}
FIDELITY = {"x": jaxhop.float(-1, 1), "epochs": jaxhop.fidelity(1, 9)}
FINITE = {"a": jaxhop.int(0, 3), "b": jaxhop.choice("u", "v", "w")}


def sample(rng):
    return {"tour": rng.permutation(5).tolist()}


def mutate(rng, value):
    order = list(value["tour"])
    i, j = rng.choice(5, 2, replace=False)
    order[i], order[j] = order[j], order[i]
    return {"tour": order}


TOURS = {"order": jaxhop.custom(sample, mutate, python=True), "x": jaxhop.float(0, 1)}


def smooth(params):
    kind = {"a": 0.0, "b": -0.2, "c": 0.1}[params["kind"]]
    return (params["x"] - 0.3) ** 2 + abs(params["n"] - 20) / 50 + kind


def branches(params):
    model = params["model"]
    if model["name"] == "line":
        return (model["slope"] - 0.7) ** 2 + params["x"]
    return abs(model["at"] - 4) / 9 + 0.1 * model["high"] + params["x"]


def trained(params):
    return (params["x"] - 0.3) ** 2 + 1 / params["epochs"]


def growing(params):
    for epoch in range(4):
        yield (params["x"] - 0.3) ** 2 + params["n"] / 50 + 1 / (1 + epoch)


def finite(params):
    return params["a"] * 3 + "wuv".index(params["b"])


def tour(params):
    order = params["order"]["tour"]
    return sum(abs(a - b) for a, b in itertools.pairwise(order)) + params["x"]


def sometimes_nan(params):
    return float("nan") if params["kind"] == "b" else smooth(params)


def priced(params):
    return {"value": smooth(params), "cost": params["n"] / 10}


CASES = {
    "surrogate": (smooth, SPACE, {"surrogate": True}),
    "no surrogate": (smooth, SPACE, {"surrogate": False}),
    "maximised": (smooth, SPACE, {"surrogate": False, "direction": "max"}),
    "conditional": (branches, CONDITIONAL, {"surrogate": False}),
    "fidelity": (trained, FIDELITY, {}),
    "pruned": (growing, SPACE, {"surrogate": False, "pruner": jaxhop.pruners.MedianPruner()}),
    "python values": (tour, TOURS, {"surrogate": False}),
    "used up": (finite, FINITE, {}),
    "given": (
        smooth,
        SPACE,
        {"surrogate": False, "init": [{"x": 0.25}, {"kind": "b"}, {"n": 7, "x": -1.0}]},
    ),
    "NaN": (sometimes_nan, SPACE, {"surrogate": False}),
    "duplicates": (finite, FINITE, {"duplicates": "allow", "surrogate": False}),
    "cost as well": (priced, SPACE, {"surrogate": False}),
}


@functools.cache
def never_stopped(name):
    fn, space, options = CASES[name]
    return jaxhop.search(Counted(fn), space, evaluations=TOTAL, seed=3, **options)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=2, deadline=None, derandomize=True)
@given(calls=st.lists(st.integers(0, TOTAL - 2), min_size=1, max_size=2))
def test_stopped_at_any_evaluation(tmp_path_factory, name, calls):
    fn, space, options = CASES[name]
    place = tmp_path_factory.mktemp("run")
    settings = {"evaluations": TOTAL, "seed": 3, "dir": place, "backend": "python", **options}
    for number in calls:
        stopped_at(fn, number, space, **settings)
    counted = Counted(fn)
    result = jaxhop.search(counted, space, **settings)
    assert_same(result, never_stopped(name))
    before = min(sum(calls), result.evaluations)
    assert counted.calls == result.evaluations - before, "nothing is evaluated twice"
    shutil.rmtree(place)


@pytest.mark.parametrize("name", ["surrogate", "no surrogate"])
def test_asked_to_stop_at_an_evaluation(tmp_path, name):
    fn, space, options = CASES[name]
    settings = {"evaluations": TOTAL, "seed": 3, "dir": tmp_path, **options}
    seen = []
    for number in (1, 7, 8, TOTAL + 1):
        stop = StopAt(number)
        result = jaxhop.search(Counted(fn), space, callbacks=[stop], **settings)
        assert result.stop_reason == ("evaluations" if number > TOTAL else "interrupted")
        assert result.evaluations == min(number, TOTAL)
        seen += stop.seen
    assert seen == list(range(TOTAL)), "callbacks see what is new, and that once"
    assert_same(result, never_stopped(name))


@pytest.mark.parametrize("name", ["surrogate", "used up"])
def test_the_same_total_does_nothing(tmp_path, name):
    fn, space, options = CASES[name]
    settings = {"evaluations": TOTAL, "seed": 3, "dir": tmp_path, **options}
    first = jaxhop.search(Counted(fn), space, **settings)
    counted, seen = Counted(fn), StopAt(0)
    again = jaxhop.search(counted, space, callbacks=[seen], **settings)
    assert counted.calls == 0 and seen.seen == []
    assert_same(again, first)
    assert again.seconds == pytest.approx(first.seconds, abs=0.5)
    fewer = jaxhop.search(counted, space, **{**settings, "evaluations": 3})
    assert counted.calls == 0 and fewer.evaluations == first.evaluations
    more = jaxhop.search(counted, space, **{**settings, "evaluations": TOTAL + 5})
    assert counted.calls == (0 if name == "used up" else 5)
    assert more.evaluations == first.evaluations + counted.calls
    np.testing.assert_array_equal(
        more.history["value"][: first.evaluations], first.history["value"]
    )


def test_runtime_is_remembered(tmp_path):
    settings = {"runtime": 0.6, "dir": tmp_path, "surrogate": False}
    first = jaxhop.search(Counted(slow), SPACE, **settings)
    assert first.stop_reason == "runtime" and first.evaluations > 2
    counted = Counted(slow)
    again = jaxhop.search(counted, SPACE, **settings)
    assert counted.calls == 0 and again.stop_reason == "runtime"
    assert again.best_value == first.best_value
    longer = jaxhop.search(Counted(slow), SPACE, **{**settings, "runtime": 1.0})
    assert longer.evaluations > first.evaluations and 0.6 < longer.seconds < 1.4
    assert np.all(np.diff(longer.history["seconds"]) >= 0)


def slow(params):
    time.sleep(0.15)
    return smooth(params)


def test_a_target_that_was_reached(tmp_path):
    settings = {"target": 5.0, "dir": tmp_path}
    first = jaxhop.search(Counted(smooth), SPACE, **settings)
    counted = Counted(smooth)
    again = jaxhop.search(counted, SPACE, **settings)
    assert (first.stop_reason, again.stop_reason, counted.calls) == ("target", "target", 0)


def test_trials_that_failed_are_not_repeated(tmp_path):
    def fails(params):
        if params["kind"] == "b":
            raise ValueError("no")
        return smooth(params)

    settings = {"on_error": "skip", "surrogate": False, "seed": 1, "dir": tmp_path}
    whole = jaxhop.search(Counted(fails), SPACE, **{**settings, "evaluations": 20, "dir": None})
    jaxhop.search(Counted(fails), SPACE, evaluations=11, **settings)
    shutil.rmtree(tmp_path)
    with pytest.raises(Stopped):  # not skipped, for the search is told to raise
        jaxhop.search(
            Counted(smooth, 6), SPACE, **{**settings, "on_error": "raise"}, evaluations=20
        )
    shutil.rmtree(tmp_path)
    stop = StopAt(11)
    jaxhop.search(Counted(fails), SPACE, evaluations=20, callbacks=[stop], **settings)
    counted = Counted(fails)
    result = jaxhop.search(counted, SPACE, evaluations=20, **settings)
    assert "failed" in result.history["status"]
    assert_same(result, whole)


def test_candidates_in_rounds(tmp_path):
    options = {"population": 5, "evaluations": TOTAL, "seed": 3, "backend": "python"}
    whole = jaxhop.search(Counted(smooth), SPACE, **options)
    stopped_at(smooth, 16, SPACE, dir=tmp_path, **options)  # within a round
    counted = Counted(smooth)
    assert_same(jaxhop.search(counted, SPACE, dir=tmp_path, **options), whole)
    assert counted.calls == TOTAL - 16


CELLS = {"a": jaxhop.int(0, 30), "b": jaxhop.int(0, 30)}


def cells(params):
    return (params["a"] - 11) ** 2 + (params["b"] - 23) ** 2


def test_rounds_that_brought_nothing_new_are_made_again(tmp_path):
    """Once it is narrow, most rounds of so few candidates are known already."""
    learning = covariance_adaptation()
    options = {"algorithm": learning, "population": 24, "evaluations": 200}
    whole = jaxhop.search(Counted(cells), CELLS, **options)
    steps = np.unique(whole.history["step"])
    assert steps[-1] > len(steps), "there were such rounds"
    for number in (110, 20):
        stopped_at(cells, number, CELLS, dir=tmp_path, **options)
        shutil.rmtree(tmp_path / "checkpoints", ignore_errors=True)  # trials are enough
    counted = Counted(cells)
    assert_same(jaxhop.search(counted, CELLS, dir=tmp_path, **options), whole)
    assert counted.calls == 70


def test_parameters_that_are_pytrees_of_jax(tmp_path):
    def drawn(key):
        return {"a": jax.random.uniform(key), "b": jax.random.normal(key, (2,))}

    def changed(key, value):
        return {"a": value["a"], "b": value["b"] + 0.1 * jax.random.normal(key, (2,))}

    space = {"c": jaxhop.custom(drawn, changed), "x": jaxhop.float(0, 1)}

    def loss(params):
        return float(np.sum(params["c"]["b"] ** 2) + params["c"]["a"] + params["x"])

    options = {"evaluations": 12, "backend": "python", "surrogate": False}
    whole = jaxhop.search(Counted(loss), space, **options)
    stopped_at(loss, 5, space, dir=tmp_path, **options)
    assert_same(jaxhop.search(Counted(loss), space, dir=tmp_path, **options), whole)
