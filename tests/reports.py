"""Makes the reports that the tests of the host side feed on."""

from typing import Any

import numpy as np

from jaxhop._trials import Report


def make_report(values: Any, first: int = 0, **fields: Any) -> Report:
    """A report of these values in phase explore; any field can be given.

    Improvements are found by running minimum within the report unless given.
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    best = np.fmin.accumulate(values) if n else values
    defaults: dict[str, Any] = {
        "phase": np.ones(n, np.int8),
        "step": np.full(n, first, np.int64),
        "seconds": np.full(n, first * 1e-4),
        "temperature": np.ones(n, np.float32),
        "accepted": np.ones(n, bool),
        "improved": np.diff(best, prepend=np.inf) < 0,
        "best_value": float(best[-1]) if n else float("nan"),
        "elapsed": first * 1e-4,
        "progress": 0.5,
    }
    return Report(first=first, values=values, **defaults | fields)
