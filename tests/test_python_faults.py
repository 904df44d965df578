"""What may go wrong in an objective that runs in Python, and in the processes that run it."""

import math
import os
import random
import signal
import sys
import threading
import time
import traceback

import cloudpickle
import numpy as np
import pytest

import jaxhop

# Workers get the functions below by value: to import this file would take them seconds.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

SPACE = {"x": jaxhop.float(-5, 5), "v": jaxhop.float(0, 1, shape=(2,)), "n": jaxhop.int(1, 8)}


class Mine(Exception):
    """An error of the user's own."""


def search(fn, evaluations=20, space=None, **settings):
    """A search without a model, which would be compiled."""
    settings = {"surrogate": False, "backend": "python"} | settings
    return jaxhop.search(
        fn, SPACE if space is None else space, evaluations=evaluations, **settings
    )


def square(params):
    return (params["x"] - 2) ** 2


def status(result):
    return result.history["status"].tolist()


JOBS = pytest.mark.parametrize("jobs", [None, 2])


@JOBS
def test_an_error_is_the_users_own(jobs):
    def fails(params):
        if params["x"] != 0:
            raise Mine("not zero")  # here it is
        return square(params)

    with pytest.raises(Mine, match="not zero") as caught:
        search(fails, n_jobs=jobs)
    text = "".join(traceback.format_exception(caught.value))
    assert 'raise Mine("not zero")  # here it is' in text
    assert "in fails" in text


class Sometimes:
    """Fails on positive numbers, which are half of all."""

    def __call__(self, params):
        if params["x"] > 0:
            raise Mine
        return -params["x"]


@JOBS
def test_failed_trials_are_skipped(jobs):
    result = search(Sometimes(), on_error="skip", n_jobs=jobs, evaluations=40)
    words = status(result)
    assert result.evaluations == 40 and set(words) == {"completed", "failed"}
    for number, word in enumerate(words):
        x, value = result.history.params(number)["x"], result.history["value"][number]
        assert (word == "failed") == (x > 0)
        assert math.isnan(value) if word == "failed" else value == -x
    assert result.best["x"] <= 0 and result.best_value == -result.best["x"]


@JOBS
@pytest.mark.parametrize(("number", "direction"), [(-100, "min"), (100.5, "max")])
def test_a_number_stands_for_failed_trials(number, direction, jobs):
    result = search(Sometimes(), on_error=number, direction=direction, n_jobs=jobs)
    values, words = result.history["value"], np.array(status(result))
    assert set(values[words == "failed"]) == {float(number)}
    assert result.best["x"] <= 0 and result.best_value == -result.best["x"]  # never a failed one


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_values_that_are_not_finite_never_win(wrong, direction):
    result = search(lambda params: wrong if params["x"] > 0 else params["x"], direction=direction)
    assert math.isfinite(result.best_value) and result.best["x"] <= 0
    assert set(status(result)) == {"completed"}
    share = np.mean(~np.isfinite(result.history["value"]))
    assert result.nan_share == share > 0


@pytest.mark.parametrize("settings", [{}, {"on_error": "skip"}], ids=["nan", "skip"])
def test_a_search_without_any_value_says_so(settings):
    def none(params):
        if settings:
            raise Mine
        return math.nan

    with pytest.raises(ValueError, match="none of the 20 evaluations gave a finite value"):
        search(none, **settings)


@JOBS
def test_the_history_is_never_changed_by_an_objective(jobs):
    def vandal(params):
        value = params["x"] + params["v"].sum() + params["n"]
        params["v"][:] = 77.0
        params["x"] = "gone"
        del params["n"]
        params["new"] = 1
        return value

    heard = []

    class Listen:
        def on_trial(self, trial):
            heard.append(trial.params)

    result = search(vandal, n_jobs=jobs, callbacks=[Listen()])
    for number, value in enumerate(result.history["value"]):
        params = result.history.params(number)
        assert params.keys() == SPACE.keys()
        assert params["x"] + params["v"].sum() + params["n"] == pytest.approx(value)
        assert np.array_equal(heard[number]["v"], params["v"])
    best = result.best
    assert best["x"] + best["v"].sum() + best["n"] == pytest.approx(result.best_value)


def test_constants_are_never_changed_by_an_objective():
    space = {"x": jaxhop.float(0, 1), "sizes": [1, 2]}

    def vandal(params):
        assert params["sizes"] == [1, 2]
        params["sizes"].append(3)
        return params["x"]

    result = search(vandal, space=space)
    assert result.best["sizes"] == space["sizes"] == [1, 2]


def test_options_are_never_changed_by_an_objective():
    options = [[1, 2], [3, 4]]
    space = {"x": jaxhop.float(0, 1), "layers": jaxhop.choice(options)}

    def vandal(params):
        assert params["layers"] in ([1, 2], [3, 4])
        params["layers"].clear()
        return params["x"]

    result = search(vandal, space=space)
    assert result.best["layers"] in ([1, 2], [3, 4])
    assert options == [[1, 2], [3, 4]]


@JOBS
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (None, "None"),
        ("0.5", "'0.5'"),
        (np.zeros(3), "array"),
        ({"loss": 0.5}, "loss"),
        ([0.5], r"\[0\.5\]"),
        (1j, "1j"),
    ],
    ids=["none", "text", "array", "dict", "list", "complex"],
)
def test_what_is_no_number_is_refused(wrong, told, jobs):
    def objective(params):
        return wrong

    with pytest.raises(TypeError, match=rf"`objective`.*{told}"):
        search(objective, evaluations=2, n_jobs=jobs)


@pytest.mark.parametrize(
    "number",
    [1, True, np.float32(0.5), np.array(0.5), np.int64(3)],
    ids=lambda x: type(x).__name__,
)
def test_numbers_of_all_kinds_are_values(number):
    assert search(lambda params: number, evaluations=2).best_value == float(number)


def test_a_hanging_trial_is_killed_and_the_search_goes_on(tmp_path):
    def hangs(params):
        number = len(list(tmp_path.iterdir()))
        (tmp_path / f"{number}").write_text(f"{os.getpid()} {time.time()}")
        if number == 2:
            time.sleep(1000)
        return square(params)

    heard = []

    class Listen:
        def on_trial(self, trial):
            heard.append((trial.status, time.time()))

    result = search(hangs, evaluations=8, timeout=1, callbacks=[Listen()])
    assert status(result) == ["completed"] * 2 + ["timeout"] + ["completed"] * 5
    assert np.isnan(result.history["value"][2]) and 1 <= result.history["duration"][2] < 3
    pid, begin = (tmp_path / "2").read_text().split()
    word, end = heard[2]
    assert word == "timeout" and end - float(begin) < 3
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_a_hanging_trial_holds_no_other_up(tmp_path):
    def hangs(params):
        try:
            (tmp_path / "first").touch(exist_ok=False)
        except FileExistsError:
            return square(params)
        time.sleep(1000)

    result = search(hangs, evaluations=30, timeout=1.5, n_jobs=2)
    assert result.evaluations == 30 and status(result).count("timeout") == 1
    assert status(result).index("timeout") > 0  # the others went on


def test_a_worker_that_exits_is_replaced(tmp_path):
    def exits(params):
        if params["n"] == 5:
            os._exit(3)
        return square(params)

    def exits_once(params):
        try:
            (tmp_path / "once").touch(exist_ok=False)
        except FileExistsError:
            return square(params)
        os._exit(3)

    space = {"x": jaxhop.float(-5, 5), "n": jaxhop.int(1, 6)}
    result = search(exits, space=space, n_jobs=2, evaluations=12, init=[{"n": 5}])
    words = status(result)
    assert result.evaluations == 12 and set(words) == {"completed", "lost"}
    for number, word in enumerate(words):
        assert (word == "lost") == (result.history.params(number)["n"] == 5)
    assert result.best["n"] != 5
    again = search(exits_once, space=space, n_jobs=2, evaluations=12)
    assert set(status(again)) == {"completed"} and again.evaluations == 12


def test_an_objective_that_always_dies_ends_the_search():
    with pytest.raises(RuntimeError, match="worker processes died"):
        search(lambda params: os._exit(1), n_jobs=2)


def test_an_objective_that_cannot_be_sent_is_refused():
    lock = threading.Lock()

    def locked(params):
        with lock:
            return square(params)

    with pytest.raises(Exception, match="pickle"):
        search(locked, n_jobs=2)


def test_a_search_survives_a_killer(tmp_path):
    def trial(params):
        with open(tmp_path / f"{os.getpid()}.pid", "a"):
            time.sleep(0.05)
        value = square(params) + params["v"].sum() + params["n"]
        with open(tmp_path / f"{os.getpid()}.values", "a") as file:
            file.write(f"{float(value)!r}\n")
        return value

    killed, done = [], threading.Event()

    def kill():
        while not done.wait(1.0):
            pids = [int(path.stem) for path in tmp_path.glob("*.pid")]
            pids = [pid for pid in pids if pid not in killed]
            if pids:
                killed.append(random.Random(len(killed)).choice(sorted(pids)))
                os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        result = search(trial, evaluations=None, runtime=6, n_jobs=2)
    finally:
        done.set()
        thread.join()
    assert result.stop_reason == "runtime"
    assert 5.5 < result.seconds < 6.5
    assert len(killed) >= 2
    completed = np.array(status(result)) == "completed"
    values = result.history["value"][completed]
    written = [
        float(line) for path in tmp_path.glob("*.values") for line in path.read_text().splitlines()
    ]
    # What a worker wrote just before it was killed, or time was up, it did not return any more.
    assert set(values) <= set(written)
    assert len(set(written) - set(values)) <= len(killed) + 2
    assert result.best_value == values.min()
    candidates = [repr(result.history.params(row)) for row in np.flatnonzero(completed).tolist()]
    assert len(set(candidates)) == len(candidates) > 5
