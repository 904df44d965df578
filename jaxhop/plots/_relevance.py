"""Which parameters are drawn where there is no room for all."""

import numpy as np

from jaxhop.plots._columns import Column, Table

_BINS = 8


def most_relevant(table: Table, count: int) -> list[Column]:
    """The columns that say most about the values, in the order of the space.

    A column says as much as the share of the variance of the ranks of the values that lies between
    groups of trials: the options, or up to 8 groups of equal size. That takes no model, and no
    package.

    Args:
        table: of a result.
        count: how many at most.

    Returns:
        Columns.
    """
    if len(table.columns) <= count:
        return table.columns
    ranks = ranked(table.values)
    scores = [explained(column, ranks) for column in table.columns]
    best = np.argsort(scores)[::-1][:count]
    return [table.columns[at] for at in sorted(best.tolist())]


def ranked(values: np.ndarray) -> np.ndarray:
    """Ranks, so that neither the scale of the values nor the worst of them matters.

    Args:
        values: float64[n], finite.

    Returns:
        float64[n], in [0, 1); equal values have one rank.
    """
    return np.searchsorted(np.sort(values), values) / max(1, len(values))


def explained(column: Column, ranks: np.ndarray) -> float:
    """The correlation ratio of a column, adjusted for the number of groups.

    Args:
        column: the column.
        ranks: float64[n], of the values.

    Returns:
        Share of the variance, at most 1; about 0 or less where the column says nothing.
    """
    known = column.known
    groups = np.full(len(ranks), -1)
    if column.options:
        groups[known] = column.numbers[known].astype(int)
    else:
        edges = np.quantile(column.numbers[known], np.linspace(0, 1, _BINS + 1)[1:-1])
        groups[known] = np.searchsorted(edges, column.numbers[known])
    _, number = np.unique(groups, return_inverse=True)
    size = np.bincount(number)
    means = np.bincount(number, ranks) / size
    total = np.var(ranks) * len(ranks)
    if total == 0 or len(ranks) <= len(size):
        return 0.0
    within = np.sum((ranks - means[number]) ** 2)
    return float(1 - within / total * (len(ranks) - 1) / (len(ranks) - len(size)))
