"""A search as a run of Weights & Biases."""

from typing import Any

from jaxhop._result import Result
from jaxhop.callbacks._tracker import Tracker, check_run, package
from jaxhop.callbacks._values import numbers

_EXIT = {"finished": 0, "failed": 1, "killed": 255}  # 255 is what wandb makes of Ctrl-C
_CURVES = ("best_value", "temperature", "evaluations_per_second", "median_value", "value")


class WandB(Tracker):
    """Writes a search as a run of Weights & Biases (extra `wandb`).

    The run has the settings of the search in its config; the curves that all trackers have, over
    `evaluation`: `best_value`, `temperature`, `evaluations_per_second`, `median_value` where not
    every trial has a point of its own, and of trials `value` and `params/<name>`, texts of options
    included; and in its summary what was found, with the best parameters as `best/<name>`.

    A run that is active already (`wandb.run`) is taken, and left open. One that this callback
    begins ends with exit code 0; with 255 if Ctrl-C, SIGTERM or a callback ended the search; with
    1 if an error did.

    Args:
        run: the run to write to, which is left open. Default: the active one, or a new one.
        **settings: what `wandb.init` takes for a new one: `project`, `name`, `group`,
            `mode="offline"` and others.

    Raises:
        ImportError: if wandb is not installed.
        ValueError: if both a run and settings are given.

    Example:
        >>> import tempfile
        >>> import jaxhop, wandb
        >>> from jaxhop.callbacks import WandB
        >>> quiet = wandb.Settings(silent=True)
        >>> with wandb.init(mode="offline", dir=tempfile.mkdtemp(), settings=quiet) as run:
        ...     result = jaxhop.search(
        ...         lambda params: params["x"] ** 2, {"x": jaxhop.int(-5, 5)}, evaluations=3,
        ...         backend="python", callbacks=[WandB()],
        ...     )
        ...     print(run.config["direction"], run.summary["best/x"], run.summary["stop_reason"])
        min 0 evaluations
    """

    def __init__(self, run: Any = None, **settings: Any) -> None:
        package("wandb", "WandB", "wandb")  # or an error, in good time
        check_run("WandB", run, settings)
        self._given, self._settings = run, settings
        self._run: Any = None

    def _open(self, settings: dict[str, Any]) -> None:
        wandb = package("wandb", "WandB", "wandb")
        before = self._given or wandb.run
        self._run = before if before and not self._settings else None
        if self._run is None:
            self._run = wandb.init(**self._settings)
        self._own = self._run is not before
        self._run.config.update(settings, allow_val_change=True)
        self._run.define_metric("evaluation", hidden=True)
        for name in (*_CURVES, "params/*"):
            self._run.define_metric(name, step_metric="evaluation")

    def _log(self, points: dict[int, dict[str, Any]]) -> None:
        for step, values in points.items():
            texts = {name: text for name, text in values.items() if isinstance(text, str)}
            self._run.log({"evaluation": step, **numbers(values), **texts})

    def _end(self, summary: dict[str, Any], result: Result) -> None:
        del result
        self._run.summary.update(summary)

    def _close(self, state: str) -> None:
        if self._run is not None and self._own:
            self._run.finish(exit_code=_EXIT[state])
        self._run = None
