"""A search for the parameters of a scikit-learn estimator, in scikit-learn's own form."""

import functools
import numbers
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import numpy as np

try:
    from sklearn.exceptions import FitFailedWarning
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.utils import check_random_state
except ModuleNotFoundError as error:
    raise ImportError(
        '`jaxhop.sklearn`: scikit-learn is not installed. Run `pip install "jaxhop[sklearn]"`.'
    ) from error

from jaxhop._search import search
from jaxhop.space import Conditional, Space

__all__ = ["SearchCV"]


class SearchCV(BaseSearchCV):
    """Searches the parameters of an estimator by cross-validation, like `RandomizedSearchCV`.

    It is an estimator itself: `fit` searches and then fits the best estimator to all data, and
    `predict`, `score` and whatever else the estimator has are those of the best one. It goes where
    scikit-learn's own searches go, into pipelines and nested cross-validation.

    A candidate none of whose folds could be fitted has no row in `cv_results_`, and with a number
    as `error_score` a warning says why.

    Args:
        estimator: what is fitted.
        space: a dict from names of the estimator's parameters (`"svc__C"` of a step of a
            pipeline) to `jaxhop.float` and so on, or to a constant. Options of a
            `jaxhop.choice` that are dicts give several parameters at once, whatever the name of
            the choice.
        runtime: how long to search: seconds, a `timedelta`, or text such as `"10min"`; the final
            fit comes on top. At least one of `runtime`, `evaluations`, `target` and `patience` is
            needed.
        evaluations: how many candidates to try.
        target: a score that is good enough.
        patience: how many candidates may follow one that was the best.
        init: candidates to try first, dicts that may lack names. They follow the initial values
            of the space.
        scoring: as of `RandomizedSearchCV`: a name, a function, or several. Default: the
            estimator's own score. The higher, the better.
        n_jobs: how many processes fit the folds of one candidate; more than there are folds have
            nothing to do. Default None: this one, or what joblib's context says.
        refit: whether to fit the best estimator to all data; where there are several scores, the
            name of the one that is searched for, which has to be given then.
        cv: folds, or how to split. Default None: 5 folds.
        verbose: above 0, jaxhop's live line is shown where there is a terminal; from 1 on
            scikit-learn says what it fits.
        pre_dispatch: as of `RandomizedSearchCV`.
        random_state: an int for the same candidates each time (with `evaluations` and no other
            limit), a `RandomState`, or None.
        error_score: score where a fit fails, or `"raise"`. Default NaN.
        return_train_score: whether `cv_results_` has scores on the training data. Default False.
        callbacks: as of `jaxhop.search`.

    Attributes:
        cv_results_: dict of arrays with one element a candidate, as of `RandomizedSearchCV`.
        best_estimator_: fitted with the best parameters; only with `refit`.
        best_params_: the best parameters.
        best_score_: their mean score.
        best_index_: where they are in `cv_results_`.
        stop_reason_: what ended the search, see `jaxhop.Result`.

    Raises:
        ValueError: by `fit`, if the space or a limit is wrong, or if there are several scores and
            `refit` names none.
        TypeError: by `fit`, if the space is no dict.

    Example:
        >>> import jaxhop
        >>> from jaxhop.sklearn import SearchCV
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.svm import SVC
        >>> space = {
        ...     "C": jaxhop.float(1e-2, 1e2, log=True),
        ...     "kernel": jaxhop.choice(
        ...         {"kernel": "linear"},
        ...         {"kernel": "rbf", "gamma": jaxhop.float(1e-4, 1, log=True)},
        ...     ),
        ... }
        >>> found = SearchCV(SVC(), space, evaluations=10, cv=3, random_state=0)
        >>> found = found.fit(*load_iris(return_X_y=True))
        >>> len(found.cv_results_["params"]), bool(found.best_score_ > 0.95)
        (10, True)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSearchCV._parameter_constraints,
        "space": [dict, Space],
        "runtime": [numbers.Real, str, timedelta, None],
        "evaluations": [numbers.Integral, None],
        "target": [numbers.Real, None],
        "patience": [numbers.Integral, None],
        "init": [list, tuple, None],
        "random_state": ["random_state"],
        "callbacks": "no_validation",
    }

    def __init__(
        self,
        estimator: Any,
        space: Mapping[str, Any] | Space,
        *,
        runtime: float | timedelta | str | None = None,
        evaluations: int | None = None,
        target: float | None = None,
        patience: int | None = None,
        init: Sequence[Mapping[str, Any]] | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., Any] = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: int | np.random.RandomState | None = None,
        error_score: float | str = np.nan,
        return_train_score: bool = False,
        callbacks: Iterable[Any] = (),
    ) -> None:
        self.space = space
        self.runtime = runtime
        self.evaluations = evaluations
        self.target = target
        self.patience = patience
        self.init = init
        self.random_state = random_state
        self.callbacks = callbacks
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,  # pyright: ignore[reportArgumentType]
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,  # pyright: ignore[reportArgumentType]
            error_score=error_score,  # pyright: ignore[reportArgumentType]
            return_train_score=return_train_score,
        )

    def _run_search(self, evaluate_candidates: Callable[[list[dict[str, Any]]], Any]) -> None:
        """What scikit-learn calls: evaluates candidates until the budget is used up."""
        tree = self.space.tree if isinstance(self.space, Space) else dict(self.space)
        if not isinstance(tree, dict):
            raise TypeError(
                f"`SearchCV(space={self.space!r})`: it must be a dict from names of parameters."
                ' Say {"C": jaxhop.float(0.1, 10)}.'
            )
        self._results: dict[str, Any] = {}
        self._last: dict[str, Any] = {}
        self._whole = dict

        def score(candidate: dict[str, Any]) -> float:
            try:
                evaluate_candidates([dict(_spread(candidate, tree))])
            except ValueError as error:
                # scikit-learn refuses to go on where nothing at all could be fitted.
                if self.error_score == "raise" or "fits failed" not in str(error):
                    raise
                warnings.warn(str(error), FitFailedWarning, stacklevel=2)
                return float("nan")
            return float(self._last[f"mean_test_{self._metric()}"][0])

        result = search(
            score,
            tree,
            direction="max",
            runtime=self.runtime,
            evaluations=self.evaluations,
            target=self.target,
            patience=self.patience,
            init=self.init,
            seed=check_random_state(self.random_state).randint(2**31),
            callbacks=self.callbacks,
            backend="python",
            progress=None if self.verbose else False,
        )
        self.stop_reason_ = result.stop_reason
        self._results.update(self._whole())
        del self._results, self._last, self._whole

    def _format_results(
        self, candidate_params: list[Any], n_splits: int, out: list[Any], more_results: Any = None
    ) -> dict[str, Any]:
        """What scikit-learn makes tables with, after each candidate, of all so far.

        There may be thousands, so the whole table is made once, at the end, and filled into the
        dict that scikit-learn has by then.
        """
        table = super()._format_results
        self._last = table(candidate_params[-1:], n_splits, out[-n_splits:])
        self._whole = functools.partial(table, candidate_params, n_splits, out, more_results)
        return self._results

    def _metric(self) -> str:
        """Name of the score that is searched for."""
        if "mean_test_score" in self._last:
            return "score"
        if isinstance(self.refit, str):
            return self.refit
        raise ValueError(
            f"`SearchCV(refit={self.refit!r})`: where there are several scores, one must be named"
            " that the search goes by. Give its name as refit=."
        )


def _spread(candidate: Mapping[str, Any], tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values of parameters, those of chosen options among them."""
    for name, value in candidate.items():
        parameter = tree[name]
        if isinstance(parameter, Conditional) and isinstance(value, dict):
            options = [each for each in parameter.choices.options if isinstance(each, dict)]
            (own, *_) = [each for each in options if each.keys() == value.keys()]
            yield from _spread(value, own)
        else:
            yield name, value
