"""Searches that go on in another space: refused, or extended by parameters."""

import contextlib
import json
import shutil
import sqlite3

import jax
import pytest
from searched import Counted, Stopped, assert_same

import jaxhop
from jaxhop.storage import StorageError

FEW = {"x": jaxhop.float(-1, 1), "n": jaxhop.int(1, 50)}
MORE = {**FEW, "y": jaxhop.float(0, 1, init=0.5)}


def loss(params):
    return (params["x"] - 0.3) ** 2 + params["n"] / 50 + (params.get("y", 0.5) - 0.2) ** 2


def search(place, fn=loss, space=FEW, **settings):
    usual = {"evaluations": 12, "surrogate": False, "backend": "python", "progress": False}
    return jaxhop.search(fn, space, dir=place, **usual | settings)


def settings(place):
    return json.loads((place / "space.json").read_text())


ROUNDS = {"population": 4, "algorithm": jaxhop.algorithms.random_search()}


@pytest.mark.parametrize("more", [{}, ROUNDS], ids=["one by one", "in rounds"])
def test_what_was_evaluated_stays_with_new_parameters_at_their_initial_values(tmp_path, more):
    before = search(tmp_path, **more)
    counted = Counted(loss)
    result = search(tmp_path, counted, MORE, evaluations=20, resume="extend", **more)
    assert (counted.calls, result.evaluations) == (8, 20)
    assert result.history["value"][:12].tolist() == before.history["value"].tolist()
    candidates = [result.history.params(row) for row in range(20)]
    assert candidates[:12] == [{**before.history.params(row), "y": 0.5} for row in range(12)]
    assert any(each["y"] != 0.5 for each in candidates[12:])


def test_rounds_begin_anew_from_the_best_and_can_be_made_again(tmp_path):
    place, other = tmp_path / "run", tmp_path / "other"
    options = {"population": 4, "checkpoint_every": 1e-9}
    search(place, **options)
    assert list((place / "checkpoints").glob("state_*"))
    shutil.copytree(place, other)
    whole = search(place, space=MORE, evaluations=40, resume="extend", **options)
    assert whole.history["step"][12:].min() == 2, "all of the first round is known"
    with pytest.raises(Stopped):
        search(other, Counted(loss, 10), MORE, evaluations=40, resume="extend", **options)
    shutil.rmtree(other / "checkpoints")  # trials are enough
    assert_same(search(other, space=MORE, evaluations=40, **options), whole)


def test_trials_under_way_are_forgotten(tmp_path):
    with pytest.raises(Stopped):
        search(tmp_path, Counted(loss, 5))
    counted = Counted(loss)
    result = search(tmp_path, counted, MORE, resume="extend", **ROUNDS)
    assert (result.evaluations, counted.calls) == (12, 7)


def test_damaged_trials_are_not_taken_for_whole_ones(tmp_path):
    search(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "trials.sqlite")) as connection, connection:
        connection.execute("UPDATE trial SET value = -100 WHERE id = 3")
    counted = Counted(loss)
    with pytest.warns(RuntimeWarning, match="1 of 12 trials are damaged"):
        result = search(tmp_path, counted, MORE, evaluations=14, resume="extend")
    assert (result.evaluations, counted.calls) == (14, 3) and result.best_value > 0


def test_wide_candidates_that_are_not_kept_cannot_be_extended(tmp_path):
    wide = {"w": jaxhop.float(-1, 1, shape=(20_000,))}

    def total(params):
        return float(params["w"].sum()) + params.get("y", 0)

    options = {"evaluations": 8, **ROUNDS}
    found = search(tmp_path, total, wide, **options)
    with pytest.raises(StorageError, match=r"give `observed=jaxhop\.load\(dir\)`"):
        search(tmp_path, total, {**wide, "y": MORE["y"]}, resume="extend", **options)
    assert search(tmp_path, total, wide, **options).best_value == found.best_value


# What one space is searched with does not suit every other


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A search by an algorithm that only moves numbers and options, because there are many."""
    place = tmp_path_factory.mktemp("learned")
    search(place, evaluations=1000)
    assert settings(place)["algorithm"] == "covariance_adaptation"
    return place


OTHERS = {
    "permutation": {"n": jaxhop.permutation(5)},
    "custom": {"n": jaxhop.custom(jax.random.uniform, lambda key, value: value)},
    "python": {"n": jaxhop.custom(lambda rng: 0, lambda rng, value: value, python=True)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_difference_of_spaces_is_told_whatever_searched_the_first(learned, name):
    with pytest.raises(StorageError, match="holds another search") as caught:
        search(learned, space=OTHERS[name], evaluations=1000)
    lines = str(caught.value).splitlines()[1:-1]
    assert [line.split(":")[0].strip() for line in lines] == ['space["n"]', 'space["x"]']


def test_an_extended_space_is_searched_with_what_suits_it(learned, tmp_path):
    place = shutil.copytree(learned, tmp_path / "run")
    space = {**FEW, "order": jaxhop.permutation(5)}
    counted = Counted(loss)
    result = search(place, counted, space, evaluations=1010, resume="extend")
    assert (result.evaluations, counted.calls) == (1010, 10)
    assert settings(place)["algorithm"] == "annealed_mcmc"
    assert not (place / "checkpoints").exists()
    assert search(place, counted, space, evaluations=1015).evaluations == 1015
