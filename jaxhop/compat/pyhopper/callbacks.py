"""PyHopper's callbacks, and how jaxhop calls them."""

import copy
import enum
import math
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from jaxhop._trials import Start, Trial

__all__ = ["Callback", "CandidateType", "History", "ParamInfo"]


class CandidateType(enum.Enum):
    """How a candidate was found.

    Example:
        >>> CandidateType.RANDOM_SEEDING.name
        'RANDOM_SEEDING'
    """

    INIT = 0
    MANUALLY_ADDED = 1
    RANDOM_SEEDING = 2
    LOCAL_SAMPLING = 3


@dataclass
class ParamInfo:
    """What callbacks are told of an evaluation.

    Attributes:
        type: how the candidate was found.
        sampled_at: when the evaluation began, in seconds since 1970.
        finished_at: when it ended.
        is_pruned: whether it was pruned.
        is_nan: whether its value is NaN.

    Example:
        >>> ParamInfo(CandidateType.INIT, 0.0, 1.5).is_pruned
        False
    """

    type: CandidateType
    sampled_at: float
    finished_at: float = math.nan
    is_pruned: bool = False
    is_nan: bool = False


class Callback:
    """Base class of callbacks; `run` takes one, or a list of them.

    All methods are optional. Callbacks hear of an evaluation when it has ended, of its start,
    too. No candidate is sampled twice, so there is nothing to hear of duplicates.

    Example:
        >>> from jaxhop.compat import pyhopper
        >>> class Best(Callback):
        ...     def on_new_best(self, new_best, f, info):
        ...         print(f"{info.type.name}: {f}")
        >>> search = pyhopper.Search(n=pyhopper.int(1, 2, init=2))
        >>> best = search.run(lambda p: p["n"], steps=2, quiet=True, callbacks=Best())
        INIT: 2.0
    """

    def on_search_start(self, search: Any) -> None:
        """Called before the first evaluation of a run.

        Args:
            search: the `Search`.
        """

    def on_evaluate_start(self, candidate: Any, info: ParamInfo) -> None:
        """Called for each evaluation, before the other methods.

        Args:
            candidate: the candidate, a copy.
            info: what else is known.
        """

    def on_evaluate_end(self, candidate: Any, f: float, info: ParamInfo) -> None:
        """Called for each evaluation that has a value.

        Args:
            candidate: the candidate, a copy.
            f: its value.
            info: what else is known.
        """

    def on_evaluate_pruned(self, candidate: Any, info: ParamInfo) -> None:
        """Called for each evaluation that was pruned.

        Args:
            candidate: the candidate, a copy.
            info: what else is known.
        """

    def on_evaluate_nan(self, candidate: Any, info: ParamInfo) -> None:
        """Called for each evaluation whose value is NaN.

        Args:
            candidate: the candidate, a copy.
            info: what else is known.
        """

    def on_new_best(self, new_best: Any, f: float, info: ParamInfo) -> None:
        """Called for each candidate that is the best so far, after `on_evaluate_end`.

        Args:
            new_best: the candidate, a copy.
            f: its value.
            info: what else is known.
        """

    def on_search_end(self) -> None:
        """Called after the last evaluation of a run."""


class History(Callback):
    """The evaluations that have a value, in the order in which they ended.

    Attributes:
        fs: their values.
        best_fs: the best values so far.
        seconds: when they ended, since the first search began.

    Example:
        >>> history = History()
        >>> history.on_evaluate_end({"x": 1}, 0.5, ParamInfo(CandidateType.INIT, 0.0, 1.0))
        >>> history["x"], history[0], history.fs
        ([1], {'x': 1}, [0.5])
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self.fs: list[float] = []
        self.best_fs: list[float | None] = []
        self.seconds: list[float] = []
        self._candidates: list[Any] = []
        self._pruned: list[Any] = []
        self._best: float | None = None
        self._begin: float | None = None

    def __len__(self) -> int:
        return len(self.fs)

    def __getitem__(self, item: Any) -> Any:
        """A candidate by its number, or the values of a parameter by its key."""
        return self._candidates[item] if isinstance(item, int) else self.get_marginal(item)

    def __repr__(self) -> str:
        return f"History({len(self)} evaluations, best_f={self.best_f!r})"

    @property
    def best_f(self) -> float | None:
        """The best value so far, or None."""
        return self.best_fs[-1] if self.best_fs else None

    @property
    def steps(self) -> list[int]:
        """The numbers of the evaluations."""
        return list(range(len(self)))

    @property
    def minutes(self) -> list[float]:
        """When they ended, in minutes."""
        return [seconds / 60 for seconds in self.seconds]

    @property
    def hours(self) -> list[float]:
        """When they ended, in hours."""
        return [seconds / 3600 for seconds in self.seconds]

    def get_marginal(self, item: Any) -> list[Any]:
        """The values of a parameter.

        Args:
            item: its key.

        Returns:
            One value for each evaluation.

        Raises:
            KeyError: if there is no such key.
        """
        return [candidate[item] for candidate in self._candidates]

    def get_pruned_marginal(self, item: Any) -> list[Any]:
        """The values of a parameter in the evaluations that were pruned.

        Args:
            item: its key.

        Returns:
            One value for each of these.

        Raises:
            KeyError: if there is no such key.
        """
        return [candidate[item] for candidate in self._pruned]

    def on_search_start(self, search: Any) -> None:
        """Notes the time, and what was best before."""
        self._best = search.best_f
        if self._begin is None:
            self._begin = time.time() - (self.seconds[-1] if self.seconds else 0.0)

    def on_evaluate_end(self, candidate: Any, f: float, info: ParamInfo) -> None:
        """Keeps an evaluation."""
        self.fs.append(f)
        self.best_fs.append(self._best)
        self.seconds.append(info.finished_at - (self._begin or 0.0))
        self._candidates.append(candidate)

    def on_evaluate_pruned(self, candidate: Any, info: ParamInfo) -> None:
        """Keeps a candidate that was pruned."""
        self._pruned.append(candidate)

    def on_new_best(self, new_best: Any, f: float, info: ParamInfo) -> None:
        """Notes the best value."""
        self._best = self.best_fs[-1] = f


class Adapter:
    """A callback of PyHopper's as jaxhop calls it.

    Args:
        callback: the callback.
        search: what it is told at the start.
        sign: 1 to minimise, -1 to maximise.
        queued: whether the candidates that are evaluated first were given by the user.
    """

    def __init__(self, callback: Callback, search: Any, sign: int, queued: bool) -> None:
        self._callback, self._search, self._sign = callback, search, sign
        first = CandidateType.MANUALLY_ADDED if queued else CandidateType.INIT
        self._types = {"initial": first, "explore": CandidateType.RANDOM_SEEDING}
        self._begin = 0.0
        self._best: float | None = None
        self.__qualname__ = type(callback).__qualname__  # errors then name the callback

    def on_start(self, info: Start) -> None:
        """Tells it that the search starts."""
        self._begin, self._best = time.time(), self._search.best_f
        self._callback.on_search_start(self._search)

    def on_trial(self, trial: Trial) -> None:
        """Tells it of an evaluation."""
        callback, candidate, f = self._callback, copy.deepcopy(trial.params), trial.value
        end = self._begin + trial.seconds
        found = self._types.get(trial.phase, CandidateType.LOCAL_SAMPLING)
        duration = 0.0 if math.isnan(trial.duration) else trial.duration
        info = ParamInfo(found, end - duration, end)
        callback.on_evaluate_start(candidate, info)
        if trial.status == "pruned":
            info.is_pruned = True
            callback.on_evaluate_pruned(candidate, info)
        elif trial.status == "completed" and math.isnan(f):
            info.is_nan = True
            callback.on_evaluate_nan(candidate, info)
        elif trial.status == "completed":
            callback.on_evaluate_end(candidate, f, info)
            better = self._best is None or self._sign * f < self._sign * self._best
            if better and trial.improved:  # a run directory may know better ones
                self._best = f
                callback.on_new_best(candidate, f, info)

    def on_end(self, result: Any) -> None:
        """Tells it that the search has ended."""
        self._callback.on_search_end()


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(
        f"`pyhopper.callbacks.{name}`: there are `Callback` and `History`; trackers have no"
        " counterpart here. Write a `Callback` whose `on_evaluate_end` sends the values."
    )
