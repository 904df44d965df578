"""Chooses between gradient boosting and logistic regression, with the parameters of each.

The objective is plain Python: it builds a scikit-learn pipeline and returns its cross entropy,
cross-validated on the built-in data on breast cancer. Only the chosen model has parameters, and
some of its choices bring parameters of their own. Two processes evaluate candidates; this needs
no `if __name__ == "__main__"`, as they never import this script. Prints the best candidate, and
what random search finds in as many evaluations.
"""

import argparse
from typing import Any

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

import jaxhop

parser = argparse.ArgumentParser(description="Tunes a scikit-learn pipeline.")
parser.add_argument("--evaluations", type=int, default=100, help="of each search; default: 100")
parser.add_argument("--jobs", type=int, default=2, help="worker processes; default: 2")
parser.add_argument("--seed", type=int, default=0, help="default: 0")
arguments = parser.parse_args()

space = {
    "scaling": jaxhop.choice("standard", "robust", "quantile"),
    "model": jaxhop.choice(
        {
            "name": "logistic",
            "C": jaxhop.float(1e-3, 1e3, "0.2g"),
            "features": jaxhop.choice(
                {"name": "plain"},
                {
                    "name": "kernel",
                    "gamma": jaxhop.float(1e-4, 1, "0.2g"),
                    "n_components": jaxhop.int(10, 200, log=True),
                },
            ),
        },
        {
            "name": "boosting",
            "learning_rate": jaxhop.float(0.01, 1, "0.2g"),
            "max_iter": jaxhop.int(10, 100, log=True),
            "max_leaf_nodes": jaxhop.int(2, 32, log=True),
            "min_samples_leaf": jaxhop.int(1, 100, log=True),
            "l2_regularization": jaxhop.float(1e-3, 100, "0.2g"),
            "max_features": jaxhop.float(0.1, 1.0, "0.2f"),
        },
    ),
}
inputs, labels = load_breast_cancer(return_X_y=True)
folds = StratifiedKFold(3, shuffle=True, random_state=0)
scalers = {
    "standard": StandardScaler(),
    "robust": RobustScaler(),
    "quantile": QuantileTransformer(n_quantiles=50, output_distribution="normal"),
}


def pipeline(candidate: dict[str, Any]) -> Any:
    """The model that a candidate describes; of the options of a choice it has the chosen one."""
    steps = [scalers[candidate["scaling"]]]
    settings = dict(candidate["model"])
    if settings.pop("name") == "boosting":
        model = HistGradientBoostingClassifier(**settings, random_state=0)
        return make_pipeline(*steps, model)
    features = dict(settings["features"])
    if features.pop("name") == "kernel":
        steps.append(Nystroem(**features, random_state=0))
    return make_pipeline(*steps, LogisticRegression(C=settings["C"], max_iter=5000))


def cross_entropy(candidate: dict[str, Any]) -> float:
    model = pipeline(candidate)
    return -cross_val_score(model, inputs, labels, cv=folds, scoring="neg_log_loss").mean()


for name, algorithm in (
    ("jaxhop", "auto"),
    ("random search", jaxhop.algorithms.random_search()),
):
    result = jaxhop.search(
        cross_entropy,
        space,
        evaluations=arguments.evaluations,
        n_jobs=arguments.jobs,
        timeout="30s",  # of one evaluation; one that takes longer is ended and has no value
        algorithm=algorithm,
        seed=arguments.seed,
    )
    best = pipeline(result.best)
    accuracy = cross_val_score(best, inputs, labels, cv=folds).mean()
    print(f"{name}: cross entropy {result.best_value:.4f}, accuracy {accuracy:.4f},", end=" ")
    print(f"{result.evaluations} evaluations in {result.seconds:.0f} s")
    print(f"    {result.best}")
