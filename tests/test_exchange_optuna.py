"""A result as a study of Optuna."""

import sys
import time

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

import jaxhop

SPACE = {
    "rate": jaxhop.float(1e-5, 1e-1, "0.1g"),
    "share": jaxhop.float(0, 1, "0.1f"),
    "free": jaxhop.float(low=0),
    "layers": jaxhop.int(1, 20, log=True),
    "units": jaxhop.int(5, 50, multiple_of=8),
    "batch": jaxhop.int(2, 64, power_of=2),
    "kernel": jaxhop.choice(
        {"name": "linear", "gamma": "scale"},
        {"name": "rbf", "gamma": jaxhop.float(1e-3, 1, log=True)},
    ),
    "act": jaxhop.choice((64, 64), "relu", None, np.tanh),
    "w": jaxhop.float(-1, [1, 2, 3], shape=3),
    "long": jaxhop.float(-1, 1, shape=65),
    "order": jaxhop.permutation(4),
    "tour": jaxhop.permutation(65),
    "seed": 3,
}


def objective(params):
    if params["layers"] == 1:
        return float("nan")
    if params["layers"] == 2:
        raise RuntimeError("no such network")
    return params["rate"] + params["share"] + float(params["w"].sum())


@pytest.fixture(scope="module")
def result():
    return jaxhop.search(objective, SPACE, evaluations=40, on_error="skip", seed=1)


@pytest.fixture(scope="module")
def study(result):
    return result.to_optuna()


def test_the_space_becomes_distributions(study):
    found = {}
    for trial in study.trials:
        for name, distribution in trial.distributions.items():
            assert found.setdefault(name, distribution) == distribution  # one for all trials
    seen = max(trial.params["free"] for trial in study.trials)
    bounded = {
        "rate": FloatDistribution(1e-5, 1e-1, log=True),
        "share": FloatDistribution(0, 1, step=0.1),
        "free": FloatDistribution(0, seen),
        "layers": IntDistribution(1, 20, log=True),
        "units": IntDistribution(8, 48, step=8),
        "batch": IntDistribution(2, 64, log=True),
        "kernel.name": CategoricalDistribution(("linear", "rbf")),
        "kernel.gamma": FloatDistribution(1e-3, 1, log=True),
        "kernel.gamma.option": CategoricalDistribution(("scale",)),
        "act": CategoricalDistribution(("(64, 64)", "relu", None, "<ufunc 'tanh'>")),
        "w[0]": FloatDistribution(-1, 1),
        "w[1]": FloatDistribution(-1, 2),
        "w[2]": FloatDistribution(-1, 3),
        **{f"order[{at}]": IntDistribution(0, 3) for at in range(4)},
    }
    summaries = {f"long.{what}" for what in ("mean", "std", "min", "max")}
    assert set(found) == set(bounded) | summaries  # the longer permutation and 3 have none
    assert {name: found[name] for name in bounded} == bounded


def test_the_values_are_those_of_the_result(result, study):
    best = study.best_trial
    assert best.value == study.best_value == result.best_value
    assert best.params["rate"] == result.best["rate"]
    assert best.params["w[1]"] == pytest.approx(result.best["w"][1])
    assert best.params["long.mean"] == pytest.approx(result.best["long"].mean())
    gamma = "kernel.gamma" if result.best["kernel"]["name"] == "rbf" else "kernel.gamma.option"
    assert best.params[gamma] == result.best["kernel"]["gamma"]
    assert {"kernel.gamma", "kernel.gamma.option"} - set(best.params) != set()
    assert study.direction == optuna.study.StudyDirection.MINIMIZE


def test_states_follow_how_a_trial_ended(study):
    states = {1: TrialState.FAIL, 2: TrialState.FAIL}
    for number, trial in enumerate(study.trials):
        assert trial.state == states.get(trial.params["layers"], TrialState.COMPLETE)
        assert (trial.value is None) == (trial.state == TrialState.FAIL)
        assert trial.number == trial.user_attrs["evaluation"] == number
    assert {1, 2} <= {trial.params["layers"] for trial in study.trials}
    assert {trial.user_attrs["status"] for trial in study.trials} == {"completed", "failed"}


def test_dates_lie_within_the_search(result, study):
    first, last = study.trials[0], study.trials[-1]
    assert (last.datetime_complete - first.datetime_start).total_seconds() <= result.seconds + 1e-3
    assert abs(last.datetime_complete.timestamp() - result.finished) <= result.seconds
    assert abs(result.finished - time.time()) < 3600
    for trial in study.trials:
        assert trial.datetime_start <= trial.datetime_complete


def test_pruned_trials_keep_their_last_estimate():
    def training(params):
        for epoch in range(5):
            yield params["x"] * (epoch + 1)

    pruner = jaxhop.pruners.MedianPruner()
    space = {"x": jaxhop.float(0, 1)}
    found = jaxhop.search(training, space, direction="max", evaluations=30, pruner=pruner)
    study = found.to_optuna()
    pruned = np.flatnonzero(found.history["status"] == "pruned")
    assert len(pruned)
    assert study.direction == optuna.study.StudyDirection.MAXIMIZE
    for number, trial in enumerate(study.trials):
        wanted = TrialState.PRUNED if number in pruned else TrialState.COMPLETE
        assert trial.state == wanted and trial.value == found.history["value"][number]
    assert study.best_value == found.best_value


@pytest.mark.parametrize(
    "picture",
    [
        "plot_optimization_history",
        "plot_param_importances",
        "plot_slice",
        "plot_parallel_coordinate",
        "plot_timeline",
        "plot_edf",
    ],
)
def test_optuna_draws_it(study, picture):
    figure = getattr(optuna.visualization, picture)(study)
    assert len(figure.data)
    if picture == "plot_param_importances":
        assert {"rate", "w[0]", "kernel.name"} <= set(figure.data[0].y)


def test_what_a_directory_tells_is_enough(tmp_path):
    space = {"x": jaxhop.float(-1, 1, shape=2), "kind": jaxhop.choice("a", "b")}
    found = jaxhop.search(lambda params: params["x"].sum(), space, evaluations=8, dir=tmp_path)
    own, study = found.to_optuna(), jaxhop.load(tmp_path).to_optuna()
    for trial, loaded in zip(own.trials, study.trials, strict=True):
        assert trial.value == loaded.value and trial.distributions == loaded.distributions
        assert trial.params == pytest.approx(loaded.params)


def test_a_storage_keeps_it(result, tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    result.to_optuna(storage, "kept")
    assert optuna.load_study(study_name="kept", storage=storage).best_value == result.best_value


def test_a_jax_search_becomes_a_study():
    space = {"x": jaxhop.float(-1, 1), "kind": jaxhop.choice("a", "b")}
    found = jaxhop.search(
        lambda params: params["x"] ** 2 + (params["kind"] == "a"),
        space,
        backend="jax",
        evaluations=64,
    )
    study = found.to_optuna()
    assert study.best_params == found.best and len(study.trials) == 64


def test_without_optuna_a_sentence_says_what_to_install(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r'Run `pip install "jaxhop\[optuna\]"`'):
        result.to_optuna()
