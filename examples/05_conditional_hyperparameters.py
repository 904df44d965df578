"""Chooses between gradient boosting and logistic regression, with the parameters of each.

The objective is plain Python: it builds a scikit-learn pipeline and returns its cross entropy,
cross-validated on the built-in data on breast cancer. Only the chosen model has parameters, and
some of its choices bring parameters of their own. Two processes evaluate candidates; this needs
no `if __name__ == "__main__"`, as they never import this script. Prints the best candidate, and
draws the values over each parameter, for the candidates that have it.

Run it: `python 05_conditional_hyperparameters.py --picture conditional.png`
"""

import argparse

import jaxhop

try:
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler
except ImportError as error:
    raise ImportError(
        f'this example needs scikit-learn, but: {error}. Run `pip install "jaxhop[examples]"`.'
    ) from error

parser = argparse.ArgumentParser(description="Tunes a scikit-learn pipeline.")
parser.add_argument("--evaluations", type=int, default=50, help="default: 50")
parser.add_argument("--jobs", type=int, default=2, help="worker processes; default: 2")
parser.add_argument("--seed", type=int, default=0, help="default: 0")
parser.add_argument("--picture", help="file to draw the search into; default: none")
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


def pipeline(candidate):
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


def cross_entropy(candidate):
    model = pipeline(candidate)
    return -cross_val_score(model, inputs, labels, cv=folds, scoring="neg_log_loss").mean()


result = jaxhop.search(
    cross_entropy,
    space,
    evaluations=arguments.evaluations,
    n_jobs=arguments.jobs,
    timeout="30s",  # of one evaluation; one that takes longer is ended and has no value
    seed=arguments.seed,
)
print(result)
print(result.best)
accuracy = cross_val_score(pipeline(result.best), inputs, labels, cv=folds).mean()
print(f"accuracy {accuracy:.4f}")

if arguments.picture:
    import matplotlib.pyplot as plt

    jaxhop.plots.slice(result)
    plt.savefig(arguments.picture)
