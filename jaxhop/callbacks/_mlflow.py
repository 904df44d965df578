"""A search as a run of MLflow."""

import posixpath
import re
import time
from collections.abc import Sequence
from typing import Any

from jaxhop._result import Result
from jaxhop.callbacks._tracker import Tracker, package
from jaxhop.callbacks._values import numbers

_METRICS, _PARAMS = 1000, 100  # of one request, at most
_STATUS = {"finished": "FINISHED", "killed": "KILLED", "failed": "FAILED"}


class MLflow(Tracker):
    """Writes a search as a run of MLflow (extra `mlflow`).

    The run has the settings of the search as parameters; as metrics the curves that all trackers
    have: `best_value`, `temperature`, `evaluations_per_second`, `median_value` where not every
    trial has a point of its own, and of trials `value` and `params/<name>`; in the end the best
    parameters `best/<name>`, numbers as metrics and texts as tags. Characters that MLflow does not
    allow in names become `_`.

    The run is active while the search goes on, so that what an objective in this process logs
    lands there, too. It ends as FINISHED; as KILLED if Ctrl-C, SIGTERM or a callback ended the
    search; as FAILED if an error did. A run that is active already is taken, and left active;
    parameters that it has keep their values.

    Where to write is said as always: `mlflow.set_tracking_uri`, `mlflow.set_experiment`, or
    MLflow's environment variables.

    Args:
        **settings: what `mlflow.start_run` takes: `run_name`, `tags`, `nested` and others, or
            `run_id` of a run to go on with. Default: a new run, unless one is active.

    Raises:
        ImportError: if MLflow is not installed.

    Example:
        >>> import tempfile
        >>> import jaxhop, mlflow
        >>> from jaxhop.callbacks import MLflow
        >>> mlflow.set_tracking_uri(f"sqlite:///{tempfile.mkdtemp()}/mlflow.db")
        >>> result = jaxhop.search(
        ...     lambda params: params["x"] ** 2, {"x": jaxhop.int(-5, 5)}, evaluations=3,
        ...     backend="python", callbacks=[MLflow(run_name="first")],
        ... )
        >>> run = mlflow.last_active_run()
        >>> run.info.status, run.data.metrics["best_value"], run.data.params["direction"]
        ('FINISHED', 0.0, 'min')
    """

    def __init__(self, **settings: Any) -> None:
        _mlflow()
        self._settings = settings
        self._id: str | None = None  # of the run

    def _open(self, settings: dict[str, Any]) -> None:
        mlflow = _mlflow()
        self._client = mlflow.MlflowClient()
        run = mlflow.active_run()
        self._own = run is None or bool(self._settings)
        if run is None or self._own:
            run = mlflow.start_run(**self._settings)
        self._id = run.info.run_id
        there = self._client.get_run(self._id).data.params
        params = [
            mlflow.entities.Param(_named(name), str(value))
            for name, value in settings.items()
            if _named(name) not in there
        ]
        for part in _parts(params, _PARAMS):
            self._client.log_batch(self._id, params=part)

    def _log(self, points: dict[int, dict[str, Any]]) -> None:
        metric, now = _mlflow().entities.Metric, time.time_ns() // 10**6
        metrics = [
            metric(_named(name), value, now, step)
            for step, values in points.items()
            for name, value in numbers(values).items()
        ]
        for part in _parts(metrics, _METRICS):
            self._client.log_batch(self._id, metrics=part)

    def _end(self, summary: dict[str, Any], result: Result) -> None:
        self._log({result.evaluations - 1: summary})
        texts = {_named(name): text for name, text in summary.items() if isinstance(text, str)}
        tag = _mlflow().entities.RunTag
        tags = [tag(name, text) for name, text in texts.items()]
        for part in _parts(tags, _PARAMS):
            self._client.log_batch(self._id, tags=part)

    def _close(self, state: str) -> None:
        if self._id is None or not self._own:
            return
        active = _mlflow().active_run()
        if active is not None and active.info.run_id == self._id:
            _mlflow().end_run(_STATUS[state])
        else:  # somebody else began another, and did not end it
            self._client.set_terminated(self._id, _STATUS[state])
        self._id = None


def _mlflow() -> Any:
    """The library, which no callback holds: a module cannot be copied with it."""
    return package("mlflow", "MLflow", "mlflow")


def _named(name: str) -> str:
    """A name that MLflow takes: it may look like a path, but not like one of somewhere else."""
    name = re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)
    return name if posixpath.normpath(name) == name else name.replace("/", "_")


def _parts(entries: list[Any], size: int) -> Sequence[list[Any]]:
    return [entries[first : first + size] for first in range(0, len(entries), size)]
