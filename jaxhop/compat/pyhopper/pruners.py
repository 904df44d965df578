"""PyHopper's pruners; all of `jaxhop.pruners` will do."""

from jaxhop import pruners
from jaxhop.pruners import Pruner as Pruner
from jaxhop.pruners import TopKPruner as TopKPruner


class QuantilePruner(pruners.QuantilePruner):
    """Ends the worst trials, as `jaxhop.pruners.QuantilePruner` does.

    Args:
        q: share of the trials that are ended, in (0, 1), or in percent, in [1, 100).
        warmup: so many trials finish before the first one is ended. Default 5.

    Raises:
        ValueError: if a number is out of range.
        TypeError: if it is no number.

    Example:
        >>> QuantilePruner(80).q
        0.8
    """

    def __init__(self, q: float, warmup: int = 5) -> None:
        super().__init__(q / 100 if isinstance(q, int | float) and 1 <= q < 100 else q, warmup)


__all__ = ["Pruner", "QuantilePruner", "TopKPruner"]
