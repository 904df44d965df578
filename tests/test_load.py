"""A result read from a run directory, be the search over, stopped or still going."""

import json
import os
import shutil
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from searched import Counted, StopAt, assert_equal, assert_same, stopped_at

import jaxhop
from jaxhop.storage import StorageError

SPACE = {
    "x": jaxhop.float(-1, 1),
    "n": jaxhop.int(1, 50),
    "kind": jaxhop.choice("a", "b"),
    "fixed": (3, None),
}
NUMBERS = {"x": jaxhop.float(-1, 1, shape=(3,)), "n": jaxhop.int(1, 9)}
USUAL = {"surrogate": False, "backend": "python", "progress": False}


def loss(params):
    return (params["x"] - 0.3) ** 2 + params["n"] / 50 + (params["kind"] == "b")


def compiled(params):
    return jnp.sum((params["x"] - 0.3) ** 2) + params["n"]


class Thing:
    """An option that text cannot make again."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"Thing({self.name})"


def state(place):
    return {each: (each.stat().st_mtime_ns, each.stat().st_size) for each in place.rglob("*")}


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_a_search_of_rows_that_is_over(tmp_path, given, direction):
    found = jaxhop.search(
        loss, SPACE, evaluations=12, direction=direction, dir=tmp_path, seed=2, **USUAL
    )
    loaded = jaxhop.load(tmp_path, SPACE if given else None)
    assert_same(loaded, found, but=("accepted",))
    assert (loaded.direction, loaded.seed) == (direction, 2)
    assert loaded.seconds == pytest.approx(found.seconds, abs=0.2)
    assert loaded.nan_share == found.nan_share
    assert_equal(loaded.top(5), found.top(5))
    loaded.to_csv(tmp_path / "loaded.csv"), found.to_csv(tmp_path / "found.csv")
    texts = [
        [line.split(",") for line in (tmp_path / name).read_text().splitlines()]
        for name in ("loaded.csv", "found.csv")
    ]
    # Times are those of writing; whether the search went on from a candidate is not written.
    compared = [at for at, name in enumerate(texts[0][0]) if name not in ("accepted", "seconds")]
    assert len(compared) > 8
    for one, other in zip(*texts, strict=True):
        assert [one[at] for at in compared] == [other[at] for at in compared]
    assert str(found.best_value)[:6] in str(loaded)


def test_a_compiled_search_that_is_over(tmp_path):
    found = jaxhop.search(compiled, NUMBERS, evaluations=500, dir=tmp_path, progress=False)
    for space in (None, NUMBERS):
        loaded = jaxhop.load(tmp_path, space)
        assert_same(loaded, found)
        assert_equal(loaded.top(3), found.top(3))


def test_nothing_is_written(tmp_path):
    jaxhop.search(loss, SPACE, evaluations=5, dir=tmp_path, **USUAL)
    before = state(tmp_path)
    jaxhop.load(tmp_path), jaxhop.load(str(tmp_path), SPACE)
    assert state(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to the superuser")
def test_it_is_read_where_nothing_may_be_written(tmp_path):
    place = tmp_path / "run"
    found = jaxhop.search(loss, SPACE, evaluations=5, dir=place, **USUAL)
    for each in (*place.iterdir(), place):
        each.chmod(0o555 if each.is_dir() else 0o444)
    try:
        assert jaxhop.load(place).best_value == found.best_value
    finally:
        place.chmod(0o755)


def test_a_search_that_did_not_end(tmp_path):
    stopped_at(loss, 7, SPACE, evaluations=12, dir=tmp_path, **USUAL)
    loaded = jaxhop.load(tmp_path)
    assert (loaded.stop_reason, loaded.evaluations) == ("unfinished", 7)
    values = loaded.history["value"]
    assert loaded.best_value == values.min()
    assert loss(loaded.best) == loaded.best_value


def test_a_search_that_has_no_value_yet(tmp_path):
    stopped_at(loss, 0, SPACE, evaluations=12, dir=tmp_path, **USUAL)
    loaded = jaxhop.load(tmp_path)
    assert (loaded.evaluations, loaded.best, loaded.stop_reason) == (0, None, "unfinished")
    assert np.isnan(loaded.best_value) and loaded.top(3) == []
    assert "unfinished" in str(loaded)
    loaded.to_csv(tmp_path / "empty.csv")


def test_a_search_that_goes_on_after_it_had_stopped(tmp_path):
    jaxhop.search(loss, SPACE, evaluations=12, dir=tmp_path, callbacks=[StopAt(5)], **USUAL)
    assert jaxhop.load(tmp_path).stop_reason == "interrupted"
    stopped_at(loss, 3, SPACE, evaluations=12, dir=tmp_path, **USUAL)
    loaded = jaxhop.load(tmp_path)
    assert (loaded.stop_reason, loaded.evaluations) == ("unfinished", 8)


def test_a_search_that_is_going_on(tmp_path):
    going, go = threading.Event(), threading.Event()

    def slow(params):
        if len(seen) == 6:
            going.set()
            assert go.wait(60)
        seen.append(loss(params))
        return seen[-1]

    seen = []
    slow.__name__ = "loss"
    settings = {"evaluations": 9, "dir": tmp_path, **USUAL}
    thread = threading.Thread(target=lambda: jaxhop.search(slow, SPACE, **settings))
    thread.start()
    try:
        assert going.wait(60)
        loaded = jaxhop.load(tmp_path)
    finally:
        go.set()
        thread.join()
    assert (loaded.evaluations, loaded.stop_reason) == (6, "unfinished")
    assert loaded.best_value == min(seen[:6])
    assert jaxhop.load(tmp_path).evaluations == 9


def test_a_compiled_search_that_is_going_on(tmp_path):
    loads = []

    def visit(report):
        loads.append((report.evaluations, jaxhop.load(tmp_path)))

    settings = {"evaluations": 300, "population": 20, "progress": False}
    jaxhop.search(compiled, NUMBERS, dir=tmp_path, callbacks=[visit], **settings)
    for evaluations, loaded in loads:
        assert loaded.evaluations == evaluations
        assert loaded.best_value == loaded.history["value"].min()
    assert len(loads) > 1


def test_options_that_are_objects(tmp_path):
    space = {"thing": jaxhop.choice(Thing("one"), Thing("two")), "x": jaxhop.float(0, 1)}

    def things(params):
        return params["x"] + (params["thing"].name == "one")

    found = jaxhop.search(things, space, evaluations=8, dir=tmp_path, **USUAL)
    loaded = jaxhop.load(tmp_path, space)
    assert loaded.best["thing"] is found.best["thing"]
    assert loaded.best == found.best
    text = jaxhop.load(tmp_path)
    assert "two" in str(text.best["thing"]) and text.best["x"] == found.best["x"]
    assert text.best_value == found.best_value
    assert [value for value, _ in text.top(3)] == [value for value, _ in found.top(3)]


def test_values_of_python_functions(tmp_path):
    space = {
        "order": jaxhop.custom(
            lambda rng: {"tour": rng.permutation(4).tolist()},
            lambda rng, value: {"tour": value["tour"][::-1]},
            python=True,
        )
    }

    def tour(params):
        return abs(params["order"]["tour"][0] - 2)

    found = jaxhop.search(tour, space, evaluations=6, dir=tmp_path, **USUAL)
    for loaded in (jaxhop.load(tmp_path), jaxhop.load(tmp_path, space)):
        assert_same(loaded, found, but=("accepted",))


def test_parameters_of_jax_functions(tmp_path):
    def drawn(key):
        return jax.random.uniform(key, (2,))

    space = {"c": jaxhop.custom(drawn, lambda key, value: value), "x": jaxhop.float(0, 1)}
    found = jaxhop.search(
        lambda params: jnp.sum(params["c"]) + params["x"], space, evaluations=50, dir=tmp_path,
        progress=False,
    )  # fmt: skip
    loaded = jaxhop.load(tmp_path)
    assert_equal(jax.tree.map(np.asarray, loaded.best), jax.tree.map(np.asarray, found.best))
    assert loaded.best_value == found.best_value
    assert_same(jaxhop.load(tmp_path, space), found)


def test_a_compiled_objective_with_a_fidelity(tmp_path):
    space = {"x": jaxhop.float(-1, 1), "epochs": jaxhop.fidelity(1, 9)}

    def trained(params):
        return (params["x"] - 0.3) ** 2 + 1.0 / params["epochs"] + jnp.float32(0)

    found = jaxhop.search(
        trained, space, evaluations=30, dir=tmp_path, backend="jax", progress=False
    )
    loaded = jaxhop.load(tmp_path)
    assert_equal(loaded.best, found.best)
    assert_same(loaded, found, but=("accepted",))
    assert_same(jaxhop.load(tmp_path, space), found, but=("accepted",))


def test_a_random_objective_has_the_value_that_the_search_gave_it(tmp_path):
    def noisy(params, key):
        return jnp.sum(params["x"] ** 2) + jax.random.normal(key)

    space = {"x": NUMBERS["x"]}
    found = jaxhop.search(noisy, space, evaluations=300, dir=tmp_path, progress=False)
    loaded = jaxhop.load(tmp_path)
    assert loaded.best_value == found.best_value
    np.testing.assert_array_equal(loaded.best["x"], found.best["x"])


def test_wide_candidates(tmp_path):
    space = {"x": jaxhop.float(-1, 1, shape=(20_000,)), "name": "wide"}
    found = jaxhop.search(
        lambda params: jnp.sum(params["x"] ** 2), space, evaluations=40, dir=tmp_path,
        progress=False, population=8,
    )  # fmt: skip
    assert (tmp_path / "best.npz").exists()
    loaded = jaxhop.load(tmp_path)
    assert loaded.best.keys() == found.best.keys() and loaded.best["name"] == "wide"
    np.testing.assert_array_equal(loaded.best["x"], found.best["x"])
    np.testing.assert_array_equal(loaded.history["value"], found.history["value"])
    (tmp_path / "best.npz").unlink()
    assert jaxhop.load(tmp_path).best_value == found.best_value


def test_where_there_is_no_search(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StorageError, match="there is no search in it"):
            jaxhop.load(place)
    assert not (tmp_path / "nowhere").exists()


def test_a_search_that_has_just_begun_has_nothing_to_read(tmp_path):
    jaxhop.search(loss, SPACE, evaluations=3, dir=tmp_path, **USUAL)
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(tmp_path / "space.json", begun)
    with pytest.raises(StorageError, match="missing"):
        jaxhop.load(begun)


def test_another_space_is_no_traceback(tmp_path):
    jaxhop.search(Counted(loss), SPACE, evaluations=3, dir=tmp_path, **USUAL)
    with pytest.raises(StorageError, match="of another space"):
        jaxhop.load(tmp_path, {"y": jaxhop.float(0, 1)})


def test_what_is_read_was_written_for_people(tmp_path):
    stopped_at(loss, 3, SPACE, evaluations=12, dir=tmp_path, **USUAL)
    settings = json.loads((tmp_path / "space.json").read_text())
    assert settings["space"]["fixed"] == {"$tuple": [{"$constant": 3}, {"$constant": None}]}
