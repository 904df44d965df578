"""What the tests of trackers share: a search of a space with parameters of every kind."""

from typing import Any

import numpy as np

import jaxhop

SPACE = {
    "lr": jaxhop.float(1e-4, 1.0, log=True),
    "layers": jaxhop.int(1, 5),
    "bias": jaxhop.bool(),
    "kernel": jaxhop.choice(
        {"name": "linear"}, {"name": "rbf", "gamma (log)": jaxhop.float(0, 1)}
    ),
    "wide": jaxhop.float(0, 1, shape=(50, 20)),
    "order": jaxhop.permutation(100),
}
EVALUATIONS = 30


def value(params: Any) -> float:
    """An objective of which one trial has no value."""
    return float("nan") if params["layers"] == 5 else params["layers"] - params["lr"]


def search(*callbacks: Any, fn: Any = value, space: Any = SPACE, **settings: Any) -> Any:
    """A search that reports each trial to the callbacks."""
    defaults = {"evaluations": EVALUATIONS, "direction": "max", "seed": 7}
    return jaxhop.search(
        fn,
        space,
        **{**defaults, **settings},
        backend="python",
        surrogate=False,
        progress=False,
        callbacks=[*callbacks, Each()],
    )


class Each:
    """Makes the search report each trial."""

    def on_trial(self, trial: Any) -> None: ...


def failing(error: BaseException, at: int = 5) -> Any:
    """An objective that raises an error in one of its calls."""
    calls = []

    def fn(params: Any) -> float:
        calls.append(params)
        if len(calls) == at:
            raise error
        return value(params)

    return fn


def stop_at(number: int) -> Any:
    """A callback that ends the search."""
    return lambda report: report.evaluations >= number


def curve(result: Any) -> list[tuple[int, float]]:
    """The trials of a search that have a value, as trackers are to have them."""
    history = result.history
    rows = np.flatnonzero(np.isfinite(history["value"]))
    return list(zip(rows.tolist(), history["value"][rows].tolist(), strict=True))
