"""A search as a run of Aim."""

from typing import Any

from jaxhop._result import Result
from jaxhop.callbacks._tracker import Tracker, check_run, package
from jaxhop.callbacks._values import numbers


class Aim(Tracker):
    """Writes a search as a run of Aim (extra `aim`; Aim has no packages for Python 3.13 yet).

    The run has the settings of the search as `run["search"]`; the metrics that all trackers have:
    `best_value`, `temperature`, `evaluations_per_second`, `median_value` where not every trial has
    a point of its own, and of trials `value` and `params/<name>`; in the end `run["best"]`, the
    best parameters, `run["result"]`, what else was found, and `run["state"]`: `"finished"`;
    `"killed"` if Ctrl-C, SIGTERM or a callback ended the search; `"failed"` if an error did.

    Args:
        run: the run to write to, which is left open. Default: a new one.
        **settings: what `aim.Run` takes for a new one: `repo`, `experiment`, `run_hash` of a run
            to go on with, and others.

    Raises:
        ImportError: if Aim is not installed.
        ValueError: if both a run and settings are given.

    Example:
        >>> import jaxhop
        >>> from jaxhop.callbacks import Aim
        >>> result = jaxhop.search(  # doctest: +SKIP
        ...     lambda params: params["x"] ** 2, {"x": jaxhop.int(-5, 5)}, evaluations=3,
        ...     callbacks=[Aim(experiment="first")],
        ... )
    """

    def __init__(self, run: Any = None, **settings: Any) -> None:
        package("aim", "Aim", "aim")  # or an error, in good time
        check_run("Aim", run, settings)
        self._given, self._settings = run, settings
        self._run: Any = None

    def _open(self, settings: dict[str, Any]) -> None:
        aim = package("aim", "Aim", "aim")
        self._run = aim.Run(**self._settings) if self._given is None else self._given
        self._run["search"] = settings

    def _log(self, points: dict[int, dict[str, Any]]) -> None:
        for step, values in points.items():
            for name, value in numbers(values).items():
                self._run.track(value, name=name, step=step)

    def _end(self, summary: dict[str, Any], result: Result) -> None:
        del result
        best = {name[5:]: value for name, value in summary.items() if name.startswith("best/")}
        self._run["best"] = best
        self._run["result"] = {n: x for n, x in summary.items() if not n.startswith("best/")}

    def _close(self, state: str) -> None:
        if self._run is not None:
            self._run["state"] = state
            if self._given is None:
                self._run.close()
        self._run = None
