"""`Search.save`, `Search.load`, and `Search.run` with a directory."""

import gzip
import json
import pickle
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop
from jaxhop import Search
from jaxhop.storage import StorageError

SPACE = {
    "x": jaxhop.float(-5, 5),
    "net": {"n": jaxhop.int(1, 8), "word": jaxhop.choice("a", "b", "c")},
    "constant": 7,
}


LEGAL = {"direction": None, "asker": None, "seed": 5, "runs": 5}  # to make up, in a file


class Config(NamedTuple):
    x: object
    table: object


def swapped(rng, order):
    return order[1:] + order[:1]


def shuffled(rng):
    return [int(each) for each in rng.permutation(6)]


SPACES = {
    "mixed": {**SPACE, "w": jaxhop.float(-1, 1, shape=(2, 3)), "p": jaxhop.permutation(4)},
    "conditional": {"c": jaxhop.choice(1, {"y": jaxhop.float(0, 1)}, (2, 3))},
    "python": {"order": jaxhop.custom(shuffled, swapped, python=True), "b": jaxhop.bool()},
    "fidelity": {"x": jaxhop.float(0, 1), "epochs": jaxhop.fidelity(1, 9)},
    "constants": {"x": jaxhop.float(0, 1), "fn": len, "data": np.arange(100.0)},
}
FROM_THE_FILE = ("mixed", "conditional", "fidelity")


def bowl(params):
    """Lowest at x = 2, n = 3 and "b"."""
    net = params["net"]
    return (params["x"] - 2) ** 2 + (net["n"] - 3) ** 2 + (net["word"] != "b")


def value(candidate):
    """Some value, which is the same for equal candidates."""
    return (sum(repr(candidate).encode()) % 101) / 101


def run(search, evaluations=12, fn=bowl, **settings):
    settings = {"surrogate": False, "backend": "python", "direction": "min"} | settings
    return search.run(fn, evaluations=evaluations, **settings)


def shown(search):
    return [repr(trial) for trial in search.history]


def candidates(search):
    return [repr(trial.params) for trial in search.history]


def again(search, path, *space):
    search.save(path)
    return Search.load(path, *space)


@pytest.mark.parametrize("name", SPACES)
def test_a_loop_goes_on_as_if_it_had_never_stopped(name, tmp_path):
    space = SPACES[name]
    search, waiting = Search(space, seed=3), []
    for _ in range(2):  # so few that no model is compiled
        told, other = search.ask(2)
        search.tell([told], [value(told)], direction="max")
        waiting.append(other)
    loaded = [again(search, tmp_path / "a.json", space)]
    if name in FROM_THE_FILE:
        loaded.append(Search.load(tmp_path / "a.json"))
    given = {repr(each) for each in waiting}
    for other in loaded:
        assert shown(other) == shown(search)
        assert repr(other.best) == repr(search.best) and other.best_value == search.best_value
    asked = [repr(each.ask(1)) for each in (search, *loaded)]
    assert len(set(asked)) == 1 and asked[0][1:-1] not in given
    for each in (search, *loaded):  # what was asked before it was saved can be told
        each.tell(waiting, [value(other) for other in waiting])
    assert {repr(shown(each)) for each in loaded} == {repr(shown(search))}


def test_a_model_goes_on_as_well(tmp_path):
    search = Search(SPACE)
    waiting = search.ask(1)
    for _ in range(8):
        asked = search.ask(1)
        search.tell(asked, [bowl(asked[0])])
    loaded = again(search, tmp_path / "a.json")
    for _ in range(3):
        asked = search.ask(1)
        assert loaded.ask(1) == asked != waiting
        for each in (search, loaded):
            each.tell(asked, [bowl(asked[0])])
    for each in (search, loaded):
        each.tell(waiting, [bowl(waiting[0])])
    assert loaded.ask(2) == search.ask(2)


def test_nothing_is_given_out_twice(tmp_path):
    search = Search(n=jaxhop.int(0, 2), flag=jaxhop.bool())
    first = search.ask(4)
    search.tell(first[:2], [0.5, 0.2])
    loaded = again(search, tmp_path / "a.json")
    rest = loaded.ask(6)
    assert len(rest) == 2 and len({repr(each) for each in (*first, *rest)}) == 6


def test_rungs_go_on_as_well(tmp_path):
    search = Search(SPACES["fidelity"])

    def loop(each, number):
        asked = [each.ask(1)[0] for _ in range(number)]
        run(each, number, lambda params: params["x"] / params["epochs"])
        return asked

    loop(search, 4)
    loaded = again(search, tmp_path / "a.json")
    assert loop(search, 6) == loop(loaded, 6)
    assert candidates(search) == candidates(loaded)


def test_runs_go_on_as_well(tmp_path):
    search = Search(SPACE)
    run(search, 20)
    search["net"] = {"n": 3, "word": "c"}
    run(search, 6)
    search += {"x": 4.25}
    loaded = again(search, tmp_path / "a.json", SPACE)
    assert shown(loaded) == shown(search) and loaded["net"] == {"n": 3, "word": "c"}
    assert loaded.best == search.best and loaded.best["net"]["word"] == "c"
    for each in (search, loaded):
        run(each, 6)
    assert candidates(loaded) == candidates(search) and loaded.history[26].params["x"] == 4.25
    with pytest.raises(ValueError, match="direction"):
        run(loaded, direction="max")


def test_a_search_of_a_jax_function_goes_on_as_well(tmp_path):
    def loss(params):
        return jnp.sum((params["w"] - 0.5) ** 2)

    search = Search(w=jaxhop.float(-1, 1, shape=(2,)))
    search.run(loss, direction="min", evaluations=64, population=16)
    loaded = again(search, tmp_path / "a.json")
    assert shown(loaded) == shown(search)
    for each in (search, loaded):
        each.run(loss, direction="min", evaluations=64, population=16)
    assert candidates(loaded) == candidates(search)


def test_a_new_search_can_be_saved(tmp_path):
    search = Search(SPACE, seed=5)
    search += {"x": 1.5}
    loaded = again(search, tmp_path / "a.json")
    assert loaded.history == () and loaded.best is None
    assert loaded.ask(3) == search.ask(3)


def test_constants_stay_with_the_space(tmp_path):
    table = np.random.default_rng(0).normal(size=10_000)
    space = Config(x=jaxhop.float(0, 1), table=table)
    search = Search(space)
    run(search, 8, lambda config: config.x)
    loaded = again(search, tmp_path / "a.json", space)
    assert (tmp_path / "a.json").stat().st_size < 20_000
    assert all(isinstance(trial.params, Config) for trial in loaded.history)
    assert np.array_equal(loaded.best.table, table) and loaded.best.x == search.best.x


def test_another_space_is_refused_with_the_differences(tmp_path):
    Search(SPACE).save(tmp_path / "a.json")
    with pytest.raises(StorageError, match=r'space\["x"\]: was float\(-5, 5\), is float\(0, 5\)'):
        Search.load(tmp_path / "a.json", SPACE | {"x": jaxhop.float(0, 5)})
    search = Search(SPACE)
    search["x"] = jaxhop.float(0, 5)
    search.save(tmp_path / "a.json")
    assert Search.load(tmp_path / "a.json", SPACE | {"x": jaxhop.float(0, 5)})["x"].low == 0


def test_parameters_in_place_of_others_are_searched_and_saved(tmp_path):
    search = Search(SPACE)
    run(search, 4)
    search["net"] = {"n": 3, "word": jaxhop.choice("b", "c")}
    run(search, 4)
    assert search.best["net"]["n"] == 3 and search.best["net"]["word"] != "a"
    loaded = again(search, tmp_path / "a.json")
    assert shown(loaded) == shown(search) and loaded.best == search.best
    assert loaded.ask(2) == search.ask(2)


def test_a_space_of_objects_must_be_given(tmp_path):
    Search(SPACES["constants"]).save(tmp_path / "a.json")
    with pytest.raises(StorageError, match=r'space\["data"\]|space\["fn"\].*Give the space'):
        Search.load(tmp_path / "a.json")


def test_an_object_in_a_candidate_is_refused_and_the_old_file_stays(tmp_path):
    search = Search(x=jaxhop.float(0, 1), fn=jaxhop.choice(jnp.tanh, jnp.sin))
    search.save(tmp_path / "a.json")
    before = (tmp_path / "a.json").read_bytes()
    search.tell([{"x": 0.5, "fn": jnp.tanh}], [1.0])
    with pytest.raises(TypeError, match=r"`save\(.*cannot be written as JSON.*have names"):
        search.save(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_no_place_to_write_to(tmp_path):
    with pytest.raises(StorageError, match=r"No such file.*Choose another file"):
        Search(SPACE).save(tmp_path / "none" / "a.json")
    with pytest.raises(StorageError, match=r"Give a file that `search.save` wrote"):
        Search.load(tmp_path / "a.json")


def test_whatever_is_damaged_is_said_in_a_sentence(tmp_path):
    search, path = Search(SPACE), tmp_path / "a.json"
    asked = search.ask(3)
    search.tell(asked, [1.0, np.nan, 3.0])
    search.save(path)
    data = path.read_bytes()
    flipped = (
        data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
        for at in range(0, len(data), len(data) // 40)
        for bit in (1, 128)
    )
    cut = (data[:size] for size in range(0, len(data) - 1, len(data) // 20))
    strangers = (b"", b"[]", b"null", b"{" * 5000, b"[" * 100_000, b'{"x": 1}', b"\xff\xfe")
    pickled = (gzip.compress(pickle.dumps({"best_f": 1})), pickle.dumps(Search))
    for number, wrong in enumerate((*flipped, *cut, *strangers, *pickled)):
        path.write_bytes(wrong)
        with pytest.raises(StorageError, match=r"`load\(") as caught:
            Search.load(path, SPACE)
            pytest.fail(f"nothing was said of number {number}")
        assert "\n" not in str(caught.value)


def test_what_was_made_up_is_damaged_too(tmp_path):
    from jaxhop import _saved

    search, path = Search(SPACE), tmp_path / "a.json"
    search.tell(search.ask(2), [1.0, 2.0])
    search.save(path)
    whole = _saved.read(path)
    for name in whole:
        for wrong in (None, 5, "text", [1], {"$text": "x"}):
            if wrong == LEGAL.get(name, "nothing"):
                continue
            _saved.write(path, {**whole, name: wrong})
            with pytest.raises(StorageError, match=r"`load\("):
                Search.load(path, SPACE)
        _saved.write(path, {key: part for key, part in whole.items() if key != name})
        with pytest.raises(StorageError, match="damaged"):
            Search.load(path, SPACE)


def test_a_newer_version_is_refused(tmp_path):
    Search(SPACE).save(tmp_path / "a.json")
    found = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(found | {"version": 2}))
    with pytest.raises(StorageError, match=r"has version 2.*Install the newer"):
        Search.load(tmp_path / "a.json")


# In a directory


def test_a_directory_is_gone_on_with(tmp_path):
    calls = []

    def counted(params):
        calls.append(params)
        return bowl(params)

    whole, first, second = Search(SPACE, seed=1), Search(SPACE, seed=1), Search(SPACE, seed=1)
    result = run(whole, 20, dir=tmp_path / "whole")
    assert result.evaluations == 20 and whole.results == [result]
    run(first, 20, counted, dir=tmp_path / "a", evaluations_per_process=8)
    assert len(first.history) == len(calls) == 8
    run(second, 20, counted, dir=tmp_path / "a")
    assert candidates(second) == candidates(whole) and len(calls) == 20
    assert second.best == whole.best and second.best_value == bowl(whole.best)
    for one, other in zip(second.history, whole.history, strict=True):
        assert (one.number, one.value, one.phase) == (other.number, other.value, other.phase)
        assert (one.improved, one.best_value) == (other.improved, other.best_value)
    run(first, 24, counted, dir=tmp_path / "a")  # which is behind by now
    assert len(calls) == 24 and candidates(first)[:20] == candidates(whole)
    again = Search(SPACE, seed=1)
    assert run(again, 24, counted, dir=tmp_path / "a").evaluations == 24 and len(calls) == 24
    asked = again.ask(2)  # it knows all that is in the directory
    assert not {repr(each) for each in asked} & set(candidates(again))
    with pytest.raises(ValueError, match=r"evaluations that are not in the directory.*search.sav"):
        run(again, 30, counted, dir=tmp_path / "a")


def test_a_search_that_knows_more_is_refused(tmp_path):
    search = Search(SPACE)
    run(search, 3)
    with pytest.raises(ValueError, match=r"evaluations that are not in the directory"):
        run(search, 3, dir=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    asked = Search(SPACE)
    asked.ask(1)
    with pytest.raises(ValueError, match=r"evaluations that are not in the directory"):
        run(asked, 3, dir=tmp_path / "a")
    with pytest.raises(TypeError, match="`dir=3`"):
        run(Search(SPACE), 3, dir=3)


def test_what_was_enqueued_survives_an_error(tmp_path):
    broken = [True]

    def failing(params):
        if params["x"] == 1.5 and broken.pop():
            raise ZeroDivisionError
        return bowl(params)

    search = Search(SPACE)
    search += {"x": 2.5}
    search += {"x": 1.5}
    with pytest.raises(ZeroDivisionError):
        run(search, 4, failing, dir=tmp_path / "a")
    broken.append(False)
    run(search, 4, failing, dir=tmp_path / "a")
    assert [trial.params["x"] for trial in search.history[:2]] == [2.5, 1.5]
    search += {"x": 3.5}
    run(search, 6, failing, dir=tmp_path / "a")
    assert search.history[4].params["x"] == 3.5 and len(search.history) == 6


def test_rounds_take_candidates_at_their_beginning(tmp_path):
    search = Search(SPACE)
    search += {"x": 2.5}
    run(search, 8, dir=tmp_path, population=4)
    assert any(trial.params["x"] == 2.5 for trial in search.history)
    search += {"x": 3.5}
    with pytest.raises(ValueError, match="Enqueue them before the first run"):
        run(search, 16, dir=tmp_path, population=4)


def test_a_directory_that_is_overwritten_is_all_that_is_known(tmp_path):
    search = Search(SPACE)
    for _ in range(2):
        run(search, 5, dir=tmp_path / "a", overwrite=True)
        assert len(search.history) == 5


def test_parameters_that_are_pytrees_go_on_as_well(tmp_path):
    def sample(key):
        return {"a": jax.random.uniform(key), "b": jax.random.normal(key, (2,))}

    def mutate(key, value):
        return {"a": value["a"], "b": value["b"] + jax.random.normal(key, (2,))}

    space = {"p": jaxhop.custom(sample, mutate), "x": jaxhop.float(0, 1)}
    search = jaxhop.Search(space)
    asked = search.ask(2)
    search.save(tmp_path / "search.json")
    loaded = jaxhop.Search.load(tmp_path / "search.json", space)
    loaded.tell(asked, [0.5, 0.2])
    assert loaded.best_value == 0.2 and loaded.best["x"] == asked[1]["x"]
