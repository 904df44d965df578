"""Which parameters mattered."""

from typing import TYPE_CHECKING

import numpy as np

from jaxhop.plots import _canvas
from jaxhop.plots._columns import Table, read
from jaxhop.plots._relevance import most_relevant, ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxhop._result import Result

_ROWS = 2000  # trials that the forest learns from: more of them say the same, later
_LEAST = 10
_BARS = 15
_REPEATS = 5


def importance(result: "Result", *, ax: "Axes | None" = None) -> "Axes":
    """Draws how much worse a model predicts the values without each parameter.

    The method is permutation importance (L. Breiman, Random Forests, Machine Learning 45, 2001)
    as scikit-learn implements it: a random forest learns the ranks of the values from half of the
    trials; a parameter is as important as the share of explained variance (R squared) that is
    lost on the other half when its values are shuffled. Bars are means of ten shuffles, five
    each way round, lines their standard deviations. A search tries good candidates more often
    than others, so this says what mattered among what was tried. Parameters that go along with
    each other share their importance.

    Args:
        result: of a search with at least 10 trials that have a value.
        ax: where to draw. Default: a new figure.

    Returns:
        The axes; the most important parameter is on top, and of more than 15 the 15 are drawn
        that say most about the values.

    Raises:
        ValueError: if there are too few trials, or nothing to draw.
        ImportError: if matplotlib or scikit-learn is not installed.

    Example:
        >>> import jaxhop
        >>> space = {"x": jaxhop.float(-1, 1), "idle": jaxhop.float(-1, 1)}
        >>> result = jaxhop.search(lambda p: p["x"] ** 2, space, evaluations=100)
        >>> ax = jaxhop.plots.importance(result)
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['idle', 'x']
    """
    call = "jaxhop.plots.importance"
    table = read(result, call, _ROWS)
    if len(table.values) < _LEAST:
        raise ValueError(
            f"`{call}`: at least {_LEAST} trials must have a value, but {len(table.values)} have."
            " Search longer, or draw `jaxhop.plots.slice(result)`."
        )
    columns = most_relevant(table, _BARS)
    shown = table._replace(columns=columns)
    means, deviations = _scores(shown, call)
    order = np.argsort(means)
    ax = _canvas.axes_for(ax, call, 6.0, 1.2 + 0.34 * len(columns))
    ax.barh(
        [_canvas.plain(columns[at].name) for at in order], means[order],
        xerr=deviations[order], color=_canvas.BLUE, ecolor=_canvas.BLACK, capsize=2,
        error_kw={"linewidth": 0.9},
    )  # fmt: skip
    ax.axvline(0, color=_canvas.BLACK, linewidth=0.8)
    ax.set_xlabel("importance (R² lost when the parameter is shuffled)")
    ax.spines[["top", "right"]].set_visible(False)
    _canvas.note_parameters(ax, table, len(columns))
    return ax


def _scores(table: Table, call: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the importance of each column."""
    ensemble = _canvas.package("sklearn.ensemble", call)
    inspection = _canvas.package("sklearn.inspection", call)
    known = np.stack([column.numbers for column in table.columns], axis=1)
    # Trees can split off what is below all others: so a parameter that is missing says so.
    below = np.nanmin(known, axis=0) - 1
    inputs, ranks = np.where(np.isnan(known), below, known), ranked(table.values)
    # Halves are interleaved, so that both have trials from all phases.
    halves = np.arange(len(ranks)) % 2 == 0
    lost = []
    for learnt in (halves, ~halves):
        forest = ensemble.RandomForestRegressor(50, random_state=0, min_samples_leaf=2)
        forest.fit(inputs[learnt], ranks[learnt])
        found = inspection.permutation_importance(
            forest, inputs[~learnt], ranks[~learnt], n_repeats=_REPEATS, random_state=0
        )
        lost.append(found.importances)
    both = np.concatenate(lost, axis=1)
    return both.mean(axis=1), both.std(axis=1)
