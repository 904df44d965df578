"""What trackers write, and when; each library has a file of tests of its own."""

import copy
import importlib
import math
import subprocess
import sys
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from plain import plain
from reports import make_report
from tracked import EVALUATIONS, curve, failing, search, stop_at

import jaxhop
from jaxhop._budget import Budget
from jaxhop._trials import Start
from jaxhop.callbacks import Callbacks
from jaxhop.callbacks._tracker import Tracker

pytestmark = pytest.mark.usefixtures("quick_compilation")


class Kept(Tracker):
    """A library that remembers what it is told, and can break."""

    def __init__(self, breaks=""):
        self.breaks, self.calls, self.points = breaks, [], {}

    def _told(self, what, *rest):
        self.calls.append((what, *rest))
        if what == self.breaks:
            raise ConnectionError("the server is gone")

    def _open(self, settings):
        self._told("open", settings)

    def _log(self, points):
        self._told("log", points)
        for step, values in points.items():
            self.points.setdefault(step, {}).update(values)

    def _end(self, summary, result):
        self._told("end", summary)

    def _close(self, state):
        self._told("close", state)

    def times(self, what):
        return sum(call[0] == what for call in self.calls)


def start(space):
    return Start(
        budget=Budget.of(runtime=60), direction="min", seed=0, size=space.size, space=space,
        decode=space.to_python_many,
    )  # fmt: skip


def test_settings_say_what_is_searched_and_how():
    kept = Kept()
    search(kept)
    what, settings = kept.calls[0]
    assert what == "open"
    assert settings["direction"] == "max" and settings["seed"] == 7
    assert settings["budget/evaluations"] == EVALUATIONS and "budget/runtime" not in settings
    assert settings["space/lr"] == "float(low=0.0001, high=1.0, log=True)"
    assert settings["space/kernel.gamma (log)"] == "float(low=0.0, high=1.0)"
    assert settings["versions/jaxhop"] == jaxhop.__version__
    assert settings["versions/python"] == ".".join(map(str, sys.version_info[:3]))
    assert all(isinstance(x, int | float | str) for x in settings.values())


def test_each_trial_of_a_short_search_has_a_point():
    kept = Kept()
    result = search(kept)
    trials = {step: values for step, values in kept.points.items() if "value" in values}
    assert list(trials) == list(range(EVALUATIONS))
    told = [(step, v["value"]) for step, v in trials.items() if math.isfinite(v["value"])]
    assert told == curve(result)
    best = [values["best_value"] for values in trials.values()]
    np.testing.assert_array_equal(best, result.history.best())
    for row, values in enumerate(trials.values()):
        params = result.history.params(row)
        assert values["params/lr"] == params["lr"] and values["params/bias"] is params["bias"]
        assert values["params/kernel.name"] == params["kernel"]["name"]
        gamma = params["kernel"].get("gamma (log)")
        assert values.get("params/kernel.gamma (log)") == gamma
        assert values["params/wide.mean"] == pytest.approx(params["wide"].mean())
        assert not any(name.startswith("params/order") for name in values)
        assert "median_value" not in values
    last = kept.points[EVALUATIONS - 1]
    assert last["temperature"] == result.history["temperature"][-1]
    assert last["evaluations_per_second"] > 0


def test_the_summary_holds_the_best_and_why_it_ended():
    kept = Kept()
    result = search(kept)
    ((_, summary),) = (call for call in kept.calls if call[0] == "end")
    assert summary["best_value"] == result.best_value
    assert summary["stop_reason"] == "evaluations" and summary["evaluations"] == EVALUATIONS
    assert summary["nan_share"] == result.nan_share > 0
    assert summary["best/lr"] == result.best["lr"]
    assert summary["best/wide.max"] == result.best["wide"].max()
    assert "best/order" not in summary


@pytest.mark.parametrize(
    ("callbacks", "fn", "raised", "state"),
    [
        ([], None, None, "finished"),
        ([stop_at(4)], None, None, "killed"),
        ([], failing(ValueError("wrong")), ValueError, "failed"),
        ([], failing(KeyboardInterrupt()), KeyboardInterrupt, "killed"),
        ([], failing(SystemExit(1)), SystemExit, "killed"),
    ],
    ids=["finished", "stopped", "error", "interrupt", "exit"],
)
@pytest.mark.parametrize("inside", [False, True], ids=["", "while another error is handled"])
def test_a_run_is_closed_once_with_its_state(callbacks, fn, raised, state, inside):
    kept = Kept()

    def run():
        settings = {} if fn is None else {"fn": failing(raised("again"))}
        if raised is None:
            search(kept, *callbacks, **settings)
        else:
            with pytest.raises(raised):
                search(kept, *callbacks, **settings)

    if inside:
        try:
            raise OSError
        except OSError:
            run()
    else:
        run()
    assert kept.calls[-1] == ("close", state)
    assert kept.times("close") == 1
    assert kept.times("end") == (raised is None)
    assert max(kept.points) >= 3  # nothing is lost of what was evaluated before
    assert kept._points == {}


@pytest.mark.parametrize("breaks", ["log", "end", "close"])
def test_a_library_that_breaks_does_not_end_the_search(breaks):
    kept = Kept(breaks)
    with pytest.warns(RuntimeWarning, match=r"`Kept`: .*\(the server is gone\)\. The search goes"):
        result = search(kept)
    assert result.evaluations == EVALUATIONS
    assert kept.times("close") == kept.times(breaks) == 1


def test_a_library_that_cannot_begin_ends_the_search():
    kept = Kept("open")
    with pytest.raises(ConnectionError):
        search(kept)
    assert kept.calls[-1] == ("close", "failed")


def test_nothing_is_closed_that_was_not_opened():
    kept = Kept()
    with Callbacks([kept]):
        pass
    assert not kept.calls


def test_one_callback_serves_searches_one_after_the_other():
    kept = Kept()
    with pytest.raises(ValueError):
        search(kept, fn=failing(ValueError()))
    search(kept)
    assert [call[1] for call in kept.calls if call[0] == "close"] == ["failed", "finished"]
    assert min(kept.calls[-3][1]) < max(kept.points) == EVALUATIONS - 1


def feed(kept, reports, seconds, rows):
    """Reports over some time, each of some rows of a small space."""
    space = jaxhop.Space({"x": jaxhop.float(0, 1)})
    kept.on_start(start(space))
    points = (np.full((rows, 1), 0.5, np.float32),)
    for number in range(reports):
        kept.on_round(
            make_report(
                np.arange(rows) + 1.0, first=number * rows, kept=np.arange(rows), points=points,
                improved=np.zeros(rows, bool), elapsed=seconds * number / reports,
            )
        )  # fmt: skip
    kept.close()


@pytest.mark.parametrize(
    ("reports", "seconds", "rows", "writes", "points"),
    [
        (4000, 4, 1, 16, 2500),  # a thousand cheap trials a second
        (500, 100, 1000, 250, 12_000),  # a JAX objective
        (2000, 100_000, 1, 2000, 2000),  # a day
        (4000, 4000, 1, 3000, 4000),
    ],
)
def test_what_is_written_is_bounded(reports, seconds, rows, writes, points, monkeypatch):
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    kept = Kept()
    feed(kept, reports, seconds, rows)
    assert 0.9 * writes < kept.times("log") <= writes + 1
    assert len(kept.points) <= points
    assert max(kept.points) == reports * rows - 1
    trials = np.array([step for step, values in kept.points.items() if "params/x" in values])
    assert len(trials) > 100 and trials[-1] > 0.9 * reports * rows


def test_writing_takes_a_tenth_of_the_time_at_most(monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    kept = Kept()
    feed(kept, 1000, 100, 1)  # a write takes a second
    assert 8 <= kept.times("log") <= 12


def test_a_jax_objective_has_a_point_a_report_and_its_improvements():
    def fn(params):
        return jnp.sum(params["w"])

    kept = Kept()
    space = {"w": jaxhop.float(-1, 1, shape=(200,))}
    result = jaxhop.search(
        fn, space, evaluations=3000, progress=False, algorithm=plain, population=32,
        callbacks=[kept],
    )  # fmt: skip
    improvements = result.history["evaluation"][result.history.improvements].tolist()
    trials = [step for step, values in sorted(kept.points.items()) if "value" in values]
    assert trials == improvements
    assert kept.points[2999]["best_value"] == result.best_value
    assert kept.points[2999]["median_value"] > result.best_value
    assert all(len(values) <= 10 for values in kept.points.values())


def test_many_parameters_have_few_curves():
    space = {f"x{number}": jaxhop.float(0, 1) for number in range(150)}
    kept = Kept()
    search(kept, fn=lambda params: params["x0"], space=space, evaluations=3)
    assert sum(name.startswith("params/") for name in kept.points[2]) == 100
    assert sum(name.startswith("space/") for name in kept.calls[0][1]) == 100


def test_a_search_that_goes_on_counts_on(tmp_path):
    first, second = Kept(), Kept()
    search(first, evaluations=10, dir=tmp_path)
    search(second, evaluations=25, dir=tmp_path)
    assert min(second.points) == 10 and max(second.points) == 24
    assert max(first.points) == 9
    rate = second.points[24]["evaluations_per_second"]
    assert rate < 1e6


def test_only_the_first_host_writes(monkeypatch):
    monkeypatch.setattr("jaxhop._hosts.is_first", lambda: False)
    kept = Kept()
    search(kept)
    assert not kept.calls


NAMES = ["TensorBoard", "MLflow", "WandB", "Aim"]
MODULES = {"TensorBoard": "tensorboardX", "MLflow": "mlflow", "WandB": "wandb", "Aim": "aim"}


@pytest.mark.parametrize("name", NAMES)
def test_a_library_that_is_missing_is_named_with_its_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    kind = getattr(jaxhop.callbacks, name)
    with pytest.raises(ImportError, match=rf'Run `pip install "jaxhop\[{name.lower()}\]"`'):
        kind(*["directory"] * (name == "TensorBoard"))


@pytest.mark.parametrize("name", NAMES)
def test_a_callback_can_be_copied_before_it_is_used(name):
    if name == "Aim" and sys.version_info >= (3, 13):
        pytest.skip("Aim has no packages for Python 3.13")
    callback = getattr(jaxhop.callbacks, name)(*["directory"] * (name == "TensorBoard"))
    assert type(copy.deepcopy(callback)) is type(callback)  # as scikit-learn does with SearchCV


def test_importing_callbacks_imports_no_library():
    script = (
        "import sys, jaxhop.callbacks as c\n"
        "[getattr(c, name) for name in c.__all__]\n"
        f"print(*[name for name in {sorted(MODULES.values())} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == ""


def test_every_callback_is_listed():
    for name in jaxhop.callbacks.__all__:
        assert importlib.import_module("jaxhop.callbacks").__dir__().count(name) == 1
        assert getattr(jaxhop.callbacks, name).__doc__
    with warnings.catch_warnings(), pytest.raises(AttributeError, match="no attribute 'Comet'"):
        _ = jaxhop.callbacks.Comet  # pyright: ignore[reportAttributeAccessIssue]
