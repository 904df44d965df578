"""The contract of a callback, and the one who calls them all."""

import math
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Protocol

from jaxhop._history import Decode
from jaxhop._result import Result
from jaxhop._trials import Report, Start, Trial, trials

_MOMENTS = ("on_start", "on_trial", "on_improvement", "on_round", "on_end")
_EACH = ("on_trial", "on_improvement")


class Callback(Protocol):
    """What a callback may offer; each method is optional.

    A plain function `(report) -> bool | None` is a callback, too: it is called as `on_round`.
    There is no need to inherit from this class. An object that also has `close()` has it called
    last in any case, also after a failure or Ctrl-C.

    Example:
        >>> class Patience(Callback):
        ...     def on_round(self, report):
        ...         return report.evaluations > 1000 and report.best_value > 0.5
    """

    def on_start(self, info: Start) -> None:
        """Called once, before the first evaluation.

        Args:
            info: what is known by then.
        """

    def on_trial(self, trial: Trial) -> bool | None:
        """Called for each evaluation, when it has ended.

        JAX objectives are evaluated by the million: there it is called for those whose
        parameters come to the host, which are all of small spaces, and else the improvements.

        Args:
            trial: the evaluation.

        Returns:
            True to ask the search to stop.
        """

    def on_improvement(self, trial: Trial) -> bool | None:
        """Called for each evaluation that was the best so far, after `on_trial`.

        Args:
            trial: the evaluation.

        Returns:
            True to ask the search to stop.
        """

    def on_round(self, report: Report) -> bool | None:
        """Called a few times a second with the evaluations since the call before.

        Args:
            report: these evaluations and where the search stands.

        Returns:
            True to ask the search to stop; it ends with `stop_reason="interrupted"`.
        """

    def on_end(self, result: Result) -> None:
        """Called once, with what the search returns.

        Args:
            result: the result.
        """


class Callbacks:
    """Calls a number of callbacks, in order.

    Use it as a context manager, so that every callback is closed however the search ends.

    Args:
        callbacks: functions `(report) -> bool | None`, or objects with any of the methods of
            `Callback`.

    Raises:
        TypeError: if `callbacks` is no collection, or one of them is no callback.

    Example:
        >>> callbacks = Callbacks([lambda report: report.best_value < 0.5])
    """

    def __init__(self, callbacks: Iterable[Callback | Callable[[Report], bool | None]]):
        if not isinstance(callbacks, Iterable):
            raise TypeError(
                f"`callbacks={callbacks!r}`: a list of callbacks must be given. Put it in a list."
            )
        self._callbacks = tuple(_check(callback) for callback in callbacks)
        self._before = math.nan

    def on_start(self, info: Start) -> None:
        """Tells all callbacks that the search starts.

        Args:
            info: what is known before the first evaluation.
        """
        self._before = math.nan
        self._call("on_start", info)

    @property
    def each(self) -> bool:
        """Whether any of them wants to hear of single evaluations."""
        return any(callable(getattr(c, moment, None)) for c in self._callbacks for moment in _EACH)

    def on_round(self, report: Report, to_python_many: Decode | None = None) -> bool:
        """Hands a report to all callbacks, evaluation by evaluation to those who want them.

        Args:
            report: the report.
            to_python_many: from stacked parameters to candidates; needed for `on_trial` and
                `on_improvement`.

        Returns:
            Whether any of them asks the search to stop. All are called in any case.
        """
        stops: list[bool] = []
        if self.each and to_python_many is not None and len(report.kept):
            for trial in trials(report, to_python_many(report.points), self._before):
                stops += self._call("on_trial", trial)
                if trial.improved:
                    stops += self._call("on_improvement", trial)
        self._before = report.best_value
        return any([*stops, *self._call("on_round", report)])

    def on_end(self, result: Result) -> None:
        """Hands the result to all callbacks.

        Args:
            result: the result.
        """
        self._call("on_end", result)

    def __enter__(self) -> "Callbacks":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self._call("close")

    def _call(self, moment: str, *args: Any) -> list[bool]:
        """What each callback returned at this moment, as a bool."""
        returned = []
        for callback in self._callbacks:
            method = getattr(callback, moment, None)
            if method is None and moment == "on_round" and not _has_moments(callback):
                method = callback
            if method is None:
                continue
            try:
                returned.append(bool(method(*args)))
            except Exception as error:
                name = getattr(callback, "__qualname__", type(callback).__qualname__)
                error.add_note(f"Raised by the callback `{name}` in `{moment}`.")
                raise
        return returned


def _has_moments(callback: Any) -> bool:
    return any(callable(getattr(callback, moment, None)) for moment in _MOMENTS)


def _check(callback: Any) -> Any:
    if isinstance(callback, type):
        raise TypeError(
            f"`callbacks=[{callback.__qualname__}]`: an object must be given, not its class. "
            f"Say `{callback.__qualname__}()`."
        )
    if not (callable(callback) or _has_moments(callback)):
        raise TypeError(
            f"`callbacks=[{callback!r}]`: a callback must be a function of the report, or have "
            f"one of the methods {', '.join(f'`{moment}`' for moment in _MOMENTS)}. Give such a"
            " function or object."
        )
    return callback
