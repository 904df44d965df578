"""The search in scikit-learn's form."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import jaxhop
from jaxhop.sklearn import SearchCV
from jaxhop.space import known

X, Y = load_iris(return_X_y=True)
ALPHA = jaxhop.choice(0.1, 1.0)
PENALTY = jaxhop.float(1e-2, 1e2, log=True)
CHECKED = [
    SearchCV(Ridge(), {"alpha": ALPHA}, evaluations=2, cv=2, error_score="raise", random_state=0),
    SearchCV(  # a candidate more would take as long again
        Pipeline([("pca", PCA()), ("logistic", LogisticRegression())]),
        {"logistic__C": ALPHA},
        evaluations=1,
        cv=2,
        error_score="raise",
        random_state=0,
    ),
]


def expected(search):
    """What scikit-learn expects of its own searches, too."""
    reason = "y is not a column: the warning of each fold comes before the one that is looked for"
    return {"check_supervised_y_2d": reason} if isinstance(search.estimator, Ridge) else {}


@pytest.mark.filterwarnings("ignore")  # the checks ask for what warns
@parametrize_with_checks(CHECKED, expected_failed_checks=expected)
def test_scikit_learn_approves(estimator, check):
    check(estimator)


def searched(estimator, space, *, data=(X, Y), **settings):
    settings = {"evaluations": 6, "cv": 3, "random_state": 0} | settings
    return SearchCV(estimator, space, **settings).fit(*data)


class Fussy(DecisionTreeClassifier):
    """Cannot be fitted one level deep, and only on some data two levels deep."""

    def fit(self, X, y, **rest):
        if self.max_depth == 1 or (self.max_depth == 2 and X[0, 3] == 0.2):
            raise RuntimeError("too shallow")
        return super().fit(X, y, **rest)


DEPTH = {"max_depth": jaxhop.int(1, 4), "random_state": 0}


def test_the_best_is_found_refitted_and_used():
    space = {"svc__C": PENALTY, "svc__gamma": jaxhop.float(1e-4, 1, log=True)}
    found = searched(Pipeline([("pca", PCA()), ("svc", SVC())]), space, evaluations=15)
    results = found.cv_results_
    assert len(results["params"]) == 15 and found.stop_reason_ == "evaluations"
    assert found.best_score_ == results["mean_test_score"].max()
    assert found.best_params_ == results["params"][found.best_index_]
    assert found.best_params_["svc__C"] == found.best_estimator_["svc"].C
    own = cross_val_score(found.best_estimator_, X, Y, cv=3)
    assert own.mean() == pytest.approx(found.best_score_)
    assert found.score(X, Y) == (found.predict(X) == Y).mean() > 0.95


def test_results_are_those_of_a_random_search_with_these_candidates():
    found = searched(SVC(), {"C": PENALTY}, return_train_score=True)
    grid = [{"C": [params["C"]]} for params in found.cv_results_["params"]]
    other = GridSearchCV(SVC(), grid, cv=3, return_train_score=True).fit(X, Y)
    assert found.cv_results_.keys() == other.cv_results_.keys()
    for name, column in other.cv_results_.items():
        if "time" not in name:
            assert list(found.cv_results_[name]) == list(column), name


def test_a_seed_makes_it_the_same_again():
    first, again, other = (
        searched(SVC(), {"C": PENALTY}, random_state=seed).cv_results_["params"]
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_copies_share_what_is_compiled():
    search = SearchCV(SVC(), {"C": PENALTY}, evaluations=3)
    assert known(clone(search).space) is known(search.space)


def test_options_of_several_parameters_are_spread():
    weights = {0: 1, 1: 2, 2: 1}
    space = {
        "kernel": jaxhop.choice(
            {"kernel": "linear"},
            {
                "kernel": "rbf",
                "gamma": jaxhop.choice("scale", jaxhop.float(1e-3, 1, log=True)),
            },
        ),
        "class_weight": jaxhop.choice(None, weights),
        "C": 2.0,
    }
    found = searched(SVC(), space, evaluations=12)
    params = found.cv_results_["params"]
    for each in params:
        wanted = {"kernel", "class_weight", "C"} | ({"gamma"} & each.keys())
        assert each.keys() == wanted and (each["kernel"] == "rbf") == ("gamma" in each)
    assert {type(each.get("gamma")) for each in params} == {type(None), str, float}
    assert weights in [each["class_weight"] for each in params]


def test_what_cannot_be_fitted_has_no_score():
    with pytest.warns(FitFailedWarning, match="too shallow"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        found = searched(Fussy(), DEPTH, evaluations=4)
    results = found.cv_results_
    assert sorted(results["param_max_depth"]) == [2, 3, 4]  # of 1 no fold could be fitted
    missing = np.isnan(results["mean_test_score"])
    assert list(results["param_max_depth"][missing]) == [2]
    assert found.best_params_["max_depth"] > 2


def test_an_error_ends_it_where_that_is_asked_for():
    with pytest.raises(RuntimeError, match="too shallow"):
        searched(Fussy(), DEPTH, error_score="raise")


def test_of_several_scores_one_is_searched_for():
    found = searched(
        SVC(), {"C": PENALTY}, scoring=["accuracy", "f1_macro"], refit="f1_macro", target=0.9
    )
    assert found.stop_reason_ == "target" and found.best_score_ >= 0.9
    assert found.best_score_ == found.cv_results_["mean_test_f1_macro"].max()
    assert "rank_test_accuracy" in found.cv_results_
    with pytest.raises(ValueError, match="Give its name as refit="):
        searched(SVC(), {"C": PENALTY}, scoring=["accuracy", "f1_macro"], refit=False)


def test_a_small_space_is_used_up():
    found = searched(SVC(), {"C": jaxhop.choice(0.1, 1.0, 10.0)}, evaluations=10)
    assert found.stop_reason_ == "exhausted" and len(found.cv_results_["params"]) == 3


def test_time_ends_it_and_given_candidates_come_first():
    found = searched(SVC(), {"C": PENALTY}, evaluations=None, runtime=0.5, init=[{"C": 7.0}])
    assert found.stop_reason_ == "runtime"
    assert found.cv_results_["params"][1] == {"C": pytest.approx(7.0)}


def test_processes_fit_the_folds():
    alone, together = (searched(SVC(), {"C": PENALTY}, n_jobs=jobs) for jobs in (None, 2))
    scores = "mean_test_score"
    assert list(alone.cv_results_[scores]) == list(together.cv_results_[scores])


def test_the_table_is_made_once_however_many_candidates_there_are(monkeypatch):
    sizes = []
    table = BaseSearchCV._format_results

    def counted(self, candidates, *rest):
        sizes.append(len(candidates))
        return table(self, candidates, *rest)

    monkeypatch.setattr(BaseSearchCV, "_format_results", counted)
    searched(SVC(), {"C": PENALTY}, evaluations=5)
    assert sizes == [1, 1, 1, 1, 1, 5]


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"evaluations": None}, ValueError, "runtime"),
        ({"space": {}}, ValueError, "nothing to search"),
        ({"space": jaxhop.Space([PENALTY])}, TypeError, "must be a dict from names"),
        ({"space": {"D": PENALTY}}, ValueError, "Invalid parameter 'D'"),
        ({"evaluations": "many"}, ValueError, "The 'evaluations' parameter"),
    ],
)
def test_what_is_wrong_is_said(settings, kind, words):
    settings = {"space": {"C": PENALTY}} | settings
    with pytest.raises(kind, match=words):
        searched(SVC(), **settings)
