"""What a run directory holds, whose search it is, and several processes in one."""

import csv
import json
import os
import sqlite3

import jax.numpy as jnp
import numpy as np
import pytest
from processes import finish, start
from searched import Counted, Stopped, assert_same, stopped_at

import jaxhop
from jaxhop.storage import StorageError, StorageFull, _directory, _ledger
from jaxhop.storage import _database as database

SPACE = {
    "x": jaxhop.float(-1, 1),
    "n": jaxhop.int(1, 50),
    "kind": jaxhop.choice("a", "b"),
    "fixed": 3,
}


def loss(params):
    return (params["x"] - 0.3) ** 2 + params["n"] / 50 + (params["kind"] == "b")


def other_name(params):
    return loss(params)


def search(place, fn=loss, space=SPACE, **settings):
    usual = {"evaluations": 12, "surrogate": False, "backend": "python", "progress": False}
    return jaxhop.search(fn, space, dir=place, **usual | settings)


def log(place):
    return (place / "log").read_text().splitlines()


def test_files_for_people(tmp_path):
    place = tmp_path / "new" / "run"
    result = search(str(place), seed=4)
    assert {each.name for each in place.iterdir()} == {
        "space.json", "trials.sqlite", "best.json", "summary.csv", "log",
    }  # fmt: skip
    settings = json.loads((place / "space.json").read_text())
    assert settings["space"] == {
        "fixed": {"$constant": 3},
        "kind": "choice('a', 'b')",
        "n": "int(1, 50)",
        "x": "float(-1, 1)",
    }
    assert (settings["version"], settings["jaxhop"]) == (1, jaxhop.__version__)
    assert (settings["direction"], settings["seed"]) == ("min", 4)
    assert (settings["objective"], settings["backend"]) == ("loss(params)", "python")
    best = json.loads((place / "best.json").read_text())
    assert (best["value"], best["evaluations"]) == (result.best_value, 12)
    assert best["params"] == result.best and best["stopped"] == "evaluations"
    rows = list(csv.DictReader((place / "summary.csv").read_text().splitlines()))
    assert float(rows[-1]["value"]) == result.best_value
    assert len(rows) == len(result.history.improvements)
    assert float(rows[-1]["params.x"]) == result.best["x"]
    assert rows[0]["phase"] == "initial"
    lines = log(place)
    assert "start: seed 4, 3 coordinates" in lines[0]
    assert "stopped by evaluations after 12 evaluations" in lines[-1]


def test_any_tool_can_read_the_trials(tmp_path):
    result = search(tmp_path)
    with sqlite3.connect(tmp_path / "trials.sqlite") as connection:
        rows = connection.execute(
            "SELECT params, value, status, phase FROM trial ORDER BY ended"
        ).fetchall()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    history = result.history
    assert [json.loads(row[0]) for row in rows] == [history.params(at) for at in range(12)]
    assert [row[1] for row in rows] == history["value"].tolist()
    assert {row[2] for row in rows} == {"completed"}
    assert [row[3] for row in rows] == history["phase"].tolist()


def test_the_log_says_what_was_known(tmp_path):
    search(tmp_path)
    search(tmp_path, evaluations=15)
    assert any("goes on after 12 evaluations" in line for line in log(tmp_path))


def test_others_may_read_what_is_written(tmp_path):
    before = os.umask(0o022)
    try:
        search(tmp_path)
    finally:
        os.umask(before)
    modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    assert set(modes.values()) == {0o644}, modes


REFUSALS = {
    "space": ({"space": {**SPACE, "x": jaxhop.float(-2, 1)}}, r"was float\(-1, 1\), is float\(-2"),
    "constant": ({"space": {**SPACE, "fixed": 4}}, "fixed"),
    "added": ({"space": {**SPACE, "y": jaxhop.float(0, 1)}}, 'say `resume="extend"`'),
    "removed": ({"space": {"x": SPACE["x"]}}, "kind"),
    "direction": ({"direction": "max"}, "direction: was min, is max"),
    "seed": ({"seed": 1}, "seed: was 0, is 1"),
    "objective": ({"fn": other_name}, r"objective: was loss\(params\), is other_name\(params\)"),
    "population": ({"population": 9}, "population: was"),
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    place = tmp_path_factory.mktemp("finished")
    return place, search(place)


@pytest.mark.parametrize("name", REFUSALS)
def test_another_search_is_refused_and_told_apart(finished, name):
    changes, message = REFUSALS[name]
    with pytest.raises(StorageError, match=message) as caught:
        search(finished[0], **changes)
    assert "another search" in str(caught.value) and "overwrite=True" in str(caught.value)
    assert_same(search(finished[0]), finished[1])


def test_another_backend_is_refused(finished):
    def compiled(params):
        return jnp.square(params["x"])

    compiled.__name__ = "loss"
    with pytest.raises(StorageError, match="backend: was python, is jax"):
        jaxhop.search(compiled, SPACE, evaluations=12, dir=finished[0])


def test_no_search_may_be_there(finished, tmp_path):
    with pytest.raises(ValueError, match=r"resume=False.*there is a search in it"):
        search(finished[0], resume=False)
    assert search(tmp_path / "new", resume=False).evaluations == 12


@pytest.mark.parametrize(
    "said",
    [
        {"resume": False},
        {"resume": "extend"},
        {"overwrite": True},
        {"evaluations_per_process": 3},
        {"count_in_flight": False},
    ],
)
def test_what_concerns_a_directory_needs_one(said):
    with pytest.raises(ValueError, match=f"`{next(iter(said))}` concerns a search with a dir"):
        search(None, **said)


@pytest.mark.parametrize("dir", [3, "", b"run", ["run"]])
def test_a_directory_is_a_path(dir):
    with pytest.raises(TypeError, match="a path must be given"):
        search(dir)


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(StorageError, match=r"dir=.*run"):
        search(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"


def test_a_directory_with_other_files_is_not_taken(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(StorageError, match=r"it holds thesis\.tex, and no search"):
        search(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(StorageError, match="and no search"):
        search(tmp_path, overwrite=True)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.tex"]


def test_overwriting_deletes_what_a_search_wrote_and_says_so(tmp_path):
    search(tmp_path)
    mine = [tmp_path / "notes.txt", tmp_path / "checkpoints" / "state_backup" / "all"]
    mine += [tmp_path / "log.old", tmp_path / "best.json.bak", tmp_path / ".hidden"]
    for each in mine:
        each.parent.mkdir(exist_ok=True, parents=True)
        each.write_text("mine")
    (tmp_path / "checkpoints" / "state_7").mkdir()
    result = search(tmp_path, overwrite=True, seed=1)
    assert result.evaluations == 12
    assert all(each.read_text() == "mine" for each in mine)
    assert not (tmp_path / "checkpoints" / "state_7").exists()
    deleted = [line for line in log(tmp_path) if "`overwrite=True`: deleted" in line]
    assert len(deleted) == 1 and "space.json" in deleted[0] and "trials.sqlite" in deleted[0]
    assert "seed 1" in log(tmp_path)[0]


def test_overwriting_nothing_says_nothing(tmp_path):
    search(tmp_path / "new", overwrite=True)
    assert not [line for line in log(tmp_path / "new") if "deleted" in line]


def test_values_of_minus_nothing_are_not_evaluated_again(tmp_path):
    counted = Counted(lambda params: -0.0 * params["n"])
    search(tmp_path, counted)
    result = search(tmp_path, counted)
    assert counted.calls == 12 and result.evaluations == 12


@pytest.mark.parametrize("direction", ["min", "max"])
def test_what_has_no_value_is_not_the_best_of_before(tmp_path, direction):
    def fn(params):
        return [loss(params), np.nan, np.inf, -np.inf][params["n"] % 4]

    search(tmp_path, fn, direction=direction)
    result = search(tmp_path, fn, direction=direction, evaluations=16)
    values = result.history["value"]
    usable = values[np.isfinite(values)]
    assert len(usable) < 16 and result.evaluations == 16
    assert result.best_value == (usable.min() if direction == "min" else usable.max())


def test_only_the_best_of_wide_candidates_is_in_a_file_of_its_own(tmp_path):
    space = {"w": jaxhop.float(-1, 1, shape=(20_000,)), "n": jaxhop.int(1, 3)}

    def wide(params):
        return float(np.sum(params["w"] ** 2)) + params["n"]

    result = search(tmp_path, wide, space, evaluations=4)
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["arrays"] == "best.npz" and best["params"]["n"] == result.best["n"]
    with np.load(tmp_path / "best.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays[best["params"]["w"]["in best.npz"]], result.best["w"])
    loaded = jaxhop.load(tmp_path)
    np.testing.assert_array_equal(loaded.best["w"], result.best["w"])


# Several processes


WORKER = """
import os, sys, time, jaxhop
place, options = sys.argv[1], eval(sys.argv[2])

def loss(params):
    with open(place + "/../calls", "a") as file:
        file.write(f"{os.getpid()} {params['x']!r}\\n")
    time.sleep(0.01)
    return (params["x"] - 0.3) ** 2

result = jaxhop.search(loss, {"x": jaxhop.float(0, 1)}, dir=place, surrogate=False,
                       backend="python", progress=False, **options)
print(os.getpid(), result.evaluations, repr(result.best_value), result.stop_reason)
"""


def test_processes_share_the_budget_and_the_best(tmp_path):
    place = tmp_path / "run"
    options = {"evaluations": 60}
    said = finish(*(start(WORKER, place, options) for _ in range(2)))
    lines = [line.split() for line, _ in said]
    assert [line[1] for line in lines] == ["60", "60"]
    assert lines[0][2] == lines[1][2], "both know the best"
    calls = [line.split()[1] for line in (tmp_path / "calls").read_text().splitlines()]
    assert len(calls) == len(set(calls)) == 60
    loaded = jaxhop.load(place)
    assert loaded.evaluations == 60 and repr(loaded.best_value) == lines[0][2]


def test_a_process_stops_at_its_own_limit(tmp_path):
    counted = Counted(loss)
    first = search(tmp_path, counted, evaluations_per_process=5)
    assert (first.evaluations, counted.calls, first.stop_reason) == (5, 5, "evaluations")
    second = search(tmp_path, counted, evaluations_per_process=5)
    assert (second.evaluations, counted.calls) == (10, 10)
    third = search(tmp_path, counted, evaluations_per_process=5)
    assert (third.evaluations, counted.calls) == (12, 12)


def test_a_limit_below_what_was_given_leaves_the_rest_to_others(tmp_path):
    init = [{"x": x / 10} for x in range(4)]
    counted = Counted(loss)
    first = search(tmp_path, counted, init=init, evaluations_per_process=2)
    assert (first.evaluations, counted.calls) == (2, 2)
    whole = search(tmp_path, counted, init=init)
    assert counted.calls == 12
    assert_same(whole, search(None, init=init))


def test_late_ones_begin_from_the_best(tmp_path, monkeypatch):
    """Another process, played by another seat, has found something good."""
    first = search(tmp_path, evaluations=10)
    monkeypatch.setattr("jaxhop.storage._seats.born", lambda pid: "this one")
    ledger = _ledger.Ledger(tmp_path / "trials.sqlite", (np.zeros(3, np.float32),), None)
    try:  # as if another process were there
        seen = []
        late = search(
            tmp_path, evaluations=14, callbacks=[lambda report: seen.append(report.best_value)]
        )
    finally:
        ledger.close()
    assert late.evaluations == 14 and seen[0] <= first.best_value
    with sqlite3.connect(tmp_path / "trials.sqlite") as connection:
        seats = connection.execute("SELECT DISTINCT seat FROM trial ORDER BY 1").fetchall()
    connection.close()
    assert seats == [(0,), (1,)]


def test_rounds_refuse_a_second_process(tmp_path):
    def nested(params):
        if params["x"] == 0:  # the first one
            with pytest.raises(StorageError, match="come in rounds has one process"):
                search(tmp_path, population=4)
        return 1.0 + params["x"]

    nested.__name__ = "loss"
    assert search(tmp_path, nested, population=4, evaluations=4).evaluations == 4


# A full disk


@pytest.fixture
def small_disk(monkeypatch):
    """A database that has room for a few trials more than it holds."""
    connect = database.connect
    room = {"pages": None}

    def limited(path, schema):
        connection = connect(path, schema)
        if room["pages"] is not None:
            count = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count={count + room['pages']}")
        return connection

    for module in ("_ledger", "_blocks"):
        monkeypatch.setattr(f"jaxhop.storage.{module}.connect", limited)
    return room


def test_a_full_disk_ends_the_search_with_what_was_found(tmp_path, small_disk):
    wide = {**SPACE, "w": jaxhop.float(0, 1, shape=(200,))}
    whole = search(None, space=wide)
    small_disk["pages"] = 2
    counted = Counted(loss)
    with pytest.warns(RuntimeWarning, match="disk is full. Make room, then start the search"):
        result = search(tmp_path, counted, wide)
    assert result.stop_reason == "disk"
    assert 0 < result.evaluations == counted.calls < 12
    small_disk["pages"] = None
    assert search(tmp_path, counted, wide).evaluations == 12
    assert_same(search(tmp_path, counted, wide), whole)
    assert counted.calls <= 13, "at most what was under way is evaluated again"


@pytest.mark.filterwarnings("ignore:.*evaluations are made again")
def test_a_full_disk_ends_a_compiled_search(tmp_path, small_disk):
    def compiled(params):
        return jnp.sum((params["x"] - 0.3) ** 2)

    space = {"x": jaxhop.float(-1, 1, shape=(3,))}
    settings = {"evaluations": 4000, "population": 20, "progress": False}
    small_disk["pages"] = 8
    with pytest.warns(RuntimeWarning, match="disk is full. Make room, then start the search"):
        result = jaxhop.search(compiled, space, dir=tmp_path, **settings)
    assert result.stop_reason == "disk" and 0 < result.evaluations < 4000
    small_disk["pages"] = None
    result = jaxhop.search(compiled, space, dir=tmp_path, **settings)
    whole = jaxhop.search(compiled, space, **settings)
    assert_same(result, whole, but=("params",))


def test_a_disk_without_room_for_the_files_of_people(tmp_path, monkeypatch):
    """What was found comes back all the same."""

    def full(self, name, data):
        raise StorageFull("`dir`: the disk is full. Make room, then start the search again.")

    monkeypatch.setattr(_directory.Directory, "write", full)
    with pytest.warns(RuntimeWarning, match="disk is full"):
        result = search(tmp_path)
    assert result.evaluations > 0 and result.best_value < 2


def test_an_objective_that_raises_leaves_what_was_evaluated(tmp_path):
    with pytest.raises(Stopped):
        search(tmp_path, Counted(loss, 7))
    loaded = jaxhop.load(tmp_path)
    assert (loaded.evaluations, loaded.stop_reason) == (7, "unfinished")
    stopped_at(loss, 2, SPACE, evaluations=12, surrogate=False, backend="python", dir=tmp_path)
    assert jaxhop.load(tmp_path).evaluations == 9


def test_who_waits_for_others_takes_over_what_they_leave(tmp_path):
    with pytest.raises(Stopped):
        search(tmp_path, Counted(loss, 5))
    with sqlite3.connect(tmp_path / "trials.sqlite") as connection:
        # Somebody who has gone since.
        connection.execute("INSERT INTO seat (number) VALUES (7)")
        moved = connection.execute("UPDATE trial SET seat = 7 WHERE ended IS NULL")
        assert moved.rowcount == 1
    connection.close()
    counted = Counted(loss)
    result = search(tmp_path, counted)
    assert (result.evaluations, result.stop_reason) == (12, "evaluations")
    assert result.seconds < 10
