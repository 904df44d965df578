"""Trials as lines of JSON and of comma-separated values."""

import csv
import json
import math
import multiprocessing
import os
import signal

import jax.numpy as jnp
import numpy as np
import pytest
from plain import plain
from reports import make_report

import jaxhop
from jaxhop._budget import Budget
from jaxhop._trials import Start
from jaxhop.callbacks import CSV, JSONLines
from jaxhop.callbacks._thinning import Thinning
from jaxhop.callbacks._trial_file import FIELDS

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = {
    "C": jaxhop.float(1e-2, 1e2, log=True),
    "kernel": jaxhop.choice(
        {"name": "a line,\nor two"},
        {"name": "poly", "degree": jaxhop.int(2, 5)},
        {"name": "rbf", "gamma": jaxhop.float(1e-5, 1.0, log=True), "scale": jaxhop.bool()},
    ),
    "act": jaxhop.choice(np.tanh, None),
    "w": jaxhop.float(0, 1, shape=(3,)),
    "wide": jaxhop.float(0, 1, shape=(20, 5)),
    "order": jaxhop.permutation(4),
}


def loss(params):
    return math.nan if params["kernel"]["name"] == "poly" else params["C"]


def search(fn=loss, space=SPACE, evaluations=40, **settings):
    settings = {"backend": "python", "surrogate": False, "progress": False, **settings}
    return jaxhop.search(fn, space, evaluations=evaluations, **settings)


def start(space, goes_on=False):
    return Start(
        budget=Budget.of(evaluations=10), direction="min", seed=0, size=space.size, space=space,
        decode=space.to_python_many, goes_on=goes_on,
    )  # fmt: skip


def strict(line):
    """JSON as the standard has it: without NaN."""

    def refuse(text):
        raise AssertionError(text)

    return json.loads(line, parse_constant=refuse)


def read(path):
    if str(path).endswith(".csv"):
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    return [strict(line) for line in path.read_text().splitlines()]


BOTH = pytest.mark.parametrize(
    ("kind", "name"), [(JSONLines, "trials.jsonl"), (CSV, "trials.csv")], ids=["json", "csv"]
)


def test_json_lines_hold_what_the_history_holds(tmp_path):
    path = tmp_path / "trials.jsonl"
    result = search(callbacks=[JSONLines(path)])
    lines, table = read(path), result.history.to_dict(result.flat)
    assert [line["number"] for line in lines] == list(range(40))
    assert {name for line in lines for name in line} == {
        *FIELDS, *(name for name in table if name.startswith("params."))
    }  # fmt: skip
    for at, line in enumerate(lines):
        value = table["value"][at]
        assert line["value"] == (None if math.isnan(value) else value)
        assert line["params.C"] == table["params.C"][at]
        assert line.get("params.kernel.degree") == table["params.kernel.degree"][at]
        assert line["params.w"] == table["params.w"][at].tolist()
        assert line["params.order"] == table["params.order"][at].tolist()
        wide = table["params.wide"][at]
        assert line["params.wide"]["shape"] == [20, 5]
        assert line["params.wide"]["mean"] == pytest.approx(wide.mean())
        assert line["params.act"] in ("tanh", None)
    assert {line["value"] for line in lines} >= {None}
    assert [line["best_value"] for line in lines[1:]] == result.history.best()[1:].tolist()
    assert [line["improved"] for line in lines].count(True) == len(result.history.improvements)


def test_csv_has_a_column_for_the_parameters_of_every_option(tmp_path):
    path = tmp_path / "trials.csv"
    result = search(callbacks=[CSV(path)])
    lines = read(path)
    parameters = ["C", "act", "kernel.name", "kernel.degree", "kernel.gamma", "kernel.scale"]
    parameters += ["order", "w", "wide"]
    assert list(lines[0]) == [*FIELDS, *(f"params.{name}" for name in parameters)]
    assert len(path.read_text().splitlines()) == 41  # whatever stands in a text
    for line, row in zip(lines, result.history, strict=True):
        assert float(line["value"]) == row["value"] or math.isnan(row["value"])
        assert (line["params.kernel.degree"] != "") == (line["params.kernel.name"] == "poly")
        assert (line["params.kernel.gamma"] != "") == (line["params.kernel.name"] == "rbf")
        assert len(json.loads(line["params.w"])) == 3
        assert json.loads(line["params.wide"])["shape"] == [20, 5]
    assert {line["params.kernel.name"] for line in lines} == {r"a line,\nor two", "poly", "rbf"}


def test_a_header_is_written_though_no_candidate_was_seen(tmp_path):
    space = jaxhop.Space(jaxhop.float(0, 1))
    callback = CSV(tmp_path / "trials.csv")
    callback.on_start(start(space))
    callback.close()
    assert (tmp_path / "trials.csv").read_text() == ",".join([*FIELDS, "params.value"]) + "\n"


@BOTH
def test_lines_can_be_read_while_the_search_runs(kind, name, tmp_path):
    seen = []

    def fn(params):
        seen.append(len(read(tmp_path / name)))
        return params["x"]

    search(fn, {"x": jaxhop.float(0, 1)}, 5, callbacks=[kind(tmp_path / name), Each()])
    assert seen == [0, 1, 2, 3, 4]


class Each:
    """Makes the search report each trial."""

    def on_trial(self, trial): ...


@BOTH
def test_a_search_that_goes_on_carries_on_its_file(kind, name, tmp_path):
    for evaluations in (6, 6, 15):
        search(evaluations=evaluations, dir=tmp_path / "run", callbacks=[kind(tmp_path / name)])
    lines = read(tmp_path / name)
    assert [int(line["number"]) for line in lines] == list(range(15))
    assert all(line["best_value"] not in ("nan", "") for line in lines[1:])


@BOTH
def test_half_a_line_of_a_killed_process_is_cut_off(kind, name, tmp_path):
    path = tmp_path / name
    search(evaluations=6, dir=tmp_path / "run", callbacks=[kind(path)])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"number": 6, "val' if kind is JSONLines else whole + b"6,1.")
    search(evaluations=8, dir=tmp_path / "run", callbacks=[kind(path)])
    assert path.read_bytes().startswith(whole)
    assert [int(line["number"]) for line in read(path)] == list(range(8))


@BOTH
def test_a_file_that_is_there_is_never_overwritten(kind, name, tmp_path):
    path = tmp_path / name
    search(evaluations=3, callbacks=[kind(path)])
    before = path.read_bytes()
    calls = []
    with pytest.raises(FileExistsError, match=r"begins anew\. Delete the file, or choose another"):
        search(lambda params: calls.append(1) or 0.0, callbacks=[kind(path)])
    assert path.read_bytes() == before and not calls


@BOTH
@pytest.mark.parametrize("text", ["my notes\n", "", "number,value\n0,1\n", '{"number": "0"}\n'])
def test_a_file_of_somebody_else_is_left_alone(kind, name, text, tmp_path):
    search(evaluations=2, dir=tmp_path / "run")
    (tmp_path / name).write_text(text)
    with pytest.raises(FileExistsError, match="not written by this search"):
        search(evaluations=4, dir=tmp_path / "run", callbacks=[kind(tmp_path / name)])
    assert (tmp_path / name).read_text() == text


@BOTH
def test_what_is_evaluated_again_is_not_written_again(kind, name, tmp_path):
    space = jaxhop.Space({"x": jaxhop.float(0, 1)})
    points = (np.linspace(0, 1, 6, dtype=np.float32)[:, None],)
    report = make_report(np.arange(6.0), kept=np.arange(6), points=points)
    for goes_on in (False, True):
        callback = kind(tmp_path / name)
        callback.on_start(start(space, goes_on))
        callback.on_round(report)
        callback.close()
    assert [int(line["number"]) for line in read(tmp_path / name)] == list(range(6))


@BOTH
def test_an_objective_that_fails_leaves_whole_lines(kind, name, tmp_path):
    calls = []

    def fn(params):
        calls.append(1)
        return params["x"] if len(calls) < 4 else 1 / 0

    with pytest.raises(ZeroDivisionError):
        search(fn, {"x": jaxhop.float(0, 1)}, callbacks=[kind(tmp_path / name), Each()])
    assert len(read(tmp_path / name)) >= 3


@BOTH
def test_compiled_objectives_by_the_improvement_where_the_space_is_wide(kind, name, tmp_path):
    def fn(params):
        return jnp.sum(params["w"])

    space = {"w": jaxhop.float(-1, 1, shape=(200,))}
    result = jaxhop.search(
        fn, space, evaluations=3000, progress=False, algorithm=plain, population=32,
        callbacks=[kind(tmp_path / name)],
    )  # fmt: skip
    numbers = [int(line["number"]) for line in read(tmp_path / name)]
    assert numbers == result.history["evaluation"][result.history.improvements].tolist()
    assert 1 < len(numbers) < 100


@BOTH
def test_values_are_those_of_the_user_where_they_are_maximised(kind, name, tmp_path):
    result = search(
        lambda params: -((params["x"] - 0.5) ** 2), {"x": jaxhop.float(0, 1)}, 8,
        direction="max", callbacks=[kind(tmp_path / name)],
    )  # fmt: skip
    assert max(float(line["value"]) for line in read(tmp_path / name)) == result.best_value


def test_a_full_disk_ends_the_file_and_not_the_search(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no disk that is always full")
    callback = JSONLines(tmp_path / "trials.jsonl")
    callback.on_start(start(jaxhop.Space({"x": jaxhop.float(0, 1)})))
    callback.close()
    callback._file = open("/dev/full", "w")
    points = (np.zeros((1, 1), np.float32),)
    with pytest.warns(RuntimeWarning, match="No space left on device. The search goes on"):
        callback.on_round(make_report([1.0], kept=np.arange(1), points=points))
    callback.on_round(make_report([1.0], first=1, kept=np.arange(1), points=points))
    callback.close()


@pytest.mark.parametrize("path", [None, "", 3, ["a"]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(TypeError, match="a path must be given"):
        JSONLines(path)


def test_thinning_chooses_every_improvement_and_fewer_and_fewer_others():
    improved = np.zeros(100_000, bool)
    improved[[3, 77_777]] = True
    whole = Thinning(100, 10**6)(np.arange(100_000), improved)
    assert {3, 77_777} <= set(whole.tolist())
    assert whole[:101].tolist() == list(range(101))
    assert len(whole) <= 100 * (1 + math.log2(1000)) + 2
    assert np.diff(whole[:-1][whole[:-1] > 60_000]).max() <= 1024
    parts, thinning = [], Thinning(100, 10**6)
    for first in range(0, 100_000, 777):
        numbers = np.arange(first, min(first + 777, 100_000))
        parts += numbers[thinning(numbers, improved[numbers])].tolist()
    assert parts == whole.tolist()


def test_thinning_takes_no_more_of_a_report_than_it_may():
    improved = np.arange(1000) % 100 == 0
    rows = Thinning(10**6, 20)(np.arange(1000), improved)
    assert len(rows) == 20 and set(np.flatnonzero(improved)) <= set(rows)
    assert np.all(np.diff(rows) > 0)
    assert Thinning(10**6, 4)(np.arange(1000), improved).tolist() == [600, 700, 800, 900]
    assert not len(Thinning(10**6, 4)(np.arange(0), np.zeros(0, bool)))


def killed(path, directory):
    callback = JSONLines(path)

    calls = []

    def fn(params):
        calls.append(1)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return params["x"]

    search(fn, {"x": jaxhop.float(0, 1)}, 10, dir=directory, callbacks=[callback, Each()])


def test_a_killed_search_leaves_a_file_that_the_next_one_carries_on(tmp_path):
    path = tmp_path / "trials.jsonl"
    process = multiprocessing.get_context("spawn").Process(
        target=killed, args=(path, tmp_path / "run")
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert [line["number"] for line in read(path)] == [0, 1, 2, 3]

    def fn(params):
        return params["x"]

    search(fn, {"x": jaxhop.float(0, 1)}, 10, dir=tmp_path / "run", callbacks=[JSONLines(path)])
    assert [line["number"] for line in read(path)] == list(range(10))
