"""Searches whose objective runs in Python: values, budgets, seeds, duplicates, callbacks."""

import math
import os
import signal
import subprocess
import sys
import time
import types

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain import plain
from processes import finish, start

import jaxhop

# Workers get the functions below by value: to import this file would take them seconds.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

SPACE = {"x": jaxhop.float(-5, 5), "n": jaxhop.int(1, 8), "word": jaxhop.choice("a", "b", "c")}


def bowl(params):
    """Lowest at x = 2, n = 3 and "b", which is not where a search begins."""
    return (params["x"] - 2) ** 2 + (params["n"] - 3) ** 2 + (params["word"] != "b")


def search(fn=bowl, space=None, surrogate=False, **settings):
    """A search without a model, which would be compiled, and without the line about Python."""
    space = SPACE if space is None else space
    settings = {"backend": "python"} | settings
    return jaxhop.search(fn, space, surrogate=surrogate, **settings)


def candidates(result):
    """All candidates of a search, in order."""
    return [result.history.params(number) for number in range(result.evaluations)]


def keys(result):
    """The same as text, which can be compared and counted."""
    return [repr(candidate) for candidate in candidates(result)]


@pytest.mark.parametrize("surrogate", [False, True])
def test_the_optimum_is_found(surrogate):
    result = search(evaluations=150, surrogate=surrogate)
    assert result.best["word"] == "b" and result.best["n"] == 3
    assert abs(result.best["x"] - 2) < 0.2
    assert result.best_value == bowl(result.best) < bowl(result.history.params(0))
    assert type(result.best["x"]) is float and type(result.best["n"]) is int


@pytest.mark.parametrize(("direction", "sign"), [("min", 1), ("max", -1)])
def test_values_are_kept_in_float64(direction, sign):
    given = []

    def value(params):
        given.append(sign * (220.53 + 1e-9 * abs(params["n"] - 700)))
        return given[-1]

    result = search(value, {"n": jaxhop.int(1, 1000)}, evaluations=200, direction=direction)
    best = min(given) if sign == 1 else max(given)
    assert result.best_value == best
    assert result.history["value"].tolist() == given
    assert sign * (220.53 + 1e-9 * abs(result.best["n"] - 700)) == best
    assert abs(result.best["n"] - 700) < 100  # float32 shows no difference at all


class TestVectorized:
    """The objective gets the population as arrays."""

    SPACE = types.MappingProxyType(
        {
            "x": jaxhop.float(-5, 5),
            "n": jaxhop.int(1, 8),
            "flag": jaxhop.bool(),
            "word": jaxhop.choice("a", "b"),
            "size": jaxhop.choice(16, 32),
            "v": jaxhop.float(-1, 1, shape=(3,)),
            "constant": 2.5,
        }
    )

    def search(self, fn, space=None, **settings):
        settings = {"population": 8, "algorithm": plain, "evaluations": 20} | settings
        return search(
            fn, dict(self.SPACE) if space is None else space, vectorized=True, **settings
        )

    def test_what_the_objective_gets(self):
        calls = []

        def loss(params):
            calls.append(params)
            return params["x"] ** 2

        result = self.search(loss)
        assert result.evaluations == 20
        sizes = [len(params["x"]) for params in calls]
        assert sum(sizes) == 20 and max(sizes) == 8
        for params, size in zip(calls, sizes, strict=True):
            kinds = {name: array.dtype.kind for name, array in params.items()}
            numbers = {"x": "f", "n": "i", "flag": "b", "size": "i", "v": "f", "constant": "f"}
            assert kinds == {**numbers, "word": "O"}
            assert all(type(array) is np.ndarray for array in params.values())
            assert params["v"].shape == (size, 3)
            assert {array.shape for name, array in params.items() if name != "v"} == {(size,)}
            assert set(params["word"]) <= {"a", "b"} and set(params["size"]) <= {16, 32}
            assert set(params["constant"]) == {2.5}

    @pytest.mark.parametrize("evaluations", [1, 7, 8, 17])
    def test_evaluations_are_exact(self, evaluations):
        sizes = []

        def loss(params):
            sizes.append(len(params["x"]))
            return params["x"] ** 2

        result = self.search(loss, evaluations=evaluations)
        assert result.evaluations == sum(sizes) == evaluations
        assert len(sizes) == math.ceil(evaluations / 8)

    def test_values_belong_to_their_candidates(self):
        result = self.search(lambda params: params["x"] + params["n"], direction="max")
        for params, value in zip(candidates(result), result.history["value"], strict=True):
            assert params["x"] + params["n"] == pytest.approx(value, rel=1e-6)
        assert result.best_value == result.history["value"].max()
        assert result.best_value == pytest.approx(result.best["x"] + result.best["n"], rel=1e-6)

    @pytest.mark.parametrize(
        "shape",
        [
            lambda x: x[:, None],
            lambda x: x.tolist(),
            lambda x: x.astype(np.float32),
            lambda x: jnp.asarray(x),
        ],
        ids=["column", "list", "float32", "jax"],
    )
    def test_what_may_be_returned(self, shape):
        result = self.search(lambda params: shape(params["x"]))
        assert result.best_value == pytest.approx(result.best["x"], rel=1e-6)

    @pytest.mark.parametrize(
        ("fn", "told"),
        [
            (lambda params: params["x"][:-1], r"shape \(7,\)"),
            (lambda params: params["x"].mean(), "each of the 8 candidates"),
            (lambda params: params["v"], r"shape \(8, 3\)"),
            (lambda params: None, "None"),
            (lambda params: params["word"], "array"),
            (lambda params: params, "dict|x"),
        ],
        ids=["short", "scalar", "matrix", "none", "text", "dict"],
    )
    def test_what_may_not_be_returned(self, fn, told):
        with pytest.raises(TypeError, match=told):
            self.search(fn)

    def test_an_error_is_the_users_own(self):
        with pytest.raises(ZeroDivisionError):
            self.search(lambda params: 1 / 0)

    def test_failed_populations_can_be_skipped(self):
        calls = []

        def loss(params):
            calls.append(1)
            if len(calls) == 2:
                raise OSError("once")
            return params["x"] ** 2

        result = self.search(loss, on_error="skip", evaluations=24)
        assert (
            result.history["status"].tolist()
            == ["completed"] * 8 + ["failed"] * 8 + ["completed"] * 8
        )

    def test_custom_python_values_are_refused(self):
        leaf = jaxhop.custom(lambda rng: 1, lambda rng, value: value + 1, python=True)
        with pytest.raises(ValueError, match="Python functions"):
            self.search(lambda params: params["x"], {"x": leaf})


@pytest.mark.parametrize("jobs", [None, 2])
@pytest.mark.parametrize("evaluations", [1, 37])
def test_evaluations_are_exact(jobs, evaluations):
    result = search(evaluations=evaluations, n_jobs=jobs)
    assert result.evaluations == evaluations == len(result.history["value"])
    assert result.stop_reason == "evaluations"
    assert len(set(keys(result))) == evaluations


def test_a_trial_begins_only_if_it_can_end():
    def slow(params):
        time.sleep(0.5)
        return bowl(params)

    result = search(slow, runtime=3.2)
    assert result.stop_reason == "runtime"
    assert 1 <= result.evaluations <= 6
    assert result.seconds < 3.2


def test_workers_end_on_time():
    def slow(params):
        time.sleep(0.3)
        return bowl(params)

    result = search(slow, runtime=4, n_jobs=2)
    assert result.stop_reason == "runtime" and 3.4 < result.seconds < 4.3
    assert (result.history["status"] == "completed").sum() >= 2


@pytest.mark.parametrize("jobs", [None, 2])
def test_a_target_ends_the_search(jobs):
    result = search(target=6.0, evaluations=5000, n_jobs=jobs)
    assert result.stop_reason == "target"
    assert result.best_value <= 6 and result.evaluations < 5000


@pytest.mark.parametrize("jobs", [None, 2])
def test_a_callback_ends_the_search(jobs):
    class Stop:
        def on_trial(self, trial):
            return trial.number == 6

    result = search(evaluations=500, callbacks=[Stop()], n_jobs=jobs)
    assert result.stop_reason == "interrupted"
    assert 7 <= result.evaluations <= 7 + (jobs or 0)
    assert set(result.history["status"]) == {"completed"}


@pytest.mark.parametrize("surrogate", [False, True])
def test_a_seed_is_the_whole_search(surrogate):
    first, second, other = (
        keys(search(evaluations=25, seed=seed, surrogate=surrogate)) for seed in (1, 1, 2)
    )
    assert first == second
    assert len(set(first) & set(other)) < 10


@pytest.mark.parametrize(
    "algorithm", [jaxhop.algorithms.annealed_mcmc(), jaxhop.algorithms.random_search()]
)
def test_algorithms_of_rounds(algorithm):
    settings = {"algorithm": algorithm, "population": 8}
    result, again = (search(evaluations=60, seed=3, **settings) for _ in range(2))
    assert keys(result) == keys(again)
    assert result.evaluations == 60 == len(set(keys(result)))
    assert result.best_value == min(map(bowl, candidates(result)))
    assert result.best_value < bowl(candidates(result)[0])
    assert set(np.diff(result.history["step"])) <= {0, 1}
    workers = search(evaluations=61, seed=3, n_jobs=2, **settings)
    assert workers.evaluations == 61 == len(set(keys(workers)))
    assert set(workers.history["status"]) == {"completed"}


FINITE = {"n": jaxhop.int(1, 3), "word": jaxhop.choice("a", "b"), "flag": jaxhop.bool()}
CONDITIONAL = {
    "either": jaxhop.choice(
        {"kind": "a", "n": jaxhop.int(1, 9)},
        {"kind": "b", "flag": jaxhop.bool()},
        {"kind": "c"},
    )
}


def position(params):
    """Some number that depends on the whole candidate."""
    return float(sum(map(ord, repr(params))))


@pytest.mark.parametrize("jobs", [None, 2])
@pytest.mark.parametrize("space", [FINITE, CONDITIONAL], ids=["plain", "conditional"])
def test_a_finite_space_is_used_up(space, jobs):
    result = search(position, space, evaluations=50, n_jobs=jobs)
    assert result.stop_reason == "exhausted"
    assert result.evaluations == 12 == len(set(keys(result)))


def test_a_finite_space_is_used_up_in_rounds():
    settings = {"algorithm": jaxhop.algorithms.random_search(), "population": 8}
    result = search(position, FINITE, evaluations=200, **settings)
    assert result.stop_reason == "exhausted"
    assert result.evaluations == 12 == len(set(keys(result)))


@pytest.mark.parametrize("jobs", [None, 2])
def test_few_values_of_a_python_parameter_are_used_up(jobs):
    leaf = jaxhop.custom(
        lambda rng: f"v{rng.integers(5)}",
        lambda rng, value: f"v{rng.integers(5)}",
        python=True,
    )
    result = search(position, {"x": leaf}, evaluations=50, n_jobs=jobs)
    assert result.stop_reason == "exhausted"
    assert sorted(params["x"] for params in candidates(result)) == [f"v{i}" for i in range(5)]


def test_duplicates_may_be_allowed():
    result = search(position, FINITE, evaluations=50, duplicates="allow")
    assert result.evaluations == 50 and result.stop_reason == "evaluations"
    assert len(set(keys(result))) <= 12


class Listener:
    """Notes all that it is told."""

    def __init__(self, stop=None):
        self.said, self.stop = [], stop

    def on_start(self, info):
        self.said.append(("on_start", info))

    def on_trial(self, trial):
        self.said.append(("on_trial", trial))
        return self.stop == "on_trial"

    def on_improvement(self, trial):
        self.said.append(("on_improvement", trial))
        return self.stop == "on_improvement"

    def on_round(self, report):
        self.said.append(("on_round", report))
        return self.stop == "on_round"

    def on_end(self, result):
        self.said.append(("on_end", result))

    def all(self, moment):
        return [what for name, what in self.said if name == moment]


def jax_bowl(params):
    return jnp.square(params["x"] - 2) + jnp.square(params["n"] - 3.0) + (params["word"] != "b")


BOTH = pytest.mark.parametrize("world", ["python", "jax"])


def listened(world, stop=None, **settings):
    """A search in either world, and what a listener heard of it."""
    listener = Listener(stop)
    if world == "jax":
        settings = {"population": 8, "algorithm": plain} | settings
    result = jaxhop.search(
        bowl if world == "python" else jax_bowl,
        SPACE,
        backend=world,
        surrogate=False,
        callbacks=[listener],
        **settings,
    )
    return result, listener


@BOTH
@pytest.mark.parametrize("direction", ["min", "max"])
def test_what_callbacks_hear(world, direction):
    result, listener = listened(world, evaluations=40, direction=direction)
    names = [name for name, _ in listener.said]
    assert names[0] == "on_start" and names[-1] == "on_end"
    assert names.count("on_start") == names.count("on_end") == 1
    (info,), (ended,) = listener.all("on_start"), listener.all("on_end")
    assert ended is result and info.direction == direction and info.size == 3
    trials = listener.all("on_trial")
    assert [trial.number for trial in trials] == list(range(40))
    assert [trial.value for trial in trials] == result.history["value"].tolist()
    assert [trial.params for trial in trials] == candidates(result)
    assert {trial.status for trial in trials} == {"completed"}
    better = np.minimum if direction == "min" else np.maximum
    best = better.accumulate(result.history["value"])
    assert [trial.best_value for trial in trials] == best.tolist()
    improved = [n for n in range(40) if n == 0 or best[n] != best[n - 1]]
    assert [trial.number for trial in trials if trial.improved] == improved
    assert [trial.number for trial in listener.all("on_improvement")] == improved
    for place, (name, what) in enumerate(listener.said):
        if name == "on_improvement":
            assert listener.said[place - 1] == ("on_trial", what)
    reports = listener.all("on_round")
    assert sum(len(report.values) for report in reports) == 40
    assert reports[-1].best_value == result.best_value == best[-1]


@BOTH
@pytest.mark.parametrize("moment", ["on_trial", "on_improvement", "on_round"])
def test_callbacks_stop_a_search(world, moment):
    result, listener = listened(world, moment, evaluations=10**6)
    assert result.stop_reason == "interrupted"
    assert 1 <= result.evaluations < 10**6
    assert listener.said[-1] == ("on_end", result)


@BOTH
@pytest.mark.parametrize(
    "moment", ["on_start", "on_trial", "on_improvement", "on_round", "on_end"]
)
def test_an_error_names_the_callback(world, moment):
    def fail(self, what):
        raise ZeroDivisionError

    wrong = type("Wrong", (), {moment: fail})()
    fn = bowl if world == "python" else jax_bowl
    settings = {"population": 8, "algorithm": plain} if world == "jax" else {}
    with pytest.raises(ZeroDivisionError) as caught:
        jaxhop.search(
            fn, SPACE, evaluations=8, backend=world, surrogate=False, callbacks=[wrong], **settings
        )
    assert f"`Wrong` in `{moment}`" in "".join(caught.value.__notes__)


def test_a_function_is_a_callback():
    reports = []
    search(evaluations=10, callbacks=[reports.append])
    assert sum(len(report.values) for report in reports) == 10


def test_average_brings_the_value_close_to_the_mean():
    def noisy(params, key):
        return jnp.square(params["x"] - 2) + 10 * jax.random.normal(key)

    space = {"x": jaxhop.float(-5, 5)}
    settings = {"evaluations": 64, "population": 8, "algorithm": plain, "backend": "jax"}
    values = jaxhop.search(noisy, space, average=1000, **settings).history["value"]
    once = jaxhop.search(noisy, space, **settings)
    result = jaxhop.search(noisy, space, average=1000, **settings)
    true = [(params["x"] - 2) ** 2 for params in candidates(result)]
    assert np.abs(values - true).max() < 2 < np.abs(once.history["value"] - true).max()


@pytest.mark.parametrize("backend", ["auto", "jax"])
def test_average_needs_a_key(backend):
    with pytest.raises(ValueError, match=r"`average=3`.*takes no key"):
        jaxhop.search(jax_bowl, SPACE, evaluations=8, average=3, backend=backend)


class TestPythonValues:
    """Parameters that Python functions sample and mutate."""

    LEAF = jaxhop.custom(
        lambda rng: {"tour": rng.permutation(5).tolist()},
        lambda rng, value: TestPythonValues.swap(rng, value),
        python=True,
    )

    @staticmethod
    def swap(rng, value):
        i, j = rng.choice(5, 2, replace=False)
        value["tour"][i], value["tour"][j] = value["tour"][j], value["tour"][i]
        return value

    @staticmethod
    def loss(params):
        return sum(abs(city - place) for place, city in enumerate(params["t"]["tour"]))

    def test_values_changed_in_place_corrupt_nothing(self):
        seen = []

        def loss(params):
            seen.append(repr(params))
            value = self.loss(params)
            params["t"]["tour"].reverse()
            return value

        space = {"t": self.LEAF, "x": jaxhop.float(0, 1)}
        result = search(loss, space, evaluations=60)
        assert keys(result) == seen and len(set(seen)) == 60
        assert [self.loss(params) for params in candidates(result)] == result.history[
            "value"
        ].tolist()
        assert result.best_value == self.loss(result.best) < 6
        assert all(sorted(params["t"]["tour"]) == [*range(5)] for params in candidates(result))

    def test_result_shows_them(self, tmp_path):
        result = search(self.loss, {"t": self.LEAF}, evaluations=20)
        (value, params), *_ = result.top(3)
        assert value == result.best_value and params == result.best
        result.to_csv(tmp_path / "history.csv")
        text = (tmp_path / "history.csv").read_text().splitlines()
        assert len(text) == 21 and "t" in text[0]

    def test_own_functions_of_a_float(self):
        drawn = jaxhop.float(
            0,
            1,
            sample=lambda rng: round(rng.random(), 1),
            mutate=lambda rng, value: min(1.0, round(value + 0.1, 1)),
        )
        space = {"x": drawn, "y": jaxhop.float(0, 1)}
        result = search(lambda params: -params["x"], space, evaluations=40)
        values = {params["x"] for params in candidates(result)[1:]}
        assert values <= {round(i / 10, 1) for i in range(11)}
        assert result.best["x"] == 1.0

    def test_same_seed_same_values(self):
        first, second = (
            keys(search(self.loss, {"t": self.LEAF}, evaluations=30, seed=5)) for _ in range(2)
        )
        assert first == second


@pytest.mark.parametrize("jobs", [None, 2])
def test_fidelity(jobs):
    space = {"x": jaxhop.float(-5, 5), "epochs": jaxhop.fidelity(1, 27)}

    def loss(params):
        assert type(params["epochs"]) is int
        return (params["x"] - 2) ** 2 - 100 / params["epochs"]  # low ones look better

    result = search(loss, space, evaluations=80, n_jobs=jobs)
    assert result.evaluations == 80 and result.stop_reason == "evaluations"
    assert result.best["epochs"] == 27 and type(result.best["epochs"]) is int
    assert result.best_value == loss(result.best)
    status = result.history["status"].tolist()
    for params, word in zip(candidates(result), status, strict=True):
        assert word == ("completed" if params["epochs"] == 27 else "partial")
    assert status.count("partial") > status.count("completed") > 0
    full = [
        v for v, word in zip(result.history["value"], status, strict=True) if word == "completed"
    ]
    assert result.best_value == min(full) and abs(result.best["x"] - 2) < 2


CTRL_C = """
import json, os, signal, sys, time
import jaxhop

def slow(params):
    os.write(1, b"trial %d\\n" % os.getpid())  # whole, whatever other workers write
    time.sleep(0.4)
    return params["x"] ** 2

def endless(params):
    os.write(1, b"trial %d\\n" % os.getpid())  # whole, whatever other workers write
    time.sleep(100)

jobs = None if sys.argv[1] == "0" else int(sys.argv[1])
settings = dict(backend="python", surrogate=False, n_jobs=jobs, runtime=100)
space = {"x": jaxhop.float(-5, 5)}
result = jaxhop.search(slow, space, **settings)
print(json.dumps([result.stop_reason, result.evaluations, sorted(set(result.history["status"]))]),
      flush=True)
try:
    jaxhop.search(endless, space, **settings)
except KeyboardInterrupt:
    print("KeyboardInterrupt", flush=True)
"""


def alive(pid):
    """Whether a process runs; one that nobody waited for does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


@pytest.mark.parametrize("jobs", [0, 2])
def test_once_ends_the_search_and_twice_raises(jobs):
    process = start(CTRL_C, jobs)
    workers = set()

    def said():
        """The next line that is no trial."""
        while (line := process.stdout.readline()).startswith("trial"):
            workers.add(int(line.split()[1]))
        return line

    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("trial")
        process.send_signal(signal.SIGINT)
        assert '"interrupted"' in (line := said()) and '["completed"]' in line
        workers.clear()
        workers.add(int(process.stdout.readline().split()[1]))
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
        assert said() == "KeyboardInterrupt\n"
        finish(process)
        until = time.monotonic() + 5
        while any(map(alive, workers)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(alive, workers))
        assert (os.getpid() not in workers) and (len(workers) >= 1)
    finally:
        process.kill()
