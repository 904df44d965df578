"""Which trials are written down, where there may be millions of them."""

import numpy as np


class Thinning:
    """Chooses trials: all at first, then every 2nd, 4th and so on, and what was the best so far.

    The number of trials that are chosen grows with the logarithm of all, and those chosen are
    spread evenly over any stretch of the search.

    Args:
        limit: how many trials that were not the best so far are chosen before fewer are.
        at_once: how many of one report are chosen at most: the newest of those that were the best
            so far, and others that are spread evenly over it.

    Example:
        >>> chosen = Thinning(limit=3, at_once=100)
        >>> chosen(np.arange(20), np.arange(20) == 13)
        array([ 0,  1,  2,  4,  6,  8, 12, 13, 16])
    """

    def __init__(self, limit: int, at_once: int) -> None:
        self._limit, self._at_once = limit, at_once
        self._stride, self._used = 1, 0

    def __call__(self, numbers: np.ndarray, improved: np.ndarray) -> np.ndarray:
        """Chooses among the trials of a report.

        Args:
            numbers: int64[n], ascending: how many evaluations came before each.
            improved: bool[n], whether it was the best so far.

        Returns:
            int64[m], ascending positions among the n.
        """
        regular: list[np.ndarray] = []
        rest = np.flatnonzero(~improved)
        while len(rest):
            due = rest[numbers[rest] % self._stride == 0]
            room = self._limit - self._used
            regular.append(due[:room])
            self._used += len(regular[-1])
            if len(due) <= room:
                break
            rest = due[room:]
            self._stride, self._used = 2 * self._stride, 0
        best = np.flatnonzero(improved)[-self._at_once :]
        others = np.concatenate([np.empty(0, np.int64), *regular])
        room = self._at_once - len(best)
        if len(others) > room:
            others = others[np.arange(room) * len(others) // max(room, 1)]
        return np.sort(np.concatenate([best, others]))
